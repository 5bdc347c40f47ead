"""What a fleet staged is taken off again: the user's files and ventoy.json are what they were, at worst in meaning."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stick.staging import FLEET, FOREIGN, MANIFEST, USER_CONFIG, WANTED, make_wanted, stage
from tests.stick.test_apply import ERRORS, FEW, check_moment
from tests.support.fakes import BrokenStick, MemoryStick, Silent
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.model import Manifest
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.apply import survey
from ventoy_kit.stick.menu import read_menu
from ventoy_kit.stick.unstage import UnstagePlan, apply_unstage, plan_unstage, salvaged
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

A = {"a.iso": b"one"}


def plan_for(
    stick: MemoryStick, fleet: str = FLEET, *, readable: bool = True
) -> tuple[UnstagePlan, list[str]]:
    found = survey(
        stick,
        Manifest(fleet, "", (), {}),
        filesystem=None,
        recheck=False,
        progress=Silent(),
        ignore_manifest=not readable,
    )
    recorded = found.manifest.config if found.manifest else None
    if found.manifest is None:
        found = salvaged(found, fleet, stick.listing())
    menu, _ = read_menu(found.config, recorded, found.before, fleet)
    assert menu is not None
    at = f"ventoy/{fleet}/manifest.json"
    size = stick.size(at)
    plan, report = plan_unstage(found, menu, fleet, {} if size is None else {at: size})
    return plan, [f.rule.code for f in report]


def unstage(stick: MemoryStick, fleet: str = FLEET, *, readable: bool = True) -> UnstagePlan:
    plan, _ = plan_for(stick, fleet, readable=readable)
    apply_unstage(plan, stick)
    return plan


def start(foreign: dict[str, bytes], config: bytes | None) -> dict[str, bytes]:
    return foreign | ({CONFIG_PATH: config} if config else {})


@given(st.lists(WANTED, min_size=1, max_size=3), FOREIGN, USER_CONFIG)
def test_byte_for_byte_what_was_there_before(history, foreign, config):
    stick = MemoryStick(start(foreign, config))
    for wanted in history:
        stage(stick, wanted)
    unstage(stick)
    assert stick.files == start(foreign, config)
    assert plan_for(stick)[0].changes_nothing


@FEW
@given(
    st.lists(WANTED, min_size=1, max_size=2),
    FOREIGN,
    USER_CONFIG,
    st.sampled_from(["before", "middle", "after"]),
    st.sampled_from(ERRORS),
)
def test_whatever_fails_whenever_it_fails_the_next_run_finishes(history, foreign, config, how, error):
    staged = MemoryStick(start(foreign, config))
    for wanted in history:
        stage(staged, wanted)
    whole = BrokenStick(staged.files, -1, how, error)
    unstage(whole)
    for at in range(whole.changes):
        stick = BrokenStick(staged.files, at, how, error)
        with pytest.raises(type(error)):
            unstage(stick)
        check_moment(stick.files, history, foreign)
        stick.at = -1
        unstage(stick)
        assert stick.files == whole.files


@FEW
@given(WANTED, WANTED, st.integers(0, 40), FOREIGN, USER_CONFIG)
def test_after_a_stage_that_was_interrupted(old, new, at, foreign, config):
    stick = BrokenStick(start(foreign, config), -1, "after", ERRORS[0])
    stage(stick, old)
    stick.at, stick.changes = at, 0
    with contextlib.suppress(StorageError):
        stage(stick, new)
    stick.at = -1
    unstage(stick)
    assert stick.files == start(foreign, config)


def test_what_the_user_changed_since_stays_and_the_rest_is_as_it_was():
    stick = MemoryStick({CONFIG_PATH: b'{ "theme": {"file": "/x"}, "menu_alias": [] }'})
    stage(stick, make_wanted(A, ("n1",)))
    document = json.loads(stick.files[CONFIG_PATH])
    document["control"] = [{"VTOY_MENU_TIMEOUT": "5"}]
    document["menu_alias"].append({"image": "/mine.iso", "alias": "Mine"})
    stick.files[CONFIG_PATH] = json.dumps(document).encode()
    stage(stick, make_wanted(A, ("n2",)))
    unstage(stick)
    assert json.loads(stick.files[CONFIG_PATH]) == {
        "theme": {"file": "/x"},
        "menu_alias": [{"image": "/mine.iso", "alias": "Mine"}],
        "control": [{"VTOY_MENU_TIMEOUT": "5"}],
    }
    assert stick.files.keys() == {CONFIG_PATH}


def test_a_file_that_the_user_made_after_the_stage_stays():
    stick = MemoryStick()
    stage(stick, make_wanted(A, ()))
    document = json.loads(stick.files[CONFIG_PATH]) | {"theme": {"file": "/x"}}
    stick.files[CONFIG_PATH] = json.dumps(document).encode()
    unstage(stick)
    assert json.loads(stick.files[CONFIG_PATH]) == {"theme": {"file": "/x"}}


def test_a_file_that_the_user_removed_since_is_not_brought_back():
    stick = MemoryStick({CONFIG_PATH: b'{"theme": {}}'})
    stage(stick, make_wanted(A, ()))
    del stick.files[CONFIG_PATH]
    unstage(stick)
    assert stick.files == {}


def test_an_adopted_iso_stays_and_is_named():
    stick = MemoryStick({"iso/a.iso": b"one", "x/b.iso": b"two"})
    stage(stick, make_wanted({"a.iso": b"one", "b.iso": b"two", "c.iso": b"three"}, ()))
    plan = unstage(stick)
    assert stick.files == {"iso/a.iso": b"one", "x/b.iso": b"two"}
    assert plan.stays == {"iso/a.iso": "yours", "x/b.iso": "yours"}


def test_an_iso_that_was_changed_since_stays():
    stick = MemoryStick()
    stage(stick, make_wanted(A, ()))
    stick.files["iso/a.iso"] = b"the user's"
    plan, rules = plan_for(stick)
    assert rules == [codes.CHANGED.code]
    apply_unstage(plan, stick)
    assert stick.files == {"iso/a.iso": b"the user's"}


@pytest.mark.parametrize("first", ["fleet", "other"])
def test_two_fleets_in_any_order(first):
    config = b'{ "theme": {"file": "/x"} }'
    stick = MemoryStick({CONFIG_PATH: config})
    stage(stick, make_wanted(A, ("n1",)))
    stage(stick, make_wanted({"b.iso": b"two"}, ("n9",), fleet="other"))
    unstage(stick, first)
    left = "other" if first == "fleet" else "fleet"
    assert f"/ventoy/{left}/".encode() in stick.files[CONFIG_PATH]
    assert f"/ventoy/{first}/".encode() not in stick.files[CONFIG_PATH]
    unstage(stick, left)
    assert json.loads(stick.files.pop(CONFIG_PATH)) == json.loads(config)
    assert stick.files == {}


class TestWithoutAManifest:
    @pytest.mark.parametrize("data", [None, b"", b"{", b"\xff"])
    def test_what_nobody_else_makes_goes_and_images_stay(self, data):
        before = {CONFIG_PATH: b'{ "theme": {"file": "/x"} }', "ventoy/fleet/notes.txt": b"mine"}
        stick = MemoryStick(before)
        stage(stick, make_wanted(A, ("n1",)))
        stick.files.pop(MANIFEST)
        if data is not None:
            stick.files[MANIFEST] = data
        unstage(stick, readable=False)
        assert stick.files == before | {p: stick.files[p] for p in ("iso/a.iso", "iso/a.iso.sha256")}

    def test_a_stage_without_it_takes_its_old_entries_out(self):
        """A power cut may take the manifest with it; the entries of the old set do not become the user's."""
        stick = MemoryStick({CONFIG_PATH: b'{"theme": {}}'})
        stage(stick, make_wanted(A, ("n1",)))
        old = json.loads(stick.files[MANIFEST])["generation"]
        del stick.files[MANIFEST]
        stage(stick, make_wanted(A, ("n2",)))
        assert old.encode() not in stick.files[CONFIG_PATH]
        assert stick.files[CONFIG_PATH].count(b'"/iso/a.iso"') == 5
        unstage(stick)
        assert stick.files[CONFIG_PATH] == b'{"theme": {}}'

    def test_an_entry_that_the_user_made_of_ours_stays(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ("n1",)))
        document = json.loads(stick.files[CONFIG_PATH])
        document["auto_install"][0]["template"].append("/mine.cfg")
        stick.files[CONFIG_PATH] = json.dumps(document).encode()
        unstage(stick)
        assert "/mine.cfg" in json.loads(stick.files[CONFIG_PATH])["auto_install"][0]["template"]
