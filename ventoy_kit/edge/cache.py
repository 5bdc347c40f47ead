"""The cache of images that all fleets of a user share. Content decides the place, so that the same image is kept once.

    isos/<2 digits>/<sha256>/<vendor's file name>   verified, mode 0644, never changed
    unverified/<key>.part, .json                    what is being received, and where from (see partfile.py)
    locks/<key>.lock                                empty; held while a part or an object is worked on, never removed
    memo/<sha256>.json                              size, times and inode with which the content was seen to be right

A file comes to its place by one rename after it was flushed, so that whoever is killed at whatever instant leaves
the old state or the new one. Needs a file system with locks; Linux, macOS and Windows have them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ventoy_kit.edge.files import (
    digests_of,
    make_folder,
    remove_file,
    storage_error,
    sync_folder,
    write_atomic,
)
from ventoy_kit.edge.partfile import note_of, read_note
from ventoy_kit.errors import StorageError
from ventoy_kit.ports import Environment, Progress

LONGEST_NAME = 200
"""Bytes of a file name in UTF-8; file systems allow 255."""

POLL = 0.2
"""Seconds between two looks at a lock that another run holds."""


def cache_folder(environment: Environment) -> Path:
    """Where the cache lies: VENTOY_KIT_CACHE, else the user's cache folder as the system has it."""
    own = environment.get("VENTOY_KIT_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("ventoy-kit", appauthor=False)


class Content(StrEnum):
    """What reading an object again has shown."""

    RIGHT = "right"
    WRONG = "wrong"
    """Its bytes are not those that its digest names: the disk or somebody changed them."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A verified image. Size in bytes; `seen` is when it was last seen to be right, in seconds since 1970, or None."""

    sha256: str
    path: Path
    size: int
    seen: float | None


@dataclass(frozen=True, slots=True)
class CachedPart:
    """An unfinished download.

    Attributes:
        path: the unverified bytes.
        size: bytes received so far.
        total: bytes of the whole file, None if not known.
        url: where they come from, None if the note is lost.
        changed: seconds since 1970.
    """

    path: Path
    size: int
    total: int | None
    url: str | None
    changed: float


@dataclass(frozen=True, slots=True)
class Usage:
    """How much the cache holds, in files and bytes."""

    files: int
    bytes: int
    parts: int
    part_bytes: int


def is_plain_name(name: str) -> bool:
    """Whether a vendor's file name is one and nothing more: a single component, printable, not hidden, not too long."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= LONGEST_NAME
        and not name.startswith((".", "-"))
        and not any(c in '/\\:*?"<>|' or not c.isprintable() for c in name)
    )


class Cache:
    """The cache below `root`; folders are made when they are needed. Any number of runs may use it at once.

    All methods raise StorageError when the disk fails, and ValueError for a digest that is not 64 hex digits or
    for a name that is not plain (`is_plain_name`): the caller checks what comes from outside before.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def part(self, key: str, waiting: Callable[[], None] | None = None) -> Iterator[Path]:
        """The place for the unverified bytes of what `key` names, kept for this run alone until the block ends.

        An unfinished download stays there for the next run. Look with `find` again inside the block: another run
        may have published the file while this one waited.

        Args:
            key: the first address of the file, or any text that is the same in every run.
            waiting: called once if another run holds the lock.
        """
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        with self._locked(f"part-{name}", waiting):
            path = self._folder("unverified") / f"{name}.part"
            try:
                yield path
            finally:
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_size == 0:
                        self.discard(path)

    def discard(self, part: Path) -> None:
        """Throw away what was received, inside its `part` block: it turned out to be wrong."""
        remove_file(part)
        remove_file(note_of(part))

    def publish(self, part: Path, sha256: str, name: str) -> Path:
        """Make a verified part an object, inside its `part` block: flush, rename, flush the folder.

        Args:
            part: what `part` gave.
            sha256: digest of its bytes, computed while they were received or after, and compared by the caller with
                what the vendor signed.
            name: the vendor's file name.

        Returns:
            Where it lies now. If the same content lies there already, under whatever name, that one.
        """
        if not is_plain_name(name):
            raise ValueError(f"{name!r} is no plain file name")
        folder = self._object(sha256)
        with self._locked(f"object-{sha256}"):
            existing = self.find(sha256)
            if existing is not None:
                self.discard(part)
                return existing
            try:
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                part.chmod(0o644)
                made = not folder.exists()
                make_folder(folder)
                for wrong in folder.iterdir():
                    wrong.unlink()
                final = folder / name
                part.replace(final)
            except OSError as error:
                raise storage_error("publish", part, error) from error
            sync_folder(folder)
            if made:
                sync_folder(folder.parent)
                sync_folder(folder.parent.parent)
            self._remember(sha256, final.stat())
            remove_file(note_of(part))
            return final

    def find(self, sha256: str, progress: Progress | None = None) -> Path | None:
        """The object with this digest, None if there is none or its bytes are wrong.

        It is read only if its size, times or inode are not those with which it was last seen to be right.
        """
        path = self._only_file(self._object(sha256))
        if path is None:
            return None
        if self._memo(sha256).get("stat") == _stat_key(path):
            return path
        return path if self.verify(sha256, progress) is Content.RIGHT else None

    def verify(self, sha256: str, progress: Progress | None = None) -> Content:
        """Read the object with this digest and compare."""
        path = self._only_file(self._object(sha256))
        if path is None:
            return Content.MISSING
        try:
            before = path.stat()
            if progress is not None:
                progress.start(path.name, before.st_size)
            try:
                right = digests_of(path, "sha256", progress=progress) == (sha256,)
            finally:
                if progress is not None:
                    progress.done()
            unchanged = _key(before) == _stat_key(path)
        except OSError as error:
            raise storage_error("read", path, error) from error
        if right and unchanged:
            with contextlib.suppress(StorageError):  # a cache that cannot be written to can still be read
                self._remember(sha256, before)
            return Content.RIGHT
        return Content.WRONG

    def files(self) -> tuple[CachedFile, ...]:
        """All objects by digest. They are not read."""
        found = []
        for folder in sorted(self.root.glob("isos/??/*")):
            path = self._only_file(folder) if re.fullmatch(_DIGEST, folder.name) else None
            if path is not None:
                seen = self._memo(folder.name).get("seen")
                found.append(
                    CachedFile(
                        folder.name, path, path.stat().st_size, seen if isinstance(seen, float) else None
                    )
                )
        return tuple(found)

    def parts(self) -> tuple[CachedPart, ...]:
        """All unfinished downloads, those under way included, oldest first."""
        found = []
        for path in self.root.glob("unverified/*.part"):
            with contextlib.suppress(FileNotFoundError):
                info, source = path.stat(), read_note(path)
                found.append(
                    CachedPart(
                        path,
                        info.st_size,
                        source.length if source else None,
                        source.url if source else None,
                        info.st_mtime,
                    )
                )
        return tuple(sorted(found, key=lambda p: (p.changed, p.path)))

    def dead_parts(self, days: float, now: float) -> tuple[CachedPart, ...]:
        """Unfinished downloads that nothing was added to for `days` before `now` (seconds since 1970).

        They are told to the user, never deleted by the kit.
        """
        return tuple(p for p in self.parts() if now - p.changed > days * 86400)

    def usage(self) -> Usage:
        """How much the cache holds."""
        files, parts = self.files(), self.parts()
        return Usage(len(files), sum(f.size for f in files), len(parts), sum(p.size for p in parts))

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        make_folder(folder)
        return folder

    def _object(self, sha256: str) -> Path:
        if not re.fullmatch(_DIGEST, sha256):
            raise ValueError(f"{sha256!r} is no SHA-256 digest")
        return self.root / "isos" / sha256[:2] / sha256

    @staticmethod
    def _only_file(folder: Path) -> Path | None:
        """The one regular file in an object's folder; a link or a second file is nothing that the kit made."""
        try:
            inside = list(folder.iterdir())
            if len(inside) == 1 and stat.S_ISREG(inside[0].lstat().st_mode):
                return inside[0]
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise storage_error("look at", folder, error) from error
        return None

    def _memo(self, sha256: str) -> dict[str, object]:
        try:
            value = json.loads((self.root / "memo" / f"{sha256}.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def _remember(self, sha256: str, info: os.stat_result) -> None:
        data = json.dumps({"stat": _key(info), "seen": time.time()}).encode()
        write_atomic(self._folder("memo") / f"{sha256}.json", data)

    @contextlib.contextmanager
    def _locked(self, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold a lock that ends with the process, however that ends. Threads of one process exclude each other too."""
        path = self._folder("locks") / f"{name}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise storage_error("lock", path, error) from error
        try:
            told = False
            while not _try_lock(descriptor, path):
                if not told and waiting is not None:
                    waiting()
                told = True
                time.sleep(POLL)
            yield
        finally:
            os.close(descriptor)


_DIGEST = r"[0-9a-f]{64}"


def _key(info: os.stat_result) -> list[int]:
    """What changes when a file's content is changed by ordinary means. The time of change cannot be set back."""
    return [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]


def _stat_key(path: Path) -> list[int]:
    return _key(path.stat())


def _try_lock(descriptor: int, path: Path) -> bool:
    """Take an exclusive lock; False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise StorageError(
            f"{path} cannot be locked: {error.strerror}",
            "Set VENTOY_KIT_CACHE to a folder on a local disk; two runs could harm each other here.",
        ) from error
    return True
