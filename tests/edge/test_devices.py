"""Reading sysfs: a made-up tree with the entries that the kernel has, judged with the real rules."""

from pathlib import Path

import pytest

from ventoy_kit.edge.devices import Devices, udev_properties
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.stick import codes
from ventoy_kit.stick.identify import Holder, choose, judge

SECTORS = 31_260_672
BOOT_START = SECTORS - 65536
USB = "devices/pci0000:00/0000:00:14.0/usb2/2-1"
SDB = f"{USB}/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb"
SDA = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda"
UDEV = {
    "sdb": {
        "USEC_INITIALIZED": "1",
        "ID_SERIAL_SHORT": "4C53",
        "DEVLINKS": "/dev/disk/by-id/usb-S /dev/disk/by-path/p",
    },
    "sdb1": {"USEC_INITIALIZED": "1", "ID_FS_TYPE": "exfat", "ID_FS_LABEL": "Ventoy"},
    "sdb2": {"USEC_INITIALIZED": "1", "ID_FS_TYPE": "vfat", "ID_FS_LABEL": "VTOYEFI"},
    "sda": {"USEC_INITIALIZED": "1", "ID_BUS": "ata", "ID_WWN": "0x5001"},
    "sda1": {"USEC_INITIALIZED": "1", "ID_FS_TYPE": "ext4"},
    "sda2": {"USEC_INITIALIZED": "1", "ID_FS_TYPE": "LVM2_member"},
}


class NoTools:
    """A host without any program."""

    def run(self, argv, *, timeout):
        raise MissingToolError(f"the program {argv[0]} is not installed")


