"""The section `firmware` of the facts: settings of the firmware, and what shows them. What cannot be read is null, with
the reason beside it where the reason matters."""

import os
import platform
import time

from tree import SECTIONS, Tree

EFI_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
EFI_NAMES = ("SecureBoot", "SetupMode", "BootCurrent", "BootNext", "BootOrder")
DMI_NAMES = (
    "sys_vendor", "product_name", "product_version", "product_sku", "product_serial", "product_uuid",
    "board_name", "bios_vendor", "bios_version", "bios_date", "chassis_type",
)  # fmt: skip
FLAGS = ("vmx", "svm", "hypervisor")


def attributes(machine):
    """The interfaces of /sys/class/firmware-attributes with their settings."""
    base = ("sys", "class", "firmware-attributes")
    found = []
    for driver in machine.names(*base):
        where = base + (driver, "attributes")
        settings = {}
        for name in machine.names(*where):
            if not os.path.isdir(machine.path(*where, name)):  # pending_reboot, reset_bios and the like
                continue
            current, error = machine.read(*where, name, "current_value")
            settings[name] = {
                "type": machine.text(*where, name, "type"),
                "label": machine.text(*where, name, "display_name"),
                "current": None if current is None else current.decode("utf-8", "replace").strip(),
                "error": error,
                "possible": machine.text(*where, name, "possible_values"),
            }
        passwords = [
            name
            for name in machine.names(*base, driver, "authentication")
            if machine.text(*base, driver, "authentication", name, "is_enabled") == "1"
        ]
        pending = machine.text(*where, "pending_reboot")
        found.append({"driver": driver, "pending": pending, "passwords": passwords, "settings": settings})
    return found


def efi_variables(machine):
    """Variables that tell of Secure Boot and of the boot order, as hex; None without efivarfs."""
    where = ("sys", "firmware", "efi", "efivars")
    found = {}
    for name in machine.names(*where):
        short, _, guid = name.partition("-")
        number = short[4:]
        entry = short.startswith("Boot") and len(number) == 4 and not number.strip("0123456789ABCDEF")
        if guid == EFI_GLOBAL and (short in EFI_NAMES or entry):
            data, _ = machine.read(*where, name)
            found[short] = None if data is None else data.hex()
    return found or None


def processor(machine):
    """Vendor, name and those flags that tell of virtualization, of the first processor."""
    data = (machine.text("proc", "cpuinfo") or "").split("\n\n")[0]
    fields = dict(line.split(":", 1) for line in data.splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", "").split()
    return {
        "vendor": fields.get("vendor_id"),
        "model": fields.get("model name"),
        "flags": [flag for flag in FLAGS if flag in flags],
    }


def pci(machine):
    """Controllers for disks and displays, and Intel's VMD wherever it is."""
    base = ("sys", "bus", "pci", "devices")
    found = []
    for address in machine.names(*base):
        kind = machine.text(*base, address, "class") or ""
        driver = machine.link(*base, address, "driver")
        if kind[2:4] not in ("01", "03") and driver != "vmd" and kind[2:6] != "0880":
            continue
        found.append(
            {
                "address": address,
                "class": kind,
                "vendor": machine.text(*base, address, "vendor"),
                "device": machine.text(*base, address, "device"),
                "driver": driver,
                "boot_vga": machine.text(*base, address, "boot_vga"),
                "remapped_nvme": machine.text(*base, address, "remapped_nvme"),
            }
        )
    return found


def memory_controllers(machine):
    """Controllers that EDAC watches, with the ECC modes of their modules."""
    base = ("sys", "devices", "system", "edac", "mc")
    found = []
    for name in machine.names(*base):
        if not (name.startswith("mc") and name[2:].isdigit()):
            continue
        inside = machine.names(*base, name)
        modes = [
            mode
            for module in inside
            for mode in (
                machine.text(*base, name, module, "dimm_edac_mode"),
                machine.text(*base, name, module, "edac_mode"),
            )
            if mode
        ]
        found.append({"name": machine.text(*base, name, "mc_name"), "modes": sorted(set(modes))})
    return found


def collect_firmware(root="/"):
    """The section `firmware` of the facts."""
    machine = Tree(root)
    tpm = ("sys", "class", "tpm")
    return {
        "root": os.geteuid() == 0,
        "kernel": machine.text("proc", "sys", "kernel", "osrelease")
        or (platform.release() if machine.live else None),
        "uefi": machine.there("sys", "firmware", "efi"),
        "dmi": {name: machine.text("sys", "class", "dmi", "id", name) for name in DMI_NAMES},
        "efi_variables": efi_variables(machine),
        "attributes": attributes(machine),
        "cpu": processor(machine),
        "kvm": machine.there("dev", "kvm"),
        "iommu": {
            "groups": len(machine.names("sys", "kernel", "iommu_groups")),
            "units": machine.names("sys", "class", "iommu"),
            "parameters": [
                word
                for word in (machine.text("proc", "cmdline") or "").split()
                if word.startswith(("iommu=", "intel_iommu=", "amd_iommu="))
            ],
        },
        "acpi_tables": [
            n for n in machine.names("sys", "firmware", "acpi", "tables") if n in ("DMAR", "IVRS")
        ]
        if machine.names("sys", "firmware", "acpi", "tables")
        else None,
        "pci": pci(machine) if machine.names("sys", "bus", "pci", "devices") else None,
        "edac": memory_controllers(machine),
        "tpm": [machine.text(*tpm, name, "tpm_version_major") for name in machine.names(*tpm)],
        "rtc": machine.text("sys", "class", "rtc", "rtc0", "since_epoch"),
        "clock": int(time.time()),
    }


SECTIONS["firmware"] = collect_firmware
