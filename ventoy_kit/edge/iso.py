"""ISO 9660 files, read and written with pycdlib. Nothing here knows what an installer is.

pycdlib is imported inside the functions: it is large, and most commands do not need it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from ventoy_kit.edge.files import write_atomic
from ventoy_kit.ports import RawIso, UnreadableIsoError

_DESCRIPTOR: Final = 16 * 2048
"""Where the primary volume descriptor of every ISO begins (ECMA-119, 6.2.1)."""

_AUTHORED_AT: Final = 1_735_689_600.0
"""The time in all dates of an ISO that the kit writes: 2025-01-01 00:00 UTC."""

_PLATFORMS: Final = {0x00: "bios", 0xEF: "uefi"}
"""El Torito platform ids (El Torito 1.0, 2.1; UEFI 2.10, 13.3.2.1)."""

_BOOTABLE: Final = 0x88


class PycdlibIsoReader:
    """Reads ISO files: the descriptors, the directories and the few small files that were asked for."""

    def read(self, path: Path, wanted: Sequence[str], *, limit: int) -> RawIso:
        """Read the facts of one ISO; the file is closed again in any case.

        Of a file that is shorter than its volume nothing but the descriptor is read: what is missing may be
        anything, and `volume_size` above `size` tells it.

        Args:
            path: the ISO file.
            wanted: absolute paths on the ISO.
            limit: contents of files larger than this many bytes are not read; they are only found present.

        Raises:
            UnreadableIsoError: the file is no ISO 9660 image or is damaged.
            OSError: the file cannot be opened or read.
        """
        with _ordinary(path) as file:
            size = os.fstat(file.fileno()).st_size
            volume_id, claimed = _descriptor(path, file, size)
            if claimed > size:
                return RawIso(size, volume_id, claimed, {}, frozenset(), frozenset())
            with _opened(path, file) as iso:
                files, present = _contents(iso, wanted, limit)
                return RawIso(size, volume_id, claimed, files, present, _platforms(iso.eltorito_boot_catalog))

    def names(self, path: Path) -> tuple[str, ...]:
        """The absolute paths of all ordinary files, sorted; names as in `read`, links left out.

        Raises:
            UnreadableIsoError: the file is no ISO 9660 image or is damaged.
            OSError: the file cannot be opened or read.
        """
        with _ordinary(path) as file, _opened(path, file) as iso:
            tree = _tree(iso)
            found = []
            for folder, _, names in iso.walk(**{tree: "/"}):
                for name in names:
                    at = f"{folder.rstrip('/')}/{name}"
                    record = iso.get_record(**{tree: at})
                    if record.rock_ridge is None or not record.rock_ridge.is_symlink():
                        found.append(at.split(";", maxsplit=1)[0].rstrip(".") if tree == "iso_path" else at)
            return tuple(sorted(found))


@contextlib.contextmanager
def _ordinary(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading. A folder gives the system's own error."""
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise UnreadableIsoError(f"{path} is no ordinary file.")
    with path.open("rb") as file:
        yield file


@contextlib.contextmanager
def _opened(path: Path, file: BinaryIO) -> Iterator[Any]:
    """The image through pycdlib; whatever that raises over a damaged one comes out as UnreadableIsoError."""
    from pycdlib import PyCdlib

    iso = PyCdlib()
    try:
        iso.open_fp(file)
        yield iso
    except OSError as error:
        # A seek to where no file can reach comes from a damaged number, not from the machine.
        if error.errno not in (None, errno.EINVAL, errno.EOVERFLOW):
            raise
        raise _damaged(path, error) from error
    except Exception as error:  # pycdlib lets struct.error, IndexError and others through
        raise _damaged(path, error) from error


def _tree(iso: Any) -> str:
    """Which of the names on the image count."""
    return "rr_path" if iso.has_rock_ridge() else "joliet_path" if iso.has_joliet() else "iso_path"


