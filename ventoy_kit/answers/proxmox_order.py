"""Whether the Proxmox installer would select other disks if the kernel found the same devices in another order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ventoy_kit.answers.proxmox_match import InstallerStopsError, list_candidates, select_disks
from ventoy_kit.hardware.inventory import DiskFacts

_CLASS = re.compile(r"(sd|vd|hd|xvd)[a-z]+|(nvme)\d+n\d+")


def depends_on_order(setup: Mapping[str, Any], disks: Sequence[DiskFacts]) -> bool:
    """Whether other devices come out when the kernel gives the same names to them in another order.

    Every device of a kind is tried under every name of that kind once.
    """
    kinds: dict[str, list[DiskFacts]] = {}
    for disk in sorted(disks, key=lambda d: d.name):
        found = _CLASS.fullmatch(disk.name)
        if found is not None:
            kinds.setdefault(found[1] or found[2], []).append(disk)
    usual = _devices(setup, {d.name: d for d in disks})
    for group in kinds.values():
        names = [d.name for d in group]
        for shift in range(1, len(group)):
            renamed = {d.name: d for d in disks}
            for disk, name in zip(group, names[shift:] + names[:shift], strict=True):
                renamed[name] = _renamed(disk, name)
            if (
                _devices(
                    setup, renamed, {n: d for d, n in zip(group, names[shift:] + names[:shift], strict=True)}
                )
                != usual
            ):
                return True
    return False


def _renamed(disk: DiskFacts, name: str) -> DiskFacts:
    changed = {
        key: re.sub(rf"\b{re.escape(disk.name)}\b", name, value) if key in ("DEVNAME", "DEVPATH") else value
        for key, value in disk.properties.items()
    }
    return replace(disk, name=name, properties=changed)


def _devices(
    setup: Mapping[str, Any], disks: Mapping[str, DiskFacts], were: Mapping[str, DiskFacts] | None = None
) -> frozenset[str]:
    """The selected devices, by the names that they have in the facts."""
    try:
        chosen = select_disks(setup, list_candidates(tuple(disks.values()))).chosen
    except InstallerStopsError:
        return frozenset()
    return frozenset((were or {}).get(c.disk.name, c.disk).name for c in chosen)
