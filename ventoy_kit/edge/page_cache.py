"""Keeps the page cache out of the way: bounded while large files are written, empty before they are read back.

A file system in the kernel keeps a file's pages with the file. One through FUSE keeps them twice: with the file, and
with the block device that its driver reads; a loop device adds those of the file behind it. Bytes come from the device
only if all of them are dropped, which asks for nothing but the right to read (posix_fadvise(2), POSIX_FADV_DONTNEED).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from ventoy_kit.edge.proc_tables import parse_mountinfo

WINDOW = 32 * 1024 * 1024
"""Bytes between flushes of a large file: at most twice as many wait in memory for a slow stick."""


def drop_pages(descriptor: int) -> None:
    """Ask the kernel to forget the clean pages of an open file, where a system has such a call."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def drop_pages_below(descriptor: int, devices: Sequence[Path]) -> None:
    """Forget the pages of an open file, and of the devices and files that it lies on.

    What this user may not read is passed over: of a file system in the kernel the file's own pages are all there are.
    """
    drop_pages(descriptor)
    forget(devices)


def forget(devices: Sequence[Path]) -> None:
    """Forget the pages of devices and files; those that this user may not read are passed over."""
    for path in devices:
        with contextlib.suppress(OSError):
            below = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                drop_pages(below)
            finally:
                os.close(below)


def devices_below(folder: Path) -> tuple[Path, ...]:
    """Where bytes of a mounted folder are cached besides with its files: see the top of this module.

    The device node under a driver in user space, and the file behind a loop device; empty elsewhere.
    """
    try:
        number = folder.stat().st_dev
        device = f"{os.major(number)}:{os.minor(number)}"
        block = Path("/sys/dev/block", device).resolve(strict=True)
        table = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except (OSError, AttributeError):  # no such folder yet, no block device, or not Linux
        return ()
    in_user_space = any(row.device == device and row.fs_type == "fuseblk" for row in parse_mountinfo(table))
    found = [Path("/dev") / block.name.replace("!", "/")] if in_user_space else []
    for holder in (block, block.parent):
        with contextlib.suppress(OSError):
            found.append(Path((holder / "loop/backing_file").read_text().rstrip("\n")))
    return tuple(found)


def flush_filesystem(folder: Path) -> None:
    """Bring everything that was written to the file system of a folder to its device, and no other file system's.

    A driver in user space is not told of syncfs(2) (fs/fuse/inode.c sends it to virtiofs alone) and keeps what it knows
    of folders and free space to itself; it hears of an fsync of a folder.

    Raises:
        OSError: not everything reached the device.
    """
    if not sys.platform.startswith("linux"):
        if hasattr(os, "sync"):
            os.sync()
        return
    import ctypes  # only Linux has syncfs(2), and Python no name for it

    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file system without such a call
                raise
    finally:
        os.close(descriptor)


class Flusher:
    """Flushes an open file beside the writing of more of it, one window at a time, and drops what is flushed.

    A context manager. A failure to flush is raised by the next `wrote` or by `finish`, as OSError.

    Args:
        descriptor: the file, open for writing.
        devices: what it lies on, see `drop_pages_below`.
    """

    def __init__(self, descriptor: int, devices: Sequence[Path]) -> None:
        self._descriptor, self._devices = descriptor, devices
        self._pool = ThreadPoolExecutor(1)
        self._pending = 0
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def wrote(self, count: int) -> None:
        """`count` more bytes were written."""
        self._pending += count
        if self._pending >= WINDOW:
            self._wait()
            self._last = self._pool.submit(self._flush)
            self._pending = 0

    def finish(self) -> None:
        """Flush the rest, and the file's size."""
        self._wait()
        os.fsync(self._descriptor)

    def _wait(self) -> None:
        # A failed fsync is reported once, so what the thread was told must not be lost.
        if self._last is not None:
            self._last.result()

    def _flush(self) -> None:
        getattr(os, "fdatasync", os.fsync)(self._descriptor)
        drop_pages_below(self._descriptor, self._devices)
