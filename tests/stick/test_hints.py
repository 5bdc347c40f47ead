"""What is said about a stick besides whether it may be used: its Ventoy, copies of it, and its capacity."""

from dataclasses import replace

import pytest

from tests.stick.test_identify import STICK
from ventoy_kit.stick import codes
from ventoy_kit.stick.hints import warnings_for
from ventoy_kit.stick.identify import choose, judge
from ventoy_kit.stick.version import is_at_least, version_in


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b'set VENTOY_VERSION="1.1.17"\r\nset x=1', "1.1.17"),
        (b"set VENTOY_VERSION=1.0.99\nx", "1.0.99"),
        (b'VENTOY_VERSION="1.1.18"\nVENTOY_VERSION="9"', "1.1.18"),
        (b'"Ventoy $VENTOY_VERSION BIOS"', ""),
        (b"", ""),
    ],
)
def test_the_version_is_what_ventoys_own_tool_would_read(text, version):
    assert version_in(text) == version


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("1.1.17", True),
        ("1.1.18", True),
        ("1.2", True),
        ("2.0.0", True),
        ("1.1.16", False),
        ("1.1.9", False),
        ("1.0.99", False),
        ("?", False),
    ],
)
def test_versions_are_compared_as_numbers(version, enough):
    assert is_at_least(version, "1.1.17") is enough


@pytest.mark.parametrize(
    ("version", "rules"),
    [("1.1.17", []), (None, []), ("1.1.5", [codes.OLD_VENTOY]), ("", [codes.NO_VENTOY_FILES])],
)
def test_an_old_ventoy_and_an_empty_partition_2_are_warnings(version, rules):
    disk = replace(STICK, ventoy_version=version)
    found = list(warnings_for(disk, [disk]))
    assert [f.rule for f in found] == rules
    assert all(f.severity == "warning" for f in found)
    assert judge(disk, named=False).ok


def test_a_copy_with_the_same_id_is_named():
    copy = replace(STICK, path="/dev/sdc", serial="OTHER")
    (finding,) = warnings_for(STICK, [STICK, copy])
    assert finding.rule is codes.CLONE
    assert "/dev/sdc" in finding.message
    assert list(warnings_for(STICK, [STICK, replace(copy, ventoy_id="11" * 20)])) == []
    assert list(warnings_for(STICK, [STICK, replace(copy, ventoy_mark=False)])) == []
    assert list(warnings_for(replace(STICK, ventoy_id=None), [replace(copy, ventoy_id=None)])) == []
    refusal = choose([STICK, copy])
    assert not isinstance(refusal, type(STICK))


def test_the_version_speaks_for_a_stick():
    assert "it holds Ventoy 1.1.17" in judge(replace(STICK, ventoy_version="1.1.17"), named=False).reasons_for


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        ({"claimed_bytes": STICK.size_bytes + 512}, codes.CUT_OFF, "the partition table of /dev/sdb is for"),
        ({"repeats_at": 1 << 30}, codes.FALSE_CAPACITY, "repeats itself after 1073741824"),
    ],
)
def test_false_capacity_is_refused_where_it_is_certain(change, rule, words):
    (finding,) = judge(replace(STICK, **change), named=True).reasons_against
    assert finding.rule is rule
    assert words in finding.message


@pytest.mark.parametrize("claimed", [0, 512, STICK.size_bytes])
def test_a_table_for_a_smaller_disk_is_no_objection(claimed):
    assert judge(replace(STICK, claimed_bytes=claimed), named=True).ok
