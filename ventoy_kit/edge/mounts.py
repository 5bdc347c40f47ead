"""Mounts the data partition of a stick or a disk image, and always unmounts what it mounted.

A block device is never opened for writing here: the kernel's file system or the FUSE driver does that. Ctrl-C during
mounting and unmounting is held back until the step is complete; the programs run in sessions of their own.
"""

from __future__ import annotations

import os
import shlex
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ventoy_kit.edge.desktop_mount import desktop_mount, desktop_unmount_argv
from ventoy_kit.edge.health import insist_on_health
from ventoy_kit.edge.proc_tables import MountRow, parse_mountinfo
from ventoy_kit.errors import MachineError, MissingToolError, StorageError
from ventoy_kit.ports import Process
from ventoy_kit.stick.layout import Layout
from ventoy_kit.stick.unclean import REPAIRS

PACKAGES = {
    "mount": "mount",
    "umount": "mount",
    "losetup": "mount",
    "sync": "coreutils",
    "blkid": "util-linux",
    "mount.exfat-fuse": "exfat-fuse",
    "ntfs-3g": "ntfs-3g",
    "fsck.exfat": "exfatprogs",
    "fsck.fat": "dosfstools",
    "e2fsck": "e2fsprogs",
    "udisksctl": "udisks2",
}
"""The Debian packages of the programs that this module and its neighbours start."""

_STEP_TIMEOUT = 60.0
_SYNC_TIMEOUT = 3600.0  # a slow stick may have gigabytes to take from the page cache
_UNMOUNT_ATTEMPTS = 8
_DETACH_SECONDS = 10.0
_FUSE_NODE = Path("/dev/fuse")

_COMMON = "nosuid,nodev,noexec,noatime"
# File systems without owners show their files to this user alone while the kit has them mounted: they hold answers.
# No file is executable: exFAT through FUSE ignores noexec.
_OWNERLESS = f"{_COMMON},fmask=0177,dmask=0077"
_KERNEL_OPTIONS = {"exfat": _OWNERLESS, "vfat": _OWNERLESS, "ntfs": _OWNERLESS}
_KERNEL_DRIVERS = {"ntfs": "ntfs3"}
_FUSE_DRIVERS = {"exfat": "mount.exfat-fuse", "ntfs": "ntfs-3g"}


def runtime_directory() -> Path:
    """Where private mount points are made: the session's runtime directory, /run for root, else the temporary one."""
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    if session.is_dir() and os.access(session, os.W_OK):
        return session
    return Path("/run") if os.access("/run", os.W_OK) else Path(tempfile.gettempdir())


def mounted_at(device: Path) -> MountRow | None:
    """The mount that shows the whole file system of a block device, a writable one if there are several."""
    number = device.stat().st_rdev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    rows = [
        row
        for row in parse_mountinfo(table)
        # btrfs has a device number of its own and names the device as its source
        if row.root == "/" and (row.device == wanted or row.source == str(device)) and _is_visible(row)
    ]
    return min(rows, key=lambda row: row.read_only, default=None)


def _is_visible(row: MountRow) -> bool:
    """Whether the mount can be entered and no later mount hides it."""
    try:
        number = Path(row.point).stat().st_dev
    except OSError:
        return False
    return row.device == f"{os.major(number)}:{os.minor(number)}" or row.fs_type == "btrfs"


