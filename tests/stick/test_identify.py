"""The judgement of block devices: a table of disks, each with what must speak against it."""

from dataclasses import replace

import pytest

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.identify import (
    DiskFacts,
    Holder,
    Mount,
    PartitionFacts,
    changes_since,
    choose,
    is_system_mount,
    judge,
)

SECTORS = 31_260_672
BOOT_START = SECTORS - 65536
DATA = PartitionFacts(1, "/dev/sdb1", 2048, BOOT_START - 2048, "exfat", "Ventoy")
BOOT = PartitionFacts(2, "/dev/sdb2", BOOT_START, 65536, "vfat", "VTOYEFI")
STICK = DiskFacts(
    path="/dev/sdb",
    model="SanDisk Ultra",
    serial="4C530001",
    size_bytes=SECTORS * 512,
    partitions=(DATA, BOOT),
    bus="usb",
    usb=True,
    removable=True,
    diskseq=12,
    ventoy_mark=True,
    ventoy_id="00" * 20,
)
GPT_STICK = replace(
    STICK,
    partitions=(replace(DATA, sectors=DATA.sectors - 40), replace(BOOT, start=BOOT_START - 40)),
)
INTERNAL = replace(STICK, path="/dev/sda", bus="ata", usb=False, removable=False)


def with_data(**changes):
    return replace(STICK, partitions=(replace(DATA, **changes), BOOT))


def with_boot(**changes):
    return replace(STICK, partitions=(DATA, replace(BOOT, **changes)))


def mounted(point, *, source="/dev/sdb1", read_only=False):
    return replace(STICK, mounts=(Mount(source, point, "ext4", read_only),))


GOOD = {
    "a stick in MBR style": STICK,
    "a stick in GPT style": GPT_STICK,
    "another label": with_data(label="BACKUP"),
    "no label": with_data(label=""),
    "ext4 for the images": with_data(fs_type="ext4"),
    "mounted by the desktop": mounted("/media/luke/Ventoy"),
    "mounted in /mnt": mounted("/mnt"),
    "mounted in a home": mounted("/home/luke/stick"),
    "a third partition": replace(
        STICK, partitions=(DATA, BOOT, PartitionFacts(3, "/dev/sdb3", SECTORS - 8, 8, "ext4", "x"))
    ),
    "a closed LUKS volume beside it": replace(
        STICK, partitions=(DATA, BOOT, PartitionFacts(3, "/dev/sdb3", SECTORS - 8, 8, "crypto_LUKS", ""))
    ),
    "an SD card in a built-in reader": replace(STICK, usb=False, bus="mmc"),
    "a fixed USB disk": replace(STICK, removable=False),
    "no serial, no sequence number": replace(STICK, serial="", diskseq=None),
    "its first sector unreadable": replace(STICK, ventoy_mark=None, ventoy_id=None),
}


@pytest.mark.parametrize("facts", GOOD.values(), ids=GOOD.keys())
def test_a_ventoy_stick_is_accepted(facts):
    verdict = judge(facts, named=False)
    assert [f.message for f in verdict.reasons_against] == []
    assert verdict.ok
    assert "its partitions lie as Ventoy's do" in verdict.reasons_for
    assert "partition 2 is FAT with the label VTOYEFI" in verdict.reasons_for


