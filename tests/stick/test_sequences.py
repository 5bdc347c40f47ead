"""Stage, arm, disarm and unstage in any order, each of them broken off anywhere: what must hold after every step.

ventoy.json is one that Ventoy reads, it names only files that are there and were verified, foreign bytes stay, and in
the end the user has the own ventoy.json back byte for byte.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.stick.staging import FLEET, FOREIGN, USER_CONFIG, WANTED, Wanted, digest, plan_of, sources
from tests.stick.test_apply import ERRORS
from tests.support.fakes import BrokenStick, MemoryStick, Silent
from ventoy_kit.app.arming import look_at_arming
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.payload.ticket import armed_ticket, plain_ticket, ticket_line
from ventoy_kit.stick.apply import apply_plan, survey
from ventoy_kit.stick.arm import (
    apply_change,
    history_path,
    manifest_of,
    plan_arm,
    plan_disarm,
    survey_arming,
    toolbox_of,
)
from ventoy_kit.stick.armed import Arming, delivery_of, expiry, new_id, referred_to
from ventoy_kit.stick.menu import read_menu
from ventoy_kit.stick.reconcile import manifest_path, reconcile
from ventoy_kit.stick.unstage import apply_unstage, plan_unstage
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, Obj, dump_config, parse_config

NOW = datetime(2026, 11, 23, 9, 45, tzinfo=UTC)
SOAK = bool(os.environ.get("VENTOY_KIT_SOAK"))
BREAK = st.one_of(
    st.none(),
    st.tuples(st.integers(0, 30), st.sampled_from(["before", "middle", "after"]), st.sampled_from(ERRORS)),
)
Break = tuple[int, str, BaseException] | None


def armable(wanted: Wanted) -> Wanted:
    """The same with the boot menu that an armed stick starts, for each image."""
    menus = {
        p.replace("/grub.cfg", "/grub-armed.cfg"): b"armed" for p in wanted.data if p.endswith("/grub.cfg")
    }
    entries = [*wanted.manifest.entries, *(Entry(p, 5, digest(d), "test") for p, d in menus.items())]
    ordered = tuple(sorted(entries, key=lambda e: e.path))
    return Wanted(replace(wanted.manifest, entries=ordered), {**wanted.data, **menus})


def stage(stick: MemoryStick, wanted: Wanted) -> None:
    """What `ventoy-kit stage` does with a stick that was judged."""
    armed, _ = look_at_arming(stick, wanted.manifest)
    found, _ = armed.seen(survey(stick, wanted.manifest, filesystem=None, recheck=False, progress=Silent()))
    recorded = found.manifest.config if found.manifest else None
    menu, _ = read_menu(found.config, recorded, found.before, FLEET)
    assert menu is not None
    plan, report = reconcile(wanted.manifest, found, menu, armed.paths)
    assert plan is not None, [f.message for f in report]
    armed.apply(stick)
    apply_plan(plan, found, stick, sources(wanted), Silent())


def arm(stick: MemoryStick, node: str) -> None:
    """What `ventoy-kit reimage` does; nothing where that node cannot be armed."""
    state, manifest = survey_arming(stick), manifest_of(stick, FLEET)
    delivery = delivery_of(manifest, node) if manifest and manifest.complete else None
    if manifest is None or delivery is None or not {*delivery.files} <= stick.files.keys():
        return
    data = toolbox_of(state, manifest) or dump_config(Obj())
    root, _ = parse_config(data, CONFIG_PATH)
    assert root is not None
    one = new_id(NOW, "1a2b3c4d", state.ids)
    ends = expiry(one, timedelta(hours=24))
    arming = Arming(one, ends, FLEET, manifest.generation, node, "First", delivery.image, ("disk0",))
    line = ticket_line(FLEET, manifest.generation, delivery.image, node)
    ticket = armed_ticket(plain_ticket(line, node), arming.id, arming.expires)
    change, _, _ = plan_arm(state, (data, root), arming, delivery, ticket)
    apply_change(change, stick)


def disarm(stick: MemoryStick) -> None:
    """What `ventoy-kit disarm` does."""
    state = survey_arming(stick)
    manifest = manifest_of(stick, state.arming.fleet) if state.arming else None
    apply_change(plan_disarm(state, manifest)[0], stick)


def unstage(stick: MemoryStick) -> None:
    """What `ventoy-kit unstage` does."""
    nothing = Manifest(FLEET, "", (), {})
    armed, _ = look_at_arming(stick, nothing)
    found, _ = armed.seen(survey(stick, nothing, filesystem=None, recheck=False, progress=Silent()))
    menu, _ = read_menu(found.config, found.manifest.config if found.manifest else None, found.before, FLEET)
    assert menu is not None
    records = (history_path(FLEET), manifest_path(FLEET))
    last = {p: len(stick.files[p]) for p in records if p in stick.files}
    plan, _ = plan_unstage(found, menu, FLEET, last)
    armed.apply(stick)
    apply_unstage(plan, stick)


class Sequence(RuleBasedStateMachine):
    """A stick of a user, and what its owner does with it."""

    def __init__(self) -> None:
        super().__init__()
        self.stick = MemoryStick()
        self.start: dict[str, bytes] = {}
        self.verified: set[str] = set()
        self.last: Wanted | None = None

    @initialize(foreign=FOREIGN, config=USER_CONFIG)
    def plug_in(self, foreign: dict[str, bytes], config: bytes | None) -> None:
        self.start = foreign | ({CONFIG_PATH: config} if config else {})
        self.stick = MemoryStick(self.start)
        self.verified = {digest(d) for d in self.start.values()}

    def does(self, action, *args, broken: Break) -> None:
        """Carry it out, or break off at some change; then everything must hold, and the invariants look at it."""
        if broken is None:
            action(self.stick, *args)
            return
        at, how, error = broken
        stick = BrokenStick(self.stick.files, at, how, error)
        with contextlib.suppress(StorageError, KeyboardInterrupt):
            action(stick, *args)
        self.stick = MemoryStick(stick.files)

    @rule(wanted=WANTED.map(armable), broken=BREAK)
    def stages(self, wanted: Wanted, broken: Break) -> None:
        self.verified |= {e.sha256 for e in wanted.manifest.entries}
        self.last = wanted
        self.does(stage, wanted, broken=broken)

    @precondition(lambda self: self.last is not None)
    @rule(broken=BREAK)
    def stages_again(self, broken: Break) -> None:
        assert self.last is not None
        self.does(stage, self.last, broken=broken)

    @rule(node=st.sampled_from(["n1", "n2", "n3"]), broken=BREAK)
    def arms(self, node: str, broken: Break) -> None:
        self.does(arm, node, broken=broken)

    @rule(broken=BREAK)
    def disarms(self, broken: Break) -> None:
        self.does(disarm, broken=broken)

    @rule(broken=BREAK)
    def unstages(self, broken: Break) -> None:
        self.does(unstage, broken=broken)

    @precondition(lambda self: self.last is not None)
    @rule()
    def a_second_stage_is_empty(self) -> None:
        assert self.last is not None
        stage(self.stick, self.last)
        before = dict(self.stick.files)
        stage(self.stick, self.last)
        assert self.stick.files == before
        plan, _, _ = plan_of(
            self.stick, self.last, held=tuple(look_at_arming(self.stick, self.last.manifest)[0].paths)
        )
        assert plan.changes_nothing

    @invariant()
    def ventoy_reads_its_configuration_and_all_that_it_names_is_verified(self) -> None:
        config = self.stick.files.get(CONFIG_PATH)
        if config is None or config == self.start.get(CONFIG_PATH):
            return
        root, report = parse_config(config, CONFIG_PATH)
        assert root is not None, [f.message for f in report]
        for word in config.decode("utf-8-sig").split('"'):
            if word.startswith(("/iso/", f"/ventoy/{FLEET}/")) and word != "/iso/mine.iso":
                assert word[1:] in self.stick.files, word
                if "/armed-" not in word:
                    assert digest(self.stick.files[word[1:]]) in self.verified, word

    @invariant()
    def an_armed_stick_has_everything_of_one_arming(self) -> None:
        reference = referred_to(self.stick.files.get(CONFIG_PATH))
        if reference is not None:
            state = survey_arming(self.stick)
            assert state.arming is not None
            assert not state.lost
            assert not state.edited
            assert f"arming={reference[1]}-".encode() in self.stick.files[state.arming.ticket]

    @invariant()
    def foreign_bytes_stay(self) -> None:
        files = self.stick.files
        assert {p: files.get(p) for p in self.start if p != CONFIG_PATH} == {
            p: d for p, d in self.start.items() if p != CONFIG_PATH
        }

    @invariant()
    def the_manifest_can_be_read(self) -> None:
        data = self.stick.files.get(manifest_path(FLEET))
        assert data is None or isinstance(json.loads(data), dict)

    def teardown(self) -> None:
        """Whatever happened: after a disarm and an unstage the stick is what its owner plugged in."""
        disarm(self.stick)
        unstage(self.stick)
        assert self.stick.files == self.start


TestSequence = Sequence.TestCase
TestSequence.settings = settings(
    max_examples=1000 if SOAK else 60,
    stateful_step_count=40 if SOAK else 12,
    deadline=None,
    phases=[Phase.generate],
)
