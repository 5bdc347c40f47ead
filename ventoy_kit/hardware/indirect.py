"""What a running Linux shows of firmware settings besides attributes. Each probe says yes, no or nothing. Pure.

A probe never guesses: what could have two causes is unknown, and the evidence names both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ventoy_kit.hardware.firmware import FirmwareFacts
from ventoy_kit.hardware.profiles import ProbeName


class State(StrEnum):
    """Whether a setting is as wanted."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one source says of one setting: where it was looked, and what stood there."""

    state: State
    source: str
    text: str


# Intel VMD endpoints of client and server processors (Linux 6.12, drivers/pci/controller/vmd.c).
_VMD = frozenset(
    {"0x201d", "0x28c0", "0x467f", "0x4c3d", "0x7d0b", "0x9a0b", "0xa77f", "0xad0b", "0xb06f", "0xb60b"}
)
_INTEL, _NVIDIA = "0x8086", "0x10de"
_CLOCK_FLOOR = 1_735_689_600
"""2025-01-01: no machine that this version looks at is older."""
_CLOCK_SLACK = 15 * 3600
"""Seconds: a clock in local time may be 14 hours off."""
_NO_ECC_MODES = frozenset({"none", "reserved", "unknown"})


def probe(name: ProbeName, facts: FirmwareFacts) -> Evidence:
    """Ask one probe."""
    return _PROBES[name](facts)


def _uefi_boot(facts: FirmwareFacts) -> Evidence:
    source = "/sys/firmware/efi"
    if facts.uefi is None:
        return Evidence(State.UNKNOWN, source, "not looked at")
    if facts.uefi:
        return Evidence(State.MATCH, source, "it exists: this system was started by UEFI")
    return Evidence(State.MISMATCH, source, "it does not exist: this system was started in legacy mode")


def _secure_boot_off(facts: FirmwareFacts) -> Evidence:
    """UEFI specification 2.10, 3.3: SecureBoot is one byte, 1 when the firmware enforces signatures."""
    source = "EFI variable SecureBoot"
    if facts.uefi is False:
        return Evidence(State.UNKNOWN, source, "this system was started in legacy mode, where nobody sees it")
    if facts.efi_variables is None:
        return Evidence(State.UNKNOWN, source, "EFI variables could not be read (is efivarfs mounted?)")
    data, setup = facts.variable("SecureBoot"), facts.variable("SetupMode")
    if data is None or len(data) != 1 or data[0] > 1:
        shown = "missing or empty" if data is None else f"odd: {data.hex()}"
        return Evidence(State.UNKNOWN, source, f"the variable is {shown}")
    if data[0]:
        return Evidence(State.MISMATCH, source, "1: Secure Boot is on")
    keys = "; SetupMode is 1: no platform key is enrolled" if setup == b"\x01" else ""
    return Evidence(State.MATCH, source, f"0: Secure Boot is off{keys}")


def _storage_visible(facts: FirmwareFacts) -> Evidence:
    """The driver ahci counts NVMe disks behind Intel's remapping in `remapped_nvme`; VMD and RAID have their own ids."""
    if facts.pci is None:
        return Evidence(State.UNKNOWN, "/sys/bus/pci", "not looked at")
    for device in facts.pci:
        source = f"PCI {device.address}"
        if device.remapped_nvme not in (None, "", "0"):
            text = f"the SATA controller hides {device.remapped_nvme} NVMe disks (remapped_nvme)"
            return Evidence(State.MISMATCH, source, text)
        if device.vendor == _INTEL and device.device in _VMD:
            return Evidence(
                State.MISMATCH, source, f"Intel VMD is on ({device.device}); it stands before the NVMe disks"
            )
        if device.vendor == _INTEL and device.kind.startswith("0x0104"):
            return Evidence(State.MISMATCH, source, f"an Intel controller in RAID mode ({device.device})")
    nvme = [d.address for d in facts.pci if d.kind.startswith("0x0108")]
    if nvme:
        return Evidence(
            State.MATCH, f"PCI {', '.join(nvme)}", "NVMe seen as such; no RAID, VMD or remapping controller"
        )
    ahci = [d.address for d in facts.pci if d.kind.startswith("0x0106") and d.remapped_nvme == "0"]
    if ahci:
        return Evidence(State.MATCH, f"PCI {', '.join(ahci)}", "an AHCI controller that hides nothing")
    return Evidence(
        State.UNKNOWN, "/sys/bus/pci", "neither an NVMe disk nor an AHCI controller with its driver"
    )


