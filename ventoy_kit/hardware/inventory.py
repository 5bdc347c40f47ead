"""What a machine is made of, as `probes/hardware.py` or Proxmox's `device-info` recorded it. Pure.

The probe's document is `{"format": 1, "hardware": {...}, "firmware": {...}}`; `proxmox-auto-install-assistant device-info
--format json` prints `{"disks": {kernel name: {udev property: value}}, "nics": {...}}`
(pve-installer, proxmox-auto-install-assistant/src/main.rs). The second one tells less; what it does not tell is unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ventoy_kit.fleet.placeholders import is_placeholder_serial, is_placeholder_wwn, plain_wwn
from ventoy_kit.hardware import inventory_codes as codes
from ventoy_kit.hardware.facts_document import NoFactsError, damage, facts_of, section_of
from ventoy_kit.report import Place, Report

UNKNOWN = "unknown"
"""Stands in `DiskFacts.holds` where nothing could tell what is on a disk."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """One whole disk.

    Attributes:
        name: the kernel's name, such as `nvme0n1`.
        size: bytes; 0 where it was not recorded.
        model: printable text with single blanks; empty if the disk reports none.
        serial: without blanks, as the boot hook reads it (boot_overlay/disks.sh); None if there is none, or a placeholder.
        wwn: lower case, without the prefix of its register, as the boot hook reads it; None likewise.
        properties: the `E:` properties of udev.
        logical_block: bytes of a logical sector; None if unknown.
        removable: what the kernel says of the medium; USB sticks say yes, USB SSDs no.
        transport: `nvme`, `ata`, `usb`, `sas`, `virtio`, `mmc` and the like; None if unknown.
        holds: what is on it, one sentence part each: partitions, file systems, members of pools and arrays, mounts.
            Empty for a blank disk, `unknown` where nothing could tell.
    """

    name: str
    size: int = 0
    model: str = ""
    serial: str | None = None
    wwn: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    logical_block: int | None = None
    removable: bool = False
    transport: str | None = None
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NicFacts:
    """One network interface with hardware behind it, or, from Proxmox's `device-info`, any that has an address.

    Attributes:
        name: the kernel's name, such as `enp1s0`.
        mac: the address in use, lower case; empty where it was not recorded.
        permanent_mac: the burnt-in address, lower case; None if the NIC does not tell.
        driver: kernel module; None if unknown.
        properties: the `E:` properties of udev.
        pci: PCI address of the device behind it; None for USB and where unknown.
        addresses: IP addresses with masks that it had.
        speed: Mbit/s of the link, None without one.
    """

    name: str
    mac: str = ""
    permanent_mac: str | None = None
    driver: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    pci: str | None = None
    addresses: tuple[str, ...] = ()
    speed: int | None = None


@dataclass(frozen=True, slots=True)
class PciFacts:
    """One PCI function: numbers as four (`kind`, the class: six) lower-case hexadecimal digits without `0x`.

    `title` is maker and model from udev's hardware database, None where that was not at hand.
    """

    address: str
    kind: str = ""
    vendor: str = ""
    device: str = ""
    driver: str | None = None
    iommu_group: str | None = None
    title: str | None = None

    @property
    def id(self) -> str:
        """Vendor and device as `lspci -nn` prints them: `10de:27b0`."""
        return f"{self.vendor}:{self.device}"

    @property
    def is_display(self) -> bool:
        """Whether it is a graphics card (PCI class 03)."""
        return self.kind.startswith("03")


@dataclass(frozen=True, slots=True)
class Inventory:
    """A machine's hardware. None and empty are for what was not recorded.

    Attributes:
        disks: whole disks, sorted by name.
        nics: network interfaces, sorted by name.
        dmi: files of /sys/class/dmi/id by name, as far as they could be read.
        pci: PCI functions, sorted by address; None if not recorded.
        boot_mode: `uefi` or `bios`; None if not recorded.
        secure_boot: whether Secure Boot is on; None if not recorded.
        hostname: the name of the system that ran the probe.
        cpu: model of the processor.
        memory: bytes of memory that Linux counts, less than what is built in; 0 if not recorded.
        modules: bytes of each memory module, as the firmware tells root; empty if not recorded.
        ecc: whether they are ECC; None if not recorded.
        root: whether root ran the probe; others cannot read serial numbers of machines.
        source: what recorded it.
    """

    disks: tuple[DiskFacts, ...] = ()
    nics: tuple[NicFacts, ...] = ()
    dmi: Mapping[str, str] = field(default_factory=dict)
    pci: tuple[PciFacts, ...] | None = None
    boot_mode: Literal["uefi", "bios"] | None = None
    secure_boot: bool | None = None
    hostname: str | None = None
    cpu: str | None = None
    memory: int = 0
    modules: tuple[int, ...] = ()
    ecc: bool | None = None
    root: bool = False
    source: Literal["probe", "device-info"] = "probe"


def parse_inventory(text: str, file: str) -> tuple[Inventory | None, Report]:
    """Read recorded facts, whichever of the two forms they have.

    Args:
        text: the JSON document, or the output of a probe whose last line is one.
        file: how it is named to the user.

    Returns:
        The inventory, or None and a finding of VK-Q01.
    """

    def refused(message: str) -> tuple[None, Report]:
        remedy = "Record the facts anew: `ventoy-kit hardware scan NODE`."
        return None, Report([codes.FACTS_UNREADABLE.finding(message, remedy, place=Place(file))])

    try:
        document = facts_of(text, file)
        if "format" not in document and ("disks" in document or "nics" in document):
            return _from_device_info(_device_info().validate_python(document)), Report()
        section = section_of(document, "hardware", file)
        return _inventory().validate_json(json.dumps(section), strict=True), Report()
    except NoFactsError as error:
        return refused(str(error))
    except ValidationError as error:
        return refused(damage(error, file))


@dataclass(frozen=True, slots=True)
class _DeviceInfo:
    disks: dict[str, dict[str, str]] | None = None
    nics: dict[str, dict[str, str]] | None = None


@cache
def _inventory() -> TypeAdapter[Inventory]:
    return TypeAdapter(Inventory)


@cache
def _device_info() -> TypeAdapter[_DeviceInfo]:
    return TypeAdapter(_DeviceInfo)


def _from_device_info(found: _DeviceInfo) -> Inventory:
    disks = tuple(_disk_of(name, properties) for name, properties in sorted((found.disks or {}).items()))
    nics = tuple(_nic_of(name, properties) for name, properties in sorted((found.nics or {}).items()))
    return Inventory(disks, nics, source="device-info")


def _disk_of(name: str, properties: Mapping[str, str]) -> DiskFacts:
    """A disk by its udev properties alone: serial and WWN as near to sysfs as udev keeps them."""
    serial = _squeezed(properties.get("ID_SERIAL_SHORT") or "")
    wwn = plain_wwn(_squeezed(properties.get("ID_WWN_WITH_EXTENSION") or properties.get("ID_WWN") or ""))
    return DiskFacts(
        name,
        model=" ".join(properties.get("ID_MODEL", "").replace("_", " ").split()),
        serial=None if is_placeholder_serial(serial) else serial,
        wwn=None if is_placeholder_wwn(wwn) else wwn,
        properties=properties,
        transport="nvme" if name.startswith("nvme") else properties.get("ID_BUS"),
        holds=(UNKNOWN,),
    )


def _nic_of(name: str, properties: Mapping[str, str]) -> NicFacts:
    """A NIC by its udev properties alone. ID_NET_NAME_MAC is made of the permanent address only (systemd, net_id)."""
    digits = re.fullmatch(r"[a-z]{2}x([0-9a-f]{12})", properties.get("ID_NET_NAME_MAC", ""))
    mac = ":".join(re.findall("..", digits[1])) if digits else None
    return NicFacts(name, mac or "", mac, properties.get("ID_NET_DRIVER"), properties)


def _squeezed(text: str) -> str:
    return re.sub(r"[^!-~]", "", text)
