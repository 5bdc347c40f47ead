"""Rules of the fleet as a whole: network, quorum, names. Pure; cost grows linearly."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ventoy_kit.blueprint import codes
from ventoy_kit.blueprint.model import WIDELY_NEEDED, Blueprint
from ventoy_kit.blueprint.quorum import WATCHDOG_MS, seconds, timing_of, votes_of
from ventoy_kit.blueprint.waivers import Violation
from ventoy_kit.report import Path, dotted


def fleet_violations(blueprint: Blueprint) -> Iterator[Violation]:
    """Everything that breaks a rule of the fleet as a whole."""
    yield from _addresses(blueprint)
    yield from _name_servers(blueprint)
    yield from _links(blueprint)
    yield from _quorum(blueprint)
    yield from _names(blueprint)
    yield from _titles(blueprint)
    yield from _role_words(blueprint)


def _addresses(blueprint: Blueprint) -> Iterator[Violation]:
    """Addresses of guests and services against all others."""
    taken: dict[str, tuple[Path, str, str | None, str | None]] = {}  # where, node, guest, group
    for name, node in blueprint.fleet.nodes.items():
        if node.network.address is not None:
            taken[str(node.network.address.ip)] = ("nodes", name, "network", "address"), name, None, None
    for name, node in blueprint.fleet.nodes.items():
        for guest_name, guest in node.guests.items():
            if guest.address is not None:
                path: Path = ("nodes", name, "guests", guest_name, "address")
                first = taken.setdefault(str(guest.address), (path, name, guest_name, None))
                if first[0] != path:
                    yield _taken(str(guest.address), path, first[0], name)
    for placed in blueprint.services:
        if placed.service.address is None:
            continue
        path = (*placed.path, "address")
        group = placed.service.group
        where, node_name, inner, other = taken.setdefault(
            str(placed.service.address), (path, placed.node, placed.guest, group)
        )
        at_home = node_name == placed.node and inner in (None, placed.guest)
        moves = group is not None and group == other  # one address for a group, as VRRP does it
        if where != path and not at_home and not moves:
            yield _taken(str(placed.service.address), path, where, placed.node)


def _taken(address: str, path: Path, first: Path, node: str) -> Violation:
    return Violation(
        codes.GUEST_ADDRESS,
        path,
        f"address {address} also stands at `{dotted(first)}`",
        "Give each host its own address.",
        node,
        on_key=False,
    )


def _name_servers(blueprint: Blueprint) -> Iterator[Violation]:
    addresses = [node.network.address for node in blueprint.fleet.nodes.values()]
    nodes = {str(address.ip) for address in addresses if address is not None}
    for name, net in blueprint.fleet.networks.items():
        at: Path = ("networks", name)
        # A router that resolves names, too, is one mistake, not two.
        asked = [address for address in net.dns if address != net.gateway]
        owners = [blueprint.address_owner.get(str(address)) for address in asked]
        inside = [owner[1] for owner in owners if owner is not None]
        if inside and owners[0] is not None and asked[0] == net.dns[0]:
            all_in = len(inside) == len(net.dns)
            yield Violation(
                codes.NAME_SERVER,
                (*at, "dns"),
                f"{'every' if all_in else 'the first'} name server of `{name}` runs in the fleet: {', '.join(dict.fromkeys(inside))}",
                "Add one from outside, such as the router, and put it first."
                if all_in
                else "Put one from outside first.",
                owners[0][0],
                on_key=False,
            )
        owner = blueprint.address_owner.get(str(net.gateway)) if net.gateway is not None else None
        if owner is not None and str(net.gateway) not in nodes:  # those are VK-N07
            yield Violation(
                codes.GATEWAY,
                (*at, "gateway"),
                f"the gateway of `{name}` runs in the fleet: {owner[1]}",
                "Route outside of the fleet, or write a waiver that says how that node is installed.",
                owner[0],
                on_key=False,
            )


def _links(blueprint: Blueprint) -> Iterator[Violation]:
    cluster = blueprint.fleet.cluster
    if cluster is None or len(blueprint.members) < 2:
        return
    links = cluster.links or tuple(
        dict.fromkeys(
            blueprint.fleet.nodes[m].network.network or blueprint.fleet.defaults.network or ""
            for m in blueprint.members
        )
    )
    for name in links:
        net = blueprint.fleet.networks.get(name)
        if net is not None and net.latency in ("wireless", "wan"):
            yield Violation(
                codes.LATENCY,
                ("networks", name, "latency"),
                f"corosync runs over `{name}`, whose latency is `{net.latency}`",
                "Name a wired local network under `cluster.links`, or take the far nodes out of the cluster.",
                on_key=False,
            )


def _quorum(blueprint: Blueprint) -> Iterator[Violation]:
    cluster, members = blueprint.fleet.cluster, len(blueprint.members)
    if cluster is None or members == 0:
        return
    votes = votes_of(members, cluster)
    if cluster.qdevice is None and members % 2 == 0:
        without = (
            "no loss at all" if votes.spare == 0 else f"the loss of {votes.spare}, as {members - 1} would"
        )
        yield Violation(
            codes.EVEN_VOTES,
            ("cluster",),
            f"the cluster has {members} votes and survives {without}",
            "Add a QDevice on a host outside of the cluster, or one node more.",
        )
    if cluster.qdevice is not None:
        address = str(cluster.qdevice.address)
        path: Path = ("cluster", "qdevice", "address")
        owner = blueprint.address_owner.get(address)
        if owner is not None:
            text = f"the QDevice {address} is {owner[1]}, inside of the fleet"
            remedy = "Run corosync-qnetd on a host that does not depend on the cluster."
            yield Violation(codes.QDEVICE, path, text, remedy, owner[0], on_key=False)
        if members % 2:
            text = (
                f"with an odd number of nodes ({members}) the QDevice has {votes.device} of {votes.total} votes: "
                "without it, no node may be lost"
            )
            yield Violation(codes.QDEVICE, ("cluster", "qdevice"), text, "Remove it, or add a node.")
    wait = timing_of(members, cluster).membership
    if members > 1 and wait >= WATCHDOG_MS:
        yield Violation(
            codes.TOKEN,
            ("cluster",),
            f"{members} nodes agree on a loss after {seconds(wait)} at worst, later than the watchdog's {seconds(WATCHDOG_MS)}",
            "Lower `token` or `token_coefficient` (125 ms is what newer Proxmox VE sets).",
        )


def _names(blueprint: Blueprint) -> Iterator[Violation]:
    fleet = blueprint.fleet
    first: dict[str, str] = {}
    for node_name, node in fleet.nodes.items():
        for name in node.guests:
            path: Path = ("nodes", node_name, "guests", name)
            if name in fleet.nodes:
                text, remedy = "the guest has the name of a node", "Rename the guest."
                yield Violation(codes.NAMES, path, text, remedy, node_name, name)
            elif name in first:
                text = f"a guest on `{first[name]}` has this name, too"
                yield Violation(codes.NAMES, path, text, "Rename one of the two.", node_name, name)
            first.setdefault(name, node_name)
    for placed in blueprint.services:
        if placed.name in fleet.nodes:
            text, remedy = "the service has the name of a node", "Rename the service."
            yield Violation(codes.NAMES, placed.path, text, remedy, placed.node, placed.name)
    for group, numbers in blueprint.by_group.items():
        for number in blueprint.by_name.get(group, ()):
            placed = blueprint.services[number]
            if placed.service.group != group:
                other = blueprint.services[numbers[0]]
                text = f"the service has the name of a group, which {other.name} on {other.node} is in"
                remedy = "Rename one of the two, or put the service into the group."
                yield Violation(codes.NAMES, placed.path, text, remedy, placed.node, placed.name)


def _titles(blueprint: Blueprint) -> Iterator[Violation]:
    first: dict[str, str] = {}
    for name, node in blueprint.fleet.nodes.items():
        if node.title.casefold() in first:
            yield Violation(
                codes.NAMES,
                ("nodes", name, "title"),
                f"`{first[node.title.casefold()]}` has the title `{node.title}`, too",
                "Give each node a title of its own.",
                name,
                on_key=False,
            )
        first.setdefault(node.title.casefold(), name)


def _role_words(blueprint: Blueprint) -> Iterator[Violation]:
    near = {
        role: difflib.get_close_matches(role, WIDELY_NEEDED, 1, 0.8)
        for role in blueprint.by_role
        if role not in WIDELY_NEEDED
    }
    for role, words in near.items():
        for number in blueprint.by_role[role] if words else ():
            placed = blueprint.services[number]
            yield Violation(
                codes.NAMES,
                (*placed.path, "provides", placed.service.provides.index(role)),
                f"`{role}` is nearly `{words[0]}`",
                f"Write `{words[0]}`, or a word that is further from it.",
                placed.node,
                placed.name,
                on_key=False,
            )
