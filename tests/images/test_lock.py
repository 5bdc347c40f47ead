"""fleet.lock: stable text, read back as it was, mistakes pointed at, differences as data."""

from __future__ import annotations

import difflib
import tomllib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.lock import (
    Change,
    FieldChange,
    Lock,
    LockEntry,
    LockInput,
    changes,
    from_toml,
    to_toml,
)

SIGNED = datetime(2026, 9, 12, 10, 30, tzinfo=UTC)


def locked(**fields) -> LockEntry:
    base = {
        "catalog": "debian",
        "release": "13.7.0",
        "file": "debian-13.7.0-amd64-netinst.iso",
        "size": 790_000_000,
        "sha256": "a" * 64,
        "sha512": "b" * 128,
        "origin": "vendor",
        "verified": "signature",
        "signer": "DF9B9C49EAA9298432589D76DA87E80D6294BE9B",
        "signed": SIGNED,
        "urls": ("https://cdimage.debian.org/x.iso",),
    }
    return LockEntry.model_validate(base | fields)


MEMTEST = LockEntry(
    catalog="memtest86plus",
    release="8.10",
    file="mt86plus_8.10_x86_64.iso",
    size=9_000_000,
    sha256="c" * 64,
    origin="unpacked",
    verified="checksum",
    inputs=(LockInput(file="mt86plus_8.10_x86_64.iso.zip", size=4_000_000, sha256="d" * 64),),
)
ASSEMBLED = locked(
    origin="assembled",
    urls=(),
    sha512=None,
    recipe="debian-netboot-1",
    toolchains={"grub-2.06-xorriso-1.5.4": "a" * 64, "grub-2.12": "e" * 64},
    inputs=[{"file": "debian-installer-13-netboot-amd64_1_all.deb", "size": 5, "sha256": "f" * 64}],
)


def read(text: str) -> Lock:
    lock, report = from_toml(text, "fleet.lock")
    assert lock is not None, [f.message for f in report]
    return lock


def test_a_lock_is_read_back_as_it_was_and_is_sorted() -> None:
    lock = Lock({"memtest86plus": MEMTEST, "debian": locked(), "netboot": ASSEMBLED})
    text = to_toml(lock)
    assert dict(read(text).images) == dict(lock.images)
    assert to_toml(read(text)) == text
    assert to_toml(Lock({"netboot": ASSEMBLED, "debian": locked(), "memtest86plus": MEMTEST})) == text
    heads = [line for line in text.splitlines() if line.startswith("[images.")]
    assert [h for h in heads if h.count(".") == 1] == [
        "[images.debian]",
        "[images.memtest86plus]",
        "[images.netboot]",
    ]
    assert text.startswith("# Written by ventoy-kit")


def test_moving_one_image_touches_only_its_own_lines() -> None:
    lock = Lock({"debian": locked(), "memtest86plus": MEMTEST, "netboot": ASSEMBLED})
    moved = lock.with_entry("debian", locked(release="13.8.0", file="debian-13.8.0-amd64-netinst.iso"))
    diff = [
        line
        for line in difflib.ndiff(to_toml(lock).splitlines(), to_toml(moved).splitlines())
        if line.startswith(("-", "+"))
    ]
    assert len(diff) == 4
    assert dict(lock.images)["debian"].release == "13.7.0"
    assert set(lock.without("debian").images) == {"memtest86plus", "netboot"}


def test_an_empty_lock_is_a_lock() -> None:
    assert dict(read(to_toml(Lock())).images) == {}


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - a zone is set next
    lambda t: t.replace(microsecond=0, tzinfo=UTC)
)
ENTRIES = st.builds(
    locked,
    sha256=HEX,
    size=st.integers(1, 10**13),
    signed=TIMES,
    release=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-[0-9]{1,2})?", fullmatch=True),
)


@given(st.dictionaries(NAMES, ENTRIES, max_size=5))
def test_any_lock_survives_writing_and_reading(images: dict[str, LockEntry]) -> None:
    text = to_toml(Lock(images))
    assert dict(read(text).images) == images
    assert to_toml(read(text)) == text


@given(st.text(max_size=200))
def test_any_text_is_a_lock_or_gives_findings(text: str) -> None:
    lock, report = from_toml(text, "fleet.lock")
    assert (lock is None) == report.has_errors
    assert all(f.place is not None for f in report)


