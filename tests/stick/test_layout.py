"""Ventoy's layout: planned, written and read back; against Ventoy's own arithmetic."""

import struct
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.layout import (
    BOOT_SECTORS,
    DATA_START,
    HEAD_BYTES,
    MIN_DATA_SECTORS,
    SECTOR,
    DiskIds,
    Extent,
    Layout,
    NoLayout,
    boot_records,
    claimed_sectors,
    has_ventoy_mark,
    plan_layout,
    read_layout,
    ventoy_id,
)

IDS = DiskIds(
    bytes(range(16)),
    b"\xde\xad\xbe\xef",
    UUID("11111111-2222-3333-4444-555555555555"),
    UUID("66666666-7777-8888-9999-aaaaaaaaaaaa"),
    UUID("bbbbbbbb-cccc-dddd-eeee-ffffffffffff"),
)
STYLES = st.sampled_from(["mbr", "gpt"])
SIZES = st.integers(80 << 20, 2 << 40)


def head_of(layout: Layout) -> bytes:
    return dict(boot_records(layout, IDS))[0].ljust(HEAD_BYTES, b"\0")


def planned(size, style, reserve=0) -> Layout:
    layout = plan_layout(size, style, reserve)
    assert isinstance(layout, Layout)
    return layout


@given(SIZES, STYLES, st.integers(0, 8 << 20))
def test_a_planned_layout_obeys_ventoys_rules(size, style, reserve):
    layout = planned(size, style, reserve)
    assert layout.data.start == DATA_START
    assert layout.boot.sectors == BOOT_SECTORS
    assert layout.boot.start == layout.data.end
    assert layout.boot.start % 8 == 0
    tail = 33 if style == "gpt" else 0
    assert 0 <= size // SECTOR - tail - reserve / SECTOR - layout.boot.end < 9


@given(SIZES, STYLES)
def test_what_is_written_is_read_back(size, style):
    layout = planned(size, style)
    assert read_layout(head_of(layout), layout.size_bytes) == layout


# Worked out by hand from the shell arithmetic of ventoy_lib.sh (format_ventoy_disk_mbr / _gpt).
@pytest.mark.parametrize(
    ("sectors", "style", "reserve", "start"),
    [
        (31_260_672, "mbr", 0, 31_195_136),
        (31_260_675, "mbr", 0, 31_195_136),
        (31_260_672, "gpt", 0, 31_195_096),
        (31_260_673, "gpt", 0, 31_195_104),
        (31_260_672, "mbr", 100 << 20, 30_990_336),
        (31_260_672, "gpt", 100 << 20, 30_990_296),
    ],
)
def test_partition_2_starts_where_ventoys_installer_puts_it(sectors, style, reserve, start):
    assert planned(sectors * SECTOR, style, reserve).boot.start == start


@pytest.mark.parametrize("style", ["mbr", "gpt"])
def test_the_smallest_disk_is_found_exactly(style):
    smallest = (DATA_START + MIN_DATA_SECTORS + BOOT_SECTORS + (33 if style == "gpt" else 0)) * SECTOR
    assert planned(smallest, style).data.sectors == MIN_DATA_SECTORS
    too_small = plan_layout(smallest - SECTOR, style)
    assert isinstance(too_small, Finding)
    assert too_small.rule is codes.TOO_SMALL
    assert str(smallest - SECTOR) in too_small.message
    assert isinstance(plan_layout(smallest, style, reserve=1 << 20), Finding)


@pytest.mark.parametrize("size", [0, 1, SECTOR, 32 << 20])
def test_tiny_sizes_are_refused(size):
    assert isinstance(plan_layout(size, "gpt"), Finding)


def test_the_remedy_of_a_too_small_disk_is_enough():
    finding = plan_layout(1 << 20, "gpt", 5 << 20)
    assert isinstance(finding, Finding)
    mebibytes = int(finding.remedy.split()[-2])
    assert isinstance(plan_layout(mebibytes << 20, "gpt", 5 << 20), Layout)


def test_mbr_ends_at_two_tebibytes_and_gpt_does_not():
    finding = plan_layout((2 << 40) + SECTOR, "mbr")
    assert isinstance(finding, Finding)
    assert finding.rule is codes.TOO_LARGE_FOR_MBR
    edge = planned(2 << 40, "mbr")
    assert read_layout(head_of(edge), edge.size_bytes) == edge
    huge = planned(20 << 40, "gpt")
    assert read_layout(head_of(huge), huge.size_bytes) == huge


def test_the_mbr_holds_ventoys_bytes():
    mbr = head_of(planned(1 << 30, "mbr"))[:SECTOR]
    assert mbr[:0x30] == b"\xeb\x63\x90" + bytes(45)
    assert mbr[0x180:0x190] == IDS.ventoy_uuid
    assert mbr[0x190:0x1A0] == b"VT\0Ge\0HD\0Rd\0 Er\r"
    assert mbr[0x1B8:0x1BC] == IDS.signature
    assert mbr[0x1BC:0x1BE] == b"\0\0"
    assert (mbr[0x1BE], mbr[0x1C2]) == (0x80, 0x07)
    assert (mbr[0x1CE], mbr[0x1D2]) == (0x00, 0xEF)
    assert mbr[0x1DE:0x1FE] == bytes(32)
    assert mbr[510:] == b"\x55\xaa"
    assert has_ventoy_mark(mbr)
    assert ventoy_id(mbr) == (IDS.ventoy_uuid + IDS.signature).hex()
    assert not has_ventoy_mark(mbr.replace(b"HD", b"hd"))
    assert not has_ventoy_mark(b"\xeb\x3c" + mbr[2:])
    # the jump at 0 reaches INT 18h, so a BIOS goes on to its next device
    assert mbr[2 + 0x63 :].startswith(b"\xcd\x18")


