"""Writing on where an interrupted run stopped, reading back from the device itself, and devices that fail."""

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ventoy_kit.edge import mounts, page_cache
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.mounts import mounted_image
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.edge.stick_part import Part, WrongBytesError
from ventoy_kit.errors import MachineError, StorageError
from ventoy_kit.stick.layout import Layout, plan_layout
from ventoy_kit.stick.parts import part_path

MIB = 1 << 20
BLOCKS = [bytes([n]) * 32 + os.urandom(MIB - 32) for n in range(40)]
DATA = b"".join(BLOCKS)
SHA = hashlib.sha256(DATA).hexdigest()
PROCESS = SystemProcess(mounts.PACKAGES)
PART = part_path("iso/x.iso", SHA, ".vk-")


@pytest.fixture
def stick(tmp_path) -> StickFolder:
    (tmp_path / "stick").mkdir()
    return StickFolder(tmp_path / "stick", ".vk-")


def put(stick: StickFolder, blocks=BLOCKS, *, private=False) -> None:
    stick.write("iso/x.iso", blocks, sha256=SHA, private=private)


def interrupted_after(count: int, failure: BaseException) -> Iterator[bytes]:
    yield from BLOCKS[:count]
    raise failure


@pytest.fixture
def written(monkeypatch) -> list[int]:
    """How many bytes are written, as the flusher is told."""
    counts: list[int] = []
    real = page_cache.Flusher.wrote

    def wrote(self, count):
        counts.append(count)
        real(self, count)

    monkeypatch.setattr(page_cache.Flusher, "wrote", wrote)
    return counts


class TestResume:
    @pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(5, "Input/output error")], ids=type)
    def test_it_goes_on_from_the_last_good_block(self, stick, written, failure):
        with pytest.raises((KeyboardInterrupt, StorageError)):
            put(stick, interrupted_after(30, failure))
        assert (stick.root / PART).stat().st_size == 30 * MIB
        written.clear()
        put(stick)
        assert sum(written) == 10 * MIB
        assert (stick.root / "iso/x.iso").read_bytes() == DATA
        assert list(stick.root.glob("iso/.vk-*")) == []

    @pytest.mark.parametrize(
        ("damage", "kept"),
        [
            (lambda part: part.write_bytes(DATA[: 20 * MIB] + b"\0" * (10 * MIB)), 20),
            (lambda part: part.write_bytes(DATA[: 20 * MIB + 17]), 20),
            (lambda part: part.write_bytes(DATA + b"more"), 40),
            (lambda part: part.write_bytes(b"other" + DATA[5:]), 0),
            (lambda part: part.write_bytes(b""), 0),
            (lambda part: part.write_bytes(DATA), 40),
        ],
        ids=["zeros-as-after-a-power-cut", "half-a-block", "longer", "first-byte", "empty", "whole"],
    )
    def test_whatever_is_there_the_result_is_the_source(self, stick, written, damage, kept):
        (stick.root / "iso").mkdir()
        damage(stick.root / PART)
        put(stick)
        assert sum(written) == (40 - kept) * MIB
        assert (stick.root / "iso/x.iso").read_bytes() == DATA

    def test_a_little_is_not_kept_and_neither_are_private_files(self, stick):
        for count, private in ((2, False), (30, True)):
            with pytest.raises(KeyboardInterrupt):
                put(stick, interrupted_after(count, KeyboardInterrupt()), private=private)
            assert list(stick.root.glob("iso/*")) == []

    def test_a_part_of_wrong_bytes_or_of_a_full_stick_is_not_kept(self, stick):
        with pytest.raises(WrongBytesError, match="other bytes than when it was built"):
            put(stick, BLOCKS[:-1])
        with pytest.raises(StorageError, match="No space"):
            put(stick, interrupted_after(30, OSError(28, "No space left on device")))
        assert list(stick.root.glob("iso/*")) == []

    @pytest.mark.parametrize("kind", ["link", "second-name", "pipe", "private"])
    def test_what_is_no_part_of_ours_is_not_written_into(self, stick, tmp_path, kind):
        (stick.root / "iso").mkdir()
        precious = tmp_path / "precious"
        precious.write_bytes(DATA[: 20 * MIB])
        part = stick.root / PART
        if kind == "link":
            part.symlink_to(precious)
        elif kind == "second-name":
            part.hardlink_to(precious)
        elif kind == "pipe":
            os.mkfifo(part)
        else:
            part.write_bytes(DATA[: 20 * MIB])
            part.chmod(0o666)
        if kind == "link":
            with pytest.raises(StorageError, match="symbolic link"):
                put(stick)
        else:
            put(stick, private=kind == "private")
            assert (stick.root / "iso/x.iso").stat().st_mode & 0o777 == (
                0o600 if kind == "private" else 0o644
            )
        assert precious.read_bytes() == DATA[: 20 * MIB]


