"""Armed tickets: what fires, what does not, and what happens instead. A folder stands for efivarfs here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.boot_overlay.proxmox_step import HANDED_OVER, Result, boot
from tests.boot_overlay.scratch import (
    DISKS,
    EFI,
    GLOBAL,
    ON_DISK,
    ON_USB,
    PARTITION,
    UUID,
    WHOLE_DISK,
    Scratch,
    on_partition,
)

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("busybox", "chroot", "unshare", "mount"),
    pytest.mark.skipif(
        "overlay" not in Path("/proc/filesystems").read_text(), reason="no overlay file system here"
    ),
]

EXPIRY = "20261124T110000Z"
A = "20261123T110000Z-0000aaaa"
B = "20261123T111500Z-00000001"
NEVER = "00000000T000000Z-00000000"


def arm(root: Scratch, arming: str = A, **machine: str | bool) -> None:
    root.armed(f"{arming}-{EXPIRY}", **machine)  # type: ignore[arg-type]  # names and types are those of armed()


@pytest.fixture
def falcon(root: Scratch) -> Scratch:
    """The machine of the other tests, started by UEFI with the stick armed for it."""
    root.usual()
    arm(root)
    return root


def again(root: Scratch, typed: str = "", *, name: str = "\x04", **how: Any) -> Result:
    """The next start of the same machine: `typed` during the countdown, `name` when it is asked for (or Ctrl-D).

    What the start before left behind in memory is gone.
    """
    root.shell("rm -rf /seen /power /ventoy-kit/log /ventoy-kit/run /left /mounts")
    for file in (root.path / EFI).glob("BootNext-*"):
        file.unlink()
    answers = {"Type the node's name": name, "Press Enter to go on": "\n"}
    return boot(root, typed, answers=answers, **how)


def fired(root: Scratch, result: Result) -> bool:
    return result.names >= HANDED_OVER and root.power() == ""


def test_it_fires_without_a_key(falcon: Scratch):
    result = again(falcon)
    assert fired(falcon, result)
    assert falcon.guard() == f"VK1 {A} {NEVER}"
    assert falcon.boot_next() is None
    assert "The stick is armed for falcon, code AAAA." in result.screen
    assert "Fleet alliance, node falcon: The falcon" in result.screen
    before = result.screen.split("These disks are wiped in 1 s. Press Enter to stop.")[0]
    assert "/dev/nvme0n1: Samsung SSD 980 PRO 1TB, 1.0 TB, serial S5GXNX0T1" in before
    assert "Type the node's name" not in result.screen


def test_the_second_start_leads_to_the_installed_system_and_the_third_switches_off(falcon: Scratch):
    assert fired(falcon, again(falcon))
    second = again(falcon)
    assert second.nothing_handed_over
    assert "(VK-B60)" in second.screen
    assert "restarts into its installed system (boot entry 0005)" in second.screen
    assert falcon.power() == "reboot"
    assert falcon.boot_next() == "0005"
    assert falcon.guard() == f"VK1 {A} {A}"
    for _ in range(2):
        third = again(falcon)
        assert third.nothing_handed_over
        assert "was led to its installed system once already" in third.screen
        assert falcon.power() == "poweroff"
        assert falcon.boot_next() is None


def test_sticks_a_b_a(falcon: Scratch):
    assert fired(falcon, again(falcon))
    arm(falcon, B)
    assert fired(falcon, again(falcon))
    assert falcon.guard() == f"VK1 {B} {NEVER}"
    arm(falcon, A)
    assert again(falcon).nothing_handed_over
    assert falcon.power() == "reboot"
    assert falcon.guard() == f"VK1 {B} {A}"
    arm(falcon, B)
    assert again(falcon).nothing_handed_over
    assert falcon.power() == "reboot"
    # Two used sticks in one machine cannot send it to each other for ever.
    arm(falcon, A)
    assert again(falcon).nothing_handed_over
    assert falcon.power() == "poweroff"
    assert falcon.guard() == f"VK1 {B} {B}"
    arm(falcon, "20261123T112000Z-00000000")
    assert fired(falcon, again(falcon))


@pytest.mark.parametrize(
    ("stored", "fires"),
    [
        ("20261123T105959Z-ffffffff", True),
        ("20261123T110000Z-0000aaa9", True),
        ("20261123T110000Z-0000aaaa", False),
        ("20261123T110000Z-0000aaab", False),
        ("20261123T110000Z-00010000", False),
        ("20261123T110000Z-80000000", False),
        ("20261123T110001Z-00000000", False),
        ("20261231T000000Z-00000000", False),
        ("20270101T000000Z-00000000", False),
        ("20251231T235959Z-ffffffff", True),
    ],
)
def test_ids_are_ordered_by_time_and_then_by_their_digits(falcon: Scratch, stored: str, fires: bool):
    falcon.variable(
        "VentoyKitArming", f"VK1 {stored} {NEVER}".encode(), guid=guard_name(falcon).split("-", 1)[1]
    )
    assert fired(falcon, again(falcon)) is fires
    assert falcon.guard() == (f"VK1 {A} {NEVER}" if fires else f"VK1 {stored} {A}")


def guard_name(root: Scratch) -> str:
    return root.shell('. /ventoy-kit/lib.sh; . /ventoy-kit/guard.sh; printf %s "$VK_GUARD_NAME"').stdout


@pytest.mark.parametrize(
    ("clock", "code"),
    [
        ("20261123T105000Z", ""),
        ("20261123T104959Z", "VK-B62"),
        ("20261124T110000Z", ""),
        ("20261124T110001Z", "VK-B61"),
        ("20300101T000000Z", "VK-B61"),
        ("20000101T000000Z", "VK-B62"),
        ("19700101T000010Z", "VK-B62"),
        ("", "VK-B62"),
        ("nonsense", "VK-B62"),
        ("20261199T000000Z", "VK-B62"),
    ],
)
def test_the_clock_decides_whether_it_still_counts(falcon: Scratch, clock: str, code: str):
    falcon.write("clock", f"{clock}\n")
    result = again(falcon)
    if not code:
        assert fired(falcon, result)
        return
    assert result.nothing_handed_over
    assert f"({code})" in result.screen
    assert f"until {EXPIRY}" in result.screen
    assert falcon.power() == "reboot"
    assert falcon.guard() == f"VK1 {NEVER} {A}"
    # With the right clock the same arming is good after all, as it was not used.
    falcon.write("clock", "20261123T120000Z\n")
    assert fired(falcon, again(falcon))
    assert falcon.guard() == f"VK1 {A} {A}"


def test_an_expired_arming_leads_to_the_installed_system_once(falcon: Scratch):
    falcon.write("clock", "20261130T000000Z\n")
    assert again(falcon).nothing_handed_over
    assert falcon.power() == "reboot"
    assert again(falcon).nothing_handed_over
    assert falcon.power() == "poweroff"


@pytest.mark.parametrize("key", ["\n", "x\n", "\x1b", "falcon\n"])
def test_a_key_stops_the_countdown_and_the_name_is_asked_for(falcon: Scratch, key: str):
    result = again(falcon, key)
    assert result.nothing_handed_over
    assert "Stopped. Nothing was wiped." in result.screen
    assert "(VK-B32)" in result.screen
    assert falcon.guard() is None
    assert falcon.power() == ""


def test_a_stopped_countdown_goes_on_with_the_typed_name_and_the_arming_is_used(falcon: Scratch):
    assert fired(falcon, again(falcon, "\n", name="falcon\n"))
    assert falcon.guard() == f"VK1 {A} {NEVER}"


def test_a_console_at_its_end_stops_the_countdown(falcon: Scratch):
    # Reading /dev/null returns at once, so that 30 seconds would be over in none.
    result = again(falcon, screen=False)
    assert result.nothing_handed_over
    assert "VK-B32" in falcon.read("ventoy-kit/log")
    assert falcon.guard() is None


REFUSING: dict[str, tuple[str, Callable[[Scratch], object]]] = {
    "SeaBIOS": ("VK-B63", lambda root: root.shell("rm -r /sys/firmware")),
    "no efivarfs": ("VK-B63", lambda root: root.shell(f"rm -r /{EFI}")),
    "no BootCurrent": ("VK-B63", lambda root: root.shell(f"rm /{EFI}/BootCurrent-{GLOBAL}")),
    "a foreign guard": ("VK-B64", lambda root: guard(root, b"VK2 something else")),
    "an empty guard": ("VK-B64", lambda root: guard(root, b"")),
    "a guard cut off": ("VK-B64", lambda root: guard(root, f"VK1 {NEVER} {NEVER}"[:-1].encode())),
    "a guard with more": ("VK-B64", lambda root: guard(root, f"VK1 {NEVER} {NEVER}\n".encode())),
    "a guard of odd bytes": ("VK-B64", lambda root: guard(root, f"VK1\0 {NEVER} {NEVER}".encode())),
    "a guard with other attributes": (
        "VK-B64",
        lambda root: guard(root, f"VK1 {NEVER} {NEVER}".encode(), attributes=6),
    ),
}


def guard(root: Scratch, value: bytes, attributes: int = 7) -> None:
    root.variable("VentoyKitArming", value, guid=guard_name(root).split("-", 1)[1], attributes=attributes)


@pytest.mark.parametrize("machine", REFUSING)
def test_without_a_record_a_person_is_asked(falcon: Scratch, machine: str):
    code, spoil = REFUSING[machine]
    spoil(falcon)
    before = sorted((p.name, p.read_bytes()) for p in (falcon.path / EFI).glob("*"))
    result = again(falcon)
    assert result.nothing_handed_over
    assert f"({code})" in result.screen
    assert "Type the node's name (falcon)" in result.screen
    assert "These disks are wiped in" not in result.screen
    assert fired(falcon, again(falcon, name="falcon\n"))
    assert sorted((p.name, p.read_bytes()) for p in (falcon.path / EFI).glob("*")) == before


@pytest.mark.parametrize("machine", REFUSING)
def test_an_expired_arming_without_a_record_stops_at_a_message(falcon: Scratch, machine: str):
    REFUSING[machine][1](falcon)
    falcon.write("clock", "20270101T000000Z\n")
    result = again(falcon, "falcon\n")
    assert result.nothing_handed_over
    assert "(VK-B61)" in result.screen
    assert "Switch the machine off, or press Ctrl-Alt-Del" in result.screen
    assert falcon.power() == "stop"
    assert falcon.boot_next() is None


FAILING_WRITES = {
    "read-only": 'mount --bind "$root/$efi" "$root/$efi"; mount -o remount,bind,ro "$root/$efi"',
    # One page for each variable that is there, none for a new one.
    "full": 'rm -rf "$root/vars"; cp -a "$root/$efi" "$root/vars"; n=$(ls "$root/vars" | wc -l); mount -t tmpfs -o size=$((n * 4))k x "$root/$efi";'
    ' cp -a "$root/vars/." "$root/$efi"',
}


@pytest.mark.parametrize("how", FAILING_WRITES)
def test_a_failing_write_asks_for_the_name(falcon: Scratch, how: str):
    before = f"efi={EFI}; {FAILING_WRITES[how]}"
    result = again(falcon, before=before)
    assert result.nothing_handed_over
    assert "These disks are wiped in" in result.screen
    assert "(VK-B65)" in result.screen
    assert "unplug the stick" in result.screen
    assert falcon.guard() is None
    assert fired(falcon, again(falcon, name="falcon\n", before=before))


@pytest.mark.parametrize("how", FAILING_WRITES)
def test_an_arming_that_is_over_stops_if_nothing_can_be_written(falcon: Scratch, how: str):
    falcon.write("clock", "20270101T000000Z\n")
    result = again(falcon, before=f"efi={EFI}; {FAILING_WRITES[how]}")
    assert result.nothing_handed_over
    assert "(VK-B61)" in result.screen
    assert "(VK-B65)" in result.screen
    assert falcon.power() == "stop"


def test_a_write_that_does_not_read_back_asks_for_the_name(falcon: Scratch):
    falcon.append("ventoy-kit/guard.sh", 'vk_variable_read() { printf wrong >"$2"; }\n')
    result = again(falcon)
    assert result.nothing_handed_over
    assert "(VK-B65)" in result.screen


def test_the_immutable_flag_is_cleared_before_the_write(falcon: Scratch):
    assert fired(falcon, again(falcon))
    assert falcon.read("locks").split() == ["+i"]
    arm(falcon, B)
    assert fired(falcon, again(falcon))
    assert falcon.read("locks").split() == ["+i", "-i", "+i"]


class TestBootNext:
    """Which entry is the installed system's."""

    @pytest.fixture
    def spent(self, falcon: Scratch) -> Scratch:
        guard(falcon, f"VK1 {A} {NEVER}".encode())
        return falcon

    def chosen(self, root: Scratch) -> str | None:
        assert again(root).nothing_handed_over
        if root.power() == "reboot":
            return root.boot_next()
        assert root.power() == "stop"
        assert "VK-B66" in root.read("ventoy-kit/log")
        assert root.boot_next() is None
        assert root.guard() == f"VK1 {A} {NEVER}"
        return None

    def test_the_order_decides_among_disks(self, spent: Scratch):
        spent.entry("00AF", path=ON_DISK)
        spent.boot_order("00AF", "0001", "0005")
        assert self.chosen(spent) == "00AF"

    def test_a_partition_of_the_system_disk_goes_before_everything_else(self, spent: Scratch):
        spent.boot_order("0002", "0001", "0005")
        assert self.chosen(spent) == "0005"

    @pytest.mark.parametrize(
        "path",
        [
            on_partition(bytes(range(0x20, 0x30))),
            on_partition(bytes(16)),
            on_partition(PARTITION, b"\2\1"),
            on_partition(PARTITION)[:-1],
            b"",
            *WHOLE_DISK.values(),
        ],
    )
    def test_what_may_be_another_disks_is_never_chosen(self, spent: Scratch, path: bytes):
        spent.entry("0005", path=path)
        assert self.chosen(spent) is None

    def test_another_disks_entry_is_passed_over(self, spent: Scratch):
        spent.entry("0003", path=on_partition(bytes(range(0x20, 0x30))))
        spent.boot_order("0001", "0003", "0005")
        assert self.chosen(spent) == "0005"

    @pytest.mark.parametrize("kind", WHOLE_DISK)
    def test_a_whole_disk_counts_where_there_is_no_other(self, spent: Scratch, kind: str):
        spent.shell("rm -r /sys/block/sda /sys/block/sdb")
        spent.entry("0003", path=ON_USB + WHOLE_DISK[kind])
        spent.entry("0005", path=WHOLE_DISK[kind])
        spent.boot_order("0001", "0002", "0003", "0005")
        assert self.chosen(spent) == "0005"

    def test_a_drive_for_discs_might_be_meant(self, spent: Scratch):
        spent.shell("rm -r /sys/block/sda /sys/block/sdb")
        spent.write("sys/block/sr0/size", "0\n")
        spent.entry("0005", path=WHOLE_DISK["SATA"])
        assert self.chosen(spent) is None

    def test_a_stick_that_is_not_found_might_be_meant(self, spent: Scratch):
        spent.shell("rm -r /sys/block/sda /sys/block/sdb")
        spent.vtoydump("nothing")
        spent.entry("0005", path=WHOLE_DISK["SATA"])
        assert self.chosen(spent) is None

    def test_without_the_system_disk_it_stops(self, spent: Scratch):
        spent.shell("rm -r /sys/block/nvme0n1")
        assert again(spent).nothing_handed_over
        assert (spent.power(), spent.boot_next()) == ("stop", None)

    def test_without_a_program_that_reads_bytes_it_stops(self, spent: Scratch):
        spent.append("ventoy-kit/guard.sh", "hexdump() { return 1; }\n")
        assert self.chosen(spent) is None

    @pytest.mark.parametrize("attributes", ["00000000", "08000000", "09000000", "01010000"])
    def test_inactive_and_hidden_entries_do_not_count(self, spent: Scratch, attributes: str):
        spent.entry("0005", bytes.fromhex(attributes), ON_DISK)
        spent.boot_order("0001", "0005")
        assert self.chosen(spent) is None

    def test_an_entry_that_is_not_there_does_not_count(self, spent: Scratch):
        spent.boot_order("BEEF", "0001", "0005")
        assert self.chosen(spent) == "0005"

    def test_without_an_order_it_stops(self, spent: Scratch):
        (spent.path / EFI / f"BootOrder-{GLOBAL}").unlink()
        assert self.chosen(spent) is None

    def test_with_the_stick_alone_it_stops(self, spent: Scratch):
        spent.boot_order("0001")
        assert self.chosen(spent) is None