def _descriptor(path: Path, file: BinaryIO, size: int) -> tuple[str, int]:
    """Identifier and size in bytes from the primary volume descriptor (ECMA-119, 8.4.7, 8.4.8 and 8.4.12)."""
    if size == 0:
        raise UnreadableIsoError(f"{path} is empty.")
    file.seek(_DESCRIPTOR)
    descriptor = file.read(2048)
    if len(descriptor) < 2048 or descriptor[:6] != b"\x01CD001":
        raise UnreadableIsoError(f"{path} is no ISO image: it has no volume descriptor.")
    (blocks,) = struct.unpack_from("<I", descriptor, 80)
    (block_size,) = struct.unpack_from("<H", descriptor, 128)
    return descriptor[40:72].decode("utf-8", "replace").strip(" \0"), int(blocks) * int(block_size)


def _damaged(path: Path, error: Exception) -> UnreadableIsoError:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return UnreadableIsoError(f"{path} cannot be read as an ISO image ({reason}).")


def _contents(iso: Any, wanted: Sequence[str], limit: int) -> tuple[dict[str, bytes], frozenset[str]]:
    """The contents of the small ones among the wanted files, and which of all exist."""
    files = {}
    present = set()
    for name in wanted:
        found = _find(iso, name)
        if found is None:
            continue
        present.add(name)
        record, tree, actual = found
        length = record.get_data_length()
        if length <= limit:
            content = io.BytesIO()
            if length:
                iso.get_file_from_iso_fp(content, **{tree: actual})
            files[name] = content.getvalue()
            if len(files[name]) != length:
                raise UnreadableIsoError(f"{name} lies beyond the end of the image")
    return files, frozenset(present)


def _find(iso: Any, wanted: str) -> tuple[Any, str, str] | None:
    """An ordinary file on the ISO: its record, the tree it was found in, and its path in that tree.

    Rock Ridge names are what Linux and GRUB see and are compared exactly. Without them the Joliet names count,
    then the plain ones; those are compared without regard to case, since authoring tools change it.
    """
    tree = _tree(iso)
    parts = wanted.strip("/").split("/")
    here = ""
    record = None
    for depth, part in enumerate(parts):
        record = _child(iso, tree, here or "/", part)
        if record is None or record.is_dir() is (depth == len(parts) - 1):
            return None
        here += "/" + (part if tree == "rr_path" else _identifier(record, tree))
    if record is None or (record.rock_ridge is not None and record.rock_ridge.is_symlink()):
        return None
    return record, tree, here


def _child(iso: Any, tree: str, folder: str, name: str) -> Any:
    """The entry of this name in a folder, or None."""
    alike = None
    for record in iso.list_children(**{tree: folder}):
        if record is None or record.is_dot() or record.is_dotdot():
            continue
        if tree == "rr_path":
            if record.rock_ridge is not None and record.rock_ridge.name() == name.encode():
                return record
            continue
        plain = _identifier(record, tree).split(";")[0].rstrip(".")
        if plain == name:
            return record
        if plain.casefold() == name.casefold():
            alike = alike or record
    return alike


def _identifier(record: Any, tree: str) -> str:
    """The name of a record as its directory holds it."""
    identifier: bytes = record.file_identifier()
    return identifier.decode("utf-16-be" if tree == "joliet_path" else "utf-8", "replace")


def _platforms(catalog: Any) -> frozenset[str]:
    """The platforms for which an El Torito catalog holds a bootable entry."""
    if catalog is None:
        return frozenset()
    entries = [(catalog.validation_entry.platform_id, catalog.initial_entry)]
    entries += [
        (section.platform_id, entry) for section in catalog.sections for entry in section.section_entries
    ]
    return frozenset(
        _PLATFORMS[platform]
        for platform, entry in entries
        if platform in _PLATFORMS and entry.boot_indicator == _BOOTABLE
    )


