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


def stick(
    machine: Machine, folder: Path, arming: str, *, chattr: bool = True, before: str = "", entry: bytes = b""
) -> None:
    root = Scratch(folder)
    root.node("falcon", {"serial": "SN-1"}, "system\troot\tSYSTEM\t-\t-\tQEMU NVMe Ctrl\n")
    root.overlay(arming="1")
    root.ticket(arming=f"{arming}-{EXPIRY}")
    root.vtoydump("/dev/nvme0n1#exfat#/proxmox.iso")
    if entry:
        root.write("boot-entry", entry)
    machine.stick(root, chattr=chattr, before=before)


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


@soak
def test_beside_another_disk_the_system_disks_own_entry_is_started(
    machine: Machine, tmp_path: Path, kernel_package: Path
):
    beside = Machine(tmp_path / "beside", kernel_package, ("stick", "other", "system"))
    entry = beside.partitioned("system")
    for name, known in (("a", b""), ("b", entry)):
        stick(beside, tmp_path / name, A if name == "a" else B, entry=known)
        screen = beside.run(until="(VK-B66)" if name == "a" else "is switched off")
        assert FIRED.replace("nvme1n1", "nvme2n1") in screen
        assert "INSTALLED OTHER" not in screen
        assert ("INSTALLED SYSTEM" in screen) is bool(known)


HANDED_OVER = "HANDED OVER"
ASKED = "Type the node's name"


@soak
def test_sticks_a_b_a(machine: Machine, tmp_path: Path):
    stick(machine, tmp_path / "a", A)
    assert FIRED in machine.run(until="GUARD: VK1 20261123T110000Z-0000aaaa")
    stick(machine, tmp_path / "b", B)
    assert FIRED in machine.run(until=f"GUARD: VK1 {B} {NEVER}")
    stick(machine, tmp_path / "a2", A)
    screen = machine.run(until="is switched off")
    assert HANDED_OVER not in screen
    assert "INSTALLED SYSTEM" in screen


@soak
def test_without_chattr_a_second_arming_asks_for_the_name(machine: Machine, tmp_path: Path):
    # A variable that is being made is not immutable, one that is there is.
    stick(machine, tmp_path / "a", A, chattr=False)
    assert FIRED in machine.run(until=f"GUARD: VK1 {A} {NEVER}")
    stick(machine, tmp_path / "b", B, chattr=False)
    screen = machine.run(until=ASKED)
    assert "(VK-B65)" in screen
    assert HANDED_OVER not in screen


@soak
def test_a_full_variable_store_asks_for_the_name(machine: Machine, tmp_path: Path):
    fill = """
    dd if=/dev/zero of=/zeros bs=1000 count=1 2>/dev/null
    { printf '\\007\\000\\000\\000'; cat /zeros; } >/filling
    number=100
    while dd if=/filling bs=2000 of=/sys/firmware/efi/efivars/Filling$number-01234567-89ab-cdef-0123-456789abcdef 2>/dev/null; do
        number=$((number + 1))
    done
    echo "FILLED after $number"
    """
    stick(machine, tmp_path / "a", A, before=fill)
    screen = machine.run(until=ASKED)
    assert "FILLED after" in screen
    assert "(VK-B65)" in screen
    assert HANDED_OVER not in screen


@soak
def test_an_expired_arming_leads_to_the_installed_system_once(machine: Machine, tmp_path: Path):
    stick(machine, tmp_path / "a", A)
    assert events(machine.run(clock="2026-11-25T12:00:00")) == [
        "(VK-B61)",
        "restarts into its installed system",
        "INSTALLED SYSTEM",
        "(VK-B61)",
        "is switched off",
    ]


@soak
def test_seabios_asks_for_the_name(machine: Machine, tmp_path: Path):
    stick(machine, tmp_path / "a", A)
    screen = machine.run(until=ASKED, uefi=False)
    assert "(VK-B63)" in screen
    assert "These disks are wiped in" not in screen
