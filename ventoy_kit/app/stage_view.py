"""How a stage plan is shown, to people like a diff and to machines as data."""

from __future__ import annotations

from typing import Any

from ventoy_kit.app.outcome import Block, Lines, Table, counted
from ventoy_kit.fleet.values import format_size
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
    return [Table(("", "file", "size", "why"), rows), Lines((total,))]


def plan_result(plan: StagePlan) -> dict[str, Any]:
    """The plan for `--json`."""
    return {
        "steps": [_step(s) for s in plan.steps],
        "kept": [_step(s) for s in plan.kept],
        "write_bytes": plan.write_bytes,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "action": str(step.action),
        "path": step.path,
        "size": step.size,
        "sha256": step.sha256,
        "origin": step.origin,
        "why": step.why,
    }
