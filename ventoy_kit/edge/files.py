"""Files of this host: read, list, write so that a reader sees the old content or the new one, never a half."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from ventoy_kit.errors import StorageError
from ventoy_kit.ports import FileStat, Progress

BLOCK = 4 * 1024 * 1024
"""Bytes per read: large enough for sequential speed, small enough for constant memory."""

HASHED = 1024 * 1024
"""Bytes per read for hashing: such a buffer stays in the processor's cache."""


class HostFiles:
    """Implements `ports.Files` on the real file system."""

    def read(self, path: Path) -> bytes:
        """The whole file; OSError as the system gives it."""
        return path.read_bytes()

    def stat(self, path: Path) -> FileStat:
        """Size, time and inode of a regular file; OSError for anything else, IsADirectoryError for a folder."""
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(info.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        shared = os.name == "posix" and bool(info.st_mode & 0o077)
        return FileStat(info.st_size, info.st_mtime_ns, info.st_ino, shared)

    def chunks(self, path: Path) -> Iterator[bytes]:
        """The file in blocks, without filling the page cache where the system can be told so."""
        with path.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while block := file.read(BLOCK):
                yield block


def digests_of(path: Path, *algorithms: str, progress: Progress | None = None) -> tuple[str, ...]:
    """Digests of a file in hex, all from one reading, computed beside each other. Memory is constant.

    Args:
        path: the file.
        algorithms: names as hashlib knows them.
        progress: told of the bytes; started and ended by the caller.

    Raises:
        StorageError: it cannot be read.
    """
    digests = [hashlib.new(name) for name in algorithms]
    buffer = memoryview(bytearray(HASHED))
    try:
        with path.open("rb", buffering=0) as file, ThreadPoolExecutor(len(digests)) as pool:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while count := file.readinto(buffer):
                # The system reads ahead by itself; handing every block to a thread costs more than it gains.
                others = [pool.submit(digest.update, buffer[:count]) for digest in digests[1:]]
                digests[0].update(buffer[:count])
                for one in others:
                    one.result()
                if progress is not None:
                    progress.advance(count)
    except OSError as error:
        raise storage_error("read", path, error) from error
    return tuple(digest.hexdigest() for digest in digests)


SMALL = 64 << 10
"""Bytes that are hashed sooner than a thread begins with them: thousands of small files need no thread each."""


class BackgroundDigest:
    """SHA-256 computed in a thread, beside the reading or writing of the next block: hashlib lets other threads run.

    A context manager; one block is under way at a time, so memory stays that of two blocks.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def update(self, block: bytes) -> None:
        """Add a block, which must not change afterwards."""
        self._wait()
        if len(block) <= SMALL:
            self._digest.update(block)
        else:
            self._last = self._pool.submit(self._digest.update, block)

    def hexdigest(self) -> str:
        """The digest of all blocks so far, 64 hex digits."""
        self._wait()
        return self._digest.hexdigest()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()


def source_chunks(path: Path) -> Iterator[bytes]:
    """The file in blocks, for somebody who writes them elsewhere: a failure names this file and not the other.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        yield from HostFiles().chunks(path)
    except OSError as error:
        raise storage_error("read", path, error) from error


def read_tree(root: Path) -> Mapping[str, Mapping[str, bytes]]:
    """Text files of the folders directly below `root`, by folder and file name; files in `root` under the key ''.

    Names that begin with a dot and folders inside folders are passed over.

    Raises:
        StorageError: a file or folder cannot be read.
    """
    out: dict[str, dict[str, bytes]] = {"": {}}
    try:
        if not root.is_dir():
            return out
        for entry in sorted(root.iterdir()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                files = sorted(f for f in entry.iterdir() if f.is_file() and not f.name.startswith("."))
                out[entry.name] = {f.name: f.read_bytes() for f in files}
            elif entry.is_file():
                out[""][entry.name] = entry.read_bytes()
    except OSError as error:
        raise storage_error("read", Path(error.filename or root), error) from error
    return out


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644, alone: bool = False) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk and rename it.

    Args:
        path: the final name; its folder exists.
        data: the content.
        mode: permission bits, set before the first byte is written.
        alone: nobody else can write this file meanwhile, since the caller holds a lock. The temporary name is then
            always the same, so that what a killed run has left is taken away by the next one.

    Raises:
        StorageError: the file cannot be written; nothing is left behind.
    """
    # A name that neither begins with `ventoy.json` nor ends like an image: Ventoy looks at both.
    temporary = path.with_name(f".vk-{path.stem if alone else secrets.token_hex(6)}.tmp")
    try:
        if alone:
            temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise storage_error("write", path, error) from error
    sync_folder(path.parent)


def exists(path: Path) -> bool:
    """Whether there is anything; a place that may not be looked at counts as empty."""
    return os.path.lexists(path)


def is_folder(path: Path) -> bool:
    """Whether there is a folder."""
    return path.is_dir()


def is_writable(folder: Path) -> bool:
    """Whether this user may make files in a folder."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Make a folder and those above it; nothing if it is there.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error("create", path, error) from error


def remove_file(path: Path) -> None:
    """Remove a file; nothing if it is not there.

    Raises:
        StorageError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error("remove", path, error) from error


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it; nothing if it is not there.

    Raises:
        StorageError: it cannot be removed.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise storage_error("remove", folder, error) from error


def listing(root: Path) -> tuple[tuple[str, int], ...]:
    """Paths relative to `root` with `/`, and sizes in bytes, of all files below it, sorted."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return tuple((p.relative_to(root).as_posix(), p.stat().st_size) for p in files)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# ENXIO, ENODEV; ENOTCONN: a driver in user space that ended; ESHUTDOWN
_GONE = (6, 19, 107, 108)


def storage_error(verb: str, path: Path, error: OSError) -> StorageError:
    """A StorageError with a sentence and a hint that fit the system's error."""
    reason = error.strerror or str(error)
    hints = {
        28: "Free some space and run the command again; what was finished is kept.",
        13: "Run the command as the owner of the folder, or choose another one.",
        1: "Run the command as the owner of the folder, or choose another one.",
        30: "The file system is mounted read-only; remount it, or look for errors in `dmesg`.",
        5: "The device reports errors; look into `dmesg` and replace it.",
        **dict.fromkeys(_GONE, "The device went away; plug it in again and run the command again."),
        117: "The file system is damaged; unmount it and check it (fsck).",
    }
    return StorageError(
        f"cannot {verb} {path}: {reason}", hints.get(error.errno or 0, "See `dmesg` for the cause.")
    )
