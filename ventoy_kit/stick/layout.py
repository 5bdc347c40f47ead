"""Ventoy's disk geometry and the bytes of its partition tables. Pure: no I/O, no randomness.

Partition 1 (images) starts at LBA 2048. Partition 2 (VTOYEFI) is exactly 65536 sectors, follows partition 1
without a gap, and starts at a multiple of 8 sectors. All numbers are in sectors of 512 bytes: Ventoy refuses
disks with other logical sectors.

Sources: Ventoy 1.1.17, INSTALL/tool/ventoy_lib.sh (format_ventoy_disk_mbr, format_ventoy_disk_gpt),
LinuxGUI/Ventoy2Disk/Core/ventoy_disk.c (get_ventoy_layout) and ventoy_util.c (ventoy_fill_gpt),
GRUB2 ventoy_cmd.c (ventoy_check_official_device); UEFI specification 2.10, chapter 5 (GPT).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes

Style = Literal["mbr", "gpt"]
"""How the partitions are written down."""

SECTOR = 512
DATA_START = 2048
"""First sector of partition 1."""
BOOT_SECTORS = 65536
"""Sectors of partition 2: 32 MiB."""
BOOT_LABEL = "VTOYEFI"
"""FAT label of partition 2, and its name in a GPT."""
DATA_NAME = "Ventoy"
"""Name of partition 1 in a GPT, and the label it is formatted with at first; users may change the label."""
ALIGNMENT = 8
"""Partition 2 starts at a multiple of this many sectors (4 KiB)."""
MIN_DATA_SECTORS = 65536
"""The kit's own lower limit for partition 1, 32 MiB: below that there is no room for anything useful."""
MBR_MAX_SECTORS = 2**32
"""Ventoy's installer refuses MBR style above 2 TiB (VentoyWorker.sh)."""
HEAD_SECTORS = 34
"""Sectors at the start of a disk that hold the MBR and a GPT with 128 entries."""
HEAD_BYTES = HEAD_SECTORS * SECTOR

_GPT_TAIL_SECTORS = 33
_GPT_ENTRIES = 128
_GPT_ENTRY_SIZE = 128
_GPT_HEADER_SIZE = 92
_GPT_SIGNATURE = b"EFI PART"
_BASIC_DATA = UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
_HIDDEN_FROM_LETTERS = 1 << 63  # Windows gives the partition no drive letter

_MBR_ENTRIES_AT = 0x1BE
_MBR_UUID_AT = 0x180
_MBR_MARK_AT = 0x190
_MBR_SIGNATURE_AT = 0x1B8
_MBR_START = bytes.fromhex("eb6390") + bytes(45)
_MBR_MARK = bytes.fromhex("5654 0047 6500 4844 0052 6400 2045 720d")
# The jump at offset 0 goes to 0x65: INT 18h (tell the firmware to try its next device), then halt for ever.
_MBR_CODE_AT = 0x65
_MBR_CODE = bytes.fromhex("cd18 f4 ebfd")