@contextmanager
def mounted_partition(
    process: Process, device: Path, fs_type: str, repair: str = "sudo {} {}"
) -> Iterator[Path]:
    """Give the directory where a partition is mounted.

    A mount that is there already is used and left alone. Otherwise the partition is checked if it was not unmounted
    properly, mounted in a private directory (by udisks where this user is not root), and on leaving flushed and
    unmounted, whatever happened in between.

    Args:
        process: starts mount, umount and sync.
        device: the partition's node.
        fs_type: its file system by blkid's name.
        repair: how a person repairs it, see `health.insist_on_health`.

    Raises:
        StorageError: it is mounted read-only or damaged, or cannot be mounted, flushed or unmounted.
        MissingToolError: the driver for its file system is missing.
    """
    try:
        present = mounted_at(device)
    except OSError as error:
        raise StorageError(
            f"{device} cannot be examined: {error.strerror}", "Plug the stick in again."
        ) from error
    if present is not None:
        if present.read_only:
            raise StorageError(
                f"{device} is mounted read-only at {present.point}", f"Run umount {present.point}."
            )
        yield Path(present.point)
        _flush(process, Path(present.point))
        return
    insist_on_health(process, device, fs_type, repair)
    if os.geteuid() != 0:
        with _mounted_by_desktop(process, device) as point:
            yield point
        return
    point = Path(tempfile.mkdtemp(prefix="ventoy-kit-", dir=runtime_directory()))  # mode 0700
    try:
        with _held(lambda: _mount(process, device, fs_type, point), lambda: _unmount(process, point)):
            yield point
    finally:
        # After a failed unmount it is not empty, or busy, and stays.
        with suppress(OSError):
            point.rmdir()


@contextmanager
def _mounted_by_desktop(process: Process, device: Path) -> Iterator[Path]:
    point, read_only = Path(), False

    def mount() -> None:
        nonlocal point, read_only
        desktop_mount(process, device)
        row = mounted_at(device)
        if row is None:
            raise StorageError(f"udisks says that it mounted {device}, but it is mounted nowhere")
        point, read_only = Path(row.point), row.read_only

    with _held(mount, lambda: _unmount(process, point, desktop_unmount_argv(device))):
        if read_only:
            raise StorageError(
                f"udisks mounted {device} read-only",
                "Check its file system, and the stick's write protection.",
            )
        yield point


@contextmanager
def mounted_image(process: Process, path: Path, layout: Layout, fs_type: str) -> Iterator[Path]:
    """Give the directory where partition 1 of a disk image is mounted; unmount and detach on leaving.

    The image is attached to a loop device that shows partition 1 alone.

    Raises:
        StorageError: it is no regular file, is attached already, or cannot be attached, mounted or released.
        MissingToolError: losetup or the driver for the file system is missing.
    """
    if os.geteuid() != 0:
        raise StorageError(f"mounting the disk image {path} needs the rights of root", "Run this with sudo.")
    if not stat.S_ISREG(path.stat().st_mode):
        raise StorageError(f"{path} is not a regular file")
    attached = attached_loops(process, path)
    if attached:
        raise StorageError(f"{path} is attached as {attached[0]} already", f"Run losetup -d {attached[0]}.")
    loop = ""

    def attach() -> None:
        nonlocal loop
        where = ("--offset", str(layout.data.offset), "--sizelimit", str(layout.data.size))
        out = _checked(process, "losetup", "--find", "--show", "--direct-io=off", *where, str(path.resolve()))
        loop = out.strip()

    def detach() -> None:
        _checked(process, "losetup", "--detach", loop)
        _wait_until_detached(Path(loop))

    repair = (
        f"d=$(sudo losetup -f --show -o {layout.data.offset} --sizelimit {layout.data.size} "
        f"{shlex.quote(str(path))}) && sudo {{0}} $d; sudo losetup -d $d"
    )
    with _held(attach, detach), mounted_partition(process, Path(loop), fs_type, repair) as point:
        yield point


def attached_loops(process: Process, path: Path) -> tuple[str, ...]:
    """The loop devices that a file is attached to.

    Raises:
        MissingToolError: losetup is missing.
        StorageError: the loop devices cannot be listed.
    """
    out = _checked(
        process, "losetup", "--noheadings", "--output", "NAME", "--associated", str(path.resolve())
    )
    return tuple(out.split())


@contextmanager
def _held(acquire: Callable[[], None], release: Callable[[], None]) -> Iterator[None]:
    """Acquire, hand over, and release after success, failure or Ctrl-C.

    A failure to release is raised after success, and noted on the failure that was there before.
    """
    acquired = False
    try:
        with _interrupts_later():
            acquire()
            acquired = True
        yield
    except BaseException as failure:
        if acquired:
            with _interrupts_later():
                try:
                    release()
                except (MachineError, OSError) as second:
                    failure.add_note(f"Besides, {second}")
        raise
    with _interrupts_later():
        release()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold back Ctrl-C inside the block and deliver it at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of handlers)
        pending.append(number)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pending:
            signal.raise_signal(signal.SIGINT)


