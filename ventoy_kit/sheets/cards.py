"""What a drawing of the fleet shows: a card for each node, and what stands above and below the cards. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ventoy_kit.blueprint.losses import dark_roles, lose
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.quorum import seconds, standing, timing_of, votes_of
from ventoy_kit.fleet.schema import Disk, Node, Service
from ventoy_kit.fleet.sizes import format_size

STATE = "*"
"""Stands behind a service that holds state."""


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph of a card; `strong` for headings, `indent` counts steps to the right."""

    text: str
    strong: bool = False
    indent: int = 0


Band = tuple[Line, ...]
"""A part of a card; in a row of cards, bands stand at one height."""


@dataclass(frozen=True, slots=True)
class Card:
    """One node: its name, hardware, work, and what its loss means, each a band."""

    node: str
    title: str
    bands: tuple[Band, Band, Band, Band]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole.

    Attributes:
        title: name of the fleet.
        head: what is true of all nodes: cluster, votes, networks.
        cards: in the order of the fleet file.
        foot: how to read it.
    """

    title: str
    head: tuple[str, ...]
    cards: tuple[Card, ...]
    foot: tuple[str, ...]


def drawing_of(blueprint: Blueprint, models: Mapping[str, str]) -> Drawing:
    """What to draw of a fleet.

    Args:
        blueprint: the fleet.
        models: names for people by BIOS profile; the profile's own name where it is missing.
    """
    fleet = blueprint.fleet
    cards = tuple(
        _card(blueprint, name, models.get(node.model, node.model)) for name, node in fleet.nodes.items()
    )
    foot = ["Each node is a fault domain: what its loss takes along stands at the foot of its box."]
    if any(p.service.stateful for p in blueprint.services):
        foot.append(f"{STATE} holds state.")
    if fleet.waivers:
        foot.append(
            f"{len(fleet.waivers)} finding{'s' if len(fleet.waivers) > 1 else ''} of the rules waived."
        )
    return Drawing(fleet.title or fleet.fleet, tuple(_head(blueprint)), cards, tuple(foot))


def _head(blueprint: Blueprint) -> Iterator[str]:
    fleet = blueprint.fleet
    count = len(fleet.nodes)
    if fleet.cluster is None or not blueprint.members:
        yield f"{count} node{'s' if count != 1 else ''}, no cluster"
    else:
        votes = votes_of(len(blueprint.members), fleet.cluster)
        yield f"Proxmox VE cluster {fleet.cluster.name}: {len(blueprint.members)} of {count} nodes"
        device = (
            f" ({votes.device} of the QDevice at {fleet.cluster.qdevice.address})"
            if fleet.cluster.qdevice
            else ""
        )
        spare = f"any {votes.spare} may be lost" if votes.spare else "no node may be lost"
        yield f"Quorum: {votes.needed} of {votes.total} votes{device}; {spare}"
        if len(blueprint.members) > 1:
            timers = timing_of(len(blueprint.members), fleet.cluster)
            yield f"Corosync: link down within {seconds(timers.link_down[1])}, new membership within {seconds(timers.membership)}"
    for name, net in fleet.networks.items():
        vlan = f", VLAN {net.vlan}" if net.vlan is not None else ""
        gateway = f", gateway {net.gateway}" if net.gateway is not None else ""
        dns = f", DNS {', '.join(map(str, net.dns))}" if net.dns else ""
        link = ", corosync" if fleet.cluster is not None and name in fleet.cluster.links else ""
        yield f"Network {name}: {net.cidr}{vlan}{gateway}{dns}{link}"
    for group, numbers in blueprint.by_group.items():
        members = ", ".join(f"{blueprint.services[n].name} on {blueprint.services[n].node}" for n in numbers)
        yield f"Stand in for each other ({group}): {members}"


def _card(blueprint: Blueprint, name: str, model: str) -> Card:
    node = blueprint.fleet.nodes[name]
    names = (Line(name, strong=True), Line(node.title), Line(f"({model})"))
    return Card(
        name,
        node.title,
        (names, tuple(_hardware(node)), tuple(_work(node)), tuple(_without(blueprint, name))),
    )


def _hardware(node: Node) -> Iterator[Line]:
    hardware = node.hardware
    if hardware.cpu:
        yield Line(hardware.cpu)
    if hardware.memory:
        yield Line(f"{format_size(hardware.memory)} memory{', ECC' if hardware.ecc else ''}")
    for card in hardware.gpus:
        yield Line(f"{card.title or card.id}{', passed through' if card.passthrough else ''}")
    system = [d for d in node.disks.values() if d.use == "system"]
    raid = f" {node.install.raid}" if node.install.raid else ""
    yield Line(f"System: {_sizes(system)} ({node.install.filesystem}{raid})")
    for pool in dict.fromkeys(d.pool for d in node.disks.values() if d.use == "data" and d.pool):
        declared = node.pools.get(pool)
        disks = [d for d in node.disks.values() if d.pool == pool]
        yield Line(f"Pool {pool}: {_sizes(disks)}{f' ({declared.raid})' if declared else ''}")
    for name, disk in node.disks.items():
        if disk.use == "keep" or (disk.use == "data" and not disk.pool):
            yield Line(f"{name}: {_sizes([disk])}, {disk.use}")
    for name, nic in hardware.nics.items():
        own = f" {node.network.address or 'DHCP'}" if name == node.network.nic else ""
        about = ", ".join(part for part in (nic.title, nic.port) if part)
        yield Line(f"{name}{own}{f' ({about})' if about else ''}")


def _sizes(disks: Iterable[Disk]) -> str:
    """Sizes of disks, equal ones counted: `2 x 4 TB`."""
    counts: dict[str, int] = {}
    for disk in disks:
        text = format_size(disk.size) if disk.size else disk.model or "size not declared"
        counts[text] = counts.get(text, 0) + 1
    return " + ".join(f"{n} x {text}" if n > 1 else text for text, n in counts.items()) or "none"


def _work(node: Node) -> Iterator[Line]:
    if node.role:
        yield Line(node.role, strong=True)
    for name, guest in node.guests.items():
        about = ", ".join(part for part in (guest.kind, "GPU" if guest.gpu else "") if part)
        yield Line(f"{name} ({about})")
        yield from (Line(_service(n, s), indent=1) for n, s in guest.services.items())
    yield from (Line(_service(n, s)) for n, s in node.services.items())
    if not node.guests and not node.services:
        yield Line("no service declared")


def _service(name: str, service: Service) -> str:
    return f"\N{MIDDLE DOT} {service.title or name}{STATE if service.stateful else ''}"


def _without(blueprint: Blueprint, name: str) -> Iterator[Line]:
    loss = lose(blueprint, (name,))
    stands = standing(blueprint, loss.nodes)
    yield Line("If it is lost", strong=True)
    dark = dark_roles(blueprint, loss)
    if dark:
        yield Line(f"dark: {', '.join(dark)}")
    elsewhere = [blueprint.services[n] for n, need in loss.stopped.items() if need is not None]
    if elsewhere:
        yield Line(f"stops elsewhere: {', '.join(f'{p.name} on {p.node}' for p in elsewhere)}")
    if not dark and not elsewhere:
        yield Line("no other node stops anything" if loss.stopped else "nothing that is declared stops")
    if stands is not None and stands.lost_members:
        yield Line(f"quorum {'holds' if stands.holds else 'IS LOST'}: {stands.left} of {stands.votes.total}")


def in_rows(cards: Sequence[Card], columns: int) -> Iterator[tuple[Card, ...]]:
    """Cards in rows of so many; the last row may be shorter."""
    for start in range(0, len(cards), columns):
        yield tuple(cards[start : start + columns])
