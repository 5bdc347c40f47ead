"""What `stage`, `status`, `disarm` and `reimage` have in common: the armed state of a stick, shown and ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ventoy_kit.app.outcome import Block, Lines
from ventoy_kit.payload.model import Manifest
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Report
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.arm import (
    Change,
    State,
    apply_change,
    history_path,
    manifest_of,
    plan_disarm,
    survey_arming,
)
from ventoy_kit.stick.armed import Arming
from ventoy_kit.stick.held import damaged, held_paths
from ventoy_kit.stick.reconcile import Found


def arming_result(arming: Arming | None, now: datetime) -> dict[str, Any] | None:
    """An arming for `--json`; None in the toolbox state."""
    if arming is None:
        return None
    return {
        "fleet": arming.fleet,
        "node": arming.node,
        "image": arming.image,
        "generation": arming.generation,
        "id": arming.id,
        "code": arming.code,
        "expires": None if arming.until is None else arming.until.isoformat(),
        "expired": is_expired(arming, now),
        "wipes": list(arming.doomed),
        "destroys": list(arming.destroys),
    }


def is_expired(arming: Arming, now: datetime) -> bool:
    """Whether the machine will hand nothing over any more; an expiry that cannot be read counts as past."""
    return arming.until is None or now >= arming.until


def arming_line(arming: Arming, now: datetime) -> str:
    """An arming as a sentence."""
    until = "an unknown time" if arming.until is None else f"{arming.until:%Y-%m-%d %H:%M} UTC"
    when = f"expired at {until}" if is_expired(arming, now) else f"until {until}"
    return f"Armed for {arming.node} of {arming.fleet}: code {arming.code}, id {arming.id}, {when}."


@dataclass(frozen=True, slots=True)
class ArmedSide:
    """What arming has to do with a stage, or with the end of one.

    Attributes:
        state: the stick.
        disarm: how it becomes a toolbox.
        history: bytes of the fleet's history with some nodes let go, None if it stays.
        fleet: whose files are staged, or taken off.
        held: the generation that is held, by node.
        paths: the files of the manifest on the stick that are held.
    """

    state: State
    disarm: Change
    history: bytes | None
    fleet: str
    held: dict[str, str]
    paths: frozenset[str]

    def seen(self, found: Found) -> tuple[Found, Report]:
        """The survey as if the stick were a toolbox already; and what cannot be held any more."""
        config = found.config if self.disarm.config is None else self.disarm.config
        return replace(found, config=config), damaged(self.paths, found)

    def refusal(self) -> Report:
        """What keeps this fleet from being staged, or taken off."""
        arming = self.state.arming
        if arming is None or arming.fleet == self.fleet:
            return Report()
        message = f"the stick is armed for {arming.node} of the fleet {arming.fleet}"
        return Report([codes.ARMED_FOR_OTHER.finding(message, "Run `ventoy-kit disarm` first.")])

    @property
    def changes_nothing(self) -> bool:
        """Whether only the stage itself may have something to do."""
        return self.disarm.changes_nothing and self.history is None

    def apply(self, files: StickFiles) -> None:
        """Disarm, before anything is staged or taken off. Raises StorageError."""
        before = self.disarm.before
        if self.history is not None:
            before = (*before, (history_path(self.fleet), self.history))
        apply_change(replace(self.disarm, before=before), files)

    def blocks(self, now: datetime) -> Sequence[Block]:
        """What a person must know before agreeing to a stage."""
        lines = []
        if self.state.arming is not None:
            lines += [arming_line(self.state.arming, now), "It is disarmed first."]
        elif not self.disarm.changes_nothing:
            lines.append("What an interrupted arming left is removed first.")
        lines += [
            f"Kept for {node}: image and answers of generation {generation}, with which it was last armed."
            for node, generation in self.held.items()
        ]
        return [Lines(tuple(lines))] if lines else []

    def result(self, now: datetime) -> dict[str, Any]:
        """The same for `--json`."""
        return {"disarms": arming_result(self.state.arming, now), "held": self.held}


def look_at_arming(
    files: StickFiles, payload: Manifest, let_go: Sequence[str] = ()
) -> tuple[ArmedSide, Report]:
    """Look at the armed state of a stick that is going to be staged, or to be rid of a fleet.

    Args:
        files: the stick.
        payload: what was built; only its fleet and generation matter.
        let_go: nodes whose held files go.

    Raises:
        StorageError: it cannot be read.
    """
    state = survey_arming(files)
    before = manifest_of(files, payload.fleet)
    disarm, report = plan_disarm(state, before)
    history = state.history(payload.fleet)
    for node in let_go:
        if node not in history.nodes:
            known = ", ".join(sorted(history.nodes)) or "none"
            report.add(codes.NOT_HELD.finding(f"nothing is held for `{node}`", f"Held: {known}."))
    left = history.without(let_go)
    held = {n: h.generation for n, h in sorted(left.nodes.items()) if h.generation != payload.generation}
    changed = None if left == history else left.to_json()
    paths = held_paths(payload.generation, before, left)
    return ArmedSide(state, disarm, changed, payload.fleet, held, paths), report
