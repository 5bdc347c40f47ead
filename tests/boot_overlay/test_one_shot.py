"""One shot, with the real efivarfs of a Debian kernel and the real variable store of a UEFI firmware (OVMF)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.boot_overlay.machine import Machine
from tests.boot_overlay.scratch import Scratch

pytestmark = [
    pytest.mark.needs_tool("qemu-system-x86_64", "grub-mkstandalone", "mformat", "cpio", "chattr", "ldd"),
    pytest.mark.needs_root,
    pytest.mark.slow,
]
soak = pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="runs with VENTOY_KIT_SOAK=1")

A = "20261123T110000Z-0000aaaa"
B = "20261123T111500Z-00000001"
NEVER = "00000000T000000Z-00000000"
EXPIRY = "20261124T110000Z"


@pytest.fixture
def machine(tmp_path: Path, kernel_package: Path) -> Machine:
    return Machine(tmp_path / "machine", kernel_package)


def stick(machine: Machine, folder: Path, arming: str, *, chattr: bool = True) -> None:
    root = Scratch(folder)
    root.node("falcon", {"serial": "SN-1"}, "system\troot\tSYSTEM\t-\t-\tQEMU NVMe Ctrl\n")
    root.overlay(arming="1")
    root.ticket(arming=f"{arming}-{EXPIRY}")
    root.vtoydump("/dev/nvme0n1#exfat#/proxmox.iso")
    machine.stick(root, chattr=chattr)


def events(screen: str) -> list[str]:
    """What happened, in order."""
    known = r"HANDED OVER: .*|GUARD: .*|INSTALLED SYSTEM|restarts into its installed system|is switched off|\(VK-B\d\d\)"
    return re.findall(known, screen)


FIRED = 'HANDED OVER: disk-list = ["/dev/nvme1n1"]'
SPENT = ["(VK-B60)", "restarts into its installed system"]


def test_an_armed_stick_fires_once_then_leads_to_the_installed_system_then_switches_off(
    machine: Machine, tmp_path: Path
):
    stick(machine, tmp_path / "a", A)
    screen = machine.run()
    assert events(screen) == [
        FIRED,
        f"GUARD: VK1 {A} {NEVER}",
        *SPENT,
        "INSTALLED SYSTEM",
        "(VK-B60)",
        "is switched off",
    ], screen
    assert "/dev/nvme1n1: QEMU NVMe Ctrl, 67 MB, serial SYSTEM" in screen