BAD = {
    "partition 2 too large": (with_boot(sectors=65537), codes.NOT_VENTOY, "65537 sectors"),
    "partition 2 too small": (with_boot(sectors=65535), codes.NOT_VENTOY, "65535 sectors"),
    "a gap between them": (
        with_data(sectors=DATA.sectors - 8),
        codes.NOT_VENTOY,
        "not where partition 1 ends",
    ),
    "partition 1 elsewhere": (with_data(start=4096), codes.NOT_VENTOY, "starts at sector 4096"),
    "one partition": (replace(STICK, partitions=(DATA,)), codes.NOT_VENTOY, "no partition 2"),
    "a plain USB stick": (
        replace(STICK, partitions=(PartitionFacts(1, "/dev/sdb1", 2048, SECTORS - 2048, "vfat", "Ventoy"),)),
        codes.NOT_VENTOY,
        "no partition 2",
    ),
    "an ISO written with dd": (
        replace(STICK, partitions=(), fs_type="iso9660", ventoy_mark=False),
        codes.NOT_VENTOY,
        "iso9660",
    ),
    "the data label alone": (with_boot(label="EFI"), codes.WRONG_BOOT_LABEL, "'EFI'"),
    "partition 2 not FAT": (with_boot(fs_type="ntfs"), codes.WRONG_BOOT_LABEL, "ntfs"),
    "label unread": (with_boot(fs_type=None, label=None), codes.UNREAD_LABEL, "/dev/sdb2"),
    "an internal SATA disk": (INTERNAL, codes.NOT_REMOVABLE, "ata"),
    "root on it": (mounted("/"), codes.SYSTEM_DISK, "mounted as /"),
    "boot on it": (mounted("/boot/efi", source="/dev/sdb2"), codes.SYSTEM_DISK, "/boot/efi"),
    "a live system runs from it": (mounted("/run/live/medium"), codes.SYSTEM_DISK, "/run/live/medium"),
    "swap on it": (replace(STICK, swaps=("/dev/sdb3",)), codes.SYSTEM_DISK, "/dev/sdb3"),
    "LVM on it": (
        replace(STICK, holders=(Holder("dm-0", "vg-root", "sdb3"),)),
        codes.IN_USE,
        "dm-0 (vg-root)",
    ),
    "md on it": (replace(STICK, holders=(Holder("md0", "", "sdb3"),)), codes.IN_USE, "md0"),
    "a ZFS member": (
        replace(
            STICK, partitions=(DATA, BOOT, PartitionFacts(3, "/dev/sdb3", SECTORS - 8, 8, "zfs_member", ""))
        ),
        codes.IN_USE,
        "zfs_member",
    ),
    "Ventoy booted from it": (
        replace(STICK, holders=(Holder("dm-0", "ventoy", "sdb1"), Holder("dm-1", "sdb1", "sdb1"))),
        codes.BOOTED_FROM,
        "ventoy, sdb1",
    ),
    "Ventoy 1.1.18 booted from it": (
        replace(STICK, holders=(Holder("dm-1", "VentoyPart", "sdb1"),)),
        codes.BOOTED_FROM,
        "VentoyPart",
    ),
    "write-protected": (replace(STICK, read_only=True), codes.READ_ONLY, "/dev/sdb is read-only"),
    "data partition read-only": (with_data(read_only=True), codes.READ_ONLY, "/dev/sdb1 is read-only"),
    "mounted read-only": (mounted("/media/x", read_only=True), codes.READ_ONLY, "/media/x"),
    "4K sectors": (replace(STICK, sector_bytes=4096), codes.SECTOR_SIZE, "4096"),
    "no medium": (replace(STICK, size_bytes=0, partitions=()), codes.NO_MEDIUM, "/dev/sdb"),
    "a file system Ventoy cannot read": (with_data(fs_type="f2fs"), codes.NO_FILESYSTEM, "f2fs"),
    "no file system": (with_data(fs_type=""), codes.NO_FILESYSTEM, "no file system"),
    "no mark": (replace(STICK, ventoy_mark=False), codes.NO_MARK, "first sector"),
    "a partition": (
        DiskFacts("/dev/sdb1", "partition", whole_disk="/dev/sdb"),
        codes.PARTITION,
        "of /dev/sdb",
    ),
    "a CD drive": (replace(STICK, kind="optical"), codes.NOT_A_DISK, "optical"),
    "a mapped device": (replace(STICK, kind="mapped"), codes.NOT_A_DISK, "device mapper"),
    "an array": (replace(STICK, kind="array"), codes.NOT_A_DISK, "RAID"),
    "a RAM disk": (replace(STICK, kind="memory"), codes.NOT_A_DISK, "RAM"),
}


