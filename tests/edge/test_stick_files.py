"""Files on a real folder that stands for a stick: whole, compared, private, and never outside of it."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fakes import Silent
from ventoy_kit.edge import page_cache
from ventoy_kit.edge.stick_files import ObstructedError, StickFolder
from ventoy_kit.edge.stick_part import Part
from ventoy_kit.errors import MachineError, StorageError
from ventoy_kit.ports import NewFile

DATA = b"some bytes"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def stick(tmp_path) -> StickFolder:
    (tmp_path / "stick").mkdir()
    return StickFolder(tmp_path / "stick", ".vk-")


def put(stick: StickFolder, path="iso/x.iso", data=DATA, *, private=False) -> None:
    stick.write(path, [data[:3], data[3:]], sha256=hashlib.sha256(data).hexdigest(), private=private)


def names(stick: StickFolder) -> list[str]:
    return sorted(p.relative_to(stick.root).as_posix() for p in stick.root.rglob("*"))


class TestWriting:
    def test_a_file_is_written_read_and_removed(self, stick):
        put(stick, "ventoy/fleet/x")
        assert stick.read("ventoy/fleet/x") == DATA
        assert stick.size("ventoy/fleet/x") == len(DATA)
        assert stick.sha256("ventoy/fleet/x", Silent()) == DIGEST
        stick.remove("ventoy/fleet/x")
        stick.remove("ventoy/fleet/x")
        assert names(stick) == []
        assert stick.root.is_dir()
        assert (stick.size("a/b"), stick.read("a/b")) == (None, None)

    def test_a_folder_with_files_of_others_stays(self, stick):
        put(stick, "ventoy/fleet/x")
        (stick.root / "ventoy/theme.txt").touch()
        stick.remove("ventoy/fleet/x")
        assert names(stick) == ["ventoy", "ventoy/theme.txt"]

    @pytest.mark.parametrize(("private", "file", "folder"), [(True, 0o600, 0o700), (False, 0o644, 0o755)])
    def test_private_files_and_their_new_folders_are_closed_to_others(self, stick, private, file, folder):
        put(stick, "a/b/c", private=private)
        modes = [(stick.root / p).stat().st_mode & 0o777 for p in ("a", "a/b", "a/b/c")]
        assert modes == [folder, folder, file]

    def test_a_private_stick_is_private_whatever_is_asked(self, tmp_path):
        put(StickFolder(tmp_path, ".vk-", private=True), "a/b")
        assert [(tmp_path / p).stat().st_mode & 0o777 for p in ("a", "a/b")] == [0o700, 0o600]

    def test_a_source_with_other_bytes_leaves_nothing(self, stick):
        with pytest.raises(StorageError, match="has other bytes than when it was built"):
            stick.write("iso/x.iso", [b"changed"], sha256=DIGEST, private=False)
        assert [n for n in names(stick) if "x" in n or "vk" in n] == []

    def test_the_old_file_stays_until_the_new_one_is_whole(self, stick):
        put(stick)

        def source():
            yield b"half"
            raise OSError(errno.EIO, "Input/output error")

        with pytest.raises(StorageError, match="Input/output error"):
            stick.write("iso/x.iso", source(), sha256="0" * 64, private=False)
        with pytest.raises(KeyboardInterrupt):
            stick.write("iso/x.iso", interrupted(), sha256="0" * 64, private=False)
        assert names(stick) == ["iso", "iso/x.iso"]
        assert stick.read("iso/x.iso") == DATA

    def test_what_reads_back_differently_is_refused(self, stick, monkeypatch):
        """A stick of false capacity takes every byte and gives others back."""
        real = Part._write

        def lying(self, chunks, **more):
            written = real(self, chunks, **more)
            self.path.write_bytes(b"\0" * self.path.stat().st_size)
            return written

        monkeypatch.setattr(Part, "_write", lying)
        with pytest.raises(StorageError, match="what was read back is not what was written"):
            put(stick)
        assert names(stick) == ["iso"]

    def test_a_large_file_is_flushed_on_the_way(self, stick, monkeypatch):
        flushed: list[None] = []
        real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", lambda fd: flushed.append(real(fd)))
        monkeypatch.setattr(page_cache, "WINDOW", 1024)
        data = os.urandom(4096)
        stick.write(
            "x",
            [data[i : i + 512] for i in range(0, 4096, 512)],
            sha256=hashlib.sha256(data).hexdigest(),
            private=False,
        )
        assert len(flushed) == 4

    def test_progress_counts_what_is_written_and_what_is_read_back(self, stick):
        class Counter(Silent):
            count = 0

            def advance(self, count):
                self.count += count

        counter = Counter()
        stick.write("x", [DATA], sha256=DIGEST, private=False, progress=counter)
        assert counter.count == 2 * len(DATA)


def interrupted():
    yield b"half"
    raise KeyboardInterrupt


class TestPaths:
    @pytest.mark.parametrize(
        "path", ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a/./b", "a\\b", "C:x", "a\nb"]
    )
    def test_no_path_leaves_the_stick(self, stick, path):
        for call in (
            lambda: stick.size(path),
            lambda: stick.read(path),
            lambda: stick.remove(path),
            lambda: put(stick, path),
        ):
            with pytest.raises(ValueError, match="no path of a manifest"):
                call()
        assert names(stick) == []

    @pytest.mark.parametrize("path", ["link", "link/x", "link/x/y"])
    def test_no_symbolic_link_is_followed(self, stick, tmp_path, path):
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/x").write_text("precious")
        (stick.root / "link").symlink_to(tmp_path / "outside")
        for call in (
            lambda: stick.size(path),
            lambda: stick.read(path),
            lambda: stick.remove(path),
            lambda: put(stick, path),
            lambda: stick.sha256(path),
        ):
            with pytest.raises(ObstructedError, match="is a symbolic link"):
                call()
        assert (tmp_path / "outside/x").read_text() == "precious"
        assert [p.name for p in (tmp_path / "outside").iterdir()] == ["x"]

    def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_said(self, stick):
        (stick.root / "d").mkdir()
        os.mkfifo(stick.root / "p")
        for path, what in (("d", "is a folder"), ("p", "no ordinary file")):
            for call in (stick.size, stick.read):
                with pytest.raises(ObstructedError, match=what):
                    call(path)

    def test_a_file_in_the_place_of_a_folder_is_said(self, stick):
        (stick.root / "iso").touch()
        for call in (stick.size, stick.read):
            with pytest.raises(ObstructedError, match="stands where a folder belongs"):
                call("iso/x.iso")

    def test_a_huge_file_is_not_read_into_memory(self, stick):
        with (stick.root / "big").open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(StorageError, match="more than 64 MiB"):
            stick.read("big")


def test_leftovers_are_found_below_folders_and_links_are_not_followed(stick, tmp_path):
    for path in (".vk-top", "iso/.vk-1", "iso/deep/.vk-2", "iso/vk-3", "ventoy/.vk-4", "other/.vk-5"):
        (stick.root / path).parent.mkdir(exist_ok=True, parents=True)
        (stick.root / path).touch()
    (tmp_path / ".vk-6").touch()
    (stick.root / "iso/link").symlink_to(tmp_path)
    assert stick.leftovers(".vk-", ("iso", "ventoy", "absent")) == (
        "iso/.vk-1",
        "iso/deep/.vk-2",
        "ventoy/.vk-4",
    )


class TestLock:
    def test_a_second_run_is_refused_and_a_later_one_is_not(self, stick):
        other = StickFolder(stick.root, ".vk-")
        with stick.locked(), pytest.raises(MachineError, match="another run"), other.locked():
            pytest.fail("two runs at once")
        with other.locked():
            pass

    def test_a_dead_run_holds_nothing(self, stick):
        code = (
            "import sys, os; from pathlib import Path; from ventoy_kit.edge.stick_files import StickFolder\n"
            "with StickFolder(Path(sys.argv[1]), '.vk-').locked(): os._exit(9)"
        )
        root = Path(__file__).parents[2]
        assert subprocess.run([sys.executable, "-c", code, str(stick.root)], cwd=root).returncode == 9
        with stick.locked():
            pass

    def test_a_folder_that_is_gone_is_a_storage_error(self, stick):
        stick.root.rmdir()
        with pytest.raises(StorageError, match="cannot open"), stick.locked():
            pytest.fail("locked nothing")


@pytest.mark.needs_root
class TestFullDisk:
    @pytest.fixture
    def small(self, tmp_path):
        point = tmp_path / "small"
        point.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(point)], check=True)
        yield StickFolder(point, ".vk-")
        subprocess.run(["umount", str(point)], check=True)

    def test_what_does_not_fit_leaves_nothing_and_keeps_the_old(self, small):
        put(small)
        data = os.urandom(2 << 20)
        with pytest.raises(StorageError, match="No space left") as caught:
            small.write("iso/x.iso", [data], sha256=hashlib.sha256(data).hexdigest(), private=False)
        assert "Free some space" in caught.value.hint
        assert names(small) == ["iso", "iso/x.iso"]
        assert small.read("iso/x.iso") == DATA
        assert small.free() > 900_000

    def test_a_read_only_stick_is_said(self, small):
        subprocess.run(["mount", "-o", "remount,ro", str(small.root)], check=True)
        with pytest.raises(StorageError, match="Read-only") as caught:
            put(small)
        assert "read-only" in caught.value.hint


class TestTogether:
    """Small files that share one flush."""

    @staticmethod
    def new(path: str, data: bytes, *, private: bool = True) -> NewFile:
        return NewFile(path, [data], hashlib.sha256(data).hexdigest(), private)

    def test_all_are_there_with_their_modes_also_twins(self, tmp_path):
        files = [self.new("a/x", b"1"), self.new("a/y", b"1"), self.new("b/z", b"2", private=False)]
        StickFolder(tmp_path, ".vk-").write_all(files)
        found = {
            p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()
        }
        assert found == {"a/x": b"1", "a/y": b"1", "b/z": b"2"}
        assert stat.S_IMODE((tmp_path / "a/x").stat().st_mode) == 0o600

    def test_none_gets_its_name_before_all_are_flushed_and_right(self, tmp_path, monkeypatch):
        stick = StickFolder(tmp_path, ".vk-")
        seen = []
        monkeypatch.setattr(stick, "flush", lambda: seen.append(sorted(p.name for p in tmp_path.iterdir())))
        (tmp_path / "x").write_bytes(b"old")
        stick.write_all([self.new("x", b"new"), self.new("y", b"new too")])
        assert [[n[:4] for n in names] for names in seen] == [[".vk-", ".vk-", "x"]]
        assert (tmp_path / "x").read_bytes() == b"new"

    def test_one_wrong_source_and_nothing_has_changed(self, tmp_path):
        (tmp_path / "x").write_bytes(b"old")
        wrong = NewFile("y", [b"other"], hashlib.sha256(b"expected").hexdigest(), True)
        with pytest.raises(StorageError, match="has other bytes than when it was built"):
            StickFolder(tmp_path, ".vk-").write_all([self.new("x", b"new"), wrong])
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x": b"old"}

    def test_nothing_to_write_flushes_nothing(self, tmp_path, monkeypatch):
        stick = StickFolder(tmp_path, ".vk-")
        monkeypatch.setattr(stick, "flush", lambda: pytest.fail("flushed"))
        stick.write_all([])