def _virtualization(facts: FirmwareFacts) -> Evidence:
    """Linux clears vmx (since 5.6) and svm (since 6.7) when the firmware has locked them off."""
    source, flags = "/proc/cpuinfo", set(facts.cpu.flags)
    if "hypervisor" in flags:
        return Evidence(State.UNKNOWN, source, "this is a virtual machine")
    for flag, since in (("vmx", (5, 6)), ("svm", (6, 7))):
        if flag not in flags:
            continue
        if facts.kvm:
            return Evidence(State.MATCH, f"{source}, /dev/kvm", f"{flag} is there, and KVM accepted it")
        if _kernel(facts) >= since:
            return Evidence(State.MATCH, source, f"{flag} is there")
        text = (
            f"{flag} is there, but Linux {facts.kernel} shows it even when the firmware has switched it off"
        )
        return Evidence(State.UNKNOWN, source, text)
    if facts.cpu.vendor is None:
        return Evidence(State.UNKNOWN, source, "not looked at")
    text = "neither vmx nor svm: off in the firmware, or the processor has none"
    return Evidence(State.MISMATCH, source, text)


def _kernel(facts: FirmwareFacts) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", facts.kernel or "")
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _iommu(facts: FirmwareFacts) -> Evidence:
    """Without VT-d or AMD-Vi the firmware gives no DMAR or IVRS table, and the kernel makes no groups."""
    source = "/sys/kernel/iommu_groups"
    if facts.iommu.groups:
        units = f" ({', '.join(facts.iommu.units)})" if facts.iommu.units else ""
        return Evidence(State.MATCH, source, f"{facts.iommu.groups} groups{units}")
    if facts.acpi_tables is None:
        return Evidence(State.UNKNOWN, source, "no groups, and the ACPI tables could not be listed")
    if "hypervisor" in facts.cpu.flags:
        return Evidence(State.UNKNOWN, source, "no groups, but this is a virtual machine")
    if facts.acpi_tables:
        words = " ".join(facts.iommu.parameters) or "without a word about it"
        text = f"no groups, but the firmware gives {', '.join(facts.acpi_tables)}: see the kernel's command line ({words})"
        return Evidence(State.UNKNOWN, source, text)
    return Evidence(State.MISMATCH, "/sys/firmware/acpi/tables", "the firmware gives neither DMAR nor IVRS")


def _disk_first(facts: FirmwareFacts) -> Evidence:
    """UEFI specification 2.10, 3.1.3: a load option holds attributes, a length, a name and a device path.

    An entry that names a partition is that of an installed system; firmware's own entries for sticks name the USB port.
    """
    source = "EFI variable BootOrder"
    order = facts.variable("BootOrder")
    if not order or len(order) % 2:
        return Evidence(State.UNKNOWN, source, "it could not be read")
    for number in (int.from_bytes(order[i : i + 2], "little") for i in range(0, len(order), 2)):
        entry = facts.variable(f"Boot{number:04X}")
        option = _load_option(entry) if entry else None
        if option is None:
            return Evidence(State.UNKNOWN, source, f"the first entry Boot{number:04X} could not be read")
        active, name, nodes = option
        if not active:
            continue
        where = f"Boot{number:04X} `{name}`"
        if (3, 5) in nodes:
            return Evidence(State.MISMATCH, source, f"{where} comes first and is a USB device")
        if (4, 1) in nodes or (3, 23) in nodes or (3, 18) in nodes:
            return Evidence(State.MATCH, source, f"{where} comes first and names a disk or its partition")
        return Evidence(State.UNKNOWN, source, f"{where} comes first; whether it is a disk is not seen")
    return Evidence(State.UNKNOWN, source, "no entry is active")


