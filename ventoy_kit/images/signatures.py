"""What was read from signatures and certificates, as frozen data; nothing here verifies anything.

Fingerprints are in capitals. Times are aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SignatureKind = Literal["binary", "text", "other"]
"""What a signature covers: exact bytes, a text regardless of its line ends, or no document at all (RFC 9580, 5.2.1)."""


@dataclass(frozen=True, slots=True)
class SignatureFacts:
    """One signature of a detached signature file.

    Attributes:
        issuer: fingerprint of the key or subkey that the signature claims to be made by, or None.
        issuer_key_id: the last 16 hex digits of it, which old signatures give alone, or None.
        hash: name of the hash algorithm, such as `SHA-512`.
        kind: what it covers.
        created: when it says it was made, or None if it does not say.
        verified: whether a pinned certificate verifies it for the content.
        signer: fingerprint of the primary key that verified it; None unless `verified`.
        error: why it was not verified, one line; None if it was.
    """

    issuer: str | None
    issuer_key_id: str | None
    hash: str
    kind: SignatureKind
    created: datetime | None
    verified: bool
    signer: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate.

    Attributes:
        fingerprint: the primary key's.
        keys: fingerprints of the primary key and all subkeys.
        created: when the primary key was made.
        expires: when it expires by its newest statement, or None.
        revoked: whether the certificate carries its own revocation.
    """

    fingerprint: str
    keys: tuple[str, ...]
    created: datetime
    expires: datetime | None
    revoked: bool

    def made(self, signature: SignatureFacts) -> bool:
        """Whether a signature claims to be made by a key of this certificate; a claim proves nothing."""
        if signature.issuer is not None:
            return signature.issuer in self.keys
        return signature.issuer_key_id is not None and any(
            key_id(fingerprint) == signature.issuer_key_id for fingerprint in self.keys
        )


def key_id(fingerprint: str) -> str:
    """The key id of a fingerprint: its end for version 4 keys, its beginning for version 6 (RFC 9580, 5.5.4)."""
    return fingerprint[:16] if len(fingerprint) == 64 else fingerprint[-16:]
