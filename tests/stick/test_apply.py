"""Staging onto a stick that fails at any moment: the old set or the new one, never the user's files, and it heals."""

import contextlib
import functools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stick.staging import (
    FOREIGN,
    MANIFEST,
    USER_CONFIG,
    WANTED,
    Wanted,
    digest,
    make_wanted,
    plan_of,
    stage,
)
from tests.support.fakes import BrokenStick, MemoryStick, Silent
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.model import Manifest
from ventoy_kit.stick.apply import Source, apply_plan, survey
from ventoy_kit.stick.reconcile import Action
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, dump_config, parse_config

FEW = settings(max_examples=max(40, settings().max_examples // 5))
"""Each example is a stage for every single change of a stage."""

ERRORS = (StorageError("the device went away"), KeyboardInterrupt())


def check_moment(files, builds, foreign) -> None:
    """Every file is whole, and the menu names images only together with the complete generation that is theirs."""
    for path, data in foreign.items():
        assert files[path] == data, path
    isos = {data for build in builds for path, data in build.data.items() if path.startswith("iso/")}
    generations = {p: d for b in builds for p, d in b.data.items() if not p.startswith("iso/")}
    for path in files.keys() - foreign.keys():
        if path.endswith(".iso"):
            assert files[path] in isos, path
        elif path.endswith(".iso.sha256"):
            beside = path.removesuffix(".sha256")
            text = f"{digest(files.get(beside, b''))}  {beside.removeprefix('iso/')}\n"
            assert beside not in files or files[path].decode() == text
        elif path in generations:
            assert files[path] == generations[path]
    if CONFIG_PATH in files:
        root, report = parse_config(files[CONFIG_PATH], CONFIG_PATH)
        assert root is not None, list(report)
        check_menu(json.loads(json_of(root)), files, builds)


def json_of(root) -> bytes:
    return dump_config(root)


def check_menu(menu, files, builds) -> None:
    """For every image that the menu gives a ticket, archive or boot menu to: all three, of one build, and its ISO."""
    by_generation = {b.manifest.generation: b for b in builds}
    seen: dict[str, set[tuple[str, str]]] = {}
    for plugin, key, value in (
        ("auto_install", "image", "template"),
        ("injection", "image", "archive"),
        ("conf_replace", "iso", "new"),
    ):
        for entry in menu.get(plugin, []):
            named = entry.get(value, [])
            for path in named if isinstance(named, list) else [named]:
                _, _, fleet, generation, image, _ = path.split("/")
                assert fleet == "fleet"
                seen.setdefault(entry[key], set()).add((generation, image))
                assert path[1:] in files
    for place, sets in seen.items():
        ((generation, image),) = sets
        build = by_generation[generation]
        assert files[place[1:]] == build.data[f"iso/{image}.iso"], (
            "the menu of one image, the bytes of another"
        )
        folder = f"ventoy/fleet/{generation}/{image}/"
        for path, data in build.data.items():
            if path.startswith(folder):
                assert files[path] == data
        assert all(any(e.get("image", e.get("iso")) == place for e in menu[p]) for p in OURS)


OURS = ("auto_install", "injection", "conf_replace", "menu_alias")


def check_final(files, last: Wanted, foreign) -> None:
    """The last build and the user's files, nothing else; each image once, wherever it lies."""
    manifest = Manifest.from_json(files[MANIFEST])
    assert manifest.complete
    recorded = {e.path: e.sha256 for e in manifest.entries}
    assert all(digest(files[p]) == d for p, d in recorded.items())
    assert files.keys() - {CONFIG_PATH} == {*foreign, *recorded, MANIFEST}
    for path, data in last.data.items():
        if not path.startswith("iso/"):
            assert files[path] == data
    isos = sorted(digest(d) for p, d in last.data.items() if p.startswith("iso/"))
    assert sorted(d for p, d in recorded.items() if p.endswith(".iso")) == isos
    others = recorded.keys() - last.data.keys()
    assert all(p.endswith((".iso", ".iso.sha256", "/before.json")) for p in others)
    check_moment(files, [last], foreign)
    if last.manifest.config["auto_install"]:
        menu = json.loads(json_of(parse_config(files[CONFIG_PATH], CONFIG_PATH)[0]))
        assert len([e for e in menu["injection"] if "/ventoy/fleet/" in e["archive"]]) == len(isos)


@FEW
@given(
    old=st.none() | WANTED,
    new=WANTED,
    foreign=FOREIGN,
    config=USER_CONFIG,
    how=st.sampled_from(["before", "middle", "after"]),
    error=st.sampled_from(ERRORS),
)
def test_whatever_fails_whenever_it_fails(old, new, foreign, config, how, error):
    start = MemoryStick(foreign | ({CONFIG_PATH: config} if config else {}))
    if old is not None:
        stage(start, old)
    whole = BrokenStick(start.files, -1, how, error)
    stage(whole, new)
    for at in range(whole.changes):
        stick = BrokenStick(start.files, at, how, error)
        with pytest.raises(type(error)):
            stage(stick, new)
        check_moment(stick.files, [b for b in (old, new) if b], foreign)
        stick.at = -1
        stage(stick, new)
        check_final(stick.files, new, foreign)
        plan, _, _ = plan_of(stick, new)
        assert plan.changes_nothing


@given(WANTED, FOREIGN, USER_CONFIG)
def test_a_second_stage_writes_nothing(wanted, foreign, config):
    stick = BrokenStick(foreign | ({CONFIG_PATH: config} if config else {}), -1, "", ERRORS[0])
    stage(stick, wanted)
    before, changes = dict(stick.files), stick.changes
    plan = stage(stick, wanted)
    assert plan.changes_nothing
    assert (stick.files, stick.changes) == (before, changes)


@given(st.lists(WANTED, min_size=2, max_size=4), FOREIGN)
def test_the_stick_holds_the_last_set_and_the_users_files_and_nothing_else(history, foreign):
    stick = MemoryStick(foreign)
    for wanted in history:
        stage(stick, wanted)
    check_final(stick.files, history[-1], foreign)


@FEW
@given(
    st.lists(
        st.tuples(WANTED, st.integers(0, 30), st.sampled_from(["before", "middle", "after"])), min_size=1
    ),
    WANTED,
)
def test_any_number_of_broken_stages_of_different_builds_heal(broken, last):
    """Each build that fails leaves an intent; the last one still ends with its own files alone."""
    stick = BrokenStick({"iso/mine.iso": b"mine"}, -1, "", ERRORS[0])
    for wanted, at, how in broken:
        stick.at, stick.how, stick.changes = at, how, 0
        with contextlib.suppress(StorageError):
            stage(stick, wanted)
        check_moment(stick.files, [b for b, _, _ in broken], {"iso/mine.iso": b"mine"})
    stick.at = -1
    stage(stick, last)
    check_final(stick.files, last, {"iso/mine.iso": b"mine"})


def test_nothing_is_written_before_what_it_depends_on():
    """Intent, images, generation, ventoy.json, manifest, and only then removals."""
    order: list[str] = []

    class Recorder(MemoryStick):
        def write(self, path, chunks, **more):
            order.append(path)
            super().write(path, chunks, **more)

        def remove(self, path):
            order.append(f"-{path}")
            super().remove(path)

        def flush(self):
            order.append("flush")

    old, new = make_wanted({"a.iso": b"one"}, ("n1",)), make_wanted({"b.iso": b"two"}, ("n1",))
    stick = Recorder()
    stage(stick, old)
    order.clear()
    stage(stick, new)
    isos = [i for i, p in enumerate(order) if p.startswith("iso/")]
    generation = [i for i, p in enumerate(order) if p.startswith(f"ventoy/fleet/{new.manifest.generation}/")]
    switch, removals = order.index(CONFIG_PATH), [i for i, p in enumerate(order) if p.startswith("-")]
    assert order[0] == MANIFEST
    assert max(isos) < min(generation)
    assert max(generation) < order.index("flush") < switch < min(removals)
    assert MANIFEST in order[switch : min(removals)]
    assert order[-2:] == [MANIFEST, "flush"]


def test_a_source_that_is_missing_is_an_error_and_not_a_success():
    wanted = make_wanted({"a.iso": b"one"}, ())
    stick = MemoryStick()
    plan, found, _ = plan_of(stick, wanted)
    sources: dict[str, Source] = {
        p: functools.partial(list, [d]) for p, d in wanted.data.items() if not p.startswith("iso/")
    }
    with pytest.raises(KeyError):
        apply_plan(plan, found, stick, sources, Silent())
    assert CONFIG_PATH not in stick.files


HOSTILE = {
    "up": {"path": "iso/../../etc/passwd"},
    "absolute": {"path": "/etc/passwd"},
    "a backslash": {"path": "iso\\..\\x"},
    "a drive": {"path": "C:/x"},
    "a user's folder": {"path": "photos/cat.jpg"},
    "another fleet's folder": {"path": "ventoy/other/x"},
    "ventoy.json": {"path": "ventoy/ventoy.json"},
    "a number as path": {"path": 5},
    "a surrogate": {"path": "iso/\ud800"},
    "an endless size": {"size": 1e999},
    "a size that is none": {"size": "x"},
    "an origin no text can hold": {"origin": "\ud800"},
}


class TestSurvey:
    def test_an_iso_of_a_complete_manifest_is_believed_by_its_size_unless_rechecked(self):
        wanted = make_wanted({"a.iso": b"one"}, ())
        stick = MemoryStick()
        stage(stick, wanted)
        stick.files["iso/a.iso"] = b"bad"
        assert plan_of(stick, wanted)[0].changes_nothing
        plan, _, _ = plan_of(stick, wanted, recheck=True)
        assert [(s.action, s.path) for s in plan.steps] == [(Action.REPLACE, "iso/a.iso")]

    def test_after_an_interrupted_stage_every_file_is_read(self):
        wanted = make_wanted({"a.iso": b"one"}, ())
        stick = MemoryStick()
        stage(stick, wanted)
        stick.files[MANIFEST] = stick.files[MANIFEST].replace(b'"complete": true', b'"complete": false')
        stick.files["iso/a.iso"] = b"bad"
        assert (Action.REPLACE, "iso/a.iso") in [(s.action, s.path) for s in plan_of(stick, wanted)[0].steps]

    def test_a_file_of_the_generation_that_was_changed_is_replaced(self):
        wanted = make_wanted({"a.iso": b"one"}, ())
        stick = MemoryStick()
        stage(stick, wanted)
        path = next(p for p in wanted.data if p.endswith("/auto"))
        stick.files[path] = stick.files[path][::-1]
        assert [s.path for s in stage(stick, wanted).steps] == [path]
        assert stick.files[path] == wanted.data[path]

    def test_only_names_that_the_kit_makes_are_leftovers(self):
        ours = "iso/.vk-0123456789ab.part"
        stick = MemoryStick({ours: b"12345", "iso/.vk-notes": b"", "ventoy/.vk-0123456789ab.parts": b""})
        found = survey(stick, make_wanted({}, ()).manifest, filesystem=None, recheck=False, progress=Silent())
        assert found.leftovers == {ours: 5}

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_entry_is_refused(self, name):
        wanted = make_wanted({"a.iso": b"one"}, ())
        stick = MemoryStick({"photos/cat.jpg": b"cat"})
        stage(stick, wanted)
        document = json.loads(stick.files[MANIFEST])
        document["files"][0] |= HOSTILE[name]
        stick.files[MANIFEST] = json.dumps(document).encode()
        with pytest.raises(ValueError, match=r"."):
            plan_of(stick, wanted)

    @pytest.mark.parametrize(
        "config",
        [
            5,
            [],
            {"auto_install": 5},
            {"auto_install": [1.5]},
            {"menu_alias": [{"a": [1e300]}]},
            {"x": {"y": []}},
        ],
    )
    def test_hostile_configuration_entries_are_refused(self, config):
        wanted = make_wanted({}, ())
        stick = MemoryStick()
        stage(stick, wanted)
        document = json.loads(stick.files[MANIFEST]) | {"config": config}
        stick.files[MANIFEST] = json.dumps(document).encode()
        try:
            plan, _, _ = plan_of(stick, wanted)
        except ValueError:
            return
        assert config == []  # an empty list is an empty map
        assert plan is not None

    @pytest.mark.parametrize(
        "data", [b"", b"{", b"\xff", b"[" * 100_000, b"5", b"[]", b"{}", b" " * (17 << 20), b'{"format": 2}']
    )
    def test_what_is_no_manifest_is_refused(self, data):
        stick = MemoryStick({MANIFEST: data})
        with pytest.raises(ValueError, match=r"."):
            plan_of(stick, make_wanted({}, ()))

    @given(st.binary(max_size=30) | st.text(alphabet='{}[]":,files0', max_size=60).map(str.encode))
    def test_no_bytes_break_the_reader_of_manifests(self, data):
        with pytest.raises(ValueError, match=r"."):
            plan_of(MemoryStick({MANIFEST: data}), make_wanted({}, ()))


def test_an_intent_lets_the_next_run_find_what_an_older_stage_left():
    """Old set, a broken stage of a second one, then a third: nothing of the first two remains."""
    one, two, three = (make_wanted({f"{c}.iso": c.encode()}, (c,)) for c in "abc")
    probe = BrokenStick({}, -1, "", ERRORS[0])
    stage(probe, one)
    base = dict(probe.files)
    probe.changes = 0
    stage(probe, two)
    for at in range(probe.changes):
        stick = BrokenStick(base, at, "after", ERRORS[0])
        with pytest.raises(StorageError):
            stage(stick, two)
        stick.at = -1
        stage(stick, three)
        check_final(stick.files, three, {})
