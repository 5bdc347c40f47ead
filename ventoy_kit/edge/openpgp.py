"""OpenPGP through Sequoia (pysequoia): what a detached signature file holds, and which pinned key verifies it.

Only the certificates that are passed in ever reach the verifier; there is no keyring. Files are taken apart here down
to single packets, since pysequoia reads only the first signature of a file, and since its packet parser would unfold
compressed packets of any size that a server sends.
"""

from __future__ import annotations

import base64
import binascii
import multiprocessing
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from pysequoia import Cert, Sig, verify
from pysequoia.packet import HashAlgorithm, PacketPile, SignatureType, Tag

from ventoy_kit.errors import MachineError, StorageError
from ventoy_kit.images.signatures import CertificateFacts, SignatureFacts, SignatureKind, key_id

MAX_SIGNATURE_FILE: Final = 1 << 16
"""Bytes; a signature has some hundred, and vendors' files hold one to three."""

MAX_CERTIFICATE_FILE: Final = 1 << 20
"""Bytes; certificates with many third-party signatures have some hundred thousand."""

_MAX_PACKETS: Final = 20_000
_MAX_SIGNATURES: Final = 16

# Packet tags (RFC 9580, section 5).
_SIGNATURE: Final = 2
_PUBLIC_KEY: Final = 6
_IN_CERTIFICATE: Final = frozenset({2, 6, 10, 12, 13, 14, 17, 21})

_BLOCK: Final = re.compile(
    rb"^-----BEGIN PGP (?P<what>SIGNATURE|PUBLIC KEY BLOCK)-----[ \t]*\r?\n"
    rb"(?:[^\r\n:]+: [^\r\n]*\r?\n)*[ \t]*\r?\n"
    rb"(?P<body>[A-Za-z0-9+/=\s]*)^-----END PGP (?P=what)-----",
    re.MULTILINE,
)

_HASHES: Final = (
    (HashAlgorithm.MD5, "MD5"),
    (HashAlgorithm.SHA1, "SHA-1"),
    (HashAlgorithm.RipeMD, "RIPEMD-160"),
    (HashAlgorithm.SHA224, "SHA-224"),
    (HashAlgorithm.SHA256, "SHA-256"),
    (HashAlgorithm.SHA384, "SHA-384"),
    (HashAlgorithm.SHA512, "SHA-512"),
    (HashAlgorithm.SHA3_256, "SHA3-256"),
    (HashAlgorithm.SHA3_512, "SHA3-512"),
)


def read_signatures(
    content: bytes | Path, signature: bytes, certificates: Sequence[bytes]
) -> tuple[SignatureFacts, ...]:
    """Read every signature of a detached signature file and try to verify it.

    A file as content is mapped, not loaded; it is gone through once for each signature that claims one of the
    certificates. A signature that names no key cannot be verified: Sequoia looks keys up by what is named.

    Args:
        content: what is said to be signed.
        signature: the signature file, armoured or binary; anything else gives no signatures.
        certificates: the pinned certificates, each as `split_certificates` or a file of the catalog gives it.

    Raises:
        StorageError: the content cannot be read.
        MachineError: verifying broke off.
        ValueError: a certificate is none, or cannot be used; `read_certificate` says so beforehand.
    """
    usable = [bytes(_cert(data)) for data in certificates]
    known = [read_certificate(data) for data in usable]
    if isinstance(content, Path):
        _check_readable(content)
    facts = []
    for packet in _signature_packets(signature):
        try:
            claimed = _claimed(Sig.from_bytes(packet))
        except RuntimeError:  # a version that Sequoia does not know; others in the file may do
            continue
        issued = [c for c, k in zip(usable, known, strict=True) if k.made(claimed)]
        if issued:
            signer, reason = (
                _signer(content, packet, issued)
                if isinstance(content, bytes)
                else _signer_of_file(content, packet, issued)
            )
            claimed = replace(
                claimed, verified=signer is not None, signer=signer, error=None if signer else reason
            )
        facts.append(claimed)
    return tuple(facts)


def read_certificate(certificate: bytes) -> CertificateFacts:
    """What one certificate says. Raises ValueError if it is none, more than one, or of no use to the verifier."""
    return _facts(_cert(certificate))


def primary_fingerprint(certificate: bytes) -> str | None:
    """The primary key's fingerprint in capitals, or None if this is not exactly one usable certificate."""
    try:
        return read_certificate(certificate).fingerprint
    except ValueError:
        return None


def split_certificates(data: bytes) -> tuple[bytes, ...]:
    """The certificates of a file, armoured or binary, each in binary form; those that Sequoia refuses are left out."""
    packets = _certificate_packets(data)
    try:
        return tuple(bytes(cert) for cert in Cert.split_bytes(b"".join(packets))) if packets else ()
    except RuntimeError:
        return ()


def _cert(data: bytes) -> Cert:
    found = split_certificates(data)
    if len(found) != 1:
        raise ValueError(f"{len(found)} OpenPGP certificates where one is expected")
    return Cert.from_bytes(found[0])


def _facts(cert: Cert) -> CertificateFacts:
    created = None
    keys = []
    for packet in PacketPile.from_bytes(bytes(cert)):
        if packet.tag in (Tag.PublicKey, Tag.PublicSubkey) and packet.fingerprint:
            keys.append(packet.fingerprint.upper())
            created = created or packet.key_created
    try:
        expires = cert.expiration
    except RuntimeError as error:  # its owner's own signatures are missing or use SHA-1
        raise ValueError(f"an OpenPGP certificate that cannot be used: {_first_line(error)}") from error
    if created is None:
        raise ValueError("an OpenPGP certificate without a key")
    return CertificateFacts(
        fingerprint=cert.fingerprint.upper(),
        keys=tuple(keys),
        created=_utc(created),
        expires=_utc(expires) if expires else None,
        revoked=cert.is_revoked,
    )


