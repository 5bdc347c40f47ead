"""Targets that must never be written, each through the same door as a user's: by name, by link, and unnamed.

The devices stand in a sysfs of the test's own, with real block nodes of a major number that no driver has.
"""

import os
from pathlib import Path

import pytest

from tests.edge.test_devices import BOOT_START, SECTORS, Host, NoTools
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.targets import examine_target, find_stick
from ventoy_kit.stick import codes

pytestmark = pytest.mark.needs_root

NO_DRIVER = 240  # "local or experimental use", Documentation/admin-guide/devices.txt
USB = "devices/pci0000:00/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block"
ATA = "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block"
VENTOY = (("exfat", "Ventoy", 2048, BOOT_START - 2048), ("vfat", "VTOYEFI", BOOT_START, 65536))


class Machine:
    """A machine with one stick (sdb) and whatever else a test plugs in."""

    def __init__(self, root: Path) -> None:
        self.host, self.root, self.count = Host(root), root, 0
        self.udev: dict[str, dict[str, str]] = {}
        self.host.mounts()

    def plug(self, name: str, where: str, partitions=VENTOY, size=SECTORS, **attributes: object) -> Path:
        def number() -> str:
            self.count += 1
            return f"{NO_DRIVER}:{self.count}"

        def node(device: str, dev: str) -> None:
            at = self.root / "dev" / device
            at.unlink()
            os.mknod(at, 0o060600, os.makedev(*map(int, dev.split(":"))))

        dev = number()
        common = {"ro": 0, "removable": 0, "queue__logical_block_size": 512, "device__type": 0} | attributes
        self.host.put(f"{where}/{name}", dev=dev, size=size, **common)
        node(name, dev)
        for n, (fs_type, label, start, sectors) in enumerate(partitions, 1):
            dev = number()
            self.host.put(f"{where}/{name}/{name}{n}", dev=dev, partition=n, start=start, size=sectors, ro=0)
            node(f"{name}{n}", dev)
            self.udev[f"{name}{n}"] = {
                "USEC_INITIALIZED": "1",
                "ID_FS_TYPE": fs_type,
                "ID_FS_LABEL": label,
            }
        self.udev[name] = {"USEC_INITIALIZED": "1", "ID_SERIAL_SHORT": f"S-{name}"}
        return self.root / "dev" / name

    @property
    def devices(self) -> Devices:
        root = self.root
        return Devices(
            NoTools(), sys=root / "sys", proc=root / "proc", dev=root / "dev", udev=lambda: self.udev
        )

    def mount(self, device: str, point: str, fs_type="ext4") -> None:
        dev = (self.root / "sys/class/block" / device / "dev").read_text().strip()
        table = self.root / "proc/self/mountinfo"
        line = f"27 1 {dev} / {point} rw - {fs_type} {self.root}/dev/{device} rw\n"
        table.write_text(table.read_text() + line)

    def refusals(self, target: Path) -> list[str]:
        candidate, report = examine_target(NoTools(), self.devices, str(target))
        assert candidate is None
        assert all(f.message and f.remedy for f in report)
        return [f.rule.code for f in report]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_stick_itself_is_taken(machine):
    stick = machine.plug("sdb", USB)
    candidate, report = examine_target(NoTools(), machine.devices, str(stick))
    assert (candidate is not None, list(report)) == (True, [])
    candidate, report = find_stick(NoTools(), machine.devices)
    assert candidate is not None
    assert candidate.target.path == str(stick)
    assert candidate.ventoy_version is None  # the node gives no bytes


def system_disk(machine: Machine) -> tuple[Path, set[str]]:
    disk = machine.plug("sda", ATA, (("vfat", "EFI", 2048, 4096), ("ext4", "root", 6144, 400_000)))
    machine.mount("sda2", "/")
    return disk, {codes.SYSTEM_DISK.code, codes.NOT_REMOVABLE.code, codes.NOT_VENTOY.code}


def system_disk_with_ventoys_layout(machine: Machine) -> tuple[Path, set[str]]:
    disk = machine.plug("sda", USB)
    machine.mount("sda1", "/")
    return disk, {codes.SYSTEM_DISK.code}


def partition(machine: Machine) -> tuple[Path, set[str]]:
    return machine.plug("sdb", USB).with_name("sdb1"), {codes.PARTITION.code}


def other_usb_disk(machine: Machine) -> tuple[Path, set[str]]:
    return machine.plug("sdc", USB, (("ntfs", "Ventoy", 2048, 400_000),)), {codes.NOT_VENTOY.code}