class Host:
    """Writes a sysfs and procfs of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("sys/block", "sys/class/block", "sys/dev/block", "proc/self", "dev"):
            (root / folder).mkdir(parents=True)
        self.mounts("27 1 8:1 / / rw - ext4 {dev}/sda1 rw")
        (root / "proc/swaps").write_text("Filename\n")

    def mounts(self, *lines: str) -> None:
        text = "\n".join(line.replace("{dev}", str(self.root / "dev")) for line in lines)
        (self.root / "proc/self/mountinfo").write_text(text + "\n")

    def swaps(self, *paths: str) -> None:
        lines = [f"{path.replace('{dev}', str(self.root / 'dev'))} partition 1 0 -2\n" for path in paths]
        (self.root / "proc/swaps").write_text("Filename\n" + "".join(lines))

    def put(self, path: str, **attributes: object) -> Path:
        """A device folder; double underscores in attribute names stand for slashes."""
        folder = self.root / "sys" / path
        for name, value in attributes.items():
            file = folder / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
        for place in ("class/block", *(() if "partition" in attributes else ("block",))):
            (self.root / "sys" / place / folder.name).symlink_to(folder)
        (self.root / "sys/dev/block" / str(attributes["dev"])).symlink_to(folder)
        (self.root / "dev" / folder.name).touch()
        return folder

    def devices(self, udev=UDEV) -> Devices:
        root = self.root
        return Devices(NoTools(), sys=root / "sys", proc=root / "proc", dev=root / "dev", udev=lambda: udev)

    def disk(self, name: str, **options):
        found = [d for d in self.devices(**options).snapshot() if d.path.endswith(f"/{name}")]
        return found[0]


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    common = {"ro": 0, "queue__logical_block_size": 512}
    host.put(
        SDB,
        dev="8:16",
        size=SECTORS,
        removable=1,
        diskseq=14,
        device__vendor="SanDisk ",
        device__model="Ultra",
        device__type=0,
        **common,
    )
    host.put(f"{SDB}/sdb1", dev="8:17", partition=1, start=2048, size=BOOT_START - 2048, ro=0)
    host.put(f"{SDB}/sdb2", dev="8:18", partition=2, start=BOOT_START, size=65536, ro=0)
    (tmp_path / "sys" / USB / "idVendor").write_text("0781\n")
    (tmp_path / "sys" / USB / "serial").write_text("FROM-SYSFS\n")
    host.put(SDA, dev="8:0", size=1_000_000, removable=0, diskseq=1, device__type=0, **common)
    host.put(f"{SDA}/sda1", dev="8:1", partition=1, start=2048, size=500_000, ro=0)
    host.put(f"{SDA}/sda2", dev="8:2", partition=2, start=502_048, size=400_000, ro=0)
    return host


def test_a_stick_is_read_and_found(host):
    stick = host.disk("sdb")
    assert stick.model == "SanDisk Ultra"
    assert stick.serial == "4C53"
    assert stick.links == ("/dev/disk/by-id/usb-S",)
    assert stick.size_bytes == SECTORS * 512
    assert stick.usb
    assert stick.removable
    assert stick.bus == "usb"
    assert stick.diskseq == 14
    assert [p.number for p in stick.partitions] == [1, 2]
    assert stick.ventoy_mark is None  # the node here is an empty file
    assert choose(host.devices().snapshot()) == stick


def test_the_system_disk_is_refused_for_all_it_is(host):
    (host.root / "sys" / SDA / "sda2/holders/dm-0").mkdir(parents=True)
    host.put("devices/virtual/block/dm-0", dev="253:0", size=400_000, dm__name="vg-root")
    host.mounts("27 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw", "28 1 8:1 / /boot rw - ext4 {dev}/sda1 rw")
    disk = host.disk("sda")
    assert disk.holders == (Holder("dm-0", "vg-root", "sda2"),)
    assert [(Path(m.source).name, m.point) for m in disk.mounts] == [("dm-0", "/"), ("sda1", "/boot")]
    assert disk.wwn == "0x5001"
    rules = [f.rule for f in judge(disk, named=True).reasons_against]
    assert rules.count(codes.SYSTEM_DISK) == 2
    assert {codes.IN_USE, codes.NOT_REMOVABLE, codes.NOT_VENTOY} <= set(rules)


def test_what_stands_on_a_holder_counts_too(host):
    (host.root / "sys" / SDB / "sdb1/holders/dm-0").mkdir(parents=True)
    crypt = host.put("devices/virtual/block/dm-0", dev="253:0", size=9, dm__name="luks")
    (crypt / "holders/dm-1").mkdir(parents=True)
    host.put("devices/virtual/block/dm-1", dev="253:1", size=9, dm__name="vg-root")
    host.mounts("27 1 253:1 / / rw - ext4 /dev/mapper/vg-root rw")
    rules = [f.rule for f in judge(host.disk("sdb"), named=True).reasons_against]
    assert rules == [codes.SYSTEM_DISK, codes.IN_USE, codes.IN_USE]


def test_a_mapped_device_is_no_candidate_of_its_own(host):
    host.put("devices/virtual/block/dm-0", dev="253:0", size=400_000, dm__name="vg-root")
    assert [f.rule for f in judge(host.disk("dm-0"), named=True).reasons_against] == [codes.NOT_A_DISK]


def test_a_booted_ventoy_is_recognised(host):
    (host.root / "sys" / SDB / "sdb1/holders/dm-3").mkdir(parents=True)
    host.put("devices/virtual/block/dm-3", dev="253:3", size=9, dm__name="ventoy")
    assert [f.rule for f in judge(host.disk("sdb"), named=True).reasons_against] == [codes.BOOTED_FROM]


def test_btrfs_over_several_disks_holds_each_of_them(host):
    for name in ("sda1", "sdb1"):
        (host.root / "sys/fs/btrfs/1234/devices" / name).mkdir(parents=True)
    assert host.disk("sdb").holders == (Holder("btrfs", "1234", "sdb1"),)
    (host.root / "sys/fs/btrfs/1234/devices/sda1").rmdir()
    assert host.disk("sdb").holders == ()


def test_btrfs_mounts_are_found_by_their_source(host):
    host.mounts("27 1 0:44 /@ / rw - btrfs {dev}/sdb1 rw")
    assert [f.rule for f in judge(host.disk("sdb"), named=True).reasons_against] == [codes.SYSTEM_DISK]


def test_swap_partitions_and_swap_files_are_found(host):
    host.mounts("27 1 8:1 / / rw - ext4 {dev}/sda1 rw", "28 1 8:17 / /media/v rw - exfat {dev}/sdb1 rw")
    host.swaps("{dev}/sda2", "/media/v/swapfile")
    assert [Path(swap).name for swap in host.disk("sdb").swaps] == ["swapfile"]
    assert "sda2" in [Path(swap).name for swap in host.disk("sda").swaps]


def test_without_udev_serial_comes_from_sysfs_and_labels_are_unknown(host):
    stick = host.disk("sdb", udev={})
    assert stick.serial == "FROM-SYSFS"
    assert [(p.fs_type, p.label) for p in stick.partitions] == [(None, None)] * 2
    assert [f.rule for f in judge(stick, named=True).reasons_against] == [codes.UNREAD_LABEL]


def test_flags_of_the_kernel_are_read(host):
    base = host.root / "sys" / SDB
    (base / "ro").write_text("1\n")
    (base / "queue/logical_block_size").write_text("4096\n")
    rules = {f.rule for f in judge(host.disk("sdb"), named=True).reasons_against}
    assert rules == {codes.READ_ONLY, codes.SECTOR_SIZE}


def test_an_empty_card_reader_and_other_kinds(host):
    host.put(f"{USB}/2-1:1.0/x/block/sdc", dev="8:32", size=0, removable=1, device__type=0)
    host.put("devices/pci/ata2/x/block/sr0", dev="11:0", size=0, removable=1, device__type=5)
    host.put("devices/virtual/block/md0", dev="9:0", size=5, md__level="raid1")
    host.put("devices/virtual/block/zram0", dev="252:0", size=5)
    host.put("devices/virtual/block/loop0", dev="7:0", size=0)
    host.put("devices/virtual/block/loop1", dev="7:1", size=5, loop__backing_file="/x.img")
    host.put(
        "devices/platform/mmc_host/mmc0/mmc0:1/block/mmcblk0",
        dev="179:0",
        size=5,
        removable=0,
        device__type="SD",
    )
    kinds = {Path(d.path).name: d.kind for d in host.devices().snapshot()}
    assert kinds == {
        "loop1": "loop",
        "md0": "array",
        "mmcblk0": "disk",
        "sda": "disk",
        "sdb": "disk",
        "sdc": "disk",
        "sr0": "optical",
    }
    assert [f.rule for f in judge(host.disk("sdc"), named=True).reasons_against] == [codes.NO_MEDIUM]
    assert host.disk("mmcblk0").removable
    assert host.disk("mmcblk0").bus == "mmc"
    assert host.disk("loop1").backing_file == "/x.img"


def test_a_host_without_sysfs_is_a_machine_error(tmp_path):
    with pytest.raises(StorageError, match="cannot be"):
        Devices(NoTools(), sys=tmp_path, proc=tmp_path, dev=tmp_path, udev=dict).snapshot()


def test_a_regular_file_is_no_block_device(tmp_path):
    file = tmp_path / "f"
    file.touch()
    with pytest.raises(StorageError, match="is not a block device"):
        Devices(NoTools()).facts(file)
    with pytest.raises(StorageError, match="cannot be examined"):
        Devices(NoTools()).facts(tmp_path / "gone")


def test_this_host_can_be_read():
    devices = Devices(SystemProcess())
    disks = devices.snapshot()  # once: other tests plug loop devices in meanwhile
    assert len({disk.path for disk in disks}) == len(disks)
    assert all(isinstance(properties, dict) for properties in udev_properties().values())
    assert devices.disk_mounted_at(Path("/proc")) is None
