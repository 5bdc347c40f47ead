"""Whether a signature counts: which key made it, when, how, and over what.

Each refusal says what was inspected. The OpenPGP library reports most failures alike; the causes here are found by
comparing what a signature claims with what the pinned certificates say, before its own verdict is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from ventoy_kit.images import trust_codes as codes
from ventoy_kit.images.catalog import CatalogEntry, Key, Signed
from ventoy_kit.images.signatures import CertificateFacts, SignatureFacts
from ventoy_kit.report import Finding, Path, Report

Trust = Literal["signature", "checksum"]
"""What the fleet file demands for an image."""

STRONG_HASHES: Final = frozenset({"SHA-256", "SHA-384", "SHA-512", "SHA3-256", "SHA3-512"})

CLOCK_TOLERANCE: Final = timedelta(minutes=30)
"""How far a signature's date may lie ahead of the clock; Sequoia's verifier allows as much."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A good signature: who made it (primary fingerprint) and when."""

    signer: str
    signed: datetime
    hash: str


def judge_signatures(
    pinned: Sequence[Key],
    signatures: Sequence[SignatureFacts],
    certificates: Sequence[CertificateFacts],
    signed: Signed,
    now: datetime,
    *,
    path: Path,
) -> tuple[Accepted | None, Report]:
    """Find a good signature by a pinned key: the newest, where there are several.

    Returns:
        The signature, or None and one finding per signature that came near (VK-J01 to VK-J08, VK-J16).
    """
    fingerprints = {key.fingerprint for key in pinned}
    known = [certificate for certificate in certificates if certificate.fingerprint in fingerprints]
    what = "the checksum file" if signed == "checksums" else "the image"
    if not signatures:
        return None, Report(
            [
                codes.NO_SIGNATURE.finding(
                    f"the file that should hold the signature of {what} holds none",
                    "Try another mirror; if the vendor has stopped signing, find out why before anything else.",
                    path=path,
                )
            ]
        )
    good: list[Accepted] = []
    problems: list[Finding] = []
    for signature in signatures:
        outcome = _judge_one(signature, known, signed, now, path)
        if isinstance(outcome, Accepted):
            good.append(outcome)
        elif outcome is not None:
            problems.append(outcome)
    if good:
        return max(good, key=lambda accepted: accepted.signed), Report()
    if not problems:
        problems = [_unknown_signer(pinned, known, signatures, path)]
    return None, Report(problems)


def _judge_one(
    signature: SignatureFacts, known: Sequence[CertificateFacts], signed: Signed, now: datetime, path: Path
) -> Accepted | Finding | None:
    """Accept a signature or say what is wrong with it; None if it is by nobody who is known."""
    owner = (
        next((c for c in known if c.fingerprint == signature.signer), None) if signature.verified else None
    )
    owner = owner or next((c for c in known if c.made(signature)), None)
    if owner is None:
        return None
    seen = f"the signature {describe(signature)}"
    created = signature.created
    if owner.revoked:
        return codes.REVOKED.finding(
            f"{seen} is by the key {owner.fingerprint}, which its owner has revoked",
            "Look for the vendor's new key, and pin it in the catalog after checking its fingerprint elsewhere.",
            path=path,
        )
    if signature.hash not in STRONG_HASHES:
        return codes.WEAK_HASH.finding(
            f"{seen} uses {signature.hash}, with which other files can be made that fit it as well",
            "Fetch a newer release; a vendor who signs like this today should be told.",
            path=path,
        )
    if created is None:
        return _other_content(seen, "it does not say when it was made", path)
    if created > now + CLOCK_TOLERANCE:
        return codes.FROM_FUTURE.finding(
            f"{seen} is later than this machine's clock, {shown_time(now)}",
            "Set the clock; if it is right, do not use this file.",
            path=path,
        )
    if owner.expires is not None and created >= owner.expires:
        return codes.AFTER_EXPIRY.finding(
            f"{seen} was made after the key {owner.fingerprint} had expired on {shown_time(owner.expires)}",
            "Look for a renewed certificate of this key at the vendor's, or for the vendor's new key.",
            path=path,
        )
    if signature.kind == "other" or (signature.kind == "text" and signed == "iso"):
        return codes.WRONG_KIND.finding(
            f"{seen} is no signature over the exact bytes of a file",
            "Get the vendor's detached signature of this file.",
            path=path,
        )
    if not signature.verified or signature.signer != owner.fingerprint:
        return _other_content(seen, signature.error or "no reason given", path)
    return Accepted(owner.fingerprint, created, signature.hash)


