"""Files of the host: whole or not at all, readable errors, no way around permissions."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from ventoy_kit.edge import files as module
from ventoy_kit.edge.files import (
    HostFiles,
    digests_of,
    exists,
    is_writable,
    listing,
    make_folder,
    read_tree,
    remove_file,
    source_chunks,
    storage_error,
    write_atomic,
)
from ventoy_kit.errors import StorageError


class TestWriteAtomic:
    @pytest.mark.parametrize("mode", [0o600, 0o644])
    def test_the_mode_is_the_asked_one_and_nothing_else_is_left(self, tmp_path, mode):
        target = tmp_path / "x"
        for data in (b"one", b"two"):
            write_atomic(target, data, mode=mode)
            assert target.read_bytes() == data
            assert target.stat().st_mode & 0o777 == mode
        assert [p.name for p in tmp_path.iterdir()] == ["x"]

    def test_a_link_is_replaced_and_what_it_leads_to_is_not(self, tmp_path):
        (tmp_path / "real").write_bytes(b"old")
        (tmp_path / "link").symlink_to("real")
        write_atomic(tmp_path / "link", b"new")
        assert (tmp_path / "real").read_bytes() == b"old"
        assert not (tmp_path / "link").is_symlink()

    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
    def test_the_old_content_stays_when_the_new_one_cannot_be_flushed(self, tmp_path, monkeypatch, error):
        write_atomic(tmp_path / "x", b"old")

        def fail(_):
            raise error

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError if isinstance(error, OSError) else KeyboardInterrupt):
            write_atomic(tmp_path / "x", b"new")
        assert [p.name for p in tmp_path.iterdir()] == ["x"]
        assert (tmp_path / "x").read_bytes() == b"old"

    def test_whoever_is_alone_takes_away_what_a_killed_run_has_left(self, tmp_path, monkeypatch):
        with monkeypatch.context() as killed:
            killed.setattr(Path, "unlink", lambda *_, **__: None)
            killed.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                write_atomic(tmp_path / "x", b"one", alone=True)
        assert [p.name for p in tmp_path.iterdir()] == [".vk-x.tmp"]
        write_atomic(tmp_path / "x", b"two", alone=True)
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x": b"two"}

    def test_a_folder_in_its_place_is_a_storage_error(self, tmp_path):
        (tmp_path / "x").mkdir()
        with pytest.raises(StorageError, match="cannot write"):
            write_atomic(tmp_path / "x", b"")
        assert [p.name for p in tmp_path.iterdir()] == ["x"]

    def test_temporary_names_mean_nothing_to_ventoy(self, tmp_path, monkeypatch):
        seen = []
        monkeypatch.setattr(module, "sync_folder", lambda folder: None)
        real = os.open

        def spy(path, *rest, **more):
            seen.append(os.path.basename(path))
            return real(path, *rest, **more)

        monkeypatch.setattr(os, "open", spy)
        write_atomic(tmp_path / "ventoy.json", b"{}")
        (name,) = seen
        assert name.startswith(".vk-")
        assert name.endswith(".tmp")


def test_a_large_file_is_read_in_blocks(tmp_path):
    data = os.urandom(9 * 1024 * 1024)
    (tmp_path / "x").write_bytes(data)
    blocks = list(HostFiles().chunks(tmp_path / "x"))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= module.BLOCK
    assert digests_of(tmp_path / "x", "sha256", "sha512") == (
        hashlib.sha256(data).hexdigest(),
        hashlib.sha512(data).hexdigest(),
    )


def test_stat_takes_regular_files_only(tmp_path):
    (tmp_path / "x").write_bytes(b"123")
    assert HostFiles().stat(tmp_path / "x").size == 3
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "no", FileNotFoundError)):
        with pytest.raises(error):
            HostFiles().stat(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError):
        HostFiles().stat(tmp_path / "pipe")


def test_a_source_that_cannot_be_read_names_itself(tmp_path):
    for path in (tmp_path / "gone.iso", tmp_path):
        with pytest.raises(StorageError, match=rf"cannot read {path}"):
            list(source_chunks(path))
        with pytest.raises(StorageError, match=rf"cannot read {path}"):
            digests_of(path, "sha256")


class TestReadTree:
    def test_two_levels_without_hidden_names(self, tmp_path):
        for path in ("a/x", "a/.hidden", "a/deep/y", ".git/z", "top", ".dot"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(path)
        assert read_tree(tmp_path) == {"": {"top": b"top"}, "a": {"x": b"a/x"}}

    def test_nothing_there_is_nothing(self, tmp_path):
        assert read_tree(tmp_path / "no") == {"": {}}

    def test_a_file_that_cannot_be_read_is_a_storage_error_that_names_it(self, tmp_path, monkeypatch):
        (tmp_path / "a").mkdir()
        (tmp_path / "a/x").touch()

        def denied(self):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))

        monkeypatch.setattr(Path, "read_bytes", denied)
        with pytest.raises(StorageError, match=rf"{tmp_path}/a/x: Permission denied"):
            read_tree(tmp_path)


def test_folders_are_made_listed_and_looked_at(tmp_path):
    make_folder(tmp_path / "a/b", mode=0o700)
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "a/b/x").write_bytes(b"12")
    (tmp_path / "a/y").write_bytes(b"")
    assert listing(tmp_path) == (("a/b/x", 2), ("a/y", 0))
    assert exists(tmp_path / "a")
    assert not exists(tmp_path / "z")
    assert not is_writable(tmp_path / "a/y")
    (tmp_path / "broken").symlink_to("nowhere")
    assert exists(tmp_path / "broken")
    with pytest.raises(StorageError, match="cannot create"):
        make_folder(tmp_path / "a/y")
    remove_file(tmp_path / "a/y")
    remove_file(tmp_path / "a/y")
    with pytest.raises(StorageError, match="cannot remove"):
        remove_file(tmp_path / "a")


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "space"),
        (errno.EACCES, "owner"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "replace"),
        (errno.ENODEV, "plug it in"),
        (errno.EBADF, "dmesg"),
    ],
)
def test_each_error_of_the_system_has_a_hint(tmp_path, number, hint):
    error = storage_error("write", tmp_path, OSError(number, os.strerror(number)))
    assert os.strerror(number) in error.message
    assert hint in error.hint
