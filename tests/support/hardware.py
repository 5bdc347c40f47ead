"""Recorded hardware for tests: disks and interfaces with the udev properties that systems really give them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from ventoy_kit.hardware.inventory import DiskFacts, Inventory, NicFacts

GB = 10**9
TB = 10**12


def nvme(number: int, serial: str, *, size: int = TB, model: str = "Samsung SSD 980 PRO") -> DiskFacts:
    name = f"nvme{number}n1"
    wwn = f"eui.{abs(hash_of(serial)):016x}"
    return _disk(
        name,
        size,
        model,
        serial,
        wwn,
        "nvme",
        DEVPATH=f"/devices/pci0000:00/0000:00:1d.{number}/0000:0{number + 1}:00.0/nvme/nvme{number}/{name}",
        ID_MODEL=model,
        ID_PATH=f"pci-0000:0{number + 1}:00.0-nvme-1",
        ID_SERIAL=f"{model.replace(' ', '_')}_{serial}",
        ID_SERIAL_SHORT=serial,
        ID_WWN=wwn,
    )


def sata(
    letter: str, serial: str, *, size: int = 4 * TB, model: str = "WDC WD40EFRX-68N", **more: str
) -> DiskFacts:
    wwn = f"0x5{abs(hash_of(serial)):015x}"
    return _disk(
        f"sd{letter}",
        size,
        model,
        serial,
        wwn,
        "sata",
        DEVPATH=f"/devices/pci0000:00/0000:00:17.0/ata{ord(letter) - 96}/host/target/block/sd{letter}",
        ID_ATA="1",
        ID_BUS="ata",
        ID_MODEL=model.replace(" ", "_"),
        ID_PATH=f"pci-0000:00:17.0-ata-{ord(letter) - 96}",
        ID_SERIAL=f"{model.replace(' ', '_')}_{serial}",
        ID_SERIAL_SHORT=serial,
        ID_TYPE="disk",
        ID_WWN=wwn,
        **more,
    )


def usb(
    letter: str, serial: str, *, size: int = 64 * GB, bus: str = "usb", holds: tuple[str, ...] = ()
) -> DiskFacts:
    """A stick, or with `bus="ata"` an SSD in a USB case, which udev asks with ATA commands first."""
    disk = _disk(
        f"sd{letter}",
        size,
        "Portable SSD",
        serial,
        None,
        "usb",
        DEVPATH=f"/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host/target/block/sd{letter}",
        ID_BUS=bus,
        ID_MODEL="Portable_SSD",
        ID_PATH="pci-0000:00:14.0-usb-0:1:1.0-scsi-0:0:0:0",
        ID_SERIAL=f"Portable_SSD_{serial}",
        ID_SERIAL_SHORT=serial,
        ID_TYPE="disk",
        ID_USB_DRIVER="uas",
    )
    return replace(disk, removable=bus == "usb", holds=holds)


def nic(name: str, mac: str, *, driver: str = "e1000e", index: int = 2) -> NicFacts:
    properties = {
        "ID_NET_DRIVER": driver,
        "ID_NET_NAME_MAC": "enx" + mac.replace(":", ""),
        "ID_NET_NAME_PATH": name,
        "IFINDEX": str(index),
        "INTERFACE": name,
        "ID_PATH": f"pci-0000:0{index}:00.0",
    }
    return NicFacts(name=name, mac=mac, permanent_mac=mac, driver=driver, properties=properties)


def hash_of(text: str) -> int:
    """A number that belongs to a text."""
    return int.from_bytes(text.encode()[-7:].rjust(7, b"\1"), "big") % (1 << 56)


def _disk(
    name: str, size: int, model: str, serial: str, wwn: str | None, transport: str, **properties: str
) -> DiskFacts:
    base = {"DEVNAME": f"/dev/{name}", "DEVTYPE": "disk", "SUBSYSTEM": "block"}
    return DiskFacts(
        name=name,
        size=size,
        model=model,
        serial=serial,
        wwn=wwn,
        properties=base | properties,
        logical_block=512,
        removable=False,
        transport=transport,
        holds=(),
    )


FALCON = Inventory(
    disks=(nvme(0, "S7FALC0N0001", size=2 * TB, model="2TB NVMe Gen4"),),
    nics=(nic("enp2s0", "d8:43:ae:00:0a:01"),),
    dmi={"product_serial": "FALC0N1"},
)
CORVETTE = Inventory(
    disks=(nvme(0, "S7C0RV3T0001", size=4 * TB), nvme(1, "S7C0RV3T0002", size=4 * TB)),
    nics=(nic("enp2s0", "d8:43:ae:00:0b:01"),),
    dmi={"product_serial": "C0RV3T2"},
)
GOZANTI = Inventory(
    disks=(nvme(0, "S7G0ZANT0001", size=512 * GB), sata("a", "WD-G0ZANT0002", size=TB)),
    nics=(
        nic("eno1", "d8:9e:f3:00:0c:01"),
        nic("enp3s0", "00:e0:4c:00:0c:25", driver="r8169", index=3),
    ),
    dmi={"product_serial": "G0ZANT3"},
)
ALLIANCE = {"corvette": CORVETTE, "falcon": FALCON, "gozanti": GOZANTI}
"""The three machines of the example as its fleet file describes them."""


def as_json(inventory: Inventory, *, uefi: bool | None = True) -> str:
    """Facts as a file holds them."""
    document: dict[str, Any] = {"format": 1, "hardware": asdict(inventory)}
    if uefi is not None:
        document["firmware"] = {"uefi": uefi}
    return json.dumps(document, indent=1)
