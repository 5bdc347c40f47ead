"""Who is believed: every refusal has its own finding, which says what was inspected. Signatures here are real ones."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.images.entries import entry
from tests.support.pgp import Key as PgpKey
from ventoy_kit.edge.openpgp import read_certificate, read_signatures
from ventoy_kit.images import trust_codes as codes
from ventoy_kit.images.authority import Accepted, judge_certificate, judge_signatures
from ventoy_kit.images.catalog import Key
from ventoy_kit.images.lock import Digests, LockEntry, LockInput
from ventoy_kit.images.sums import Sums, parse_sums
from ventoy_kit.images.trust import Evidence, Verdict, judge, judge_locked, judge_release, unverified
from ventoy_kit.report import Path, Report, Rule, Severity

BORN, MADE, LATER, NOW = (datetime(year, 3, 1, 12, tzinfo=UTC) for year in (2020, 2024, 2025, 2026))
VENDOR = PgpKey("Vendor <vendor@example.org>", BORN, BORN)
OTHER = PgpKey("Somebody <other@example.org>", BORN)
PATH: Path = ("images", "example")
ISO = b"an installer image\n" * 100
DIGEST = hashlib.sha256(ISO).hexdigest()
SUMS = f"{DIGEST}  example-1.5.iso\n{'0' * 64}  example-1.4.iso\n".encode()
RECEIVED = Digests(len(ISO), DIGEST, hashlib.sha512(ISO).hexdigest())


def pin(key: PgpKey) -> Key:
    return Key(fingerprint=key.fingerprint, name=key.name, url="https://example.org/key", origin="made here")


ENTRY = entry(keys=[pin(VENDOR).model_dump()])
LOCKED = LockEntry(
    catalog="example",
    release="1.5",
    file="example-1.5.iso",
    size=len(ISO),
    sha256=DIGEST,
    origin="vendor",
    verified="signature",
    signer=VENDOR.fingerprint,
    signed=MADE,
    urls=("https://a.example.org/1.5/example-1.5.iso",),
)


def sums(data: bytes = SUMS) -> Sums:
    parsed, report = parse_sums(data, layout="gnu", algorithm="sha256", file="SHA256SUMS")
    assert parsed is not None, [f.message for f in report]
    return parsed


def evidence(
    signature: bytes | None = None, *, certificate: bytes | None = None, content: bytes = SUMS, **changes
) -> Evidence:
    """A download of release 1.5 that is right in every way, but for what is changed."""
    signature = VENDOR.sign(SUMS, MADE) if signature is None else signature
    certificate = VENDOR.certificate() if certificate is None else certificate
    whole = Evidence(
        image="example",
        entry=ENTRY,
        request="1",
        release="1.5",
        received=RECEIVED,
        signed="checksums",
        signatures=read_signatures(content, signature, [certificate]),
        certificates=(read_certificate(certificate),),
        sums=sums(content),
        locked=None,
        trust="signature",
        updating=False,
        now=NOW,
        path=PATH,
    )
    return replace(whole, **changes)


def refused(what: Evidence, rule: Rule) -> str:
    verdict, report = judge(what)
    assert verdict is None
    assert report.has_errors
    finding = next((f for f in report if f.rule is rule), None)
    assert finding is not None, [(f.rule.code, f.message) for f in report]
    assert finding.path == PATH
    assert finding.remedy
    return finding.message


def test_what_is_signed_and_right_is_believed() -> None:
    verdict, report = judge(evidence())
    assert not len(report)
    assert verdict == Verdict("signature", Accepted(VENDOR.fingerprint, MADE, "SHA-512"))


def test_a_subkey_counts_for_its_primary_key() -> None:
    verdict, _ = judge(evidence(VENDOR.sign(SUMS, MADE, subkey=True)))
    assert verdict is not None
    assert verdict.accepted is not None
    assert verdict.accepted.signer == VENDOR.fingerprint


def test_of_two_signatures_one_by_a_pinned_key_is_enough_and_the_newest_counts() -> None:
    for data in (
        VENDOR.sign(SUMS, MADE) + OTHER.sign(SUMS, LATER),
        OTHER.sign(SUMS, LATER) + VENDOR.sign(SUMS, MADE),
    ):
        verdict, report = judge(evidence(data))
        assert verdict is not None
        assert verdict.accepted == Accepted(VENDOR.fingerprint, MADE, "SHA-512")
        assert not len(report)
    verdict, _ = judge(evidence(VENDOR.sign(SUMS, LATER, digest="sha256") + VENDOR.sign(SUMS, MADE)))
    assert verdict is not None
    assert verdict.accepted == Accepted(VENDOR.fingerprint, LATER, "SHA-256")


@pytest.mark.parametrize(
    "content", [SUMS.replace(b"0", b"1", 1), SUMS[:-40], SUMS + SUMS.replace(b".4.", b".6.")]
)
def test_a_changed_checksum_file_is_refused(content: bytes) -> None:
    try:
        what = evidence(content=content)
    except (
        AssertionError
    ):  # cut in the middle of a line: the parser refuses it before anybody asks for a signature
        return
    message = refused(what, codes.OTHER_CONTENT)
    assert VENDOR.fingerprint in message
    assert "SHA-512, 2024-03-01 12:00:00 UTC" in message
    assert "gives no nearer cause: Signature verification failed: no valid signatures found." in message


def test_a_flipped_byte_and_other_lengths_of_the_image_are_refused() -> None:
    for data in (ISO[:-1] + b"!", ISO[:-1], ISO + b"x", b"<html>error</html>"):
        received = Digests(len(data), hashlib.sha256(data).hexdigest())
        message = refused(evidence(received=received), codes.WRONG_DIGEST)
        assert DIGEST in message
        assert received.sha256 in message
        assert f"{len(data)} bytes" in message


def test_unsigned_checksums_are_refused() -> None:
    for junk in (b"", b"<html>404</html>", SUMS):
        assert "holds none" in refused(evidence(junk), codes.NO_SIGNATURE)
    assert "the server has none" in refused(evidence(signed=None, signatures=()), codes.NO_SIGNATURE)


def test_an_unknown_signer_is_refused_and_named() -> None:
    message = refused(evidence(OTHER.sign(SUMS, MADE)), codes.UNKNOWN_SIGNER)
    assert OTHER.fingerprint in message
    assert f"pinned: {VENDOR.fingerprint}" in message
    assert "nobody named" in refused(evidence(VENDOR.sign(SUMS, MADE, issuer="none")), codes.UNKNOWN_SIGNER)


def test_a_key_that_is_known_but_not_pinned_counts_for_nothing() -> None:
    certificate = OTHER.certificate()
    what = evidence(OTHER.sign(SUMS, MADE), certificate=certificate)
    assert what.signatures[0].verified
    message = refused(what, codes.NO_CERTIFICATE)
    assert OTHER.fingerprint in message
    facts = (read_certificate(VENDOR.certificate()), read_certificate(certificate))
    refused(replace(what, certificates=facts), codes.UNKNOWN_SIGNER)


def test_a_missing_certificate_is_told_apart_from_an_unknown_key() -> None:
    message = refused(
        evidence(certificates=(), signatures=read_signatures(SUMS, VENDOR.sign(SUMS, MADE), [])),
        codes.NO_CERTIFICATE,
    )
    assert VENDOR.fingerprint in message


def test_a_signature_made_after_the_key_s_expiry_is_refused_and_an_earlier_one_stays_good() -> None:
    message = refused(
        evidence(VENDOR.sign(SUMS, LATER), certificate=VENDOR.certificate(expires=MADE)), codes.AFTER_EXPIRY
    )
    assert "2025-03-01 12:00:00 UTC" in message
    assert "expired on 2024-03-01 12:00:00 UTC" in message
    verdict, _ = judge(evidence(certificate=VENDOR.certificate(expires=LATER)))
    assert verdict is not None


def test_a_revoked_key_is_refused_whatever_the_date() -> None:
    for revoked in (BORN + timedelta(1), LATER):
        assert "has revoked" in refused(
            evidence(certificate=VENDOR.certificate(revoked=revoked)), codes.REVOKED
        )


@pytest.mark.parametrize(("digest", "name"), [("sha1", "SHA-1"), ("md5", "MD5"), ("sha224", "SHA-224")])
def test_weak_hashes_are_refused_by_name(digest: str, name: str) -> None:
    assert f"uses {name}" in refused(evidence(VENDOR.sign(SUMS, MADE, digest=digest)), codes.WEAK_HASH)


def test_weak_hashes_are_refused_even_if_the_library_would_take_them() -> None:
    good = evidence().signatures[0]
    refused(evidence(signatures=(replace(good, hash="SHA-1"),)), codes.WEAK_HASH)


def test_signatures_from_the_future_are_refused_with_both_times() -> None:
    message = refused(evidence(VENDOR.sign(SUMS, LATER), now=LATER - timedelta(hours=1)), codes.FROM_FUTURE)
    assert "2025-03-01 12:00:00 UTC" in message
    assert "2025-03-01 11:00:00 UTC" in message
    verdict, _ = judge(evidence(VENDOR.sign(SUMS, LATER), now=LATER - timedelta(minutes=20)))
    assert verdict is not None


def test_a_signature_of_other_content_is_refused() -> None:
    refused(evidence(VENDOR.sign(b"something else", MADE)), codes.OTHER_CONTENT)


def test_an_image_needs_a_signature_over_its_exact_bytes() -> None:
    def signed_iso(signature: bytes, **changes) -> Evidence:
        facts = read_signatures(ISO, signature, [VENDOR.certificate()])
        return evidence(signed="iso", signatures=facts, **changes)

    for listed in (sums(), None):
        verdict, report = judge(signed_iso(VENDOR.sign(ISO, MADE), sums=listed))
        assert verdict is not None
        assert not len(report)
    refused(signed_iso(VENDOR.sign(ISO, MADE, text=True)), codes.WRONG_KIND)
    # The checksum file needs no signature then, but must not contradict.
    other = sums(f"{'0' * 64}  example-1.5.iso\n".encode())
    refused(signed_iso(VENDOR.sign(ISO, MADE), sums=other), codes.WRONG_DIGEST)
    verdict, _ = judge(evidence(VENDOR.sign(SUMS, MADE, text=True)))
    assert verdict is not None, "a checksum file is read as lines"


def test_a_signature_over_the_image_does_not_stand_for_the_checksums() -> None:
    facts = read_signatures(ISO, VENDOR.sign(ISO, MADE), [VENDOR.certificate()])
    refused(evidence(signed="checksums", signatures=facts, sums=None), codes.NOT_LISTED)


def test_an_image_that_is_not_listed_is_refused() -> None:
    message = refused(evidence(release="1.6"), codes.NOT_LISTED)
    assert (
        "`example-1.6.iso` is not listed; the checksum file lists example-1.4.iso, example-1.5.iso" in message
    )
    assert "there is no checksum file" in refused(evidence(sums=None), codes.NOT_LISTED)


def test_a_lock_is_not_rolled_back_by_an_older_signature() -> None:
    locked = LOCKED.model_copy(update={"signed": LATER})
    message = refused(evidence(locked=locked), codes.ROLLBACK_DATE)
    assert "2024-03-01" in message
    assert "2025-03-01" in message
    refused(evidence(locked=locked, updating=True), codes.ROLLBACK_DATE)
    for allowed in ({"request": "1.5"}, {"locked": LOCKED}):
        verdict, report = judge(evidence(**({"locked": locked} | allowed)))
        assert verdict is not None, [f.message for f in report]


def test_a_lock_is_not_rolled_back_to_an_older_release() -> None:
    locked = LOCKED.model_copy(update={"release": "1.10"})
    message = refused(evidence(locked=locked), codes.ROLLBACK_RELEASE)
    assert "was 1.10 when it was locked, and would be 1.5 now" in message
    refused(evidence(locked=locked, request="latest"), codes.ROLLBACK_RELEASE)
    # Another series, or that very release by name, is the user's own decision.
    for allowed in ({"request": "1.5"}, {"locked": LOCKED.model_copy(update={"release": "2.0"})}):
        verdict, _ = judge(evidence(**({"locked": locked} | allowed)))
        assert verdict is not None


UNSIGNED = entry(signed=False)


def test_checksums_alone_need_the_user_s_word_and_are_marked() -> None:
    bare = evidence(entry=UNSIGNED, signed=None, signatures=(), certificates=())
    assert "signs nothing" in refused(bare, codes.CHECKSUM_REFUSED)
    verdict, report = judge(replace(bare, trust="checksum"))
    assert verdict == Verdict("checksum", None)
    (warning,) = report
    assert warning.rule is codes.CHECKSUM_USED
    assert warning.severity is Severity.WARNING
    wrong = replace(bare, trust="checksum", received=Digests(3, "0" * 64))
    refused(wrong, codes.WRONG_DIGEST)
    refused(replace(bare, trust="checksum", sums=None), codes.NOT_LISTED)


def test_the_user_s_word_never_outweighs_a_bad_signature() -> None:
    refused(evidence(OTHER.sign(SUMS, MADE), trust="checksum"), codes.UNKNOWN_SIGNER)
    refused(evidence(b"junk", trust="checksum"), codes.NO_SIGNATURE)
    verdict, report = judge(evidence(signed=None, signatures=(), trust="checksum"))
    assert verdict == Verdict("checksum", None)
    assert "could not be had" in report.findings[0].message


def test_all_that_is_wrong_is_told_at_once() -> None:
    what = evidence(
        OTHER.sign(SUMS, MADE),
        received=Digests(3, "0" * 64),
        locked=LOCKED.model_copy(update={"release": "1.10"}),
    )
    _, report = judge(what)
    assert [f.rule for f in report] == [codes.UNKNOWN_SIGNER, codes.WRONG_DIGEST, codes.ROLLBACK_RELEASE]


def test_locked_bytes_are_compared() -> None:
    assert not len(judge_locked("example", RECEIVED, LOCKED.image, path=PATH))
    (finding,) = judge_locked("example", Digests(5, "1" * 64), LOCKED.image, path=PATH)
    assert finding.rule is codes.OTHER_THAN_LOCKED
    assert DIGEST in finding.message
    assert f"5 bytes where {len(ISO)} are locked" in finding.message
    assert "fetch --update example" in finding.remedy
    (finding,) = judge_locked("example", RECEIVED, replace(LOCKED.image, sha512="2" * 128), path=PATH)
    assert "SHA-512" in finding.message


def test_a_validly_signed_other_file_for_the_locked_release_is_refused() -> None:
    other = ISO + b"replaced\n"
    received = Digests(len(other), hashlib.sha256(other).hexdigest())
    listed = f"{received.sha256}  example-1.5.iso\n".encode()
    resigned = evidence(VENDOR.sign(listed, LATER), content=listed, received=received)
    assert judge(resigned)[0] is not None
    refused(replace(resigned, locked=LOCKED), codes.OTHER_THAN_LOCKED)
    assert judge(replace(resigned, locked=LOCKED, updating=True))[0] is not None


def test_for_an_unpacked_image_the_archive_is_compared() -> None:
    unpacked = LockEntry.model_validate(
        LOCKED.model_dump()
        | {
            "origin": "unpacked",
            "sha256": "5" * 64,
            "inputs": [{"file": "e.zip", "size": len(ISO), "sha256": DIGEST}],
        }
    )
    assert judge(evidence(locked=unpacked))[0] is not None
    wrong = unpacked.model_copy(update={"inputs": (LockInput(file="e.zip", size=1, sha256="6" * 64),)})
    refused(evidence(locked=wrong), codes.OTHER_THAN_LOCKED)


def test_a_local_file_is_marked() -> None:
    finding = unverified("my.iso", "no checksum file lies beside it", path=PATH)
    assert finding.severity is Severity.WARNING
    assert finding.message == "my.iso is not verified: no checksum file lies beside it"


def test_a_fetched_certificate_must_have_the_pinned_fingerprint() -> None:
    good, bad = read_certificate(VENDOR.certificate()), read_certificate(OTHER.certificate())
    assert not len(judge_certificate(pin(VENDOR), [good], path=PATH))
    assert not len(judge_certificate(pin(VENDOR), [bad, good], path=PATH))
    for found in ([], [bad], [good, good]):
        (finding,) = judge_certificate(pin(VENDOR), found, path=PATH)
        assert finding.rule is codes.NO_CERTIFICATE
        assert VENDOR.fingerprint in finding.message


@pytest.mark.parametrize(
    ("wanted", "told", "good"),
    [
        ("9.1-1", "9.1-1", True),
        ("9.1-1", "9.1", True),
        ("13.2.0", "13.2.0", True),
        ("9.2-1", "9.1-1", False),
        ("9.1-1", "9.1-2", False),
        ("8.10", "8.1", False),
        ("13.02", None, True),
    ],
)
def test_an_old_image_under_a_new_name_is_noticed(wanted: str, told: str | None, good: bool) -> None:
    report = judge_release("Example", wanted, told, path=PATH)
    assert [f.rule for f in report] == ([] if good else [codes.OTHER_RELEASE])


def test_signatures_are_judged_without_any_pinned_key_too() -> None:
    accepted, report = judge_signatures([], evidence().signatures, [], "checksums", NOW, path=PATH)
    assert accepted is None
    assert isinstance(report, Report)
    assert report.findings[0].rule is codes.UNKNOWN_SIGNER
