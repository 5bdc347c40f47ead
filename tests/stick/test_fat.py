"""The reader of FAT16 against file systems that mkfs.fat and mtools made, and against broken ones."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.stick.fat import NoFatError, read_file

CONFIG = b"# a menu\n" * 9000 + b'set VENTOY_VERSION="1.1.17"\n'
PATH = ("grub", "grub.cfg")
pytestmark = pytest.mark.needs_tool("mkfs.fat", "mcopy", "mmd")


def reader(data: bytes):
    return lambda offset, count: data[offset : offset + count]


@pytest.fixture(scope="module", params=["1", "4"], ids="{}-sectors-a-cluster".format)
def volume(request, tmp_path_factory):
    """32 MiB as Ventoy's partition 2, with fragmented files and long names among them."""
    folder = tmp_path_factory.mktemp("fat")
    image = folder / "p2"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    run("mkfs.fat", "-F", "16", "-s", request.param, "-n", "VTOYEFI", str(image))
    (folder / "grub.cfg").write_bytes(CONFIG)
    (folder / "a long name.txt").write_bytes(b"x" * 70_000)
    (folder / "empty").touch()
    run("mmd", "-i", str(image), "::/grub", "::/EFI", "::/grub/themes")
    for n in range(60):  # more entries than a cluster of a folder holds
        run("mcopy", "-i", str(image), str(folder / "empty"), f"::/grub/a rather long name {n}.txt")
    run("mcopy", "-i", str(image), str(folder / "a long name.txt"), "::/grub/hole")
    run("mcopy", "-i", str(image), str(folder / "empty"), "::/grub/empty")
    run("mdel", "-i", str(image), "::/grub/hole")
    run("mcopy", "-i", str(image), str(folder / "grub.cfg"), "::/grub/grub.cfg")
    return image.read_bytes()


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, env=os.environ | {"MTOOLS_SKIP_CHECK": "1"})


def test_a_file_in_a_folder_is_read_whole(volume):
    assert read_file(reader(volume), PATH) == CONFIG
    assert read_file(reader(volume), ("GRUB", "Grub.Cfg")) == CONFIG
    assert read_file(reader(volume), ("grub", "empty")) == b""


@pytest.mark.parametrize(
    "path", [("grub.cfg",), ("none", "grub.cfg"), ("grub", "none"), ("grub",), ("grub", "grub.cfg", "x"), ()]
)
def test_what_is_not_there_is_none(volume, path):
    assert read_file(reader(volume), path) is None


@pytest.mark.parametrize("data", [b"", b"\0" * 4096, os.urandom(4096), b"\xff" * 4096])
def test_what_is_no_fat16_is_said(data):
    with pytest.raises(NoFatError):
        read_file(reader(data), PATH)


def test_fat32_is_said(tmp_path: Path):
    image = tmp_path / "x"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("mkfs.fat", "-F", "32", "-s", "1", str(image))
    with pytest.raises(NoFatError, match="FAT32"):
        read_file(reader(image.read_bytes()), PATH)


@given(st.data())
def test_no_damage_makes_it_hang_or_fail_otherwise(volume, data):
    """Bytes of the boot sector, of the table and of the folders are changed at random."""
    broken = bytearray(volume)
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.one_of(st.integers(11, 40), st.integers(512, 4096), st.integers(0, 1 << 19)))
        broken[at] = data.draw(st.integers(0, 255))
    try:
        found = read_file(reader(bytes(broken)), PATH)
    except NoFatError:
        return
    assert found is None or len(found) <= 4 << 20
