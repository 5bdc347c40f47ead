"""Real failures in the middle of a stage: the process dies, the disk is full, somebody presses Ctrl-C, two at once."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.test_stage import MANIFEST, check_stick, expected, nothing_is_left, opened
from tests.app.workspaces import ISO, command, contents, environment, separate
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.stick.parts import part_path
from ventoy_kit.stick.ventoy_text import parse_config

MIB = 1 << 20
KILLS = 500 if os.environ.get("VENTOY_KIT_SOAK") else 8


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "stick").mkdir()
    yield tmp_path / "stick"
    shutil.rmtree(tmp_path / "stick")  # pytest keeps what tests leave, and this is large


@pytest.fixture
def large(built: Path, cli) -> Path:
    """The fleet with an ISO of 128 MiB, built: copying it takes long enough to meet it."""
    os.truncate(built / ISO, 128 * MIB)
    assert cli("build", "--quiet").code == 0
    return built


def start(args: list[str | Path], cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(*args), cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def check_interrupted(root: Path, sets: list[dict[str, bytes]]) -> None:
    """Every file that has its final name is whole, and ventoy.json names only files that are there."""
    files = contents(root)
    for path, data in files.items():
        name = path.rpartition("/")[2]
        if name.startswith(".vk-") or path in {MANIFEST, "ventoy/ventoy.json"}:
            continue
        if name.endswith(".sha256"):
            assert data[:64].decode() in {digest(s[p]) for s in sets for p in s if p.startswith("iso/")}
            continue
        if path.startswith("iso/"):  # of new bytes under an old name it has a name of its own
            assert any(data == d for s in sets for d in s.values()), path
            continue
        assert any(s.get(path) == data for s in sets), path
    if "ventoy/ventoy.json" in files:
        root_object, report = parse_config(files["ventoy/ventoy.json"], "ventoy.json")
        assert root_object is not None, list(report)
        words = files["ventoy/ventoy.json"].decode().split('"')
        assert [w for w in words if w.startswith(("/iso/", "/ventoy/")) and w[1:] not in files] == []


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def rename_node(fleet: Path) -> None:
    file = fleet / "fleet.yaml"
    file.write_text(file.read_text().replace("node1:", "other1:"))


# Runs a command and kills its own process, for real, at the n-th time it opens, renames or removes something below
# the target; the number of such moments goes to stderr.
KILLED = """
import os, signal, sys
moment, target, count = int(sys.argv[1]), os.path.realpath(sys.argv[2]), 0

def hook(event, arguments):
    global count
    if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"} and isinstance(arguments[0], str):
        if arguments[0].startswith(target):
            if count == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