def _claimed(sig: Sig) -> SignatureFacts:
    issuer = sig.issuer_fingerprint.upper() if sig.issuer_fingerprint else None
    short = sig.issuer_key_id.upper() if sig.issuer_key_id else None
    return SignatureFacts(
        issuer=issuer,
        issuer_key_id=short or (key_id(issuer) if issuer else None),
        hash=next(
            (name for algorithm, name in _HASHES if algorithm == sig.hash_algorithm), "an unknown hash"
        ),
        kind=_kind(sig),
        created=_utc(sig.created) if sig.created else None,
        verified=False,
        signer=None,
        error="it names none of the pinned keys",
    )


def _kind(sig: Sig) -> SignatureKind:
    if sig.signature_type == SignatureType.Binary:
        return "binary"
    return "text" if sig.signature_type == SignatureType.Text else "other"


def _signer(content: bytes | str, packet: bytes, certificates: Sequence[bytes]) -> tuple[str | None, str]:
    """The primary fingerprint that verifies a signature, or None, and the library's reason. A `str` is a path."""
    certs = [Cert.from_bytes(data) for data in certificates]
    allowed = {cert.fingerprint for cert in certs}
    sig = Sig.from_bytes(packet)
    try:
        if isinstance(content, bytes):
            result = verify(bytes=content, store=lambda _ids: certs, signature=sig)
        else:
            result = verify(file=content, store=lambda _ids: certs, signature=sig)
    except RuntimeError as error:
        return None, _first_line(error)
    signer = next((s.certificate for s in result.valid_sigs if s.certificate in allowed), None)
    return (signer.upper() if signer else None), "verified by no pinned key"


def _signer_of_file(path: Path, packet: bytes, certificates: Sequence[bytes]) -> tuple[str | None, str]:
    """The same in a process of its own: pysequoia holds the interpreter's lock for seconds on an image.

    Meanwhile other downloads go on, and Ctrl-C is heard. The process is gone when this returns or raises.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_send_signer, args=(sender, str(path), packet, list(certificates)), daemon=True
    )
    process.start()
    sender.close()
    try:
        answer: tuple[str | None, str] = receiver.recv()
    except EOFError:
        raise MachineError(
            f"verifying {path} broke off", "Run the command again; the machine may be short of memory."
        ) from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    return answer


def _send_signer(
    sender: Connection, path: str, packet: bytes, certificates: Sequence[bytes]
) -> None:  # pragma: no cover - runs in the other process
    sender.send(_signer(path, packet, certificates))


def _check_readable(path: Path) -> None:
    """Tell a file that is not there from a bad signature: Sequoia reports both alike. Raises StorageError."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}", "Check the disk and the file's owner."
        ) from error


def _first_line(error: Exception) -> str:
    """Without the backtrace that pysequoia appends."""
    lines = str(error).splitlines()
    return lines[0].strip() if lines and lines[0].strip() else type(error).__name__


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _signature_packets(data: bytes) -> tuple[bytes, ...]:
    """The signature packets of a file; none from a file that is too long, damaged, or no such file."""
    if len(data) > MAX_SIGNATURE_FILE:
        return ()
    found = [packet for binary in _dearmoured(data, b"SIGNATURE") for packet in _packets(binary)]
    return tuple(packet for tag, packet in found if tag == _SIGNATURE)[:_MAX_SIGNATURES]


def _certificate_packets(data: bytes) -> tuple[bytes, ...]:
    """The packets of all certificates in a file; none if it holds anything else, such as a secret key."""
    if len(data) > MAX_CERTIFICATE_FILE:
        return ()
    found = [packet for binary in _dearmoured(data, b"PUBLIC KEY BLOCK") for packet in _packets(binary)]
    if not found or found[0][0] != _PUBLIC_KEY or any(tag not in _IN_CERTIFICATE for tag, _ in found):
        return ()
    return tuple(packet for _, packet in found)


def _dearmoured(data: bytes, what: bytes) -> Iterator[bytes]:
    """The binary contents: of each armour block (RFC 9580, 6.2), or the data itself if it is not armoured.

    The checksum of armour is not looked at: the signature decides.
    """
    if data[:1] and data[0] & 0x80:
        yield data
        return
    for block in _BLOCK.finditer(data):
        if block["what"] != what:
            continue
        lines = (line.strip() for line in block["body"].split(b"\n"))
        try:
            yield base64.b64decode(
                b"".join(line for line in lines if not line.startswith(b"=")), validate=True
            )
        except binascii.Error:
            continue


def _packets(data: bytes) -> list[tuple[int, bytes]]:
    """Split binary data into packets by their headers (RFC 9580, section 4.2): tag and whole packet.

    Nothing at all if the data is not well-formed to its end, so that no cut-off file counts: what is missing could be
    a revocation. Partial and indeterminate lengths, which only data packets may have, count as malformed.
    """
    packets: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        header = data[at : at + 6].ljust(6, b"\0")
        if not header[0] & 0x80 or len(packets) == _MAX_PACKETS:
            return []
        if header[0] & 0x40:
            tag, first = header[0] & 0x3F, header[1]
            if first < 192:
                start, length = 2, first
            elif first < 224:
                start, length = 3, ((first - 192) << 8) + header[2] + 192
            elif first == 255:
                start, length = 6, int.from_bytes(header[2:6])
            else:
                return []
        else:
            tag, kind = (header[0] >> 2) & 0x0F, header[0] & 3
            if kind == 3:
                return []
            start = 1 + (1 << kind)
            length = int.from_bytes(header[1:start])
        end = at + start + length
        if end > len(data):
            return []
        packets.append((tag, data[at:end]))
        at = end
    return packets
