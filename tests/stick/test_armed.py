"""The pure part of arming: ids that only grow, and the ventoy.json of an armed stick."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stick.staging import make_wanted
from ventoy_kit.stick.armed import (
    Arming,
    armed_config,
    delivery_of,
    expiry,
    is_id,
    new_id,
    referred_to,
    set_aside,
    time_of,
)
from ventoy_kit.stick.ventoy_config import merge_config
from ventoy_kit.stick.ventoy_text import Obj, as_value, dump_config, parse_config

NOW = datetime(2026, 11, 23, 9, 45, tzinfo=UTC)
ID = "20261123T094500Z-1a2b3c4d"
WANTED = make_wanted({"a.iso": b"one", "b.iso": b"two"}, ("n1", "n2")).manifest
ARMING = Arming(
    ID, "20261124T094500Z", WANTED.fleet, WANTED.generation, "n1", "First", "a", ("disk0 serial S1",)
)

HEX = st.text("0123456789abcdef", min_size=8, max_size=8)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - hypothesis wants them bare


def armed(user: dict[str, Any] | None = None) -> tuple[dict[str, Any], Obj]:
    """The armed configuration beside one of the user, as plain data and as Ventoy reads it."""
    own = as_value(user or {})
    assert isinstance(own, Obj)
    toolbox, _ = merge_config(own, WANTED.config, {}, "ventoy.json")
    delivery = delivery_of(WANTED, "n1")
    assert toolbox is not None
    assert delivery is not None
    data = dump_config(armed_config(toolbox, delivery, ARMING))
    root, report = parse_config(data, "ventoy.json")
    assert root is not None, list(report)
    return json.loads(data), toolbox


class TestIds:
    def test_the_contract(self):
        assert new_id(NOW, "1a2b3c4d", ()) == ID
        assert is_id(ID)
        assert ARMING.code == "3C4D"
        assert expiry(ID, timedelta(hours=24)) == "20261124T094500Z"

    @given(st.lists(st.tuples(TIMES, HEX), min_size=1, max_size=8))
    def test_they_grow_whatever_the_clock_does(self, clocks):
        known: list[str] = []
        for time, random in clocks:
            one = new_id(time.replace(tzinfo=UTC), random, known)
            assert is_id(one)
            assert all(one > other for other in known)
            assert expiry(one, timedelta(hours=1)) > one.partition("-")[0]
            known.append(one)

    @given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(-3600, 3600), HEX), max_size=12))
    def test_sticks_in_any_order_fire_once_each(self, events):
        """One machine records the last id that it used; an arming fires only if its id is greater."""
        sticks: dict[str, list[str]] = {"A": [], "B": [], "C": []}
        made: list[str] = []
        recorded = ""
        for stick, drift, random in events:
            # The computer that arms remembers its last id, so sticks that never met are in order too.
            sticks[stick].append(new_id(NOW + timedelta(seconds=drift), random, {*sticks[stick], *made[-1:]}))
            made.append(sticks[stick][-1])
            assert made[-1] > recorded, "a fresh arming fires"
            recorded = made[-1]
            for other in sticks.values():
                assert not other or not other[-1] > recorded, "and no stick fires again"

    def test_what_is_no_id_is_ignored(self):
        strange = ("", "none", "99999999T999999Z-1a2b3c4d", "20991231T000000Z", "20991231T000000Z-XYZ", "é")
        assert new_id(NOW, "1a2b3c4d", strange) == ID

    def test_a_clock_that_went_back(self):
        later = "20271123T094500Z-ffffffff"
        assert new_id(NOW, "00000000", [later]) == "20271123T094501Z-00000000"
        assert time_of(later) > NOW


class TestConfig:
    def test_one_image_one_ticket_and_every_menu_goes_on(self):
        config, _ = armed()
        settings = {k: v for entry in config["control"] for k, v in entry.items()}
        assert all(len(entry) == 1 for entry in config["control"])
        assert settings == {
            "VTOY_MENU_TIMEOUT": "10",
            "VTOY_DEFAULT_IMAGE": "/iso/a.iso",
            "VTOY_SECONDARY_BOOT_MENU": "0",
            "VTOY_DEFAULT_MENU_MODE": "0",
        }
        assert config["image_list"] == ["/iso/a.iso"]
        assert config["auto_install"] == [
            {"image": "/iso/a.iso", "template": [f"/ventoy/fleet/armed-{ID}/n1"], "autosel": 1, "timeout": 5}
        ]
        folder = f"/ventoy/fleet/{WANTED.generation}/a"
        assert config["conf_replace"] == [
            {"iso": "/iso/a.iso", "org": "/boot/grub/grub.cfg", "new": f"{folder}/grub-armed.cfg"}
        ]
        assert config["injection"] == [{"image": "/iso/a.iso", "archive": f"{folder}/overlay"}]

    def test_the_screen_says_what_will_be_wiped_and_the_code(self):
        config, _ = armed()
        assert config["menu_alias"][0]["alias"].startswith("WIPE n1 - ")
        tip = config["menu_tip"]["tips"][0]
        assert "n1 (First)" in tip["tip1"]
        assert "3C4D" in tip["tip1"]
        assert "2026-11-24 09:45 UTC" in tip["tip1"]
        assert tip["tip2"] == "Wipes disk0 serial S1"

    def test_what_could_disturb_is_set_aside_and_looks_stay(self):
        user = {
            "control": [
                {"VTOY_MENU_LANGUAGE": "de_DE"},
                {"VTOY_MENU_TIMEOUT": "0"},
                {"VTOY_FILE_FLT_ISO": "1"},
            ],
            "control_uefi": [{"VTOY_DEFAULT_IMAGE": "/other.iso"}, {}, {"VTOY_SECURE_BOOT_POLICY": "1"}, 5],
            "image_list_uefi": ["/other.iso"],
            "image_blacklist": ["/iso/a.iso"],
            "password": {"bootpwd": "txt#secret"},
            "persistence": [{"image": "/iso/a.iso", "backend": "/p.dat"}],
            "custom_boot": [{"file": "/iso/a.iso", "vcfg": "/x.vcfg"}],
            "auto_install_uefi": [],
            "theme": {"file": "/t/theme.txt"},
            "theme_uefi": {"file": "/u/theme.txt"},
            "menu_class": [{"key": "a", "class": "b"}],
            "nonsense": {"a": 1},
        }
        config, toolbox = armed(user)
        assert list(config) == [
            *("theme", "theme_uefi", "menu_class", "control", "control_uefi", "image_list", "auto_install"),
            *("injection", "conf_replace", "menu_alias", "menu_tip"),
        ]
        assert config["control"][0] == {"VTOY_MENU_LANGUAGE": "de_DE"}
        assert config["control_uefi"][0] == {"VTOY_SECURE_BOOT_POLICY": "1"}
        assert config["control"][1:] == config["control_uefi"][1:]
        assert "secret" not in json.dumps(config)
        assert set_aside(toolbox, WANTED) == (
            *("VTOY_MENU_TIMEOUT", "VTOY_FILE_FLT_ISO", "VTOY_DEFAULT_IMAGE", "image_list_uefi"),
            *("image_blacklist", "password", "persistence", "custom_boot", "nonsense"),
        )

    def test_without_settings_of_the_user_nothing_is_set_aside(self):
        assert set_aside(armed()[1], WANTED) == ()

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["control", "control_uefi", "theme", "image_list", "menu_tip", "password", "x"]
                    ),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=12,
        )
    )
    def test_whatever_the_user_has_ventoy_reads_ours_first(self, user):
        if not isinstance(user, dict):
            return
        own, delivery = as_value(user), delivery_of(WANTED, "n1")
        assert isinstance(own, Obj)
        assert delivery is not None
        config = json.loads(dump_config(armed_config(own, delivery, ARMING)))
        assert config["image_list"] == ["/iso/a.iso"]
        assert {"VTOY_SECONDARY_BOOT_MENU": "0"} in config["control"]
        suffixed = {k for k in config if k.endswith("_uefi")}
        assert suffixed <= {"control_uefi"}

    def test_titles_cannot_break_out_of_grubs_strings(self):
        nasty = Arming(
            **{**{f: getattr(ARMING, f) for f in ARMING.__slots__}, "title": 'a"; $x `y` \\ \n' + "z" * 300}
        )
        delivery = delivery_of(WANTED, "n1")
        assert delivery is not None
        data = dump_config(armed_config(Obj(), delivery, nasty))
        tip = json.loads(data)["menu_tip"]["tips"][0]["tip1"]
        assert not set('"$`\\\n') & set(tip)
        assert len(tip) <= 140


@pytest.mark.parametrize("name", ["n3", "auto2", "", "grub.cfg2"])
def test_a_node_without_a_ticket_has_no_delivery(name):
    assert delivery_of(WANTED, name) is None


def test_the_state_is_read_from_the_bytes_even_if_the_file_is_broken():
    data = f'{{ "auto_install": [ "/ventoy/fleet/armed-{ID}/n1", }}'.encode() + b"\xff"
    assert referred_to(data) == ("fleet", ID, "n1")
    for other in (None, b"", b"{}", b'"/ventoy/fleet/armed-1/n1"', f'"/ventoy/../armed-{ID}/n1"'.encode()):
        assert referred_to(other) is None


def test_a_description_comes_back_as_it_was():
    assert Arming.from_json(ARMING.to_json()) == ARMING


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"format": 2}', b'{"format": 1}', b"[" * 90_000, b"\xff"]
)
def test_a_description_that_is_none(data):
    with pytest.raises(ValueError, match=r".*"):
        Arming.from_json(data)
