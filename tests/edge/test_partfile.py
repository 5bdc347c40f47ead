"""The file that is being received: every byte once, in order, hashed, whatever the pieces and the file system."""

import errno
import hashlib
import os
import random

import pytest

from ventoy_kit.edge.partfile import ALIGNED, BLOCK, BUFFERS, DIRECT_FROM, PartFile, Source
from ventoy_kit.errors import StorageError

SOURCE = Source("https://mirror.example/x", '"1"', None, 1 << 30)


def receive(file: PartFile, data: bytes, sizes: list[int]) -> tuple[str, str | None]:
    """Append in pieces; the digests at the end."""
    at = 0
    for size in sizes:
        room = file.room(min(size, len(data) - at))
        room[:] = data[at : at + len(room)]
        file.add(room)
        at += len(room)
    while at < len(data):
        room = file.room(len(data) - at)
        room[:] = data[at : at + len(room)]
        file.add(room)
        at += len(room)
    return file.digests()


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_any_pieces_give_the_same_bytes(seed, direct, tmp_path, monkeypatch):
    if not direct:
        monkeypatch.delattr(os, "O_DIRECT", raising=False)
    chance = random.Random(seed)
    data = chance.randbytes(chance.randrange(5 << 20, 12 << 20))
    sizes = [
        chance.choice([1, 4095, 4096, 9000, 16384, DIRECT_FROM, BLOCK - 1, BLOCK, 9 * BLOCK])
        for _ in range(30)
    ]
    with PartFile(tmp_path / "x.part", sha512=True) as file:
        file.restart(SOURCE)
        receive(file, data, sizes)
        assert file.digests() == (hashlib.sha256(data).hexdigest(), hashlib.sha512(data).hexdigest())
        assert file.size == len(data)
    assert (tmp_path / "x.part").read_bytes() == data
    # Gone on with by another run, from any place.
    keep = chance.randrange(len(data))
    with PartFile(tmp_path / "x.part") as file:
        file.keep(keep, lambda _: None)
        receive(file, data[keep:], sizes)
        assert file.digests() == (hashlib.sha256(data).hexdigest(), None)
    assert (tmp_path / "x.part").read_bytes() == data


def test_a_fast_line_is_written_past_the_cache(tmp_path, monkeypatch):
    written = []
    plain = os.pwrite

    def pwrite(descriptor, block, at):
        written.append((at, len(block)))
        return plain(descriptor, block, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    data = os.urandom(9 << 20)
    with PartFile(tmp_path / "x.part") as file:
        file.restart(SOURCE)
        receive(file, data, [16001])
        file.digests()
    assert (tmp_path / "x.part").read_bytes() == data
    assert all(at % ALIGNED == count % ALIGNED == 0 for at, count in written)
    if written:  # the folder's file system takes it
        assert sum(count for _, count in written) > 7 << 20


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSPC])
def test_a_file_system_that_takes_no_direct_writes_after_all(number, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    data = os.urandom(3 << 20)
    with PartFile(tmp_path / "x.part") as file:
        if file._direct is None:
            pytest.skip("the folder's file system takes none at all")
        monkeypatch.setattr(os, "pwrite", refuse)
        file.restart(SOURCE)
        if number == errno.EINVAL:
            receive(file, data, [])
            assert file.digests()[0] == hashlib.sha256(data).hexdigest()
        else:
            with pytest.raises(StorageError, match="No space left"):
                receive(file, data, [])
    held = (tmp_path / "x.part").read_bytes()
    assert held == (data if number == errno.EINVAL else b"")


def test_after_a_failure_nothing_is_written_any_more(tmp_path, monkeypatch):
    """A gap would make a later run go on with wrong bytes."""
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    data = os.urandom(3 * BUFFERS * BLOCK)
    with PartFile(tmp_path / "x.part") as file:
        file.restart(SOURCE)

        class Failing:
            """Fails once in the middle, and would go on."""

            def __init__(self, inner):
                self.inner, self.count = inner, 0

            def write(self, block):
                self.count += 1
                if self.count == 70:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                return self.inner.write(block)

            def __getattr__(self, name):
                return getattr(self.inner, name)

        monkeypatch.setattr(file, "_file", Failing(file._file))
        with pytest.raises(StorageError):
            receive(file, data, [])
    held = (tmp_path / "x.part").read_bytes()
    assert 0 < len(held) < len(data)
    assert data.startswith(held)


def test_buffers_that_were_not_used_are_not_lost(tmp_path):
    with PartFile(tmp_path / "x.part") as file:
        file.restart(SOURCE)
        for _ in range(5 * BUFFERS):
            file.room(100)  # reading failed, again and again
        receive(file, b"abc", [])
        assert file.digests()[0] == hashlib.sha256(b"abc").hexdigest()
