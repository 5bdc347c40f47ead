"""What kind of target a path is, and which directories may stand for a stick."""

from dataclasses import replace

import pytest

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.target import PathFacts, Target, classify, judge_directory

DIRECTORY = PathFacts("/srv/stick", "/srv/stick", "directory", homes=frozenset({"/home/luke"}))


@pytest.mark.parametrize(
    ("kind", "expected"), [("directory", "directory"), ("file", "image"), ("block", "device")]
)
def test_usable_kinds(kind, expected):
    found = classify(PathFacts("./s", "/x/s", kind))
    assert found == Target(expected, "/x/s", "./s (which is /x/s)")


@pytest.mark.parametrize(
    ("facts", "rule", "remedy"),
    [
        (PathFacts("s.img", "/x/s.img", "missing"), codes.MISSING, "ventoy-kit stage s.img --create 16G"),
        (PathFacts("s", "/x/s", "missing"), codes.MISSING, "mkdir -p s"),
        (PathFacts("/dev/sdz", "/dev/sdz", "missing"), codes.MISSING, "ventoy-kit status"),
        (PathFacts("/dev/null", "/dev/null", "char"), codes.UNUSABLE_KIND, "Name a directory"),
        (PathFacts("p", "/x/p", "fifo"), codes.UNUSABLE_KIND, "Name a directory"),
        (PathFacts("p", "/x/p", "socket"), codes.UNUSABLE_KIND, "Name a directory"),
        (PathFacts("p", "/x/p", "unreadable"), codes.UNREADABLE, "as its owner"),
    ],
)
def test_other_kinds_are_refused(facts, rule, remedy):
    finding = classify(facts)
    assert isinstance(finding, Finding)
    assert finding.rule is rule
    assert remedy in finding.remedy
    assert facts.named in finding.message


@pytest.mark.parametrize(
    "facts",
    [
        DIRECTORY,
        replace(DIRECTORY, entries=frozenset({"lost+found", "System Volume Information"})),
        replace(DIRECTORY, entries=frozenset({"iso", "ventoy"})),
        replace(DIRECTORY, entries=frozenset({"ventoy"})),
        replace(DIRECTORY, entries=frozenset({"iso", "ventoy", "my notes"}), has_manifest=True),
        replace(DIRECTORY, resolved="/home/luke/stick"),
        replace(DIRECTORY, resolved="/tmp/stick"),
    ],
)
def test_an_empty_directory_or_an_earlier_stage_is_accepted(facts):
    assert judge_directory(facts, is_data_partition=False) == ()


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (replace(DIRECTORY, entries=frozenset({"thesis.tex"})), codes.FOREIGN_DIRECTORY),
        (replace(DIRECTORY, entries=frozenset({"ventoy", "Documents"})), codes.FOREIGN_DIRECTORY),
        (replace(DIRECTORY, entries=frozenset({"iso"})), codes.FOREIGN_DIRECTORY),
        (replace(DIRECTORY, writable=False), codes.READ_ONLY),
        *(
            (replace(DIRECTORY, resolved=path), codes.SYSTEM_DIRECTORY)
            for path in (
                "/",
                "/home",
                "/home/luke",
                "/root",
                "/etc",
                "/etc/x",
                "/usr/share/x",
                "/dev/shm",
                "/mnt",
                "/tmp",
            )
        ),
    ],
)
def test_any_other_directory_is_refused(facts, rule):
    (finding,) = judge_directory(facts, is_data_partition=False)
    assert finding.rule is rule


def test_a_mounted_data_partition_may_hold_anything_and_be_anywhere():
    facts = replace(DIRECTORY, resolved="/mnt", entries=frozenset({"photos"}))
    assert judge_directory(facts, is_data_partition=True) == ()
    (finding,) = judge_directory(replace(facts, writable=False), is_data_partition=True)
    assert finding.rule is codes.READ_ONLY


def test_a_home_with_an_earlier_stage_in_it_is_still_a_home():
    facts = replace(DIRECTORY, resolved="/home/luke", has_manifest=True)
    (finding,) = judge_directory(facts, is_data_partition=False)
    assert finding.rule is codes.SYSTEM_DIRECTORY
