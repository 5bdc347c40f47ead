"""Arm and disarm on a stick in memory: whatever is interrupted, it is a toolbox or armed completely."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.stick.staging import FLEET, MANIFEST, make_wanted, stage
from tests.support.fakes import BrokenStick, MemoryStick
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.ticket import armed_ticket, plain_ticket, ticket_line
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.arm import (
    HISTORY,
    History,
    Last,
    apply_change,
    manifest_of,
    plan_arm,
    plan_disarm,
    survey_arming,
    toolbox_of,
)
from ventoy_kit.stick.armed import Arming, delivery_of, expiry, new_id, referred_to
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, parse_config

NOW = datetime(2026, 11, 23, 9, 45, tzinfo=UTC)
WANTED = make_wanted({"a.iso": b"one", "b.iso": b"two"}, ("n1", "n2"))
MINE = b'\xef\xbb\xbf{ "control":[{"VTOY_MENU_TIMEOUT":"3"}] ,\n"image_list_uefi" : ["/mine.iso"], "menu_tip":{"left":"1%"}}'
HISTORY_AT = f"ventoy/{FLEET}/{HISTORY}"


def staged() -> MemoryStick:
    """A stick of a user with settings that would disturb, staged."""
    stick = MemoryStick({CONFIG_PATH: MINE, "mine.iso": b"mine"})
    stage(stick, WANTED)
    return stick


def arm(stick: MemoryStick, node: str = "n1", random: str = "1a2b3c4d", fleet: str = FLEET) -> Arming:
    """What `reimage` does with a stick that was judged."""
    state = survey_arming(stick)
    manifest = manifest_of(stick, fleet)
    assert manifest is not None
    delivery = delivery_of(manifest, node)
    assert delivery is not None
    data = toolbox_of(state, manifest)
    assert data is not None
    root, report = parse_config(data, CONFIG_PATH)
    assert root is not None, list(report)
    one = new_id(NOW, random, state.ids)
    doomed = ("disk0 serial S1",)
    arming = Arming(
        one, expiry(one, timedelta(hours=24)), fleet, manifest.generation, node, "First", "a", doomed
    )
    ticket = armed_ticket(
        plain_ticket(ticket_line(fleet, manifest.generation, "a", node), node), arming.id, arming.expires
    )
    change, arming, _ = plan_arm(state, (data, root), arming, delivery, ticket)
    apply_change(change, stick)
    return arming


def disarm(stick: MemoryStick) -> list[str]:
    """What `disarm` does; the codes of its findings."""
    state = survey_arming(stick)
    manifest = manifest_of(stick, state.arming.fleet) if state.arming else None
    change, report = plan_disarm(state, manifest)
    apply_change(change, stick)
    return [f.rule.code for f in report]


def check_moment(stick: MemoryStick, toolbox: bytes, before: dict[str, bytes]) -> bool:
    """The stick is a toolbox, or armed with everything that the armed ventoy.json names; whether it is armed."""
    config = stick.files[CONFIG_PATH]
    reference = referred_to(config)
    if reference is None:
        assert config == toolbox
    else:
        state = survey_arming(stick)
        assert state.arming is not None
        assert not state.lost
        assert not state.edited
        assert state.toolbox == toolbox
        assert f"arming={reference[1]}-".encode() in stick.files[state.arming.ticket]
        assert [w for w in _named(config) if w[1:] not in stick.files] == []
        assert state.history(FLEET).last >= reference[1]
    assert {p: d for p, d in stick.files.items() if p in before and p not in (CONFIG_PATH, HISTORY_AT)} == {
        p: d for p, d in before.items() if p not in (CONFIG_PATH, HISTORY_AT) and "/armed-" not in p
    } | {p: d for p, d in before.items() if "/armed-" in p and p in stick.files}
    return reference is not None


def _named(config: bytes) -> list[str]:
    names = {"/iso/a.iso", "/iso/b.iso"}
    words = config.decode("utf-8-sig").split('"')
    return [w for w in words if w.startswith("/ventoy/fleet/") and not w.endswith("grub-armed.cfg")] + [
        w for w in words if w in names
    ]


def test_armed_and_back_is_byte_for_byte_what_it_was():
    stick = staged()
    before = dict(stick.files)
    arming = arm(stick)
    assert survey_arming(stick).arming == arming
    assert {p for p in stick.files if p not in before} == {
        HISTORY_AT,
        *(f"{arming.folder}/{n}" for n in ("arming.json", "toolbox.json", "n1")),
    }
    assert disarm(stick) == []
    history = stick.files.pop(HISTORY_AT)
    assert stick.files == before
    assert History.from_json(history).last == arming.id


def test_a_second_disarm_changes_nothing():
    stick = BrokenStick(staged().files, -1, "", StorageError("x"))
    arm(stick)
    disarm(stick)
    before, changes = dict(stick.files), stick.changes
    assert disarm(stick) == []
    assert (stick.files, stick.changes) == (before, changes)


def test_arming_again_takes_the_place_of_the_first_and_is_newer():
    stick = staged()
    before = stick.files[CONFIG_PATH]
    first = arm(stick)
    second = arm(stick, "n2", "00000000")
    assert second.id > first.id
    assert survey_arming(stick).arming == second
    assert not [p for p in stick.files if p.startswith(first.folder)]
    third = arm(stick, "n2", "00000000")
    assert third.id > second.id
    disarm(stick)
    assert stick.files[CONFIG_PATH] == before
    assert arm(stick, "n1", "00000000").id > third.id


@pytest.mark.parametrize("error", [StorageError("no space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("how", ["before", "middle", "after"])
@pytest.mark.parametrize("start", ["toolbox", "armed"])
@pytest.mark.parametrize("action", ["arm", "disarm"])
def test_interrupted_anywhere_it_is_a_toolbox_or_armed_and_heals(action, start, how, error):
    origin = staged()
    toolbox = origin.files[CONFIG_PATH]
    if start == "armed":
        arm(origin, "n2")
    run = (lambda s: arm(s, random="ffffffff")) if action == "arm" else disarm
    whole = BrokenStick(origin.files, -1, how, error)
    run(whole)
    seen = set()
    for at in range(whole.changes):
        stick = BrokenStick(origin.files, at, how, error)
        with pytest.raises(type(error)):
            run(stick)
        seen.add(check_moment(stick, toolbox, origin.files))
        stick.at = -1
        again = MemoryStick(stick.files)
        run(again)
        assert check_moment(again, toolbox, origin.files) == (action == "arm")
        disarm(stick)
        left = {p for p in stick.files if "/armed-" in p and not p.rpartition("/")[2].startswith(".vk-")}
        assert (left, stick.files[CONFIG_PATH]) == (set(), toolbox)
    assert (start, action) == ("toolbox", "disarm") or seen == (
        {True} if (start, action) == ("armed", "arm") else {True, False}
    )


def test_what_the_user_changes_meanwhile_is_kept_beside():
    stick = staged()
    toolbox = stick.files[CONFIG_PATH]
    arming = arm(stick)
    edited = stick.files[CONFIG_PATH].replace(b'"10"', b'"20"')
    stick.files[CONFIG_PATH] = edited
    assert disarm(stick) == [codes.EDITED.code]
    assert stick.files[CONFIG_PATH] == toolbox
    assert stick.files[f"ventoy/{FLEET}/edited-{arming.id}.json"] == edited


def test_arming_again_keeps_it_too():
    stick = staged()
    first = arm(stick)
    stick.files[CONFIG_PATH] += b"\n"
    arm(stick, "n2")
    assert f"ventoy/{FLEET}/edited-{first.id}.json" in stick.files
    assert not survey_arming(stick).edited


@pytest.mark.parametrize("damage", [None, b"", b"{}"])
def test_without_the_toolbox_file_it_still_disarms_and_says_so(damage):
    stick = staged()
    arming = arm(stick)
    stick.files.pop(f"{arming.folder}/toolbox.json")
    if damage is not None:
        stick.files[f"{arming.folder}/toolbox.json"] = damage
    assert disarm(stick) == [codes.SETTINGS_LOST.code]
    state = survey_arming(stick)
    assert state.arming is None
    assert b"/ventoy/fleet/" in stick.files[CONFIG_PATH]
    assert b"VTOY_MENU_TIMEOUT" not in stick.files[CONFIG_PATH]


@pytest.mark.parametrize("damage", [None, b"", b"{", b"[" * 100_000])
def test_without_a_description_it_is_armed_and_disarms(damage):
    stick = staged()
    arming = arm(stick)
    stick.files.pop(f"{arming.folder}/arming.json")
    if damage is not None:
        stick.files[f"{arming.folder}/arming.json"] = damage
    state = survey_arming(stick)
    assert state.arming is not None
    assert (state.arming.node, state.arming.id) == ("n1", arming.id)
    assert disarm(stick) == [codes.SETTINGS_LOST.code]
    assert [p for p in stick.files if "/armed-" in p] == []


def test_a_ventoy_json_that_a_power_cut_took_comes_back():
    stick = staged()
    toolbox = stick.files[CONFIG_PATH]
    arm(stick)
    del stick.files[CONFIG_PATH]
    assert survey_arming(stick).arming is None
    assert disarm(stick) == []
    assert stick.files[CONFIG_PATH] == toolbox


def test_a_stick_that_was_never_armed_is_left_alone():
    stick = BrokenStick({CONFIG_PATH: MINE}, -1, "", StorageError("x"))
    assert disarm(stick) == []
    assert (stick.files, stick.changes) == ({CONFIG_PATH: MINE}, 0)


def test_an_id_of_another_fleet_counts_too():
    stick = staged()
    last = "20271123T094500Z-ffffffff"
    stick.files["ventoy/other/armings.json"] = History(last, {}).to_json()
    assert arm(stick).id > last


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"format": 1}', b"\xff", b'{"format":1,"last":"","nodes":{"a":1}}']
)
def test_a_history_that_cannot_be_read_holds_nothing(data):
    stick = staged()
    stick.files[HISTORY_AT] = data
    assert survey_arming(stick).history(FLEET) == History()


def test_a_history_comes_back_as_it_was():
    history = History("x", {"n1": Last("x", "g", "a", "iso/a.iso")})
    assert History.from_json(history.to_json()) == history


def test_paths_of_a_hostile_description_lead_nowhere():
    stick = staged()
    arming = arm(stick)
    text = stick.files[f"{arming.folder}/arming.json"]
    stick.files[f"{arming.folder}/arming.json"] = text.replace(b'"n1"', b'"../../../iso/a.iso"')
    disarm(stick)
    assert "iso/a.iso" in stick.files
    assert MANIFEST in stick.files
