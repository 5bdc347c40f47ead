"""`stage` and `status` onto folders, disk images and a block device, through the command line."""

import contextlib
import hashlib
import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app.workspaces import ISO, as_nobody, command, contents, environment, separate, tree
from ventoy_kit.edge import targets
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.mounts import mounted_image
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.stick.layout import HEAD_BYTES, Layout, plan_layout, read_layout

NETBOOT = pytest.mark.needs_package("debian-installer-12-netboot-amd64")
NETBOOT_TOOLS = pytest.mark.needs_tool("grub-mkrescue", "xorriso", "mformat")
MANIFEST = "ventoy/mycluster/manifest.json"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def expected(fleet: Path) -> dict[str, bytes]:
    """What a stick must hold, by the build: files and ISOs."""
    index = json.loads((fleet / "build/payload.json").read_bytes())
    return {
        e["path"]: Path(index["isos"].get(e["path"], fleet / "build" / e["path"])).read_bytes()
        for e in index["manifest"]["files"]
    }


def check_stick(root: Path, fleet: Path) -> None:
    """The stick holds exactly what was built, ventoy.json names only files that are there, the manifest agrees."""
    files = contents(root)
    own = next(p for p in files if p.endswith("/manifest.json"))
    wanted = expected(fleet)
    manifest = json.loads(files[own])
    by_digest = {f["sha256"]: f["path"] for f in manifest["files"]}
    # An ISO of new bytes under an old name has a name of its own.
    wanted = {
        by_digest[hashlib.sha256(d).hexdigest()] if p.startswith("iso/") else p: d for p, d in wanted.items()
    }
    sums = {f"{p}.sha256" for p in wanted if p.startswith("iso/")}
    assert files.keys() == {*wanted, *sums, "ventoy/ventoy.json", own}
    assert {p: files[p] for p in wanted} == wanted
    named = [
        w for w in files["ventoy/ventoy.json"].decode().split('"') if w.startswith(("/iso/", "/ventoy/"))
    ]
    assert named
    assert [w for w in named if w[1:] not in files] == []
    assert manifest["complete"] is True
    built = json.loads((fleet / "build/payload.json").read_bytes())["manifest"]
    assert manifest["generation"] == built["generation"]
    assert {f["path"] for f in manifest["files"]} == {*wanted, *sums}


