"""Asks blkid what file system lies on a device or in a part of a file. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.errors import MissingToolError
from ventoy_kit.ports import Process
from ventoy_kit.stick.layout import Extent

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
