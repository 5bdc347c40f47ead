"""What a stage decides: what is whose, what fits, and what is never touched."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stick.staging import (
    FOREIGN,
    MANIFEST,
    WANTED,
    Wanted,
    digest,
    make_wanted,
    plan_of,
    sources,
    stage,
)
from tests.support.fakes import MemoryStick, Silent
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.apply import apply_plan
from ventoy_kit.stick.locate import checksum_file
from ventoy_kit.stick.menu import Menu
from ventoy_kit.stick.parts import part_path
from ventoy_kit.stick.reconcile import ADOPTED, FAT32_LIMIT, SLACK, Action, Found, reconcile, room_for
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, Obj

A = {"a.iso": b"one"}


def actions(plan) -> dict[str, Action]:
    return {s.path: s.action for s in plan.steps}


def test_an_empty_stick_gets_everything():
    wanted = make_wanted(A, ("n1",))
    plan, _, report = plan_of(MemoryStick(), wanted)
    assert len(report) == 0
    everything = [*wanted.data, "iso/a.iso.sha256", CONFIG_PATH, MANIFEST]
    assert actions(plan) == dict.fromkeys(everything, Action.WRITE)
    assert plan.write_bytes == sum(s.size for s in plan.steps)


def test_the_order_of_the_steps_does_not_hang_on_a_digest():
    """A generation may be called `0...` or `f...`: what a user compares with the last time stands at the same place."""
    order = []
    for name in ("00000000", "ffffffff"):
        entries = tuple(
            Entry(path, 1, digest(path.encode()), "test")
            for path in (f"ventoy/fleet/{name}/a/auto", "ventoy/fleet/checklists/n.txt", "iso/a.iso")
        )
        wanted = Manifest("fleet", name, tuple(sorted(entries, key=lambda e: e.path)), {})
        plan, _, _ = plan_of(MemoryStick(), Wanted(wanted, {}))
        assert list(plan.wanted.entries) == sorted(plan.wanted.entries, key=lambda e: e.path)
        order.append([s.path.replace(name, "GENERATION") for s in plan.steps])
    assert order[0] == order[1]


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

    def test_an_empty_file_at_its_place_is_in_the_way_too(self):
        """After a power cut an image of ours can be empty, and is written again; of anybody else's nothing is known."""
        for start, rules in (({"iso/a.iso": b"one"}, [codes.IN_THE_WAY]), ({}, [])):
            stick = MemoryStick(start)
            stage(stick, make_wanted(A, ()))
            stick.files["iso/a.iso"] = b""
            assert [f.rule for f in plan_of(stick, make_wanted(A, ()))[2]] == rules
        stage(stick, make_wanted(A, ()))
        assert stick.files["iso/a.iso"] == b"one"

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
    def test_of_new_bytes_under_the_same_name_gets_a_name_of_its_own(self, data):
        """So that no menu ever names one ISO and means another."""
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        new = make_wanted({"a.iso": data}, ())
        place = f"iso/a.{digest(data)[:8]}.iso"
        plan = stage(stick, new)
        assert actions(plan)[place] is Action.WRITE
        assert actions(plan)["iso/a.iso"] is Action.REMOVE
        assert stick.files[place] == data
        assert b'"/iso/a.iso"' not in stick.files[CONFIG_PATH]
        assert stick.files[CONFIG_PATH].count(f'"/{place}"'.encode()) == 5
        assert plan_of(stick, new)[0].changes_nothing
        stage(stick, make_wanted(A, ()))  # the vendor's name is free again
        assert {p for p in stick.files if p.startswith("iso/")} == {"iso/a.iso", "iso/a.iso.sha256"}

    def test_begun_under_a_name_of_its_own_it_is_gone_on_with_there(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        place = f"iso/a.{digest(b'two')[:8]}.iso"
        part = part_path(place, digest(b"two"), ".vk-")
        stick.files |= {part: b"t", "iso/.vk-0123456789ab.part": b"of another image"}
        plan, _, _ = plan_of(stick, make_wanted({"a.iso": b"two"}, ()))
        whys = {s.path: s.why for s in plan.steps}
        assert whys[place] == "begun by an interrupted run, goes on from there"
        assert part not in whys
        assert whys["iso/.vk-0123456789ab.part"] == "left by an interrupted run"

    def test_the_part_of_what_was_adopted_meanwhile_goes(self):
        stick = MemoryStick({"mine.iso": b"one"})
        part = part_path("iso/a.iso", digest(b"one"), ".vk-")
        stick.files[part] = b"o"
        plan = stage(stick, make_wanted(A, ()))
        assert actions(plan)["mine.iso"] is Action.ADOPT
        assert part not in stick.files

    def test_renamed_in_the_fleet_it_is_known_by_its_digest_and_not_copied(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        new = make_wanted({"b.iso": b"one"}, ())
        plan = stage(stick, new)
        assert [(s.path, s.why) for s in plan.kept if s.path.endswith(".iso")] == [
            ("iso/a.iso", "same bytes, iso/b.iso by its digest")
        ]
        assert "iso/b.iso" not in stick.files
        assert stick.files[CONFIG_PATH].count(b'"/iso/a.iso"') == 5
        assert plan_of(stick, new)[0].changes_nothing

    def test_moved_by_the_user_it_is_used_there_and_theirs_from_then_on(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stick.files["installers/pve.iso"] = stick.files.pop("iso/a.iso")
        plan = stage(stick, make_wanted(A, ()))
        assert actions(plan)["installers/pve.iso"] is Action.ADOPT
        assert plan.write_bytes < 3000
        assert plan_of(stick, make_wanted(A, ()))[0].changes_nothing
        stage(stick, make_wanted({}, ()))
        assert stick.files["installers/pve.iso"] == b"one"

    def test_two_that_change_their_names_are_not_copied(self):
        stick = MemoryStick()
        stage(stick, make_wanted({"a.iso": b"one", "b.iso": b"two"}, ()))
        plan = stage(stick, make_wanted({"a.iso": b"two", "b.iso": b"one"}, ()))
        assert not [s for s in plan.steps if s.path.endswith(".iso")]
        assert (stick.files["iso/a.iso"], stick.files["iso/b.iso"]) == (b"one", b"two")

    def test_what_is_held_stays_with_its_place_in_the_manifest(self):
        stick = MemoryStick()
        old, new = make_wanted(A, ("n1",)), make_wanted({"b.iso": b"two"}, ("n1",))
        stage(stick, old)
        held = tuple(old.data)
        plan, found, _ = plan_of(stick, new, held=held)
        apply_plan(plan, found, stick, sources(new), Silent())
        assert {p: stick.files.get(p) for p in old.data} == dict(old.data)
        assert b"/iso/a.iso" not in stick.files[CONFIG_PATH]
        assert plan_of(stick, new, held=held)[0].changes_nothing
        stage(stick, new)
        assert set(old.data) & set(stick.files) == set(old.data) & set(new.data)

    def test_what_is_held_and_damaged_is_not_held_any_more(self):
        stick = MemoryStick()
        old, new = make_wanted(A, ("n1",)), make_wanted({"a.iso": b"two"}, ("n1",))
        stage(stick, old)
        ticket = next(p for p in old.data if p.endswith("/n1"))
        stick.files[ticket] += b"longer"
        plan, found, _ = plan_of(stick, new, held=tuple(old.data))
        apply_plan(plan, found, stick, sources(new), Silent())
        assert ticket not in stick.files
        assert stick.files["iso/a.iso"] == b"one"
        assert stick.files[f"iso/a.{digest(b'two')[:8]}.iso"] == b"two"

    def test_damaged_it_is_written_again_in_its_place(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stick.files["iso/a.iso"] = b"bad"
        plan, _, _ = plan_of(stick, make_wanted(A, ()), recheck=True)
        assert actions(plan) == {"iso/a.iso": Action.REPLACE}


class TestElsewhere:
    def test_an_iso_of_the_user_anywhere_is_used_where_it_lies(self):
        stick = MemoryStick({"linux/Proxmox/PVE.iso": b"one", "linux/other.iso": b"own"})
        plan = stage(stick, make_wanted(A, ("n1",)))
        assert actions(plan)["linux/Proxmox/PVE.iso"] is Action.ADOPT
        assert not [p for p in stick.files if p.startswith("iso/")]
        assert b'"/linux/Proxmox/PVE.iso"' in stick.files[CONFIG_PATH]
        assert plan_of(stick, make_wanted(A, ("n1",)))[0].changes_nothing

    def test_only_files_of_the_right_size_are_read(self):
        class Counting(MemoryStick):
            read_files: tuple[str, ...] = ()

            def sha256(self, path, progress=None):
                self.read_files += (path,)
                return super().sha256(path, progress)

        stick = Counting({"x/same.iso": b"own", "x/longer.iso": b"longer", "x/same.txt": b"one"})
        plan_of(stick, make_wanted(A, ()))
        assert stick.read_files == ("x/same.iso",)

    @pytest.mark.parametrize(
        "path",
        [
            "my isos/a.iso",
            "x/a(1).iso",
            "x/a#.iso",
            "x/a$b.iso",
            ".hidden/a.iso",
            "x/a_vtgrub2.iso",
            "y" * 250 + ".iso",
        ],
    )
    def test_a_path_that_ventoy_or_its_hooks_stumble_over_is_not_used(self, path):
        stick = MemoryStick({path: b"one"})
        stage(stick, make_wanted(A, ()))
        assert stick.files["iso/a.iso"] == b"one"
        assert stick.files[path] == b"one"

    def test_when_the_user_takes_it_away_it_is_written(self):
        stick = MemoryStick({"linux/pve.iso": b"one"})
        stage(stick, make_wanted(A, ()))
        del stick.files["linux/pve.iso"]
        stage(stick, make_wanted(A, ()))
        assert stick.files["iso/a.iso"] == b"one"
        assert b"linux/pve.iso" not in stick.files[CONFIG_PATH]

    def test_one_file_stands_for_one_image(self):
        stick = MemoryStick({"linux/pve.iso": b"one"})
        wanted = make_wanted({"a.iso": b"one", "b.iso": b"one"}, ())
        stage(stick, wanted)
        assert [p for p in stick.files if p.endswith(".iso")] == ["linux/pve.iso", "iso/b.iso"]
        assert plan_of(stick, wanted)[0].changes_nothing


class NoCase(MemoryStick):
    """Names like exFAT's: kept as they were given, found in any case."""

    def name(self, path):
        return next((p for p in self.files if p.casefold() == path.casefold()), path)

    def size(self, path):
        return super().size(self.name(path))

    def read(self, path):
        return super().read(self.name(path))

    def sha256(self, path, progress=None):
        return super().sha256(self.name(path), progress)

    def write(self, path, chunks, **more):
        data = b"".join(chunks)
        self.files.pop(self.name(path), None)
        super().write(path, [data], **more)

    def remove(self, path):
        super().remove(self.name(path))


class TestCase:
    """exFAT finds a file by any case; Ventoy's plugins know it by its own alone."""

    def test_ours_renamed_in_case_only_stays_and_the_menu_names_it_as_it_is(self):
        stick = NoCase()
        stage(stick, make_wanted({"A.iso": b"one"}, ()))
        new = make_wanted(A, ())
        stage(stick, new)
        assert stick.files["iso/A.iso"] == b"one"
        assert stick.files[CONFIG_PATH].count(b'"/iso/A.iso"') == 5
        assert plan_of(stick, new)[0].changes_nothing

    def test_the_users_of_other_case_is_adopted_under_its_own_name(self):
        stick = NoCase({"iso/A.iso": b"one"})
        stage(stick, make_wanted(A, ()))
        assert b'"/iso/A.iso"' in stick.files[CONFIG_PATH]
        stage(stick, make_wanted({}, ()))
        assert stick.files["iso/A.iso"] == b"one"

    @pytest.mark.parametrize("data", [b"own", b"longer"])
    def test_the_users_of_other_case_and_bytes_is_in_the_way_and_not_overwritten(self, data):
        stick = NoCase({"iso/A.ISO": data})
        plan, _, report = plan_of(stick, make_wanted(A, ()))
        assert plan is None
        assert [f.rule for f in report] == [codes.IN_THE_WAY]

    def test_ours_of_other_case_and_bytes_gets_a_neighbour(self):
        stick = NoCase()
        stage(stick, make_wanted({"A.iso": b"two"}, ()))
        stage(stick, make_wanted(A, ()))
        assert [p for p in stick.files if p.endswith(".iso")] == [f"iso/a.{digest(b'one')[:8]}.iso"]


class TestChecksumFiles:
    def test_ventoy_and_sha256sum_can_read_them(self, tmp_path):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        data = stick.files["iso/a.iso.sha256"]
        assert data[:64].decode() == digest(b"one")  # ventoy_cmp_checksum takes the first characters
        for name in ("a.iso", "a.iso.sha256"):
            (tmp_path / name).write_bytes(stick.files[f"iso/{name}"])
        subprocess.run(["sha256sum", "--check", "--strict", "a.iso.sha256"], cwd=tmp_path, check=True)

    def test_a_name_with_an_equals_sign_is_left_out_since_ventoy_reads_what_follows_it(self):
        entry = Entry("iso/a=b.iso", 3, "0" * 64, "x")
        assert checksum_file(entry) == b"0" * 64 + b"\n"

    def test_one_of_the_user_stays(self):
        stick = MemoryStick({"iso/a.iso.sha256": b"mine"})
        stage(stick, make_wanted(A, ()))
        stage(stick, make_wanted({}, ()))
        assert stick.files["iso/a.iso.sha256"] == b"mine"

    def test_a_changed_one_of_ours_is_written_again(self):
        stick = MemoryStick()
        stage(stick, make_wanted(A, ()))
        stick.files["iso/a.iso.sha256"] = stick.files["iso/a.iso.sha256"][::-1]
        assert [s.path for s in stage(stick, make_wanted(A, ())).steps] == ["iso/a.iso.sha256"]


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
        stage(stick, make_wanted({"a.iso": b"two"}, ()))
        assert stick.files["iso/a.iso"] == b"one"
        assert stick.files[f"iso/a.{digest(b'two')[:8]}.iso"] == b"two"
        assert not [s for s in plan_of(stick, self.other(A))[0].steps if s.path.endswith(".iso")]

    def test_a_broken_manifest_of_another_fleet_is_no_obstacle(self):
        stick = MemoryStick({"ventoy/other/manifest.json": b"{", "ventoy/x/y/manifest.json": b"5"})
        stage(stick, make_wanted(A, ()))


class TestRoom:
    def test_everything_must_fit_before_the_first_byte(self):
        wanted = make_wanted({"a.iso": b"x" * (1 << 20)}, ("n1",))
        plan, _, _ = plan_of(MemoryStick(), wanted)
        for free, fits in ((plan.write_bytes, False), (plan.write_bytes + (2 << 20), True)):
            found, _, report = plan_of(MemoryStick(free=free), wanted)
            assert (found is not None) == fits
            assert [f.rule for f in report] == ([] if fits else [codes.NO_SPACE])

    def test_small_files_and_folders_take_a_cluster_each(self):
        class Coarse(MemoryStick):
            def cluster(self):
                return 128 * 1024

        wanted = make_wanted(A, tuple(f"n{i}" for i in range(200)))
        plan, _, report = plan_of(Coarse(free=20 << 20), wanted)
        assert plan is None
        assert [f.rule for f in report] == [codes.NO_SPACE]
        assert plan_of(MemoryStick(free=20 << 20), wanted)[0] is not None
        assert room_for([("a/b/c", 1), ("a/b/d", 4097)], 4096) == 3 * 4096 + 3 * 4096 + SLACK

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

    def test_what_could_go_is_said_ours_first_and_the_users_largest(self):
        stick = MemoryStick({f"films/{n}.mkv": b"x" * n * 1000 for n in (1, 2, 3, 4)})
        stage(stick, make_wanted({"a.iso": b"x" * 5_000_000}, ()))
        stick.room = 0
        _, _, report = plan_of(stick, make_wanted({"b.iso": b"y" * 100}, ()))
        (finding,) = report
        assert (
            "unstage` removes 10 MB that only the old set needs, after which the new ones fit"
            in finding.remedy
        )
        assert "films/4.mkv (4 KB), films/3.mkv (3 KB), films/2.mkv (2 KB)." in finding.remedy
        assert "a.iso" not in finding.remedy

    @pytest.mark.parametrize(("filesystem", "fits"), [("vfat", False), ("exfat", True), (None, True)])
    def test_fat_takes_no_file_of_4_gib(self, filesystem, fits):
        for size, small in ((FAT32_LIMIT, True), (FAT32_LIMIT + 1, False)):
            manifest = Manifest("fleet", "00000000", (Entry("iso/a.iso", size, "0" * 64, "x"),), {})
            found = Found(None, {}, {}, None, 1 << 40, filesystem)
            plan, report = reconcile(manifest, found, Menu(None, Obj(), {}, None))
            assert (plan is not None) == (fits or small)
            assert [f.rule for f in report] == ([] if fits or small else [codes.FILE_TOO_LARGE])
