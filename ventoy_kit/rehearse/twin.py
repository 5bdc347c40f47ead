"""A node and what was recorded of its machine, as a virtual twin. Pure.

Recorded facts win over the fleet file: the twin is the machine, and the fleet file is what is tried. Without facts the
twin is made of the fleet file, so that wrong serial numbers in it cannot show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ventoy_kit.fleet.placeholders import is_placeholder_serial, plain_wwn
from ventoy_kit.hardware.inventory import DiskFacts, Inventory
from ventoy_kit.plan.model import DiskPlan, NodePlan
from ventoy_kit.rehearse.model import Bus, FirmwareKind, Role, Smbios, Twin, TwinDisk, TwinNic

GB: Final = 10**9
DEFAULT_SIZE: Final = 64 * GB
"""Bytes of a disk whose size nobody knows; it is a sparse file."""

SERIAL_LENGTH: Final[dict[Bus, int]] = {"nvme": 20, "sata": 20, "virtio": 20, "scsi": 36, "usb": 120}
"""Characters of a serial number that QEMU's device shows (nvme and ATA: the standards' fields; virtio-blk: VIRTIO 1.2)."""

STICK_SERIAL: Final = "VKSTICK"
DECOY_SERIAL: Final = "VKDECOY"

_BUS: Final[dict[str, Bus]] = {
    "nvme": "nvme",
    "usb": "usb",
    "virtio": "virtio",
    "scsi": "scsi",
    "sas": "scsi",
}


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What this machine can lend: processors, MiB of free memory."""

    cpus: int
    memory: int


@dataclass(frozen=True, slots=True)
class TwinWish:
    """What the twin shall be besides what the node is."""

    firmware: FirmwareKind = "uefi"
    tpm: bool = False
    iommu: bool = False
    stick_size: int = GB
    jobs: int = 1


