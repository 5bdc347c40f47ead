"""The folder of one run: owned by it, locked by it, and taken away by the next run if it died."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ventoy_kit.edge.files import storage_error
from ventoy_kit.errors import MachineError

_BLOCK = 1 << 20


def runs_folder() -> Path:
    """Where the folders of this user's runs lie: the folder for temporary files that TMPDIR names."""
    return Path(tempfile.gettempdir()) / f"ventoy-kit-rehearsals-{os.getuid()}"


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder for one run; at its end it is removed, and so is what runs left that were killed.

    Raises:
        MachineError: the folder above is not ours alone.
        StorageError: it cannot be made.
    """
    import fcntl

    parent = runs_folder()
    try:
        parent.mkdir(mode=0o700, exist_ok=True)
        known = parent.lstat()
    except OSError as error:
        raise storage_error("make", parent, error) from error
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.getuid() or known.st_mode & 0o077:
        raise MachineError(
            f"{parent} is not this user's own folder", "Remove it, or name another folder in TMPDIR."
        )
    # Held while a folder is made and locked, so that no other run takes it for a dead one's.
    gate = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        _remove_dead(parent)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise storage_error("make a folder in", parent, error) from error
    finally:
        os.close(gate)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        with contextlib.suppress(OSError):  # other runs are there
            parent.rmdir()


def _remove_dead(parent: Path) -> None:
    import fcntl

    for folder in parent.glob("run-*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # it lives
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def make_sparse(path: Path, size: int, head: bytes = b"") -> None:
    """A file of so many bytes that takes no room but for its beginning. Raises StorageError."""
    try:
        with path.open("xb") as file:
            file.write(head)
            file.truncate(size)
    except OSError as error:
        raise storage_error("make", path, error) from error


def sparse_digest(path: Path, besides: int = -1) -> str:
    """SHA-256 over where a file's data is and what it is; holes, and blocks of zeros, cost nothing and do not count.

    Args:
        path: the file.
        besides: offset of one byte that does not count either; none if it is negative.

    Raises:
        StorageError: it cannot be read.
    """
    whole = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            at = 0
            while at < size:
                try:
                    at = os.lseek(file.fileno(), at, os.SEEK_DATA)
                except OSError:  # no data any more (ENXIO)
                    break
                at -= at % _BLOCK
                block = os.pread(file.fileno(), _BLOCK, at)
                if at <= besides < at + len(block):
                    block = block[: besides - at] + b"\0" + block[besides - at + 1 :]
                if block.strip(b"\0"):
                    whole.update(at.to_bytes(8, "big") + block)
                at += _BLOCK
    except OSError as error:
        raise storage_error("read", path, error) from error
    return whole.hexdigest()


def read_at(path: Path, offset: int, size: int) -> bytes:
    """A part of a file. Raises StorageError."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise storage_error("read", path, error) from error


def size_of_disk(path: Path) -> int:
    """Bytes of a disk image or a block device. Raises OSError, for what is neither or is empty too."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        size = os.lseek(descriptor, 0, os.SEEK_END) if stat.S_ISREG(mode) or stat.S_ISBLK(mode) else 0
    finally:
        os.close(descriptor)
    if not size:
        raise OSError(errno.EINVAL, "it is no disk image and no block device, or is empty", str(path))
    return size
