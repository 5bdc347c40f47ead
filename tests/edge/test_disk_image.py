"""Making and reading disk images, checked with the programs of the field."""

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

from ventoy_kit.edge import disk_image
from ventoy_kit.edge.disk_image import create_image, examine_image, new_ids, read_image_layout
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.stick.image import judge_image
from ventoy_kit.stick.layout import Layout, NoLayout, plan_layout

pytestmark = pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "blkid")
PROCESS = SystemProcess(disk_image.PACKAGES)


def planned(size=100 << 20, style="mbr") -> Layout:
    layout = plan_layout(size, style)
    assert isinstance(layout, Layout)
    return layout


def output_of(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=["mbr", "gpt"])
def image(request, tmp_path) -> tuple[Path, Layout]:
    layout = planned(style=request.param)
    path = tmp_path / "stick.img"
    create_image(PROCESS, path, layout, new_ids())
    return path, layout


def test_an_image_is_what_it_should_be(image):
    path, layout = image
    assert read_image_layout(path) == layout
    facts = examine_image(PROCESS, path)
    assert (facts.data_fs_type, facts.boot_fs_type, facts.boot_label) == ("exfat", "vfat", "VTOYEFI")
    assert judge_image(facts).ok
    status = path.stat()
    assert status.st_size == layout.size_bytes
    assert status.st_blocks * 512 < 8 << 20
    assert status.st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["stick.img"]


@pytest.mark.needs_tool("sfdisk")
def test_sfdisk_agrees(image):
    path, layout = image
    output_of("sfdisk", "--verify", str(path))
    table = json.loads(output_of("sfdisk", "--json", str(path)))["partitiontable"]
    first, second = table["partitions"]
    assert (first["start"], first["size"]) == (layout.data.start, layout.data.sectors)
    assert (second["start"], second["size"]) == (layout.boot.start, 65536)
    if layout.style == "mbr":
        assert table["label"] == "dos"
        assert (first["type"], first["bootable"], second["type"]) == ("7", True, "ef")
        assert "bootable" not in second
    else:
        assert table["label"] == "gpt"
        assert {p["type"] for p in (first, second)} == {"EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"}
        assert (first["name"], second["name"], second["attrs"]) == ("Ventoy", "VTOYEFI", "GUID:63")


@pytest.mark.needs_tool("sgdisk")
def test_sgdisk_agrees(tmp_path):
    path = tmp_path / "gpt.img"
    create_image(PROCESS, path, planned(style="gpt"), new_ids())
    assert "No problems found" in output_of("sgdisk", "--verify", str(path))


@pytest.mark.needs_tool("fsck.exfat", "fsck.fat")
def test_the_file_systems_are_clean_and_of_the_exact_size(image, tmp_path):
    path, layout = image
    for extent, checker in ((layout.data, ["fsck.exfat", "-n"]), (layout.boot, ["fsck.fat", "-n", "-v"])):
        part = tmp_path / "part"
        with path.open("rb") as whole, part.open("wb") as out:
            whole.seek(extent.offset)
            out.write(whole.read(extent.size))
        report = output_of(*checker, str(part))
        assert "ERROR" not in report
    assert "65536 sectors total" in report
    with path.open("rb") as whole:
        whole.seek(layout.data.offset + 72)  # VolumeLength in exFAT's boot sector
        assert int.from_bytes(whole.read(8), "little") == layout.data.sectors


@pytest.mark.needs_tool("mkfs.ext4")
def test_the_data_partition_can_be_ext4(tmp_path):
    path = tmp_path / "s.img"
    create_image(PROCESS, path, planned(), new_ids(), filesystem="ext4")
    assert examine_image(PROCESS, path).data_fs_type == "ext4"


def test_a_large_image_is_sparse(tmp_path):
    path = tmp_path / "large.img"
    create_image(PROCESS, path, planned(64 << 30, "gpt"), new_ids())
    assert path.stat().st_blocks * 512 < 32 << 20


def test_every_image_gets_its_own_ids():
    first, second = new_ids(), new_ids()
    assert first.ventoy_uuid != second.ventoy_uuid
    assert first.signature != second.signature
    assert len({first.disk_guid, first.data_guid, first.boot_guid, second.disk_guid}) == 4


@pytest.mark.parametrize("kind", ["file", "directory", "fifo", "link", "dangling"])
def test_nothing_is_overwritten(tmp_path, kind):
    path = tmp_path / "x.img"
    if kind == "file":
        path.write_bytes(b"precious")
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null" if kind == "link" else tmp_path / "nowhere")
    before = path.lstat()
    with pytest.raises(FileExistsError):
        create_image(PROCESS, path, planned(), new_ids())
    assert path.lstat() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "x.img"

    class Meddler:
        def run(self, argv, *, timeout):
            path.write_bytes(b"precious")
            return PROCESS.run(argv, timeout=timeout)

    with pytest.raises(FileExistsError):
        create_image(Meddler(), path, planned(), new_ids())
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["x.img"]


class Failing:
    """Fails at the second program."""

    def __init__(self, failure) -> None:
        self.failure = failure
        self.calls = 0

    def run(self, argv, *, timeout):
        self.calls += 1
        if self.calls == 1:
            return PROCESS.run(argv, timeout=timeout)
        if isinstance(self.failure, BaseException):
            raise self.failure
        return self.failure


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (MissingToolError("gone"), MissingToolError),
        ((1, "", "mkfs.fat: too bad\n"), StorageError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), StorageError),
    ],
)
def test_a_failure_leaves_nothing_behind(tmp_path, failure, expected):
    with pytest.raises(expected):
        create_image(Failing(failure), tmp_path / "x.img", planned(), new_ids())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot make"):
        create_image(PROCESS, tmp_path / "no" / "x.img", planned(), new_ids())


def test_other_files_have_no_layout(tmp_path):
    noise = tmp_path / "noise"
    noise.write_bytes(os.urandom(1 << 20))
    empty = tmp_path / "empty"
    empty.touch()
    for path in (noise, empty):
        assert isinstance(read_image_layout(path), NoLayout)
        assert not judge_image(examine_image(PROCESS, path)).ok


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
def test_what_is_no_regular_file_is_not_read(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(StorageError):
        read_image_layout(tmp_path / "x")
    with pytest.raises(StorageError):
        read_image_layout(tmp_path / "missing")