@pytest.mark.parametrize(("facts", "rule", "words"), BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("named", [False, True])
def test_anything_else_is_refused_with_its_reason(facts, rule, words, named):
    verdict = judge(facts, named=named)
    assert not verdict.ok
    assert [f.rule for f in verdict.reasons_against] == [rule]
    assert words in verdict.reasons_against[0].message
    assert verdict.reasons_against[0].remedy.endswith(".")


def test_everything_against_a_disk_is_said_at_once():
    facts = replace(INTERNAL, read_only=True, mounts=(Mount("/dev/sda1", "/", "ext4", read_only=False),))
    assert {f.rule for f in judge(facts, named=True).reasons_against} == {
        codes.NOT_REMOVABLE,
        codes.READ_ONLY,
        codes.SYSTEM_DISK,
    }


def test_a_partition_is_answered_with_its_disk():
    finding = judge(DiskFacts("/dev/sdb1", "partition", whole_disk="/dev/sdb"), named=True).reasons_against[0]
    assert finding.remedy == "Name the disk: /dev/sdb."


def test_a_loop_device_must_be_named():
    loop = replace(STICK, path="/dev/loop0", kind="loop", usb=False, removable=False)
    assert [f.rule for f in judge(loop, named=False).reasons_against] == [codes.LOOP_NOT_NAMED]
    assert judge(loop, named=True).ok
    assert not judge(replace(loop, read_only=True), named=True).ok


def test_one_stick_is_chosen_among_other_disks():
    assert choose([INTERNAL, STICK]) is STICK


def test_no_stick_is_a_refusal_that_lists_every_disk_and_why():
    finding = choose([INTERNAL, replace(STICK, path="/dev/sdc", read_only=True)])
    assert isinstance(finding, Finding)
    assert finding.rule is codes.NO_STICK
    assert "/dev/sda is neither on USB" in finding.message
    assert "/dev/sdc is read-only" in finding.message
    nothing = choose([])
    assert isinstance(nothing, Finding)
    assert "there are no disks" in nothing.message


def test_two_sticks_are_a_refusal_that_lists_both():
    finding = choose([STICK, replace(STICK, path="/dev/sdc", serial="OTHER")])
    assert isinstance(finding, Finding)
    assert "2 Ventoy sticks" in finding.message
    assert "4C530001" in finding.message
    assert "OTHER" in finding.message


def test_a_loop_device_is_never_chosen():
    assert isinstance(choose([replace(STICK, kind="loop")]), Finding)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"diskseq": 13}, "disk sequence number"),
        ({"serial": "X"}, "serial number"),
        ({"size_bytes": 1}, "size"),
        ({"ventoy_id": "11" * 20}, "Ventoy id"),
        ({"partitions": (DATA,)}, "partition table"),
        ({"backing_file": "/other"}, "backing file"),
    ],
)
def test_another_device_in_the_same_place_is_noticed(change, words):
    assert words in changes_since(STICK, replace(STICK, **change))[0]


def test_mounting_and_relabelling_do_not_make_it_another_device():
    later = replace(with_data(label="NEW"), mounts=(Mount("/dev/sdb1", "/mnt", "exfat", read_only=False),))
    assert changes_since(STICK, later) == ()


@pytest.mark.parametrize(
    "point", ["/", "/boot", "/boot/efi", "/home", "/var", "/var/lib/docker", "/usr", "/tmp"]
)
def test_system_mount_points(point):
    assert is_system_mount(point)


@pytest.mark.parametrize(
    "point", ["/media/x/Ventoy", "/run/media/x/Ventoy", "/mnt/stick", "/home/x/m", "/bootstick"]
)
def test_other_mount_points(point):
    assert not is_system_mount(point)
