"""From a named target to an open stick: directories, images, and real block devices with real partitions."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ventoy_kit.edge import disk_image, mounts
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.edge.targets import examine_target, find_stick, open_stick, path_facts
from ventoy_kit.errors import MachineError, StorageError
from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.identify import judge
from ventoy_kit.stick.layout import Layout, plan_layout
from ventoy_kit.stick.target import Candidate

PROCESS = SystemProcess(mounts.PACKAGES | disk_image.PACKAGES)
DEVICES = Devices(PROCESS, udev=dict)  # udev's database must not decide what these tests see
image_tools = pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "blkid", "losetup")


def run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def make_image(path: Path, style="mbr", filesystem="exfat") -> Path:
    layout = plan_layout(100 << 20, style)
    assert isinstance(layout, Layout)
    create_image(PROCESS, path, layout, new_ids(), filesystem=filesystem)
    return path


def accepted(target) -> Candidate:
    candidate, report = examine_target(PROCESS, DEVICES, str(target))
    # the images of these tests hold no Ventoy, which is said of devices
    assert [f.message for f in report if f.rule is not codes.NO_VENTOY_FILES] == []
    assert candidate is not None
    return candidate


def refused(target) -> list[Finding]:
    candidate, report = examine_target(PROCESS, DEVICES, str(target))
    assert candidate is None
    assert report.has_errors
    return list(report)


class TestDirectories:
    def test_an_empty_one_is_used_as_it_is(self, tmp_path):
        candidate = accepted(tmp_path)
        with open_stick(PROCESS, DEVICES, candidate) as stick:
            assert (stick.root, stick.kind, stick.filesystem) == (tmp_path, "directory", None)
            assert str(tmp_path) in stick.title

    def test_an_earlier_stage_is_recognised_by_its_manifest(self, tmp_path):
        (tmp_path / "ventoy/alliance").mkdir(parents=True)
        (tmp_path / "notes.txt").touch()
        (finding,) = refused(tmp_path)
        assert finding.rule is codes.FOREIGN_DIRECTORY
        (tmp_path / "ventoy/alliance/manifest.json").touch()
        accepted(tmp_path)

    def test_a_foreign_one_is_refused_and_untouched(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("x")
        (finding,) = refused(tmp_path)
        assert finding.rule is codes.FOREIGN_DIRECTORY
        assert "thesis.tex" in finding.message
        assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]

    def test_a_home_and_the_root_are_refused(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        for path in (tmp_path, "/", "/etc"):
            assert refused(path)[-1].rule is codes.SYSTEM_DIRECTORY

    def test_a_link_is_followed_and_shown(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        candidate = accepted(tmp_path / "link")
        assert f"link (which is {tmp_path}/real)" in candidate.title
        with open_stick(PROCESS, DEVICES, candidate) as stick:
            assert stick.root == tmp_path / "real"

    def test_one_that_goes_away_is_a_machine_failure(self, tmp_path):
        (tmp_path / "d").mkdir()
        candidate = accepted(tmp_path / "d")
        (tmp_path / "d").rmdir()
        with pytest.raises(StorageError, match="gone away"), open_stick(PROCESS, DEVICES, candidate):
            pytest.fail("it was opened")


class TestPaths:
    @pytest.mark.parametrize(
        ("target", "rule"),
        [
            ("/nonexistent/x.img", codes.MISSING),
            ("/dev/no-such-disk", codes.MISSING),
            ("/dev/null", codes.UNUSABLE_KIND),
            ("/etc/passwd/x", codes.MISSING),
            ("", codes.FOREIGN_DIRECTORY),
        ],
    )
    def test_what_is_no_target(self, target, rule, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.chdir(tmp_path)
        assert refused(target)[0].rule is rule

    def test_a_fifo_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "p")
        assert refused(tmp_path / "p")[0].rule is codes.UNUSABLE_KIND

    def test_a_link_loop_is_refused(self, tmp_path):
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        assert refused(tmp_path / "a")[0].rule in {codes.UNREADABLE, codes.MISSING}

    def test_what_may_not_be_listed_is_unreadable(self, tmp_path, monkeypatch):
        def refuse(_path):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", refuse)
        assert path_facts(str(tmp_path)).kind == "unreadable"
        assert refused(tmp_path)[0].rule is codes.UNREADABLE


@image_tools
class TestImages:
    def test_other_files_are_refused_and_untouched(self, tmp_path):
        noise = tmp_path / "noise.img"
        content = os.urandom(1 << 16)
        noise.write_bytes(content)
        (finding,) = refused(noise)
        assert finding.rule is codes.NOT_VENTOY
        assert "no partition table" in finding.message
        assert noise.read_bytes() == content

    def test_a_plain_partitioned_image_is_refused(self, tmp_path):
        plain = tmp_path / "plain.img"
        with plain.open("wb") as file:
            file.truncate(100 << 20)
        subprocess.run(["sfdisk", "-q", str(plain)], input="label: dos\n2048,+,7\n", text=True, check=True)
        (finding,) = refused(plain)
        assert finding.rule is codes.NOT_VENTOY
        assert "no partition 2" in finding.message

    def test_the_layout_alone_is_not_enough(self, tmp_path):
        path = make_image(tmp_path / "s.img")
        layout = plan_layout(100 << 20, "mbr")
        assert isinstance(layout, Layout)
        with path.open("r+b") as file:
            file.seek(layout.boot.offset)
            file.write(bytes(layout.boot.size))
        (finding,) = refused(path)
        assert finding.rule is codes.WRONG_BOOT_LABEL

    @pytest.mark.needs_root
    @pytest.mark.needs_tool("mount.exfat-fuse")
    @pytest.mark.parametrize("style", ["mbr", "gpt"])
    def test_an_image_is_opened_written_and_closed(self, tmp_path, style):
        path = make_image(tmp_path / "s.img", style)
        candidate = accepted(path)
        for attempt in range(2):
            with open_stick(PROCESS, DEVICES, candidate) as stick:
                assert (stick.kind, stick.filesystem) == ("image", "exfat")
                file = stick.root / "hello.txt"
                assert file.exists() == bool(attempt)
                file.write_text("hello")
        assert run("losetup", "-n", "-j", str(path)) == ""

    @pytest.mark.needs_root
    def test_an_image_that_changed_since_is_not_opened(self, tmp_path):
        candidate = accepted(make_image(tmp_path / "s.img"))
        (tmp_path / "s.img").unlink()
        make_image(tmp_path / "s.img", "gpt")
        with pytest.raises(StorageError, match="has changed"), open_stick(PROCESS, DEVICES, candidate):
            pytest.fail("it was opened")


@pytest.fixture
def attach():
    """Attaches files as loop devices with partition nodes, and detaches them after the test."""
    loops = []

    def attach(path: Path, *options: str) -> str:
        loop = run("losetup", "--find", "--show", *options, str(path))
        loops.append(loop)
        # --update: a loop device used before may have kept its partition nodes
        subprocess.run(["partx", "--update", loop], capture_output=True)
        return loop

    yield attach
    for loop in loops:
        subprocess.run(["partx", "--delete", loop], capture_output=True)
        run("losetup", "--detach", loop)


@pytest.fixture
def opened_for_writing():
    """Paths that this process opens for writing during the test."""
    paths: list[str] = []
    active = True

    def hook(event, arguments):
        if active and event == "open":
            path, _, flags = arguments
            if isinstance(path, str | os.PathLike) and flags & (os.O_WRONLY | os.O_RDWR):
                paths.append(os.fspath(path))

    sys.addaudithook(hook)  # hooks cannot be taken out again, only silenced
    yield paths
    active = False


def mounts_below(loop: str) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {loop}" in line]


@image_tools
@pytest.mark.needs_root
@pytest.mark.needs_tool("partx", "mount.exfat-fuse", "mkfs.ext4")
class TestBlockDevices:
    @pytest.mark.parametrize(("style", "fs"), [("mbr", "exfat"), ("gpt", "exfat"), ("gpt", "ext4")])
    def test_a_stick_is_judged_mounted_written_and_released(self, tmp_path, attach, style, fs):
        loop = attach(make_image(tmp_path / "s.img", style, fs))
        facts = next(d for d in DEVICES.snapshot() if d.path == loop)
        assert judge(facts, named=True).ok
        assert not judge(facts, named=False).ok
        assert facts.ventoy_mark is True
        assert facts.backing_file == str(tmp_path / "s.img")
        candidate = accepted(loop)
        for attempt in range(2):
            with open_stick(PROCESS, DEVICES, candidate) as stick:
                assert (stick.kind, stick.filesystem) == ("device", fs)
                assert len(mounts_below(loop)) == 1
                assert (stick.root / "x").exists() == bool(attempt)
                (stick.root / "x").write_bytes(b"y" * 100_000)
            assert mounts_below(loop) == []
            assert not stick.root.exists()

    def test_it_is_released_when_the_body_raises(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        candidate = accepted(loop)

        def body():
            with open_stick(PROCESS, DEVICES, candidate):
                assert len(mounts_below(loop)) == 1
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            body()
        assert mounts_below(loop) == []

    def test_a_link_to_it_is_followed_and_shown(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        (tmp_path / "link").symlink_to(loop)
        assert f"link (which is {loop})" in accepted(tmp_path / "link").title

    def test_its_partition_is_refused_and_the_disk_is_named(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        (finding,) = refused(f"{loop}p1")
        assert finding.rule is codes.PARTITION
        assert finding.remedy == f"Name the disk: {loop}."

    def test_a_link_to_its_partition_is_refused_too(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        (tmp_path / "link").symlink_to(f"{loop}p1")
        assert refused(tmp_path / "link")[0].rule is codes.PARTITION

    def test_a_plain_device_is_refused(self, tmp_path, attach):
        plain = tmp_path / "plain.img"
        with plain.open("wb") as file:
            file.truncate(32 << 20)
        assert refused(attach(plain))[0].rule is codes.NOT_VENTOY

    def test_a_read_only_device_is_refused(self, tmp_path, attach):
        rules = {f.rule for f in refused(attach(make_image(tmp_path / "s.img"), "--read-only"))}
        assert codes.READ_ONLY in rules

    def test_a_device_with_4k_sectors_is_refused(self, tmp_path, attach):
        rules = {f.rule for f in refused(attach(make_image(tmp_path / "s.img"), "--sector-size", "4096"))}
        assert codes.SECTOR_SIZE in rules

    def test_an_image_that_is_attached_is_refused_as_a_file(self, tmp_path, attach):
        path = make_image(tmp_path / "s.img")
        loop = attach(path)
        (finding,) = refused(path)
        assert finding.rule is codes.IMAGE_ATTACHED
        assert loop in finding.message

    def test_a_stick_swapped_after_it_was_examined_is_not_mounted(self, tmp_path, attach):
        first = make_image(tmp_path / "a.img")
        second = make_image(tmp_path / "b.img")
        loop = attach(first)
        candidate = accepted(loop)
        run("partx", "--delete", loop)
        run("losetup", "--detach", loop)
        run("losetup", loop, str(second))
        run("partx", "--add", loop)
        with (
            pytest.raises(StorageError, match=r"not the device that was examined.*Ventoy id") as caught,
            open_stick(PROCESS, DEVICES, candidate),
        ):
            pytest.fail("it was opened")
        assert "disk sequence number" in caught.value.message
        assert mounts_below(loop) == []

    def test_a_stick_swapped_while_it_is_mounted_is_noticed_before_anything_is_written(
        self, tmp_path, attach
    ):
        loop = attach(make_image(tmp_path / "s.img"))
        candidate = accepted(loop)

        class Swapped(Devices):
            calls = 0

            def facts(self, node):
                type(self).calls += 1
                found = super().facts(node)
                return found if self.calls == 1 else replace(found, diskseq=(found.diskseq or 0) + 1)

        with (
            pytest.raises(StorageError, match="disk sequence number"),
            open_stick(PROCESS, Swapped(PROCESS, udev=dict), candidate),
        ):
            pytest.fail("it was opened")
        assert mounts_below(loop) == []

    def test_a_mount_that_shows_something_else_is_not_used(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        candidate = accepted(loop)

        class Blind(Devices):
            def facts(self, node):
                return replace(super().facts(node), mounts=())

        with (
            pytest.raises(StorageError, match=f"does not show {loop}p1"),
            open_stick(PROCESS, Blind(PROCESS, udev=dict), candidate),
        ):
            pytest.fail("it was opened")
        assert mounts_below(loop) == []

    def test_its_mount_point_is_the_same_stick_and_stays_mounted(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        point = tmp_path / "media"
        point.mkdir()
        run("mount.exfat-fuse", f"{loop}p1", str(point))
        try:
            (point / "holiday.jpg").touch()
            for target in (point, loop):
                candidate = accepted(target)
                assert candidate.target.kind == "device"
                with open_stick(PROCESS, DEVICES, candidate) as stick:
                    assert stick.root == point
                assert point.is_mount()
        finally:
            run("umount", str(point))

    def test_the_mount_point_of_another_disk_is_a_directory_with_a_warning(self, tmp_path, attach):
        plain = tmp_path / "plain.img"
        with plain.open("wb") as file:
            file.truncate(32 << 20)
        loop = attach(plain)
        run("mkfs.ext4", "-q", loop)
        point = tmp_path / "media"
        point.mkdir()
        run("mount", loop, str(point))
        try:
            candidate, report = examine_target(PROCESS, DEVICES, str(point))
            assert candidate is not None
            assert candidate.target.kind == "directory"
            assert [f.rule for f in report] == [codes.FOREIGN_MOUNT]
            assert not report.has_errors
        finally:
            run("umount", str(point))

    def test_a_mount_that_the_system_runs_from_makes_the_device_unusable(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img", filesystem="ext4"))
        point = Path("/run/live/ventoy-kit-test")
        point.mkdir(parents=True)
        run("mount", f"{loop}p1", str(point))
        try:
            assert [f.rule for f in refused(loop)] == [codes.SYSTEM_DISK]
        finally:
            run("umount", str(point))
            point.rmdir()

    def test_a_device_without_partition_nodes_is_refused(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        run("partx", "--delete", loop)
        assert refused(loop)[0].rule is codes.NOT_VENTOY

    def test_no_block_device_is_opened_for_writing_by_this_process(
        self, tmp_path, attach, opened_for_writing
    ):
        loop = attach(make_image(tmp_path / "s.img"))
        with open_stick(PROCESS, DEVICES, accepted(loop)) as stick:
            (stick.root / "x").write_text("y")
        assert str(stick.root / "x") in opened_for_writing  # the recorder works
        assert [path for path in opened_for_writing if path.startswith("/dev/") and path != "/dev/null"] == []

    @pytest.mark.needs_tool("mcopy", "mmd")
    @pytest.mark.parametrize(
        ("version", "rules"),
        [("1.1.17", []), ("1.0.99", [codes.OLD_VENTOY]), (None, [codes.NO_VENTOY_FILES])],
    )
    def test_ventoys_version_is_read_from_partition_2(self, tmp_path, attach, version, rules):
        path = make_image(tmp_path / "s.img")
        layout = plan_layout(100 << 20, "mbr")
        assert isinstance(layout, Layout)
        if version is not None:
            (tmp_path / "grub.cfg").write_text(f'set VENTOY_VERSION="{version}"\n')
            part = f"{path}@@{layout.boot.offset}"
            run("mmd", "-i", part, "::/grub")
            run("mcopy", "-i", part, str(tmp_path / "grub.cfg"), "::/grub/grub.cfg")
        of_image, report = examine_target(PROCESS, DEVICES, str(path))
        assert of_image is not None
        assert of_image.ventoy_version == version
        assert [f.rule for f in report] == [r for r in rules if r is codes.OLD_VENTOY]
        candidate, report = examine_target(PROCESS, DEVICES, attach(path))
        assert candidate is not None
        assert candidate.ventoy_version == version
        assert [f.rule for f in report] == rules
        with open_stick(PROCESS, DEVICES, candidate) as stick:
            assert stick.ventoy_version == version

    def test_a_copy_that_is_plugged_in_too_is_said(self, tmp_path, attach):
        first = make_image(tmp_path / "a.img")
        run("cp", "--sparse=always", str(first), str(tmp_path / "b.img"))
        one, two = attach(first), attach(tmp_path / "b.img")
        _, report = examine_target(PROCESS, DEVICES, one)
        (finding,) = [f for f in report if f.rule is codes.CLONE]
        assert two in finding.message

    @pytest.mark.parametrize("style", ["mbr", "gpt"])
    def test_a_copy_that_was_cut_off_is_refused_for_that(self, tmp_path, attach, style):
        path = make_image(tmp_path / "s.img", style)
        os.truncate(path, 90 << 20)
        assert codes.CUT_OFF in {f.rule for f in refused(attach(path))}

    def test_a_stick_that_repeats_itself_is_refused(self, tmp_path, attach):
        """What a stick of false capacity shows where its memory ends: its own first sectors."""
        path = make_image(tmp_path / "s.img")
        with path.open("r+b") as file:
            head = file.read(1 << 20)
            file.seek(64 << 20)
            file.write(head)
        assert {f.rule for f in refused(attach(path))} >= {codes.FALSE_CAPACITY}

    def test_a_stick_that_wrote_over_its_own_start_is_an_error(self, tmp_path, attach):
        """As one of false capacity does, although each file read back well right after it was written."""
        path = make_image(tmp_path / "s.img")
        loop = attach(path)

        def body():
            with open_stick(PROCESS, DEVICES, accepted(loop)), path.open("r+b") as file:
                file.seek(0x180)
                file.write(b"\x55" * 16)

        with pytest.raises(StorageError, match=r"not what it was before.*Ventoy id") as caught:
            body()
        assert "false capacity" in caught.value.hint
        assert mounts_below(loop) == []

    def test_a_second_run_under_another_name_of_the_device_is_refused(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        (tmp_path / "link").symlink_to(loop)
        first, second = accepted(loop), accepted(tmp_path / "link")
        with (
            open_stick(PROCESS, DEVICES, first) as stick,
            pytest.raises(MachineError, match="another run of ventoy-kit"),
            open_stick(PROCESS, DEVICES, second),
        ):
            pytest.fail(f"{stick.root} was opened twice")
        with open_stick(PROCESS, DEVICES, second):
            pass

    def test_no_loop_device_is_found_without_being_named(self, tmp_path, attach):
        loop = attach(make_image(tmp_path / "s.img"))
        candidate, report = find_stick(PROCESS, DEVICES)
        assert candidate is None or candidate.target.path != loop
        assert all(f.rule is codes.NO_STICK for f in report)


@image_tools
def test_a_machine_failure_is_not_a_refusal(tmp_path):
    class Slow:
        def run(self, argv, *, timeout):
            raise MachineError("blkid did not end")

    path = make_image(tmp_path / "s.img")
    with pytest.raises(MachineError, match="did not end"):
        examine_target(Slow(), DEVICES, str(path))
