"""`ventoy-kit answer render|simulate|validate`: what a node's installer is told, and what it would do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ventoy_kit.answers import codes
from ventoy_kit.answers.preseed_check import is_preseed
from ventoy_kit.answers.proxmox_check import check_answer
from ventoy_kit.answers.proxmox_schema import (
    NEWEST,
    REDACTED,
    Release,
    installer_release,
    parse_release,
    release_text,
)
from ventoy_kit.answers.proxmox_simulate import Simulation, Verdict, simulate
from ventoy_kit.answers.stick import with_stick
from ventoy_kit.answers.toml_places import read_toml
from ventoy_kit.answers.validators import validate_text
from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.checklist import draft_plan
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Outcome, Table
from ventoy_kit.app.simulation import NodeResult, facts_file, read_facts, same_disk, simulate_nodes
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.edge.files import exists
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.hardware.inventory import Inventory
from ventoy_kit.payload.render import node_answer
from ventoy_kit.plan.model import Plan
from ventoy_kit.report import Place, Report, Severity


def validate(file: Path, release: str | None, host: Host) -> Outcome:
    """Judge an answer file that somebody wrote, of whichever family it is."""
    chosen, report = _release(release)
    data = _read(file, host, report)
    if data is None or report.has_errors:
        return Outcome("answer validate", report)
    judged, found = validate_text(data, str(file), chosen or NEWEST)
    report.extend(found)
    count = {s.value: sum(f.severity is s for f in report) for s in Severity}
    result = {
        "file": str(file),
        "kind": judged.kind if judged else "",
        "release": release_text(chosen or NEWEST),
        "disks": list(judged.wipes) if judged else [],
        "count": count,
    }
    lines = (f"{file} is {judged.kind}; judged as {judged.installer}", *judged.wipes) if judged else ()
    return Outcome("answer validate", report, result, [Lines(lines)] if judged else [])


def render(file: Path, node: str, host: Host) -> Outcome:
    """A node's answer as it lies in the archive, with secrets redacted and the placeholder for the disks."""
    workspace, plan, report = _plan(file, node, host)
    if plan is None:
        return Outcome("answer render", workspace.located(report))
    files, found = node_answer(plan, workspace.library, plan.node(node))
    report = workspace.located(found)
    if report.has_errors:
        return Outcome("answer render", report)
    texts = {name: data.decode() for name, data in files.items()}
    many = len(texts) > 1
    blocks = [Document(f"### {name}\n{text}" if many else text) for name, text in texts.items()]
    return Outcome("answer render", report, {"node": node, "files": texts}, blocks)


def simulate_target(
    fleet: Path, target: str, hardware: Path | None, release: str | None, host: Host, *, stick: bool
) -> Outcome:
    """What would happen: with a node of the fleet through the boot hook, with a file as the installer reads it."""
    chosen, report = _release(release)
    if report.has_errors:
        return Outcome("answer simulate", report)
    if exists(Path(target)) and (target.endswith((".toml", ".cfg")) or "/" in target):
        return _simulate_file(Path(target), hardware, chosen or NEWEST, host, stick=stick)
    workspace, plan, report = _plan(fleet, target, host)
    if plan is None:
        return Outcome("answer simulate", workspace.located(report))
    facts, found = read_facts(hardware or facts_file(workspace.base, target), host)
    if facts is None:
        return Outcome("answer simulate", workspace.located(_as_errors(found)))
    files, found = node_answer(plan, workspace.library, plan.node(target))
    if found.has_errors:
        return Outcome("answer simulate", workspace.located(found))
    answers = {target: files["answer.toml"]} if "answer.toml" in files else {}
    results, found = simulate_nodes(
        plan, {target: facts}, answers, workspace.library.boot, host, release=chosen, stick=stick
    )
    if not results:
        return Outcome("answer simulate", workspace.located(found))
    return Outcome(
        "answer simulate", workspace.located(found), _node_data(results[0]), _node_blocks(results[0])
    )


