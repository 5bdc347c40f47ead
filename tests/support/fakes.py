"""Fakes of the ports: a stick in memory, whole, empty or broken, and a progress that is told and forgets."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ventoy_kit.ports import NewFile, Progress
from ventoy_kit.stick.parts import part_path


class Silent:
    """Implements `ports.Progress` and says nothing."""

    def start(self, title: str, total: int) -> None: ...
    def advance(self, count: int) -> None: ...
    def done(self) -> None: ...


class MemoryStick:
    """Implements `ports.StickFiles` in memory. `free` does not change by itself."""

    def __init__(self, files: Mapping[str, bytes] | None = None, free: int = 1 << 40) -> None:
        self.files: dict[str, bytes] = dict(files or {})
        self.room = free

    def size(self, path: str) -> int | None:
        return len(self.files[path]) if path in self.files else None

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def sha256(self, path: str, progress: Progress | None = None) -> str:
        return hashlib.sha256(self.files[path]).hexdigest()

    def write(
        self,
        path: str,
        chunks: Iterable[bytes],
        *,
        sha256: str,
        private: bool,
        progress: Progress | None = None,
    ) -> None:
        data = b"".join(chunks)
        assert hashlib.sha256(data).hexdigest() == sha256
        self.files.pop(part_path(path, sha256, ".vk-"), None)
        self.files[path] = data

    def write_all(self, files: Sequence[NewFile], progress: Progress | None = None) -> None:
        for file in files:
            self.write(file.path, file.chunks, sha256=file.sha256, private=file.private, progress=progress)

    def remove(self, path: str) -> None:
        self.files.pop(path, None)

    def leftovers(self, prefix: str, folders: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            sorted(
                p
                for p in self.files
                if p.startswith(tuple(f"{f}/" for f in folders)) and p.rpartition("/")[2].startswith(prefix)
            )
        )

    def listing(self) -> dict[str, int]:
        return {path: len(data) for path, data in self.files.items()}

    def cluster(self) -> int:
        return 4096

    def free(self) -> int:
        return self.room

    def flush(self) -> None: ...

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        yield


class BrokenStick(MemoryStick):
    """Fails at the n-th change, counted from 0: before it, after it, or in its middle with a temporary file left.

    Attributes:
        changes: how many changes were asked for.
    """

    def __init__(self, files: Mapping[str, bytes], at: int, how: str, error: BaseException) -> None:
        super().__init__(files)
        self.at, self.how, self.error, self.changes = at, how, error, 0

    def _now(self) -> bool:
        self.changes += 1
        return self.changes - 1 == self.at

    def write(
        self,
        path: str,
        chunks: Iterable[bytes],
        *,
        sha256: str,
        private: bool,
        progress: Progress | None = None,
    ) -> None:
        now = self._now()
        if now and self.how == "before":
            raise self.error
        if now and self.how == "middle":
            self.files[part_path(path, sha256, ".vk-")] = b"half"
            raise self.error
        super().write(path, chunks, sha256=sha256, private=private, progress=progress)
        if now:
            raise self.error

    def remove(self, path: str) -> None:
        now = self._now()
        if now and self.how != "after":
            raise self.error
        super().remove(path)
        if now:
            raise self.error

    def flush(self) -> None:
        if self._now():
            raise self.error
