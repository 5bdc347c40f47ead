"""One file on its way to a stick: continued where an interrupted run stopped, flushed, read back from the device."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ventoy_kit.edge import page_cache
from ventoy_kit.edge.files import BLOCK, BackgroundDigest, storage_error
from ventoy_kit.errors import StorageError
from ventoy_kit.ports import Progress

KEEP_FROM = 16 * 1024 * 1024
"""Bytes from which on the part of a file is left for the next run; less is written anew as fast."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class WrongBytesError(StorageError):
    """The source or the device gave other bytes than expected; what was written is of no use."""


class Part:
    """A file under its temporary name.

    Args:
        path: where it lies.
        devices: what it lies on, see `page_cache.drop_pages_below`.
    """

    def __init__(self, path: Path, devices: Sequence[Path]) -> None:
        self.path, self.devices = path, devices

    def fill(
        self, chunks: Iterable[bytes], at: Path, *, sha256: str, private: bool, progress: Progress | None
    ) -> None:
        """Make the part whole: the source's bytes, on the device, with this digest.

        Args:
            chunks: all bytes of the source. Those that the part holds already are compared, not written again.
            at: the file's final name, for messages.
            sha256: digest that source and part must have.
            private: nobody else may read it; then it is always written anew.
            progress: told about bytes written (or compared) and bytes read back.

        Raises:
            StorageError: it could not be written or read back. What was written stays for the next run if that can
                use it, and is removed if not.
        """
        try:
            self.put(chunks, at, sha256=sha256, private=private, progress=progress)
            self.compare(at, sha256, progress)
        except BaseException as failure:
            if private or not self._worth_keeping(failure):
                with contextlib.suppress(OSError):
                    self.path.unlink()
            raise

    def put(
        self,
        chunks: Iterable[bytes],
        at: Path,
        *,
        sha256: str,
        private: bool,
        progress: Progress | None,
        flush: bool = True,
    ) -> None:
        """Write what `fill` writes; without `flush` the end of it may still be in memory. Raises StorageError."""
        with _reported("write", at):
            written = self._write(chunks, private=private, progress=progress, flush=flush)
        _insist(
            written == sha256,
            f"the source of {at.name} has other bytes than when it was built",
            "Run `ventoy-kit build` again.",
        )

    def compare(self, at: Path, sha256: str, progress: Progress | None) -> None:
        """Read the part back from the device; it must have this digest. Raises StorageError."""
        _insist(
            self.sha256(progress) == sha256,
            f"{at}: what was read back is not what was written",
            "The stick is failing or of false capacity; use another one.",
        )

    def sha256(self, progress: Progress | None = None) -> str:
        """Digest of the file as it is on the device.

        Raises:
            StorageError: it cannot be read.
        """
        with _reported("read back", self.path), BackgroundDigest() as digest:
            with self.path.open("rb", buffering=0) as file:
                page_cache.drop_pages_below(file.fileno(), self.devices)
                pending = 0
                while block := file.read(BLOCK):
                    digest.update(block)
                    pending += len(block)
                    if progress is not None:
                        progress.advance(len(block))
                    if pending >= page_cache.WINDOW:
                        page_cache.drop_pages_below(file.fileno(), self.devices)
                        pending = 0
                page_cache.drop_pages_below(file.fileno(), self.devices)
            return digest.hexdigest()

    def _write(
        self, chunks: Iterable[bytes], *, private: bool, progress: Progress | None, flush: bool
    ) -> str:
        """Write what is not there yet; return the digest of the source."""
        descriptor = self._open(private=private)
        with (
            os.fdopen(descriptor, "r+b", buffering=0) as file,
            BackgroundDigest() as digest,
            page_cache.Flusher(descriptor, self.devices) as flusher,
        ):
            page_cache.drop_pages_below(descriptor, self.devices)
            comparing = os.fstat(descriptor).st_size > 0
            position = 0
            for block in chunks:
                digest.update(block)
                if comparing and file.read(len(block)) != block:
                    comparing = False
                    file.seek(position)
                    file.truncate()
                if not comparing:
                    view = memoryview(block)
                    while view:
                        view = view[file.write(view) :]
                    flusher.wrote(len(block))
                position += len(block)
                if progress is not None:
                    progress.advance(len(block))
            if comparing:  # an older part may be longer than the source
                file.truncate(position)
            if flush:
                flusher.finish()
            return digest.hexdigest()

    def _open(self, *, private: bool) -> int:
        """The part of an earlier run if it is one and may be continued, else a new file."""
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        if not private:
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(self.path, flags | getattr(os, "O_NONBLOCK", 0))
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    return descriptor
                os.close(descriptor)
        self.path.unlink(missing_ok=True)
        return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)

    def _worth_keeping(self, failure: BaseException) -> bool:
        cause = failure.__cause__
        if isinstance(failure, WrongBytesError) or (isinstance(cause, OSError) and cause.errno in _NO_ROOM):
            return False
        with contextlib.suppress(OSError):
            return self.path.stat().st_size >= KEEP_FROM
        return True  # the device is gone


def _insist(fact: bool, message: str, hint: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not fact:
        raise WrongBytesError(message, hint)


@contextlib.contextmanager
def _reported(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(verb, path, error) from error
