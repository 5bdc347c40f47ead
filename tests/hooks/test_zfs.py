"""The hook `zfs`, its decisions: what is created, imported, refused. The disks and ZFS are stubs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hooks.zfs_machine import ZfsMachine, zfs_machine

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare", "chroot", "mawk")]


@pytest.fixture
def machine(tmp_path: Path) -> ZfsMachine:
    return zfs_machine(tmp_path)


def changes(machine: ZfsMachine) -> list[str]:
    """Calls that change pools."""
    words = ("zpool create", "zpool import -d /dev/disk/by-id ", "zpool import -f", "zfs set")
    return [c for c in machine.scratch.calls() if c.startswith(words)]


def refusal(machine: ZfsMachine) -> str:
    """Apply fails, changes no pool, and says why."""
    code, result = machine.run("apply")
    assert code == 1
    assert changes(machine) == []
    return next(line for line in result if line.startswith("failed "))


def test_a_mirror_of_blank_disks_by_their_stable_names_and_a_second_run_without_change(machine):
    machine.params = {"properties": ["atime=off", "com.example:x=1"], "arc_max": "1 GiB"}
    code, result = machine.run("apply")
    assert code == 0, result
    assert changes(machine)[0] == (
        "zpool create -o ashift=12 -O compression=lz4 tank mirror /dev/disk/by-id/wwn-0xsdb /dev/disk/by-id/wwn-0xsdc"
    )
    assert machine.state["pools"][0]["properties"] == {
        "compression": "lz4",
        "atime": "off",
        "com.example:x": "1",
    }
    assert machine.scratch.read("etc/modprobe.d/zfs.conf") == (
        f"options zfs zfs_dirty_data_max=5\noptions zfs zfs_arc_max={1 << 30}\n"
    )
    assert machine.scratch.read("sys/module/zfs/parameters/zfs_arc_max") == f"{1 << 30}\n"
    assert 'ZED_EMAIL_ADDR="ops@alliance.example"\n' in machine.scratch.read("etc/zfs/zed.d/zed.rc")
    assert "ZED_NOTIFY_INTERVAL_SECS=3600" in machine.scratch.read("etc/zfs/zed.d/zed.rc")
    assert {"zfs-scrub-monthly@tank.timer", "zfs-trim-monthly@tank.timer", "zfs-import-cache.service"} <= set(
        machine.scratch.read("calls/enabled").split()
    )
    assert not any(c.startswith("update-initramfs") for c in machine.scratch.calls())
    before, calls = machine.tree(), changes(machine)
    assert machine.run("apply") == (0, [])
    assert (machine.tree(), changes(machine)) == (before, calls)
    assert machine.run("verify") == (0, [])
    assert machine.tree() == before


@pytest.mark.parametrize(
    ("raid", "disks", "words"),
    [
        ("raid0", "bc", "B C"),
        ("raid10", "bcde", "mirror B C mirror D E"),
        ("raidz-1", "bcd", "raidz1 B C D"),
        ("raidz-2", "bcde", "raidz2 B C D E"),
        ("-", "b", "B"),
    ],
)
def test_every_topology(machine, raid, disks, words):
    machine.disks, machine.raid = {}, {"tank": raid}
    machine.declare(**{f"sd{d}": "tank" for d in disks})
    assert machine.run("apply")[0] == 0
    for disk in disks:
        words = words.replace(disk.upper(), f"/dev/disk/by-id/wwn-0xsd{disk}")
    assert changes(machine)[0].endswith(f" tank {words}")


@pytest.mark.parametrize(
    ("raid", "disks", "said"),
    [
        ("-", "bc", "does not say how they are joined"),
        ("raid1", "b", "raid1 needs 2 disks and has 1"),
        ("raid10", "bcd", "raid10 needs 4 disks"),
        ("raidz-3", "bcde", "raidz-3 needs 5 disks"),
    ],
)
def test_a_topology_that_does_not_fit_its_disks(machine, raid, disks, said):
    machine.disks, machine.raid = {}, {"tank": raid}
    machine.declare(**{f"sd{d}": "tank" for d in disks})
    assert said in refusal(machine)


def test_a_pool_of_an_earlier_life_is_imported_despite_its_other_host(machine):
    machine.has_pool("tank", "sdc", "sdb", properties={"compression": "zstd"})
    code, result = machine.run("apply")
    assert code == 0
    assert "changed pool tank imported (id 42)" in result
    assert changes(machine) == [
        "zpool import -d /dev/disk/by-id 42",
        "zpool import -f -d /dev/disk/by-id 42",
        "zfs set compression=lz4 tank",
    ]
    assert machine.run("apply") == (0, [])


def test_a_pool_that_was_exported_needs_no_force(machine):
    machine.has_pool("tank", "sdb", "sdc", host="mine")
    assert machine.run("apply")[0] == 0
    assert changes(machine) == ["zpool import -d /dev/disk/by-id 42"]


@pytest.mark.parametrize("where", ["offered", "imported"])
@pytest.mark.parametrize("disks", [["sdb"], ["sdb", "sdd"], ["sdb", "sdc", "sdd"], ["sdb", "sdx"]])
def test_a_name_that_is_taken_by_a_pool_with_other_members(machine, disks, where):
    machine.has_pool("tank", *disks, imported=where == "imported")
    assert "a pool of that name" in refusal(machine) or where == "imported"
    assert machine.state["pools"][0]["imported"] is (where == "imported")


def test_a_disk_that_belongs_to_another_pool(machine):
    machine.has_pool("vault", "sdc", "sdd")
    assert "sdc belongs to another pool: vault (id 42)" in refusal(machine)


def test_two_pools_of_the_name_on_the_same_disks(machine):
    machine.has_pool("tank", "sdb", "sdc")
    machine.has_pool("tank", "sdb", "sdc", id=43)
    assert "two pools of that name" in refusal(machine)


def test_a_degraded_pool_is_left_to_a_person(machine):
    machine.has_pool("tank", "sdb", "sdc", state="DEGRADED")
    assert "is DEGRADED; import it by hand" in refusal(machine)


def test_an_import_that_fails(machine):
    machine.has_pool("tank", "sdb", "sdc", host="mine")
    machine.state = machine.state | {"import_fails": True}
    code, result = machine.run("apply")
    assert code == 1
    assert "cannot be imported" in result[-1]


@pytest.mark.parametrize("kind", ["ntfs", "LVM2_member", "linux_raid_member", "gpt"])
def test_a_disk_that_carries_anything_is_named_and_stays(machine, kind):
    machine.carries("sdc", kind)
    said = refusal(machine)
    assert f"sdc (/dev/sdc) carries a signature of {kind}" in said
    assert "sdb" not in said.split("carries")[0]


def test_a_partition_without_any_signature_is_something(machine):
    machine.scratch.write("sys/block/sdb/sdb1/partition", "1\n")
    assert "carries a partition table with sdb1" in refusal(machine)


def test_a_disk_that_something_stands_on(machine):
    (machine.scratch.root / "sys/block/sdb/holders/md0").mkdir(parents=True)
    assert "used by md0" in refusal(machine)


def test_a_label_that_only_zdb_sees(machine):
    machine.has_pool("old", "sdb", imported=True)  # zpool import does not offer it
    assert "a label of the ZFS pool old" in refusal(machine)


def test_a_disk_that_is_missing_or_there_twice(machine):
    machine.plug("sdf", "S-sdc")
    assert "several disks are sdc: sdc sdf" in refusal(machine)
    machine.unplug("sdf")
    machine.unplug("sdc")
    assert "the disk sdc (serial S-sdc, WWN -) is not there" in refusal(machine)


def test_one_pool_that_fails_does_not_keep_the_other(machine):
    machine.declare(sdd="vault")
    machine.raid["vault"] = "raid0"
    machine.carries("sdb", "ext4")
    code, result = machine.run("apply")
    assert code == 1
    assert [c.split()[6] for c in changes(machine) if "create" in c] == ["vault"]
    assert result[-1].startswith("failed pool tank: sdb")


def test_the_module_is_absent(machine):
    for file in (machine.scratch.root / "sys/module/zfs/parameters").iterdir():
        file.unlink()
    (machine.scratch.root / "sys/module/zfs/parameters").rmdir()
    (machine.scratch.root / "sys/module/zfs").rmdir()
    machine.scratch.stub("modprobe", "exit 1")
    assert "has no module zfs" in refusal(machine)


def test_what_cron_does_is_not_done_twice(machine):
    table = "24 0 1-7 * * root /usr/lib/zfs-linux/trim\n24 0 8-14 * * root /usr/lib/zfs-linux/scrub\n"
    machine.scratch.write("etc/cron.d/zfsutils-linux", table)
    assert machine.run("apply")[0] == 0
    timers = [line for line in machine.scratch.read("calls/enabled").split() if line.endswith(".timer")]
    assert bool(timers) is not Path("/usr/sbin/cron").exists()


def test_no_timer_is_reported(machine):
    machine.scratch.write(
        "calls/enabled", "zfs-import-cache.service\nzfs-import.target\nzfs-mount.service\nzfs.target\n"
    )
    machine.scratch.write("calls/no-timers", "")
    code, result = machine.run("apply")
    assert code == 1
    assert "nothing runs zpool scrub on it" in result[-1]


def test_root_on_zfs_renews_the_initramfs_once(machine):
    machine.scratch.stub("findmnt", "echo zfs")
    machine.params = {"arc_max": "1 GiB"}
    machine.scratch.stub("update-initramfs", "exit 1")
    code, result = machine.run("apply")
    assert code == 1
    assert "update-initramfs failed" in result[-1]
    machine.scratch.stub("update-initramfs")
    assert machine.run("apply")[0] == 0
    assert machine.run("apply") == (0, [])
    assert machine.scratch.calls().count("update-initramfs -u -k all") == 2


def test_a_small_limit_lowers_the_minimum_too(machine):
    machine.params = {"arc_max": "64 MiB"}
    assert machine.run("apply")[0] == 0
    assert "zfs_arc_max=67108864 zfs_arc_min=67108863" in machine.scratch.read("etc/modprobe.d/zfs.conf") or (
        "zfs_arc_min" not in machine.scratch.read("etc/modprobe.d/zfs.conf")
    )


def test_without_a_wish_the_installers_limit_stays(machine):
    assert machine.run("apply")[0] == 0
    assert machine.scratch.read("sys/module/zfs/parameters/zfs_arc_max") == "111\n"


def test_mail_without_a_mailer_is_said_when_the_pools_are_done(machine):
    (machine.scratch.root / "etc/zfs/zed.d/zed.rc").unlink()
    code, result = machine.run("apply")
    assert code == 1
    assert "zfs-zed is not installed" in result[-1]
    assert machine.state["pools"]
    machine.params = {"mail": False}
    assert machine.run("apply")[0] == 0


def proxmox(machine: ZfsMachine, text: str) -> None:
    machine.scratch.write("etc/pve/storage.cfg", text)
    machine.scratch.stub(
        "pvesm",
        """if [ "$1" = add ]; then printf '\\nzfspool: %s\\n\\tpool %s\\n\\tnodes %s\\n' "$3" "$5" "${11}" >>/etc/pve/storage.cfg
