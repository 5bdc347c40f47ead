"""The injection archive: what Ventoy unpacks into the root of the installer's initramfs.

Packed as tar.bz2, one of the formats that Ventoy's init_chain knows by its first two bytes. bzip2 and not gzip, because
libbz2 is the one implementation that every Python carries: zlib and its replacements compress the same bytes
differently, and a payload must have the same digest on every machine.
"""

from __future__ import annotations

import bz2
import io
import tarfile
from collections.abc import Mapping

Files = Mapping[str, tuple[bytes, int]]
"""Contents and permission bits by path."""


def draft(files: Files) -> bytes:
    """Everything that an archive of these files depends on: short work, for a digest."""
    parts = []
    for path, (data, mode) in sorted(files.items()):
        parts += [f"{path} {mode:o} {len(data)}\n".encode(), data]
    return b"".join(parts)


def pack(files: Files) -> bytes:
    """Pack files with nothing in it that depends on host, user or time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in sorted({"/".join(p.split("/")[:n]) for p in files for n in range(1, p.count("/") + 1)}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, (data, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return bz2.compress(buffer.getvalue(), 9)
