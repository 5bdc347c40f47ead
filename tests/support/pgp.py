"""Makes OpenPGP keys and signatures with any date and hash, as RFC 9580 lays them out.

The library under test is not used: it signs with today's date and good hashes only, and the tests need keys that
expired years ago, SHA-1, and revocations. Keys are version 4, EdDSA on Ed25519 (algorithm 22).
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HASHES = {"md5": 1, "sha1": 2, "sha256": 8, "sha384": 9, "sha512": 10, "sha224": 11}
_OID = bytes.fromhex("2b06010401da470f01")

BINARY, TEXT, CERTIFICATION, SUBKEY_BINDING, BACK_SIGNATURE, REVOCATION = 0x00, 0x01, 0x13, 0x18, 0x19, 0x20


@dataclass
class Key:
    """A primary key with a user name and, if asked for, a signing subkey."""

    name: str
    created: datetime
    subkey_created: datetime | None = None
    _primary: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    _subkey: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def fingerprint(self) -> str:
        return _fingerprint(self._body(primary=True)).hex().upper()

    @property
    def subkey_fingerprint(self) -> str:
        return _fingerprint(self._body(primary=False)).hex().upper()

    def certificate(
        self, *, expires: datetime | None = None, revoked: datetime | None = None, digest: str = "sha512"
    ) -> bytes:
        """The public certificate, binary."""
        body, uid = self._body(primary=True), self.name.encode()
        extra = _subpacket(27, b"\x03") + _subpacket(11, b"\x09") + _subpacket(21, b"\x0a\x08")
        if expires is not None:
            extra += _subpacket(9, struct.pack(">I", int((expires - self.created).total_seconds())))
        about = _hashed_key(body) + b"\xb4" + struct.pack(">I", len(uid)) + uid
        packets = _packet(6, body)
        if revoked is not None:
            packets += self._signature(
                REVOCATION, _hashed_key(body), revoked, digest, _subpacket(29, b"\x02")
            )
        packets += _packet(13, uid) + self._signature(CERTIFICATION, about, self.created, digest, extra)
        if self.subkey_created is not None:
            sub = self._body(primary=False)
            both = _hashed_key(body) + _hashed_key(sub)
            back = self._signature(BACK_SIGNATURE, both, self.subkey_created, digest, subkey=True)
            embedded = _subpacket(32, back[-_body_length(back) :])
            flags = _subpacket(27, b"\x02")
            packets += _packet(14, sub)
            packets += self._signature(SUBKEY_BINDING, both, self.subkey_created, digest, flags + embedded)
        return packets

    def sign(
        self,
        content: bytes,
        at: datetime,
        *,
        digest: str = "sha512",
        text: bool = False,
        subkey: bool = False,
        issuer: str = "both",
    ) -> bytes:
        """A detached signature, binary. `issuer` says how it names its key: both, id or none."""
        if text:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return self._signature(TEXT if text else BINARY, content, at, digest, subkey=subkey, issuer=issuer)

    def _body(self, *, primary: bool) -> bytes:
        key, created = (self._primary, self.created) if primary else (self._subkey, self.subkey_created)
        assert created is not None
        point = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        head = b"\x04" + struct.pack(">I", int(created.timestamp())) + b"\x16"
        return head + bytes([len(_OID)]) + _OID + _mpi(b"\x40" + point)

    def _signature(
        self,
        kind: int,
        content: bytes,
        at: datetime,
        digest: str,
        extra: bytes = b"",
        *,
        subkey: bool = False,
        issuer: str = "both",
    ) -> bytes:
        finger = _fingerprint(self._body(primary=not subkey))
        hashed = _subpacket(2, struct.pack(">I", int(at.timestamp()))) + extra
        if issuer == "both":
            hashed += _subpacket(33, b"\x04" + finger)
        unhashed = _subpacket(16, finger[-8:]) if issuer in ("both", "id") else b""
        head = bytes([4, kind, 22, HASHES[digest]]) + struct.pack(">H", len(hashed)) + hashed
        trailer = b"\x04\xff" + struct.pack(">I", len(head))
        hashed_content = hashlib.new(digest, content + head + trailer).digest()
        made = (self._subkey if subkey else self._primary).sign(hashed_content)
        body = (
            head
            + struct.pack(">H", len(unhashed))
            + unhashed
            + hashed_content[:2]
            + _mpi(made[:32])
            + _mpi(made[32:])
        )
        return _packet(2, body)


def armour(data: bytes, kind: str = "SIGNATURE") -> bytes:
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN PGP {kind}-----\n\n{text}-----END PGP {kind}-----\n".encode()


def _fingerprint(body: bytes) -> bytes:
    return hashlib.sha1(_hashed_key(body)).digest()


def _hashed_key(body: bytes) -> bytes:
    return b"\x99" + struct.pack(">H", len(body)) + body


def _packet(tag: int, body: bytes) -> bytes:
    """New header format; lengths of five octets, so that the body is easy to find again."""
    return bytes([0xC0 | tag, 0xFF]) + struct.pack(">I", len(body)) + body


def _body_length(packet: bytes) -> int:
    return int.from_bytes(packet[2:6])


def _subpacket(kind: int, body: bytes) -> bytes:
    length = len(body) + 1
    head = bytes([length]) if length < 192 else b"\xff" + struct.pack(">I", length)
    return head + bytes([kind]) + body


def _mpi(data: bytes) -> bytes:
    data = data.lstrip(b"\0")
    bits = len(data) * 8 - (8 - data[0].bit_length()) if data else 0
    return struct.pack(">H", bits) + data
