"""Signatures through pysequoia: made here with every date and hash, real ones of the Debian archive, and other tools."""

from __future__ import annotations

import bz2
import re
import resource
import subprocess
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysequoia
import pytest

from tests.support.pgp import Key, _packet, armour
from ventoy_kit.edge.openpgp import (
    MAX_SIGNATURE_FILE,
    primary_fingerprint,
    read_certificate,
    read_signatures,
    split_certificates,
)
from ventoy_kit.errors import StorageError

CATALOG_KEYS = Path(__file__).parents[2] / "catalog" / "keys"
ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT_LISTS = Path("/var/lib/apt/lists")

MADE, EARLIER, LATER = (datetime(year, 3, 1, 12, tzinfo=UTC) for year in (2024, 2020, 2025))
VENDOR = Key("Vendor <vendor@example.org>", EARLIER, EARLIER)
OTHER = Key("Somebody <other@example.org>", EARLIER)
CERTIFICATE = VENDOR.certificate()
CONTENT = b"0123abcd  image.iso\n" * 50


def test_a_good_signature_names_the_primary_key_that_made_it() -> None:
    for data in (VENDOR.sign(CONTENT, MADE), armour(VENDOR.sign(CONTENT, MADE))):
        (facts,) = read_signatures(CONTENT, data, [CERTIFICATE])
        assert facts.verified
        assert facts.signer == facts.issuer == VENDOR.fingerprint
        assert facts.issuer_key_id == VENDOR.fingerprint[-16:]
        assert (facts.hash, facts.kind, facts.created, facts.error) == ("SHA-512", "binary", MADE, None)


def test_a_signature_by_a_subkey_counts_for_its_primary_key() -> None:
    (facts,) = read_signatures(CONTENT, VENDOR.sign(CONTENT, MADE, subkey=True), [CERTIFICATE])
    assert facts.verified
    assert facts.signer == VENDOR.fingerprint
    assert facts.issuer == VENDOR.subkey_fingerprint


def test_old_signatures_name_a_key_id_only_and_a_nameless_one_cannot_be_verified() -> None:
    (facts,) = read_signatures(CONTENT, VENDOR.sign(CONTENT, MADE, issuer="id"), [CERTIFICATE])
    assert facts.verified
    assert facts.issuer is None
    (facts,) = read_signatures(CONTENT, VENDOR.sign(CONTENT, MADE, issuer="none"), [CERTIFICATE])
    assert not facts.verified


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("armoured", ["no", "one block", "two blocks"])
def test_of_two_signatures_the_one_by_a_known_key_is_found(order: int, armoured: str) -> None:
    packets = [VENDOR.sign(CONTENT, MADE), OTHER.sign(CONTENT, MADE)]
    if order:
        packets.reverse()
    data = {
        "no": b"".join(packets),
        "one block": armour(b"".join(packets)),
        "two blocks": b"".join(map(armour, packets)),
    }[armoured]
    facts = read_signatures(CONTENT, data, [CERTIFICATE])
    assert [f.verified for f in facts] == ([False, True] if order else [True, False])
    assert {f.issuer for f in facts} == {VENDOR.fingerprint, OTHER.fingerprint}
    both = read_signatures(CONTENT, data, [CERTIFICATE, OTHER.certificate()])
    assert [f.signer for f in both] == [f.issuer for f in facts]


def test_every_flipped_byte_of_the_content_is_noticed() -> None:
    content, signature = b"short content", VENDOR.sign(b"short content", MADE)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x20
        (facts,) = read_signatures(bytes(changed), signature, [CERTIFICATE])
        assert not facts.verified
        assert facts.signer is None
        assert facts.error == "Signature verification failed: no valid signatures found."


def test_a_damaged_signature_never_verifies_but_where_nothing_signed_was_changed() -> None:
    signature = VENDOR.sign(CONTENT, MADE)
    # The second key id lies outside of what is hashed, and the two octets behind are a hint only (RFC 9580, 5.2.3).
    unhashed = signature.rindex(bytes.fromhex(VENDOR.fingerprint[-16:]))
    free = range(unhashed - 4, unhashed + 10)
    for place in range(len(signature)):
        if place in free:
            continue
        changed = bytearray(signature)
        changed[place] ^= 1
        assert not any(f.verified for f in read_signatures(CONTENT, bytes(changed), [CERTIFICATE])), place