def _simulate_file(
    file: Path, hardware: Path | None, release: Release, host: Host, *, stick: bool
) -> Outcome:
    report = Report()
    data = _read(file, host, report)
    if hardware is None:
        report.add(
            codes.NO_FACTS.finding("no facts are named", "Name the machine's facts with --hardware FILE.")
        )
    if data is None or hardware is None:
        return Outcome("answer simulate", _as_errors(report))
    if is_preseed(data.decode("utf-8", "replace")):
        message = f"{file} is a preseed of the Debian installer, which chooses its disks by commands"
        remedy = f"Run `ventoy-kit answer validate {file}`: it says what the file does to disks."
        return Outcome(
            "answer simulate", Report([codes.NO_ANSWER.finding(message, remedy, place=Place(str(file)))])
        )
    document, found = read_toml(data, str(file))
    facts, more = read_facts(hardware, host)
    report = _as_errors(Report([*found, *more]))
    if document is None or facts is None:
        return Outcome("answer simulate", report)
    wrong = Report([f for f in check_answer(document.data, release) if f.severity is Severity.ERROR])
    if wrong.has_errors:
        return Outcome("answer simulate", wrong.located(document.locate))
    inventory, name = with_stick(facts.inventory) if stick else (facts.inventory, "")
    found_out = simulate(document.data, inventory, release, facts.boot)
    report = Report()
    at = ("disk-setup",)
    for stop in found_out.stops:
        report.add(
            codes.INSTALL_STOPS.finding(f"the installer would stop: {stop}", "Change the answer.", path=at)
        )
    if name in found_out.wiped:
        remedy = "Select the disks by ID_SERIAL_SHORT or ID_WWN."
        report.add(codes.WIPES_STICK.finding(f"the Ventoy stick {name} would be wiped", remedy, path=at))
    if found_out.by_order:
        message = "which disks are wiped depends on the order in which the kernel finds them"
        remedy = "Select the disks by ID_SERIAL_SHORT or ID_WWN."
        report.add(codes.ORDER.finding(message, remedy, path=at))
    result = {"target": str(file), "release": release_text(release), **_data(found_out, inventory, name)}
    blocks = [Heading(f"{file} on the machine of {hardware}, release {release_text(release)}")]
    blocks_all: list[Block] = [*blocks, *_blocks(found_out, inventory, name)]
    return Outcome("answer simulate", report.located(document.locate), result, blocks_all)


def _release(text: str | None) -> tuple[Release | None, Report]:
    """A release that was asked for, as one of those that the schema knows."""
    found = parse_release(text) if text is not None else None
    if text is None or found is not None:
        return (None if found is None else installer_release("proxmox-ve", text)), Report()
    message = f"{text} is no release of Proxmox VE"
    return None, Report([app_codes.NO_SUCH_RELEASE.finding(message, "Write one such as 9.2.")])


def _read(file: Path, host: Host, report: Report) -> bytes | None:
    try:
        return host.files.read(file)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror or error}"
        report.add(codes.NO_ANSWER.finding(message, "Name an answer file.", place=Place(str(file))))
        return None


def _as_errors(report: Report) -> Report:
    """Here facts are asked for, so that their absence is an error."""
    from dataclasses import replace

    return Report([replace(f, severity=Severity.ERROR) for f in report])


def _plan(file: Path, node: str, host: Host) -> tuple[Workspace, Plan | None, Report]:
    """The plan with secrets redacted, if the fleet has the node and no errors."""
    workspace = load_workspace(file, host).demanding_images()
    fleet: Fleet | None = workspace.fleet
    if fleet is None or workspace.report.has_errors:
        return workspace, None, Report()
    if node not in fleet.nodes:
        return (
            workspace,
            None,
            Report([unknown(app_codes.NO_SUCH_NODE, "node", node, fleet.nodes, ("nodes",))]),
        )
    return workspace, draft_plan(workspace, fleet, REDACTED), Report()


def _verdicts(verdicts: tuple[Verdict, ...]) -> list[dict[str, Any]]:
    return [{"name": v.name, "taken": v.taken, "why": v.why} for v in verdicts]


def _data(found: Simulation, inventory: Inventory, stick: str) -> Mapping[str, Any]:
    serials = {d.name: d.serial for d in inventory.disks}
    return {
        "stick": stick or None,
        "wiped": [{"name": name, "serial": serials.get(name)} for name in found.wiped],
        "stops": list(found.stops),
        "by_order": found.by_order,
        "disks": _verdicts(found.disks),
        "nic": found.nic,
        "nic_name": found.nic_name,
        "nics": _verdicts(found.nics),
        "notes": list(found.notes),
    }


