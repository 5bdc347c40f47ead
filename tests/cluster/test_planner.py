"""What the planner refuses and warns of, rule by rule."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace

import pytest

from ventoy_kit.cluster.answers import Quorum, Seen
from ventoy_kit.cluster.corosync import Corosync, Member
from ventoy_kit.cluster.model import Link, Wanted
from ventoy_kit.cluster.planner import make_plan

WANTED = Wanted("demo", {"alpha": "10.0.0.11", "beta": "10.0.0.12", "gamma": "10.0.0.13"})
MEMBERS = {n: Member(n, i, 1, {0: WANTED.nodes[n]}) for i, n in enumerate(("alpha", "beta"), 1)}
CONF = Corosync("demo", 5, MEMBERS)
LIVE = Quorum(quorate=True, expected=2, total=2, online=frozenset({1, 2}))
World = dict[str, Seen]


def world() -> World:
    """Two members that are well, and a third node that could join."""
    alone = {
        n: Seen(host_name=n, is_proxmox=True, addresses=frozenset({ipaddress.ip_address(a)}))
        for n, a in WANTED.nodes.items()
    }
    return {n: replace(s, corosync=CONF, quorum=LIVE) if n in MEMBERS else s for n, s in alone.items()}


def change(name: str, **values: object) -> Callable[[World], None]:
    def apply(seen: World) -> None:
        seen[name] = replace(seen[name], **values)  # type: ignore[arg-type]

    return apply


def in_other_cluster(seen: World) -> None:
    other = Corosync("other", 1, {"gamma": Member("gamma", 1, 1, {})})
    change("gamma", corosync=other, quorum=Quorum(True, 1, 1, frozenset({1})))(seen)


def with_stranger(seen: World) -> None:
    members = {**MEMBERS, "old": Member("old", 9, 1, {0: "10.0.0.99"})}
    live = Quorum(quorate=True, expected=3, total=3, online=frozenset({1, 2, 9}))
    for name in MEMBERS:
        change(name, corosync=replace(CONF, members=members), quorum=live)(seen)


def with_device(seen: World) -> None:
    conf = replace(CONF, device=True, device_votes=1)
    for name in MEMBERS:
        change(name, corosync=conf, quorum=replace(LIVE, expected=3, total=3))(seen)


def with_more_votes(seen: World) -> None:
    members = {**MEMBERS, "beta": replace(MEMBERS["beta"], votes=2, links={0: "10.9.9.9"})}
    for name in MEMBERS:
        change(name, corosync=replace(CONF, members=members), quorum=replace(LIVE, expected=3, total=3))(seen)


def test_a_world_that_is_well_has_one_step():
    plan = make_plan(WANTED, world(), None)
    assert ([type(p.step).__name__ for p in plan.steps], list(plan.report)) == (["Join"], [])
    assert (plan.steps[0].before.online, plan.steps[0].after.online, plan.steps[0].after.total) == (2, 2, 3)


@pytest.mark.parametrize(
    ("apply", "rules", "steps"),
    [
        (in_other_cluster, ["VK-O03"], 0),
        (change("gamma", host_name="pve"), ["VK-O08"], 0),
        (change("gamma", is_proxmox=False), ["VK-O08"], 0),
        (change("gamma", problem="no SSH connection"), ["VK-O07"], 0),
        (change("gamma", broken="/etc/pve/corosync.conf: no"), ["VK-O10"], 0),
        (change("gamma", guests=3), ["VK-O09"], 0),
        (change("gamma", remains=("/etc/corosync/authkey",)), ["VK-O09"], 0),
        (change("gamma", offset=3600.0), ["VK-O19"], 1),
        (change("beta", corosync=None), ["VK-O10"], 1),
        (change("beta", corosync=replace(CONF, version=4)), ["VK-O10"], 1),
        (with_stranger, ["VK-O12"], 1),
        (with_device, ["VK-O06"], 0),
        (with_more_votes, ["VK-O11", "VK-O11"], 1),
    ],
)
def test_what_stands_in_the_way(apply, rules, steps):
    seen = world()
    apply(seen)
    plan = make_plan(WANTED, seen, None)
    assert ([f.rule.code for f in plan.report], len(plan.steps)) == (rules, steps)


def test_a_second_link_needs_one_address_in_its_network():
    links = (Link("lan", "10.0.0.0/24"), Link("storage", "10.1.0.0/24"))
    seen = {n: replace(s, corosync=None, quorum=None) for n, s in world().items()}
    for number, name in enumerate(seen):
        address = ipaddress.ip_address(f"10.1.0.{number + 1}")
        seen[name] = replace(seen[name], addresses=seen[name].addresses | {address})
    wanted = replace(WANTED, links=links)
    first = make_plan(wanted, seen, "alpha").steps[0].step
    assert first.links == ("10.0.0.11", "10.1.0.1")  # type: ignore[union-attr]
    for addresses in ((), ("10.1.0.7", "10.1.0.8")):
        seen["gamma"] = replace(
            seen["gamma"], addresses=frozenset(map(ipaddress.ip_address, ("10.0.0.13", *addresses)))
        )
        assert [f.rule.code for f in make_plan(wanted, seen, "alpha").report] == ["VK-O09"]


def test_a_cluster_that_is_made_while_a_node_is_silent_is_warned_of():
    seen = {n: replace(s, corosync=None, quorum=None) for n, s in world().items()}
    seen["gamma"] = Seen(problem="no SSH connection")
    assert [f.rule.code for f in make_plan(WANTED, seen, "alpha").report] == ["VK-O07", "VK-O17"]
    assert make_plan(WANTED, seen, "gamma").steps == ()
