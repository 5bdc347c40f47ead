"""BIOS profiles: inheritance, order of settings, and what is wrong with broken ones."""

from __future__ import annotations

import pytest

from tests.support.fleets import library
from ventoy_kit.hardware.profiles import parse_profiles


def parsed(**texts: str):
    return parse_profiles({name: (f"bios_profiles/{name}.yaml", text) for name, text in texts.items()})


SETTING = "{{id: {0}, want: {1}, why: w, menu: m}}"


def test_the_nearest_profile_wins_and_the_most_general_one_orders():
    base = f"title: Base\nkeys: {{setup: F2, boot_menu: F12}}\nsettings: [{SETTING.format('a', '1')}, {SETTING.format('b', '1')}]\nnotes: [general]\n"
    middle = (
        f"title: Middle\ninherits: base\nsettings: [{SETTING.format('c', '2')}, {SETTING.format('a', '2')}]\n"
    )
    top = "title: Top\ninherits: middle\nnotes: [special]\n"
    profiles, report = parsed(base=base, middle=middle, top=top)
    assert not list(report)
    found = profiles["top"]
    assert (found.title, found.keys and found.keys.setup) == ("Top", "F2")
    assert [(s.id, s.want) for s in found.settings] == [("a", "2"), ("b", "1"), ("c", "2")]
    assert found.notes == ("general", "special")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "VK-P01"),
        ("- a\n", "VK-P01"),
        ("title: [\n", "VK-Y02"),
        ("titel: a\n", "VK-S01"),
        ("title: A\ninherits: nowhere\n", "VK-P02"),
        ("title: A\ninherits: broken\n", "VK-P02"),
        ("title: A\nsettings: [{id: a}]\n", "VK-S02"),
        ("title: A\ntitle: B\n", "VK-Y03"),
    ],
)
def test_a_broken_profile_is_a_finding_in_its_file_and_the_others_stay(text, rule):
    profiles, report = parsed(broken=text, good="title: Good\n")
    assert rule in {f.rule.code for f in report}
    assert all(f.place is not None and f.place.file == "bios_profiles/broken.yaml" for f in report)
    assert "good" in profiles


def test_circles_are_found_from_wherever_they_are_entered():
    profiles, report = parsed(
        a="title: A\ninherits: b\n", b="title: B\ninherits: c\n", c="title: C\ninherits: b\n", d="title: D\n"
    )
    assert set(profiles) == {"d"}
    assert [f.rule.code for f in report] == ["VK-P02"] * 3


def test_every_shipped_profile_says_how_to_reach_setup_and_what_makes_the_stick_boot():
    for name, profile in library().profiles.items():
        assert profile.keys is not None, name
        settings = {s.id: s for s in profile.settings}
        assert {"boot-mode", "secure-boot", "storage-mode", "usb-boot"} <= set(settings), name
        assert all(s.why.endswith(".") for s in profile.settings), name