sys.addaudithook(hook)
from ventoy_kit.cli import run
code = run(["stage", target, "--yes", "--quiet"])
print(count, file=sys.stderr)
sys.exit(code)
"""


def killed_at(moment: int, fleet: Path, stick: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", KILLED, str(moment), str(stick)]
    return subprocess.run(argv, cwd=fleet, env=environment(), capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(7200)  # every moment of a thousand in the long run
def test_killed_at_any_moment_the_stick_holds_whole_files_and_the_next_run_finishes(built, stick, cli):
    """SIGKILL, which nothing can catch, onto an empty stick and onto one that holds an older build."""
    moments = random.Random(20)
    before: dict[str, bytes] = {}
    start_state = stick.parent / "start"
    start_state.mkdir()
    for staged in (False, True):
        if staged:
            before = expected(built)
            assert cli("stage", start_state, "--yes").code == 0
            rename_node(built)
            os.truncate(built / ISO, 4 * MIB)
            assert cli("build", "--quiet").code == 0
        shutil.rmtree(stick)
        shutil.copytree(start_state, stick)
        whole = killed_at(-1, built, stick)
        assert whole.returncode == 0, whole.stderr
        count = int(whole.stderr)
        for moment in moments.sample(range(count), min(count, KILLS)):
            shutil.rmtree(stick)
            shutil.copytree(start_state, stick)
            assert killed_at(moment, built, stick).returncode == -signal.SIGKILL
            check_interrupted(stick, [before, expected(built)])
            assert cli("stage", stick, "--yes").code == 0
            check_stick(stick, built)
        assert cli.json("stage", stick, "--yes").result["steps"] == []


def test_killed_while_an_iso_is_copied_the_next_run_goes_on_from_there(large, stick, cli):
    process = start(["stage", stick, "--yes"], large)
    wait_for(lambda: any(p.stat().st_size > 32 * MIB for p in stick.glob("iso/.vk-*")), process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    check_interrupted(stick, [expected(large)])
    (part,) = stick.glob("iso/.vk-*")
    inode = part.stat().st_ino
    plan = cli.json("stage", stick, "--dry-run").result["steps"]
    assert [s["why"] for s in plan if s["path"] == ISO] == ["begun by an interrupted run, goes on from there"]
    assert [s for s in plan if s["action"] == "remove"] == []
    assert cli("stage", stick, "--yes").code == 0
    assert (stick / ISO).stat().st_ino == inode
    check_stick(stick, large)


def test_the_part_of_an_image_that_nobody_wants_any_more_goes(built, stick, cli):
    (stick / "iso").mkdir()
    (stick / "ventoy").mkdir()
    (stick / "iso/.vk-0123456789ab.part").write_bytes(b"x" * MIB)
    steps = cli.json("stage", stick, "--yes").result["steps"]
    assert [s["why"] for s in steps if s["action"] == "remove"] == ["left by an interrupted run"]
    check_stick(stick, built)


def wait_for(condition, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def is_mounted(image: Path) -> bool:
    """Whether the kit has mounted this very image; other tests mount theirs at the same time."""
    argv: list[str | Path] = ["losetup", "-n", "-O", "NAME", "-j", image]
    loops = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    mounts = Path("/proc/self/mountinfo").read_text()
    return any(re.search(rf"/ventoy-kit-.* {loop}(p\d+)? ", mounts) for loop in loops)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_ends_with_3_and_leaves_only_what_can_be_continued(
    large, stick, cli, number
):
    process = start(["stage", stick, "--yes"], large)
    wait_for(lambda: any(p.stat().st_size for p in stick.glob("iso/.vk-*")), process)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 3, said
    assert b"Traceback" not in said
    whole = hashlib.sha256((large / ISO).read_bytes()).hexdigest()
    left = [p for p in contents(stick) if "/.vk-" in p]
    assert left in ([], [part_path(ISO, whole, ".vk-")])
    assert all((stick / p).stat().st_size >= 16 * MIB for p in left)
    assert cli("stage", stick, "--yes").code == 0
    check_stick(stick, large)


@pytest.mark.needs_root
@pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "blkid", "losetup", "mount.exfat-fuse")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_on_a_disk_image_it_leaves_no_mount_and_no_loop_device(large, tmp_path, cli, number):
    image = tmp_path / "stick.img"
    process = start(["stage", image, "--create", "512M", "--yes"], large)
    wait_for(lambda: is_mounted(image), process)
    time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 3, said
    nothing_is_left()
    loops = subprocess.run(["losetup", "-n", "-O", "NAME", "-j", image], capture_output=True, text=True)
    assert loops.stdout == ""
    assert cli("stage", image, "--yes").code == 0
    with opened(image) as root:
        check_stick(root, large)
    image.unlink()


@pytest.mark.needs_root
@pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "blkid", "losetup", "mount.exfat-fuse")
@pytest.mark.parametrize("how", ["the driver dies", "the device is cut off"])
def test_a_device_that_goes_away_is_an_error_with_3_and_the_next_run_finishes(large, tmp_path, cli, how):
    image = tmp_path / "stick.img"
    assert cli("stage", image, "--create", "512M", "--yes").code == 0
    rename_node(large)
    os.truncate(large / ISO, 160 * MIB)
    assert cli("build", "--quiet").code == 0
    process = start(["stage", image, "--yes"], large)
    wait_for(lambda: list(Path("/run").glob("ventoy-kit-*/iso/.vk-*")), process)
    whole = image.stat().st_size
    if how == "the driver dies":
        kill_driver()
    else:
        os.truncate(image, 64 * MIB)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert b"Traceback" not in said
    nothing_is_left()
    loops = subprocess.run(["losetup", "-n", "-O", "NAME", "-j", image], capture_output=True, text=True)
    assert loops.stdout == ""
    if how == "the driver dies":
        assert cli("stage", image, "--yes").code == 0
        with opened(image) as root:
            check_stick(root, large)
    else:
        os.truncate(image, whole)
    image.unlink()


def kill_driver() -> None:
    """Kill the driver of the kit's own mount, by its id."""
    for process in Path("/proc").glob("[0-9]*"):
        arguments = (process / "cmdline").read_bytes() if process.is_dir() else b""
        if b"mount.exfat-fuse" in arguments and b"/run/ventoy-kit-" in arguments:
            os.kill(int(process.name), signal.SIGKILL)
            return
    pytest.fail("the driver was not found")


