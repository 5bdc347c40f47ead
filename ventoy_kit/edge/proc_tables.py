"""Parses the kernel's tables of mounts and swaps. Pure functions; the readers are in `devices` and `mounts`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class MountRow:
    """One line of /proc/self/mountinfo (proc_pid_mountinfo(5)).

    Attributes:
        device: `major:minor` of the file system; major 0 for one without a single block device (btrfs, overlay).
        root: which directory of the file system is shown at `point`; `/` unless it is a bind mount or a subvolume.
        point: mount point.
        read_only: of the mount or of the file system.
        fs_type: as the kernel names it (`fuseblk` for exFAT and NTFS through FUSE).
        source: device node or another name for the source.
    """

    device: str
    root: str
    point: str
    read_only: bool
    fs_type: str
    source: str


def parse_mountinfo(text: str) -> tuple[MountRow, ...]:
    """All mounts, in the kernel's order: a later one hides an earlier one at the same point."""
    rows = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        mount, filesystem = left.split(" "), right.split(" ")
        if len(mount) < 6 or len(filesystem) < 3:
            continue
        options = {*mount[5].split(","), *filesystem[2].split(",")}
        rows.append(
            MountRow(
                device=mount[2],
                root=_unescaped(mount[3]),
                point=_unescaped(mount[4]),
                read_only="ro" in options,
                fs_type=filesystem[0],
                source=_unescaped(filesystem[1]),
            )
        )
    return tuple(rows)


def parse_swaps(text: str) -> tuple[str, ...]:
    """Paths of the swap devices and swap files in use, from /proc/swaps (proc_swaps(5))."""
    return tuple(_unescaped(line.split()[0]) for line in text.splitlines()[1:] if line.split())


def _unescaped(word: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