@pytest.mark.parametrize(
    ("signature", "certificate"),
    [
        pytest.param(VENDOR.sign(CONTENT + b"x", MADE), CERTIFICATE, id="other content"),
        pytest.param(OTHER.sign(CONTENT, MADE), CERTIFICATE, id="unknown key"),
        pytest.param(VENDOR.sign(CONTENT, MADE, digest="sha1"), CERTIFICATE, id="SHA-1"),
        pytest.param(VENDOR.sign(CONTENT, MADE, digest="md5"), CERTIFICATE, id="MD5"),
        pytest.param(
            VENDOR.sign(CONTENT, LATER), VENDOR.certificate(expires=MADE), id="after the key's expiry"
        ),
        pytest.param(VENDOR.sign(CONTENT, MADE), VENDOR.certificate(revoked=LATER), id="revoked"),
        pytest.param(VENDOR.sign(CONTENT, datetime(2100, 1, 1, tzinfo=UTC)), CERTIFICATE, id="future"),
        pytest.param(VENDOR.sign(CONTENT, EARLIER - timedelta(1)), CERTIFICATE, id="before the key"),
    ],
)
def test_what_must_not_verify_does_not(signature: bytes, certificate: bytes) -> None:
    facts = read_signatures(CONTENT, signature, [certificate])
    assert len(facts) == 1
    assert not facts[0].verified
    assert facts[0].error


def test_a_signature_stays_good_when_its_key_expires_later() -> None:
    (facts,) = read_signatures(CONTENT, VENDOR.sign(CONTENT, MADE), [VENDOR.certificate(expires=LATER)])
    assert facts.verified


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"<!DOCTYPE html><html>Not found</html>", b"\x80", b"\xc2", bytes(range(256)), b"\xff" * 40],
)
def test_what_is_no_signature_file_gives_no_signatures(data: bytes) -> None:
    assert read_signatures(CONTENT, data, [CERTIFICATE]) == ()


