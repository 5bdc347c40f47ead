"""The fleet as one model of services, places and what leans on what. Rules, `what-if` and drawings read this one.

Services are numbered in the order of the file, so that large fleets are walked by index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from ventoy_kit.fleet.schema import Fleet, Guest, Node, Service
from ventoy_kit.report import Path

WIDELY_NEEDED = frozenset({"backup", "dhcp", "dns", "identity", "metrics", "monitoring", "secrets", "siem"})
"""What a service may provide that makes it critical: when one of these stops, others are blind, locked out or lost."""

PROXMOX = "proxmox-ve"


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One service at the place where it runs.

    Attributes:
        number: its index in the blueprint.
        name: key in the fleet file; several places may have a service of one name.
        node: node that it runs on.
        guest: guest that it runs in, None on the node itself.
        service: what the fleet file says of it.
        path: where it stands in the fleet file.
        storage: disk or pool that holds its data, None for the system disks.
        backed_up_by: service or group that keeps copies of its data.
    """

    number: int
    name: str
    node: str
    guest: str | None
    service: Service
    path: Path
    storage: str | None
    backed_up_by: str | None

    @property
    def where(self) -> str:
        """`guest on node`, or the node alone."""
        return f"{self.guest} on {self.node}" if self.guest else self.node


@dataclass(frozen=True, slots=True)
class Target:
    """What a name in `needs`, `observes` or `backed_up_by` means: any of these services.

    Attributes:
        any_of: numbers of the services that fit, empty if there is none.
        ambiguous: whether different services have this name and stand in no common group.
    """

    any_of: tuple[int, ...]
    ambiguous: bool = False


class Blueprint:
    """The model. Everything that is derived from the fleet file is computed once, when it is first asked for."""

    def __init__(self, fleet: Fleet, members: frozenset[str] | None = None) -> None:
        """Lay out a fleet.

        Args:
            fleet: a decoded fleet.
            members: nodes that install Proxmox VE, where the images are known; guessed from their names otherwise.
        """
        self.fleet = fleet
        self.proxmox = guessed_members(fleet) if members is None else members
        self.members: tuple[str, ...] = (
            tuple(n for n in fleet.nodes if n in self.proxmox) if fleet.cluster is not None else ()
        )

    @cached_property
    def services(self) -> Sequence[Placed]:
        """All services in the order of the file."""
        found: list[Placed] = []

        def place(path: Path, name: str, guest_name: str | None, guest: Guest | None) -> None:
            for key, service in (guest or self.fleet.nodes[name]).services.items():
                storage = service.storage or (guest.storage if guest else None)
                backup = service.backed_up_by or (guest.backed_up_by if guest else None)
                at: Path = (*path, "services", key)
                found.append(Placed(len(found), key, name, guest_name, service, at, storage, backup))

        for name, node in self.fleet.nodes.items():
            for guest_name, guest in node.guests.items():
                place(("nodes", name, "guests", guest_name), name, guest_name, guest)
            place(("nodes", name), name, None, None)
        return found

    @cached_property
    def on_node(self) -> Mapping[str, tuple[int, ...]]:
        """Numbers of the services of each node, for nodes that have any."""
        return _grouped((s.node, s.number) for s in self.services)

    @cached_property
    def by_name(self) -> Mapping[str, tuple[int, ...]]:
        """Numbers of the services of each name."""
        return _grouped((s.name, s.number) for s in self.services)

    @cached_property
    def by_group(self) -> Mapping[str, tuple[int, ...]]:
        """Numbers of the services of each group."""
        return _grouped((s.service.group, s.number) for s in self.services if s.service.group)

    @cached_property
    def by_role(self) -> Mapping[str, tuple[int, ...]]:
        """Numbers of the services that provide something, by what they provide."""
        return _grouped((role, s.number) for s in self.services for role in dict.fromkeys(s.service.provides))

    def target(self, name: str) -> Target:
        """What a name means: the services of this group, or those of this name and what stands in for them."""
        known = self._targets.get(name)
        if known is None:
            known = self._targets[name] = self._resolve(name)
        return known

    @cached_property
    def _targets(self) -> dict[str, Target]:
        return {}

    def _resolve(self, name: str) -> Target:
        if name in self.by_group:
            return Target(self.by_group[name])
        named = self.by_name.get(name, ())
        groups = {self.services[n].service.group for n in named}
        if groups == {None}:
            return Target(named, ambiguous=len(named) > 1)
        members = {m for group in groups if group for m in self.by_group[group]}
        return Target(tuple(sorted(members | set(named))), ambiguous=len(groups) > 1)

    @cached_property
    def leaning(self) -> Mapping[int, Sequence[tuple[int, int]]]:
        """For each service that others need: the numbers of those, and which of their needs it is."""
        found: dict[int, list[tuple[int, int]]] = {}
        for placed in self.services:
            for index, need in enumerate(placed.service.needs):
                for number in self.target(need).any_of:
                    found.setdefault(number, []).append((placed.number, index))
        return found

    @cached_property
    def critical(self) -> frozenset[int]:
        """Numbers of the services whose end hurts others."""
        return frozenset(p.number for p in self.services if self._is_critical(p))

    def _is_critical(self, placed: Placed) -> bool:
        service = placed.service
        if service.critical is not None:
            return service.critical
        if service.stateful or WIDELY_NEEDED & set(service.provides):
            return True
        return any(self.services[n].node != placed.node for n, _ in self.leaning.get(placed.number, ()))

    @cached_property
    def address_owner(self) -> Mapping[str, tuple[str, str]]:
        """For each address inside the fleet: the node that it goes down with, and who has it there."""
        found: dict[str, tuple[str, str]] = {}
        for name, node in self.fleet.nodes.items():
            if node.network.address is not None:
                found.setdefault(str(node.network.address.ip), (name, f"the node {name}"))
            for guest_name, guest in node.guests.items():
                if guest.address is not None:
                    found.setdefault(str(guest.address), (name, f"{guest_name} on {name}"))
        for placed in self.services:
            if placed.service.address is not None:
                found[str(placed.service.address)] = (placed.node, f"{placed.name} on {placed.node}")
        return found

    def gives_card_away(self, node: str) -> bool:
        """Whether a graphics card of the node is passed through to a guest."""
        spec = self.fleet.nodes[node]
        return any(g.passthrough for g in spec.hardware.gpus) or any(g.gpu for g in spec.guests.values())


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for key, number in pairs:
        found.setdefault(key, []).append(number)
    return {key: tuple(numbers) for key, numbers in found.items()}


def guessed_members(fleet: Fleet) -> frozenset[str]:
    """The nodes that install Proxmox VE, by the name of their image, its catalog entry or its file."""
    return frozenset(name for name, node in fleet.nodes.items() if _installs_proxmox(fleet, node))


def _installs_proxmox(fleet: Fleet, node: Node) -> bool:
    name = node.install.image or fleet.defaults.image or ""
    image = fleet.images.get(name)
    if name == PROXMOX or image is None:
        return name == PROXMOX
    return image.catalog == PROXMOX or PurePath(image.path or "").name.lower().startswith(PROXMOX)
