"""A file that is being received: its bytes, their running digests, and a note of where they come from.

Blocks go through a chain of threads, one that writes and one for each digest, so that the network never waits for
either. On a fast line they are written past the system's cache where the file system allows it (O_DIRECT): half of
the work of writing is saved, the last flush finds nothing to do, and nothing useful is pushed out of memory.

The bytes on the disk are at every instant the first bytes of one file of one server, so that a run that was
killed can be taken up by the next. Beside `x.part` lies `x.json` with the address, the validators (ETag,
Last-Modified, RFC 9110 section 8.8) and the length of that file. What a power cut may do to unflushed bytes is
found out by the digest.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ventoy_kit.edge.files import storage_error, write_atomic
from ventoy_kit.errors import StorageError

BLOCK = 1024 * 1024
"""Bytes per read at most, and of one buffer: a write of this size past the system's cache is worth its cost."""

BUFFERS = 8
"""Blocks that may wait to be written and hashed: bounds memory, and bridges short waits of network and disk."""

DIRECT_FROM = 256 * 1024
"""Bytes of a block that goes past the system's cache. Smaller ones come on slow lines, where nothing is gained."""

ALIGNED = 4096
"""Offset and length of a write past the cache are multiples of this (open(2), O_DIRECT: the block size of the file
system at most)."""

SLICE = 64 * 1024
"""Bytes per write into the cache: one of 256 KiB or more makes Linux take memory for its cache in large pieces,
which is three times slower than these (measured on ext4, Linux 6.18)."""

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

    OSErrors come out as StorageError: those of writing at the next `add`, or at the end.

    Args:
        path: the file; made if it is not there.
        sha512: compute SHA-512, too.
    """

    def __init__(self, path: Path, *, sha512: bool = False) -> None:
        self.path = path
        self.size = 0
        """Bytes that are written and hashed, or about to be."""
        self.found = 0
        """Bytes that an earlier run had left and this one took over."""
        self.source: Source | None = None
        self._algorithms = ("sha256", "sha512") if sha512 else ("sha256",)
        self._digests = self._fresh()
        self._chain: _Chain | None = None
        self._spare: memoryview | None = None
        self._known = False  # whether the digests cover what lies on the disk
        self._flushed = 0
        self._direct: int | None = None

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.fdopen(os.open(self.path, flags, 0o600), "r+b", buffering=0)
            self.size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise storage_error("write", self.path, error) from error
        if hasattr(os, "O_DIRECT"):
            with contextlib.suppress(OSError):  # a file system without it
                self._direct = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW | os.O_DIRECT)
        self.source = read_note(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(StorageError):  # `digests` has told it, or something else went wrong before
            self._drain()
        if self._direct is not None:
            os.close(self._direct)
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
        self._digests, self._known = self._fresh(), False
        buffer = memoryview(bytearray(BLOCK))
        try:
            self._file.truncate(count)
            self._file.seek(0)
            left = count
            while left:
                got = self._file.readinto(buffer[: min(left, BLOCK)])
                if not got:  # somebody else has cut it
                    break
                for digest in self._digests:
                    digest.update(buffer[:got])
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
        self._digests, self.size, self.found, self._flushed, self._known = self._fresh(), 0, 0, 0, True
        self.source = source
        if source is None:
            with contextlib.suppress(OSError):
                note_of(self.path).unlink()
        else:
            data = json.dumps({"format": FORMAT, **asdict(source)}, indent=1).encode()
            write_atomic(note_of(self.path), data, mode=0o600, alone=True)

    def room(self, most: int) -> memoryview:
        """A buffer for the next bytes, at most `most` bytes; waits until one is free.

        It ends where the next block can be written past the cache, if that is worth it.
        """
        if self._chain is None:
            self._chain = _Chain([self._write, *(digest.update for digest in self._digests)])
        if self._spare is None:  # else the last one was not used, since reading failed
            self._spare = self._chain.free.get()
        count = min(most, BLOCK)
        if count >= DIRECT_FROM:
            count -= (self.size + count) % ALIGNED
        return self._spare[:count]

    def add(self, block: memoryview) -> None:
        """Append the beginning of what `room` gave; writing and hashing go on beside.

        Raises:
            StorageError: an earlier block could not be written.
        """
        assert self._chain is not None  # noqa: S101 - `room` came before
        self._spare = None
        self.size += len(block)
        self._chain.put(block)
        if self._chain.failed:
            self._drain()

    def digests(self) -> tuple[str, str | None]:
        """SHA-256 of all bytes, 64 hex digits, and SHA-512 if it was asked for.

        Raises:
            StorageError: a block could not be written.
        """
        self._drain()
        first, *more = (digest.hexdigest() for digest in self._digests)
        return first, more[0] if more else None

    def _fresh(self) -> tuple[Any, ...]:
        return tuple(hashlib.new(name) for name in self._algorithms)

    def _write(self, block: memoryview) -> None:
        """Runs in the chain's first thread, which has the file for itself as long as it lives."""
        offset = self._file.tell()
        if self._direct is not None and len(block) >= DIRECT_FROM and not (offset | len(block)) % ALIGNED:
            try:
                count = os.pwrite(self._direct, block, offset)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                os.close(self._direct)  # opening it was allowed, and that was all
                self._direct, count = None, 0
            block = block[count:]
            self._flushed = offset = self._file.seek(offset + count)
        while block:
            count = self._file.write(block[:SLICE])
            block, offset = block[count:], offset + count
        if offset - self._flushed >= WRITE_BACK:
            _begin_writing(self._file.fileno(), self._flushed, offset - self._flushed)
            self._flushed = offset

    def _drain(self) -> None:
        """Wait for the chain and end it. If it has failed, what is on the disk is shorter than `size`."""
        chain, self._chain, self._spare = self._chain, None, None
        error = chain.end() if chain is not None else None
        if error is not None:
            self._known = False
            if isinstance(error, OSError):
                raise storage_error("write", self.path, error) from error
            raise error


class _Chain:
    """Threads through which every block goes in turn; at its end the block's buffer is free again.

    After a failure of the first step nothing more is done with any block: on the disk there is never a gap.
    """

    def __init__(self, steps: Sequence[Callable[[memoryview], None]]) -> None:
        self.free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        for _ in range(BUFFERS):
            self.free.put(memoryview(mmap.mmap(-1, BLOCK)))  # pages, and so aligned
        self.failed: Exception | None = None
        self._queues = [queue.SimpleQueue[memoryview | None]() for _ in steps]
        self._threads = [
            threading.Thread(target=self._work, args=(number, step), name=f"part {number}", daemon=True)
            for number, step in enumerate(steps)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, block: memoryview) -> None:
        """Send a block on its way."""
        self._queues[0].put(block)

    def end(self) -> Exception | None:
        """Wait until everything is done; what went wrong, if anything did."""
        self._queues[0].put(None)
        for thread in self._threads:
            thread.join()
        return self.failed

    def _work(self, number: int, step: Callable[[memoryview], None]) -> None:
        after = self._queues[number + 1] if number + 1 < len(self._queues) else None
        while (block := self._queues[number].get()) is not None:
            if self.failed is None:
                try:
                    step(block)
                except Exception as error:  # noqa: BLE001 - it is raised by the thread that receives
                    self.failed = error
            if after is not None:
                after.put(block)
            else:
                self.free.put(memoryview(block.obj))
        if after is not None:
            after.put(None)


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
