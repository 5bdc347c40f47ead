"""The checklist of a node: what a person compares, sets, presses and must know before the machine is wiped. Pure.

What it says lies in `machine_items`, `fleet_items` and `screen_items`; how it looks is the business of `sheets`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from ventoy_kit.payload import fleet_items, machine_items, screen_items
from ventoy_kit.payload.evidence import Evidence
from ventoy_kit.payload.model import TAG
from ventoy_kit.payload.screen_items import ArmingNote
from ventoy_kit.plan.inputs import Library
from ventoy_kit.plan.model import NodePlan, Plan
from ventoy_kit.sheets.html import as_html
from ventoy_kit.sheets.model import Booklet, Section, Sheet
from ventoy_kit.sheets.text import as_text


def sheet_of(
    plan: Plan,
    node: NodePlan,
    library: Library,
    *,
    armed: bool = False,
    arming: ArmingNote | None = None,
    evidence: Evidence | None = None,
) -> Sheet:
    """The sheet of one node.

    Args:
        plan: the plan that the node is of.
        node: the node.
        library: profiles and boot codes.
        armed: whether the stick is armed for it; otherwise it is a toolbox.
        arming: the arming itself, if it is known.
        evidence: what was recorded of the machine; its items are ticked or crossed then.
    """
    title = f"Checklist for {node.name} - {node.title}{', with an armed stick' if armed else ''}"
    return Sheet(
        node.name, title, tuple(_sections(plan, node, library, armed=armed, arming=arming, evidence=evidence))
    )


def _sections(
    plan: Plan,
    node: NodePlan,
    library: Library,
    *,
    armed: bool,
    arming: ArmingNote | None,
    evidence: Evidence | None,
) -> Iterator[Section]:
    usable = None if evidence is None or evidence.contradicts(node.identity) else evidence
    yield machine_items.identity(plan, node, library, evidence)
    yield machine_items.doomed_disks(node, usable)
    known = () if not armed else None if arming is None else arming.destroys
    if known:
        yield machine_items.dying_pools(node, known, usable)
    yield machine_items.kept_disks(node, usable, known)
    yield fleet_items.absence(plan.blueprint, node)
    saved = fleet_items.backups(plan.blueprint, node)
    if saved is not None:
        yield saved
    yield machine_items.network(plan, node, usable)
    yield from machine_items.firmware(node, library, usable)
    yield (
        screen_items.armed_steps(node, library, arming) if armed else screen_items.steps(plan, node, library)
    )
    yield screen_items.duration(plan, node)
    yield screen_items.success(node)
    yield screen_items.way_out(armed=armed)


def booklet_of(title: str, sheets: tuple[Sheet, ...], library: Library, foot: tuple[str, ...]) -> Booklet:
    """Sheets with the boot codes behind them."""
    return Booklet(title, sheets, (screen_items.refusals(library),), foot)


StickForm = Literal["txt", "html", "armed.txt"]


def staged_checklists(plan: Plan, node: NodePlan, library: Library) -> tuple[str, Mapping[StickForm, bytes]]:
    """The checklists of a node as they lie on the stick: their tag, and their bytes by the ending of their names.

    The tag is a digest of what they say, and they show it: so paper and stick can be compared. They do not show the
    generation, since most changes of a fleet leave most of them as they were. Nothing in them was looked up on the
    machine.
    """
    title, fleet = f"Checklist for {node.name}", f"{plan.title} ({plan.fleet})"
    toolbox = booklet_of(title, (sheet_of(plan, node, library),), library, (fleet,))
    armed = booklet_of(title, (sheet_of(plan, node, library, armed=True),), library, (fleet,))
    draft = _forms(toolbox, armed, "0" * TAG)
    tag = hashlib.sha256(b"".join(draft.values())).hexdigest()[:TAG]
    return tag, _forms(toolbox, armed, tag)


def _forms(toolbox: Booklet, armed: Booklet, tag: str) -> Mapping[StickForm, bytes]:
    """Both, with the tag at the foot."""
    toolbox, armed = (replace(b, foot=(*b.foot, f"checklist {tag}")) for b in (toolbox, armed))
    return {
        "txt": as_text(toolbox).encode(),
        "html": as_html(toolbox, "a4").encode(),
        "armed.txt": as_text(armed).encode(),
    }
