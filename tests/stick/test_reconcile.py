"""What a stage decides: what is whose, what fits, and what is never touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stick.staging import FOREIGN, MANIFEST, WANTED, make_wanted, plan_of, stage
from tests.support.fakes import MemoryStick
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.reconcile import ADOPTED, FAT32_LIMIT, Action, Found, reconcile
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

A = {"a.iso": b"one"}


def actions(plan) -> dict[str, Action]:
    return {s.path: s.action for s in plan.steps}


def test_an_empty_stick_gets_everything():
    wanted = make_wanted(A, ("n1",))
    plan, _, report = plan_of(MemoryStick(), wanted)
    assert len(report) == 0
    assert actions(plan) == dict.fromkeys([*wanted.data, CONFIG_PATH, MANIFEST], Action.WRITE)
    assert plan.write_bytes == sum(s.size for s in plan.steps)


@given(st.none() | WANTED, WANTED, FOREIGN)
def test_no_step_names_a_file_of_the_user(old, new, foreign):
    stick = MemoryStick(foreign)
    if old is not None:
        stage(stick, old)
    plan, _, _ = plan_of(stick, new)
    assert not {s.path for s in plan.steps} & set(foreign)
    assert len({s.path for s in plan.steps}) == len(plan.steps)


class TestTheUsersIso:
    def test_with_other_bytes_it_is_in_the_way(self):
        for data in (b"own", b"longer"):
            plan, _, report = plan_of(MemoryStick({"iso/a.iso": data}), make_wanted(A, ()))
            assert plan is None
            assert [f.rule for f in report] == [codes.IN_THE_WAY]

    def test_with_the_same_bytes_it_is_adopted_and_kept_for_ever(self):
        stick = MemoryStick({"iso/a.iso": b"one"})
        assert actions(plan_of(stick, make_wanted(A, ()))[0])["iso/a.iso"] is Action.ADOPT
        for nodes in ((), ("n1",), ("n2",)):
            stage(stick, make_wanted(A, nodes))
            entry = next(
                e for e in Manifest.from_json(stick.files[MANIFEST]).entries if e.path == "iso/a.iso"
            )
            assert entry.origin == f"{ADOPTED}test"
            assert plan_of(stick, make_wanted(A, nodes))[0].changes_nothing
        stage(stick, make_wanted({"b.iso": b"two"}, ()))
        assert stick.files["iso/a.iso"] == b"one"
        stage(stick, make_wanted({}, ()))
        assert stick.files.keys() == {"iso/a.iso", CONFIG_PATH, MANIFEST}

    def test_adopted_and_then_replaced_by_the_user_it_is_in_the_way(self):
        stick = MemoryStick({"iso/a.iso": b"one"})
        stage(stick, make_wanted(A, ()))
        stick.files["iso/a.iso"] = b"another one"
        plan, _, report = plan_of(stick, make_wanted(A, ()))
        assert plan is None
        assert [f.rule for f in report] == [codes.IN_THE_WAY]

    def test_adopted_and_then_removed_by_the_user_it_is_ours_when_written(self):
        stick = MemoryStick({"iso/a.iso": b"one"})
        stage(stick, make_wanted(A, ()))
        del stick.files["iso/a.iso"]
        stage(stick, make_wanted(A, ()))
        stage(stick, make_wanted({}, ()))
        assert "iso/a.iso" not in stick.files

    def test_put_in_the_place_of_ours_it_is_neither_overwritten_nor_removed(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stick.files["iso/a.iso"] = b"the user's"
        plan, _, report = plan_of(stick, make_wanted(A, ()))
        assert plan is None
        assert [f.rule for f in report] == [codes.IN_THE_WAY]
        plan, _, report = plan_of(stick, make_wanted({}, ()))
        assert [f.rule for f in report] == [codes.CHANGED]
        stage(stick, make_wanted({}, ()))
        assert stick.files["iso/a.iso"] == b"the user's"

    def test_of_the_same_size_a_recheck_tells_it_from_ours(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stick.files["iso/a.iso"] = b"own"
        plan, _, report = plan_of(stick, make_wanted({}, ()), recheck=True)
        assert [f.rule for f in report] == [codes.CHANGED]
        assert "iso/a.iso" not in actions(plan)


class TestOurIso:
    def test_no_longer_in_the_fleet_it_is_removed(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stage(stick, make_wanted({"b.iso": b"two"}, ()))
        assert "iso/a.iso" not in stick.files
        assert stick.files["iso/b.iso"] == b"two"

    @pytest.mark.parametrize("data", [b"two", b"longer than before"])
    def test_of_new_bytes_under_the_same_name_it_is_replaced(self, data):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        new = make_wanted({"a.iso": data}, ())
        assert actions(plan_of(stick, new)[0])["iso/a.iso"] is Action.REPLACE
        stage(stick, new)
        assert stick.files["iso/a.iso"] == data

    def test_renamed_in_case_only_it_is_not_removed_behind_its_own_back(self):
        """exFAT takes both names for one file."""
        old, new = make_wanted({"A.iso": b"one"}, ()), make_wanted(A, ())
        stick = MemoryStick()
        stage(stick, old)
        stick.files["iso/a.iso"] = stick.files["iso/A.iso"]
        plan, _, _ = plan_of(stick, new)
        assert "iso/A.iso" not in actions(plan)


class TestTwoFleets:
    def other(self, isos):
        return make_wanted(isos, ("n9",), fleet="other")

    def test_each_leaves_the_files_and_entries_of_the_other_alone(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ("n1",)))
        mine = {p: d for p, d in stick.files.items() if p.startswith("ventoy/fleet/")}
        stage(stick, self.other({"b.iso": b"two"}))
        assert {p: d for p, d in stick.files.items() if p.startswith("ventoy/fleet/")} == mine
        assert b"/iso/a.iso" in stick.files[CONFIG_PATH]
        assert b"/iso/b.iso" in stick.files[CONFIG_PATH]
        assert plan_of(stick, make_wanted(A, ("n1",)))[0].changes_nothing

    def test_an_iso_that_both_use_stays_until_neither_needs_it(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stage(stick, self.other(A))
        _, _, report = plan_of(stick, make_wanted({}, ()))
        assert [f.rule for f in report] == [codes.OTHER_FLEET]
        assert not report.has_errors
        stage(stick, make_wanted({}, ()))
        assert stick.files["iso/a.iso"] == b"one"

    def test_an_iso_that_both_use_is_not_replaced_by_one(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stage(stick, self.other(A))
        plan, _, report = plan_of(stick, make_wanted({"a.iso": b"two"}, ()))
        assert plan is None
        assert [f.rule for f in report] == [codes.IN_THE_WAY]
        assert "other" in report.findings[0].message

    def test_a_broken_manifest_of_another_fleet_is_no_obstacle(self):
        stick = MemoryStick({"ventoy/other/manifest.json": b"{", "ventoy/x/y/manifest.json": b"5"})
        stage(stick, make_wanted(A, ()))


class TestRoom:
    def test_everything_must_fit_before_the_first_byte(self):
        wanted = make_wanted({"a.iso": b"x" * (1 << 20)}, ("n1",))
        plan, _, _ = plan_of(MemoryStick(), wanted)
        for free, fits in ((plan.write_bytes, False), (plan.write_bytes + (8 << 20), True)):
            found, _, report = plan_of(MemoryStick(free=free), wanted)
            assert (found is not None) == fits
            assert [f.rule for f in report] == ([] if fits else [codes.NO_SPACE])

    def test_small_files_take_a_cluster_each(self):
        wanted = make_wanted(A, tuple(f"n{i}" for i in range(200)))
        plan, _, report = plan_of(MemoryStick(free=20 << 20), wanted)
        assert plan is None
        assert [f.rule for f in report] == [codes.NO_SPACE]

    def test_what_an_interrupted_run_left_counts_as_free(self):
        wanted = make_wanted({"a.iso": b"x" * (3 << 20)}, ())
        stick = MemoryStick({"iso/.vk-0123456789ab.part": b"x" * (3 << 20)}, free=6 << 20)
        plan, _, _ = plan_of(stick, wanted)
        assert plan is not None
        del stick.files["iso/.vk-0123456789ab.part"]
        assert plan_of(stick, wanted)[0] is None

    def test_a_stick_that_is_complete_needs_no_room(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stick.room = 0
        assert plan_of(stick, make_wanted(A, ()))[0].changes_nothing

    def test_what_would_be_freed_is_said(self):
        stick = MemoryStick()
        stage(stick, make_wanted({"a.iso": b"x" * 5_000_000}, ()))
        stick.room = 0
        _, _, report = plan_of(stick, make_wanted({}, ()))
        assert "10 MB" in report.findings[0].remedy

    @pytest.mark.parametrize(("filesystem", "fits"), [("vfat", False), ("exfat", True), (None, True)])
    def test_fat_takes_no_file_of_4_gib(self, filesystem, fits):
        for size, small in ((FAT32_LIMIT, True), (FAT32_LIMIT + 1, False)):
            manifest = Manifest("fleet", "00000000", (Entry("iso/a.iso", size, "0" * 64, "x"),), {})
            found = Found(None, {}, {}, None, 1 << 40, filesystem)
            plan, report = reconcile(manifest, found, b"{}")
            assert (plan is not None) == (fits or small)
            assert [f.rule for f in report] == ([] if fits or small else [codes.FILE_TOO_LARGE])