else sed -i "s/nodes .*/nodes $4/" /etc/pve/storage.cfg; fi""",
    )


def test_a_storage_in_proxmox_once_for_every_node_that_has_the_pool(machine):
    proxmox(machine, "dir: local\n\tpath /var/lib/vz\n")
    assert machine.run("apply")[0] == 0
    call = "pvesm add zfspool tank --pool tank --content images,rootdir --sparse 1 --nodes falcon"
    assert call in machine.scratch.calls()
    assert machine.run("apply") == (0, [])
    proxmox(machine, "zfspool: tank\n\tpool tank\n\tnodes corvette\n")
    assert machine.run("verify")[1] == ["failed no storage tank on this node"]
    assert machine.run("apply") == (0, ["changed storage tank"])
    assert "nodes corvette,falcon" in machine.scratch.read("etc/pve/storage.cfg")
    assert machine.run("verify") == (0, [])


def test_a_storage_of_that_name_that_is_another_pools(machine):
    proxmox(machine, "zfspool: tank\n\tpool rpool/data\n")
    code, result = machine.run("apply")
    assert code == 1
    assert "the storage tank is another pool's" in result[-1]


def test_ghosts_are_drift_on_wiped_disks_and_notes_on_kept_ones(machine):
    machine.declare("system", sdd="")
    machine.declare("keep", sde="")
    machine.has_pool("rpool-old", "sdd")
    machine.has_pool("attic", "sde", id=44)
    code, result = machine.run("apply")
    assert code == 0
    notes = [line for line in result if line.startswith("noted ")]
    assert any("system disk sdd (/dev/sdd) shows the pool rpool-old" in n for n in notes)
    assert any("keep disk sde (/dev/sde) shows the pool attic" in n for n in notes)
    code, result = machine.run("verify")
    assert code == 1
    assert [line for line in result if "sde" in line] == []
    assert "rpool-old" in result[0]


def test_verify_sees_what_is_in_effect(machine):
    assert machine.run("apply")[0] == 0
    state = machine.state
    state["pools"][0] |= {"state": "DEGRADED", "properties": {"compression": "off"}}
    machine.state = state
    machine.scratch.write("sys/module/zfs/parameters/zfs_arc_max", "5\n")
    code, result = machine.run("verify")
    assert code == 1
    text = "\n".join(result)
    for said in ("pool tank is DEGRADED", "compression is off", "zfs_arc_max is 5"):
        assert said in text
