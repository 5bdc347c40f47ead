"""Mounting and unmounting: programs in the place of a host's, and real loop devices with real exFAT."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from ventoy_kit.edge import mounts
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.mounts import attached_loops, mounted_at, mounted_image, mounted_partition
from ventoy_kit.edge.proc_tables import MountRow
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.stick.layout import Layout, plan_layout

PROCESS = SystemProcess(mounts.PACKAGES)
real = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "mkfs.ext4", "losetup", "mount.exfat-fuse"),
]


def planned(style="mbr") -> Layout:
    layout = plan_layout(100 << 20, style)
    assert isinstance(layout, Layout)
    return layout


def leftovers(path: Path) -> list[str]:
    """Loop devices of the file, mounts of the kit that are open, and mount points that stayed."""
    loops = subprocess.run(
        ["losetup", "-n", "-O", "NAME", "-j", str(path)], capture_output=True, text=True
    ).stdout
    return [*loops.split(), *(str(p) for p in path.parent.glob("run/*"))]


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A runtime directory of the test's own, so that whatever stays there is seen."""
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


@pytest.fixture(params=[("mbr", "exfat"), ("gpt", "exfat"), ("mbr", "ext4")], ids="-".join)
def image(request, tmp_path, runtime):
    style, filesystem = request.param
    path = tmp_path / "stick.img"
    layout = planned(style)
    create_image(PROCESS, path, layout, new_ids(), filesystem=filesystem)
    yield path, layout, filesystem
    assert leftovers(path) == []


class TestReal:
    pytestmark = real

    def test_what_is_written_is_read_back_in_the_next_mount(self, image):
        path, layout, filesystem = image
        content = os.urandom(3 << 20)
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            assert root.parent.name == "run"
            assert root.is_mount()
            (root / "iso").mkdir()
            (root / "iso" / "x.iso").write_bytes(content)
        assert not root.exists()
        assert leftovers(path) == []
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            assert (root / "iso" / "x.iso").read_bytes() == content

    @pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
    def test_everything_is_released_when_the_body_fails(self, image, failure):
        path, layout, filesystem = image
        roots = []

        def body():
            with mounted_image(PROCESS, path, layout, filesystem) as root:
                roots.append(root)
                (root / "half").write_bytes(b"x")
                raise failure

        with pytest.raises(type(failure)) as caught:
            body()
        assert caught.value is failure
        assert not roots[0].exists()

    def test_a_mount_has_no_devices_programs_or_setuid(self, image):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            line = next(x for x in Path("/proc/self/mountinfo").read_text().splitlines() if f" {root} " in x)
            assert {"nosuid", "nodev"} <= set(line.split()[5].split(","))
            (root / "x").touch()
            # exFAT through FUSE drops "noexec"; the files' mode does the same
            assert "noexec" in line or (root / "x").stat().st_mode & 0o777 == 0o600

    def test_a_busy_mount_is_waited_for(self, image):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            sleeper = subprocess.Popen(["sleep", "0.4"], cwd=root)
        assert sleeper.wait() == 0
        assert not root.exists()

    def test_a_mount_that_stays_busy_is_an_error_and_says_how_to_go_on(self, image, monkeypatch):
        path, layout, filesystem = image
        monkeypatch.setattr(mounts, "_UNMOUNT_ATTEMPTS", 2)
        monkeypatch.setattr(mounts, "_DETACH_SECONDS", 0.1)
        with (
            pytest.raises(StorageError, match="busy") as caught,
            mounted_image(PROCESS, path, layout, filesystem) as root,
        ):
            sleeper = subprocess.Popen(["sleep", "60"], cwd=root)
        assert f"umount {root}" in caught.value.hint
        assert any("still in use" in note for note in caught.value.__notes__)
        sleeper.kill()
        sleeper.wait()
        subprocess.run(["umount", str(root)], check=True)
        root.rmdir()

    def test_an_image_that_is_attached_already_is_refused(self, image):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem):
            (loop,) = attached_loops(PROCESS, path)
            with (
                pytest.raises(StorageError, match=f"attached as {loop}"),
                mounted_image(PROCESS, path, layout, filesystem),
            ):
                pytest.fail("it was mounted twice")
        assert attached_loops(PROCESS, path) == ()

    def test_a_mount_that_is_there_is_used_and_left_alone(self, image):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            device = Path(attached_loops(PROCESS, path)[0])
            with mounted_partition(PROCESS, device, filesystem) as again:
                assert again == root
            assert root.is_mount()

    def test_a_wrong_file_system_is_an_error_that_releases_everything(self, image):
        path, layout, _ = image
        with (
            pytest.raises(StorageError, match="could not be mounted"),
            mounted_image(PROCESS, path, layout, "xfs"),
        ):
            pytest.fail("it was mounted")

    def test_a_file_system_that_nobody_knows(self, image):
        path, layout, _ = image
        with (
            pytest.raises(StorageError, match="no driver for f2fs"),
            mounted_image(PROCESS, path, layout, "f2fs"),
        ):
            pytest.fail("it was mounted")

    def test_an_interrupt_while_mounting_leaves_nothing(self, image):
        path, layout, filesystem = image

        class Interrupted:
            def run(self, argv, *, timeout):
                if argv[0] == "mount":
                    signal.raise_signal(signal.SIGINT)
                return PROCESS.run(argv, timeout=timeout)

        with pytest.raises(KeyboardInterrupt), mounted_image(Interrupted(), path, layout, filesystem):
            pytest.fail("the interrupt was lost")

    def test_an_interrupt_while_unmounting_leaves_nothing(self, image):
        path, layout, filesystem = image

        class Interrupted:
            def run(self, argv, *, timeout):
                if argv[0] == "umount":
                    signal.raise_signal(signal.SIGINT)
                return PROCESS.run(argv, timeout=timeout)

        with pytest.raises(KeyboardInterrupt), mounted_image(Interrupted(), path, layout, filesystem):
            pass
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_it_works_in_a_thread(self, image):
        path, layout, filesystem = image
        seen = []

        def work():
            with mounted_image(PROCESS, path, layout, filesystem) as root:
                seen.append(root.is_mount())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [True]

    def test_a_block_device_is_no_disk_image(self, image):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem):
            device = Path(attached_loops(PROCESS, path)[0])
            with (
                pytest.raises(StorageError, match="not a regular file"),
                mounted_image(PROCESS, device, layout, filesystem),
            ):
                pytest.fail("it was mounted")


