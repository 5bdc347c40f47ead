"""The hook `clean-boot` on EFI boot entries: a firmware and disks that answer as efibootmgr and lsblk print them."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.scratch_root import shipped

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

OWN, GONE, OTHER = (f"{n}0000000-1111-2222-3333-444444444444" for n in "abc")
# Entries as efibootmgr 17 and 18 print them: the stick first, a disk that was taken out, a network entry.
ENTRIES = f"""\
Boot0000* USB HDD\tPciRoot(0x0)/Pci(0x14,0x0)/USB(3,0)
Boot0001* old proxmox\tHD(2,GPT,{GONE.upper()},0x800,0x100000)/File(\\EFI\\proxmox\\grubx64.efi)
Boot0002* UEFI: PXE\tPciRoot(0x0)/Pci(0x1f,0x6)/MAC(d843ae000a01,0)
Boot0003* proxmox\tHD(2,GPT,{OWN},0x800,0x200000)/\\EFI\\proxmox\\shimx64.efi
Boot0004* data\tHD(1,GPT,{OTHER},0x800,0x200000)/\\EFI\\x.efi
"""
EFIBOOTMGR = r"""
cd /srv
number= ; order=
while [ $# -gt 0 ]; do
    case $1 in
    -b) number=$2; shift ;;
    -B) sed -i "/^Boot$number/d" entries; sed -i "s/\b$number\b//; s/,,/,/; s/^,//; s/,$//" order; exit 0 ;;
    -o) echo "$2" >order; exit 0 ;;
    -c) printf 'Boot0009* new\tHD(2,GPT,a0000000-1111-2222-3333-444444444444,0x800,0x1)/x\n' >>entries
        echo "0009,$(cat order)" >order; exit 0 ;;
    esac
    shift
done
echo "BootCurrent: $(cat current)"
echo "Timeout: 1 seconds"
echo "BootOrder: $(cat order)"
cat entries
"""
LSBLK = f"""
case "$*" in
*PKNAME*) echo nvme0n1 ;;
*"PARTUUID /dev/nvme0n1p2"*) echo {OWN} ;;
*) printf '\\n{OWN}\\n{OTHER}\\n\\n' ;;
esac
"""


def machine(root: DebianRoot, entries: str = ENTRIES) -> DebianRoot:
    root.write("sys/firmware/efi/systab", "")
    root.write("sys/class/block/nvme0n1p2/partition", "2\n")
    root.write("srv/entries", entries)
    root.write("srv/order", "0000,0001,0002,0003,0004\n")
    root.write("srv/current", "0003\n")
    root.write("boot/efi/EFI/proxmox/shimx64.efi", "loader")
    root.stub("efibootmgr", EFIBOOTMGR)
    root.stub("lsblk", LSBLK)
    root.stub("findmnt", 'case "$*" in *TARGET*) echo /boot/efi ;; *) echo /dev/nvme0n1p2 ;; esac')
    root.cover("proc@cmdline", "root=/dev/nvme0n1p3 ro\n")
    return root


def test_the_dead_go_and_the_disk_comes_first(debian: DebianRoot) -> None:
    changes = twice(machine(debian), shipped("clean-boot"))
    assert changes == ["boot entry 0001 (old proxmox) removed", "boot order 0003,0000,0002,0004"]
    assert debian.read("srv/order") == "0003,0000,0002,0004\n"
    assert "Boot0001" not in debian.read("srv/entries")


def test_a_lost_entry_is_made(trixie: DebianRoot) -> None:
    without = "".join(line for line in ENTRIES.splitlines(True) if "Boot0003" not in line)
    machine(trixie, without)
    trixie.write("srv/order", "0000,0002\n")
    trixie.write("srv/current", "0000\n")
    assert "boot entry for EFI/proxmox/shimx64.efi" in twice(trixie, shipped("clean-boot"))
    made = next(c for c in trixie.calls("efibootmgr -q -c"))
    assert made == "efibootmgr -q -c -d /dev/nvme0n1 -p 2 -L debian -l \\EFI\\proxmox\\shimx64.efi"


def test_stale_entries_may_stay_and_the_order_too(trixie: DebianRoot) -> None:
    machine(trixie)
    assert (
        trixie.run(shipped("clean-boot", stale_entries="report", disk_first=False))["status"] == "unchanged"
    )
    assert "boot entry 0001 (old proxmox): its partition is on no disk" in trixie.output
    assert trixie.read("srv/entries") == ENTRIES


def test_without_disks_to_compare_with_nothing_is_removed(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.stub("lsblk", f'case "$*" in *"/dev/"*) echo {OWN} ;; esac')
    trixie.run(shipped("clean-boot", disk_first=False))
    assert trixie.read("srv/entries") == ENTRIES


def test_a_firmware_that_refuses_is_a_failure(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.stub("efibootmgr", EFIBOOTMGR.replace("-B) ", "-B) exit 5; "))
    result = trixie.run(shipped("clean-boot"))
    assert "the firmware did not remove boot entry 0001 (old proxmox)" in str(result["reason"])


def test_verify_sees_a_stick_that_came_first_again(trixie: DebianRoot) -> None:
    twice(machine(trixie), shipped("clean-boot"))
    trixie.write("srv/order", "0000,0003,0002,0004\n")
    code, said = trixie.verify()
    assert code == 1
    assert "this system is not first" in said
