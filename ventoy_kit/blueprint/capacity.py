"""What a node has for its guests, and what they ask for. Pure; sizes in bytes. Unknown sizes count as nothing.

Sources: Proxmox VE's system requirements (2 GB for the system and its services) and its chapter on ZFS (from 8.1 on
the installer limits the ARC to a tenth of the memory, 16 GiB at the most).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ventoy_kit.fleet.judging import Raid
from ventoy_kit.fleet.schema import Disk, Guest, Node, Service

GIB = 1024**3
PROXMOX_MEMORY = 2 * GIB
OTHER_MEMORY = GIB // 2
ARC_MOST = 16 * GIB

VCPU_PER_THREAD = 4
"""From this ratio of virtual to real processors on, waiting for one is expected to be felt: a rule of thumb."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What guests and services of a node ask for.

    Attributes:
        memory: memory.
        vcpu: virtual processors.
        disk: disk space by storage; None is the system disks.
        silent: guests and services of the node that say nothing of memory.
    """

    memory: int
    vcpu: int
    disk: Mapping[str | None, int]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What a node has.

    Attributes:
        memory: built-in memory, None if not declared.
        system: memory that the system keeps.
        arc: memory that the ZFS cache may take.
        threads: logical processors, None if not declared.
        disk: size by storage, of those whose disks declare sizes; None is the system disks.
    """

    memory: int | None
    system: int
    arc: int
    threads: int | None
    disk: Mapping[str | None, int]

    @property
    def free_memory(self) -> int | None:
        """Memory for guests, None if not known."""
        return None if self.memory is None else self.memory - self.system - self.arc


def in_services(guest: Guest, what: str) -> int:
    """What the services in a guest ask for: the sum of `memory`, `vcpu` or `disk`."""
    return sum(getattr(s, what) or 0 for s in guest.services.values())


def ask_of(node: Node) -> Ask:
    """Sum up a node; a guest that gives no size of its own asks for what its services ask for."""
    disk: dict[str | None, int] = {}
    for size, storage in _disk_asks(node):
        disk[storage] = disk.get(storage, 0) + size
    parts: list[tuple[str, Guest | Service]] = [*node.guests.items(), *node.services.items()]
    memory = [_size(part, "memory") for _, part in parts]
    silent = tuple(name for (name, _), size in zip(parts, memory, strict=True) if not size)
    return Ask(sum(memory), sum(_size(part, "vcpu") for _, part in parts), disk, silent)


def _size(part: Guest | Service, what: str) -> int:
    own: int | None = getattr(part, what)
    if own is not None:
        return own
    return in_services(part, what) if isinstance(part, Guest) else 0


def _disk_asks(node: Node) -> Iterable[tuple[int, str | None]]:
    for guest in node.guests.values():
        # What a service keeps elsewhere is not in the guest's own disk.
        away = [s for s in guest.services.values() if s.storage not in (None, guest.storage)]
        inside = sum(s.disk or 0 for s in guest.services.values() if s not in away)
        yield guest.disk if guest.disk is not None else inside, guest.storage
        yield from ((s.disk or 0, s.storage) for s in away)
    yield from ((s.disk or 0, s.storage) for s in node.services.values())


def room_of(node: Node, *, proxmox: bool) -> Room:
    """What a node has for guests."""
    memory = node.hardware.memory
    disk: dict[str | None, int] = {}
    system = [d for d in node.disks.values() if d.use == "system"]
    _measure(disk, None, system, node.install.raid or "raid0")
    for name in {d.pool for d in node.disks.values() if d.pool}:
        members = [d for d in node.disks.values() if d.pool == name]
        pool = node.pools.get(name)
        _measure(disk, name, members, pool.raid if pool else "raid0")
    for name, one in node.disks.items():
        _measure(disk, name, [one], "raid0")
    return Room(
        memory, PROXMOX_MEMORY if proxmox else OTHER_MEMORY, arc_of(node), node.hardware.threads, disk
    )


def _measure(disk: dict[str | None, int], storage: str | None, members: list[Disk], raid: Raid) -> None:
    sizes = [d.size for d in members if d.size is not None]
    if members and len(sizes) == len(members):
        disk.setdefault(storage, usable(sizes, raid))


def arc_of(node: Node) -> int:
    """Memory that the ZFS cache may take on a node that is installed on ZFS; none otherwise."""
    if node.install.filesystem != "zfs":
        return 0
    zfs = node.install.zfs
    if zfs is not None and zfs.arc_max is not None:
        return zfs.arc_max
    return min((node.hardware.memory or 0) // 10, ARC_MOST)


def usable(sizes: list[int], raid: Raid) -> int:
    """What disks of these sizes hold, without what the file system needs for itself."""
    smallest, count = min(sizes), len(sizes)
    if raid == "raid0":
        return sum(sizes)
    if raid == "raid1":
        return smallest
    if raid == "raid10":
        return smallest * (count // 2)
    return smallest * max(1, count - int(raid[-1]))


def is_redundant(node: Node, storage: str | None) -> bool | None:
    """Whether a storage outlives one disk, as declared; None if the node has no such storage."""
    if storage is None:
        return node.install.raid not in (None, "raid0")
    if storage in node.pools:
        return node.pools[storage].raid != "raid0"
    if storage in node.disks:
        return node.disks[storage].use == "system" and is_redundant(node, None) is True
    return False if any(d.pool == storage for d in node.disks.values()) else None