_TYPE_DATA = 0x07
_TYPE_EFI = 0xEF
_TYPE_PROTECTIVE = 0xEE


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of sectors of 512 bytes: the first one and how many."""

    start: int
    sectors: int

    @property
    def end(self) -> int:
        """The first sector after the run."""
        return self.start + self.sectors

    @property
    def offset(self) -> int:
        """Bytes before the run."""
        return self.start * SECTOR

    @property
    def size(self) -> int:
        """Bytes in the run."""
        return self.sectors * SECTOR


@dataclass(frozen=True, slots=True)
class Layout:
    """Where Ventoy's two partitions lie on a disk.

    Attributes:
        style: how the partitions are written down.
        disk_sectors: size of the disk.
        data: partition 1, which holds the images.
        boot: partition 2, which holds Ventoy itself.
    """

    style: Style
    disk_sectors: int
    data: Extent
    boot: Extent

    @property
    def size_bytes(self) -> int:
        """Size of the disk in bytes, a multiple of 512."""
        return self.disk_sectors * SECTOR


@dataclass(frozen=True, slots=True)
class NoLayout:
    """A disk that does not have Ventoy's layout, and why not: one sentence each, without a full stop."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DiskIds:
    """Identifiers that a new disk gets. Two disks with equal ids must never be plugged in together.

    Attributes:
        ventoy_uuid: 16 bytes at 0x180 of the MBR; Ventoy finds its stick by them (VtoyTool/vtoydump.c).
        signature: 4 bytes at 0x1B8 of the MBR, the DOS disk signature.
        disk_guid: the GPT's id; unused in MBR style, as are the two that follow.
        data_guid: unique id of partition 1.
        boot_guid: unique id of partition 2.

    Raises:
        ValueError: a byte string has the wrong length.
    """

    ventoy_uuid: bytes
    signature: bytes
    disk_guid: UUID
    data_guid: UUID
    boot_guid: UUID

    def __post_init__(self) -> None:
        if len(self.ventoy_uuid) != 16 or len(self.signature) != 4:
            message = "a Ventoy UUID has 16 bytes and a disk signature 4"
            raise ValueError(message)