def _node_data(result: NodeResult) -> Mapping[str, Any]:
    resolved = result.resolved
    out: dict[str, Any] = {
        "target": result.node.name,
        "hook": {"disks": list(resolved.disks), "refusal": resolved.code or None, "detail": resolved.detail},
    }
    if result.installer is not None:
        out |= _data(result.installer, result.inventory, result.stick)
    else:
        serials = {d.name: d.serial for d in result.inventory.disks}
        names = [v.name for v in result.interfaces if v.taken]
        declared = _declared(result)
        verdicts = tuple(Verdict(n, why, n in resolved.disks) for n, why in declared.items())
        out |= {
            "stick": result.stick or None,
            "wiped": [{"name": name, "serial": serials.get(name)} for name in resolved.disks],
            "disks": _verdicts(verdicts),
            "nic": names[0] if names else None,
            "nics": _verdicts(result.interfaces),
        }
    return out


def _blocks(
    found: Simulation, inventory: Inventory, stick: str, declared: Mapping[str, str] | None = None
) -> list[Block]:
    disks = {d.name: d for d in inventory.disks}
    order = {name: str(number) for number, name in enumerate(found.wiped, start=1)}
    rows = tuple(
        (
            f"WIPED ({order[v.name]})" if v.name in order else "stays",
            v.name + (" (stick)" if v.name == stick else ""),
            disks[v.name].model,
            format_size(disks[v.name].size),
            disks[v.name].serial or "no serial",
            (declared or {}).get(v.name, v.why),
        )
        for v in found.disks
    )
    macs = {n.name: n.mac for n in inventory.nics}
    renamed = f"; its name will be {found.nic_name}" if found.nic_name not in (None, found.nic) else ""
    nics = tuple(
        (
            "management" if v.name == found.nic else "",
            v.name,
            macs.get(v.name, ""),
            v.why + (renamed if v.name == found.nic else ""),
        )
        for v in found.nics
    )
    blocks: list[Block] = [
        Table(("", "disk", "model", "size", "serial", "why"), rows),
        Table(("", "interface", "address", "why"), nics),
    ]
    return [*blocks, Lines(found.notes)] if found.notes else blocks


def _declared(result: NodeResult) -> dict[str, str]:
    """What the fleet file says of each disk that the answer does not list."""
    out = {}
    for disk in result.inventory.disks:
        named = [d for d in result.node.disks if same_disk(disk, d)]
        if disk.name in result.resolved.disks:
            out[disk.name] = f"declared as {', '.join(d.name for d in named)}, system"
        elif disk.name == result.stick:
            out[disk.name] = "the Ventoy stick"
        else:
            out[disk.name] = ", ".join(f"declared as {d.name}, {d.use}" for d in named) or "not declared"
    return out


def _node_blocks(result: NodeResult) -> list[Block]:
    node, resolved = result.node, result.resolved
    if resolved.code:
        return [
            Heading(f"{node.name}: the boot hook refuses ({resolved.code}); nothing is wiped"),
            Lines(tuple(resolved.detail.splitlines())),
        ]
    head = Heading(f"{node.name}: the boot hook hands over {', '.join(f'/dev/{d}' for d in resolved.disks)}")
    notes = [Lines(tuple(resolved.detail.splitlines()))] if resolved.detail else []
    if result.installer is not None:
        return [head, *notes, *_blocks(result.installer, result.inventory, result.stick, _declared(result))]
    why = _declared(result)
    order = {name: f"WIPED ({number})" for number, name in enumerate(resolved.disks, start=1)}
    rows = tuple(
        (
            order.get(d.name, "stays"),
            d.name + (" (stick)" if d.name == result.stick else ""),
            d.model,
            format_size(d.size),
            d.serial or "no serial",
            why[d.name],
        )
        for d in result.inventory.disks
    )
    macs = {n.name: n.mac for n in result.inventory.nics}
    nics = tuple(
        ("management" if v.taken else "", v.name, macs.get(v.name, ""), v.why) for v in result.interfaces
    )
    shown: list[Block] = [head, *notes, Table(("", "disk", "model", "size", "serial", "why"), rows)]
    return [*shown, Table(("", "interface", "address", "why"), nics)] if nics else shown