def _load_option(data: bytes) -> tuple[bool, str, frozenset[tuple[int, int]]] | None:
    """Active, name, and (type, subtype) of the device path's nodes; None if it is cut off."""
    end = next((i for i in range(6, len(data) - 1, 2) if data[i : i + 2] == b"\0\0"), None)
    if end is None:
        return None
    length, at = int.from_bytes(data[4:6], "little"), end + 2
    path, nodes = data[at : at + length], set()
    while len(path) >= 4:
        size = int.from_bytes(path[2:4], "little")
        if size < 4:
            return None
        nodes.add((path[0], path[1]))
        path = path[size:]
    return bool(data[0] & 1), data[6:end].decode("utf-16-le", "replace"), frozenset(nodes)


def _display(facts: FirmwareFacts) -> Evidence:
    """`boot_vga` marks the display that the firmware used; an NVIDIA card in a PC is never the processor's own."""
    source = "boot_vga"
    first = next((d for d in facts.pci or () if d.boot_vga == "1"), None)
    if first is None:
        return Evidence(State.UNKNOWN, source, "no display says that the firmware used it")
    source = f"boot_vga of PCI {first.address}"
    if first.vendor == _NVIDIA:
        return Evidence(State.MISMATCH, source, "the firmware shows its screen on the NVIDIA card")
    if first.vendor == _INTEL and first.address.startswith("0000:00:"):
        return Evidence(State.MATCH, source, "the firmware shows its screen on the processor's own graphics")
    return Evidence(State.UNKNOWN, source, f"whether {first.vendor}:{first.device} is the card is not seen")


def _ecc(facts: FirmwareFacts) -> Evidence:
    source = "/sys/devices/system/edac/mc"
    for controller in facts.edac:
        modes = [m for m in controller.modes if m.lower() not in _NO_ECC_MODES]
        if modes:
            return Evidence(State.MATCH, source, f"{controller.name}: {', '.join(modes)}")
    if facts.edac:
        return Evidence(State.UNKNOWN, source, "EDAC watches a memory controller and names no ECC mode")
    return Evidence(State.UNKNOWN, source, "no EDAC driver: no ECC, or a processor that Linux does not know")


def _tpm(facts: FirmwareFacts) -> Evidence:
    if facts.tpm:
        versions = ", ".join(v or "version not told" for v in facts.tpm)
        return Evidence(State.MATCH, "/sys/class/tpm", f"a TPM ({versions})")
    return Evidence(State.UNKNOWN, "/sys/class/tpm", "no TPM is seen: switched off, hidden, or not built in")


def _clock(facts: FirmwareFacts) -> Evidence:
    source = "/sys/class/rtc/rtc0"
    if facts.rtc is None or not facts.rtc.isascii() or not facts.rtc.isdigit():
        return Evidence(State.UNKNOWN, source, "the clock could not be read")
    seconds = int(facts.rtc)
    if seconds < _CLOCK_FLOOR:
        return Evidence(State.MISMATCH, source, "it stands before the year 2025: is its battery empty?")
    if facts.clock is not None and abs(seconds - facts.clock) <= _CLOCK_SLACK:
        return Evidence(State.MATCH, source, "it agrees with the system's clock")
    return Evidence(
        State.UNKNOWN, source, "it differs from the system's clock; which of them is right is not seen"
    )


_PROBES: Mapping[ProbeName, Callable[[FirmwareFacts], Evidence]] = {
    "uefi-boot": _uefi_boot,
    "secure-boot-off": _secure_boot_off,
    "storage-visible": _storage_visible,
    "virtualization": _virtualization,
    "iommu": _iommu,
    "disk-first": _disk_first,
    "display-not-passed-through": _display,
    "ecc": _ecc,
    "tpm": _tpm,
    "clock": _clock,
}