@pytest.mark.needs_root
@pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "blkid", "losetup", "mount.exfat-fuse")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_mounts_it_leaves_no_mount(built, tmp_path, number):
    """The driver has mounted and has not ended yet: the moment in which a mount is lost most easily."""
    driver = shutil.which("mount.exfat-fuse", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    slow = tmp_path / "bin/mount.exfat-fuse"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\n{driver} "$@"\ncode=$?\nsleep 1\nexit $code\n')
    slow.chmod(0o755)
    process = subprocess.Popen(
        command("stage", tmp_path / "stick.img", "--create", "128M", "--yes"),
        cwd=built,
        env=environment(PATH=f"{slow.parent}:{os.environ['PATH']}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: is_mounted(tmp_path / "stick.img"), process)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 3, said
    nothing_is_left()


@pytest.mark.needs_root
class TestFullDisk:
    @pytest.fixture
    def small(self, tmp_path):
        """A file system of 48 MiB."""
        point = tmp_path / "small"
        point.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", point], check=True)
        yield point
        subprocess.run(["umount", point], check=True)

    def test_what_does_not_fit_is_a_finding_before_the_first_byte(self, large, small, cli):
        ran = cli.json("stage", small, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z02"])
        assert contents(small) == {}

    def test_a_disk_that_fills_up_meanwhile_is_a_failure_and_leaves_nothing_half(
        self, large, small, cli, monkeypatch
    ):
        monkeypatch.setattr(StickFolder, "free", lambda _self: 1 << 40)
        ran = cli.json("stage", small, "--yes")
        assert (ran.code, ran.rules) == (3, ["machine"])
        assert "No space left" in ran.envelope["findings"][0]["message"]
        assert contents(small).keys() == {MANIFEST}
        assert json.loads((small / MANIFEST).read_bytes())["complete"] is False
        os.truncate(large / ISO, 8 * MIB)
        cli("build")
        assert cli("stage", small, "--yes").code == 0
        check_stick(small, large)

    def test_an_update_that_does_not_fit_keeps_the_old_set(self, large, small, cli, monkeypatch):
        os.truncate(large / ISO, 30 * MIB)
        cli("build")
        assert cli("stage", small, "--yes").code == 0
        old = expected(large)
        rename_node(large)
        os.truncate(large / ISO, 31 * MIB)
        cli("build")
        assert cli.json("stage", small, "--yes").rules == ["VK-Z02"]
        monkeypatch.setattr(StickFolder, "free", lambda _self: 1 << 40)
        assert cli("stage", small, "--yes").code == 3
        files = contents(small)
        assert {p: files[p] for p in old} == old
        check_interrupted(small, [old])

    def test_a_full_disk_under_the_build_is_a_finding(self, large, small, cli):
        ignored = shutil.ignore_patterns("iso", "build", ".ventoy-kit")
        shutil.copytree(large, small / "fleet", ignore=ignored)
        (small / "fleet/iso").symlink_to(large / "iso")
        (small / "filler").write_bytes(b"x" * (StickFolder(small, ".vk-").free() - 64 * 1024))
        ran = cli.json("build", "--fleet", small / "fleet/fleet.yaml")
        assert (ran.code, ran.rules) == (1, ["VK-Z02"])
        assert not (small / "fleet/build/payload.json").exists()


def test_a_second_run_at_the_same_time_is_refused(large, stick, cli):
    process = start(["stage", stick, "--yes"], large)
    try:
        wait_for(lambda: any(stick.glob("iso/.vk-*")), process)
        process.send_signal(signal.SIGSTOP)
        ran = separate(["stage", stick, "--yes", "--json"], large)
        assert (ran.code, ran.rules) == (3, ["machine"])
        assert "another run" in ran.envelope["findings"][0]["message"]
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    check_stick(stick, large)
