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
        ("title: A\ninherits: [good, nowhere]\n", "VK-P02"),
        ("title: A\nsettings: [{id: a, want: b}]\n", "VK-P03"),
        ("title: A\nsettings: [{id: a, want: b, why: c}, {id: a}]\n", "VK-P01"),
        ("title: A\nsettings: [{id: a, want: b, why: c, severity: must}]\n", "VK-S04"),
        ("title: A\nsettings: [{id: a, want: b, why: c, probes: [magic]}]\n", "VK-S04"),
        ("title: A\nsettings: [{id: a, attributes: [{driver: thinklmi, name: x, accept: []}]}]\n", "VK-S04"),
        ("title: A\ndrivers: [samsung]\n", "VK-S04"),
        ("title: A\nsettings: [{id: a}]\n", "VK-P03"),
        ("title: A\ntitle: B\n", "VK-Y03"),
    ],
)
def test_a_broken_profile_is_a_finding_in_its_file_and_the_others_stay(text, rule):
    profiles, report = parsed(broken=text, good="title: Good\n")
    assert rule in {f.rule.code for f in report}
    assert all(f.place is not None and f.place.file == "bios_profiles/broken.yaml" for f in report)
    assert "good" in profiles


def test_circles_are_reported_where_they_are_and_take_their_heirs_with_them():
    profiles, report = parsed(
        a="title: A\ninherits: b\n", b="title: B\ninherits: c\n", c="title: C\ninherits: b\n", d="title: D\n"
    )
    assert set(profiles) == {"d"}
    assert [(f.rule.code, f.place and f.place.file) for f in report] == [
        ("VK-P02", "bios_profiles/b.yaml"),
        ("VK-P02", "bios_profiles/c.yaml"),
    ]
    assert all(f.place and f.place.line == 2 for f in report)


def test_of_several_parents_the_later_one_wins_and_what_they_share_comes_first():
    top = "title: Top\nsettings: [{id: a, want: top, why: w}, {id: b, want: top, why: w}, {id: c, want: top, why: w}]\n"
    left = "title: Left\ninherits: top\nsettings: [{id: a, want: left}, {id: b, want: left}]\n"
    right = "title: Right\ninherits: [top]\nsettings: [{id: b, want: right}]\n"
    both = "title: Both\ninherits: [left, right]\n"
    profiles, report = parsed(top=top, left=left, right=right, both=both)
    assert not list(report)
    assert profiles["both"].lineage == ("top", "left", "right", "both")
    # `right` does not put back what `left` changed of their common parent
    assert {s.id: s.want for s in profiles["both"].settings} == {"a": "left", "b": "right", "c": "top"}


def test_settings_merge_key_by_key_but_a_menu_brings_its_own_label_and_source():
    base = (
        "title: Base\nsettings: [{id: a, title: A, want: On, why: w, severity: advised, menu: Old, label: Item,"
        " source: manual, probes: [tpm]}]\n"
    )
    profiles, report = parsed(
        base=base,
        model="title: M\ninherits: base\nsettings: [{id: a, menu: New}]\n",
        want="title: W\ninherits: base\nsettings: [{id: a, want: Off}]\n",
    )
    assert not list(report)
    (model,), (want,) = profiles["model"].settings, profiles["want"].settings
    assert (model.where, model.source, model.confirmed) == ("New", "unconfirmed", False)
    assert (model.want, model.severity, model.probes) == ("On", "advised", ("tpm",))
    assert (want.where, want.source, want.confirmed, want.want) == ("Old > Item", "manual", True, "Off")


def test_attributes_of_other_makers_are_left_out():
    names = (
        "attributes: [{driver: thinklmi, name: X, accept: [On]}, {driver: hp-bioscfg, name: Y, accept: [On]}]"
    )
    profiles, report = parsed(
        base=f"title: Base\nsettings: [{{id: a, want: On, why: w, {names}}}]\n",
        hp="title: HP\ninherits: base\ndrivers: [hp-bioscfg]\n",
        nuc="title: N\ninherits: base\ndrivers: []\n",
    )
    assert not list(report)
    found = {n: [a.name for s in p.settings for a in s.attributes] for n, p in profiles.items()}
    assert found == {"base": ["X", "Y"], "hp": ["Y"], "nuc": []}


def test_the_shipped_profiles_are_those_that_are_promised():
    assert {
        "dell-fcm2250", "dell-qcm1255", "dell-optiplex-7050-micro",
        "generic-uefi", "generic-uefi-intel", "generic-uefi-amd", "proxmox-host", "generic-gpu-passthrough",
        "dell-optiplex-3080-micro", "dell-optiplex-7090-micro", "lenovo-thinkcentre-tiny", "hp-elitedesk-mini",
        "intel-nuc", "minisforum",
    } <= set(library().profiles)  # fmt: skip


def test_every_shipped_profile_says_how_to_reach_setup_and_what_makes_the_stick_boot():
    for name, profile in library().profiles.items():
        assert profile.keys is not None, name
        settings = {s.id: s for s in profile.settings}
        assert {"boot-mode", "secure-boot", "storage-mode", "usb-boot"} <= set(settings), name
        assert all(s.why.endswith(".") for s in profile.settings), name
        assert all(s.title != s.id for s in profile.settings), name


def test_no_shipped_profile_writes_what_cannot_be_taken_back():
    values = {
        (a.name, value)
        for p in library().profiles.values()
        for s in p.settings
        for a in s.attributes
        for value in a.accept
    }
    assert values
    assert not [v for v in values if "ermanent" in v[1]]
    assert not [
        v for v in values if any(word in v[0] for word in ("Absolute", "Wipe", "Clear", "Pwd", "Password"))
    ]
