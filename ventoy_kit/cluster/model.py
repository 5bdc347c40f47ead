"""What the fleet wants of its cluster, and the steps that lead there."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from ventoy_kit.fleet.schema import Fleet

VOTES = 1
"""Votes of every node: the fleet file counts one per node."""


@dataclass(frozen=True, slots=True)
class Link:
    """A corosync link: the network's name and its range."""

    network: str
    cidr: str

    def holds(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        """Whether an address lies in the network."""
        return address in ipaddress.ip_network(self.cidr)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The cluster that the fleet file describes.

    Attributes:
        name: its name.
        nodes: management address of each node that shall be a member.
        links: the links in order; empty for one link between the management addresses.
        token: `token` in milliseconds, if the fleet file says it.
        coefficient: `token_coefficient` in milliseconds, if the fleet file says it.
        qdevice: address of the QDevice, None without one.
    """

    name: str
    nodes: Mapping[str, str]
    links: tuple[Link, ...] = ()
    token: int | None = None
    coefficient: int | None = None
    qdevice: str | None = None


def wanted_of(fleet: Fleet, members: tuple[str, ...]) -> Wanted | None:
    """The cluster of a fleet, None if it describes none.

    Args:
        fleet: a fleet without errors.
        members: the nodes that install Proxmox VE.
    """
    cluster = fleet.cluster
    if cluster is None or not members:
        return None
    given = cluster.model_fields_set  # a default is no wish: releases of Proxmox VE set their own
    return Wanted(
        cluster.name,
        {name: str(fleet.nodes[name].network.address.ip) for name in members},
        tuple(Link(name, str(fleet.networks[name].cidr)) for name in cluster.links),
        cluster.token if "token" in given else None,
        cluster.token_coefficient if "token_coefficient" in given else None,
        str(cluster.qdevice.address) if cluster.qdevice is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Create:
    """Make the cluster on its first node."""

    node: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Take the membership of a node that was installed anew out of the cluster, on the member `via`."""

    node: str
    via: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class SetTimers:
    """Change the timers of `totem`, on the member `via`."""

    via: str = field(compare=False)
    token: int | None = field(compare=False)
    coefficient: int | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Join:
    """Let a node join. `via` is the member that it asks, at `address`, whose certificate has the fingerprint.

    The fingerprint is empty where the member does not exist yet when the plan is made.
    """

    node: str
    via: str = field(compare=False)
    address: str = field(compare=False)
    links: tuple[str, ...]
    fingerprint: str = field(default="", compare=False)


Step = Create | Remove | SetTimers | Join
"""Two steps are equal if they do the same to the same node, whichever member helps."""


@dataclass(frozen=True, slots=True)
class Count:
    """Votes at a moment: of the members that are there, the QDevice's included, and of all."""

    online: int
    total: int

    @property
    def needed(self) -> int:
        """Votes that make a quorum."""
        return self.total // 2 + 1

    @property
    def holds(self) -> bool:
        """Whether there is a quorum."""
        return self.online >= self.needed
