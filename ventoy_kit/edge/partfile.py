"""A file that is being received: its bytes, their running digest, and a note of where they come from.

The bytes on the disk are at every instant the first bytes of one file of one server, so that a run that was
killed can be taken up by the next. Beside `x.part` lies `x.json` with the address, the validators (ETag,
Last-Modified, RFC 9110 section 8.8) and the length of that file. What a power cut may do to unflushed bytes is
found out by the digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ventoy_kit.edge.files import storage_error, write_atomic

BLOCK = 256 * 1024
"""Bytes per read: fits the processor's cache, so that hashing right after receiving is cheap."""

SLICE = 64 * 1024
"""Bytes per write: one write of 256 KiB or more makes Linux take memory for its cache in large pieces, which is
three times slower than these (measured on ext4, Linux 6.18)."""

AHEAD = 8
"""Blocks that may wait to be hashed: bounds memory, and bridges short waits of the network."""

WRITE_BACK = 32 * 1024 * 1024
"""Bytes after which the system is asked to begin writing to the disk, so that the last flush is short."""

FORMAT = 1
"""Version of the note; another one is not understood, and the download begins anew."""


@dataclass(frozen=True, slots=True)
class Source:
    """Which file of which server the bytes belong to.

    Attributes:
        url: the address asked for, without password.
        etag: as the server sent it, with quotes.
        last_modified: as the server sent it.
        length: bytes of the whole file, None if the server did not say.
    """

    url: str
    etag: str | None
    last_modified: str | None
    length: int | None

    def validator(self, url: str) -> str | None:
        """What to send in If-Range to `url`: a strong ETag to the same address, else the date (RFC 9110, 13.1.5).

        Mirrors give the same file the same date but often another ETag.
        """
        if self.url == url and self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def may_be(self, other: Source) -> bool:
        """Whether nothing speaks against `other` being the same file."""
        if self.length is None or self.length != other.length:
            return False
        same_place = self.url == other.url
        for mine, theirs, counts in (
            (self.etag, other.etag, same_place),
            (self.last_modified, other.last_modified, True),
        ):
            if counts and mine and theirs and mine != theirs:
                return False
        return True


class PartFile:
    """The file `path`, opened for appending by this run alone; a context manager.

    A thread hashes beside whoever writes. OSErrors come out as StorageError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        """Bytes that are written, and hashed or about to be."""
        self.found = 0
        """Bytes that an earlier run had left and this one took over."""
        self.source: Source | None = None
        self._hash = hashlib.sha256()
        self._queue: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        self._thread: threading.Thread | None = None
        self._known = False  # whether the digest covers what lies on the disk
        self._flushed = 0

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.fdopen(os.open(self.path, flags, 0o600), "r+b", buffering=0)
            self.size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise storage_error("write", self.path, error) from error
        self.source = read_note(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drain()
        self._file.close()

    def resumable(self, url: str, expected: int | None) -> int:
        """How many of the bytes can be kept if the server at `url` still has the same file; 0 for none.

        Always less than the whole: at least one byte is asked for, so that the server says whether it has the file.
        """
        source = self.source
        if source is None or source.length is None or not source.validator(url):
            return 0
        if self.size > source.length or expected not in (None, source.length):
            return 0
        return min(self.size, source.length - 1)

    def keep(self, count: int, advance: Callable[[int], None]) -> None:
        """Cut to the first `count` bytes and hash them, unless this run has received and hashed them itself."""
        if self._known and count == self.size:
            advance(count)
            return
        self._drain()
        self._hash, self._known = hashlib.sha256(), False
        buffer = memoryview(bytearray(BLOCK))
        try:
            self._file.truncate(count)
            self._file.seek(0)
            left = count
            while left:
                got = self._file.readinto(buffer[: min(left, BLOCK)])
                if not got:  # somebody else has cut it
                    break
                self._hash.update(buffer[:got])
                advance(got)
                left -= got
        except OSError as error:
            raise storage_error("read", self.path, error) from error
        self.size = self.found = self._flushed = count - left
        self._known = True

    def restart(self, source: Source | None) -> None:
        """Throw the bytes away, then note where the next ones come from: in this order, whatever instant we die at."""
        self._drain()
        try:
            self._file.truncate(0)
            self._file.seek(0)
        except OSError as error:
            raise storage_error("write", self.path, error) from error
        self._hash, self.size, self.found, self._flushed, self._known = hashlib.sha256(), 0, 0, 0, True
        self.source = source
        if source is None:
            with contextlib.suppress(OSError):
                note_of(self.path).unlink()
        else:
            data = json.dumps({"format": FORMAT, **asdict(source)}, indent=1).encode()
            write_atomic(note_of(self.path), data, mode=0o600)

    def write(self, block: bytes) -> None:
        """Append; hashing goes on beside."""
        view = memoryview(block)
        try:
            while view:
                view = view[self._file.write(view[:SLICE]) :]
        except OSError as error:
            self._known = False  # part of the block may be in the file
            raise storage_error("write", self.path, error) from error
        self.size += len(block)
        if self._thread is None:
            _keep_memory()
            self._thread = threading.Thread(target=self._work, name="hash", daemon=True)
            self._thread.start()
        self._queue.put(block)

    def digest(self) -> str:
        """SHA-256 of all bytes, 64 hex digits."""
        self._drain()
        return self._hash.hexdigest()

    def _work(self) -> None:
        done = self._flushed
        while (block := self._queue.get()) is not None:
            self._hash.update(block)
            done += len(block)
            if done - self._flushed >= WRITE_BACK:
                _begin_writing(self._file.fileno(), self._flushed, done - self._flushed)
                self._flushed = done

    def _drain(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None


def _keep_memory() -> None:
    """Let the C library reuse the memory of blocks, instead of giving it back and taking it anew for each one.

    glibc raises its thresholds to the largest piece that was ever freed (mallopt(3), M_MMAP_THRESHOLD). Saves a
    hundred thousand page faults per GiB; elsewhere it does nothing.
    """
    bytes(2 * AHEAD * BLOCK)


def note_of(part: Path) -> Path:
    """Where the note about an unfinished file lies."""
    return part.with_suffix(".json")


def read_note(part: Path) -> Source | None:
    """The note about an unfinished file, None if there is none that can be understood."""
    try:
        data = json.loads(note_of(part).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        return None
    texts = [data.get(k) for k in ("url", "etag", "last_modified")]
    length = data.get("length")
    if set(data) != {"url", "etag", "last_modified", "length"} or not isinstance(data["url"], str):
        return None
    if any(not isinstance(t, str | None) for t in texts) or not isinstance(length, int | None):
        return None
    return Source(**data)


def _begin_writing(descriptor: int, offset: int, count: int) -> None:
    """Let the disk begin, without waiting for it: Linux starts the writing of a range that is no longer needed."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)