def _other_content(seen: str, reason: str, path: Path) -> Finding:
    return codes.OTHER_CONTENT.finding(
        f"{seen} does not verify this content (the OpenPGP library gives no nearer cause: {reason})",
        "Fetch file and signature again, from another mirror; if that does not help, the file is not the vendor's.",
        path=path,
    )


def _unknown_signer(
    pinned: Sequence[Key],
    known: Sequence[CertificateFacts],
    signatures: Sequence[SignatureFacts],
    path: Path,
) -> Finding:
    at_hand = {certificate.fingerprint for certificate in known}
    missing = [key for key in pinned if key.fingerprint not in at_hand]
    seen = "; ".join(describe(signature) for signature in signatures[:4])
    if missing:
        # The signature may be by a subkey of what is missing, so nobody can say whose it is.
        listed = ", ".join(f"{key.fingerprint} ({key.name})" for key in missing)
        return codes.NO_CERTIFICATE.finding(
            f"there is no certificate of the pinned key {listed}; the signatures found: {seen}",
            "Connect to the network once, or put the vendor's certificate beside the catalog.",
            path=path,
        )
    wanted = ", ".join(f"{key.fingerprint} ({key.name})" for key in pinned)
    return codes.UNKNOWN_SIGNER.finding(
        f"no signature is by a pinned key; found: {seen}; pinned: {wanted}",
        "Try another mirror; if the vendor has changed keys, pin the new one after checking it elsewhere.",
        path=path,
    )


def judge_unsigned(entry: CatalogEntry, trust: Trust, *, path: Path) -> Report:
    """Decide over an image for which no signature could be had (VK-J01, VK-J13, VK-J14)."""
    report = Report()
    if trust == "checksum":
        why = "its signature could not be had" if entry.signatures else "its vendor signs nothing"
        report.add(
            codes.CHECKSUM_USED.finding(
                f"{entry.title} is taken on its checksum alone: {why}",
                "Compare the digest in fleet.lock with one from a second source.",
                path=path,
            )
        )
    elif entry.signatures:
        report.add(
            codes.NO_SIGNATURE.finding(
                f"the catalog names a signature of {entry.title}, but the server has none",
                "Try another mirror; if the vendor really does not sign it, decide on `trust: checksum` yourself.",
                path=path,
            )
        )
    else:
        report.add(
            codes.CHECKSUM_REFUSED.finding(
                f"the vendor of {entry.title} signs nothing; only a checksum from the same server is there",
                "Write `trust: checksum` on this image in the fleet file if that is enough for you.",
                path=path,
            )
        )
    return report


def judge_certificate(key: Key, found: Sequence[CertificateFacts], *, path: Path) -> Report:
    """Decide over a file with a certificate: exactly one of them must have the pinned fingerprint (VK-J16)."""
    report = Report()
    fingerprints = [certificate.fingerprint for certificate in found]
    if fingerprints.count(key.fingerprint) != 1:
        there = ", ".join(fingerprints[:4]) or "no certificate at all"
        report.add(
            codes.NO_CERTIFICATE.finding(
                f"the key of {key.name} is pinned as {key.fingerprint}; {key.url or key.file} holds {there}",
                "Do not use this certificate; ask the vendor, and pin a new key only after checking it elsewhere.",
                path=path,
            )
        )
    return report


def describe(signature: SignatureFacts) -> str:
    """A signature for people: whose it claims to be, how it hashes, when it was made."""
    who = signature.signer or signature.issuer or signature.issuer_key_id or "nobody named"
    when = "at no stated time" if signature.created is None else shown_time(signature.created)
    return f"by {who}, {signature.hash}, {when}"


def shown_time(moment: datetime) -> str:
    """A moment for people."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
