"""Real failures of real file systems below a stage: no room, a device that reports errors, one that is cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.test_stage import expected, image_tools, nothing_is_left
from tests.app.test_stage_failures import MIB, check_interrupted, rename_node, start, wait_for
from tests.app.workspaces import ISO, Ran, contents, environment
from ventoy_kit.edge.disk_image import DataFilesystem, create_image, new_ids
from ventoy_kit.edge.mounts import mounted_image
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.stick.layout import Layout, plan_layout

pytestmark = [image_tools, pytest.mark.needs_root, pytest.mark.needs_tool("mkfs.ext4")]

PROCESS = SystemProcess({})
REPAIR = {"exfat": ["fsck.exfat", "-y"], "ext4": ["e2fsck", "-f", "-y"]}
MINE = {"mine.bin": b"mine" * 5000, "ventoy/ventoy.json": b'{ "theme": {} }\r\n'}


class Image:
    """A disk image with Ventoy's layout and files of the user, on a file system of memory that can be made too small."""

    def __init__(self, folder: Path, filesystem: DataFilesystem) -> None:
        self.path, self.filesystem = folder / "stick.img", filesystem
        layout = plan_layout(512 * MIB, "gpt")
        assert isinstance(layout, Layout)
        create_image(PROCESS, self.path, layout, new_ids(), filesystem=filesystem)
        self.layout = layout
        with self.mounted() as root:
            for path, data in MINE.items():
                (root / path).parent.mkdir(exist_ok=True)
                (root / path).write_bytes(data)

    def mounted(self):
        return mounted_image(PROCESS, self.path, self.layout, self.filesystem)

    def host_has(self, size: str) -> None:
        """Set how much the file system below can hold."""
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path.parent], check=True)

    def files(self) -> dict[str, bytes]:
        with self.mounted() as root:
            return {p: d for p, d in contents(root).items() if not p.startswith("lost+found")}

    def repair(self) -> None:
        """What the kit's refusal tells the user to do."""
        offset, size = self.layout.data.offset, self.layout.data.size
        attach: list[str | Path] = [
            "losetup",
            "--find",
            "--show",
            "-o",
            str(offset),
            "--sizelimit",
            str(size),
            self.path,
        ]
        loop = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run([*REPAIR[self.filesystem], loop], capture_output=True, check=False)
        subprocess.run(["losetup", "--detach", loop], check=True)


@pytest.fixture(params=["exfat", "ext4"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Image]:
    point = tmp_path / "host"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "none", point], check=True)
    yield Image(point, request.param)
    subprocess.run(["umount", "--lazy", point], check=True)


def loops_of(image: Image) -> list[str]:
    listed: list[str | Path] = ["losetup", "--noheadings", "--output", "NAME", "--associated", image.path]
    out: str = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    return out.split()


def old_and_new(fleet: Path, cli, image: Image, size: int) -> dict[str, bytes]:
    """Stage a small build, then build a large one; the files of the first."""
    assert cli("stage", image.path, "--yes").code == 0
    old = expected(fleet)
    rename_node(fleet)
    os.truncate(fleet / ISO, size)
    assert cli("build", "--quiet").code == 0
    return old


def check_kept(image: Image, sets: list[dict[str, bytes]], tmp_path: Path) -> None:
    """The user's file and the old set are whole, and the menu names only what is there."""
    files = image.files()
    assert files["mine.bin"] == MINE["mine.bin"]
    assert {p: files.get(p) for p in sets[0]} == sets[0]
    copy = tmp_path / "seen"
    for path, data in files.items():
        if path != "mine.bin" and not path.endswith(("filler", "before.json")):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_bytes(data)
    check_interrupted(copy, sets)


def finish(image: Image, fleet: Path, cli) -> None:
    """The next run finishes, or refuses until the file system was repaired; then unstage gives everything back."""
    ran = cli.json("stage", image.path, "--yes")
    if ran.code != 0:
        said = ran.envelope["findings"][0]
        assert "fsck" in said["remedy"], said
        image.repair()
        assert cli("stage", image.path, "--yes").code == 0
    assert cli.json("stage", image.path).result["steps"] == []
    files = image.files()
    for path, data in expected(fleet).items():  # the large ISO lies beside the place of the small one
        assert data in files.values() if path == ISO else files[path] == data, path
    assert cli("unstage", image.path, "--yes").code == 0
    assert image.files() == MINE