def dd_of_an_iso(machine: Machine) -> tuple[Path, set[str]]:
    disk = machine.plug("sdc", USB, ())
    machine.udev["sdc"]["ID_FS_TYPE"] = "iso9660"
    return disk, {codes.NOT_VENTOY.code}


def cd(machine: Machine) -> tuple[Path, set[str]]:
    return machine.plug("sr0", USB, (), device__type=5), {codes.NOT_A_DISK.code}


def mounted_foreign_disk(machine: Machine) -> tuple[Path, set[str]]:
    disk = machine.plug("sdc", USB, (("ext4", "backup", 2048, 400_000),))
    machine.mount("sdc1", "/media/luke/backup")
    return disk, {codes.NOT_VENTOY.code}


def write_protected(machine: Machine) -> tuple[Path, set[str]]:
    return machine.plug("sdb", USB, ro=1), {codes.READ_ONLY.code}


def sectors_of_4k(machine: Machine) -> tuple[Path, set[str]]:
    return machine.plug("sdb", USB, queue__logical_block_size=4096), {codes.SECTOR_SIZE.code}


def swapping(machine: Machine) -> tuple[Path, set[str]]:
    disk = machine.plug("sdb", USB)
    (machine.root / "proc/swaps").write_text(f"Filename\n{machine.root}/dev/sdb1 partition 1 0 -2\n")
    return disk, {codes.SYSTEM_DISK.code}


def zfs_member(machine: Machine) -> tuple[Path, set[str]]:
    disk = machine.plug("sdb", USB, (*VENTOY, ("zfs_member", "tank", BOOT_START + 65536, 8)))
    return disk, {codes.IN_USE.code}


def held_by(kind: str, **attributes: str):
    def build(machine: Machine) -> tuple[Path, set[str]]:
        disk = machine.plug("sdb", USB)
        holder = f"{kind}-0" if kind == "dm" else "md0"
        (machine.root / "sys" / USB / f"sdb/sdb1/holders/{holder}").mkdir(parents=True)
        machine.host.put(f"devices/virtual/block/{holder}", dev="253:0", size=9, **attributes)
        return disk, {codes.IN_USE.code}

    return build


def cut_off_partition(machine: Machine) -> tuple[Path, set[str]]:
    """The kernel shortens a partition that reaches behind the end of the disk."""
    short = (VENTOY[0], ("vfat", "VTOYEFI", BOOT_START, 60_000))
    return machine.plug("sdb", USB, short, size=BOOT_START + 60_000), {codes.NOT_VENTOY.code}


WRONG = {
    "the system disk": system_disk,
    "a system disk with Ventoy's layout": system_disk_with_ventoys_layout,
    "a partition": partition,
    "another USB disk labelled Ventoy": other_usb_disk,
    "an ISO written with dd": dd_of_an_iso,
    "a CD": cd,
    "a mounted foreign disk": mounted_foreign_disk,
    "a write-protected stick": write_protected,
    "4K sectors": sectors_of_4k,
    "a disk that is swapped to": swapping,
    "a member of a ZFS pool": zfs_member,
    "an LVM volume group": held_by("dm", dm__name="vg-data"),
    "an open crypt volume": held_by("dm", dm__name="luks-1"),
    "a member of an md array": held_by("md", md__level="raid1"),
    "a cut-off stick": cut_off_partition,
}


@pytest.mark.parametrize("build", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("by_link", [False, True], ids=["named", "by a link"])
def test_each_is_refused_with_its_reason(machine, build, by_link, tmp_path):
    target, wanted = build(machine)
    if by_link:
        (tmp_path / "link").symlink_to(target)
        target = tmp_path / "link"
    assert set(machine.refusals(target)) == wanted
    candidate, report = find_stick(NoTools(), machine.devices)
    if build is not partition:
        assert candidate is None
        assert [f.rule for f in report] == [codes.NO_STICK]


def test_two_sticks_are_never_guessed_between_and_a_named_one_is_taken(machine):
    first, second = machine.plug("sdb", USB), machine.plug("sdc", USB)
    candidate, report = find_stick(NoTools(), machine.devices)
    (finding,) = report
    assert (candidate, finding.rule) == (None, codes.NO_STICK)
    assert str(first) in finding.message
    assert str(second) in finding.message
    candidate, _ = examine_target(NoTools(), machine.devices, str(second))
    assert candidate is not None
