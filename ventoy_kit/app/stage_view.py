"""How a stage plan is shown, to people like a diff and to machines as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ventoy_kit.app.outcome import Block, Lines, Table, counted
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.stick.reconcile import Action, StagePlan, Step

SIGN = {Action.WRITE: "+", Action.REPLACE: "~", Action.ADOPT: "=", Action.KEEP: " ", Action.REMOVE: "-"}


def plan_table(plan: StagePlan, nothing: str) -> list[Block]:
    """The steps as a table, or one sentence if there are none."""
    if plan.changes_nothing:
        return [Lines((nothing,))]
    rows = tuple((f"{SIGN[s.action]} {s.action}", s.path, format_size(s.size), s.why) for s in plan.steps)
    kept = sum(s.size for s in plan.kept)
    total = f"{counted(len(plan.steps), 'step')}, {format_size(plan.write_bytes)} to write"
    total += f"; {counted(len(plan.kept), 'file')} kept ({format_size(kept)})" if plan.kept else ""
    return [Table(("", "file", "size", "why"), rows, path=1), Lines((total,))]


def done_text(steps: Sequence[Step]) -> str:
    """What was done to the files of a target, as a sentence."""
    count = Counter(step.action for step in steps)
    written = count[Action.WRITE] + count[Action.REPLACE]
    parts = [
        f"{counted(written, 'file')} written, read back and compared" if written else "",
        f"{counted(count[Action.ADOPT], 'image')} taken over as found" if count[Action.ADOPT] else "",
        f"{counted(count[Action.REMOVE], 'file')} removed" if count[Action.REMOVE] else "",
    ]
    return "; ".join(part for part in parts if part) + "." if steps else "All files were there already."


ASSUMED_RATE = 10_000_000
"""Bytes per second, written and read back, where nothing was measured yet: a common stick at USB 2.0."""


def time_needed(plan: StagePlan, rate: object) -> list[Block]:
    """How long writing will take, by the rate of the last stage onto such a target or by an assumed one.

    Nothing where that is a matter of seconds.
    """
    measured = isinstance(rate, int) and rate > 0
    speed = rate if isinstance(rate, int) and rate > 0 else ASSUMED_RATE
    seconds = plan.write_bytes // speed
    if seconds < 10:
        return []
    length = f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
    why = "as measured the last time" if measured else "an assumption"
    return [Lines((f"About {length} at {format_size(speed)} a second, written and read back ({why}).",))]


def plan_result(plan: StagePlan) -> dict[str, Any]:
    """The plan for `--json`."""
    return {
        "steps": [step_result(s) for s in plan.steps],
        "kept": [step_result(s) for s in plan.kept],
        "write_bytes": plan.write_bytes,
    }


def step_result(step: Step) -> dict[str, Any]:
    """A step for `--json`."""
    return {
        "action": str(step.action),
        "path": step.path,
        "size": step.size,
        "sha256": step.sha256,
        "origin": step.origin,
        "why": step.why,
    }
