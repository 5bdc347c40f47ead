"""The shared cache of images: what is in it is right, whoever uses it at the same time."""

import hashlib
import os
import random
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ventoy_kit.edge import cache as cache_module
from ventoy_kit.edge.cache import Cache, Content, cache_folder, is_plain_name
from ventoy_kit.edge.partfile import PartFile, Source, note_of
from ventoy_kit.errors import StorageError

BODY = random.Random(1).randbytes(300_000)
SHA = hashlib.sha256(BODY).hexdigest()
NAME = "debian-13.1.0-amd64-netinst.iso"


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def fill(cache, body=BODY, name=NAME, key="https://mirror.example/x.iso"):
    with cache.part(key) as part:
        part.write_bytes(body)
        return cache.publish(part, hashlib.sha256(body).hexdigest(), name)


@pytest.fixture
def unread(monkeypatch):
    """Makes reading an object an error."""

    def refuse(*_, **__):
        raise AssertionError("the object was read")

    monkeypatch.setattr(cache_module, "digests_of", refuse)


def test_where_the_cache_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder({}) == tmp_path / "ventoy-kit"
    assert cache_folder({"VENTOY_KIT_CACHE": ""}) == tmp_path / "ventoy-kit"
    assert cache_folder({"VENTOY_KIT_CACHE": "/srv/images"}) == Path("/srv/images")
    monkeypatch.setenv("HOME", "/home/luke")
    assert cache_folder({"VENTOY_KIT_CACHE": "~/images"}) == Path("/home/luke/images")
    monkeypatch.chdir(tmp_path)
    assert cache_folder({"VENTOY_KIT_CACHE": "images"}) == tmp_path / "images"
    assert not (tmp_path / "images").exists()


def test_an_empty_cache(cache):
    assert cache.find(SHA) is None
    assert cache.verify(SHA) is Content.MISSING
    assert (cache.files(), cache.parts()) == ((), ())
    assert cache.usage().bytes == 0
    assert not cache.root.exists()


def test_publish(cache, unread):
    path = fill(cache)
    assert path == cache.root / "isos" / SHA[:2] / SHA / NAME
    assert path.read_bytes() == BODY
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert cache.find(SHA) == path
    (entry,) = cache.files()
    assert (entry.sha256, entry.path, entry.size) == (SHA, path, len(BODY))
    assert entry.seen == pytest.approx(time.time(), abs=60)
    assert list((cache.root / "unverified").iterdir()) == []
    usage = cache.usage()
    assert (usage.files, usage.bytes, usage.parts, usage.part_bytes) == (1, len(BODY), 0, 0)


def test_the_same_content_is_kept_once(cache):
    first = fill(cache)
    assert fill(cache, name="other-name.iso", key="elsewhere") == first
    assert [p.name for p in first.parent.iterdir()] == [NAME]
    assert cache.parts() == ()


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x.iso",
        "a/b.iso",
        "a\\b.iso",
        ".hidden",
        "-rf",
        "a\nb",
        "a\0b",
        "C:x",
        "x" * 201,
        "\ud800",
    ],
)
def test_names_that_are_no_names(cache, name):
    assert not is_plain_name(name)
    with cache.part("x") as part:
        part.write_bytes(BODY)
        with pytest.raises(ValueError, match="plain"):
            cache.publish(part, SHA, name)
    assert cache.files() == ()


def test_names_that_vendors_use():
    for name in (
        NAME,
        "proxmox-ve_9.1-1.iso",
        "systemrescue-12.01-amd64.iso",
        "x" * 200,
        "mt86plus_8.00_x86_64.grub.iso.zip",
    ):
        assert is_plain_name(name)


@pytest.mark.parametrize("digest", ["", "../../etc", SHA[:-1], SHA.upper(), SHA + "\n"])
def test_digests_that_are_none(cache, digest):
    for use in (cache.find, cache.verify):
        with pytest.raises(ValueError, match="digest"):
            use(digest)


def change(path, how):
    times = path.stat()
    if how == "one byte":
        with path.open("r+b") as file:
            file.write(bytes([BODY[0] ^ 1]))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # even with its old date
    elif how == "shorter":
        os.truncate(path, 1000)
    elif how == "replaced":
        path.unlink()
        path.write_bytes(BODY[::-1])
    elif how == "a link":
        path.rename(path.parent.parent / "moved")
        path.symlink_to(path.parent.parent / "moved")
    elif how == "a second file":
        (path.parent / "second.iso").write_bytes(b"")
    elif how == "gone":
        path.unlink()


