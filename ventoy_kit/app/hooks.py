"""`ventoy-kit hooks list|show|verify`: which hooks there are, what each is, and whether nodes still are as they were made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.workspace import Workspace, load_fleet, load_library
from ventoy_kit.edge.node_probe import Reader, run_probe
from ventoy_kit.errors import MachineError
from ventoy_kit.fleet.hook_facts import FleetFacts
from ventoy_kit.fleet.hooks import HookSpec, ParamSpec
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.payload.hook_answers import Answer, read_answers
from ventoy_kit.payload.runner import RunnerHook, RunnerNode, RunnerTexts, render_runner
from ventoy_kit.plan.compose import hooks_of
from ventoy_kit.report import Report

GRACE = 60.0
"""Seconds that a verification may take on top of the time limits of its hooks."""


def hooks_list(base: Path, host: Host) -> Outcome:
    """The hooks at hand for a fleet file in `base`, in the order in which they run."""
    library, report = load_library(host, base)
    specs = sorted(library.hooks.values(), key=lambda spec: (spec.order, spec.name))
    rows = tuple(
        (spec.name, spec.phase, spec.summary, _systems(spec), ", ".join(sorted(spec.parameters)))
        for spec in specs
    )
    result = {"hooks": {spec.name: _data(spec) for spec in specs}}
    columns = ("hook", "phase", "what it does", "systems", "parameters")
    return Outcome("hooks list", report, result, [Table(columns, rows)])


def hook_show(base: Path, name: str, host: Host) -> Outcome:
    """One hook: what it does, takes, needs and verifies."""
    library, report = load_library(host, base)
    spec = library.hooks.get(name)
    if spec is None:
        report.add(unknown(codes.NO_SUCH_HOOK, "hook", name, library.hooks, ()))
        return Outcome("hooks show", report)
    blocks: list[Block] = [
        Heading(f"{name}: {spec.summary}"),
        Lines((*" ".join(spec.description.split()).split("\n"), "", *_lines(spec))),
    ]
    if spec.parameters:
        rows = tuple(
            (n, type_of(p), "required" if p.required else _shown(p.default), p.description)
            for n, p in spec.parameters.items()
        )
        blocks.append(Table(("parameter", "type", "default", "meaning"), rows))
    return Outcome("hooks show", report, {"name": name, **_data(spec)}, blocks)


def type_of(param: ParamSpec) -> str:
    """A parameter's type in words."""
    if param.choices:
        return " or ".join(param.choices)
    return f"list of {param.items}" if param.type == "list" else param.type


def _shown(value: object) -> str:
    if value is None or value in ((), [], ""):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _systems(spec: HookSpec) -> str:
    return ", ".join(f"{name} {'/'.join(releases)}" for name, releases in sorted(spec.systems.items()))


def _lines(spec: HookSpec) -> Sequence[str]:
    facts = {
        "Systems": _systems(spec),
        "Runs": f"in phase {spec.phase} ({spec.order}), at most {spec.timeout} s",
        "After": ", ".join(spec.waits_for),
        "Requires": ", ".join(spec.requires),
        "Reads of the fleet file": ", ".join(spec.facts),
        "Needs a reboot after a change": "yes" if spec.needs_reboot else "",
        "Needs the network": "yes" if spec.needs_network else "",
        "Destructive, so tried once only": "yes" if spec.destructive else "",
        "Verified": spec.verifies,
    }
    return [f"{title}: {text}" for title, text in facts.items() if text]


def _data(spec: HookSpec) -> dict[str, Any]:
    plain = spec.model_dump(mode="json", exclude={"name", "script", "parameters"})
    parameters = {n: p.model_dump(mode="json", exclude_none=True) for n, p in spec.parameters.items()}
    return {**plain, "phase": spec.phase, "parameters": parameters}


@dataclass(frozen=True, slots=True)
class Source:
    """How a node is reached: `ssh` as ssh takes it, by default root at the node's address; `sudo` to become root."""

    ssh: str | None = None
    sudo: bool = False


