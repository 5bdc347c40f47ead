"""Votes of a cluster, and how long corosync takes to notice that a node is gone. Pure arithmetic.

Sources: corosync's `exec/totemconfig.c` (token, consensus, knet timers) and `corosync.conf(5)`; the heartbeat of
libknet (`threads_heartbeat.c`); Proxmox VE's cluster manager chapter (votes, QDevice) and HA chapter (watchdog).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.fleet.schema import Cluster

PONG_COUNT = 2
"""Corosync's default `knet_pong_count`."""

WATCHDOG_MS = 60_000
"""After this many milliseconds without quorum, a node of Proxmox VE's HA fences itself."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes of a cluster.

    Attributes:
        nodes: nodes, one vote each.
        device: votes of the QDevice: one for an even number of nodes, one less than nodes for an odd number.
    """

    nodes: int
    device: int = 0

    @property
    def total(self) -> int:
        """All votes."""
        return self.nodes + self.device

    @property
    def needed(self) -> int:
        """Votes that make a quorum: more than half."""
        return self.total // 2 + 1

    @property
    def spare(self) -> int:
        """How many nodes may be lost, whichever they are, with the QDevice alive."""
        return min(self.nodes, self.total - self.needed)

    def left(self, lost_nodes: int, *, device_lost: bool = False) -> int:
        """Votes after a loss."""
        return self.nodes - lost_nodes + (0 if device_lost else self.device)

    def holds(self, lost_nodes: int, *, device_lost: bool = False) -> bool:
        """Whether there is a quorum after a loss."""
        return self.left(lost_nodes, device_lost=device_lost) >= self.needed


def votes_of(members: int, cluster: Cluster) -> Votes:
    """The votes of a cluster of so many nodes."""
    if cluster.qdevice is None:
        return Votes(members)
    return Votes(members, 1 if members % 2 == 0 else members - 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A cluster after a loss.

    Attributes:
        votes: votes when all is well.
        left: votes that are left.
        holds: whether these are enough.
        device_lost: whether the QDevice went, too.
        lost_members: how many of the lost nodes are members.
    """

    votes: Votes
    left: int
    holds: bool
    device_lost: bool
    lost_members: int

    @property
    def more(self) -> int:
        """How many more nodes may be lost."""
        return max(0, self.left - self.votes.needed)


def standing(blueprint: Blueprint, lost: Collection[str]) -> Standing | None:
    """The cluster without some nodes; None if the fleet has no cluster or nobody is in it."""
    cluster = blueprint.fleet.cluster
    if cluster is None or not blueprint.members:
        return None
    votes = votes_of(len(blueprint.members), cluster)
    members = sum(n in lost for n in blueprint.members)
    device_lost = False
    if cluster.qdevice is not None:
        device_lost = blueprint.address_owner.get(str(cluster.qdevice.address), ("", ""))[0] in lost
    left = votes.left(members, device_lost=device_lost)
    return Standing(votes, left, left >= votes.needed, device_lost, members)


def standing_in_words(stands: Standing) -> tuple[str, ...]:
    """The cluster's votes in sentences."""
    votes = stands.votes
    verb = "holds" if stands.holds else "is lost"
    lines = [f"Quorum {verb}: {stands.left} of {votes.total} votes, {votes.needed} needed."]
    if stands.device_lost:
        lines.append("The QDevice's vote is gone with its host.")
    if not stands.holds:
        lines.append(
            "Guests that run go on, unless HA manages them; nothing starts and no setting is changed meanwhile."
        )
    elif stands.more == 0:
        lines.append("No more node may be lost.")
    else:
        lines.append(f"Of the others {stands.more} more may be lost.")
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class Timing:
    """Corosync's timers in milliseconds, as it computes them itself."""

    token: int
    consensus: int
    ping_interval: int
    ping_timeout: int

    @property
    def link_down(self) -> tuple[int, int]:
        """When knet says that a silent host has no active links: earliest and latest time after its end.

        The link is dead when the last answer is older than the timeout. At the moment of the end the last answer
        was up to one interval old. The latency of the link, counted twice by libknet, is left out.
        """
        return self.ping_timeout - self.ping_interval, self.ping_timeout

    @property
    def membership(self) -> int:
        """When the others agree on a cluster without the node, at the latest: token lost, then consensus."""
        return self.token + self.consensus


def timing(nodes: int, token: int = 3000, coefficient: int = 650) -> Timing:
    """The timers of a cluster of so many nodes: the coefficient counts from the third node on."""
    real = token + max(0, nodes - 2) * coefficient
    return Timing(real, real * 12 // 10, real // (PONG_COUNT * 2), real // PONG_COUNT)


def timing_of(members: int, cluster: Cluster) -> Timing:
    """The timers of the fleet's cluster."""
    return timing(members, cluster.token, cluster.token_coefficient)


@dataclass(frozen=True, slots=True)
class Gap:
    """How far apart the last stored sample of a frozen node and corosync's first message about it may be, in ms.

    Attributes:
        least: if a sample was stored just before the end.
        stored: at the most, if every sample that was taken was stored.
        most: at the most, if the last samples were still waiting to be sent.
    """

    least: int
    stored: int
    most: int


def gap(timers: Timing, interval: int, flush: int) -> Gap:
    """The gap for samples every `interval` seconds that wait up to `flush` seconds before they are sent."""
    early, late = timers.link_down
    return Gap(early, interval * 1000 + late, (interval + flush) * 1000 + late)


def seconds(milliseconds: int) -> str:
    """Milliseconds for people, to a hundredth: `3.65 s`."""
    return f"{round(milliseconds / 1000, 2):g} s"
