"""The narrow doors through which effects enter. `edge/` implements them; the tests have fakes.

Nothing here decides anything and nothing here imports more than models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FileStat:
    """What is known of a file without reading it: size in bytes, time of change in ns, inode.

    `shared` says that others than its owner may read it; False where the system has no such permissions.
    """

    size: int
    mtime_ns: int
    inode: int
    shared: bool = False


class Files(Protocol):
    """Read access to the host's files. Errors are OSError."""

    def read(self, path: Path) -> bytes:
        """The whole file."""

    def stat(self, path: Path) -> FileStat:
        """Size and times of a regular file."""

    def chunks(self, path: Path) -> Iterator[bytes]:
        """The file in blocks of a few MiB."""


class Process(Protocol):
    """Starts programs by argument list, never through a shell."""

    def run(self, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        """Exit code, stdout, stderr. Raises MissingToolError or MachineError (timeout)."""


class FedProcess(Protocol):
    """Starts programs as `Process` does, and gives them text to read."""

    def run(self, argv: Sequence[str], *, timeout: float, input: str | None = None) -> tuple[int, str, str]:  # noqa: A002
        """Exit code, stdout, stderr. `input` is standard input. Raises as `Process` does."""


class WatchedProcess(Process, Protocol):
    """Starts programs that take long, too."""

    def watch(self, argv: Sequence[str], *, timeout: float, tick: Callable[[], None]) -> tuple[int, str, str]:
        """As `run`, and calls `tick` several times a second; what that raises ends the program and comes out."""


class Environment(Protocol):
    """The process environment."""

    def get(self, name: str) -> str | None:
        """The value of a variable, or None."""


class Progress(Protocol):
    """Tells a person how far long work is."""

    def start(self, title: str, total: int) -> None:
        """A new piece of work of `total` bytes begins."""

    def advance(self, count: int) -> None:
        """`count` more bytes are done."""

    def done(self) -> None:
        """The piece of work is finished."""


class ProgressBoard(Protocol):
    """Shows several pieces of work at once. May be used from several threads."""

    def line(self) -> Progress:
        """A line of its own for one piece of work after another; it belongs to the thread that asked for it."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A small file to be written: path on the stick, bytes, their SHA-256, whether others may not read it."""

    path: str
    chunks: Iterable[bytes]
    sha256: str
    private: bool


class StickFiles(Protocol):
    """Files below the root of a stick, by paths relative to it with `/`. Raises StorageError."""

    def size(self, path: str) -> int | None:
        """Size of a regular file in bytes, None if there is nothing."""

    def read(self, path: str) -> bytes | None:
        """A small file, None if there is nothing."""

    def sha256(self, path: str, progress: Progress | None = None) -> str:
        """Digest of a file."""

    def write(
        self,
        path: str,
        chunks: Iterable[bytes],
        *,
        sha256: str,
        private: bool,
        progress: Progress | None = None,
    ) -> None:
        """Write under a temporary name, flush, read back from the device, compare with `sha256`, rename."""

    def write_all(self, files: Sequence[NewFile], progress: Progress | None = None) -> None:
        """Write small files as `write` does, but flush once for all, before the first of them gets its name.

        The names are on the device only after the next `flush`.
        """

    def remove(self, path: str) -> None:
        """Remove a file and the folders that it leaves empty; nothing if it is not there."""

    def leftovers(self, prefix: str, folders: Sequence[str]) -> tuple[str, ...]:
        """Files in these folders, and in those below them, whose names begin with `prefix`."""

    def listing(self) -> Mapping[str, int]:
        """Every regular file with its size in bytes; folders that cannot be listed are left out."""

    def free(self) -> int:
        """Bytes that can be written."""

    def cluster(self) -> int:
        """Bytes that the smallest file takes."""

    def flush(self) -> None:
        """Write everything to the device."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other runs away from the same stick."""


@dataclass(frozen=True, slots=True)
class RawIso:
    """What was read from an ISO file, uninterpreted.

    Attributes:
        size: bytes of the file.
        volume_id: ISO 9660 primary volume identifier, blanks stripped.
        volume_size: bytes that the primary volume descriptor claims (blocks times block size).
        files: contents of those asked-for files that exist, by absolute path.
        present: those of the asked-for paths that exist.
        eltorito: platforms with a boot entry, of `bios` and `uefi`.
    """

    size: int
    volume_id: str
    volume_size: int
    files: Mapping[str, bytes]
    present: frozenset[str]
    eltorito: frozenset[str]


class IsoReader(Protocol):
    """Opens an ISO file. Raises UnreadableIsoError for what is no ISO, OSError for what cannot be read."""

    def read(self, path: Path, wanted: Sequence[str], *, limit: int) -> RawIso:
        """Facts of the ISO and those `wanted` files that are at most `limit` bytes."""

    def names(self, path: Path) -> tuple[str, ...]:
        """The absolute paths of all ordinary files on it, sorted."""


class UnreadableIsoError(Exception):
    """The file is no ISO 9660 image or is damaged; the message is one sentence for the user."""
