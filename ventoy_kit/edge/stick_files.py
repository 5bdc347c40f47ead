"""Files on a stick: written under a temporary name, flushed, read back from the device, compared, renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ventoy_kit.edge import page_cache
from ventoy_kit.edge.files import storage_error, sync_folder
from ventoy_kit.edge.locks import locked
from ventoy_kit.edge.stick_part import Part
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.model import safe_path
from ventoy_kit.ports import NewFile, Progress
from ventoy_kit.stick.parts import part_path

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
            try:
                linked = here.is_symlink()
            except OSError as error:
                raise storage_error("look at", here, error) from error
            if linked:
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
        return self._part(path).sha256(progress)

    def _part(self, path: str) -> Part:
        return Part(self._at(path), page_cache.devices_below(self.root))

    def write(
        self,
        path: str,
        chunks: Iterable[bytes],
        *,
        sha256: str,
        private: bool,
        progress: Progress | None = None,
    ) -> None:
        """Write a file; see `ports.StickFiles`. Nothing under the final name changes unless all of it is right.

        What an interrupted run left of the same bytes is compared with the source, and written on from there.
        """
        at, part, private = self._prepared(path, sha256, private=private)
        part.fill(chunks, at, sha256=sha256, private=private, progress=progress)
        try:
            part.path.replace(at)
        except OSError as error:
            part.path.unlink(missing_ok=True)
            raise storage_error("write", at, error) from error
        sync_folder(at.parent)

    def _prepared(self, path: str, sha256: str, *, private: bool) -> tuple[Path, Part, bool]:
        """A file's real path, its part, and whether it is private; its folder is made."""
        at, private = self._at(path), private or self.private
        part = self._part(part_path(path, sha256, self.temporary))
        try:
            for folder in reversed(at.relative_to(self.root).parents[:-1]):
                (self.root / folder).mkdir(exist_ok=True, mode=0o700 if private else 0o777)
        except OSError as error:
            raise storage_error("write", at, error) from error
        return at, part, private

    def write_all(self, files: Sequence[NewFile], progress: Progress | None = None) -> None:
        """Write small files with one flush for all; see `ports.StickFiles`.

        A flush costs the same for one file as for many: exfat-fuse writes its whole map of free space each time.
        """
        parts: list[tuple[Part, Path, str]] = []
        taken: set[Path] = set()
        twins: list[NewFile] = []
        try:
            for file in files:
                at, part, private = self._prepared(file.path, file.sha256, private=file.private)
                if part.path in taken:  # the same bytes in the same folder
                    twins.append(file)
                    continue
                taken.add(part.path)
                parts.append((part, at, file.sha256))
                part.put(file.chunks, at, sha256=file.sha256, private=private, progress=progress, flush=False)
            if parts:
                self.flush()
            for part, at, sha256 in parts:
                part.compare(at, sha256, progress)
            for part, at, _ in parts:
                try:
                    part.path.replace(at)
                except OSError as error:
                    raise storage_error("write", at, error) from error
        except BaseException:
            for part, _, _ in parts:
                with contextlib.suppress(OSError):
                    part.path.unlink(missing_ok=True)
            raise
        for file in twins:
            self.write(file.path, file.chunks, sha256=file.sha256, private=file.private, progress=progress)

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
            for here, inner, files in os.walk(self._at(folder), onerror=_unless_absent):
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
        try:
            there = next((p for p in (self.root, *self.root.parents) if p.is_dir()), self.root)
            return shutil.disk_usage(there).free
        except OSError as error:
            raise storage_error("look at", self.root, error) from error

    def flush(self) -> None:
        """Write everything to the device."""
        try:
            page_cache.flush_filesystem(self.root)
        except OSError as error:
            raise storage_error("flush", self.root, error) from error

    def locked(self) -> AbstractContextManager[None]:
        """Keep other runs away from the same stick, by an advisory lock on its root folder where there are such."""
        return locked(self.root)


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise storage_error("look at", Path(error.filename or ""), error) from error
