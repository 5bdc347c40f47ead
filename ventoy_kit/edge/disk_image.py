"""Makes and reads disk images with Ventoy's layout. Needs no root.

An image made here has Ventoy's partitions, marks and file systems, but none of Ventoy's boot files: it does not
boot. It stands for a stick when files are staged and read back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ventoy_kit.edge.files import storage_error, sync_folder
from ventoy_kit.edge.mounts import attached_loops
from ventoy_kit.edge.probe import Probe, probe_filesystem, ventoy_version
from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.ports import Process
from ventoy_kit.stick.image import ImageFacts
from ventoy_kit.stick.layout import (
    BOOT_LABEL,
    DATA_NAME,
    HEAD_BYTES,
    DiskIds,
    Extent,
    Layout,
    NoLayout,
    boot_records,
    has_ventoy_mark,
    read_layout,
)

DataFilesystem = Literal["exfat", "ext4"]
"""File systems that the data partition of a new image can get: Ventoy's default, and one that every kernel mounts."""

PACKAGES = {"mkfs.exfat": "exfatprogs", "mkfs.ext4": "e2fsprogs", "mkfs.fat": "dosfstools"}
"""The Debian packages of the programs that make file systems."""

_TIMEOUT = 600.0
_BLOCK = 1 << 20
# Ventoy's installer takes larger clusters above 32 GiB (VentoyWorker.sh).
_LARGE = 32 << 30


def new_ids() -> DiskIds:
    """Fresh random identifiers for one disk."""
    ventoy = uuid.uuid4().bytes
    return DiskIds(ventoy, ventoy[12:], uuid.uuid4(), uuid.uuid4(), uuid.uuid4())


def create_image(
    process: Process, path: Path, layout: Layout, ids: DiskIds, *, filesystem: DataFilesystem = "exfat"
) -> None:
    """Make a sparse disk image with Ventoy's layout and empty file systems. It holds no boot files: it does not boot.

    The file appears under its name only when it is complete; only its owner can read it, since answers hold secrets.

    Args:
        process: starts the programs that make file systems.
        path: the new file; nothing may be there.
        layout: from `plan_layout`.
        ids: identifiers of the new disk.
        filesystem: what the data partition gets.

    Raises:
        FileExistsError: there is something at `path` already; it is left as it is.
        MissingToolError: a program is missing.
        StorageError: the file or a file system could not be made; nothing is left behind.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "there is a file already", str(path))
    try:
        with _scratch_file(path) as (image, descriptor):
            os.ftruncate(descriptor, layout.size_bytes)
            for offset, data in boot_records(layout, ids):
                _write_all(descriptor, data, offset)
            for extent, argv in _filesystems(layout, ids, filesystem):
                with _scratch_file(path) as (part, source):
                    os.ftruncate(source, extent.size)
                    _make(process, [*argv, str(part)])
                    _splice(source, descriptor, extent)
            os.fsync(descriptor)
            _publish(image, path)
    except FileExistsError:
        raise
    except OSError as error:
        raise storage_error("make", path, error) from error
    sync_folder(path.parent)


def read_image_layout(path: Path) -> Layout | NoLayout:
    """Ventoy's layout in a regular file, or why it does not have it.

    Raises:
        StorageError: it is no regular file or cannot be read.
    """
    size, head = _head(path)
    return read_layout(head, size)


def examine_image(process: Process, path: Path) -> ImageFacts:
    """All facts of a disk image that decide whether it may be used.

    Raises:
        StorageError: it is no regular file or cannot be read.
        MachineError: a program did not end in time.
    """
    size, head = _head(path)
    layout = read_layout(head, size)
    data = boot = None
    attached: tuple[str, ...] = ()
    if isinstance(layout, Layout):
        data = probe_filesystem(process, path, layout.data)
        boot = probe_filesystem(process, path, layout.boot)
        with contextlib.suppress(
            MissingToolError
        ):  # without losetup nothing is attached, and mounting will say so
            attached = attached_loops(process, path)
    return ImageFacts(
        path=str(path),
        size_bytes=size,
        layout=layout,
        writable=os.access(path, os.W_OK),
        attached=attached,
        ventoy_mark=has_ventoy_mark(head),
        data_fs_type=_fs_type(data),
        boot_fs_type=_fs_type(boot),
        boot_label=None if boot is None else boot.label,
        ventoy_version=ventoy_version(path, layout.boot.offset) if isinstance(layout, Layout) else None,
    )


def _fs_type(probe: Probe | None) -> str | None:
    return None if probe is None else probe.fs_type


def _head(path: Path) -> tuple[int, bytes]:
    try:
        # Not blocking, so that opening a pipe cannot hang; its kind is looked at before it is read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StorageError(f"{path} is not a regular file", "Name a disk image.")
            return status.st_size, file.read(HEAD_BYTES)
    except OSError as error:
        raise storage_error("read", path, error) from error


@contextlib.contextmanager
def _scratch_file(path: Path) -> Iterator[tuple[Path, int]]:
    """A private temporary file next to `path`, open for writing; it is removed unless it was renamed."""
    descriptor, name = tempfile.mkstemp(prefix=".vk-", suffix=".tmp", dir=path.parent)
    try:
        yield Path(name), descriptor
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _filesystems(layout: Layout, ids: DiskIds, filesystem: str) -> Iterator[tuple[Extent, list[str]]]:
    if filesystem == "exfat":
        cluster = "128K" if layout.size_bytes > _LARGE else "32K"
        yield layout.data, ["mkfs.exfat", "-L", DATA_NAME, "-c", cluster]
    else:
        yield layout.data, ["mkfs.ext4", "-q", "-F", "-L", DATA_NAME]
    volume_id = ids.signature.hex()
    hidden = str(layout.boot.start)
    yield layout.boot, ["mkfs.fat", "-F", "16", "-s", "1", "-n", BOOT_LABEL, "-i", volume_id, "-h", hidden]


def _make(process: Process, argv: list[str]) -> None:
    code, out, why = process.run(argv, timeout=_TIMEOUT)
    if code != 0:
        reason = (why or out).strip().splitlines() or ["no reason given"]
        raise StorageError(
            f"{argv[0]} could not make a file system: {reason[-1]}", f"Check {argv[0]} --help."
        )


def _splice(source: int, target: int, extent: Extent) -> None:
    """Copy a file system to its place in the image; what is a hole or zero stays a hole."""
    position = 0
    while position < extent.size:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = os.lseek(source, position, os.SEEK_HOLE)
        while position < end:
            block = os.pread(source, min(_BLOCK, end - position), position)
            if any(block):
                _write_all(target, block, extent.offset + position)
            position += len(block)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _publish(image: Path, path: Path) -> None:
    """Give the finished file its name, without replacing anything that appeared there meanwhile."""
    try:
        path.hardlink_to(image)
    except FileExistsError:
        raise
    except OSError:
        # exFAT and FAT have no hard links: look, then rename
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "there is a file already", str(path)) from None
        image.rename(path)
