"""`ventoy-kit cluster converge`: bring the Proxmox VE cluster to what the fleet file says, step by step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table, counted
from ventoy_kit.app.workspace import Workspace, load_fleet
from ventoy_kit.blueprint.codes import SWITCHABLE
from ventoy_kit.cluster import codes
from ventoy_kit.cluster.answers import Seen, read_answer
from ventoy_kit.cluster.corosync import with_timers
from ventoy_kit.cluster.model import VOTES, Count, Create, Join, Remove, SetTimers, Step, Wanted, wanted_of
from ventoy_kit.cluster.planner import ClusterPlan, Planned, make_plan
from ventoy_kit.edge.node_shell import run_on
from ventoy_kit.errors import MachineError
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.report import Finding, Report

PROBE = Path("probes") / "cluster.sh"

LOOKS, PAUSE = 20, 3.0
"""How often, and how many seconds apart, nodes are asked for the effect of a step."""

_ASKING, _DOING = 240.0, 300.0

Ask = Callable[[tuple[Block, ...], str], bool | None]
"""Shows the plan and asks; None when nobody can be asked."""

AskSecret = Callable[[str], str | None]
"""Asks for a password; None when nobody can be asked."""

# Replaces the file only if it is still the one that was read; pmxcfs takes a rename as one change.
_REPLACE = """\
set -eu
new=/etc/pve/corosync.conf.new
[ "$(sha256sum </etc/pve/corosync.conf)" = "$1  -" ] || { echo 'corosync.conf has changed' >&2; exit 1; }
cat >"$new"
mv "$new" /etc/pve/corosync.conf
"""


@dataclass(frozen=True, slots=True)
class ConvergeOptions:
    """How to converge.

    Attributes:
        bootstrap: node on which a cluster may be created if there is none.
        dry_run: show the plan and do nothing.
    """

    bootstrap: str | None = None
    dry_run: bool = False


def converge(file: Path, host: Host, *, options: ConvergeOptions, ask: Ask, ask_secret: AskSecret) -> Outcome:
    """Look at every node, plan, ask, and do one step after another, looking again before each.

    Args:
        file: the fleet file.
        host: effects.
        options: how.
        ask: asks before anything is done.
        ask_secret: asks for root's password if a node shall join.

    Raises:
        MachineError: ssh is missing.
    """
    workspace = load_fleet(file, host)
    wanted, report = _wanted(workspace, options.bootstrap)
    if wanted is None:
        return Outcome("cluster converge", report)
    look = _Look(wanted, options.bootstrap, host)
    seen = look.around()
    plan = look.plan(seen)
    shown = _view(wanted, plan)
    if options.dry_run or not plan.steps:
        return _end(workspace, wanted, plan, Report(), shown)
    answer = ask(tuple(shown), f"Do {counted(len(plan.steps), 'step')}?")
    if answer is not True:
        return _end(workspace, wanted, plan, _refused(answer), shown)
    password = None
    if any(isinstance(p.step, Join) for p in plan.steps):
        password = ask_secret("Root's password on the members of the cluster:")
        if not password:
            finding = codes.NO_PASSWORD.finding(
                "nodes would join, and nobody gives root's password",
                "Run it at a terminal, or give it as a line on standard input with --password-stdin.",
            )
            return _end(workspace, wanted, plan, Report([finding]), shown)
    done, plan, problems = _go(look, plan, password)
    return _end(workspace, wanted, plan, problems, _view(wanted, plan, done), done=done)


def _wanted(workspace: Workspace, bootstrap: str | None) -> tuple[Wanted | None, Report]:
    located = workspace.located()
    report = Report([f for f in located if f.severity == "error" and f.rule.code not in SWITCHABLE])
    if workspace.fleet is None or workspace.blueprint is None or report.has_errors:
        return None, report
    wanted = wanted_of(workspace.fleet, workspace.blueprint.members)
    if wanted is None:
        lack = "no `cluster:`" if workspace.fleet.cluster is None else "no node that installs Proxmox VE"
        remedy = "Describe the cluster in the fleet file."
        report.add(codes.NO_CLUSTER.finding(f"the fleet file has {lack}", remedy))
    elif bootstrap is not None and bootstrap not in wanted.nodes:
        report.add(
            unknown(app_codes.NO_SUCH_NODE, "node of the cluster", bootstrap, wanted.nodes, ("nodes",))
        )
        wanted = None
    return wanted, workspace.located(report)


@dataclass(frozen=True, slots=True)
class _Look:
    """Asks all nodes, and plans from what they answer."""

    wanted: Wanted
    bootstrap: str | None
    host: Host

    def around(self) -> Mapping[str, Seen]:
        """The answer of every node."""
        script = self.host.files.read(self.host.data / PROBE).decode()
        with ThreadPoolExecutor(max_workers=8) as pool:
            answers = pool.map(lambda address: self._one(address, script), self.wanted.nodes.values())
            return dict(zip(self.wanted.nodes, answers, strict=True))

    def _one(self, address: str, script: str) -> Seen:
        try:
            code, out, err = run_on(
                self.host.fed_process, address, ("sh", "-s"), timeout=_ASKING, text=script
            )
        except MachineError as error:
            return Seen(problem=error.message, hint=error.hint)
        if code != 0:
            return Seen(problem=_said(err, code), hint=f"Run `ssh root@{address} pvecm status`.")
        return read_answer(out, self.host.clock().timestamp())

    def plan(self, seen: Mapping[str, Seen]) -> ClusterPlan:
        """What is to be done now."""
        return make_plan(self.wanted, seen, self.bootstrap)


def _go(look: _Look, plan: ClusterPlan, password: str | None) -> tuple[list[Step], ClusterPlan, Report]:
    """Do what was agreed to, as long as each step is due; the steps done, the last plan, and why it ended."""
    agreed, done = [p.step for p in plan.steps], list[Step]()
    while plan.steps:
        seen = look.around()
        plan = look.plan(seen)
        if not plan.steps:
            break
        step = plan.steps[0].step
        if step not in agreed:
            message = f"now this would be due, which was not agreed to: {describe(step)}"
            finding = codes.CHANGED.finding(message, "Run the command again and look at the new plan.")
            return done, plan, Report([finding])
        agreed.remove(step)
        failure = _do(look, step, seen, password)
        plan = _settled(look, step)
        if any(p.step == step for p in plan.steps) or failure is not None:
            if failure is None:
                failure = codes.STEP_FAILED.finding(
                    f"{describe(step)}: done without an error, and without effect",
                    "Look at `journalctl -b -u corosync -u pve-cluster` on the node.",
                )
            return done, plan, Report([failure])
        done.append(step)
    return done, plan, Report()


def _settled(look: _Look, step: Step) -> ClusterPlan:
    """Wait until the step shows, or long enough; the plan that is due then.

    Right after a step members may be restarting, so that nothing or the wrong thing seems to be due.
    """
    plan = look.plan(look.around())
    for _ in range(LOOKS):
        if plan.count is not None and plan.count.holds and not _shows_not(plan, step):
            break
        look.host.pause(PAUSE)
        plan = look.plan(look.around())
    return plan


def _shows_not(plan: ClusterPlan, step: Step) -> bool:
    if isinstance(step, Join | Create):
        return not plan.members.get(step.node, False) or any(f.rule is codes.STRAY for f in plan.report)
    return any(p.step == step for p in plan.steps) or any(f.rule is codes.STRAY for f in plan.report)


def _do(look: _Look, step: Step, seen: Mapping[str, Seen], password: str | None) -> Finding | None:
    """Do one step; None, or why it failed."""
    node = step.via if isinstance(step, Remove | SetTimers) else step.node
    if isinstance(step, Join) and not step.fingerprint:
        message = f"{describe(step)}: {step.via} does not say the fingerprint of its certificate"
        remedy = f"Run `pvesh get /cluster/config/join` on {step.via}."
        return codes.STEP_FAILED.finding(message, remedy)
    command, text = _command(look.wanted, step, seen, password)
    try:
        code, out, err = run_on(
            look.host.fed_process, look.wanted.nodes[node], command, timeout=_DOING, text=text
        )
    except MachineError as error:
        return codes.STEP_FAILED.finding(f"{describe(step)}: {error.message}", error.hint)
    if code == 0:
        return None
    said = _said(err or out, code)
    if password:
        said = said.replace(password, "...")
    return codes.STEP_FAILED.finding(f"{describe(step)}: {said}", "Mend that, and run the command again.")


def _command(
    wanted: Wanted, step: Step, seen: Mapping[str, Seen], password: str | None
) -> tuple[Sequence[str], str]:
    """The command of a step, and its standard input.

    `pvecm` as Proxmox VE 8 and 9 have it. `pvecm add` reads the password as a line from standard input where that is
    no terminal (PVE::PTY::read_password), and asks nothing else when the fingerprint is given.
    """
    if isinstance(step, Create):
        return ("pvecm", "create", wanted.name, *_link_options(step.links), "--votes", str(VOTES)), ""
    if isinstance(step, Remove):
        return ("pvecm", "delnode", step.node), ""
    if isinstance(step, SetTimers):
        text = seen[step.via].text
        digest = hashlib.sha256(text.encode()).hexdigest()
        return ("sh", "-c", _REPLACE, "sh", digest), with_timers(text, step.token, step.coefficient)
    links = _link_options(step.links)
    join = ("pvecm", "add", step.address, "--fingerprint", step.fingerprint, *links, "--votes", str(VOTES))
    return join, f"{password}\n"


def _link_options(links: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for number, address in enumerate(links) for word in (f"--link{number}", address))


def _said(text: str, code: int) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:]) if lines else f"exit code {code}"


def _refused(answer: bool | None) -> Report:  # noqa: FBT001 - an answer
    message = "nobody can be asked here" if answer is None else "nothing was done"
    return Report([app_codes.CHOICE.finding(message, "Answer with yes, or give --yes.")])


def describe(step: Step) -> str:
    """One step in words."""
    if isinstance(step, Create):
        return f"create the cluster on {step.node} (links {', '.join(step.links)})"
    if isinstance(step, Remove):
        return f"remove the membership of {step.node}, which was installed anew (on {step.via})"
    if isinstance(step, Join):
        return f"let {step.node} join by way of {step.via} (links {', '.join(step.links)})"
    values = {"token": step.token, "token_coefficient": step.coefficient}
    words = ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)
    return f"set {words} (on {step.via})"


def _votes(count: Count) -> str:
    return f"{count.online} of {count.total}, {count.needed} needed" if count.total else "-"


def _row(number: int, planned: Planned) -> tuple[str, str, str, str]:
    after = _votes(planned.after) + ("" if planned.after.holds else ": no quorum until the node is up")
    return str(number), describe(planned.step), _votes(planned.before), after


def _view(wanted: Wanted, plan: ClusterPlan, done: Sequence[Step] = ()) -> list[Block]:
    blocks: list[Block] = [Heading(f"Cluster {wanted.name}")]
    if plan.members:
        there = [n for n, online in plan.members.items() if online]
        absent = [n for n, online in plan.members.items() if not online]
        lines = [f"Members that are there: {', '.join(there) or 'none'}"]
        lines += [f"Members that are not: {', '.join(absent)}"] if absent else []
        lines += [f"Votes: {_votes(plan.count)}"] if plan.count else []
        blocks.append(Lines(tuple(lines)))
    if done:
        blocks += [Heading("Done"), Lines(tuple(describe(step) for step in done))]
    if plan.steps:
        rows = tuple(_row(n, p) for n, p in enumerate(plan.steps, 1))
        columns = ("", "step", "votes before", "votes after, the node itself not counted")
        blocks += [Heading("To be done"), Table(columns, rows)]
    elif not plan.report.has_errors:
        blocks.append(Lines(("Everything is as the fleet file says.",)))
    return blocks


def _end(
    workspace: Workspace,
    wanted: Wanted,
    plan: ClusterPlan,
    problems: Report,
    blocks: Sequence[Block],
    *,
    done: Sequence[Step] = (),
) -> Outcome:
    report = workspace.located(Report([*plan.report, *problems]))
    known = {f.rule.code for f in plan.report} | {f.rule.code for f in problems}
    result: dict[str, Any] = {
        "cluster": wanted.name,
        "members": [{"node": n, "online": online} for n, online in plan.members.items()],
        "votes": None if plan.count is None else {"online": plan.count.online, "total": plan.count.total},
        "done": [_data(step) for step in done],
        "steps": [_data(p.step) for p in plan.steps],
    }
    return Outcome("cluster converge", Report([f for f in report if f.rule.code in known]), result, blocks)


def _data(step: Step) -> dict[str, Any]:
    names = {Create: "create", Remove: "remove", SetTimers: "set-timers", Join: "join"}
    node = step.via if isinstance(step, SetTimers) else step.node
    return {"step": names[type(step)], "node": node, "text": describe(step)}
