"""Files on a stick: written under a temporary name, flushed, read back from the device, compared, renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ventoy_kit.edge.files import BLOCK, BackgroundDigest, storage_error, sync_folder
from ventoy_kit.errors import MachineError, StorageError
from ventoy_kit.payload.model import safe_path
from ventoy_kit.ports import Progress

FLUSH_EVERY = 64 * 1024 * 1024
"""Bytes between flushes of a large file, so that memory does not fill with what a slow stick has yet to take."""


READ_LIMIT = 64 * 1024 * 1024
"""Bytes of the largest file that is read at once; what the kit reads from a stick is far smaller."""


class ObstructedError(StorageError):
    """Something stands where a folder or file of the stick belongs: a symbolic link, a folder, a file."""


class StickFolder:
    """Implements `ports.StickFiles` below a directory: a mounted data partition, or a folder that stands for one.

    Args:
        root: the directory.
        temporary: beginning of temporary names; Ventoy must take them for nothing of its own.
        private: keep every file and folder from other users, not only what is written as private.
    """

    def __init__(self, root: Path, temporary: str, *, private: bool = False) -> None:
        self.root, self.temporary, self.private = root, temporary, private

    def _at(self, path: str) -> Path:
        """The real path; a symbolic link on the way is refused, since it could lead away from the stick."""
        here = self.root
        for part in safe_path(path).split("/"):
            here = here / part
            if here.is_symlink():
                raise ObstructedError(
                    f"{here} is a symbolic link", "Remove it: it could lead to files outside of the target."
                )
        return here

    def _present(self, path: str) -> Path | None:
        """The real path of a regular file, None if there is nothing."""
        at = self._at(path)
        try:
            mode = at.stat().st_mode
        except FileNotFoundError:
            return None
        except NotADirectoryError as error:
            raise ObstructedError(
                f"on the way to {at} a file stands where a folder belongs", "Move the file away."
            ) from error
        except OSError as error:
            raise storage_error("look at", at, error) from error
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
            raise ObstructedError(f"{at} is {what}, where a file belongs", "Move it away.")
        return at

    def size(self, path: str) -> int | None:
        """Size of a regular file in bytes, None if there is nothing."""
        at = self._present(path)
        try:
            return None if at is None else at.stat().st_size
        except OSError as error:
            raise storage_error("look at", at or self.root, error) from error

    def read(self, path: str) -> bytes | None:
        """A small file, None if there is nothing."""
        at = self._present(path)
        if at is None:
            return None
        try:
            with at.open("rb") as file:
                data = file.read(READ_LIMIT + 1)
        except OSError as error:
            raise storage_error("read", at, error) from error
        if len(data) > READ_LIMIT:
            raise StorageError(
                f"{at} has more than {READ_LIMIT // 1024**2} MiB", "Look at it, and move it away."
            )
        return data

    def sha256(self, path: str, progress: Progress | None = None) -> str:
        """Digest of a file as it is on the device."""
        return self._digest(self._at(path), progress)

    def _digest(self, at: Path, progress: Progress | None) -> str:
        try:
            with BackgroundDigest() as digest, at.open("rb", buffering=0) as file:
                _drop_cache(file.fileno())
                while block := file.read(BLOCK):
                    digest.update(block)
                    if progress is not None:
                        progress.advance(len(block))
                _drop_cache(file.fileno())
                return digest.hexdigest()
        except OSError as error:
            raise storage_error("read back", at, error) from error

    def write(
        self,
        path: str,
        chunks: Iterable[bytes],
        *,
        sha256: str,
        private: bool,
        progress: Progress | None = None,
    ) -> None:
        """Write a file; see `ports.StickFiles`. Nothing under the final name changes unless all of it is right."""
        at, private = self._at(path), private or self.private
        temporary = at.with_name(f"{self.temporary}{secrets.token_hex(6)}.part")
        try:
            for folder in reversed(at.relative_to(self.root).parents[:-1]):
                (self.root / folder).mkdir(exist_ok=True, mode=0o700 if private else 0o777)
            try:
                mode = 0o600 if private else 0o644
                self._fill(temporary, chunks, at, sha256=sha256, mode=mode, progress=progress)
                self._compare(temporary, at, sha256, progress)
                temporary.replace(at)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        except OSError as error:
            raise storage_error("write", at, error) from error
        sync_folder(at.parent)

    def _fill(
        self,
        temporary: Path,
        chunks: Iterable[bytes],
        at: Path,
        *,
        sha256: str,
        mode: int,
        progress: Progress | None,
    ) -> None:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
        )
        pending = 0
        with os.fdopen(descriptor, "wb", buffering=0) as file, BackgroundDigest() as digest:
            for block in chunks:
                digest.update(block)
                view = memoryview(block)
                while view:
                    view = view[file.write(view) :]
                pending += len(block)
                if progress is not None:
                    progress.advance(len(block))
                if pending >= FLUSH_EVERY:
                    os.fsync(file.fileno())
                    _drop_cache(file.fileno())
                    pending = 0
            os.fsync(file.fileno())
            actual = digest.hexdigest()
        if actual != sha256:
            raise StorageError(
                f"the source of {at.name} has other bytes than when it was built",
                "Run `ventoy-kit build` again.",
            )

    def _compare(self, temporary: Path, at: Path, sha256: str, progress: Progress | None) -> None:
        if self._digest(temporary, progress) != sha256:
            raise StorageError(
                f"{at}: what was read back is not what was written",
                "The stick is failing or of false capacity; use another one.",
            )

    def remove(self, path: str) -> None:
        """Remove a file and the folders that it leaves empty; nothing if it is not there."""
        at = self._at(path)
        try:
            at.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise storage_error("remove", at, error) from error
        for folder in at.parents:
            if folder == self.root:
                return
            try:
                folder.rmdir()
            except OSError:  # not empty, or in use: then it stays
                return

    def leftovers(self, prefix: str, folders: Sequence[str]) -> tuple[str, ...]:
        """Files in these folders, and in those below them, whose names begin with `prefix`."""
        found = []
        for folder in folders:
            for here, inner, files in os.walk(self._at(folder), followlinks=False):
                inner.sort()
                found += [
                    Path(here, f).relative_to(self.root).as_posix() for f in files if f.startswith(prefix)
                ]
        return tuple(sorted(found))

    def listing(self) -> dict[str, int]:
        """Every regular file with its size; folders that cannot be listed are left out, links are not followed."""
        found = {}
        for here, inner, files in os.walk(self.root, followlinks=False):
            inner.sort()
            for name in files:
                at = Path(here, name)
                with contextlib.suppress(OSError):
                    status = at.lstat()
                    if stat.S_ISREG(status.st_mode):
                        found[at.relative_to(self.root).as_posix()] = status.st_size
        return found

    def cluster(self) -> int:
        """Bytes that the smallest file takes, as the file system says; 4096 where it cannot say."""
        there = next((p for p in (self.root, *self.root.parents) if p.is_dir()), self.root)
        try:
            return max(4096, os.statvfs(there).f_bsize) if hasattr(os, "statvfs") else 4096
        except OSError as error:
            raise storage_error("look at", self.root, error) from error

    def free(self) -> int:
        """Bytes that can be written; of the folder above where this one has yet to be made."""
        there = next((p for p in (self.root, *self.root.parents) if p.is_dir()), self.root)
        try:
            return shutil.disk_usage(there).free
        except OSError as error:
            raise storage_error("look at", self.root, error) from error

    def flush(self) -> None:
        """Write everything to the device."""
        if hasattr(os, "sync"):
            os.sync()
        if self.root.is_dir():
            sync_folder(self.root)  # a FUSE driver hears of this alone

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs away from the same stick, by an advisory lock on its root folder where there are such."""
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            descriptor = os.open(self.root, os.O_RDONLY)
        except OSError as error:
            raise storage_error("open", self.root, error) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise MachineError(
                    f"another run of ventoy-kit is writing to {self.root}", "Wait until it has ended."
                ) from error
            except OSError:  # the file system knows no locks
                pass
            yield
        finally:
            os.close(descriptor)


def _drop_cache(descriptor: int) -> None:
    """Ask the kernel to forget the file's pages, so that a read comes from the device and memory stays free."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
