"""Releases: numeric order, names in listings, and what a request means."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.entries import entry
from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.releases import (
    choose,
    is_newer,
    matches,
    releases_in_names,
    releases_in_text,
    version_key,
)

PVE = entry(file="proxmox-ve_{release}.iso", version=r"\d+\.\d+-\d+")
DEBIAN = entry(file="debian-{release}-amd64-netinst.iso", version=r"\d+\.\d+\.\d+")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("3.3.3-9", "3.3.3-37"),
        ("8.9", "8.10"),
        ("2.06s4", "2.06s10"),
        ("2.06", "2.06s4"),
        ("13.9.0", "13.10.0"),
        ("9.2-1", "10.0-1"),
        ("12.11.0", "13.0.0"),
        ("13.02", "13.10"),
    ],
)
def test_numbers_are_compared_as_numbers(older: str, newer: str) -> None:
    assert is_newer(newer, older)
    assert not is_newer(older, newer)
    assert not is_newer(older, older)


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
)
def test_releases_of_numbers_are_ordered_like_their_numbers(a: list[int], b: list[int]) -> None:
    def text(numbers: list[int]) -> str:
        return ".".join(map(str, numbers))

    assert (version_key(text(a)) < version_key(text(b))) == (a < b)
    assert matches(text(a), text(b)) == (b[: len(a)] == a)


def test_series_are_cut_between_numbers() -> None:
    assert matches("9", "9.1-1")
    assert matches("9.1", "9.1-1")
    assert matches("latest", "anything")
    assert not matches("8.1", "8.10")
    assert not matches("9.1-1", "9.1-10")
    assert not matches("9.1-1", "9.1")
    assert not matches("", "9.1-1")


def test_only_names_that_fit_as_a_whole_are_releases() -> None:
    names = ["proxmox-ve_9.2-1.iso", "proxmox-ve_9.10-1.iso", "proxmox-ve_9.2-1-arm64.iso", "proxmox-ve_9.2-1.iso.asc",
             "xproxmox-ve_9.3-1.iso", "proxmox-ve_9.3-beta.iso", "proxmox-backup-server_4.1-1.iso", "../proxmox-ve_9.9-1.iso"]  # fmt: skip
    assert releases_in_names(PVE, names) == ("9.10-1", "9.2-1")


def test_names_are_found_in_checksum_files_and_pages() -> None:
    sums = (
        f"{'a' * 64}  debian-13.2.0-amd64-netinst.iso\n{'a' * 64}  debian-edu-13.3.0-amd64-netinst.iso\n"
        f"{'a' * 64}  debian-mac-12.9.0-amd64-netinst.iso\n{'a' * 64}  debian-13.4.0-amd64-netinst.iso.torrent\n"
    )
    assert releases_in_text(DEBIAN, sums) == ("13.2.0",)
    page = (
        '<a href="debian-12.9.0-amd64-netinst.iso">debian-12.9.0-amd64-netinst.iso</a> <a href="x/debian-12.10.0-amd64-'
        'netinst.iso?d=1">'
    )
    assert releases_in_text(DEBIAN, page) == ("12.10.0", "12.9.0")
    zipped = entry(file="mt86plus_{release}_x86_64.iso.zip", version=r"\d+\.\d\d")
    page = "mt86plus_8.10_x86_64.iso.zip mt86plus_8.20b1_x86_64.iso.zip mt86plus_9.00_x86_64.iso.zip.sig"
    assert releases_in_text(zipped, page) == ("8.10",)


@given(st.text(string.printable, max_size=200))
def test_any_text_gives_releases_that_make_good_file_names(text: str) -> None:
    for release in releases_in_text(entry(file="x-{release}.iso", version=r"[^/]+"), text + " x-1.0.iso"):
        assert "/" not in release
        assert ".." not in release


THERE = ("9.2-1", "9.1-1", "9.10-1", "8.4-1", "9.1-2")


@pytest.mark.parametrize(
    ("request_", "release", "newer"),
    [
        ("latest", "9.10-1", ()),
        ("9", "9.10-1", ()),
        ("9.1", "9.1-2", ("9.10-1", "9.2-1")),
        ("9.1-1", "9.1-1", ("9.10-1", "9.2-1", "9.1-2")),
        ("8", "8.4-1", ("9.10-1", "9.2-1", "9.1-2", "9.1-1")),
    ],
)
def test_a_request_gets_the_newest_that_fits(request_: str, release: str, newer: tuple[str, ...]) -> None:
    choice, report = choose(PVE, request_, THERE, path=("images", "proxmox-ve", "release"))
    assert choice is not None
    assert (choice.release, choice.newer) == (release, newer)
    assert not len(report)


def test_what_is_not_there_is_answered_with_what_is() -> None:
    choice, report = choose(PVE, "7", [*THERE, *(f"6.{n}-1" for n in range(20))], path=("images",))
    assert choice is None
    (finding,) = report
    assert finding.rule is codes.NO_RELEASE
    assert "Example 7 was not found" in finding.message
    assert "9.10-1, 9.2-1, 9.1-2, 9.1-1, 8.4-1, 6.19-1, 6.18-1, 6.17-1 and 17 older" in finding.message
    _, report = choose(PVE, "latest", [], path=("images",))
    assert "none that fits" in report.findings[0].message


@pytest.mark.parametrize("request_", ["newest", "", "9/../../x", "9 1", "9..1", "$(x)", "9.1-"])
def test_what_is_no_request_is_refused(request_: str) -> None:
    choice, report = choose(PVE, request_, THERE, path=("images",))
    assert choice is None
    assert report.findings[0].rule is codes.BAD_REQUEST
