"""Looking into an installer's initramfs: gzip members and plain archives one after the other, each a cpio archive.

Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5), "New ASCII Format". An answer
that was appended to Debian's `initrd.gz` is found this way; the kernel unpacks a later file over an earlier one.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import Any, Final

LIMIT: Final = 1 << 30
"""Bytes of unpacked archive that are looked through at most."""

_MAGIC: Final = (b"070701", b"070702")
_GZIP: Final = b"\x1f\x8b"
_HEADER: Final = 110
_STEP: Final = 1 << 20


class _Reader:
    """The unpacked bytes, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._total = data, 0, 0
        self._ready = bytearray()
        self._inflate: Any = None

    def take(self, count: int) -> bytes:
        """The next bytes; fewer at the end."""
        while len(self._ready) < count and self._fill():
            pass
        out = bytes(self._ready[:count])
        del self._ready[:count]
        return out

    def skip(self, count: int) -> None:
        """Pass over bytes."""
        while count > 0 and (got := len(self.take(min(count, _STEP)))):
            count -= got

    def begin_member(self) -> None:
        """The two bytes that were taken last, and were not unpacked from anything, begin a gzip member."""
        self._at -= len(self._ready) + 2
        self._ready.clear()
        self._inflate = zlib.decompressobj(31)

    def _fill(self) -> bool:
        piece = self._data[self._at : self._at + _STEP]
        if not piece or self._total > LIMIT:
            return False
        self._at += len(piece)
        if self._inflate is not None:
            piece = self._inflate.decompress(piece)
            if self._inflate.eof:
                self._at -= len(self._inflate.unused_data)
                self._inflate = None
        self._ready += piece
        self._total += len(piece)
        return True


def files_in_initrd(data: bytes, names: Collection[str], limit: int) -> dict[str, bytes]:
    """Contents of those files whose path in the initramfs is asked for, by path without a leading slash.

    Args:
        data: the file as it lies on the image.
        names: paths.
        limit: bytes of a content that are kept.

    What cannot be read as gzip or cpio ends the search: nothing is claimed of the rest.
    """
    found: dict[str, bytes] = {}
    reader = _Reader(data)
    try:
        while header := reader.take(1):
            if header == b"\0":  # padding between archives
                continue
            header += reader.take(1)
            if header == _GZIP:
                reader.begin_member()
                continue
            header += reader.take(_HEADER - 2)
            if len(header) < _HEADER or header[:6] not in _MAGIC:
                break
            size, name_size = int(header[54:62], 16), int(header[94:102], 16)
            if not 0 < name_size <= 4096:
                break
            name = reader.take(name_size + -(_HEADER + name_size) % 4)[: name_size - 1]
            path = name.decode("utf-8", "replace").removeprefix("./").lstrip("/")
            wanted = min(size, limit) if path in names else 0
            if wanted:
                found[path] = reader.take(wanted)
            reader.skip(size - wanted + -size % 4)
    except (zlib.error, ValueError):
        pass
    return found
