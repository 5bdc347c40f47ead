"""The initramfs of a direct boot: what Ventoy would assemble around the ISO's own, as a second cpio archive. Pure.

Format: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. The kernel unpacks a later archive over
an earlier one, so ours brings an /init of its own and keeps the ISO's at /ventoy/init.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from ventoy_kit.images.initrd import files_in_initrd
from ventoy_kit.payload.archive import pack as pack_archive

INIT_LIMIT: Final = 1 << 20
"""Bytes of an init script that are taken."""

ZSTD: Final = b"\x28\xb5\x2f\xfd"
_XZ: Final = b"\xfd7zXZ\x00"

_FOLDER, _FILE, _LINK = 0o040000, 0o100000, 0o120000


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its bytes and its permissions; of a link, `data` is where it leads."""

    data: bytes
    mode: int = 0o644
    link: bool = False


def cpio(files: Mapping[str, Member]) -> bytes:
    """An archive in the form `newc`, with the folders of its files, padded to four bytes."""
    folders = sorted({str(p) for name in files for p in PurePosixPath(name).parents} - {"."})
    out = io.BytesIO()

    def add(name: str, mode: int, data: bytes) -> None:
        path = name.encode() + b"\0"
        numbers = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        out.write(b"070701" + b"".join(b"%08x" % n for n in numbers) + path)
        out.write(b"\0" * (-out.tell() % 4) + data)
        out.write(b"\0" * (-out.tell() % 4))

    for folder in folders:
        add(folder, _FOLDER | 0o755, b"")
    for name, member in files.items():
        add(name, (_LINK if member.link else _FILE) | member.mode, member.data)
    add("TRAILER!!!", 0, b"")
    return out.getvalue()


def own_init(initrd: bytes) -> bytes | None:
    """The /init of an ISO's initramfs; None if it cannot be found there.

    Args:
        initrd: the file; what is compressed with zstd must have been unpacked (`ZSTD` is its mark).
    """
    if initrd.startswith(_XZ):
        try:
            initrd = lzma.decompress(initrd)
        except lzma.LZMAError:
            return None
    return files_in_initrd(initrd, ("init",), INIT_LIMIT).get("init")


@dataclass(frozen=True, slots=True)
class Injection:
    """What Ventoy brings along.

    Attributes:
        family: the answer family.
        ticket: the chosen template.
        archive: the injection archive, tar.bz2.
        init: the ISO's own init.
        busybox: a static busybox.
        scripts: the rehearsal's own files by name.
    """

    family: str
    ticket: bytes
    archive: bytes
    init: bytes
    busybox: bytes
    scripts: Mapping[str, bytes]


def injected(injection: Injection) -> dict[str, Member]:
    """The files of the second archive."""
    return {
        "init": Member(injection.scripts["start.sh"], 0o755),
        "ventoy/init": Member(injection.init, 0o755),
        "ventoy/family": Member(injection.family.encode()),
        "ventoy/autoinstall": Member(injection.ticket),
        "ventoy/ventoy_injection": Member(injection.archive),
        "ventoy/busybox/busybox": Member(injection.busybox, 0o755),
        "ventoy/tool/vtoydump": Member(injection.scripts["vtoydump.sh"], 0o755),
    }


def is_static(program: bytes) -> bool:
    """Whether a program is an ELF file for x86-64 that needs no other file (no PT_INTERP; elf(5))."""
    if program[:6] != b"\x7fELF\x02\x01" or program[18:20] != b"\x3e\x00":
        return False
    offset = int.from_bytes(program[32:40], "little")
    size, count = int.from_bytes(program[54:56], "little"), int.from_bytes(program[56:58], "little")
    kinds = (program[offset + n * size : offset + n * size + 4] for n in range(count))
    return all(int.from_bytes(kind, "little") != 3 for kind in kinds)


def unpack_archive(archive: bytes) -> dict[str, tuple[bytes, int]]:
    """The files of an injection archive: bytes and permissions by path. Raises ValueError."""
    try:
        with tarfile.open(fileobj=io.BytesIO(bz2.decompress(archive))) as tar:
            found = {}
            for entry in tar:
                data = tar.extractfile(entry)
                if data is not None:
                    found[entry.name] = (data.read(), entry.mode)
            return found
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ValueError(f"this is no injection archive: {error}") from error


def readdressed(
    archive: bytes, ticket: bytes, host: str, address: str, protocol: str = "http"
) -> tuple[bytes, bytes]:
    """Archive and ticket with another mirror: names cannot be resolved in the twin's isolated network.

    Args:
        archive: the injection archive.
        ticket: the ticket.
        host: the mirror's host as the answers have it, with its port if one is given.
        address: what stands in its place.
        protocol: as the answers have it.
    """
    line = f"d-i mirror/{protocol}/hostname string "

    def changed(data: bytes) -> bytes:
        return data.replace(f"{line}{host}\n".encode(), f"{line}{address}\n".encode())

    files = {
        name: (changed(data) if name.endswith("/preseed.cfg") else data, mode)
        for name, (data, mode) in unpack_archive(archive).items()
    }
    return pack_archive(files), changed(ticket)