def test_a_failed_flush_in_the_background_is_not_lost(stick, monkeypatch):
    def fail(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(StorageError, match="Input/output error") as caught:
        put(stick)
    assert "dmesg" in caught.value.hint


needs_exfat = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat", "mkfs.ext4", "losetup", "mount.exfat-fuse"),
]


@pytest.fixture(params=["exfat", "ext4"])
def image(request, tmp_path):
    layout = plan_layout(180 * MIB, "mbr")
    assert isinstance(layout, Layout)
    create_image(PROCESS, tmp_path / "s.img", layout, new_ids(), filesystem=request.param)
    yield tmp_path / "s.img", layout, request.param
    loops = subprocess.run(["losetup", "-n", "-j", tmp_path / "s.img"], capture_output=True, text=True)
    assert loops.stdout == ""
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def flip(image: Path, marker: bytes) -> None:
    """Change one byte behind the file system's back, as a failing stick does."""
    data = image.read_bytes()
    at = data.rindex(marker)
    with image.open("r+b") as file:
        file.seek(at + len(marker))
        file.write(bytes([data[at + len(marker)] ^ 1]))
        os.fsync(file.fileno())


class TestReadBack:
    pytestmark = needs_exfat

    def test_it_reads_the_device_and_no_cache(self, image, monkeypatch):
        """The file was written a moment ago; without dropping every cache the old byte would be seen."""
        path, layout, filesystem = image
        real = Part._write

        def failing_stick(self, chunks, **more):
            digest = real(self, chunks, **more)
            assert Path(self.path).read_bytes() == DATA  # it is cached now, in every layer
            flip(path, BLOCKS[17][:64])
            return digest

        monkeypatch.setattr(Part, "_write", failing_stick)
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            with pytest.raises(WrongBytesError, match="what was read back is not what was written"):
                put(StickFolder(root, ".vk-"))
            assert list((root / "iso").iterdir()) == []

    def test_the_layers_are_known(self, image, tmp_path):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            below = page_cache.devices_below(root)
        assert below[-1] == path
        assert [p.parent for p in below[:-1]] == ([Path("/dev")] if filesystem == "exfat" else [])
        assert page_cache.devices_below(tmp_path / "gone") == ()

    @pytest.mark.needs_tool("fincore")
    def test_the_page_cache_stays_bounded(self, image):
        path, layout, filesystem = image
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            put(StickFolder(root, ".vk-"))
            cached = subprocess.run(
                ["fincore", "--bytes", "--noheadings", "--output", "RES", str(root / "iso/x.iso"), str(path)],
                capture_output=True,
                text=True,
                check=True,
            )
        assert max(int(line) for line in cached.stdout.split()) < page_cache.WINDOW, cached.stdout