class TestFolder:
    def test_twice_and_the_second_time_nothing_is_written(self, built, stick, cli):
        first = cli.json("stage", stick, "--yes").result
        assert len(first["steps"]) == len(contents(stick))
        check_stick(stick, built)
        before = tree(stick)
        for options in ([], ["--recheck"], ["--dry-run"]):
            assert cli.json("stage", stick, "--yes", *options).result["steps"] == []
        assert cli.json("stage", stick).result["steps"] == []  # nothing to ask about
        assert tree(stick) == before
        assert "nothing was written" in cli("stage", stick).out

    def test_a_dry_run_writes_nothing_and_shows_what_is_then_done(self, built, stick, cli):
        dry = cli.json("stage", stick, "--dry-run").result
        assert contents(stick) == {}
        assert cli.json("stage", stick, "--yes").result == dry

    def test_a_new_build_replaces_the_old_one(self, built, stick, cli):
        cli("stage", stick, "--yes")
        file = built / "fleet.yaml"
        file.write_text(file.read_text().replace("node1:", "other1:"))
        cli("build")
        result = cli.json("stage", stick, "--yes").result
        assert {s["action"] for s in result["steps"]} == {"write", "replace", "remove"}
        kept = [s["path"] for s in result["kept"] if "/probe/" not in s["path"]]
        assert kept == [ISO, f"{ISO}.sha256"]
        check_stick(stick, built)

    def test_nobody_is_asked_where_there_is_no_terminal(self, built, stick):
        for options in ([], ["--json"]):
            ran = separate(["stage", stick, *options], built, stdin=subprocess.DEVNULL)
            assert ran.code == 1
            assert "VK-U05" in ran.err + ran.out
            assert contents(stick) == {}

    @pytest.mark.parametrize(
        ("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0), (b"\x03", 3), (b"\x04", 3)]
    )
    def test_on_a_terminal_the_plan_is_shown_and_a_person_decides(self, built, stick, answer, code):
        said, exit_code = on_terminal(["stage", stick], built, answer)
        assert exit_code == code
        assert "Write this onto directory" in said
        assert ISO in said.split("Write this onto")[0]
        assert bool(contents(stick)) == (code == 0)

    def test_the_users_own_files_and_menu_stay(self, built, stick, cli):
        mine = {
            "iso/mine.iso": b"mine",
            "ventoy/theme/theme.txt": b"theme",
            "ventoy/ventoy.json": b'{"theme": {"file": "/ventoy/theme/theme.txt"}}',
        }
        for path, data in mine.items():
            (stick / path).parent.mkdir(parents=True, exist_ok=True)
            (stick / path).write_bytes(data)
        assert cli("stage", stick, "--yes").code == 0
        files = contents(stick)
        assert {p: files[p] for p in mine if p != "ventoy/ventoy.json"} == {
            p: d for p, d in mine.items() if p != "ventoy/ventoy.json"
        }
        assert json.loads(files["ventoy/ventoy.json"])["theme"] == {"file": "/ventoy/theme/theme.txt"}
        assert cli.json("stage", stick, "--yes").result["steps"] == []

    def test_an_iso_of_the_user_is_adopted_and_kept_when_the_fleet_drops_it(self, built, stick, cli):
        (stick / "iso").mkdir()
        (stick / "ventoy").mkdir()
        (stick / ISO).write_bytes((built / ISO).read_bytes())
        before = (stick / ISO).stat().st_ino
        steps = cli.json("stage", stick, "--yes").result["steps"]
        assert next(s["action"] for s in steps if s["path"] == ISO) == "adopt"
        assert (stick / ISO).stat().st_ino == before
        other = ISO.replace("STAND-IN", "STAND-IN-renamed")
        (built / ISO).rename(built / other)
        file = built / "fleet.yaml"
        file.write_text(file.read_text().replace(ISO, other))
        assert cli("build").code == 0
        assert cli("stage", stick, "--yes").code == 0
        assert (stick / ISO).stat().st_ino == before
        assert not (stick / other).exists()  # the same bytes, so it is used under the name that it has
        assert f'"/{ISO}"' in (stick / "ventoy/ventoy.json").read_text()
        assert cli.json("stage", stick, "--yes").result["steps"] == []

    def test_an_iso_of_the_user_with_other_bytes_is_in_the_way(self, built, stick, cli):
        (stick / "iso").mkdir()
        (stick / "ventoy").mkdir()
        (stick / ISO).write_bytes(b"mine")
        before = tree(stick)
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z01"])
        assert tree(stick) == before

    def test_a_broken_menu_of_the_user_is_pointed_at_and_left_alone(self, built, stick, cli):
        (stick / "ventoy").mkdir()
        (stick / "ventoy/ventoy.json").write_text('{\n  "control": [],\n}\n')
        before = tree(stick)
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-V01"])
        finding = ran.envelope["findings"][0]
        assert (finding["file"], finding["line"], finding["column"]) == ("ventoy/ventoy.json", 3, 1)
        assert tree(stick) == before

    def test_two_fleets_share_a_stick(self, built, stick, cli):
        assert cli("stage", stick, "--yes").code == 0
        mine = {p: d for p, d in contents(stick).items() if p.startswith("ventoy/mycluster/")}
        file = built / "fleet.yaml"
        file.write_text(file.read_text().replace("fleet: mycluster", "fleet: other"))
        assert cli("build").code == 0
        assert cli("stage", stick, "--yes").code == 0
        files = contents(stick)
        assert {p: d for p, d in files.items() if p.startswith("ventoy/mycluster/")} == mine
        assert any(p.startswith("ventoy/other/") for p in files)
        assert cli.json("stage", stick, "--yes").result["steps"] == []


# In a program of its own: code between fork and exec can hang in a process with threads, as pytest's workers are.
WITH_TERMINAL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches it
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def on_terminal(
    args: list[str | Path], cwd: Path, answer: bytes, prompt: bytes = b"[y/N]"
) -> tuple[str, int]:
    """Runs a command on a pseudo-terminal and answers its question; what was shown, and the exit code."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_TERMINAL, *command(*args)],
        cwd=cwd,
        env=environment(TERM="xterm", COLUMNS="200"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    said = b""
    answered = False
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while True:
            if not select.select([leader], [], [], 2)[0]:
                # A Ctrl-C between the prompt and the reading of the answer is noticed only with the next key.
                if answered and answer == b"\x03":
                    os.write(leader, answer)
                continue
            block = os.read(leader, 65536)
            if not block:
                break
            said += block
            if prompt in said and not answered:
                os.write(leader, answer)
                answered = True
    os.close(leader)
    return said.decode(errors="replace"), process.wait(60)


class TestWhatTheBuildMustBe:
    def test_no_build(self, fleet, stick, cli):
        for args in (["stage", stick, "--yes"], ["status", stick]):
            ran = cli.json(*args)
            assert (ran.code, ran.rules) == (1, ["VK-Z07"])

    @pytest.mark.needs_root
    def test_a_build_that_only_its_builder_may_read(self, built):
        (built / "build").chmod(0o700)
        (built / "stick/ventoy").mkdir(parents=True)
        ran, _ = as_nobody(built, ["stage", "stick", "--yes"])
        (found,) = [f for f in ran.envelope["findings"] if f["rule"] == "VK-Z07"]
        assert ran.code == 1
        assert "cannot be seen: Permission denied" in found["message"]
        assert "as the user who built" in found["remedy"]

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"format": 99}', b'{"format": 1}', b"[" * 100_000])
    def test_a_build_that_cannot_be_read(self, built, stick, cli, data):
        (built / "build/payload.json").write_bytes(data)
        assert cli.json("stage", stick, "--yes").rules == ["VK-Z07"]

    def test_a_fleet_file_that_changed_since(self, built, stick, cli):
        with (built / "fleet.yaml").open("a") as file:
            file.write("# a comment\n")
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z06"])
        assert contents(stick) == {}

    @pytest.mark.parametrize("how", ["changed", "removed", "longer"])
    def test_a_file_of_the_build_that_changed_since(self, built, stick, cli, how):
        path = next((built / "build").rglob("node1.*.txt"))
        if how == "removed":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[::-1] + (b"!" if how == "longer" else b""))
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z08"])
        assert str(path.relative_to(built)) in ran.envelope["findings"][0]["message"]
        assert contents(stick) == {}

    def test_an_iso_of_another_size_or_gone(self, built, stick, cli):
        (built / ISO).write_bytes(b"short")
        assert cli.json("stage", stick, "--yes").rules == ["VK-Z08"]
        (built / ISO).unlink()
        assert cli.json("stage", stick, "--yes").rules == ["VK-Z08"]
        assert contents(stick) == {}

    def test_an_iso_with_other_bytes_is_refused_while_it_is_copied(self, built, stick, cli):
        data = bytearray((built / ISO).read_bytes())
        data[70_000] ^= 1
        (built / ISO).write_bytes(data)
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (3, ["machine"])
        assert "other bytes than when it was built" in ran.envelope["findings"][0]["message"]
        assert [p for p in contents(stick) if p != MANIFEST] == []
        assert json.loads((stick / MANIFEST).read_bytes())["complete"] is False

    def test_an_unwritable_target_is_a_finding(self, built, stick, cli, monkeypatch):
        real = targets.path_facts
        monkeypatch.setattr(targets, "path_facts", lambda target: replace(real(target), writable=False))
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-T16"])


class TestHostileStick:
    @pytest.mark.parametrize(
        "change",
        [
            {"path": "../../outside/x"},
            {"path": "/etc/passwd"},
            {"path": "photos/cat.jpg"},
            {"path": 5},
            {"size": 1e999},
            {"origin": None, "sha256": None, "path": "iso\\x"},
        ],
    )
    def test_a_manifest_that_claims_other_files_is_a_finding(self, built, stick, cli, tmp_path, change):
        cli("stage", stick, "--yes")
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/x").write_text("precious")
        (stick / "photos").mkdir()
        (stick / "photos/cat.jpg").write_text("precious")
        document = json.loads((stick / MANIFEST).read_bytes())
        document["files"][0] |= change
        (stick / MANIFEST).write_text(json.dumps(document))
        before = tree(tmp_path)
        for args in (["stage", stick, "--yes"], ["status", stick]):
            ran = cli.json(*args)
            assert (ran.code, ran.rules) == (1, ["VK-Z05"])
            assert ran.envelope["findings"][0]["file"] == MANIFEST
        assert tree(tmp_path) == before

    @pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"\xff", b'{"format": 1, "files": {}}'])
    def test_a_manifest_that_is_none_is_a_finding(self, built, stick, cli, data):
        cli("stage", stick, "--yes")
        (stick / MANIFEST).write_bytes(data)
        assert cli.json("stage", stick, "--yes").rules == ["VK-Z05"]

    def test_a_huge_manifest_is_not_read(self, built, stick, cli):
        cli("stage", stick, "--yes")
        with (stick / MANIFEST).open("r+b") as file:
            file.truncate(1 << 40)
        assert cli.json("stage", stick, "--yes").rules == ["VK-Z05"]

    @pytest.mark.parametrize(
        "link", ["iso", "ventoy", "ventoy/mycluster", ISO, MANIFEST, "ventoy/ventoy.json"]
    )
    def test_a_symbolic_link_in_the_way_is_a_finding(self, built, stick, cli, tmp_path, link):
        (stick / "ventoy").mkdir()
        (tmp_path / "outside").mkdir()
        (stick / link).parent.mkdir(exist_ok=True)
        if link == "ventoy":
            (stick / "ventoy").rmdir()
        (stick / link).symlink_to(tmp_path / "outside")
        ran = cli.json("stage", stick, "--yes")
        assert ran.code == 1, ran.out
        assert ran.rules == ["VK-Z11"]
        assert list((tmp_path / "outside").iterdir()) == []

    @pytest.mark.parametrize("path", ["iso", "ventoy/mycluster"])
    def test_a_file_in_the_place_of_a_folder_is_a_finding(self, built, stick, cli, path):
        (stick / "ventoy").mkdir()
        (stick / path).write_text("mine")
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z11"])
        assert (stick / path).read_text() == "mine"

    def test_a_folder_in_the_place_of_a_file_is_a_finding(self, built, stick, cli):
        (stick / "ventoy/ventoy.json").mkdir(parents=True)
        ran = cli.json("stage", stick, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z11"])


class TestStatus:
    def test_a_target_is_compared_without_being_touched(self, built, stick, cli):
        before = tree(stick)
        result = cli.json("status", stick).result
        assert (result["generation"], result["complete"]) == (None, False)
        assert result["steps"]
        cli("stage", stick, "--yes")
        before = tree(stick)
        result = cli.json("status", stick).result
        assert (result["generation"], result["complete"], result["steps"]) == (result["wanted"], True, [])
        assert tree(stick) == before

    def test_a_damaged_file_is_found_since_every_file_is_read(self, built, stick, cli):
        cli("stage", stick, "--yes")
        data = bytearray((stick / ISO).read_bytes())
        data[-1] ^= 1
        (stick / ISO).write_bytes(data)
        assert [s["path"] for s in cli.json("status", stick).result["steps"]] == [ISO]

    def test_without_a_target_the_disks_are_listed(self, fleet, cli):
        result = cli.json("status").result
        for disk in result["disks"]:
            assert disk.keys() == {"path", "title", "ok", "for", "against", "mind", "ventoy_version"}
            assert disk["ok"] == (disk["against"] == [])


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The data partition of a disk image, mounted."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    layout = read_layout(head, path.stat().st_size)
    assert isinstance(layout, Layout)
    with mounted_image(SystemProcess({}), path, layout, "exfat") as root:
        yield root


def nothing_is_left() -> None:
    """No mount of the kit is left of an image of this process; other workers mount theirs at the same time."""
    mine = os.environ.get("PYTEST_XDIST_WORKER", "")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        loop = re.search(r"/ventoy-kit-.* /dev/(loop[0-9]+)", line)
        if loop is None:
            continue
        with contextlib.suppress(FileNotFoundError):
            image = Path("/sys/block", loop[1], "loop/backing_file").read_text()
            assert f"popen-{mine}/" not in image if mine else "/popen-" in image, line


image_tools = pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "blkid", "losetup", "mount.exfat-fuse")


@image_tools
@pytest.mark.needs_root
class TestDiskImage:
    @pytest.mark.parametrize("style", ["mbr", "gpt"])
    def test_a_new_image_is_made_staged_and_read_back(self, built, tmp_path, cli, style):
        image = tmp_path / "stick.img"
        ran = cli.json("stage", image, "--create", "128M", "--style", style, "--yes")
        assert ran.result["kind"] == "image"
        assert image.stat().st_mode & 0o777 == 0o600
        with opened(image) as root:
            check_stick(root, built)
        assert cli.json("stage", image, "--yes").result["steps"] == []
        assert cli.json("status", image).result["steps"] == []
        again = cli.json("stage", image, "--create", "128M", "--yes")
        assert (again.code, again.rules) == (1, ["VK-U03"])
        with opened(image) as root:
            check_stick(root, built)
        nothing_is_left()

    def test_an_image_is_not_left_behind_when_nothing_is_staged(self, built, tmp_path, cli):
        image = tmp_path / "stick.img"
        ran = cli.json("stage", image, "--create", "128M")
        assert (ran.code, ran.rules) == (1, ["VK-U05"])
        assert not image.exists()
        (built / "build/payload.json").unlink()
        assert cli.json("stage", image, "--create", "128M", "--yes").rules == ["VK-Z07"]
        assert not image.exists()
        nothing_is_left()

    def test_an_image_that_is_too_small_for_the_build_is_a_finding(self, built, tmp_path, cli):
        os.truncate(built / ISO, 64 << 20)
        cli("build")
        ran = cli.json("stage", tmp_path / "s.img", "--create", "100M", "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z02"])
        assert not (tmp_path / "s.img").exists()
        ran = cli.json("stage", tmp_path / "s.img", "--create", "1M", "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-T07"])

    @NETBOOT
    @NETBOOT_TOOLS
    def test_the_real_debian_installer(self, debian, tmp_path, cli):
        image = tmp_path / "stick.img"
        result = cli.json("stage", image, "--create", "512M", "--yes").result
        assert result["write_bytes"] > 30_000_000
        with opened(image) as root:
            check_stick(root, debian)
            menu = json.loads((root / "ventoy/ventoy.json").read_bytes())
            assert menu["conf_replace"][0]["org"] == "/boot/grub/grub.cfg"
            assert len(menu["auto_install"][0]["template"]) == 2
        nothing_is_left()


@image_tools
@pytest.mark.needs_root
@NETBOOT
@NETBOOT_TOOLS
@pytest.mark.needs_tool("partx")
class TestBlockDevice:
    @pytest.fixture
    def loop(self, tmp_path, debian) -> Iterator[str]:
        """A loop device that looks like a Ventoy stick, with partition nodes."""
        image = tmp_path / "disk.img"
        layout = plan_layout(256 << 20, "gpt")
        assert isinstance(layout, Layout)
        create_image(SystemProcess({}), image, layout, new_ids())
        found = subprocess.run(
            ["losetup", "--find", "--show", image], capture_output=True, text=True, check=True
        )
        device = found.stdout.strip()
        subprocess.run(["partx", "--update", device], capture_output=True)
        yield device
        subprocess.run(["partx", "--delete", device], capture_output=True)
        subprocess.run(["losetup", "--detach", device], check=True)

    def test_a_stick_gets_the_fleet_and_a_stand_in_is_refused(self, debian, loop, cli, tmp_path):
        result = cli.json("stage", loop, "--yes").result
        assert result["kind"] == "device"
        assert f" {loop}p1 " not in Path("/proc/self/mountinfo").read_text()
        assert cli.json("stage", loop, "--yes").result["steps"] == []
        assert cli.json("status", loop).result["steps"] == []
        point = tmp_path / "point"
        point.mkdir()
        subprocess.run(["mount.exfat-fuse", "-o", "ro", f"{loop}p1", point], check=True, capture_output=True)
        try:
            check_stick(point, debian)
        finally:
            subprocess.run(["umount", point], check=True)

    @pytest.mark.needs_tool("strace", "mount.exfat-fuse")
    def test_only_the_driver_of_the_file_system_opens_a_device_for_writing(self, debian, loop, tmp_path):
        """Every open() of a whole stage, by us and by every program that we start, as the kernel saw it."""
        trace = tmp_path / "trace"
        argv = ["strace", "-f", "-qq", "-e", "trace=execve,open,openat,openat2", "-o", str(trace)]
        done = subprocess.run(
            [*argv, *command("stage", loop, "--yes")], env=environment(), capture_output=True
        )
        assert done.returncode == 0, done.stderr
        programs: dict[str, str] = {}
        writers = set()
        seen = False
        for line in trace.read_text(errors="replace").splitlines():
            pid, _, call = line.partition(" ")
            call = call.strip()
            if call.startswith("execve(") and call.endswith("= 0"):
                programs[pid] = call.split('"')[1].rpartition("/")[2]
            elif f'"{loop}' in call:
                seen = True
                if "O_WRONLY" in call or "O_RDWR" in call:
                    writers.add(programs.get(pid, "ventoy-kit"))
        assert seen
        assert writers <= {"mount.exfat-fuse", "mount"}
        assert "mount" in programs.values()

    def test_a_stand_in_never_reaches_a_device(self, built, loop, cli, monkeypatch):
        monkeypatch.chdir(built)
        ran = cli.json("stage", loop, "--yes")
        assert (ran.code, ran.rules) == (1, ["VK-Z04"])

    def test_the_partition_and_no_target_at_all_are_refused(self, debian, loop, cli):
        assert cli.json("stage", f"{loop}p1", "--yes").code == 1
        ran = cli.json("stage", "--yes")  # a loop device is never found by itself
        assert ran.code == 1
        assert loop not in json.dumps(ran.envelope["result"])


def test_the_targets_that_are_none(built, cli, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.tex").touch()
    for target in ("/", "/etc", tmp_path / "home", "/dev/null", tmp_path / "absent", "/dev/absent"):
        ran = cli.json("stage", target, "--yes")
        assert ran.code == 1
        assert ran.rules[0].startswith("VK-T")
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["thesis.tex"]