def test_the_machine_is_checked_before_the_arming(falcon: Scratch):
    falcon.dmi("SN-9", UUID)
    for clock in ("20261123T120000Z", "20270101T000000Z"):
        falcon.write("clock", f"{clock}\n")
        result = again(falcon)
        assert result.nothing_handed_over
        assert "(VK-B10)" in result.screen
        assert falcon.power() == ""
        assert falcon.guard() is None


def test_a_missing_disk_refuses_and_the_arming_is_not_used(falcon: Scratch):
    falcon.node("falcon", {}, DISKS.replace("S5GXNX0T1", "GONE"))
    result = again(falcon)
    assert result.nothing_handed_over
    assert "(VK-B21)" in result.screen
    assert falcon.guard() is None


@pytest.mark.parametrize(
    "arming",
    [
        *("", "1", A, f"x-{EXPIRY}", f"{A.upper()}-{EXPIRY}"),
        *(f"{A}-20261123T110000Z", f"{A}-20261123T100000Z", f"{A}-20261124T110000"),
        *(f"20261323T110000Z-0000aaaa-{EXPIRY}", f"20261100T110000Z-0000aaaa-{EXPIRY}"),
        *(f"20261123T250000Z-0000aaaa-{EXPIRY}", f"20261123T110000Z-0000aaa-{EXPIRY}"),
    ],
)
def test_an_arming_of_another_form_refuses(falcon: Scratch, arming: str):
    falcon.ticket(arming=arming)
    result = again(falcon)
    assert result.nothing_handed_over
    assert "(VK-B01)" in result.screen
    assert falcon.guard() is None


def test_an_overlay_that_knows_no_arming_refuses(falcon: Scratch):
    falcon.overlay(arming="none")
    result = again(falcon)
    assert result.nothing_handed_over
    assert "(VK-B05)" in result.screen


def test_an_overlay_that_knows_armings_still_asks_in_the_toolbox(falcon: Scratch):
    falcon.ticket(arming="none")
    result = again(falcon)
    assert result.nothing_handed_over
    assert "Type the node's name" in result.screen
    assert "armed" not in result.screen
    assert falcon.guard() is None


def test_a_hand_over_that_fails_after_the_record_does_not_fire_again(falcon: Scratch):
    falcon.append("ventoy-kit/guard.sh", "mount() { return 1; }\n")
    result = again(falcon, "")
    assert not result.names & HANDED_OVER
    assert "(VK-B42)" in result.screen
    assert falcon.guard() == f"VK1 {A} {NEVER}"
