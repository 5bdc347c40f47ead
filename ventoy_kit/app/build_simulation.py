"""`build` tries every node that has recorded hardware before it writes anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ventoy_kit import __version__
from ventoy_kit.answers import codes
from ventoy_kit.answers.machine_files import machine_files
from ventoy_kit.app.host import Host
from ventoy_kit.app.simulation import SCRIPTS, Facts, facts_file, read_facts, simulate_nodes
from ventoy_kit.app.workspace import Workspace
from ventoy_kit.edge.files import exists
from ventoy_kit.edge.state import load_state, save_state
from ventoy_kit.payload.overlay import OverlayConf, node_data
from ventoy_kit.payload.render import Answers, node_answer
from ventoy_kit.plan.model import NodePlan, Plan
from ventoy_kit.report import Report

STATE = "simulations"


def simulate_fleet(
    plan: Plan, workspace: Workspace, host: Host, rendered: Answers, *, remember: bool
) -> Report:
    """Findings of the simulation of every node with facts, and one note about those without.

    A node that went through and has not changed since, nor its facts, the scripts or the kit's version, is not tried again.

    Args:
        plan: the plan.
        workspace: where the facts are.
        host: effects.
        rendered: the answers that the plan's payload holds.
        remember: whether it is noted which nodes went through.

    Raises:
        MachineError: the scripts could not be run.
    """
    facts, without, report = _gather(plan, workspace, host)
    known = load_state(workspace.base, STATE)
    keys: dict[str, str] = {}
    answers: dict[str, bytes] = {}
    for node in plan.nodes:
        if node.name not in facts:
            continue
        files, _ = node_answer(plan, workspace.library, node, rendered)
        if "answer.toml" in files:
            answers[node.name] = files["answer.toml"]
        keys[node.name] = _digest(plan, node, facts[node.name], files, workspace.library.boot)
    changed = {name: f for name, f in facts.items() if known.get(name) != keys[name]}
    results, found = simulate_nodes(plan, changed, answers, workspace.library.boot, host)
    report.extend(found)
    blamed = {f.path[1] for f in found if f.path is not None and len(f.path) > 1}
    good = {name: key for name, key in keys.items() if name not in changed}
    good |= {r.node.name: keys[r.node.name] for r in results if r.node.name not in blamed}
    if remember and good != known:
        save_state(workspace.base, STATE, good)
    if without and facts:
        message = f"no hardware is recorded of {', '.join(without)}"
        remedy = "Run `ventoy-kit hardware scan` on them; until then only the boot hook looks at their disks."
        report.add(codes.NO_FACTS.finding(message, remedy, path=("nodes", without[0]), on_key=True))
    return report


def _gather(plan: Plan, workspace: Workspace, host: Host) -> tuple[dict[str, Facts], list[str], Report]:
    facts: dict[str, Facts] = {}
    without: list[str] = []
    report = Report()
    for node in plan.nodes:
        file = facts_file(workspace.base, node.name)
        if not exists(file):
            without.append(node.name)
            continue
        found, problems = read_facts(file, host)
        report.extend(problems)
        if found is not None:
            facts[node.name] = found
    return facts, without, report


def _digest(
    plan: Plan, node: NodePlan, facts: Facts, files: Mapping[str, bytes], boot: Mapping[str, str]
) -> str:
    """Everything that the simulation of a node depends on, as a digest: answers hold a password's hash."""
    whole = hashlib.sha256()
    image = plan.image(node.image)
    parts: dict[str, Any] = {
        **{name: hashlib.sha256(boot[name].encode()).hexdigest() for name in SCRIPTS},
        **{path: data.hex() for path, data in machine_files(facts.inventory, "").items()},
        **{path: data.hex() for path, data in node_data(OverlayConf(plan.fleet, "", image), (node,)).items()},
        **{name: data.hex() for name, data in files.items()},
        "facts": repr(facts),
        "kit": __version__,
        "address": node.address.mac,
    }
    whole.update(json.dumps(parts, sort_keys=True).encode())
    return whole.hexdigest()