def plan_layout(size_bytes: int, style: Style, reserve: int = 0) -> Layout | Finding:
    """Place Ventoy's partitions on a disk of `size_bytes`, as Ventoy's own installer does.

    Args:
        size_bytes: size of the disk; a last incomplete sector is left out.
        style: MBR or GPT.
        reserve: bytes to leave free behind partition 2 (Ventoy's option -r); rounded up to whole sectors.

    Returns:
        The layout, or a finding if the disk is too small, or too large for MBR.
    """
    sectors = size_bytes // SECTOR
    if style == "mbr" and sectors > MBR_MAX_SECTORS:
        return codes.TOO_LARGE_FOR_MBR.finding(
            f"a disk of {size_bytes} bytes is larger than the 2 TiB that an MBR can describe",
            "Use the GPT style.",
        )
    tail = _GPT_TAIL_SECTORS if style == "gpt" else 0
    boot_start = sectors - tail - -(-reserve // SECTOR) - BOOT_SECTORS
    boot_start -= boot_start % ALIGNMENT
    if boot_start - DATA_START < MIN_DATA_SECTORS:
        needed = (DATA_START + MIN_DATA_SECTORS + BOOT_SECTORS + ALIGNMENT + tail) * SECTOR + reserve
        return codes.TOO_SMALL.finding(
            f"{size_bytes} bytes are too few for Ventoy's layout",
            f"Give at least {-(-needed // 2**20)} MiB.",
        )
    data = Extent(DATA_START, boot_start - DATA_START)
    return Layout(style, sectors, data, Extent(boot_start, BOOT_SECTORS))


def boot_records(layout: Layout, ids: DiskIds) -> tuple[tuple[int, bytes], ...]:
    """The bytes of the partition table(s) as (offset, bytes), in ascending order.

    They carry Ventoy's marks and geometry but no boot loader: a BIOS is told to try its next device.
    """
    if layout.style == "mbr":
        entries = _mbr_entry(0x80, _TYPE_DATA, layout.data) + _mbr_entry(0, _TYPE_EFI, layout.boot)
        return ((0, _mbr(entries, ids)),)
    span = min(layout.disk_sectors - 1, 0xFFFFFFFF)
    # Protective MBR as UEFI 5.2.3 wants it: from sector 1 to the end, CHS 0/0/2 to the highest value.
    protective = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", _TYPE_PROTECTIVE, b"\xff\xff\xff", 1, span)
    entries = _gpt_entries(layout, ids)
    last = layout.disk_sectors - 1
    first_copy = _gpt_header(layout, ids, entries, here=1, other=last, table=2)
    second_copy = _gpt_header(layout, ids, entries, here=last, other=1, table=last - 32)
    return (
        (0, _mbr(protective, ids) + first_copy.ljust(SECTOR, b"\0") + entries),
        ((last - 32) * SECTOR, entries + second_copy.ljust(SECTOR, b"\0")),
    )


def _mbr(entries: bytes, ids: DiskIds) -> bytes:
    sector = bytearray(SECTOR)
    sector[: len(_MBR_START)] = _MBR_START
    sector[_MBR_CODE_AT : _MBR_CODE_AT + len(_MBR_CODE)] = _MBR_CODE
    sector[_MBR_UUID_AT : _MBR_UUID_AT + 16] = ids.ventoy_uuid
    sector[_MBR_MARK_AT : _MBR_MARK_AT + 16] = _MBR_MARK
    sector[_MBR_SIGNATURE_AT : _MBR_SIGNATURE_AT + 4] = ids.signature
    sector[_MBR_ENTRIES_AT : _MBR_ENTRIES_AT + len(entries)] = entries
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def _mbr_entry(active: int, kind: int, extent: Extent) -> bytes:
    chs_first, chs_last = _chs(extent.start), _chs(extent.end - 1)
    return struct.pack("<B3sB3sII", active, chs_first, kind, chs_last, extent.start, extent.sectors)


def _chs(sector: int) -> bytes:
    """Cylinder, head, sector with 255 heads and 63 sectors; FE FF FF where that cannot be expressed."""
    cylinder, rest = divmod(sector, 255 * 63)
    if cylinder > 1023:
        return b"\xfe\xff\xff"
    head, index = divmod(rest, 63)
    return bytes((head, (index + 1) | (cylinder >> 8) << 6, cylinder & 0xFF))


def _gpt_entries(layout: Layout, ids: DiskIds) -> bytes:
    rows = (
        (ids.data_guid, layout.data, 0, DATA_NAME),
        (ids.boot_guid, layout.boot, _HIDDEN_FROM_LETTERS, BOOT_LABEL),
    )
    packed = b"".join(
        struct.pack(
            "<16s16sQQQ72s",
            _BASIC_DATA.bytes_le,
            guid.bytes_le,
            extent.start,
            extent.end - 1,
            flags,
            name.encode("utf-16-le"),
        )
        for guid, extent, flags, name in rows
    )
    return packed.ljust(_GPT_ENTRIES * _GPT_ENTRY_SIZE, b"\0")


def _gpt_header(layout: Layout, ids: DiskIds, entries: bytes, *, here: int, other: int, table: int) -> bytes:
    def packed(checksum: int) -> bytes:
        return struct.pack(
            "<8s4sIIIQQQQ16sQIII",
            _GPT_SIGNATURE,
            b"\0\0\1\0",
            _GPT_HEADER_SIZE,
            checksum,
            0,
            here,
            other,
            HEAD_SECTORS,
            layout.disk_sectors - HEAD_SECTORS,
            ids.disk_guid.bytes_le,
            table,
            _GPT_ENTRIES,
            _GPT_ENTRY_SIZE,
            zlib.crc32(entries),
        )

    return packed(zlib.crc32(packed(0)))


def geometry_faults(first: Extent | None, second: Extent | None) -> tuple[str, ...]:
    """What Ventoy's own check (get_ventoy_layout) would object to in partitions 1 and 2; empty if nothing."""
    if first is None or second is None:
        missing = (n for n, extent in ((1, first), (2, second)) if extent is None)
        return (f"it has {' and '.join(f'no partition {n}' for n in missing)}",)
    faults = []
    if first.start != DATA_START:
        faults.append(f"partition 1 starts at sector {first.start}, not {DATA_START}")
    if second.sectors != BOOT_SECTORS:
        faults.append(f"partition 2 has {second.sectors} sectors, not {BOOT_SECTORS}")
    if first.end != second.start:
        faults.append(
            f"partition 2 starts at sector {second.start}, not where partition 1 ends ({first.end})"
        )
    return tuple(faults)


def has_ventoy_mark(sector: bytes) -> bool:
    """Whether an MBR sector has the 64 bytes that Ventoy's boot loader asks for (ventoy_check_official_device)."""
    return sector.startswith(_MBR_START) and sector[_MBR_MARK_AT : _MBR_MARK_AT + 16] == _MBR_MARK


def ventoy_id(sector: bytes) -> str:
    """What Ventoy itself recognises its stick by, as hex: UUID (16 bytes) and disk signature (4 bytes) of the MBR."""
    return (
        sector[_MBR_UUID_AT : _MBR_UUID_AT + 16].hex()
        + sector[_MBR_SIGNATURE_AT : _MBR_SIGNATURE_AT + 4].hex()
    )


def read_layout(head: bytes, size_bytes: int) -> Layout | NoLayout:
    """Recognise Ventoy's layout in the first sectors of a disk.

    Args:
        head: the start of the disk, `HEAD_BYTES` of it for a GPT.
        size_bytes: size of the whole disk; partitions must lie within it.
    """
    if len(head) < SECTOR or head[510:512] != b"\x55\xaa":
        return NoLayout(("it has no partition table (no 55 AA at the end of the first sector)",))
    gpt = head[_MBR_ENTRIES_AT + 4] == _TYPE_PROTECTIVE and head[SECTOR : SECTOR + 8] == _GPT_SIGNATURE
    pair = _read_gpt(head) if gpt else _read_mbr(head)
    if isinstance(pair, str):
        return NoLayout((pair,))
    first, second = pair
    faults = geometry_faults(first, second)
    if first is None or second is None or faults:
        return NoLayout(faults)
    sectors = size_bytes // SECTOR
    if second.end > sectors:
        return NoLayout(
            (f"partition 2 ends at sector {second.end}, but there are only {sectors}: it is cut off",)
        )
    return Layout("gpt" if gpt else "mbr", sectors, first, second)


def claimed_sectors(head: bytes) -> int:
    """How many sectors a disk must have for its partition table to be true; 0 without a table that can be read."""
    if len(head) < SECTOR or head[510:512] != b"\x55\xaa":
        return 0
    gpt = head[_MBR_ENTRIES_AT + 4] == _TYPE_PROTECTIVE and head[SECTOR : SECTOR + 8] == _GPT_SIGNATURE
    if gpt and not isinstance(_read_gpt(head), str):
        return int.from_bytes(head[SECTOR + 32 : SECTOR + 40], "little") + 1  # its copy is in the last sector
    if gpt:
        return 0
    return max(_mbr_extent(head, index).end for index in range(4))


def _mbr_extent(head: bytes, index: int) -> Extent:
    return Extent(*struct.unpack_from("<II", head, _MBR_ENTRIES_AT + 16 * index + 8))


_Pair = tuple[Extent | None, Extent | None]


def _read_mbr(head: bytes) -> _Pair:
    def entry(index: int) -> Extent | None:
        extent = _mbr_extent(head, index)
        return extent if extent.sectors else None

    return entry(0), entry(1)


def _read_gpt(head: bytes) -> _Pair | str:
    header = head[SECTOR : 2 * SECTOR]
    size, checksum = struct.unpack_from("<II", header, 12)
    if not _GPT_HEADER_SIZE <= size <= SECTOR:
        return f"its GPT header claims a size of {size} bytes"
    if zlib.crc32(header[:16] + bytes(4) + header[20:size]) != checksum:
        return "the checksum of its GPT header is wrong"
    table, count, entry_size, entries_checksum = struct.unpack_from("<QIII", header, 72)
    entries = head[table * SECTOR : table * SECTOR + count * entry_size]
    if entry_size < _GPT_ENTRY_SIZE or count < 2 or len(entries) != count * entry_size:
        return f"its GPT has {count} entries of {entry_size} bytes at sector {table}, not Ventoy's 128 of 128 at 2"
    if zlib.crc32(entries) != entries_checksum:
        return "the checksum of its GPT entries is wrong"

    def entry(index: int) -> Extent | None:
        row = entries[index * entry_size : (index + 1) * entry_size]
        first, last = struct.unpack_from("<QQ", row, 32)
        return Extent(first, last - first + 1) if any(row[:16]) and last >= first else None

    return entry(0), entry(1)