class Script:
    """Answers instead of the host's programs; `answers` maps a program to its exit code and stderr."""

    def __init__(self, **answers) -> None:
        self.answers = answers
        self.calls: list[list[str]] = []

    def run(self, argv, *, timeout):
        self.calls.append(list(argv))
        answer = self.answers.get(argv[0].replace(".", "_").replace("-", "_"), (0, ""))
        if isinstance(answer, Exception):
            raise answer
        return answer[0], "", answer[1]


UNKNOWN = (32, "mount: /x: unknown filesystem type 'exfat'.\n       dmesg(1) may have more information\n")


@pytest.fixture
def device(tmp_path, runtime, monkeypatch):
    """A file in the place of a partition that is not mounted; nothing here reaches a real device."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(mounts, "mounted_at", lambda _device: None)
    monkeypatch.setattr(mounts, "_FUSE_NODE", tmp_path)
    return tmp_path / "sdb1"


def used(process, device, fs_type="exfat"):
    with mounted_partition(process, device, fs_type) as point:
        return point


def test_the_kernels_driver_comes_first(device):
    process = Script()
    point = used(process, device)
    assert process.calls[0][:4] == ["mount", "-i", "-t", "exfat"]
    assert [call[0] for call in process.calls] == ["mount", "sync", "umount"]
    assert not point.exists()


def test_fuse_comes_second(device):
    process = Script(mount=UNKNOWN)
    used(process, device)
    assert [call[0] for call in process.calls] == ["mount", "mount.exfat-fuse", "sync", "umount"]


def test_ntfs_uses_the_kernels_own_name_for_it(device):
    process = Script()
    used(process, device, "ntfs")
    assert process.calls[0][3] == "ntfs3"


def test_a_missing_driver_names_the_package(device):
    process = Script(mount=UNKNOWN, mount_exfat_fuse=MissingToolError("x"))
    with pytest.raises(MissingToolError) as caught:
        used(process, device)
    assert "exfat-fuse" in caught.value.hint
    assert "modprobe exfat" in caught.value.hint


def test_a_host_without_fuse_says_so(device, monkeypatch, tmp_path):
    monkeypatch.setattr(mounts, "_FUSE_NODE", tmp_path / "none")
    with pytest.raises(StorageError, match="there is no /dev/fuse"):
        used(Script(mount=UNKNOWN), device)


def test_a_failed_mount_gives_the_reason_without_the_advice_of_mount(device, runtime):
    why = "mount: wrong fs type.\n       dmesg(1) may have more information\n"
    with pytest.raises(StorageError, match=r"wrong fs type\.$"):
        used(Script(mount=(32, why)), device)
    assert list(runtime.iterdir()) == []


def test_what_could_not_be_flushed_is_an_error_although_it_was_unmounted(device):
    process = Script(sync=(1, "sync: error syncing: Input/output error\n"))
    with pytest.raises(StorageError, match="Input/output error"):
        used(process, device)
    assert process.calls[-1][0] == "umount"


def test_an_unmount_that_fails_for_another_reason_is_not_tried_again(device):
    process = Script(umount=(32, "umount: not mounted.\n"))
    with pytest.raises(StorageError, match="not mounted"):
        used(process, device)
    assert [call[0] for call in process.calls].count("umount") == 1


def test_an_ordinary_user_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(mounts, "mounted_at", lambda _device: None)
    with pytest.raises(StorageError, match="needs the rights of root, or udisks") as caught:
        used(Script(udisksctl=MissingToolError("x")), tmp_path / "sdb1")
    assert "with the desktop" in caught.value.hint
    why = "Error mounting /dev/sdb1: GDBus.Error: Not authorized to perform operation\n"
    with pytest.raises(StorageError, match=r"udisks did not mount .*Not authorized"):
        used(Script(udisksctl=(1, why)), tmp_path / "sdb1")
    with pytest.raises(StorageError, match="mounted nowhere"):
        used(Script(), tmp_path / "sdb1")
    with (
        pytest.raises(StorageError, match="needs the rights of root"),
        mounted_image(Script(), tmp_path / "x.img", planned(), "exfat"),
    ):
        pytest.fail("it was mounted")


def test_a_read_only_mount_is_not_used(tmp_path, monkeypatch):
    row = MountRow("8:17", "/", "/media/x", read_only=True, fs_type="exfat", source="/dev/sdb1")
    monkeypatch.setattr(mounts, "mounted_at", lambda _device: row)
    with pytest.raises(StorageError, match="mounted read-only at /media/x"):
        used(Script(), tmp_path / "sdb1")


def test_a_device_that_is_gone_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot be examined"):
        used(Script(), tmp_path / "gone")


def test_nothing_is_mounted_at_an_unused_device():
    assert mounted_at(Path("/dev/null")) is None


# What udisksctl does, done by mount and umount: there is no udisks daemon where these tests run.
UDISKSCTL = """#!/bin/sh
echo "$@" >> {log}
case $1 in
mount) mkdir -p {point} && mount $UDISKS_OPTIONS "$4" {point} ;;
unmount) umount {point} ;;
*) exit 9 ;;
esac
"""


@pytest.mark.needs_root
@pytest.mark.needs_tool("mkfs.ext4", "losetup")
class TestThroughUdisks:
    @pytest.fixture
    def stick(self, tmp_path, runtime, monkeypatch):
        """A loop device with ext4, and a user who is not root."""
        (tmp_path / "bin").mkdir()
        program = tmp_path / "bin/udisksctl"
        program.write_text(UDISKSCTL.format(log=tmp_path / "log", point=tmp_path / "media"))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        image = tmp_path / "x.img"
        with image.open("wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        argv = ["losetup", "--find", "--show", str(image)]
        loop = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        yield Path(loop)
        subprocess.run(["losetup", "--detach", loop], check=True)

    def test_it_mounts_and_releases(self, stick, tmp_path, runtime):
        with mounted_partition(PROCESS, stick, "ext4") as point:
            assert point == tmp_path / "media"
            assert point.is_mount()
            (point / "x").write_text("y")
        assert not point.is_mount()
        assert (tmp_path / "log").read_text().split() == [
            *("mount", "--no-user-interaction", "--block-device", str(stick)),
            *("unmount", "--no-user-interaction", "--block-device", str(stick)),
        ]
        assert list(runtime.iterdir()) == []

    def test_what_the_desktop_mounted_already_stays_mounted(self, stick, tmp_path):
        (tmp_path / "media").mkdir(exist_ok=True)
        subprocess.run(["mount", str(stick), str(tmp_path / "media")], check=True)
        with mounted_partition(PROCESS, stick, "ext4") as point:
            assert point == tmp_path / "media"
        assert point.is_mount()
        subprocess.run(["umount", str(point)], check=True)

    def test_it_is_released_after_a_failure(self, stick, tmp_path):
        with pytest.raises(ZeroDivisionError), mounted_partition(PROCESS, stick, "ext4"):
            raise ZeroDivisionError
        assert not (tmp_path / "media").is_mount()

    def test_a_read_only_mount_is_refused_and_released(self, stick, tmp_path, monkeypatch):
        monkeypatch.setenv("UDISKS_OPTIONS", "-oro")
        with (
            pytest.raises(StorageError, match=r"mounted .* read-only"),
            mounted_partition(PROCESS, stick, "ext4"),
        ):
            pytest.fail("it was used")
        assert not (tmp_path / "media").is_mount()