def test_a_cut_or_overlong_signature_file_gives_no_signatures() -> None:
    signature = VENDOR.sign(CONTENT, MADE)
    for length in range(len(signature)):
        assert read_signatures(CONTENT, signature[:length], [CERTIFICATE]) == ()
    assert read_signatures(CONTENT, signature + b"x", [CERTIFICATE]) == ()
    assert (
        read_signatures(CONTENT, signature * (MAX_SIGNATURE_FILE // len(signature) + 1), [CERTIFICATE]) == ()
    )
    assert len(read_signatures(CONTENT, signature * 100, [CERTIFICATE])) == 16


def test_a_compressed_packet_is_not_unfolded() -> None:
    """300 MiB of zeros in a few kilobytes: pysequoia's own packet parser takes 400 MiB of memory for it."""
    zeros = _packet(11, b"b\0\0\0\0\0" + bytes(100 << 20))
    deflate = zlib.compressobj(9, wbits=-15)
    bomb = _packet(8, b"\x01" + deflate.compress(zeros) + deflate.flush())[:MAX_SIGNATURE_FILE]
    small = _packet(8, b"\x03" + bz2.compress(zeros))
    del zeros
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for data in (bomb, small, VENDOR.sign(CONTENT, MADE) + small):
        assert all(f.verified for f in read_signatures(CONTENT, data, [CERTIFICATE]))
        assert split_certificates(data) == ()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 0.5


def test_a_file_is_verified_in_place(tmp_path: Path) -> None:
    path = tmp_path / "image.iso"
    path.write_bytes(CONTENT * 1000)
    signature = VENDOR.sign(CONTENT * 1000, MADE)
    assert read_signatures(path, signature, [CERTIFICATE])[0].verified
    with path.open("r+b") as file:
        file.seek(7000)
        file.write(b"!")
    assert not read_signatures(path, signature, [CERTIFICATE])[0].verified
    with pytest.raises(StorageError, match=r"image\.gone cannot be read"):
        read_signatures(tmp_path / "image.gone", signature, [CERTIFICATE])


def test_certificates_are_read() -> None:
    facts = read_certificate(armour(VENDOR.certificate(expires=LATER), "PUBLIC KEY BLOCK"))
    assert facts.fingerprint == VENDOR.fingerprint
    assert facts.keys == (VENDOR.fingerprint, VENDOR.subkey_fingerprint)
    assert (facts.created, facts.expires, facts.revoked) == (EARLIER, LATER, False)
    assert read_certificate(VENDOR.certificate(revoked=LATER)).revoked
    assert read_certificate(OTHER.certificate()).expires is None


def test_only_a_whole_single_certificate_has_a_fingerprint() -> None:
    both = CERTIFICATE + OTHER.certificate()
    assert primary_fingerprint(CERTIFICATE) == VENDOR.fingerprint
    assert primary_fingerprint(both) is None
    assert [primary_fingerprint(c) for c in split_certificates(both)] == [
        VENDOR.fingerprint,
        OTHER.fingerprint,
    ]
    for broken in (b"", b"<html>", CERTIFICATE[:-1], VENDOR.sign(CONTENT, MADE), CERTIFICATE + b"\0"):
        assert primary_fingerprint(broken) is None
    # A cut certificate is none, wherever it is cut: what is missing could be a revocation.
    revoked = VENDOR.certificate(revoked=LATER)
    for length in range(len(revoked)):
        for cut in split_certificates(revoked[:length]):
            assert primary_fingerprint(cut) is None or read_certificate(cut).revoked


def test_a_certificate_that_its_owner_signed_with_sha_1_cannot_be_used() -> None:
    weak = VENDOR.certificate(digest="sha1")
    assert primary_fingerprint(weak) is None
    with pytest.raises(ValueError, match="cannot be used"):
        read_certificate(weak)
    with pytest.raises(ValueError, match="cannot be used"):
        read_signatures(CONTENT, VENDOR.sign(CONTENT, MADE), [weak])


def test_a_secret_key_is_no_certificate() -> None:
    secret = bytes(pysequoia.Tsk.generate("Test <test@example.org>"))
    assert split_certificates(secret) == ()
    with pytest.raises(ValueError, match="0 OpenPGP certificates"):
        read_signatures(CONTENT, VENDOR.sign(CONTENT, MADE), [secret])


def test_keys_made_by_the_library_itself_work_too() -> None:
    tsk = pysequoia.Tsk.generate("Test <test@example.org>")
    signature = pysequoia.sign(tsk.signer(), CONTENT, mode=pysequoia.SignatureMode.DETACHED)
    (facts,) = read_signatures(CONTENT, signature, [bytes(tsk.extract_certificate())])
    assert facts.verified
    assert facts.signer == tsk.extract_certificate().fingerprint.upper()


def _clear_signed() -> list[Path]:
    return sorted(p for p in APT_LISTS.glob("*InRelease") if b"BEGIN PGP SIGNED" in p.read_bytes()[:40])


def _split_clear_signed(data: bytes) -> tuple[bytes, bytes]:
    """The signed text and the signature of a clear-signed file (RFC 9580, section 7)."""
    match = re.fullmatch(
        rb"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [^\n]*\n)*\n(.*)\n(-----BEGIN PGP SIGNATURE-----\n.*)",
        data,
        re.DOTALL,
    )
    assert match is not None
    lines = [line.removeprefix(b"- ").rstrip(b" \t") for line in match[1].split(b"\n")]
    return b"\n".join(lines), match[2]


@pytest.mark.skipif(not ARCHIVE_KEYRING.exists(), reason="needs the Debian archive keyring")
@pytest.mark.skipif(
    not _clear_signed(), reason="needs signed index files of the Debian archive (apt-get update)"
)
def test_the_debian_archive_s_own_signatures_verify_and_a_changed_byte_is_noticed() -> None:
    certificates = split_certificates(ARCHIVE_KEYRING.read_bytes())
    assert len(certificates) >= 3
    fingerprints = {primary_fingerprint(certificate) for certificate in certificates}
    for path in _clear_signed():
        text, signature = _split_clear_signed(path.read_bytes())
        facts = read_signatures(text, signature, certificates)
        good = [f for f in facts if f.verified]
        assert good, path.name
        assert all(f.signer in fingerprints and f.kind == "text" for f in good)
        assert all(f.hash in ("SHA-256", "SHA-512") for f in good)
        changed = bytearray(text)
        changed[len(text) // 2] ^= 1
        assert not any(f.verified for f in read_signatures(bytes(changed), signature, certificates))
        assert not any(f.verified for f in read_signatures(text, signature, [CERTIFICATE]))


@pytest.mark.skipif(
    not list(APT_LISTS.glob("*_Release.gpg")), reason="apt has no archive with a detached Release.gpg"
)
def test_detached_signatures_of_an_archive_verify() -> None:
    certificates = split_certificates(ARCHIVE_KEYRING.read_bytes())
    for path in APT_LISTS.glob("*_Release.gpg"):
        release = path.with_suffix("")
        assert any(f.verified for f in read_signatures(release, path.read_bytes(), certificates))


def test_the_shipped_certificates_are_whole_alone_and_not_expired() -> None:
    files = sorted(CATALOG_KEYS.glob("*.asc"))
    assert files
    for file in files:
        facts = read_certificate(file.read_bytes())
        assert file.stem == facts.fingerprint
        assert not facts.revoked
        assert facts.expires is None or facts.expires > datetime.now(UTC) + timedelta(days=180)


@pytest.mark.needs_package("debian-keyring")
def test_the_debian_certificate_is_the_one_of_the_package(package_root) -> None:
    keyrings = package_root("debian-keyring") / "usr/share/keyrings"
    packaged = split_certificates(next(keyrings.glob("debian-role-keys.*")).read_bytes())
    (shipped,) = split_certificates((CATALOG_KEYS / f"{DEBIAN_CD}.asc").read_bytes())
    assert shipped in packaged


DEBIAN_CD = "DF9B9C49EAA9298432589D76DA87E80D6294BE9B"

CASES = {
    "good": (VENDOR.sign(CONTENT, MADE), CERTIFICATE),
    "subkey": (VENDOR.sign(CONTENT, MADE, subkey=True), CERTIFICATE),
    "key id only": (VENDOR.sign(CONTENT, MADE, issuer="id"), CERTIFICATE),
    "SHA-256": (VENDOR.sign(CONTENT, MADE, digest="sha256"), CERTIFICATE),
    "two, known first": (VENDOR.sign(CONTENT, MADE) + OTHER.sign(CONTENT, MADE), CERTIFICATE),
    "two, known last": (OTHER.sign(CONTENT, MADE) + VENDOR.sign(CONTENT, MADE), CERTIFICATE),
    "expired later": (VENDOR.sign(CONTENT, MADE), VENDOR.certificate(expires=LATER)),
    "after expiry": (VENDOR.sign(CONTENT, LATER), VENDOR.certificate(expires=MADE)),
    "revoked": (VENDOR.sign(CONTENT, MADE), VENDOR.certificate(revoked=LATER)),
    "unknown": (OTHER.sign(CONTENT, MADE), CERTIFICATE),
    "SHA-1": (VENDOR.sign(CONTENT, MADE, digest="sha1"), CERTIFICATE),
    "other content": (VENDOR.sign(b"other", MADE), CERTIFICATE),
    "future": (VENDOR.sign(CONTENT, datetime(2100, 1, 1, tzinfo=UTC)), CERTIFICATE),
}


@pytest.mark.needs_tool("sqv")
@pytest.mark.parametrize("case", CASES)
def test_sqv_agrees(case: str, tmp_path: Path) -> None:
    signature, certificate = CASES[case]
    signer = next((f.signer for f in read_signatures(CONTENT, signature, [certificate]) if f.verified), None)
    for name, data in (("sig", signature), ("cert", certificate), ("content", CONTENT)):
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        ["sqv", "--keyring", "cert", "sig", "content"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode == 0) == (signer is not None), done.stderr
    assert done.stdout.split() == ([signer] if signer else [])


@pytest.mark.needs_tool("gpgv")
@pytest.mark.parametrize("case", CASES)
def test_gpgv_accepts_all_that_we_accept(case: str, tmp_path: Path) -> None:
    """The other way round does not hold: gpgv believes SHA-1, revoked keys and the future (see its manual)."""
    signature, certificate = CASES[case]
    accepted = any(f.verified for f in read_signatures(CONTENT, signature, [certificate]))
    for name, data in (("sig", signature), ("cert", certificate), ("content", CONTENT)):
        (tmp_path / name).write_bytes(data)
    argv = [
        "gpgv",
        "--homedir",
        str(tmp_path),
        "--status-fd",
        "1",
        "--keyring",
        str(tmp_path / "cert"),
        "sig",
        "content",
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    valid = {line.split()[-1] for line in done.stdout.splitlines() if line.startswith("[GNUPG:] VALIDSIG")}
    if accepted:
        assert valid == {VENDOR.fingerprint}
    if case in ("unknown", "other content"):
        assert not valid
