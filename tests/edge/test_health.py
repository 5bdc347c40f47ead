"""File systems that were not released properly: real ones, marked, whole or damaged. Nothing is ever repaired."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from ventoy_kit.edge import mounts
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.health import insist_on_health
from ventoy_kit.edge.mounts import mounted_image
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.stick.layout import Layout, plan_layout

PROCESS = SystemProcess(mounts.PACKAGES)
MIB = 1 << 20
MARKS = {"exfat": (0x6A, 0x02), "ext4": (1024 + 0x3A, 0x02), "vfat": (0x25, 0x01)}
MAKE = {
    "exfat": ["mkfs.exfat", "-c", "4K"],
    "ext4": ["mkfs.ext4", "-q", "-F", "-O", "^metadata_csum"],
    "vfat": ["mkfs.fat", "-F", "16"],
}
tools = pytest.mark.needs_tool("mkfs.exfat", "mkfs.ext4", "mkfs.fat", "fsck.exfat", "e2fsck", "fsck.fat")


def made(path: Path, fs_type: str) -> Path:
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    subprocess.run([*MAKE[fs_type], str(path)], check=True, capture_output=True)
    return path


def patch(path: Path, offset: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte | bits]))


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Never:
    def run(self, argv, *, timeout):
        raise AssertionError(argv)


@tools
@pytest.mark.parametrize("fs_type", MARKS)
def test_a_file_system_that_was_released_is_not_checked(tmp_path, fs_type):
    insist_on_health(Never(), made(tmp_path / "x", fs_type), fs_type)


@tools
@pytest.mark.parametrize("fs_type", ["exfat", "ext4"])
def test_one_that_is_marked_and_whole_passes_and_is_not_touched(tmp_path, fs_type):
    path = made(tmp_path / "x", fs_type)
    patch(path, *MARKS[fs_type])
    before = sha(path)
    insist_on_health(PROCESS, path, fs_type)
    assert sha(path) == before


def broken_exfat(path: Path) -> None:
    """The volume's bitmap starts behind the end of the cluster heap: the root directory holds its entry."""
    data = bytearray(path.read_bytes())
    sector = 1 << data[108]
    cluster = sector << data[109]
    heap, root = (int.from_bytes(data[at : at + 4], "little") for at in (88, 96))
    at = heap * sector + (root - 2) * cluster
    entry = next(o for o in range(at, at + cluster, 32) if data[o] == 0x81)
    data[entry + 20 : entry + 24] = b"\xf0\xff\xff\x0f"
    path.write_bytes(data)


@tools
def test_a_damaged_exfat_is_refused_with_the_command_for_it(tmp_path):
    path = made(tmp_path / "x", "exfat")
    broken_exfat(path)
    patch(path, *MARKS["exfat"])
    before = sha(path)
    with pytest.raises(StorageError, match="not unmounted properly and is damaged") as caught:
        insist_on_health(PROCESS, path, "exfat")
    assert f"sudo fsck.exfat -y {path}" in caught.value.hint
    assert sha(path) == before


@tools
def test_a_damaged_ext4_is_refused(tmp_path):
    path = made(tmp_path / "x", "ext4")
    patch(path, *MARKS["ext4"])
    with path.open("r+b") as file:  # the free blocks that the superblock counts
        file.seek(1024 + 12)
        file.write(b"\x01\0\0\0")
    subprocess.run(["debugfs", "-w", "-R", "clri <2>", str(path)], check=True, capture_output=True)
    with pytest.raises(StorageError, match="is damaged") as caught:
        insist_on_health(PROCESS, path, "ext4")
    assert "e2fsck -f -y" in caught.value.hint


@tools
def test_a_marked_one_that_nobody_can_check_is_refused(tmp_path):
    class Bare:
        def run(self, argv, *, timeout):
            raise MissingToolError("x", "Install the package exfatprogs.")

    path = made(tmp_path / "x", "exfat")
    patch(path, *MARKS["exfat"])
    with pytest.raises(MissingToolError, match=r"fsck\.exfat is not there") as caught:
        insist_on_health(Bare(), path, "exfat")
    assert "exfatprogs" in caught.value.hint


def test_what_cannot_be_read_is_left_to_whoever_mounts_it(tmp_path):
    insist_on_health(Never(), tmp_path / "gone", "exfat")


@tools
@pytest.mark.needs_root
@pytest.mark.needs_tool("losetup", "mount.exfat-fuse")
class TestImages:
    @pytest.fixture
    def image(self, tmp_path):
        layout = plan_layout(100 * MIB, "mbr")
        assert isinstance(layout, Layout)
        create_image(PROCESS, tmp_path / "s.img", layout, new_ids())
        return tmp_path / "s.img", layout

    def test_releasing_takes_the_mark_away(self, image):
        path, layout = image
        patch(path, layout.data.offset + 0x6A, 0x02)
        with mounted_image(PROCESS, path, layout, "exfat"):
            pass
        with path.open("rb") as file:
            file.seek(layout.data.offset + 0x6A)
            assert file.read(1)[0] & 0x02 == 0

    def test_a_damaged_image_is_refused_with_a_command_that_works_on_images(self, image, tmp_path):
        path, layout = image
        part = tmp_path / "part"
        with path.open("rb") as file:
            file.seek(layout.data.offset)
            part.write_bytes(file.read(layout.data.size))
        broken_exfat(part)
        patch(part, *MARKS["exfat"])
        with path.open("r+b") as file:
            file.seek(layout.data.offset)
            file.write(part.read_bytes())
        with (
            pytest.raises(StorageError, match="is damaged") as caught,
            mounted_image(PROCESS, path, layout, "exfat"),
        ):
            pytest.fail("it was mounted")
        _, _, command = caught.value.hint.partition("again: ")
        shell = command.replace("sudo ", "")
        subprocess.run(["sh", "-c", shell], capture_output=True, check=False)
        assert subprocess.run(["losetup", "-n", "-j", str(path)], capture_output=True, text=True).stdout == ""
