"""Reads what the kernel (sysfs, procfs) and udev say of block devices. Opens devices for reading only.

Structure and numbers come from sysfs, the kernel's own word (Documentation/ABI/stable/sysfs-block). Names, serials
and file systems come from udev's database through pyudev; where no udev runs (containers), serials come from sysfs
and file systems from blkid.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.edge.probe import Probe, probe_filesystem, read_at, repetition, ventoy_version
from ventoy_kit.edge.proc_tables import MountRow, parse_mountinfo, parse_swaps
from ventoy_kit.errors import StorageError
from ventoy_kit.ports import Process
from ventoy_kit.stick.identify import DeviceKind, DiskFacts, Holder, Mount, PartitionFacts
from ventoy_kit.stick.layout import (
    BOOT_SECTORS,
    HEAD_BYTES,
    SECTOR,
    claimed_sectors,
    has_ventoy_mark,
    ventoy_id,
)

Properties = Mapping[str, str]

_USB = re.compile(r"usb\d+")
_SCSI_OPTICAL = "5"  # peripheral device type of CD and DVD drives


def udev_properties() -> Mapping[str, Properties]:
    """The udev properties of every block device by kernel name; empty without libudev or pyudev."""
    try:
        import pyudev

        context = pyudev.Context()
        return {
            device.sys_name: dict(device.properties) for device in context.list_devices(subsystem="block")
        }
    except ImportError:
        return {}


@dataclass(frozen=True, slots=True)
class Devices:
    """The block devices of this host, read anew at every call.

    Attributes:
        process: starts blkid.
        sys, proc, dev: where sysfs, procfs and the device nodes are.
        udev: gives udev's properties by kernel name.
    """

    process: Process
    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    udev: Callable[[], Mapping[str, Properties]] = udev_properties

    def snapshot(self) -> tuple[DiskFacts, ...]:
        """All whole devices, sorted by node; without RAM disks and loop devices that have no file.

        Raises:
            StorageError: sysfs or procfs cannot be read.
        """
        reader = self._reader()
        try:
            names = sorted(entry.name for entry in (self.sys / "block").iterdir())
        except OSError as error:
            raise StorageError(f"the block devices cannot be listed: {error.strerror}") from error
        disks = [reader.facts(name) for name in names]
        return tuple(
            d for d in disks if d is not None and d.kind != "memory" and (d.kind != "loop" or d.size_bytes)
        )

    def facts(self, node: Path) -> DiskFacts:
        """One block device, a whole one or a partition; symbolic links are followed.

        Raises:
            StorageError: there is no such block device (any more).
        """
        try:
            status = node.stat()
            if not stat.S_ISBLK(status.st_mode):
                raise StorageError(f"{node} is not a block device")
            number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
            name = (self.sys / "dev/block" / number).resolve(strict=True).name
        except OSError as error:
            raise StorageError(
                f"the device {node} cannot be examined: {error.strerror}", "Plug it in again."
            ) from error
        found = self._reader().facts(name)
        if found is None:
            raise StorageError(f"the device {node} has gone away", "Plug it in again.")
        return found

    def disk_mounted_at(self, directory: Path) -> tuple[DiskFacts, int] | None:
        """The disk and the partition number (0: the whole disk) whose file system has its root at this directory.

        None if the directory is no mount point, or of something that is no single block device.

        Raises:
            StorageError: the device went away.
        """
        if not self.sys.is_dir() or not directory.is_mount():
            return None
        number = directory.stat().st_dev
        folder = self.sys / "dev/block" / f"{os.major(number)}:{os.minor(number)}"
        if not folder.exists():
            return None
        folder = folder.resolve()
        partition = _number(folder / "partition")
        found = self._reader().facts(folder.parent.name if partition else folder.name)
        return None if found is None else (found, partition)

    def _reader(self) -> _Reader:
        try:
            mounts = (self.proc / "self/mountinfo").read_text(errors="surrogateescape")
            swaps = (
                (self.proc / "swaps").read_text(errors="surrogateescape")
                if (self.proc / "swaps").exists()
                else ""
            )
        except OSError as error:
            raise StorageError(f"the mounts of this host cannot be read: {error.strerror}") from error
        return _Reader(self, self.udev(), parse_mountinfo(mounts), parse_swaps(swaps))


@dataclass(frozen=True, slots=True)
class _Reader:
    """One look at the host: sysfs with the tables that were read at its start."""

    host: Devices
    udev: Mapping[str, Properties]
    mounts: tuple[MountRow, ...]
    swaps: tuple[str, ...]

    def facts(self, name: str) -> DiskFacts | None:
        """Facts of the device with this kernel name, or None if it vanished."""
        folder = self._folder(name)
        if folder is None:
            return None
        node = self._node(name)
        if (folder / "partition").exists():
            return DiskFacts(str(node), "partition", whole_disk=str(self._node(folder.parent.name)))
        kind = _kind(name, folder)
        size = _number(folder / "size") * SECTOR
        parts = tuple(sorted(entry.name for entry in folder.iterdir() if (entry / "partition").exists()))
        holders = tuple(self._holders([name, *parts]))
        rows = self._mounts_of([name, *parts, *(h.name for h in holders)])
        properties = self.udev.get(name, {})
        readable = kind in {"disk", "loop"} and size > 0
        head = read_at(node, 0, HEAD_BYTES) if readable else None
        sector = None if head is None or len(head) < SECTOR else head[:SECTOR]
        marked = None if sector is None else has_ventoy_mark(sector)
        partitions = tuple(sorted((self._partition(folder / p) for p in parts), key=lambda p: p.number))
        boot = next((p for p in partitions if p.number == 2 and p.sectors == BOOT_SECTORS), None)
        whole = self._filesystem(name) if readable and not parts else Probe("", "")
        usb = any(_USB.fullmatch(part) for part in folder.parts)
        return DiskFacts(
            path=str(node),
            kind=kind,
            model=_model(folder),
            serial=properties.get("ID_SERIAL_SHORT") or _serial(folder),
            wwn=properties.get("ID_WWN") or _text(folder / "device/wwid") or _text(folder / "wwid"),
            links=tuple(sorted(link for link in properties.get("DEVLINKS", "").split() if "/by-id/" in link)),
            size_bytes=size,
            sector_bytes=_number(folder / "queue/logical_block_size", SECTOR),
            partitions=partitions,
            fs_type=None if whole is None else whole.fs_type,
            bus="usb" if usb else _bus(folder) or properties.get("ID_BUS", ""),
            usb=usb,
            # An SD card in a built-in reader is not called removable by the kernel, unlike an eMMC chip it can go.
            removable=_text(folder / "removable") == "1" or _text(folder / "device/type") == "SD",
            read_only=_text(folder / "ro") == "1",
            holders=holders,
            mounts=tuple(Mount(self._source(row), row.point, row.fs_type, row.read_only) for row in rows),
            swaps=tuple(self._swaps_of([name, *parts, *(h.name for h in holders)], rows)),
            diskseq=_number(folder / "diskseq") or None,
            backing_file=_text(folder / "loop/backing_file"),
            ventoy_mark=marked,
            ventoy_id=None if sector is None else ventoy_id(sector),
            ventoy_version=ventoy_version(Path(boot.path)) if boot is not None else None,
            claimed_bytes=claimed_sectors(head or b"") * SECTOR,
            repeats_at=repetition(node, head, size) if head is not None and marked else None,
        )

    def _folder(self, name: str) -> Path | None:
        try:
            return (self.host.sys / "class/block" / name).resolve(strict=True)
        except OSError:
            return None

    def _node(self, name: str) -> Path:
        return self.host.dev / name.replace("!", "/")  # sysfs writes cciss/c0d0 as cciss!c0d0

    def _partition(self, folder: Path) -> PartitionFacts:
        found = self._filesystem(folder.name)
        return PartitionFacts(
            number=_number(folder / "partition"),
            path=str(self._node(folder.name)),
            start=_number(folder / "start"),
            sectors=_number(folder / "size"),
            fs_type=None if found is None else found.fs_type,
            label=None if found is None else found.label,
            read_only=_text(folder / "ro") == "1",
        )

    def _filesystem(self, name: str) -> Probe | None:
        properties = self.udev.get(name, {})
        if "USEC_INITIALIZED" in properties:  # udev has looked at this device
            return Probe(properties.get("ID_FS_TYPE", ""), properties.get("ID_FS_LABEL", ""))
        return probe_filesystem(self.host.process, self._node(name))

    def _holders(self, names: list[str]) -> Iterator[Holder]:
        """Devices built on these, and on those in turn; btrfs over several disks is no holder for the kernel."""
        for name in names:
            folder = self._folder(name)
            if folder is None:
                continue
            above = sorted(entry.name for entry in (folder / "holders").glob("*"))
            for holder in above:
                yield Holder(holder, _text(self.host.sys / "class/block" / holder / "dm/name"), name)
            yield from self._holders(above)
            for link in (self.host.sys / "fs/btrfs").glob(f"*/devices/{name}"):
                if len(list(link.parent.iterdir())) > 1:
                    yield Holder("btrfs", link.parent.parent.name, name)

    def _mounts_of(self, names: list[str]) -> tuple[MountRow, ...]:
        numbers = {_text(self.host.sys / "class/block" / name / "dev") for name in names}
        nodes = {str(self._node(name)) for name in names}
        return tuple(row for row in self.mounts if row.device in numbers or _resolved(row.source) in nodes)

    def _source(self, row: MountRow) -> str:
        folder = self.host.sys / "dev/block" / row.device
        return str(self._node(folder.resolve().name)) if folder.exists() else _resolved(row.source)

    def _swaps_of(self, names: list[str], rows: tuple[MountRow, ...]) -> Iterator[str]:
        nodes = {str(self._node(name)) for name in names}
        points = {row.point for row in rows}
        for swap in self.swaps:
            below = [row.point for row in self.mounts if Path(swap).is_relative_to(row.point)]
            if _resolved(swap) in nodes or (below and max(below, key=len) in points):
                yield swap


def _kind(name: str, folder: Path) -> DeviceKind:
    if (folder / "dm").exists():
        return "mapped"
    if (folder / "md").exists():
        return "array"
    if name.startswith("loop"):
        return "loop"
    if re.match(r"z?ram\d", name):
        return "memory"
    if name.startswith("sr") or _text(folder / "device/type") == _SCSI_OPTICAL:
        return "optical"
    return "disk"


def _bus(folder: Path) -> str:
    for part in reversed(folder.parts):
        found = re.match(r"(ata|nvme|mmc|virtio)\d", part)
        if found:
            return found[1]
    return ""


def _model(folder: Path) -> str:
    vendor = _text(folder / "device/vendor")
    # virtio shows a PCI number here, no name
    names = ("" if vendor.startswith("0x") else vendor, _text(folder / "device/model"))
    return " ".join(name for name in names if name)


def _serial(folder: Path) -> str:
    """The serial that the drive reports: its own, or that of the USB device it sits in."""
    own = _text(folder / "device/serial") or _text(folder / "serial")
    if own:
        return own
    usb = next((parent for parent in folder.parents if (parent / "idVendor").exists()), None)
    return _text(usb / "serial") if usb else ""


def _resolved(source: str) -> str:
    return str(Path(source).resolve()) if source.startswith("/") else source


def _text(path: Path) -> str:
    """The content of a sysfs attribute without blanks around it; empty if it does not exist."""
    try:
        return path.read_text(errors="replace").strip().strip("\0")
    except OSError:
        return ""


def _number(path: Path, default: int = 0) -> int:
    text = _text(path)
    return int(text) if text.isdecimal() else default
