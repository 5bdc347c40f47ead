"""Looks at a device or a part of a file: its file system (through blkid), its Ventoy, its first bytes. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.errors import MissingToolError
from ventoy_kit.ports import Process
from ventoy_kit.stick.fat import NoFatError, read_file
from ventoy_kit.stick.layout import Extent
from ventoy_kit.stick.version import VERSION_FILE, version_in

_TIMEOUT = 30.0
_NOTHING_FOUND = 2  # blkid(8), exit status


@dataclass(frozen=True, slots=True)
class Probe:
    """A file system by blkid's names; both empty if there is none."""

    fs_type: str
    label: str


def probe_filesystem(process: Process, path: Path, extent: Extent | None = None) -> Probe | None:
    """The file system on `path`, or in that extent of it.

    Returns:
        None if it cannot be told: no right to read, no blkid, or signatures of several file systems.

    Raises:
        MachineError: blkid did not end in time.
    """
    if not os.access(path, os.R_OK):
        return None  # blkid would report this like an empty device
    where = [] if extent is None else ["--offset", str(extent.offset), "--size", str(extent.size)]
    try:
        code, out, _ = process.run(
            ["blkid", "--probe", "--output", "export", *where, str(path)], timeout=_TIMEOUT
        )
    except MissingToolError:
        return None
    if code == _NOTHING_FOUND:
        return Probe("", "")
    if code != 0:
        return None
    values = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    return Probe(values.get("TYPE", ""), values.get("LABEL", ""))


def read_at(path: Path, offset: int, count: int) -> bytes | None:
    """Bytes of a device or file, fewer at its end; None if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(count)
    except OSError:
        return None


def ventoy_version(path: Path, offset: int = 0) -> str | None:
    """The version that Ventoy wrote on its partition 2.

    Args:
        path: the partition's node, or a disk image.
        offset: bytes before the partition in it.

    Returns:
        The version; empty if there is none, None if it cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as file:

            def read(at: int, count: int) -> bytes:
                file.seek(offset + at)
                return file.read(count)

            found = read_file(read, VERSION_FILE)
    except OSError:
        return None
    except NoFatError:
        return ""
    return "" if found is None else version_in(found)


def repetition(path: Path, head: bytes, size: int) -> int | None:
    """The first power of two of bytes, from 64 MiB on, at which `head` appears again; None if it does not."""
    at = 1 << 26
    while at + len(head) <= size:
        if read_at(path, at, len(head)) == head:
            return at
        at <<= 1
    return None
