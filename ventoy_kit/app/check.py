"""`ventoy-kit check`: say everything that is wrong with a fleet file, and what it would do."""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.local_proof import prove_local
from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Next, Outcome, Table, counted
from ventoy_kit.app.rulebook import RULES
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.blueprint.losses import dark_roles, lose
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.quorum import standing
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.report import Report


def check(file: Path, host: Host, *, online: bool = False) -> Outcome:
    """Check a fleet file with its images and data folders.

    Args:
        file: the fleet file.
        host: effects.
        online: ask the vendors for newer releases, too.

    Raises:
        MachineError: a vendor's listing could not be had.
    """
    workspace = load_workspace(file, host)
    more = prove_local(workspace, host, known_files=None)[1]
    if online and not workspace.report.has_errors:
        from ventoy_kit.app.newer import newer_releases

        more.extend(newer_releases(workspace, host))
    report = workspace.located(workspace.hardware, workspace.notes, more)
    if workspace.fleet is None or report.has_errors:
        return Outcome("check", report)
    fleet = workspace.fleet
    return Outcome("check", report, _result(workspace, fleet), _blocks(workspace, fleet))


def _result(workspace: Workspace, fleet: Fleet) -> dict[str, object]:
    return {
        "fleet": fleet.fleet,
        "nodes": {
            name: {"wipes": [_disk_ids(d) for d in doomed_disks(fleet, name)]} for name in sorted(fleet.nodes)
        },
        "images": {
            name: {"title": facts.title, "release": facts.release, "stand_in": facts.stand_in}
            for name, facts in sorted(workspace.isos.items())
        },
        "missing": [want.image for want in workspace.images.missing],
        "losses": _losses_result(workspace.blueprint),
    }


def _losses_result(blueprint: Blueprint | None) -> dict[str, object]:
    """What the loss of each node alone does."""
    if blueprint is None:
        return {}
    found: dict[str, object] = {}
    for name in sorted(blueprint.fleet.nodes):
        loss, stands = lose(blueprint, (name,)), standing(blueprint, (name,))
        found[name] = {
            "services": len(loss.stopped),
            "dark": list(dark_roles(blueprint, loss)),
            "quorum": None if stands is None else stands.holds,
        }
    return found


def loss_blocks(blueprint: Blueprint) -> list[Block]:
    """What the loss of each node does, if that is not all there is, and what the cluster survives."""
    if len(blueprint.fleet.nodes) < 2 or not (blueprint.services or blueprint.members):
        return []
    rows = []
    for name in sorted(blueprint.fleet.nodes):
        loss, stands = lose(blueprint, (name,)), standing(blueprint, (name,))
        quorum = "" if stands is None else "quorum holds" if stands.holds else "NO QUORUM"
        dark = ", ".join(dark_roles(blueprint, loss))
        rows.append((name, counted(len(loss.stopped), "service"), dark, quorum))
    blocks: list[Block] = [Table(("if lost", "stops", "goes dark", ""), tuple(rows))]
    if len(blueprint.members) > 1:
        one = standing(blueprint, blueprint.members[:1])
        two = standing(blueprint, blueprint.members[:2])
        if one is not None and two is not None:
            blocks.append(
                Lines(
                    (
                        (
                            f"Cluster: {one.votes.total} votes, {one.votes.needed} needed. Survives the loss of any one "
                            f"node: {'yes' if one.holds else 'no'}; of any two: {'yes' if two.holds else 'no'}."
                        ),
                    )
                )
            )
    return blocks


def _disk_ids(row: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(("name", "serial", "wwn", "model", "size"), row, strict=True))


def doomed_disks(fleet: Fleet, node: str) -> tuple[tuple[str, str, str, str, str], ...]:
    """Name, serial, WWN, model and size of each disk that installing a node wipes; empty text for what is unknown."""
    return tuple(
        (name, d.serial or "", d.wwn or "", d.model or "", format_size(d.size) if d.size else "")
        for name, d in sorted(fleet.nodes[node].disks.items())
        if d.use == "system"
    )


def wipe_table(fleet: Fleet) -> Table:
    """Which disk of which machine each answer would wipe."""
    rows = []
    for name in sorted(fleet.nodes):
        node = fleet.nodes[name]
        machine = node.identity.serial or node.identity.uuid or "by MAC address"
        for disk, serial, wwn, model, size in doomed_disks(fleet, name):
            rows.append(
                (name, node.title, machine, disk, serial or wwn, " ".join(t for t in (model, size) if t))
            )
    return Table(("node", "title", "machine", "wiped disk", "serial or WWN", "model and size"), tuple(rows))


def _blocks(workspace: Workspace, fleet: Fleet) -> list[Block]:
    images = tuple(
        (
            name,
            f"{facts.title} {facts.release or ''}".strip(),
            "stand-in, cannot boot" if facts.stand_in else "assembled" if facts.assembled else "",
        )
        for name, facts in sorted(workspace.isos.items())
    ) + tuple(
        (want.image, f"{want.entry.title} {want.request}", "not fetched") for want in workspace.images.missing
    )
    return [
        Heading(
            f"{fleet.title or fleet.fleet}: {counted(len(fleet.nodes), 'node')}, {counted(len(fleet.images), 'image')}"
        ),
        wipe_table(fleet),
        Table(("image", "what it is", ""), images),
        *(loss_blocks(workspace.blueprint) if workspace.blueprint is not None else ()),
        Next((f"ventoy-kit build{_fleet_option(workspace.file)}",)),
    ]


def _fleet_option(file: Path) -> str:
    return "" if file == Path("fleet.yaml") else f" --fleet {file}"


def explain(code: str) -> Outcome:
    """Say what a rule is about; an unknown code lists the near ones."""
    rule = RULES.get(code.upper())
    if rule is None:
        import difflib

        near = difflib.get_close_matches(code.upper(), RULES, 5, 0.5)
        from ventoy_kit.app import codes

        finding = codes.NO_SUCH_RULE.finding(
            f"there is no rule {code}",
            f"Did you mean {' or '.join(near)}?" if near else "Codes look like VK-D03.",
        )
        return Outcome("check", Report([finding]))
    text = f"{rule.code} ({rule.severity}): {rule.title}\n\n{rule.explain}\n"
    result = {"code": rule.code, "severity": str(rule.severity), "title": rule.title, "explain": rule.explain}
    return Outcome("check", Report(), result, [Document(text)])