def write_iso(
    files: Mapping[str, bytes], volume_id: str, out: Path, *, bios: str | None = None, uefi: str | None = None
) -> None:
    """Write an ISO 9660 image with Rock Ridge and Joliet names. The same input gives the same bytes anywhere, ever.

    The image is written under a temporary name, flushed to the disk and renamed: `out` is whole or absent.

    Args:
        files: contents by absolute path, for instance `/boot/grub/grub.cfg`.
        volume_id: at most 16 characters (the limit of Joliet).
        out: the file to write; replaced if it exists.
        bios: which of the files is the El Torito boot image for BIOS (no emulation, 2048 bytes are loaded).
        uefi: which of the files is the El Torito boot image for UEFI.

    Raises:
        ValueError: a name or the volume identifier does not fit the format.
        StorageError: the disk failed or is full.
    """
    write_atomic(out, _authored(files, volume_id, bios, uefi))


def _authored(files: Mapping[str, bytes], volume_id: str, bios: str | None, uefi: str | None) -> bytes:
    from pycdlib import PyCdlib
    from pycdlib.pycdlibexception import PyCdlibException

    plain = _plain_paths(files)
    out = io.BytesIO()
    with _fixed_clock():
        iso: Any = PyCdlib()
        try:
            iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=volume_id)
            for path in sorted(plain):
                name = path.rsplit("/", 1)[1]
                where = {"iso_path": plain[path], "rr_name": name, "joliet_path": path}
                if path in files:
                    iso.add_fp(io.BytesIO(files[path]), len(files[path]), file_mode=0o100444, **where)
                else:
                    iso.add_directory(file_mode=0o040555, **where)
            catalog = {
                "bootcatfile": "/BOOT.CAT;1",
                "rr_bootcatname": "boot.cat",
                "joliet_bootcatfile": "/boot.cat",
            }
            if bios is not None:
                iso.add_eltorito(plain[bios], boot_load_size=4, **catalog)
            if uefi is not None:
                iso.add_eltorito(plain[uefi], efi=True, platform_id=0xEF, **catalog)
            iso.write_fp(out)
            iso.close()
        except PyCdlibException as error:
            raise ValueError(str(error)) from error
    return out.getvalue()


def _plain_paths(files: Mapping[str, bytes]) -> dict[str, str]:
    """For every file and every folder above one, its path in plain ISO 9660 names (level 3, unique in its folder)."""
    plain = {"": ""}
    taken: set[str] = set()
    for path in sorted(files):
        parts = path.split("/")[1:]
        for depth in range(1, len(parts) + 1):
            whole = "/" + "/".join(parts[:depth])
            if whole in plain:
                continue
            is_file = depth == len(parts)
            above = plain["/" + "/".join(parts[: depth - 1]) if depth > 1 else ""]
            number = 0
            while (name := f"{above}/{_plain_name(parts[depth - 1], number, is_file=is_file)}") in taken:
                number += 1
            taken.add(name)
            plain[whole] = name
    del plain[""]
    return plain


def _plain_name(name: str, number: int, *, is_file: bool) -> str:
    """A name in the character set of ISO 9660 (ECMA-119, 7.4 to 7.6); `number` above 0 makes it another one."""
    stem, _, extension = name.rpartition(".") if is_file and "." in name[1:] else (name, "", "")
    mark = f"_{number}" if number else ""
    stem = _allowed(stem)[: 18 - len(mark)] + mark
    return f"{stem}.{_allowed(extension)[:8]};1" if is_file else stem


def _allowed(text: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in text).upper()


class _FixedClock:
    """Takes the place of the module `time` in pycdlib: always the same moment, always UTC."""

    gmtime = localtime = staticmethod(time.gmtime)
    strftime = staticmethod(time.strftime)

    @staticmethod
    def time() -> float:
        return _AUTHORED_AT


_CLOCK_LOCK: Final = threading.Lock()


@contextlib.contextmanager
def _fixed_clock() -> Iterator[None]:
    """Let pycdlib write fixed dates.

    It has no argument for most of them (1.22: `headervd`, `dates` and `pycdlib` read the clock and the time zone
    themselves), so its modules get another clock for as long as it writes. A test compares the bytes.
    """
    from pycdlib import dates, headervd, pycdlib, utils

    modules: tuple[Any, ...] = (dates, headervd, pycdlib, utils)
    with _CLOCK_LOCK:
        for module in modules:
            module.time = _FixedClock
        try:
            yield
        finally:
            for module in modules:
                module.time = time
