"""The hook `zfs` with a permission to destroy a pool: exactly its members, once; the disks and ZFS are stubs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hooks.zfs_machine import ZfsMachine, zfs_machine

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare", "chroot", "mawk")]

ARMING = "20261123T110000Z-0000aaaa"


@pytest.fixture
def machine(tmp_path: Path) -> ZfsMachine:
    made = zfs_machine(tmp_path)
    made.permit(ARMING, "tank")
    return made


def wiped(machine: ZfsMachine) -> set[str]:
    """Devices that a program was told to clear."""
    calls = machine.scratch.calls()
    return {c.split()[-1] for c in calls if c.startswith(("wipefs --all", "zpool labelclear"))}


def reason(machine: ZfsMachine) -> str:
    code, result = machine.run("apply")
    assert code == 1
    assert wiped(machine) == set()
    return next(line for line in result if line.startswith("failed "))


def test_exactly_its_members_are_cleared_and_the_pool_is_made_anew(machine):
    machine.has_pool("tank", "sdb", "sdc", id=42)
    machine.has_pool("other", "sdd")
    code, result = machine.run("apply")
    assert code == 0, result
    assert wiped(machine) == {"/dev/sdb", "/dev/sdb1", "/dev/sdc", "/dev/sdc1"}
    assert (
        f"changed pool tank destroyed as arming {ARMING} permits, on sdb (/dev/sdb), sdc (/dev/sdc)" in result
    )
    pools = {p["name"]: (p["id"], sorted(p["disks"]), p["imported"]) for p in machine.state["pools"]}
    assert pools == {"tank": (77, ["sdb", "sdc"], True), "other": (42, ["sdd"], False)}
    assert machine.permissions() == []
    assert machine.run("apply") == (0, [])
    assert machine.run("verify") == (0, [])


def test_an_imported_pool_is_destroyed_first(machine):
    machine.has_pool("tank", "sdb", "sdc", id=42, imported=True)
    code, result = machine.run("apply")
    assert code == 0, result
    assert "zpool destroy tank" in machine.scratch.calls()
    assert [p["id"] for p in machine.state["pools"]] == [77]


@pytest.mark.parametrize("kind", ["ext4", "linux_raid_member", "LVM2_member", "gpt"])
def test_whatever_lies_on_its_declared_disks_goes(machine, kind):
    machine.carries("sdb", kind)
    code, result = machine.run("apply")
    assert code == 0, result
    assert wiped(machine) >= {"/dev/sdb", "/dev/sdc"}
    assert machine.state["foreign"] == {}


def test_blank_disks_need_no_permission_and_use_it_up(machine):
    code, result = machine.run("apply")
    assert code == 0, result
    assert wiped(machine) == set()
    assert any(line.startswith("noted the permission") for line in result)
    assert machine.permissions() == []


def test_a_pool_that_reaches_beyond_is_left_alone_and_the_permission_too(machine):
    machine.has_pool("tank", "sdb", "sdc", "sdd")
    assert "lies on sdd too; nothing was destroyed" in reason(machine)
    assert machine.permissions() == [f"{ARMING}/tank"]


def test_another_pool_that_reaches_beyond_is_left_alone(machine):
    machine.has_pool("foreign", "sdc", "sde")
    assert "the pool foreign (id 42) on its disks lies on sde too" in reason(machine)


def test_a_disk_in_use_is_left_alone(machine):
    machine.has_pool("tank", "sdb", "sdc")
    (machine.scratch.root / "sys/block/sdc/holders/dm-0").mkdir(parents=True)
    assert "sdc (/dev/sdc) is used by dm-0; nothing was destroyed" in reason(machine)


def test_a_mounted_disk_is_left_alone(machine):
    machine.carries("sdb", "ext4")
    machine.scratch.stub("lsblk", "echo; echo /srv")
    assert "is mounted on /srv; nothing was destroyed" in reason(machine)


def test_a_missing_member_is_a_reason_before_anything_is_destroyed(machine):
    machine.has_pool("tank", "sdb", "sdc")
    machine.unplug("sdc")
    assert "is not there" in reason(machine)
    assert machine.permissions() == [f"{ARMING}/tank"]


def test_the_permission_of_one_pool_is_not_that_of_another(machine):
    machine.declare(sdd="vault", sde="vault")
    machine.raid["vault"] = "raid1"
    machine.has_pool("old", "sdd", "sde")
    code, result = machine.run("apply")
    assert code == 1
    assert "pool vault: sdd sde belongs to another pool: old" in result[-1]
    assert not {"/dev/sdd", "/dev/sde"} & wiped(machine)


def test_it_is_used_up_before_the_first_disk_and_what_breaks_off_is_not_repeated(machine):
    machine.has_pool("tank", "sdb", "sdc")
    machine.scratch.stub("blockdev", "exit 1")
    code, result = machine.run("apply")
    assert code == 1
    assert "cannot be cleared" in result[-1]
    assert machine.permissions() == []
    cleared = len(machine.scratch.calls())
    code, _ = machine.run("apply")
    assert code == 1
    assert not [
        c for c in machine.scratch.calls()[cleared:] if c.startswith(("wipefs --all", "zpool labelclear"))
    ]


def test_without_a_permission_nothing_is_destroyed(tmp_path):
    machine = zfs_machine(tmp_path)
    machine.carries("sdb", "ext4")
    assert "sdb (/dev/sdb) carries" in reason(machine)