@given(st.integers(0, 10**6), st.characters(codec="ascii"))
def test_one_changed_character_is_noticed_or_harmless(where: int, char: str) -> None:
    text = to_toml(Lock({"debian": locked()}))
    at = where % len(text)
    lock, report = from_toml(text[:at] + char + text[at + 1 :], "fleet.lock")
    assert (lock is None) == report.has_errors


def _changed(old: str, new: str) -> str:
    text = to_toml(Lock({"debian": locked(), "memtest86plus": MEMTEST}))
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "told", "line"),
    [
        ('sha256 = "aaaa', 'sha256 = "AAAA', "is not a SHA-256 digest", 'sha256 = "AAAA'),
        ("size = 790000000", "size = -1", "is no size in bytes", "size = -1"),
        ("size = 790000000", "size = true", "is no size in bytes", "size = true"),
        ('file = "debian-', 'file = "../debian-', "is not a plain file name", 'file = "../'),
        ('"https://cdimage', '"http://cdimage', "is not an address that begins with https://", "urls = ["),
        ('release = "13.7.0"', 'release = "13/../7"', "is not a release", "release = "),
        ('verified = "checksum"', 'verified = "sure"', "cannot be `sure`", 'verified = "sure"'),
        ('verified = "checksum"', 'verified = "signature"', "signer and time", "[images.memtest86plus]"),
        ('catalog = "debian"\n', "", "`catalog` is missing", "[images.debian]"),
        ('catalog = "debian"\n', 'catalog = "debian"\nextra = 1\n', "`extra` is not a key", "extra = 1"),
        ("2026-09-12 10:30:00+00:00", "2026-09-12T10:30:00", "a time without zone", "signed = "),
        ("2026-09-12 10:30:00+00:00", '"yesterday"', "a time without zone", "signed = "),
    ],
)
def test_a_mistake_is_pointed_at_with_its_line(old: str, new: str, told: str, line: str) -> None:
    text = _changed(old, new)
    lock, report = from_toml(text, "fleet.lock")
    assert lock is None
    finding = next(f for f in report if told in f.message)
    assert finding.place is not None
    assert finding.place.line is not None
    assert text.splitlines()[finding.place.line - 1].startswith(line)


def test_a_merge_conflict_is_pointed_at() -> None:
    text = _changed(
        'release = "13.7.0"\n',
        '<<<<<<< ours\nrelease = "13.7.0"\n=======\nrelease = "13.6.0"\n>>>>>>> theirs\n',
    )
    lock, report = from_toml(text, "fleet.lock")
    assert lock is None
    (finding,) = report
    assert finding.rule is codes.LOCK_SYNTAX
    assert finding.place is not None
    assert finding.place.line is not None
    assert text.splitlines()[finding.place.line - 1] == "<<<<<<< ours"


@pytest.mark.parametrize("version", ["", "version = 2\n", "version = true\n", 'version = "1"\n'])
def test_a_lock_of_another_version_is_refused(version: str) -> None:
    lock, report = from_toml(version, "fleet.lock")
    assert lock is None
    assert report.findings[0].rule is codes.LOCK_VERSION


def test_fields_must_agree() -> None:
    for fields in ({"signer": None}, {"signed": None}, {"verified": "checksum"}, {"origin": "unpacked"}):
        with pytest.raises(ValidationError):
            locked(**fields)
    with pytest.raises(ValidationError):
        LockEntry.model_validate(MEMTEST.model_dump() | {"origin": "vendor"})


def test_times_are_kept_in_utc_and_whole_seconds() -> None:
    here = datetime(2026, 9, 12, 12, 30, 0, 999, tzinfo=timezone(timedelta(hours=2)))
    assert locked(signed=here) == locked()
    raw = tomllib.loads(to_toml(Lock({"debian": locked(signed=here)})))
    assert raw["images"]["debian"]["signed"] == SIGNED


def test_changes_are_data() -> None:
    newer = locked(release="13.8.0", sha256="9" * 64)
    old, new = (
        Lock({"a": locked(), "b": MEMTEST, "d": ASSEMBLED}),
        Lock({"a": newer, "c": MEMTEST, "d": ASSEMBLED}),
    )
    assert changes(old, new) == (
        Change(
            "a",
            locked(),
            newer,
            (FieldChange("release", "13.7.0", "13.8.0"), FieldChange("sha256", "a" * 64, "9" * 64)),
        ),
        Change("b", MEMTEST, None, ()),
        Change("c", None, MEMTEST, ()),
    )
    assert changes(new, new) == ()