def test_both_gpt_copies_are_consistent():
    layout = planned(1 << 30, "gpt")
    (start, first), (tail, second) = boot_records(layout, IDS)
    assert start == 0
    assert tail + len(second) == layout.size_bytes
    entries, header = second[:-SECTOR], second[-SECTOR:]
    assert first[2 * SECTOR :] == entries
    primary = first[SECTOR : 2 * SECTOR]
    for copy in (primary, header):
        assert zlib.crc32(copy[:16] + bytes(4) + copy[20:92]) == struct.unpack_from("<I", copy, 16)[0]
        assert zlib.crc32(entries) == struct.unpack_from("<I", copy, 88)[0]
    last = layout.disk_sectors - 1
    assert struct.unpack_from("<QQ", primary, 24) == (1, last)
    assert struct.unpack_from("<QQ", header, 24) == (last, 1)
    assert struct.unpack_from("<Q", header, 72) == (last - 32,)
    assert layout.boot.end - 1 <= struct.unpack_from("<Q", primary, 48)[0] < last - 32
    assert struct.unpack_from("<Q", entries, 128 + 48) == (1 << 63,)
    assert entries[128 + 56 :].startswith("VTOYEFI\0".encode("utf-16-le"))


def patched(head: bytes, offset: int, data: bytes) -> bytes:
    return head[:offset] + data + head[offset + len(data) :]


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (0x1BE + 8, struct.pack("<I", 63), "partition 1 starts at sector 63, not 2048"),
        (0x1CE + 12, struct.pack("<I", 65535), "partition 2 has 65535 sectors, not 65536"),
        (0x1CE + 8, struct.pack("<I", 999_999), "partition 2 starts at sector 999999"),
        (0x1CE, bytes(16), "it has no partition 2"),
        (0x1BE, bytes(32), "it has no partition 1 and no partition 2"),
        (510, b"\0\0", "no partition table"),
    ],
)
def test_a_changed_mbr_is_refused_with_the_reason(offset, data, reason):
    layout = planned(1 << 30, "mbr")
    found = read_layout(patched(head_of(layout), offset, data), layout.size_bytes)
    assert isinstance(found, NoLayout)
    assert any(reason in line for line in found.reasons), found.reasons


@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (SECTOR + 40, b"\xff", "checksum of its GPT header"),
        (2 * SECTOR + 32, b"\x01", "checksum of its GPT entries"),
        (SECTOR + 12, struct.pack("<I", 4096), "claims a size of 4096"),
    ],
)
def test_a_damaged_gpt_is_refused_with_the_reason(offset, data, reason):
    layout = planned(1 << 30, "gpt")
    found = read_layout(patched(head_of(layout), offset, data), layout.size_bytes)
    assert isinstance(found, NoLayout)
    assert reason in found.reasons[0]


def test_a_head_too_short_for_its_gpt_is_refused():
    layout = planned(1 << 30, "gpt")
    found = read_layout(head_of(layout)[: 4 * SECTOR], layout.size_bytes)
    assert isinstance(found, NoLayout)


def test_a_truncated_image_is_refused():
    layout = planned(1 << 30, "mbr")
    found = read_layout(head_of(layout), layout.size_bytes - 4096)
    assert isinstance(found, NoLayout)
    assert "cut off" in found.reasons[0]


def test_a_disk_with_more_partitions_than_ventoys_is_still_ventoys():
    layout = planned(1 << 30, "mbr", 64 << 20)
    third = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", layout.boot.end, 4096)
    assert read_layout(patched(head_of(layout), 0x1DE, third), layout.size_bytes) == layout


@given(st.binary(max_size=2048), st.integers(0, 1 << 40), st.booleans())
def test_any_bytes_give_an_answer(head, size, marked):
    if marked and len(head) >= 520:
        head = patched(patched(head, 510, b"\x55\xaa"), 512, b"EFI PART")
        head = patched(head, 0x1C2, b"\xee")
    found = read_layout(head, size)
    assert isinstance(found, Layout) or found.reasons


def test_ids_of_wrong_length_are_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        DiskIds(b"short", b"1234", IDS.disk_guid, IDS.data_guid, IDS.boot_guid)


def test_an_extent_counts_in_bytes_too():
    assert (Extent(2, 3).end, Extent(2, 3).offset, Extent(2, 3).size) == (5, 1024, 1536)


@given(SIZES, STYLES)
def test_a_table_says_for_how_large_a_disk_it_was_written(size, style):
    layout = planned(size, style)
    wanted = layout.disk_sectors if style == "gpt" else layout.boot.end
    assert claimed_sectors(head_of(layout)) == wanted


@pytest.mark.parametrize("head", [b"", bytes(HEAD_BYTES), b"\xff" * HEAD_BYTES])
def test_without_a_table_nothing_is_claimed(head):
    assert claimed_sectors(head) == 0


def test_a_damaged_gpt_claims_nothing():
    head = bytearray(head_of(planned(1 << 30, "gpt")))
    head[SECTOR + 40] ^= 1
    assert claimed_sectors(bytes(head)) == 0
