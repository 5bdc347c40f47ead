"""The folder of a run: nobody else's, and gone when its run is, however that ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.app.workspaces import ROOT
from ventoy_kit.edge.run_folder import (
    make_sparse,
    read_at,
    run_folder,
    runs_folder,
    size_of_disk,
    sparse_digest,
)
from ventoy_kit.errors import MachineError

HOLD = "from ventoy_kit.edge.run_folder import run_folder\nimport time\nwith run_folder() as f:\n    print(f, flush=True)\n    time.sleep(60)\n"


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield
    tempfile.tempdir = None


def test_it_is_private_and_gone_afterwards(tmp_path: Path):
    with run_folder() as one, run_folder() as other:
        assert one != other
        assert one.stat().st_mode & 0o777 == 0o700
        assert runs_folder().stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_a_failure_takes_it_away_too(tmp_path: Path):
    def fail() -> None:
        with run_folder() as folder:
            (folder / "deep").mkdir()
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_goes_and_a_living_run_stays(tmp_path: Path):
    def start() -> tuple[subprocess.Popen[str], Path]:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (dying, left), (living, kept) = start(), start()
    try:
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        assert left.is_dir()
        with run_folder():
            assert not left.exists()
            assert kept.is_dir()
    finally:
        for process in (dying, living):
            process.kill()
            process.communicate()


@pytest.mark.parametrize("kind", ["link", "open"])
def test_a_folder_that_others_can_reach_is_refused(tmp_path: Path, kind: str):
    if kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        runs_folder().symlink_to(tmp_path / "elsewhere")
    else:
        runs_folder().mkdir()
        runs_folder().chmod(0o777)
    with pytest.raises(MachineError), run_folder():
        pass


def test_a_digest_of_holes_costs_nothing_and_sees_every_byte(tmp_path: Path):
    disk = tmp_path / "disk"
    make_sparse(disk, 4 << 40)
    begin = time.monotonic()
    empty = sparse_digest(disk)
    assert time.monotonic() - begin < 5
    for offset in (0, 512, (4 << 40) - 1, (1 << 40) + 12345):
        with disk.open("r+b") as file:
            file.seek(offset)
            file.write(b"x")
        assert sparse_digest(disk) != empty
        assert read_at(disk, offset, 1) == b"x"
        with disk.open("r+b") as file:
            file.seek(offset)
            file.write(b"\0")
        assert sparse_digest(disk) == empty  # zeros are what holes read as


@pytest.mark.parametrize("kind", ["folder", "character device", "empty", "absent"])
def test_what_is_no_disk_has_no_size(tmp_path: Path, kind: str):
    empty = tmp_path / "empty"
    empty.touch()
    made = {
        "folder": tmp_path,
        "character device": Path("/dev/null"),
        "empty": empty,
        "absent": tmp_path / "x",
    }
    with pytest.raises(OSError, match=r".+"):
        size_of_disk(made[kind])


@pytest.mark.needs_root
@pytest.mark.needs_tool("losetup")
def test_images_and_devices_have_one(tmp_path: Path):
    image = tmp_path / "image"
    make_sparse(image, 1 << 20)
    assert size_of_disk(image) == 1 << 20
    device = subprocess.run(
        ["losetup", "-rf", "--show", image], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        assert size_of_disk(Path(device)) == 1 << 20
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def test_one_byte_may_be_left_out_of_the_digest(tmp_path: Path):
    disk = tmp_path / "disk.img"
    make_sparse(disk, 4 << 20, b"begin")
    with disk.open("r+b") as file:
        file.seek(2 << 20)
        file.write(b"state 0")
    place = (2 << 20) + 6
    before, whole = sparse_digest(disk, place), sparse_digest(disk)
    with disk.open("r+b") as file:
        file.seek(place)
        file.write(b"1")
    assert sparse_digest(disk, place) == before
    assert sparse_digest(disk) != whole
    assert sparse_digest(disk, place - 1) != before