@pytest.mark.parametrize("how", ["one byte", "shorter", "replaced", "a link", "a second file", "gone"])
def test_what_was_changed_is_not_found_and_can_be_replaced(cache, how):
    path = fill(cache)
    change(path, how)
    assert cache.find(SHA) is None
    assert cache.verify(SHA) in (Content.WRONG, Content.MISSING)
    again = fill(cache, name="again.iso")
    assert again.read_bytes() == BODY
    assert [p.name for p in again.parent.iterdir()] == ["again.iso"]
    assert cache.verify(SHA) is Content.RIGHT


def test_a_touched_file_is_read_once(cache, monkeypatch):
    path = fill(cache)
    os.utime(path)
    assert cache.find(SHA) == path
    monkeypatch.setattr(cache_module, "digests_of", None)
    assert cache.find(SHA) == path


@pytest.mark.parametrize("memo", [b"", b"[]", b'{"stat": 1, "seen": "x"}'])
def test_a_memo_that_is_nonsense(cache, memo):
    path = fill(cache)
    (cache.root / "memo" / f"{SHA}.json").write_bytes(memo)
    assert [f.path for f in cache.files()] == [path]
    assert cache.find(SHA) == path


def test_verify_reads_and_tells(cache):
    class Told:
        title, total, count, ended = "", 0, 0, False

        def start(self, title, total):
            self.title, self.total = title, total

        def advance(self, count):
            self.count += count

        def done(self):
            self.ended = True

    fill(cache)
    told = Told()
    assert cache.verify(SHA, told) is Content.RIGHT
    assert (told.title, told.total, told.count, told.ended) == (NAME, len(BODY), len(BODY), True)


def test_a_cache_that_cannot_be_written_to_can_be_read(cache, monkeypatch):
    path = fill(cache)
    (cache.root / "memo" / f"{SHA}.json").unlink()
    monkeypatch.setattr(
        cache_module, "write_atomic", lambda *_, **__: (_ for _ in ()).throw(StorageError("read-only"))
    )
    assert cache.find(SHA) == path


def test_parts_stay_until_they_are_published_or_thrown_away(cache):
    source = Source("https://mirror.example/x.iso", '"1"', None, 5000)
    with cache.part("x") as path, PartFile(path) as file:
        file.restart(source)
        room = file.room(3)
        room[:] = b"abc"
        file.add(room)
    (part,) = cache.parts()
    assert (part.path, part.size, part.total, part.url) == (path, 3, 5000, source.url)
    assert (cache.usage().parts, cache.usage().part_bytes) == (1, 3)
    with cache.part("x") as again:
        assert again == path
        cache.discard(again)
    assert cache.parts() == ()
    assert not note_of(path).exists()


def test_an_empty_part_does_not_stay(cache):
    with cache.part("x") as path:
        path.touch()
        note_of(path).write_bytes(b"{}")
    assert list(path.parent.iterdir()) == []


def test_dead_parts_are_told_and_stay(cache):
    now = time.time()
    for key, age in (("old", 10), ("new", 1)):
        with cache.part(key) as path:
            path.write_bytes(b"abc")
            os.utime(path, (now, now - age * 86400))
    (dead,) = cache.dead_parts(7, now)
    assert dead.changed == pytest.approx(now - 10 * 86400)
    assert dead.url is None
    assert len(cache.parts()) == 2


def test_threads_take_turns(cache):
    inside, most, told = 0, 0, []

    def run():
        nonlocal inside, most
        with cache.part("x", waiting=lambda: told.append(1)):
            inside += 1
            most = max(most, inside)
            time.sleep(0.05)
            inside -= 1

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(told) == 3


def test_a_lock_ends_with_its_process(cache):
    script = (
        "import sys, time; from pathlib import Path; from ventoy_kit.edge.cache import Cache\n"
        "with Cache(Path(sys.argv[1])).part('x'):\n    print('in', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(cache.root)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert other.stdout is not None
    with other:
        other.stdout.readline()
        with cache.part("y"):  # another one is free
            pass
        told = threading.Event()

        def kill_later():
            if told.wait(10):
                other.kill()

        threading.Thread(target=kill_later, daemon=True).start()
        with cache.part("x", waiting=told.set):
            other.wait(5)
    assert told.is_set()


def test_a_file_system_without_locks_is_refused(cache, monkeypatch):
    import fcntl

    def refuse(*_, **__):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError) as caught, cache.part("x"):
        pass
    assert "VENTOY_KIT_CACHE" in caught.value.hint


def test_a_place_that_cannot_be_used(tmp_path):
    (tmp_path / "cache").write_bytes(b"a file")
    with pytest.raises(StorageError), Cache(tmp_path / "cache").part("x"):
        pass


def test_publishing_what_is_not_there(cache):
    with cache.part("x") as part, pytest.raises(StorageError):
        cache.publish(part, SHA, NAME)
    assert cache.find(SHA) is None