def _mount(process: Process, device: Path, fs_type: str, point: Path) -> None:
    """Mount with the kernel's driver, or with the FUSE driver if the kernel does not know the file system."""
    options = _KERNEL_OPTIONS.get(fs_type, _COMMON)
    kernel = _KERNEL_DRIVERS.get(fs_type, fs_type)
    # -i: no helper, so that the FUSE driver is not started under the kernel driver's name
    argv = ["mount", "-i", "-t", kernel, "-o", options, str(device), str(point)]
    code, _, why = process.run(argv, timeout=_STEP_TIMEOUT)
    if code == 0:
        return
    fuse = _FUSE_DRIVERS.get(fs_type)
    if "unknown filesystem type" not in why:
        raise StorageError(
            f"{device} ({fs_type}) could not be mounted: {_last_line(why)}",
            f"Check the stick and its file system{_by(fs_type)}.",
        )
    if fuse is None:
        raise StorageError(
            f"the kernel has no driver for {fs_type}", "Install one, or format the stick as exFAT."
        )
    if not _FUSE_NODE.exists():
        raise StorageError(
            f"{device} holds {fs_type}; the kernel has no driver for it and there is no /dev/fuse",
            f"Load a driver: modprobe {kernel}, or modprobe fuse.",
        )
    try:
        code, out, why = process.run([fuse, "-o", options, str(device), str(point)], timeout=_STEP_TIMEOUT)
    except MissingToolError as missing:
        package = PACKAGES[fuse]
        raise MissingToolError(
            f"{device} holds {fs_type}; the kernel has no driver for it and {fuse} is not installed",
            f"Load a driver (modprobe {kernel}) or install the package {package}.",
        ) from missing
    if code != 0:
        raise StorageError(
            f"{device} ({fs_type}) could not be mounted: {_last_line(why or out)}",
            f"Check the stick and its file system{_by(fs_type)}.",
        )


def _by(fs_type: str) -> str:
    return f" ({REPAIRS[fs_type]})" if fs_type in REPAIRS else ""


def _unmount(process: Process, point: Path, argv: Sequence[str] = ()) -> None:
    """Flush and unmount. What could not be flushed is an error even when the unmount then works."""
    failure: MachineError | None = None
    try:
        _flush(process, point)
    except MachineError as error:
        failure = error
    for attempt in range(_UNMOUNT_ATTEMPTS):
        code, _, why = process.run([*argv] or ["umount", str(point)], timeout=_SYNC_TIMEOUT)
        if code == 0:
            break
        if "busy" not in why or attempt == _UNMOUNT_ATTEMPTS - 1:
            raise StorageError(
                f"{point} could not be unmounted: {_last_line(why)}",
                f"Close what uses it, then run umount {point}, before the stick is pulled out.",
            )
        time.sleep(0.1 * 2 ** min(attempt, 4))
    if failure is not None:
        raise failure


def _flush(process: Process, point: Path) -> None:
    code, _, why = process.run(["sync", "--file-system", str(point)], timeout=_SYNC_TIMEOUT)
    if code != 0:
        raise StorageError(
            f"not everything written to {point} reached the device: {_last_line(why)}",
            "Do not trust this stick; stage again onto another one.",
        )


def _wait_until_detached(loop: Path) -> None:
    """Wait for the last user: a FUSE driver may hold the loop device for a moment after the unmount."""
    backing = Path("/sys/block") / loop.name / "loop/backing_file"
    end = time.monotonic() + _DETACH_SECONDS
    while backing.exists():
        if time.monotonic() > end:
            raise StorageError(
                f"{loop} is still in use", f"Run losetup -d {loop} when nothing uses it any more."
            )
        time.sleep(0.02)


def _checked(process: Process, *argv: str) -> str:
    code, out, why = process.run(argv, timeout=_STEP_TIMEOUT)
    if code != 0:
        raise StorageError(
            f"{argv[0]} failed: {_last_line(why)}", f"Run it by hand to see why: {' '.join(argv)}"
        )
    return out


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and "dmesg(1)" not in line]
    return lines[-1] if lines else "no reason given"
