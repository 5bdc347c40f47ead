"""All forms in which one can have Ventoy give the same stick."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.support import ventoy_stick
from ventoy_kit.stick.layout import BOOT_SECTORS, SECTOR

pytestmark = pytest.mark.needs_tool("mcopy", "git", "cpio", "xz", "mkfs.exfat", "mkfs.fat")
CORE = bytes(range(256)) * 1500  # stands for GRUB's; where its parts lie is looked at
BOOT = b"\xeb\x63\x90" + bytes(0x59) + b"\1" + bytes(0x133) + b"VT\0Ge\0HD\0Rd\0 Er\r" + bytes(0x60)


def partition(image: Path) -> bytes:
    with image.open("rb") as file:
        file.seek(ventoy_stick.layout_of(image).boot.offset)
        return file.read(BOOT_SECTORS * SECTOR)


def test_a_release_and_a_disk_give_the_same_stick(tmp_path: Path):
    source = ventoy_stick.source()
    assert source is not None
    files = partition(ventoy_stick.base_image(source, CACHE))
    release = tmp_path / "release"
    for name, data in {
        "boot/boot.img": BOOT,
        "boot/core.img.xz": lzma.compress(CORE, preset=0),
        "ventoy/ventoy.disk.img.xz": lzma.compress(files, preset=0),
    }.items():
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_bytes(data)
    gpt = ventoy_stick.base_image(release, tmp_path / "a", "gpt")
    mbr = ventoy_stick.base_image(gpt, tmp_path / "b", "mbr")
    assert partition(gpt) == partition(mbr) == files
    with gpt.open("rb") as file:
        assert file.read(SECTOR)[0x5C] == 34
        assert file.read(8) == b"EFI PART"
        file.seek(34 * SECTOR)
        assert file.read(len(CORE)) == CORE[:500] + b"\x23" + CORE[501:]
    with mbr.open("rb") as file:
        head = file.read(SECTOR)
        assert head[0x5C] == 1
        assert head[0x190:0x1A0] == BOOT[0x190:0x1A0]
        assert head[0x180:0x190] not in (bytes(16), BOOT[0x180:0x190])
        assert file.read(len(CORE)) == CORE[:500] + b"\2" + CORE[501:]


def test_what_holds_no_ventoy_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="is no source tree, no unpacked release and no disk with Ventoy"):
        ventoy_stick.base_image(tmp_path, tmp_path / "cache")
    (tmp_path / "disk.img").write_bytes(bytes(1 << 20))
    with pytest.raises(ValueError, match="has no Ventoy"):
        ventoy_stick.base_image(tmp_path / "disk.img", tmp_path / "cache")
