"""Checksum files: three forms, strictly read."""

from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.sums import Sums, is_plain_label, parse_sums

A, B = "a" * 64, "b" * 64
LONG = "c" * 128


def read(text: str, layout="gnu", algorithm="sha256") -> dict[str, str]:
    sums, report = parse_sums(text.encode(), layout=layout, algorithm=algorithm, file="SUMS")
    assert sums is not None, [f.message for f in report]
    assert not len(report)
    return dict(sums.digests)


def refused(data: str | bytes, layout="gnu", algorithm="sha256"):
    raw = data.encode() if isinstance(data, str) else data
    sums, report = parse_sums(raw, layout=layout, algorithm=algorithm, file="SUMS")
    assert sums is None
    assert report.has_errors
    finding = report.findings[0]
    assert finding.place is not None
    assert finding.place.file == "SUMS"
    return finding


def test_gnu_lines_in_text_and_binary_mode() -> None:
    assert read(f"{A}  one.iso\n{B.upper()} *dir/two.iso\n\n# remark\n") == {"one.iso": A, "dir/two.iso": B}
    assert read(f"{A}  one.iso\r\n") == {"one.iso": A}
    assert read(f"{LONG}  one.iso", algorithm="sha512") == {"one.iso": LONG}


def test_bsd_lines_of_the_asked_algorithm() -> None:
    text = f"MD5 (one.iso) = {'1' * 32}\nSHA256 (one.iso) = {A}\nSHA512 (one.iso) = {LONG}\nBLAKE3 (one.iso) = {B}\n"
    assert read(text, "bsd") == {"one.iso": A}
    assert read(text, "bsd", "sha512") == {"one.iso": LONG}


def test_headed_blocks_keep_blake3_apart_though_it_looks_like_sha_256() -> None:
    text = (
        f"### MD5SUMS:\n{'1' * 32}  x.iso\n\n### SHA256SUMS:\n{A}  x.iso\n{B}  x.zip\n"
        f"### SHA512SUMS:\n{LONG}  x.iso\n### B3SUMS:\n{B}  x.iso\n"
    )
    assert read(text, "headed") == {"x.iso": A, "x.zip": B}
    assert read(text, "headed", "sha512") == {"x.iso": LONG}
    assert refused(f"### B3SUMS:\n{B}  x.iso\n", "headed").rule is codes.SUMS_EMPTY


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "..",
        "a//b",
        "~/x",
        "C:x",
        "a\\b",
        "x\x1b[2J",
        "x\tb",
        "a/",
        "x\x7f",
    ],
)
@pytest.mark.parametrize("layout", ["gnu", "bsd", "headed"])
def test_names_that_climb_or_hide_are_refused_and_shown_safely(name: str, layout: str) -> None:
    line = f"SHA256 ({name}) = {A}" if layout == "bsd" else f"{A}  {name}"
    finding = refused(
        ("### SHA256SUMS:\n" if layout == "headed" else "") + line + f"\n{B}  fine.iso\n", layout
    )
    assert finding.rule in (codes.SUMS_NAME, codes.SUMS_SYNTAX)
    assert finding.message.isprintable()
    assert finding.place is not None
    assert all(text.isprintable() for _, text in finding.place.excerpt)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{A}  one.iso\n{A} one.iso\n", 2),
        (f"{A[:-1]}  one.iso\n", 1),
        (f"{LONG}  one.iso\n", 1),
        (f"{A}  one.iso\n{B[:20]}", 2),
        (f"{A}  one.iso\n-----BEGIN PGP SIGNATURE-----\n", 2),
        (f"\\{A}  one\\nx.iso\n", 1),
        (f"{A}  \n", 1),
    ],
)
def test_lines_of_another_form_are_pointed_at(text: str, line: int) -> None:
    finding = refused(text)
    assert finding.rule is codes.SUMS_SYNTAX
    assert finding.place is not None
    assert finding.place.line == line


def test_a_web_page_is_called_one_and_gives_few_findings() -> None:
    page = "<!DOCTYPE html>\n<html><body>\n" + "<p>404</p>\n" * 300
    assert "web page" in refused(page).remedy
    _, report = parse_sums(page.encode(), layout="gnu", algorithm="sha256", file="SUMS")
    assert len(report) == 5


def test_two_digests_for_one_name_are_refused_and_the_same_twice_is_fine() -> None:
    assert read(f"{A}  x.iso\n{A.upper()}  x.iso\n") == {"x.iso": A}
    assert refused(f"{A}  x.iso\n{B}  x.iso\n").rule is codes.SUMS_DOUBLE
    assert refused(f"### SHA256SUMS:\n{A}  x\n### SHA256SUMS:\n{A}  y\n", "headed").rule is codes.SUMS_SYNTAX


def test_empty_files_and_other_bytes_are_refused() -> None:
    assert refused("").rule is codes.SUMS_EMPTY
    assert refused("\n\n# nothing\n").rule is codes.SUMS_EMPTY
    finding = refused(f"{A}  x.iso\n".encode() + b"\xff\xfe")
    assert finding.rule is codes.SUMS_SYNTAX
    assert finding.place is not None
    assert finding.place.line == 2


NAMES = st.text(string.ascii_letters + string.digits + "._-+", min_size=1, max_size=30).filter(is_plain_label)
TABLES = st.dictionaries(
    NAMES, st.binary(max_size=8).map(lambda b: hashlib.sha256(b).hexdigest()), min_size=1
)


@given(TABLES, st.sampled_from(["gnu", "bsd", "headed"]), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read_back(table: dict[str, str], layout: str, end: str) -> None:
    lines = [f"SHA256 ({n}) = {d}" if layout == "bsd" else f"{d}  {n}" for n, d in table.items()]
    if layout == "headed":
        lines.insert(0, "### SHA256SUMS:")
    assert read(end.join(lines) + end, layout) == table


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)),
    st.sampled_from(["gnu", "bsd", "headed"]),
)
def test_any_bytes_give_digests_or_a_finding_and_only_plain_names(data: bytes, layout) -> None:
    sums, report = parse_sums(data, layout=layout, algorithm="sha256", file="SUMS")
    assert (sums is None) == report.has_errors
    if isinstance(sums, Sums):
        assert all(is_plain_label(name) and len(digest) == 64 for name, digest in sums.digests.items())


@given(TABLES, st.integers(0), st.integers(0, 255))
def test_one_changed_byte_never_swaps_two_digests(table: dict[str, str], where: int, byte: int) -> None:
    data = bytearray("".join(f"{d}  {n}\n" for n, d in table.items()).encode())
    data[where % len(data)] = byte
    sums, _ = parse_sums(bytes(data), layout="gnu", algorithm="sha256", file="SUMS")
    if sums is not None:
        assert sum(table.get(name) != digest for name, digest in sums.digests.items()) <= 2
