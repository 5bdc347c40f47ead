"""Machines as folders that look like /sys, /proc and /dev, for the probe; attribute dumps written from public facts."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ventoy_kit.hardware.probe_text import FIRMWARE, WHOLE, joined_probe

PARTS = {
    file.name: file.read_text() for file in (Path(__file__).resolve().parents[2] / "probes").glob("*.py")
}
"""Parts of the probes by file name."""

FIRMWARE_PROBE, PROBE = joined_probe(PARTS, FIRMWARE), joined_probe(PARTS, WHOLE)
"""The programs as they travel: for the firmware alone, and for everything."""

GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
ATTRIBUTES = "sys/class/firmware-attributes"

# Name: (current value, possible values) as the drivers write them.
XPS_9310 = {  # dell-wmi-sysman; values end with a separator
    "SecureBoot": ("Enabled", "Disabled;Enabled;"),
    "Virtualization": ("Enabled", "Disabled;Enabled;"),
    "VtForDirectIo": ("Enabled", "Disabled;Enabled;"),
    "EmbSataRaid": ("Raid", "Disabled;Ahci;Raid;"),
    "UsbEmu": ("Enabled", "Disabled;Enabled;"),
    "WakeOnLan": ("Disabled", "Disabled;LanOnly;LanWithPxeBoot;"),
    "WarningsAndErr": ("PromptWrnErr", "PromptWrnErr;ContWrn;ContWrnErr;"),
    "Fastboot": ("Minimal", "Minimal;Thorough;Auto;"),
}
OPTIPLEX_7090 = {
    "SecureBoot": ("Disabled", "Disabled;Enabled;"),
    "Virtualization": ("Enabled", "Disabled;Enabled;"),
    "VtForDirectIo": ("Enabled", "Disabled;Enabled;"),
    "EmbSataRaid": ("Ahci", "Disabled;Ahci;Raid;"),
    "UsbEmu": ("Enabled", "Disabled;Enabled;"),
    "AcPwrRcvry": ("On", "Off;On;Last;"),
    "DeepSleepCtrl": ("Disabled", "Disabled;S5Only;S4AndS5;"),
    "WakeOnLan": ("LanOnly", "Disabled;LanOnly;WlanOnly;LanWlan;LanWithPxeBoot;"),
    "WarningsAndErr": ("ContWrnErr", "PromptWrnErr;ContWrn;ContWrnErr;"),
    "SmartErrors": ("Disabled", "Disabled;Enabled;"),
    "PrimaryVideoSlot": ("Auto", "Auto;Onboard;"),
}
THINKCENTRE = {  # thinklmi of a newer kernel: commas
    "SecureBoot": ("Enabled", "Disabled,Enabled"),
    "VirtualizationTechnology": ("Enabled", "Disabled,Enabled"),
    "VTdFeature": ("Disabled", "Disabled,Enabled"),
    "AfterPowerLoss": ("Last State", "Last State,Power On,Power Off"),
    "EnhancedPowerSavingMode": ("Disabled", "Disabled,Enabled"),
    "USBBootSupport": ("Enabled", "Disabled,Enabled"),
    "AlarmTime(HH:MM:SS)": ("[00:00:00][Status:ShowOnly]", None),
}
P620_OLD_KERNEL = {  # thinklmi of an older kernel: no possible_values, options inside the value
    "SecureBoot": ("Disable;[Optional:Disable,Enable]", None),
    "VTdFeature": ("Disable;[Optional:Disable,Enable][Status:ShowOnly]", None),
    "AfterPowerLoss": ("Power Off;[Optional:Power Off,Power On,Last State]", None),
    "ConfigureSATAas": ("AHCI", None),
}
ELITEDESK = {  # hp-bioscfg: English with blanks; a folder cannot hold the slash of I/O
    "Secure Boot": ("Enable", "Disable;Enable"),
    "Virtualization Technology (VTx)": ("Enable", "Disable;Enable"),
    "Virtualization Technology for Directed I!O (VTd)": ("Disable", "Disable;Enable"),
    "After Power Loss": ("Power Off", "Power Off;Power On;Previous State"),
    "USB Storage Boot": ("Enable", "Disable;Enable"),
}

NVME = {"class": "0x010802", "vendor": "0x144d", "device": "0xa80a"}
AHCI = {"class": "0x010601", "vendor": "0x8086", "device": "0xa282", "remapped_nvme": "0"}
RST = {**AHCI, "remapped_nvme": "1"}
RAID = {"class": "0x010400", "vendor": "0x8086", "device": "0x2822"}
VMD = {"class": "0x010400", "vendor": "0x8086", "device": "0xad0b"}
IGPU = {"class": "0x030000", "vendor": "0x8086", "device": "0x7d67", "boot_vga": "1"}
RTX = {"class": "0x030000", "vendor": "0x10de", "device": "0x27b0", "boot_vga": "1"}


def boot_option(name: str, *nodes: tuple[int, int], active: bool = True) -> bytes:
    """An EFI load option with a device path of these nodes."""
    path = b"".join(struct.pack("<BBH", kind, sub, 8) + b"\0\0\0\0" for kind, sub in nodes) + b"\x7f\xff\4\0"
    return struct.pack("<IH", active, len(path)) + name.encode("utf-16-le") + b"\0\0" + path


DISK = boot_option("proxmox", (4, 1), (4, 4))
USB = boot_option("UEFI: Stick", (2, 1), (1, 1), (3, 5))
GOOD_VARIABLES = {
    "SecureBoot": b"\0",
    "SetupMode": b"\0",
    "BootOrder": b"\x01\0\x02\0",
    "Boot0001": DISK,
    "Boot0002": USB,
}


def machine(
    root: Path,
    *,
    driver: str | None = None,
    attributes: Mapping[str, tuple[str | None, str | None]] | None = None,
    variables: Mapping[str, bytes] | None = GOOD_VARIABLES,
    pci: Sequence[Mapping[str, str]] = (NVME,),
    flags: str = "vmx",
    groups: int = 12,
    tables: Sequence[str] = ("DMAR",),
    serial: str = "ABC1234",
    product: str = "OptiPlex 7090",
    **files: str,
) -> Path:
    """A UEFI machine in order, unless something else is asked for; `files` are further files by path."""
    written: dict[str, str | bytes] = {
        "sys/class/dmi/id/product_serial": f"{serial}\n",
        "sys/class/dmi/id/product_name": f"{product}\n",
        "proc/cpuinfo": f"vendor_id\t: GenuineIntel\nmodel name\t: i7\nflags\t\t: fpu {flags} sse\n\nvendor_id\t: x\n",
        "proc/sys/kernel/osrelease": "6.17.9-1-pve\n",
        "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda secret=hunter2 iommu=pt\n",
    }
    for folder in ("sys/firmware/acpi/tables/data", "sys/class/iommu", "sys/bus/pci/devices"):
        (root / folder).mkdir(parents=True)
    for table in tables:
        written[f"sys/firmware/acpi/tables/{table}"] = "x"
    for number in range(groups):
        (root / f"sys/kernel/iommu_groups/{number}").mkdir(parents=True)
    if variables is not None:
        for name, data in variables.items():
            written[f"sys/firmware/efi/efivars/{name}-{GUID}"] = b"\6\0\0\0" + data
    for number, device in enumerate(pci):
        for name, text in device.items():
            written[f"sys/bus/pci/devices/0000:00:{number:02x}.0/{name}"] = text + "\n"
    if driver:
        written[f"{ATTRIBUTES}/{driver}/attributes/pending_reboot"] = "0\n"
        written[f"{ATTRIBUTES}/{driver}/authentication/Admin/is_enabled"] = "0\n"
        for name, (current, possible) in (attributes or {}).items():
            where = f"{ATTRIBUTES}/{driver}/attributes/{name}"
            written[f"{where}/type"] = "enumeration\n"
            if current is not None:
                written[f"{where}/current_value"] = f"{current}\n"
            if possible is not None:
                written[f"{where}/possible_values"] = f"{possible}\n"
    for path, content in (written | files).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


# Everything is imported as root first: Python itself may be out of the reach of nobody.
_AS_NOBODY = """
import argparse, gettext, json, locale, os, platform, re, shutil, subprocess, sys, time
text = sys.stdin.read()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
exec(compile(text, "probe", "exec"), {"__name__": "__main__"})
"""


def probed(root: Path, *, nobody: bool = False) -> str:
    """What the probe prints of such a machine, run by this user or by nobody."""
    program = ["-c", _AS_NOBODY] if nobody else ["-"]
    done = subprocess.run(
        [sys.executable, "-I", *program, "--root", str(root)],
        input=FIRMWARE_PROBE,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def facts_of(root: Path) -> dict[str, Any]:
    """The section `firmware` as plain data."""
    section: dict[str, Any] = json.loads(probed(root))["firmware"]
    return section
