"""The answer to "what if these nodes are down": what stops, what stays, the quorum, and whether to re-image now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ventoy_kit.blueprint.losses import Fate, Loss, fate_of_roles, lose
from ventoy_kit.blueprint.model import Blueprint, Placed
from ventoy_kit.blueprint.quorum import Gap, Standing, Timing, gap, standing, timing_of
from ventoy_kit.fleet.schema import Node


@dataclass(frozen=True, slots=True)
class Watch:
    """A service that goes on and observes one of the lost nodes by samples.

    Attributes:
        placed: the service.
        node: the node that it observes.
        gap: how far its last sample may lie before corosync's first message; None without a cluster.
    """

    placed: Placed
    node: str
    gap: Gap | None


@dataclass(frozen=True, slots=True)
class Reimage:
    """Whether a node can be re-imaged while it and the others are down.

    Attributes:
        node: the node.
        against: why not, in sentences without a full stop; empty if it is safe.
        mind: what is no reason against it, but must be known or done.
        wiped: which disks are wiped, in words.
    """

    node: str
    against: tuple[str, ...]
    mind: tuple[str, ...]
    wiped: str

    @property
    def safe(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.against


@dataclass(frozen=True, slots=True)
class Outlook:
    """The fleet without some nodes.

    Attributes:
        loss: the nodes, and what stops with them.
        fates: what becomes of what services provide.
        standing: the cluster's votes, None if there is none.
        timing: corosync's timers, None without a cluster of two nodes or more.
        watches: what observes the lost nodes from elsewhere.
        unwatched: lost nodes that nothing observes from elsewhere.
        reimages: one for each lost node.
    """

    loss: Loss
    fates: Mapping[str, Fate]
    standing: Standing | None
    timing: Timing | None
    watches: tuple[Watch, ...]
    unwatched: tuple[str, ...]
    reimages: tuple[Reimage, ...]


def outlook(blueprint: Blueprint, down: Collection[str]) -> Outlook:
    """Look at the fleet without some nodes, which must be nodes of the fleet."""
    loss = lose(blueprint, down)
    stands = standing(blueprint, loss.nodes)
    cluster = blueprint.fleet.cluster
    timers = timing_of(len(blueprint.members), cluster) if cluster and len(blueprint.members) > 1 else None
    seen: set[str] = set()
    watches = []
    for placed in blueprint.services:
        for node in placed.service.observes if placed.number not in loss.stopped else ():
            if node not in loss.nodes:
                continue
            seen.add(node)
            interval = placed.service.interval
            if interval is not None:
                clustered = timers is not None and node in blueprint.members
                span = gap(timers, interval, placed.service.flush) if timers and clustered else None
                watches.append(Watch(placed, node, span))
    return Outlook(
        loss,
        fate_of_roles(blueprint, loss),
        stands,
        timers,
        tuple(watches),
        tuple(n for n in loss.nodes if n not in seen),
        tuple(reimage_of(blueprint, loss, stands, node) for node in loss.nodes),
    )


def reimage_of(blueprint: Blueprint, loss: Loss, stands: Standing | None, node: str) -> Reimage:
    """Whether one of the lost nodes can be re-imaged now."""
    against = [*_quorum_against(blueprint, stands, node), *_sources_against(blueprint, loss, node)]
    more, mind = _about_data(blueprint, loss, node)
    spec = blueprint.fleet.nodes[node]
    unknown = _unknown_guests(blueprint, loss, node)
    if unknown:
        more.append(
            f"the fleet file does not say what is in {', '.join(unknown)}, on disks that are wiped: name the services "
            "(or `expendable: true`, or `backed_up_by`)"
        )
    if not blueprint.on_node.get(node) and not unknown:
        mind.append("the fleet file names no service here: what is on the disks, you alone know")
    gone = [name for name, guest in spec.guests.items() if _on_wiped_disks(spec, guest.storage)]
    if gone:
        mind.append(f"guests that go with the disks and have to be made again: {', '.join(gone)}")
    if node in blueprint.members and len(blueprint.members) > 1:
        mind.append(
            f"take {node} out of the cluster first (pvecm delnode {node}, on another node); it joins anew"
        )
    doomed = [(n, d.serial or d.wwn or "not named") for n, d in spec.disks.items() if d.use == "system"]
    wiped = f"wiped: {', '.join(f'{name} ({number})' for name, number in doomed) or 'nothing'}"
    return Reimage(node, (*against, *more), tuple(mind), wiped)


def _about_data(blueprint: Blueprint, loss: Loss, node: str) -> tuple[list[str], list[str]]:
    """What the state on a node speaks against a re-image, and what is to be minded."""
    wiped, kept, mind = [], [], []
    for number in blueprint.on_node.get(node, ()):
        placed = blueprint.services[number]
        if not placed.service.stateful or placed.service.expendable:
            continue
        copies = blueprint.target(placed.backed_up_by).any_of if placed.backed_up_by else ()
        if not _on_wiped_disks(blueprint.fleet.nodes[node], placed.storage):
            kept.append(placed.name)
        elif all(n in loss.stopped for n in copies):
            wiped.append(placed.name)
        else:
            mind.append(
                f"the data of {placed.name} goes; {placed.backed_up_by} has copies, make sure of them"
            )
    if kept:
        mind.append(f"the data of {', '.join(kept)} is on disks that are not wiped")
    against = f"the data of {', '.join(wiped)} is on disks that are wiped, and no service that is still up is declared to have a copy"
    return [against] if wiped else [], mind


def _unknown_guests(blueprint: Blueprint, loss: Loss, node: str) -> list[str]:
    """Guests on wiped disks of which nothing says whether they may be lost."""
    found = []
    spec = blueprint.fleet.nodes[node]
    for name, guest in spec.guests.items():
        copies = blueprint.target(guest.backed_up_by).any_of if guest.backed_up_by else ()
        saved = any(n not in loss.stopped for n in copies)
        if not guest.services and not guest.expendable and not saved and _on_wiped_disks(spec, guest.storage):
            found.append(name)
    return found


def _quorum_against(blueprint: Blueprint, stands: Standing | None, node: str) -> list[str]:
    if stands is None or node not in blueprint.members or stands.votes.nodes < 2 or stands.holds:
        return []
    return [
        (
            f"the cluster has {stands.left} of {stands.votes.total} votes and needs {stands.votes.needed}: "
            f"{node} can neither be taken out of it nor join again"
        )
    ]


def _on_wiped_disks(node: Node, storage: str | None) -> bool:
    if storage is None:
        return True
    return any(d.use == "system" for n, d in node.disks.items() if storage in (n, d.pool))


def _sources_against(blueprint: Blueprint, loss: Loss, node: str) -> list[str]:
    """What an installation needs and does not have while these nodes are down."""
    fleet = blueprint.fleet
    found = []
    kept = [("the fleet file", fleet.kept_by)]
    kept += [(f"the secret {name}", secret.kept_by) for name, secret in fleet.secrets.items()]
    for what, name in kept:
        target = blueprint.target(name).any_of if name is not None else ()
        if target and all(n in loss.stopped for n in target):
            found.append(f"{what} is kept by {name}, which is down, too")
    spec = fleet.nodes[node].network
    net = fleet.networks.get(spec.network or fleet.defaults.network or "")
    if net is None:
        return found
    needed = [("the gateway", net.gateway)] if net.gateway is not None else []
    needed += [("the first name server", address) for address in net.dns[:1]]
    for what, address in needed:
        owner = blueprint.address_owner.get(str(address))
        if owner is not None and owner[0] in loss.nodes:
            found.append(f"{what} {address} is {owner[1]}, which is down, too")
    return found