def hooks_verify(file: Path, nodes: Sequence[str], source: Source, host: Host) -> Outcome:
    """Run every hook's verify on live nodes, with the parameters that the fleet file gives now. Changes nothing there.

    Args:
        file: the fleet file.
        nodes: names; none means all.
        source: how they are reached.
        host: effects.

    Raises:
        MachineError: no node that was asked answered.
    """
    workspace = load_fleet(file, host)
    fleet = workspace.fleet
    if fleet is None or workspace.report.has_errors:
        return Outcome("hooks verify", workspace.located())
    wrong = [
        unknown(codes.NO_SUCH_NODE, "node", n, fleet.nodes, ("nodes",)) for n in nodes if n not in fleet.nodes
    ]
    if wrong:
        return Outcome("hooks verify", workspace.located(Report(wrong)))
    facts, report, failures = FleetFacts(fleet), Report(), []
    answers: dict[str, Sequence[Answer]] = {}
    chosen = [name for name in sorted(fleet.nodes) if not nodes or name in nodes]
    for name in chosen:
        try:
            answers[name] = _ask(workspace, facts, name, source, host)
        except MachineError as error:
            failures.append(error)
            report.add(
                codes.NODE_SILENT.finding(
                    f"`{name}` was not verified: {error}",
                    error.hint or "Try again.",
                    path=("nodes", name),
                    on_key=True,
                )
            )
    if failures and len(failures) == len(chosen):
        raise failures[0]
    for name, found in answers.items():
        report.extend(_findings(name, found))
    result = {"nodes": {name: [a.data() for a in found] for name, found in answers.items()}}
    return Outcome("hooks verify", workspace.located(report), result, _blocks(fleet, answers))


def _ask(workspace: Workspace, facts: FleetFacts, name: str, source: Source, host: Host) -> Sequence[Answer]:
    plans = hooks_of(facts, name, workspace.library.hooks)
    if not plans:
        return ()
    node, own = facts.fleet.nodes[name], workspace.library.runner
    script = render_runner(
        RunnerTexts(own["runner.sh"], own["library.sh"], own["unit.service"]),
        RunnerNode(name, facts.fleet.fleet, node.title, ""),
        [RunnerHook(h.spec, h.params, h.facts) for h in plans],
    )
    reader = Reader(
        ("sh", "-s", "probe"),
        GRACE + sum(h.spec.timeout for h in plans),
        "Look there by hand: /usr/local/lib/ventoy-kit/first-boot verify",
    )
    destination = source.ssh or f"root@{node.network.address.ip}"
    out = run_probe(host.fed_process, script.whole.decode(), destination, sudo=source.sudo, reader=reader)
    found = read_answers(out, [h.spec.name for h in plans])
    if found is None:
        raise MachineError(f"the answer of {destination} breaks off", "Try again.")
    return found


def _findings(node: str, answers: Sequence[Answer]) -> Report:
    report = Report()
    for answer in answers:
        if answer.state == "drift":
            message = f"`{node}`: {answer.hook}: {answer.text}"
            remedy = (
                "Run it again there: /usr/local/lib/ventoy-kit/first-boot run " + answer.hook
                if answer.stamp == "this"
                else "The fleet file says something else than what was installed: install the node anew, or set it right by hand."
            )
            report.add(codes.DRIFT.finding(message, remedy, path=("nodes", node), on_key=True))
        elif answer.state == "unknown":
            message = f"`{node}`: {answer.hook} could not be verified: {answer.text}"
            report.add(
                codes.UNVERIFIED.finding(message, "Look at the node.", path=("nodes", node), on_key=True)
            )
    return report


def _blocks(fleet: Fleet, answers: dict[str, Sequence[Answer]]) -> Sequence[Block]:
    blocks: list[Block] = []
    for name, found in answers.items():
        blocks.append(Heading(f"{name} ({fleet.nodes[name].title})"))
        if found:
            rows = tuple((a.state, a.hook, "; ".join(t for t in (a.text, *a.notes) if t)) for a in found)
            blocks.append(Table(("state", "hook", "evidence"), rows))
        else:
            blocks.append(Lines(("This node has no hooks.",)))
    return blocks
