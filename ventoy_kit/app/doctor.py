"""`ventoy-kit doctor`: which programs and rights are there, what each is for, and how to get the missing ones."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.app.host import PACKAGES
from ventoy_kit.app.outcome import Next, Outcome, Table
from ventoy_kit.edge import emulator, machine
from ventoy_kit.edge.files import exists
from ventoy_kit.images.netboot import TOOLS
from ventoy_kit.rehearse.loader import GRUB_MODULES
from ventoy_kit.report import Report


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `state` is `ok`, `missing` or `unusable`; `fix` is empty where nothing is to be done."""

    name: str
    purpose: str
    state: str
    fix: str = ""


_ASSEMBLING = "assemble an image of Debian's archive (`source: apt`)"

PROGRAMS = {
    "blkid": "tell what is on a stick's partitions",
    "losetup": "stage onto a disk image file",
    "mount": "stage onto a stick that is not mounted yet",
    "umount": "release a stick",
    "mount.exfat-fuse": "mount exFAT where the kernel has no driver for it",
    "fsck.exfat": "check a stick that was pulled out while it was mounted",
    "mkfs.exfat": "make a disk image file (`stage FILE --create SIZE`)",
    "mkfs.fat": "make a disk image file (`stage FILE --create SIZE`)",
    "ssh": "look at a node's firmware (`bios check`)",
    "qemu-system-x86_64": "rehearse a node in a virtual machine (`rehearse`)",
    "setpriv": "rehearse a node in a virtual machine (`rehearse`)",
    "busybox": "rehearse a node in a virtual machine (`rehearse`)",
    "zstd": "rehearse an image whose RAM disk is packed with zstd (Proxmox VE)",
    "debugfs": "look at what a rehearsal installed",
    "swtpm": "rehearse with a TPM (`rehearse --tpm`)",
    **dict.fromkeys(TOOLS, _ASSEMBLING),
}

MODULES = {
    "click": "the command line",
    "jinja2": "templates of answers",
    "passlib": "password hashes",
    "pycdlib": "looking into ISO files",
    "platformdirs": "finding the cache",
    "pydantic": "checking the fleet file",
    "pysequoia": "verifying signatures",
    "pyudev": "finding the stick",
    "requests": "fetching images",
    "rich": "tables and progress",
    "ruamel.yaml": "reading the fleet file",
    "tenacity": "fetching over unsteady lines",
    "tomli_w": "writing answer files and the lock",
}


def doctor() -> Outcome:
    """Look around. What is missing is no finding: each thing says what cannot be done without it."""
    checks = [*_python(), *_programs(), *_firmware(), *_rights()]
    rows = tuple((c.state, c.name, c.purpose, c.fix) for c in checks)
    fixes = tuple(dict.fromkeys(c.fix for c in checks if c.fix))
    result = {
        "checks": [{"name": c.name, "purpose": c.purpose, "state": c.state, "fix": c.fix} for c in checks]
    }
    ending = Next(fixes or ("Nothing is missing.",))
    return Outcome(
        "doctor", Report(), result, [Table(("state", "what", "needed to", "how to get it"), rows), ending]
    )


def _python() -> Iterator[Check]:
    yield Check(f"Python {platform.python_version()}", "run at all", "ok")
    for module, purpose in MODULES.items():
        if module == "pyudev" and not machine.is_linux():
            continue
        there = machine.has_module(module)
        fix = "" if there else "Install ventoy-kit again with pip."
        yield Check(module, purpose, "ok" if there else "missing", fix)
    if not machine.has_module("weasyprint"):
        yield Check("weasyprint", "make PDF files of checklists", "missing", "pip install 'ventoy-kit[pdf]'")
    if not machine.has_distribution("ruamel.yaml.clib"):
        purpose = "read large fleet files three times faster"
        yield Check("ruamel.yaml.clib", purpose, "missing", "pip install ruamel.yaml.clib")


def _programs() -> Iterator[Check]:
    if not machine.is_linux():
        return
    for program, purpose in PROGRAMS.items():
        there = machine.has_program(program)
        fix = "" if there else f"apt install {PACKAGES[program]}"
        yield Check(program, purpose, "ok" if there else "missing", fix)


def _firmware() -> Iterator[Check]:
    """What a rehearsal needs besides programs."""
    if not machine.is_linux():
        return
    for name, there, package in (
        ("UEFI firmware for QEMU", emulator.has_firmware(), "ovmf"),
        ("GRUB for UEFI", exists(Path(GRUB_MODULES)), "grub-efi-amd64-bin"),
    ):
        purpose = "rehearse a node in a virtual machine (`rehearse`)"
        yield Check(name, purpose, "ok" if there else "missing", "" if there else f"apt install {package}")
    kvm = "ok" if emulator.kvm_works() else "not here; the processor is emulated, which is slow"
    yield Check("KVM", "rehearse quickly", kvm)


def _rights() -> Iterator[Check]:
    if not machine.is_linux():
        purpose = "stage onto a device or a disk image; a folder works here"
        yield Check("Linux", purpose, "missing", "Use a Linux machine.")
        return
    root, udisks = machine.is_root(), machine.has_program("udisksctl")
    yield Check(
        "root rights",
        "mount a disk image, and a stick where udisks is missing; what is mounted already needs none",
        "ok" if root else "ok for sticks (through udisks)" if udisks else "missing",
        ""
        if root or udisks
        else 'Run `sudo "$(command -v ventoy-kit)" stage ...`, mount the stick with the desktop first, or: '
        f"apt install {PACKAGES['udisksctl']}",
    )
    yield _exfat()
    if not (root or machine.has_udev()):
        purpose = "tell what is on a stick without the right to read it"
        yield Check("udev", purpose, "missing", "Start udev, or run this as root.")


def _exfat() -> Check:
    """Whether an exFAT partition can be mounted for writing, by the kernel or by a driver in user space."""
    purpose = "read and write Ventoy's data partition"
    if machine.kernel_knows("exfat"):
        return Check("exFAT", purpose, "ok (in the kernel)")
    driver, fuse = machine.has_program("mount.exfat-fuse"), machine.fuse_is_usable()
    if driver and fuse:
        return Check("exFAT", purpose, "ok (through FUSE)")
    fixes = ["Load the kernel's driver (modprobe exfat)"]
    if fuse:
        fixes.append(f"or install the package {PACKAGES['mount.exfat-fuse']}")
    elif driver:
        fixes.append("or let this user use /dev/fuse (modprobe fuse)")
    return Check("exFAT", purpose, "missing", ", ".join(fixes) + ".")