def test_a_device_that_is_full_is_refused_before_the_first_byte_and_one_that_fills_up_keeps_the_old_set(
    built, image, cli, tmp_path, monkeypatch
):
    old = old_and_new(built, cli, image, 96 * MIB)
    with image.mounted() as root:
        free = StickFolder(root, ".vk-").free()
        with (root / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - 48 * MIB)
    before = image.files()
    assert cli.json("stage", image.path, "--yes").rules == ["VK-Z02"]
    assert image.files() == before
    with monkeypatch.context() as patch:
        patch.setattr(StickFolder, "free", lambda _self: 1 << 40)
        ran = cli.json("stage", image.path, "--yes")
    assert (ran.code, ran.rules) == (3, ["machine"])
    assert "No space left" in ran.envelope["findings"][0]["message"]
    nothing_is_left()
    check_kept(image, [old, expected(built)], tmp_path)
    with image.mounted() as root:
        (root / "filler").unlink()
    finish(image, built, cli)


def test_a_device_that_reports_write_errors_is_a_failure_and_keeps_the_old_set(built, image, cli, tmp_path):
    old = old_and_new(built, cli, image, 96 * MIB)
    used = image.path.stat().st_blocks * 512 // MIB
    image.host_has(f"{used + 24}m")
    ran = cli.json("stage", image.path, "--yes")
    assert (ran.code, ran.rules) == (3, ["machine"])
    nothing_is_left()
    image.host_has("512m")
    if cli.json("status", image.path).code == 3:
        image.repair()
    check_kept(image, [old, expected(built)], tmp_path)
    finish(image, built, cli)


def test_a_device_that_is_cut_off_in_the_middle_is_a_failure_and_nothing_stays_mounted(built, image, cli):
    old_and_new(built, cli, image, 160 * MIB)
    process = start(["stage", image.path, "--yes"], built)
    wait_for(lambda: list(Path("/run").glob("ventoy-kit-*/iso/.vk-*")), process)
    os.truncate(image.path, 40 * MIB)
    (loop,) = loops_of(image)
    subprocess.run(["losetup", "--set-capacity", loop], check=True)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert b"Traceback" not in said
    nothing_is_left()
    assert loops_of(image) == []


AS_NOBODY = """
import contextlib, io, json, os, sys
from ventoy_kit.cli import run
commands = json.loads(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    # So that everything is imported: Python itself may be out of the user's reach.
    for command in (["stage", "--dry-run"], ["unstage", "--dry-run"], ["disarm", "--dry-run"], ["status"]):
        run([*command, commands[0][1]])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for one in commands:
    code = run([*one, "--json"])
sys.exit(code)
"""


def as_nobody(fleet: Path, *commands: list[str]) -> Ran:
    """Commands of an ordinary user to whom the fleet's folder belongs; what the last one said."""
    for path in (fleet, *fleet.rglob("*")):
        os.chown(path, 65534, 65534)
    argv = [sys.executable, "-c", AS_NOBODY, json.dumps(commands)]
    done = subprocess.run(argv, cwd=fleet, env=environment(), capture_output=True, text=True)
    return Ran(done.returncode, done.stdout[done.stdout.rfind("\n{\n") + 1 :], done.stderr)


@pytest.fixture
def mounted(built: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A stick as a desktop mounts it for its user: device and mount point. The device does not belong to the user."""
    image, point = Image(tmp_path, "exfat"), tmp_path / "mount"
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    point.mkdir()
    where = ["-o", str(image.layout.data.offset), "--sizelimit", str(image.layout.data.size)]
    argv: list[str | Path] = ["losetup", "--find", "--show", *where, image.path]
    loop = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    try:
        options = "allow_other,uid=65534,gid=65534,umask=022"
        subprocess.run(["mount.exfat-fuse", "-o", options, loop, point], check=True, capture_output=True)
        try:
            yield loop, point
        finally:
            subprocess.run(["umount", point], check=True)
    finally:
        subprocess.run(["losetup", "--detach", loop], check=True)
        image.path.unlink()


@pytest.mark.needs_tool("mount.exfat-fuse")
def test_an_ordinary_user_stages_onto_what_the_desktop_has_mounted(built, mounted):
    _, point = mounted
    stage = ["stage", str(point), "--yes"]
    ran = as_nobody(built, stage, stage)
    assert ran.code == 0, ran.err + ran.out
    assert ran.result["steps"] == []
    files = contents(point)
    assert {p: files.get(p) for p in expected(built)} == expected(built)
    assert files["mine.bin"] == MINE["mine.bin"]


@pytest.mark.parametrize("command", ["stage", "status", "unstage", "disarm"])
def test_a_device_that_an_ordinary_user_may_not_read_is_refused_with_a_way_out(built, mounted, command):
    """And not as a mistake on the command line: whether it can be used is not for the parser to say."""
    device, _ = mounted
    assert not Path(device).stat().st_mode & 0o007
    ran = as_nobody(built, [command, device])
    assert ran.code == 1, ran.err + ran.out
    assert all(rule.startswith("VK-T") for rule in ran.rules)
    assert all(f["remedy"] for f in ran.envelope["findings"])
