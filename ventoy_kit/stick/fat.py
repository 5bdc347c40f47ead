"""Reads a file from a FAT16 file system, as Ventoy's second partition is. Pure: bytes come through a function.

Only what that partition needs: 8.3 names, no writing. A library for FAT would open the device itself.

Source: Microsoft, "FAT: General Overview of On-Disk Format", 1.03; vtoycli/vtoyfat.c of Ventoy reads the same file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

Read = Callable[[int, int], bytes]
"""Gives bytes by offset from the start of the file system, and count; fewer at the end."""

FILE_LIMIT = 4 * 1024 * 1024
"""Bytes of a file that are read at most; Ventoy's grub.cfg has 90 KB."""

_DIRECTORY = 0x10
_VOLUME = 0x08  # a label, or a part of a long name
_LAST_CLUSTER = 0xFFF0


class NoFatError(ValueError):
    """The bytes are no FAT16 file system, or a damaged one."""


@dataclass(frozen=True, slots=True)
class _Volume:
    """Where things lie: offsets and sizes in bytes."""

    read: Read
    cluster: int
    table: bytes
    root: int
    root_size: int
    data: int

    def chain(self, first: int, limit: int) -> bytes:
        """The bytes of a chain of clusters, at most `limit`."""
        out = bytearray()
        at = first
        while 2 <= at < _LAST_CLUSTER and len(out) < limit:
            if 2 * at + 2 > len(self.table):
                raise NoFatError(f"cluster {at} lies outside of its table")
            out += self.read(self.data + (at - 2) * self.cluster, self.cluster)
            (at,) = struct.unpack_from("<H", self.table, 2 * at)
        return bytes(out[:limit])


def read_file(read: Read, path: tuple[str, ...]) -> bytes | None:
    """A file's content, None if there is no such file.

    Args:
        read: gives the bytes of the file system.
        path: folder names and the file's name, each of the form 8.3; letter case does not count.

    Raises:
        NoFatError: it is no FAT16, or a damaged one.
        OSError: as `read` raises it.
    """
    volume = _open(read)
    folder = read(volume.root, volume.root_size)
    for index, name in enumerate(path):
        last = index == len(path) - 1
        found = _entry(folder, name, folder_wanted=not last)
        if found is None:
            return None
        first, size = found
        content = volume.chain(first, min(size, FILE_LIMIT) if last else FILE_LIMIT)
        if last:
            return content
        folder = content
    return None


def _open(read: Read) -> _Volume:
    head = read(0, 512)
    if len(head) < 512 or head[510:512] != b"\x55\xaa":
        raise NoFatError("no boot sector")
    sector, per_cluster, reserved, tables, entries = struct.unpack_from("<HBHBH", head, 11)
    (table_sectors,) = struct.unpack_from("<H", head, 22)
    if not table_sectors:
        raise NoFatError("it is FAT32, or no FAT")
    if sector not in (512, 1024, 2048, 4096) or not (per_cluster and reserved and tables and entries):
        raise NoFatError("its boot sector describes no FAT16")
    root = (reserved + tables * table_sectors) * sector
    root_size = -(-entries * 32 // sector) * sector
    table = read(reserved * sector, table_sectors * sector)
    return _Volume(read, per_cluster * sector, table, root, root_size, root + root_size)


def _entry(folder: bytes, name: str, *, folder_wanted: bool) -> tuple[int, int] | None:
    """First cluster and size in bytes of an entry, None if there is none of that name and kind."""
    stem, _, ending = name.upper().partition(".")
    wanted = f"{stem:8}{ending:3}".encode("ascii")
    for at in range(0, len(folder) - 31, 32):
        entry = folder[at : at + 32]
        if entry[0] == 0:  # nothing behind it
            return None
        is_folder = bool(entry[11] & _DIRECTORY)
        if entry[:11] == wanted and not entry[11] & _VOLUME and is_folder == folder_wanted:
            first, size = struct.unpack_from("<HI", entry, 26)
            return first, size
    return None
