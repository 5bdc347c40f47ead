"""`ventoy-kit checklist`: the sheets that go to the rack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ventoy_kit.app import codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Document, Outcome
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.payload.checklist import render_checklist
from ventoy_kit.plan.compose import compose
from ventoy_kit.plan.inputs import Inputs, IsoFile
from ventoy_kit.plan.model import Plan
from ventoy_kit.report import Report

Format = Literal["txt", "md"]
PAGE_BREAK = "\f"


def checklist(file: Path, nodes: Sequence[str], form: Format, host: Host) -> Outcome:
    """The checklists of some nodes, or of all.

    Args:
        file: the fleet file.
        nodes: names; none means all.
        form: plain text (pages parted by form feeds) or Markdown.
        host: effects.
    """
    workspace = load_workspace(file, host).demanding_images()
    if workspace.fleet is None or workspace.report.has_errors:
        return Outcome("checklist", workspace.located())
    found = Report(
        [
            unknown(codes.NO_SUCH_NODE, "node", name, workspace.fleet.nodes, ("nodes",))
            for name in nodes
            if name not in workspace.fleet.nodes
        ]
    )
    report = workspace.located(found)
    if found.has_errors:
        return Outcome("checklist", report)
    plan = draft_plan(workspace, workspace.fleet)
    chosen = [n for n in plan.nodes if not nodes or n.name in nodes]
    sheets = {n.name: render_checklist(plan, n, workspace.library)[form].decode() for n in chosen}
    text = (PAGE_BREAK if form == "txt" else "\n").join(sheets.values())
    return Outcome("checklist", report, {"format": form, "checklists": sheets}, [Document(text)])


def draft_plan(workspace: Workspace, fleet: Fleet, shown: str = "*") -> Plan:
    """A plan without digests and with `shown` in the place of secrets, which need not be at hand for it."""
    isos = {
        name: IsoFile(workspace.images.files[name], facts, "", name=workspace.images.names.get(name, ""))
        for name, facts in workspace.isos.items()
    }
    secrets = dict.fromkeys(fleet.secrets, shown)
    return compose(fleet, Inputs(workspace.library, isos, secrets, secrets))


def node_names(file: Path, host: Host) -> tuple[str, ...]:
    """The node names of a fleet file, for completion in a shell; none if it cannot be read."""
    try:
        marked, _ = read_marked(host.files.read(file), str(file))
    except OSError:
        return ()
    nodes = marked.value.get("nodes") if marked is not None and isinstance(marked.value, dict) else None
    return tuple(sorted(str(name) for name in nodes)) if isinstance(nodes, dict) else ()
