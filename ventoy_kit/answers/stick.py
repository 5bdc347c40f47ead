"""The Ventoy stick as one more disk of the machine: installers see it, so that a simulation must too."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from ventoy_kit.hardware.inventory import DiskFacts, Inventory

STICK_MODEL = "Ventoy stick (assumed)"


def with_stick(inventory: Inventory) -> tuple[Inventory, str]:
    """The machine with a Ventoy stick in it, and the stick's kernel name; the one of the facts if they hold it."""
    for disk in inventory.disks:
        if any("ventoy" in text.lower() for text in disk.holds):
            return inventory, disk.name
    taken = {d.name for d in inventory.disks}
    name = next(name for name in (f"sd{_letters(n)}" for n in count()) if name not in taken)
    properties = {
        "DEVNAME": f"/dev/{name}",
        "DEVPATH": f"/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host9/target9:0:0/9:0:0:0/block/{name}",
        "DEVTYPE": "disk",
        "ID_BUS": "usb",
        "ID_MODEL": "Flash_Drive",
        "ID_PATH": "pci-0000:00:14.0-usb-0:1:1.0-scsi-0:0:0:0",
        "ID_SERIAL": "Maker_Flash_Drive_STICK0001-0:0",
        "ID_SERIAL_SHORT": "STICK0001",
        "ID_TYPE": "disk",
        "ID_USB_DRIVER": "usb-storage",
        "ID_VENDOR": "Maker",
        "SUBSYSTEM": "block",
    }
    stick = DiskFacts(
        name=name,
        size=32 * 10**9,
        model=STICK_MODEL,
        serial="STICK0001",
        wwn=None,
        properties=properties,
        logical_block=512,
        removable=True,
        transport="usb",
        holds=("Ventoy",),
    )
    return replace(inventory, disks=(*inventory.disks, stick)), name


def _letters(number: int) -> str:
    """The letters of a SCSI disk's name: a, b, ... z, aa, ab."""
    out = ""
    while number >= 0:
        out = chr(ord("a") + number % 26) + out
        number = number // 26 - 1
    return out
