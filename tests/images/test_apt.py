"""What apt's files and outputs mean, and what an entry with a package may say."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.support.apt_archive import Archive
from ventoy_kit.images import apt
from ventoy_kit.images.apt import AptSource, Offer
from ventoy_kit.images.catalog import parse_catalog

SOURCE = AptSource.model_validate(
    {
        "recipe": "debian-netboot",
        "series": {"9": {"package": "aa", "suite": "stable"}, "12": {"package": "bb", "suite": "testing"}},
    }
)


@pytest.mark.parametrize(
    ("request_", "series"),
    [
        ("latest", "12"),
        ("12", "12"),
        ("12-2023-deb12u1", "12"),
        ("9", "9"),
        ("1", None),
        ("120", None),
        ("x", None),
    ],
)
def test_the_series_of_a_request(request_, series):
    assert SOURCE.series_of(request_) == series


def test_a_release_has_no_characters_that_ventoy_paths_may_not_hold():
    assert apt.release_name("13", "20250803+deb13u7~rc1") == "13-20250803-deb13u7-rc1"


def test_only_whole_stanzas_are_offers_and_a_path_becomes_a_name():
    good = f"Package: x\nVersion: 1\nFilename: pool/../../etc/x_1_all.deb\nSize: 5\nSHA256: {'a' * 64}\n"
    assert apt.offers([good]) == (Offer("1", "x_1_all.deb", 5, "a" * 64),)
    for old, new in (("Size: 5", "Size: -5"), ("a" * 64, "a" * 63), (".deb", ".exe"), ("SHA256", "MD5sum")):
        assert apt.offers([good.replace(old, new)]) == ()


CLEAR = (
    b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSuite: stable  \n- -dashed\n"
    b"-----BEGIN PGP SIGNATURE-----\n\nxx\n-----END PGP SIGNATURE-----\n"
)


def test_clear_signed_text_is_taken_apart():
    parts = apt.split_clear_signed(CLEAR)
    assert parts is not None
    assert parts[0] == b"Suite: stable\n-dashed"
    assert parts[1].startswith(b"-----BEGIN PGP SIGNATURE-----")


@pytest.mark.parametrize(
    "data", [b"", b"Suite: stable\n", b"before\n" + CLEAR, CLEAR.partition(b"-----BEGIN PGP SIGNATURE")[0]]
)
def test_what_is_not_clear_signed_as_a_whole_is_refused(data):
    assert apt.split_clear_signed(data) is None


def test_only_the_sha256_list_of_an_index_counts():
    text = f"Suite: stable\nCodename: trixie\nMD5Sum:\n {'b' * 32} 1 a\nSHA256:\n {'a' * 64} 7 main/P\nSHA512:\n {'c' * 64} 8 x\n"
    found = apt.read_release(text.encode())
    assert found.names == {"stable", "trixie"}
    assert found.files == {"main/P": ("a" * 64, 7)}


def test_archives_of_this_machine_are_those_of_the_same_origin_without_passwords():
    lines = [
        "Debian|Debian|main|http://mirror.example/debian/",
        "Debian|Debian|main|http://mirror.example/debian/",
        "Debian|Debian-Security|main|http://mirror.example/security/",
        "Debian|Debian|contrib|http://mirror.example/contrib/",
        "Ubuntu|Ubuntu|main|http://mirror.example/ubuntu/",
        "Debian|Debian|main|http://user:secret@mirror.example/debian/",
        "Debian|Debian|main|cdrom:[Debian]/",
        "broken",
    ]
    assert apt.host_archives("\n".join(lines), SOURCE) == ("http://mirror.example/debian/",)


def test_archives_are_asked_once_each():
    assert apt.in_order(["http://a/x/"], ["http://b/x", "http://a/x"]) == ("http://a/x", "http://b/x")


def test_of_the_machine_s_configuration_only_the_way_to_the_network_is_handed_on():
    host = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::Proxy::mirror.example "DIRECT";\n'
        'Acquire::https::CAInfo "/etc/ca.pem";\n'
        'Acquire::https::Verify-Peer "false";\n'
        'Acquire::AllowInsecureRepositories "true";\n'
        'APT::Get::AllowUnauthenticated "true";\n'
        'APT::Update::Post-Invoke:: "rm -rf /";\n'
        'Dir::Etc::trusted "/etc/apt/trusted.gpg";\n'
    )
    text = apt.configuration(PurePosixPath("/private root"), host, sandboxed=True)
    for line in host.splitlines()[:3]:
        assert line in text
    for word in ("Verify-Peer", "Post-Invoke", "/etc/apt", '"true";\nAPT::Get'):
        assert word not in text
    assert 'APT::Get::AllowUnauthenticated "false";' in text
    assert 'Acquire::AllowInsecureRepositories "false";' in text
    assert "Sandbox" not in text
    assert "Sandbox" in apt.configuration(PurePosixPath("/x"), "", sandboxed=False)


@pytest.mark.parametrize(
    ("code", "output", "answer"),
    [
        (0, "Get:1 x\nReading package lists...\n", "done"),
        (0, "W: Download is performed unsandboxed as root\n", "done"),
        (0, "W: Failed to fetch http://x  Could not resolve 'x'\n", "failed"),
        (100, "E: Failed to fetch http://x  Could not connect to x\n", "failed"),
        (100, "E: Write error - write (28: No space left on device)\n", "failed"),
        (0, "W: GPG error: http://x: NO_PUBKEY 0123\nE: The repository is not signed.\n", "refused"),
        (100, "E: Failed to fetch x  Hash Sum mismatch\n", "refused"),
        (100, "E: Release file for x is expired (invalid since 1d).\n", "refused"),
        (100, "E: The repository 'x' does not have a Release file.\n", "gone"),
        (100, "Err:1 http://x\n  404  Not Found\nE: Failed to fetch x  404  Not Found\n", "gone"),
        (100, "", "failed"),
    ],
)
def test_what_apt_s_answers_mean(code, output, answer):
    assert apt.answer_of(code, output) == answer


def test_a_reason_is_one_line_without_password():
    told = apt.reason_of(
        "Get:1\nW: Download is performed unsandboxed\nE: no http://u:secret@x/y\nE: no http://u:secret@x/y\n"
    )
    assert told == "no http://x/y"
    assert apt.reason_of("") == "it gave no reason"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "vendor"}, "go together"),
        ({"apt": None}, "go together"),
        ({"mirrors": ["https://example.org/"]}, "a package has no `mirrors`"),
        ({"checksums": {"at": "S", "format": "gnu", "algorithm": "sha256"}}, "a package has no `checksums`"),
        ({"keys": []}, "nothing could prove this image"),
    ],
)
def test_an_entry_with_a_package(tmp_path, changes, told):
    raw: dict[str, Any] = json.loads(Archive(tmp_path).entry()) | changes
    entries, report = parse_catalog({"x": ("x.yaml", json.dumps(raw))})
    assert not entries
    assert told in " ".join(f.message for f in report)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recipe": "other"}, "`other`"),
        ({"series": {}}, "needs a series"),
        ({"series": {"trixie": {"package": "aa", "suite": "stable"}}}, "`trixie` is no series"),
        ({"series": {"13": {"package": "a b", "suite": "stable"}}}, "`a b` is no name"),
        ({"mirrors": ["ftp://example.org/"]}, "no archive that apt reads"),
        ({"mirrors": ["http://example.org/ x"]}, "no archive that apt reads"),
        ({"mirrors": ["http://user@example.org/x"]}, "no archive that apt reads"),
        ({"mirrors": [], "host": False}, "needs a series and a mirror"),
    ],
)
def test_what_a_source_may_say(tmp_path, changes, told):
    raw: dict[str, Any] = json.loads(Archive(tmp_path).entry())
    raw["apt"] |= changes
    entries, report = parse_catalog({"x": ("x.yaml", json.dumps(raw))})
    assert not entries
    assert told in " ".join(f.message for f in report)
