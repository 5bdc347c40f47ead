"""Whether an image may be believed: decisions over what was read, each refusal with what was inspected.

`judge` is the gate before a file is given its name in the cache. The functions below it decide one question each, so
that a fetch can stop before gigabytes are loaded for nothing.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from ventoy_kit.images import trust_codes as codes
from ventoy_kit.images.authority import Accepted, Trust, judge_signatures, judge_unsigned, shown_time
from ventoy_kit.images.catalog import CatalogEntry, Signed
from ventoy_kit.images.lock import Digests, LockEntry, Verified
from ventoy_kit.images.releases import is_newer, matches
from ventoy_kit.images.signatures import CertificateFacts, SignatureFacts
from ventoy_kit.images.sums import Sums
from ventoy_kit.report import Finding, Path, Report


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known when a downloaded file asks to be believed.

    Attributes:
        image: its name in the fleet file.
        entry: the image's catalog entry.
        request: what the fleet file asks for: `latest`, a series or a release.
        release: the release that was fetched.
        received: the downloaded file, before anything is unpacked from it.
        signed: what the signature file covers; None if the server has none (each alternative answered "not found").
        signatures: every signature in the signature file.
        certificates: facts of the pinned keys' certificates that were at hand and nothing else.
        sums: the checksum file, read from the very bytes that `signatures` were verified against; or None.
        locked: the image's entry in the lock, or None.
        trust: what the fleet file demands.
        updating: whether the user asked to move the lock (`fetch --update`), which accepts other bytes and never goes
            back.
        now: the clock.
        path: the image's place in the fleet file.
    """

    image: str
    entry: CatalogEntry
    request: str
    release: str
    received: Digests
    signed: Signed | None
    signatures: tuple[SignatureFacts, ...]
    certificates: tuple[CertificateFacts, ...]
    sums: Sums | None
    locked: LockEntry | None
    trust: Trust
    updating: bool
    now: datetime
    path: Path


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a file is believed."""

    verified: Verified
    accepted: Accepted | None


def judge(evidence: Evidence) -> tuple[Verdict | None, Report]:
    """Decide over a downloaded file. Without a verdict nothing of it may be used.

    Returns:
        The verdict, or None and the findings that say why not; a verdict may come with warnings.
    """
    report = Report()
    entry, accepted = evidence.entry, None
    if evidence.signed is None:
        report.extend(judge_unsigned(entry, evidence.trust, path=evidence.path))
    else:
        accepted, found = judge_signatures(
            entry.keys,
            evidence.signatures,
            evidence.certificates,
            evidence.signed,
            evidence.now,
            path=evidence.path,
        )
        report.extend(found)
    # A signature over the file itself needs no checksum; what is there must agree all the same.
    if evidence.sums is not None or evidence.signed != "iso":
        report.extend(
            judge_digest(
                evidence.sums, entry.listed_name(evidence.release), evidence.received, path=evidence.path
            )
        )
    locked = evidence.locked
    report.extend(judge_history(evidence.request, evidence.release, accepted, locked, path=evidence.path))
    if (
        not evidence.updating
        and locked is not None
        and locked.release == evidence.release
        and locked.download is not None
    ):
        report.extend(judge_locked(evidence.image, evidence.received, locked.download, path=evidence.path))
    if report.has_errors:
        return None, report
    return Verdict("checksum" if accepted is None else "signature", accepted), report


def judge_digest(sums: Sums | None, name: str, received: Digests, *, path: Path) -> Report:
    """Compare a file with the checksum file (VK-J09, VK-J10).

    Args:
        sums: the checksum file, or None if there is none.
        name: the name under which the file should be listed.
        received: the file.
        path: the image's place in the fleet file.
    """
    report = Report()
    if sums is None or name not in sums.digests:
        there = "there is no checksum file" if sums is None else _not_listed(sums, name)
        report.add(
            codes.NOT_LISTED.finding(
                there,
                "Try another mirror; if names have changed there, correct the catalog entry.",
                path=path,
            )
        )
        return report
    actual = received.sha256 if sums.algorithm == "sha256" else received.sha512
    if actual is None:
        raise ValueError("the checksum file needs SHA-512, which was not computed")
    stated = sums.digests[name]
    if not hmac.compare_digest(stated, actual):
        report.add(
            codes.WRONG_DIGEST.finding(
                f"{name} ({received.size} bytes) has {sums.algorithm} {actual}, but {stated} is stated",
                "Fetch it again; if that does not help, try another mirror.",
                path=path,
            )
        )
    return report


def _not_listed(sums: Sums, name: str) -> str:
    names = sorted(sums.digests)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"`{name}` is not listed; the checksum file lists {', '.join(names[:5])}{more}"


def judge_history(
    request: str, release: str, accepted: Accepted | None, locked: LockEntry | None, *, path: Path
) -> Report:
    """Refuse to go back behind the lock (VK-J11, VK-J12).

    A request that names one release, or no longer fits the locked one, is the user's own decision.
    """
    report = Report()
    if locked is None or request == release or not matches(request, locked.release):
        return report
    if is_newer(locked.release, release):
        report.add(
            codes.ROLLBACK_RELEASE.finding(
                f"`{request}` was {locked.release} when it was locked, and would be {release} now",
                f"Try another mirror, or write `release: {release}` if you want the older one.",
                path=path,
            )
        )
    if accepted is not None and locked.signed is not None and accepted.signed < locked.signed:
        report.add(
            codes.ROLLBACK_DATE.finding(
                f"the signature was made {shown_time(accepted.signed)} by {accepted.signer}; "
                f"fleet.lock has seen one of {shown_time(locked.signed)}",
                "Try another mirror: this one presents an old state.",
                path=path,
            )
        )
    return report


def judge_locked(image: str, actual: Digests, pinned: Digests, *, path: Path) -> Report:
    """Compare a file with what the lock pins (VK-J15).

    Args:
        image: the image's name in the fleet file.
        actual: the file.
        pinned: `LockEntry.image` for an image, `LockEntry.download` for what was fetched.
        path: the image's place in the fleet file.
    """
    report = Report()
    problems = []
    if actual.size != pinned.size:
        problems.append(f"{actual.size} bytes where {pinned.size} are locked")
    if not hmac.compare_digest(actual.sha256, pinned.sha256):
        problems.append(f"SHA-256 {actual.sha256} where {pinned.sha256} is locked")
    if actual.sha512 and pinned.sha512 and not hmac.compare_digest(actual.sha512, pinned.sha512):
        problems.append(f"SHA-512 {actual.sha512} where {pinned.sha512} is locked")
    if problems:
        report.add(
            codes.OTHER_THAN_LOCKED.finding(
                f"{image} has {' and '.join(problems)}",
                f"Remove the file and fetch again; if the vendor replaced it, run `ventoy-kit fetch --update {image}`.",
                path=path,
            )
        )
    return report


def unverified(file: str, why: str, *, path: Path) -> Finding:
    """The mark of a local file that nothing proves (VK-J18).

    Args:
        file: the file, as the user named it.
        why: what is missing, such as `no checksum file lies beside it`.
        path: the image's place in the fleet file.
    """
    return codes.UNVERIFIED.finding(
        f"{file} is not verified: {why}",
        "Put the vendor's checksum file and signature beside it, or name a release in the place of `path:`.",
        path=path,
    )


def judge_release(title: str, wanted: str, told: str | None, *, path: Path) -> Report:
    """Compare the release that was fetched with what the image says of itself (VK-J17).

    Args:
        title: the image, for people.
        wanted: the release as fetched, such as `9.1-1` or `13.2.0`.
        told: the image's own statement, build included, or None if it makes none.
        path: the image's place in the fleet file.
    """
    report = Report()
    if told is not None and not (matches(told, wanted) or matches(wanted, told)):
        report.add(
            codes.OTHER_RELEASE.finding(
                f"the file was fetched as {title} {wanted}, but says it is {told}",
                "Try another mirror: this one serves an old image under a new name.",
                path=path,
            )
        )
    return report
