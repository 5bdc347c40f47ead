"""Whether a block device is a Ventoy stick that may be used, decided on facts alone. Pure.

Ventoy is recognised by its geometry and by partition 2 (size, place, FAT label), as Ventoy itself does, never by
the label of partition 1, which users change. Everything that speaks against a device is a finding; one is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.layout import BOOT_LABEL, SECTOR, Extent, geometry_faults

DeviceKind = Literal["disk", "loop", "partition", "optical", "mapped", "array", "memory"]
"""`mapped` is the device mapper (LVM, dm-crypt, multipath), `array` is md, `memory` is ram and zram."""

FILESYSTEMS = frozenset({"exfat", "ntfs", "ext2", "ext3", "ext4", "xfs", "udf", "vfat", "btrfs"})
"""File systems of partition 1 that Ventoy's boot loader reads, by blkid's names (ventoy_cmd.c, version 1.1.17)."""

# Mount points of the running system, live systems included; trees first, then single points.
_SYSTEM_TREES = (
    *("/boot", "/efi", "/usr", "/etc", "/nix", "/gnu", "/run/live", "/run/initramfs", "/run/archiso"),
    *("/var/lib", "/var/log", "/var/tmp", "/var/cache", "/var/spool"),  # noqa: S108 (names to compare with)
)
_SYSTEM_POINTS = frozenset(
    ["/", "/bin", "/home", "/lib", "/opt", "/root", "/sbin", "/snap", "/srv", "/var", "/cdrom", "/isodevice"]
) | {"/tmp"}  # noqa: S108 (a name to compare with)
_POOLS = frozenset({"bcache", "ceph_bluestore", "drbd"})


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system. `source` is the device node, `point` where it is mounted."""

    source: str
    point: str
    fs_type: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A device that the kernel built on top of a disk or partition.

    `name` is the kernel's name (`dm-0`), `title` the device mapper's (`vg-root`) or empty, `on` the kernel's name
    of the device it stands on (`sdb1`).
    """

    name: str
    title: str
    on: str


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """One partition. Start and size are in sectors of 512 bytes, as sysfs counts whatever the disk's sectors are.

    `fs_type` and `label` are None if they could not be read, and empty if there is none.
    """

    number: int
    path: str
    start: int
    sectors: int
    fs_type: str | None
    label: str | None
    read_only: bool = False

    @property
    def extent(self) -> Extent:
        """Where the partition lies."""
        return Extent(self.start, self.sectors)


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """What the kernel and udev say of one block device at one moment.

    Attributes:
        path: device node, symbolic links resolved.
        kind: what kind of block device it is.
        whole_disk: for a partition, the node of its disk; else empty.
        model: vendor and model, for people.
        serial, wwn: identity as the device reports it; empty if it reports none.
        links: names under /dev/disk/by-id.
        size_bytes: size; zero without a medium.
        sector_bytes: logical sector size.
        fs_type: type of a file system on the whole device (an ISO written with dd), empty if none, None if unread.
        bus: `usb`, `ata`, `nvme`, `mmc`, ...; empty if unknown.
        usb: whether a USB device is among the ancestors.
        removable: whether the kernel calls the medium removable; SD cards count as removable.
        read_only: the whole device is read-only.
        holders: devices built on the disk or its partitions.
        mounts: mounts of the disk, its partitions and holders.
        swaps: swap devices and files on it that are in use.
        diskseq: the kernel's number of this medium in this drive, new with every change (Linux 5.15); None before.
        backing_file: for a loop device, its file.
        ventoy_mark: whether the first sector has Ventoy's bytes; None if it could not be read.
        ventoy_id: Ventoy's UUID and disk signature as hex; None if not read.
        ventoy_version: what partition 2 names; empty if it was read and names none, None if it was not read.
        claimed_bytes: size that the partition table was written for; 0 if unknown.
        repeats_at: byte offset at which the first sectors appear a second time; None if that was not seen.
    """

    path: str
    kind: DeviceKind = "disk"
    whole_disk: str = ""
    model: str = ""
    serial: str = ""
    wwn: str = ""
    links: tuple[str, ...] = ()
    size_bytes: int = 0
    sector_bytes: int = SECTOR
    partitions: tuple[PartitionFacts, ...] = ()
    fs_type: str | None = ""
    bus: str = ""
    usb: bool = False
    removable: bool = False
    read_only: bool = False
    holders: tuple[Holder, ...] = ()
    mounts: tuple[Mount, ...] = ()
    swaps: tuple[str, ...] = ()
    diskseq: int | None = None
    backing_file: str = ""
    ventoy_mark: bool | None = None
    ventoy_id: str | None = None
    ventoy_version: str | None = None
    claimed_bytes: int = 0
    repeats_at: int | None = None

    def partition(self, number: int) -> PartitionFacts | None:
        """The partition of that number, if there is one."""
        return next((p for p in self.partitions if p.number == number), None)

    @property
    def title(self) -> str:
        """The device for people: node, model, serial, size."""
        size = f"{self.size_bytes / 1e9:.1f} GB"
        parts = (self.model, f"serial {self.serial}" if self.serial else "", self.backing_file, size)
        return f"{self.path} ({', '.join(part for part in parts if part)})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What speaks for a device (sentences without full stop) and what against it (findings, all of them errors)."""

    reasons_for: tuple[str, ...]
    reasons_against: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the device may be used: nothing speaks against it."""
        return not self.reasons_against


def judge(facts: DiskFacts, *, named: bool) -> Verdict:
    """Whether a device is a Ventoy stick that may be written through its mounted data partition.

    Args:
        facts: the device.
        named: the user named this very device. A loop device is neither on USB nor removable, so it is accepted
            only then (people who work with images attach them that way, and so do the tests).
    """
    wrong_kind = _kind_objection(facts)
    if wrong_kind is not None:
        return Verdict((), (wrong_kind,))
    if facts.size_bytes == 0:
        remedy = "Insert a medium, or name another target."
        return Verdict((), (codes.NO_MEDIUM.finding(f"{facts.path} holds no medium", remedy),))
    against = (
        *_use_objections(facts),
        *_device_objections(facts, named=named),
        *_capacity_objections(facts),
        *_ventoy_objections(facts),
    )
    return Verdict(_supports(facts, named=named), against)


def changes_since(before: DiskFacts, after: DiskFacts) -> tuple[str, ...]:
    """How a device differs from what was judged: empty if it is still the same medium in the same drive.

    Mounts, holders and labels may change in between; identity, size and partitions may not.
    """
    pairs = (
        ("disk sequence number", before.diskseq, after.diskseq),
        ("serial number", before.serial, after.serial),
        ("WWN", before.wwn, after.wwn),
        ("size", before.size_bytes, after.size_bytes),
        ("Ventoy id", before.ventoy_id, after.ventoy_id),
        ("backing file", before.backing_file, after.backing_file),
        ("partition table", _table(before), _table(after)),
    )
    return tuple(f"the {what} was {old} and is {new}" for what, old, new in pairs if old != new)


def choose(disks: Sequence[DiskFacts]) -> DiskFacts | Finding:
    """The one Ventoy stick among all disks, or a finding that lists each disk and what speaks against it."""
    judged = [(disk, judge(disk, named=False)) for disk in disks if disk.kind == "disk"]
    good = [disk for disk, verdict in judged if verdict.ok]
    if len(good) == 1:
        return good[0]
    if good:
        names = ", ".join(disk.title for disk in good)
        return codes.NO_STICK.finding(
            f"{len(good)} Ventoy sticks are plugged in: {names}", "Name the one to use."
        )
    seen = "; ".join(f"{disk.title}: {verdict.reasons_against[0].message}" for disk, verdict in judged)
    remedy = "Plug in a stick with Ventoy on it, or name a directory or a disk image."
    return codes.NO_STICK.finding(f"no Ventoy stick was found ({seen or 'there are no disks'})", remedy)


def is_system_mount(point: str) -> bool:
    """Whether a mount point belongs to the running system, as opposed to /media, /mnt, or a place in a home."""
    return point in _SYSTEM_POINTS or any(
        point == tree or point.startswith(f"{tree}/") for tree in _SYSTEM_TREES
    )


def _table(facts: DiskFacts) -> tuple[tuple[int, int, int], ...]:
    return tuple((p.number, p.start, p.sectors) for p in facts.partitions)


def _kind_objection(facts: DiskFacts) -> Finding | None:
    if facts.kind == "partition":
        return codes.PARTITION.finding(
            f"{facts.path} is a partition of {facts.whole_disk}", f"Name the disk: {facts.whole_disk}."
        )
    what = {
        "optical": "an optical drive",
        "mapped": "a device of the device mapper",
        "array": "a RAID array",
        "memory": "a RAM disk",
    }.get(facts.kind)
    if what is None:
        return None
    return codes.NOT_A_DISK.finding(f"{facts.path} is {what}", "Name the disk of a Ventoy stick.")


def _use_objections(facts: DiskFacts) -> Iterator[Finding]:
    """What the running system does with the device."""
    other = "Name another target; this disk must not be written."
    for mount in facts.mounts:
        if is_system_mount(mount.point):
            yield codes.SYSTEM_DISK.finding(
                f"{facts.path} is part of the running system: {mount.source} is mounted as {mount.point}",
                other,
            )
    for swap in facts.swaps:
        yield codes.SYSTEM_DISK.finding(
            f"{facts.path} is part of the running system: it swaps to {swap}", other
        )
    booted = [h for h in facts.holders if _is_ventoy_mapping(h)]
    if booted:
        names = ", ".join(h.title for h in booted)
        yield codes.BOOTED_FROM.finding(
            f"the running system was started from {facts.path} by Ventoy (mapped devices: {names})",
            "Start this machine from its own disk, or stage on another machine.",
        )
    for holder in facts.holders:
        if holder not in booted:
            name = f"{holder.name} ({holder.title})" if holder.title else holder.name
            yield codes.IN_USE.finding(f"{facts.path} is in use: {holder.on} is held by {name}", other)
    members = [(facts.path, facts.fs_type), *((p.path, p.fs_type) for p in facts.partitions)]
    for path, fs_type in members:
        if fs_type and (fs_type.endswith("_member") or fs_type in _POOLS):
            yield codes.IN_USE.finding(
                f"{path} is a member of an array, a pool or a volume group ({fs_type})", other
            )


def _is_ventoy_mapping(holder: Holder) -> bool:
    # Ventoy calls the booted image "ventoy" and the data partition like its node; from 1.1.18 on "VentoyPart".
    return holder.title in {"ventoy", "VentoyPart", holder.on}


def _device_objections(facts: DiskFacts, *, named: bool) -> Iterator[Finding]:
    if facts.kind == "loop":
        if not named:
            yield codes.LOOP_NOT_NAMED.finding(f"{facts.path} is a loop device", "Name it as the target.")
    elif not (facts.usb or facts.removable):
        bus = f" (bus: {facts.bus})" if facts.bus else ""
        yield codes.NOT_REMOVABLE.finding(
            f"{facts.path} is neither on USB nor removable{bus}", "Name a stick, a directory or a disk image."
        )
    if facts.read_only:
        yield codes.READ_ONLY.finding(
            f"{facts.path} is read-only", "Move the write-protect switch, or use another stick."
        )
    if facts.sector_bytes != SECTOR:
        yield codes.SECTOR_SIZE.finding(
            f"{facts.path} has logical sectors of {facts.sector_bytes} bytes",
            "Use a disk with sectors of 512 bytes.",
        )


def _capacity_objections(facts: DiskFacts) -> Iterator[Finding]:
    if facts.claimed_bytes > facts.size_bytes:
        yield codes.CUT_OFF.finding(
            f"the partition table of {facts.path} is for {facts.claimed_bytes} bytes, "
            f"but the drive reports {facts.size_bytes}",
            "Use another stick; if this one is meant, install Ventoy on it anew.",
        )
    if facts.repeats_at is not None:
        yield codes.FALSE_CAPACITY.finding(
            f"{facts.path} reports {facts.size_bytes} bytes, but repeats itself after {facts.repeats_at}",
            "Throw it away: it loses what is written behind that.",
        )


def _ventoy_objections(facts: DiskFacts) -> Iterator[Finding]:
    data, boot = facts.partition(1), facts.partition(2)
    faults = geometry_faults(data.extent if data else None, boot.extent if boot else None)
    if faults or data is None or boot is None:
        written = (
            f"; it holds a file system of type {facts.fs_type} without partitions" if facts.fs_type else ""
        )
        yield codes.NOT_VENTOY.finding(
            f"{facts.path} is no Ventoy disk: {', '.join(faults)}{written}",
            "Name a stick that Ventoy is installed on.",
        )
        return
    yield from boot_label_objections(boot.path, boot.fs_type, boot.label)
    yield from filesystem_objections(data.path, data.fs_type)
    yield from mark_objections(facts.path, found=facts.ventoy_mark)
    blocked = [m.point for m in facts.mounts if m.source == data.path and m.read_only]
    if blocked:
        yield codes.READ_ONLY.finding(
            f"{data.path} is mounted read-only at {blocked[0]}",
            f"Unmount it (umount {blocked[0]}) and check its file system.",
        )
    elif data.read_only and not facts.read_only:
        yield codes.READ_ONLY.finding(f"{data.path} is read-only", "Use another stick.")


def boot_label_objections(path: str, fs_type: str | None, label: str | None) -> Iterator[Finding]:
    """What speaks against partition 2, given what blkid found in it; `path` names it to the user."""
    if fs_type is None or label is None:
        yield codes.UNREAD_LABEL.finding(
            f"the label of {path} could not be read, so nothing proves that this is a Ventoy disk",
            "Run this with the right to read the device (sudo), with blkid (package util-linux) installed, or name the "
            "folder where it is mounted.",
        )
    elif fs_type != "vfat" or label != BOOT_LABEL:
        found = f"type {fs_type or 'unknown'}, label {label!r}"
        yield codes.WRONG_BOOT_LABEL.finding(
            f"{path} should be FAT with the label {BOOT_LABEL}, but it is: {found}",
            "Name a Ventoy stick; if this is one, repair it with Ventoy's own installer (update).",
        )


def filesystem_objections(path: str, fs_type: str | None) -> Iterator[Finding]:
    """What speaks against the file system of partition 1; one that was not read is reported with the label."""
    if fs_type is not None and fs_type not in FILESYSTEMS:
        yield codes.NO_FILESYSTEM.finding(
            f"the data partition {path} holds {fs_type or 'no file system'}",
            "Format the data partition as exFAT.",
        )


def mark_objections(path: str, *, found: bool | None) -> Iterator[Finding]:
    """What speaks against the first sector; None means that it could not be read, which is no objection."""
    if found is False:
        yield codes.NO_MARK.finding(
            f"the first sector of {path} lacks Ventoy's mark: it has the layout, but Ventoy would refuse to start",
            "Repair the stick with Ventoy's own installer (update).",
        )


def _supports(facts: DiskFacts, *, named: bool) -> tuple[str, ...]:
    data, boot = facts.partition(1), facts.partition(2)
    reasons = []
    if data and boot and not geometry_faults(data.extent, boot.extent):
        reasons.append("its partitions lie as Ventoy's do")
    if boot and boot.fs_type == "vfat" and boot.label == BOOT_LABEL:
        reasons.append(f"partition 2 is FAT with the label {BOOT_LABEL}")
    if facts.ventoy_mark:
        reasons.append("its first sector carries Ventoy's mark")
    if facts.ventoy_version:
        reasons.append(f"it holds Ventoy {facts.ventoy_version}")
    if facts.usb:
        reasons.append("it is on USB")
    elif facts.removable:
        reasons.append("it is removable")
    if facts.kind == "loop" and named:
        reasons.append("it is a loop device that was named")
    return tuple(reasons)