def twin_of(node: NodePlan, inventory: Inventory | None, wish: TwinWish, host: HostFacts) -> Twin:
    """The twin of a node.

    Args:
        node: the node.
        inventory: recorded facts, if there are any.
        wish: firmware and devices.
        host: what this machine has; a twin takes its share of the processors, and half of its share of the memory.
    """
    disks = _recorded(node, inventory) if inventory and inventory.disks else _declared(node)
    system = next((d for d in disks if d.role == "system"), None)
    decoy = TwinDisk(
        "decoy",
        "decoy",
        system.bus if system else "sata",
        DECOY_SERIAL,
        system.size if system else DEFAULT_SIZE,
        model=system.model if system else None,
    )
    stick = TwinDisk("stick", "stick", "usb", STICK_SERIAL, wish.stick_size)
    # The decoy comes first: whoever takes the first disk takes the wrong one.
    return Twin(
        node=node.name,
        firmware=wish.firmware,
        smbios=_smbios(node, inventory),
        disks=(decoy, *disks, stick),
        nics=_nics(node, inventory),
        memory=max(1024, min(4096, host.memory // 2 // max(1, wish.jobs) // 256 * 256)),
        cpus=max(1, min(4, host.cpus // max(1, wish.jobs))),
        iommu=wish.iommu,
        tpm=wish.tpm,
    )


def stranger_of(twin: Twin, *, same_network: bool = False) -> Twin:
    """Another machine with the same disks: nothing that identifies the node is its own.

    Args:
        twin: the node's.
        same_network: it has the node's network interfaces, which do not identify it where a serial number or UUID does.
    """
    macs = tuple(replace(n, mac=f"02:00:5e:00:53:{i:02x}") for i, n in enumerate(twin.nics, start=1))
    identity = Smbios("VK-STRANGER-1", "5f0c1f6e-2d9b-4a7e-9f0d-3b8e6f4a1c77", None, None)
    return replace(twin, smbios=identity, nics=twin.nics if same_network else macs)


def _smbios(node: NodePlan, inventory: Inventory | None) -> Smbios:
    dmi = inventory.dmi if inventory else {}

    def real(name: str) -> str | None:
        value = dmi.get(name, "").strip()
        return None if not value or is_placeholder_serial(value) else value

    if dmi:
        return Smbios(
            real("product_serial"), _uuid(real("product_uuid")), real("sys_vendor"), real("product_name")
        )
    return Smbios(node.identity.serial, _uuid(node.identity.uuid), None, None)


def _uuid(text: str | None) -> str | None:
    return (
        text if text and re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) else None
    )


def _nics(node: NodePlan, inventory: Inventory | None) -> tuple[TwinNic, ...]:
    macs = [n.permanent_mac or n.mac for n in inventory.nics if n.permanent_mac or n.pci] if inventory else []
    macs = [m for m in macs if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", m)]
    if not macs:
        macs = [node.address.mac, *(m for m in node.identity.macs if m != node.address.mac)]
    return tuple(
        TwinNic(f"nic{number}", mac, mac == node.address.mac)
        for number, mac in enumerate(dict.fromkeys(macs))
    )


def _declared(node: NodePlan) -> list[TwinDisk]:
    return [
        _disk(
            TwinDisk(d.name, d.use, "sata", d.serial or _made_up(d.name), d.size or 0, d.wwn, d.model),
            None,
        )
        for d in node.disks
    ]


def _recorded(node: NodePlan, inventory: Inventory) -> list[TwinDisk]:
    out = []
    for facts in inventory.disks:
        if facts.removable or re.match(r"(dm-|md|loop|sr|zd|zram)", facts.name):
            continue
        declared = next((d for d in node.disks if _is(facts, d)), None)
        role: Role = declared.use if declared else "decoy"
        name, size = (declared.name, facts.size or declared.size) if declared else (facts.name, facts.size)
        serial = facts.serial or _made_up(facts.name)
        disk = TwinDisk(name, role, "sata", serial, size or 0, facts.wwn, facts.model or None)
        out.append(_disk(disk, facts.transport))
    return out


def _made_up(name: str) -> str:
    """A serial number for a disk that has none to be known by."""
    return f"VK{name.upper()}"[:20]


def _is(facts: DiskFacts, declared: DiskPlan) -> bool:
    """Whether a recorded disk is a declared one; the boot hook decides, this only gives it its name."""
    pairs = ((facts.serial, declared.serial), (facts.wwn, declared.wwn))
    named = [(_bare(found), _bare(wanted)) for found, wanted in pairs if wanted]
    return bool(named) and all(found == wanted for found, wanted in named)


def _bare(text: str | None) -> str:
    return plain_wwn("".join((text or "").split()))


def _disk(disk: TwinDisk, transport: str | None) -> TwinDisk:
    """The disk on its bus, with a size that QEMU can give it."""
    bus: Bus = _BUS.get(transport or "", "sata")
    if len(disk.serial) > SERIAL_LENGTH[bus]:
        bus = "scsi"
    # Whole MiB: NVMe and SCSI devices round down, and the boot hook allows ten percent.
    whole = max(1, (disk.size or DEFAULT_SIZE) >> 20) << 20
    return replace(disk, bus=bus, serial=disk.serial[: SERIAL_LENGTH[bus]], size=whole)


def what_is_assumed(node: NodePlan, inventory: Inventory | None, twin: Twin) -> Iterator[str]:
    """What the twin takes on trust, as sentences for the report."""
    if inventory is None or not inventory.disks:
        yield (
            "The twin was made of the fleet file alone, so a wrong serial number or address in it cannot show. "
            f"Record the machine with `ventoy-kit hardware scan {node.name}`."
        )
    for disk in twin.disks:
        if disk.wwn is not None and wwn_number(disk) is None:
            yield f"The WWN of {disk.name} cannot be given to a virtual disk; it is known by its serial number here."


def wwn_number(disk: TwinDisk) -> str | None:
    """A disk's WWN as QEMU's property takes it, 64 bits; None if it has none or its bus cannot carry it."""
    bare = _bare(disk.wwn)
    fits = disk.bus in ("sata", "scsi", "nvme")
    return f"0x{bare}" if fits and re.fullmatch(r"[0-9a-f]{16}", bare) else None
