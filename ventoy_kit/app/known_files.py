"""What is known of large local files: digests and signatures, read from them, or remembered from an earlier run.

A file counts as unchanged while size, time of change and inode are. What is remembered lies in `.ventoy-kit/`, which
only its owner can write to; whoever can, could change the fleet file as well. `image verify` never believes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ventoy_kit.edge.files import HostFiles, digests_of, storage_error
from ventoy_kit.edge.openpgp import read_signatures
from ventoy_kit.edge.state import load_state, save_state
from ventoy_kit.images.lock import Digests
from ventoy_kit.images.signatures import SignatureFacts
from ventoy_kit.ports import FileStat, Progress

STATE = "digests"
"""The file in `.ventoy-kit/`."""


class KnownFiles(Protocol):
    """Answers what takes the reading of a whole file. Raises StorageError if it cannot be read."""

    def digests(self, path: Path, *, sha512: bool) -> Digests:
        """Size and digests, SHA-512 at least if it is asked for."""

    def signatures(
        self, path: Path, signature: bytes, certificates: Sequence[bytes]
    ) -> tuple[SignatureFacts, ...]:
        """What a signature file says of this file, as `openpgp.read_signatures` does."""


@dataclass(frozen=True, slots=True)
class ReadAnew:
    """Implements `KnownFiles` by reading the file each time."""

    progress: Progress

    def digests(self, path: Path, *, sha512: bool) -> Digests:
        """Size and digests."""
        return _read(path, self.progress, sha512=sha512)

    def signatures(
        self, path: Path, signature: bytes, certificates: Sequence[bytes]
    ) -> tuple[SignatureFacts, ...]:
        """What a signature file says of this file."""
        return read_signatures(path, signature, certificates)


@dataclass(slots=True)
class Remembered:
    """Implements `KnownFiles` with a memory beside the fleet file. Mutable; `save` keeps what was learned.

    Attributes:
        base: the folder of the fleet file.
        progress: is told of reading.
        with_sha512: files whose SHA-512 will be asked for, so that one reading gives both digests.
    """

    base: Path
    progress: Progress
    with_sha512: Collection[Path] = ()
    _known: dict[str, Any] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        self._known = dict(load_state(self.base, STATE))

    def digests(self, path: Path, *, sha512: bool = False) -> Digests:
        """Size and digests, read from the file unless it is unchanged since it was last read."""
        stat = _stat(path)
        known = self._of(path, stat)
        sha512 = sha512 or path in self.with_sha512
        names = ("sha256", "sha512") if sha512 else ("sha256",)
        if not all(isinstance(known.get(name), str) for name in names):
            found = _read(path, self.progress, sha512=sha512)
            known = self._learn(path, stat, sha256=found.sha256, sha512=found.sha512)
        return Digests(stat.size, known["sha256"], known["sha512"] if sha512 else None)

    def sha256(self, path: Path) -> str:
        """SHA-256 alone."""
        return self.digests(path).sha256

    def signatures(
        self, path: Path, signature: bytes, certificates: Sequence[bytes]
    ) -> tuple[SignatureFacts, ...]:
        """What a signature file says of this file; remembered for this signature file and these certificates only."""
        stat = _stat(path)
        proof = hashlib.sha256()
        for part in (signature, *certificates):
            proof.update(hashlib.sha256(part).digest())
        remembered = self._of(path, stat).get("proof")
        if isinstance(remembered, dict) and remembered.get("of") == proof.hexdigest():
            facts = _facts(remembered.get("signatures"))
            if facts:
                return facts
        facts = read_signatures(path, signature, certificates)
        if any(fact.verified for fact in facts):  # what failed is looked at again
            told = [
                asdict(f) | {"created": None if f.created is None else f.created.isoformat()} for f in facts
            ]
            self._learn(path, stat, proof={"of": proof.hexdigest(), "signatures": told})
        return facts

    def save(self) -> None:
        """Remember what was read.

        Raises:
            StorageError: it cannot be written.
        """
        if self._changed:
            save_state(self.base, STATE, self._known)

    def _of(self, path: Path, stat: FileStat) -> dict[str, Any]:
        """What is remembered of the file as it is now."""
        entry = self._known.get(str(path))
        return entry if isinstance(entry, dict) and entry.get("stat") == _key(stat) else {}

    def _learn(self, path: Path, stat: FileStat, **found: object) -> dict[str, Any]:
        new = self._of(path, stat) | {"stat": _key(stat)} | {k: v for k, v in found.items() if v is not None}
        if _key(_stat(path)) == _key(stat):  # else it was changed while it was read
            self._known[str(path)] = new
            self._changed = True
        return new


def _key(stat: FileStat) -> list[int]:
    return [stat.size, stat.mtime_ns, stat.inode]


def _stat(path: Path) -> FileStat:
    try:
        return HostFiles().stat(path)
    except OSError as error:
        raise storage_error("read", path, error) from error


def _read(path: Path, progress: Progress, *, sha512: bool) -> Digests:
    size = _stat(path).size
    progress.start(f"hashing {path.name}", size)
    try:
        first, *more = digests_of(path, "sha256", *(("sha512",) if sha512 else ()), progress=progress)
    finally:
        progress.done()
    return Digests(size, first, more[0] if more else None)


def _facts(told: object) -> tuple[SignatureFacts, ...]:
    """Remembered facts; none if they are not what was written."""
    try:
        facts = [SignatureFacts(**item) for item in told] if isinstance(told, list) else []
        return tuple(
            replace(f, created=None if f.created is None else datetime.fromisoformat(str(f.created)))
            for f in facts
        )
    except (TypeError, ValueError):
        return ()