class TestFailingDevices:
    """What a stick does that is pulled out, or dies, while it is written to: an error with a sentence, and no mount."""

    pytestmark = needs_exfat

    @pytest.mark.parametrize("image", ["exfat"], indirect=True)
    def test_a_driver_that_dies(self, image):
        path, layout, filesystem = image

        def blocks(root: Path) -> Iterator[bytes]:
            yield from BLOCKS[:20]
            kill_driver_of(root)
            yield from BLOCKS[20:]

        with (
            pytest.raises(StorageError, match="Transport endpoint is not connected") as caught,
            mounted_image(PROCESS, path, layout, filesystem) as root,
        ):
            put(StickFolder(root, ".vk-"), blocks(root))
        assert "plug" in caught.value.hint
        # and looking at what is left says so too, instead of finding nothing
        with mounted_image(PROCESS, path, layout, filesystem) as root:
            files = StickFolder(root, ".vk-")
            kill_driver_of(root)
            for look in (
                lambda: files.size("iso/x.iso"),
                lambda: files.read("iso/x.iso"),
                lambda: files.leftovers(".vk-", ("iso",)),
                files.free,
                lambda: files.sha256("iso/x.iso"),
                lambda: files.remove("iso/x.iso"),
            ):
                with pytest.raises(StorageError, match="Transport endpoint"):
                    look()
            with pytest.raises(StorageError):
                files.flush()
            subprocess.run(["umount", str(root)], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "none", str(root)], check=True)  # something to release

    def test_a_device_that_shrinks_away(self, image):
        """Writes behind the end of the file below the loop device fail with EIO."""
        path, layout, filesystem = image

        def blocks() -> Iterator[bytes]:
            yield from BLOCKS[:8]
            loop = subprocess.run(
                ["losetup", "-n", "-O", "NAME", "-j", str(path)], capture_output=True, text=True
            ).stdout.strip()
            os.truncate(path, 4 * MIB)
            subprocess.run(["losetup", "--set-capacity", loop], check=True)
            yield from BLOCKS[8:]

        with pytest.raises(MachineError), mounted_image(PROCESS, path, layout, filesystem) as root:
            put(StickFolder(root, ".vk-"), blocks())

    @pytest.mark.parametrize("image", ["ext4"], indirect=True)
    def test_a_file_system_that_turns_read_only(self, image):
        path, layout, filesystem = image

        def blocks(root: Path) -> Iterator[bytes]:
            yield from BLOCKS[:20]
            subprocess.run(["mount", "-o", "remount,abort", str(root)], check=False)
            yield from BLOCKS[20:]

        with (
            pytest.raises(
                StorageError, match=r"Read-only file system|Input/output error|Structure needs"
            ) as caught,
            mounted_image(PROCESS, path, layout, filesystem) as root,
        ):
            put(StickFolder(root, ".vk-"), blocks(root))
        assert "dmesg" in caught.value.hint

    def test_a_second_run_is_refused_under_any_name(self, image, tmp_path):
        """Two drivers on one exFAT would destroy it, so the lock is held before anything is mounted."""
        from ventoy_kit.edge.devices import Devices
        from ventoy_kit.edge.targets import examine_target, open_stick

        path, _, _ = image
        devices = Devices(PROCESS, udev=dict)
        (tmp_path / "name").symlink_to(path)
        (tmp_path / "other").hardlink_to(path)
        candidates = [
            examine_target(PROCESS, devices, str(p))[0] for p in (path, tmp_path / "name", tmp_path / "other")
        ]
        assert candidates[0] is not None
        with open_stick(PROCESS, devices, candidates[0]):
            for candidate in candidates:
                assert candidate is not None
                with (
                    pytest.raises(MachineError, match="another run of ventoy-kit"),
                    open_stick(PROCESS, devices, candidate),
                ):
                    pytest.fail("two at once")


def kill_driver_of(root: Path) -> None:
    """Kill the FUSE driver of a mount: by its id, found by its arguments."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[0].endswith(b"mount.exfat-fuse") and str(root).encode() in arguments:
            os.kill(int(process.name), 9)
            time.sleep(0.2)
            return
    pytest.fail("the driver was not found")
