"""From what nodes answered to steps and findings. Pure; nothing here trusts an earlier plan.

A step is planned only if the members that are there hold the majority before it and after it, without the node that
goes or comes. The one exception is the second node of a cluster: one vote of two is never a majority, so until that
node is up the first one cannot write. Steps are planned to the end, each on what the ones before it leave behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ventoy_kit.cluster import codes
from ventoy_kit.cluster.answers import Seen
from ventoy_kit.cluster.corosync import DEFAULT_COEFFICIENT, DEFAULT_TOKEN, Corosync
from ventoy_kit.cluster.hindrances import (
    clocks,
    drift,
    is_anew,
    is_usable,
    links_of,
    no_quorum,
    obstacle,
    remains,
    strays,
    unusable,
)
from ventoy_kit.cluster.model import VOTES, Count, Create, Join, Remove, SetTimers, Step, Wanted
from ventoy_kit.report import Finding, Report


@dataclass(frozen=True, slots=True)
class Planned:
    """A step, and the votes before and after it, the node that comes or goes not counted as there."""

    step: Step
    before: Count
    after: Count


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """Everything to do.

    Attributes:
        steps: in order.
        report: what hinders; the steps do not depend on it.
        members: names of the members now, and whether each is there.
        count: votes now, None without a cluster.
    """

    steps: tuple[Planned, ...]
    report: Report
    members: Mapping[str, bool] = field(default_factory=dict)
    count: Count | None = None


@dataclass(frozen=True, slots=True)
class _Now:
    """The cluster between two steps: votes of every member, and which members are there.

    `expected` is what corosync itself expects now, which a person may have lowered; a change of members resets it.
    """

    votes: Mapping[str, int]
    online: frozenset[str]
    device: int = 0
    expected: int | None = None

    @property
    def count(self) -> Count:
        total = sum(self.votes.values()) + self.device
        return Count(
            sum(self.votes[n] for n in self.online) + self.device,
            total if self.expected is None else self.expected,
        )

    def without(self, node: str) -> _Now:
        votes = {n: v for n, v in self.votes.items() if n != node}
        return replace(self, votes=votes, online=self.online - {node}, expected=None)

    def with_absent(self, node: str) -> _Now:
        return replace(self, votes={**self.votes, node: VOTES}, expected=None)

    def with_present(self, node: str) -> _Now:
        return replace(self.with_absent(node), online=self.online | {node})


def make_plan(wanted: Wanted, seen: Mapping[str, Seen], bootstrap: str | None) -> ClusterPlan:
    """Plan the way to the wanted cluster.

    Args:
        wanted: what the fleet file says.
        seen: the answer of every wanted node.
        bootstrap: node on which a cluster may be made if there is none.
    """
    report = Report(list(unusable(wanted, seen)))
    usable = {n: s for n, s in seen.items() if is_usable(n, s)}
    report.extend(clocks(usable))
    confs = {n: s.corosync for n, s in usable.items() if s.corosync is not None}
    if not confs:
        if not usable or any(s.broken for s in seen.values()):
            return ClusterPlan((), report)
        return _new_cluster(wanted, seen, usable, bootstrap, report)
    if bootstrap is not None:
        message = f"`--bootstrap {bootstrap}` creates nothing: the cluster exists"
        report.add(codes.UNUSED_BOOTSTRAP.finding(message, "Leave it out."))
    names = {c.name for c in confs.values()}
    if len(names) > 1:
        words = ", ".join(f"{n} in `{c.name}`" for n, c in sorted(confs.items()))
        remedy = "Decide which one stays; re-image the nodes of the others."
        report.add(codes.SPLIT.finding(f"there are several clusters: {words}", remedy))
        return ClusterPlan((), report)
    if names != {wanted.name}:
        message = f"the cluster is called `{names.pop()}`, the fleet file says `{wanted.name}`"
        remedy = "Write its name into the fleet file."
        report.add(codes.WRONG_NAME.finding(message, remedy, path=("cluster", "name")))
        return ClusterPlan((), report)
    return _existing(wanted, usable, confs, report)


def _new_cluster(
    wanted: Wanted,
    seen: Mapping[str, Seen],
    usable: Mapping[str, Seen],
    bootstrap: str | None,
    report: Report,
) -> ClusterPlan:
    absent = sorted(n for n, s in seen.items() if s.problem is not None)
    if bootstrap is None:
        what = (
            f"no node that answers is in a cluster; no answer from {', '.join(absent)}"
            if absent
            else ("no node is in a cluster")
        )
        remedy = "Give --bootstrap NODE to create it on that node."
        if absent:
            remedy = (
                "Wait for them. If you know that none of them is in a cluster: --bootstrap NODE creates one."
            )
        report.add(codes.NO_BOOTSTRAP.finding(what, remedy, path=("cluster",), on_key=True))
        return ClusterPlan((), report)
    if bootstrap not in usable:
        return ClusterPlan((), report)
    if absent:
        message = f"{', '.join(absent)} may be in a cluster already and cannot be asked"
        remedy = "Wait for them, unless you know that there is none."
        report.add(codes.BOOTSTRAP_WITH_ABSENT.finding(message, remedy))
    links, problem = links_of(wanted, bootstrap, usable[bootstrap])
    if problem is None and usable[bootstrap].remains:
        problem = remains(bootstrap, usable[bootstrap])
    if problem is not None:
        report.add(problem)
        return ClusterPlan((), report)
    now = _Now({bootstrap: VOTES}, frozenset({bootstrap}))
    steps = [Planned(Create(bootstrap, links), Count(0, 0), now.count)]
    # Which timers a new cluster has depends on the release; the next run of the planner knows them.
    if (wanted.token, wanted.coefficient) != (None, None):
        timers = SetTimers(bootstrap, wanted.token, wanted.coefficient)
        steps.append(Planned(timers, now.count, now.count))
    joins, found = _joins(wanted, usable, now, bootstrap, "")
    report.extend(found)
    return ClusterPlan((*steps, *joins), report)


def _existing(
    wanted: Wanted, usable: Mapping[str, Seen], confs: Mapping[str, Corosync], report: Report
) -> ClusterPlan:
    quorate = {n: q for n in confs if (q := usable[n].quorum) is not None and q.quorate}
    if not quorate:
        report.add(no_quorum(usable, confs))
        return ClusterPlan((), report)
    # Members that hold a quorum agree on the configuration; one that lags behind is found below.
    via = min(quorate, key=lambda n: (-confs[n].version, n))
    conf, live = confs[via], quorate[via]
    online = frozenset(m.name for m in conf.members.values() if m.id in live.online)
    device = max(0, live.total - sum(conf.members[n].votes for n in online)) if conf.device else 0
    now = _Now({n: m.votes for n, m in conf.members.items()}, online, device, live.expected)
    members, first = {n: n in online for n in conf.members}, now.count
    report.extend(strays(wanted, usable, confs, conf, online))
    report.extend(drift(wanted, confs, usable, conf))
    stale = [n for n in conf.members if is_anew(n, usable, confs) and n not in online]
    joiners = [n for n in wanted.nodes if n in usable and n not in confs and n not in online]
    if conf.device and joiners:
        message = f"a QDevice is configured, and {', '.join(joiners)} would leave or join"
        remedy = f"Remove it on {via} (`pvecm qdevice remove`), run this again, then set it up anew."
        report.add(codes.QDEVICE.finding(message, remedy))
        return ClusterPlan((), report, members, first)
    steps: list[Planned] = []
    for name in stale:
        if not now.count.holds:
            report.add(_too_few(f"removing {name}", now, now.count))
            continue
        later = now.without(name)
        steps.append(Planned(Remove(name, via), now.count, later.count))
        now = later
    timers, found = _timers(wanted, conf, now, via)
    report.extend(found)
    joins, found = _joins(wanted, usable, now, via, (usable[via].fingerprints or {}).get(via, ""))
    report.extend(found)
    steps += [*timers, *joins]
    if wanted.qdevice and not conf.device and not report.has_errors and not steps:
        remedy = f"Run `pvecm qdevice setup {wanted.qdevice}` on {via}; it asks for that host's password."
        message = f"the QDevice at {wanted.qdevice} is not set up"
        report.add(codes.QDEVICE.finding(message, remedy, path=("cluster", "qdevice"), on_key=True))
    return ClusterPlan(tuple(steps), report, members, first)


def _too_few(what: str, now: _Now, later: Count) -> Finding:
    absent = sorted(set(now.votes) - now.online)
    message = (
        f"{what} would leave {later.online} of {later.total} votes, and {later.needed} make a quorum; "
        f"not there: {', '.join(absent)}"
    )
    return codes.NO_QUORUM.finding(message, f"Start {' or '.join(absent)} first, and run this again.")


def _timers(wanted: Wanted, conf: Corosync, now: _Now, via: str) -> tuple[list[Planned], list[Finding]]:
    token = wanted.token if wanted.token != (conf.token or DEFAULT_TOKEN) else None
    has = DEFAULT_COEFFICIENT if conf.coefficient is None else conf.coefficient
    coefficient = wanted.coefficient if wanted.coefficient != has else None
    if (token, coefficient) == (None, None):
        return [], []
    absent = sorted(set(now.votes) - now.online)
    if absent:
        message = f"the timers stay as they are: {', '.join(absent)} would not hear of a change"
        return [], [codes.LATER.finding(message, "Run this again when all members are there.")]
    return [Planned(SetTimers(via, token, coefficient), now.count, now.count)], []


def _joins(
    wanted: Wanted, usable: Mapping[str, Seen], now: _Now, via: str, fingerprint: str
) -> tuple[list[Planned], list[Finding]]:
    steps, found = [], []
    for name in wanted.nodes:
        node = usable.get(name)
        if node is None or node.corosync is not None or name in now.votes:
            continue
        links, problem = links_of(wanted, name, node)
        problem = problem or obstacle(name, node)
        if problem is not None:
            found.append(problem)
            continue
        later = now.with_absent(name)
        if not now.count.holds or (len(now.votes) > 1 and not later.count.holds):
            found.append(_too_few(f"{name} would join; should it not come up, that", now, later.count))
            continue
        steps.append(Planned(Join(name, via, wanted.nodes[via], links, fingerprint), now.count, later.count))
        now = now.with_present(name)
    return steps, found
