"""`fetch` with archives, full disks, and processes that are killed or run at the same time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from tests.app.fetch.shared import ISO, SHA, catalog, errors, folder_at, objects, put_iso, usable
from tests.app.workspaces import command, environment
from tests.support.https_server import (
    File,
    honest,
    in_turn,
    stall_after,
)
from tests.support.vendors import MADE, name


class TestArchives:
    def archive(self, *members: tuple[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            for member, data in members:
                made.writestr(member, data)
        return out.getvalue()

    @pytest.fixture
    def publish(self, fleet, vendor):
        def publish(data: bytes) -> None:
            sums = f"{hashlib.sha256(data).hexdigest()}  pve_9.1-1.zip\n".encode()
            vendor.put("pve_9.1-1.zip", data)
            vendor.put("SHA256SUMS", sums)
            vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))

        catalog(fleet, vendor, file="pve_{release}.zip",
                unpack={"member": r"[a-z]+\.iso", "name": "pve_{release}.iso"}, max_size="2 MiB")  # fmt: skip
        return publish

    def test_the_image_is_unpacked_and_both_are_locked(self, fleet, cli, cache, publish):
        publish(self.archive(("readme.txt", b"hello"), ("image.iso", ISO)))
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert (image["file"], image["sha256"], image["origin"]) == ("pve_9.1-1.iso", SHA, "unpacked")
        assert image["inputs"][0]["file"] == "pve_9.1-1.zip"
        assert objects(cache) == ["pve_9.1-1.iso"]
        assert list((cache / "unverified").iterdir()) == []
        shutil.rmtree(cache)
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA
        assert objects(cache) == ["pve_9.1-1.iso"]
        assert list((cache / "unverified").iterdir()) == []

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ([("readme.txt", b"")], "0 members match"),
            ([("a.iso", ISO), ("b.iso", ISO)], "2 members match"),
            ([("../../a.iso", ISO)], "0 members match"),
            ([("a.iso", b"\0" * (3 << 20))], "larger than"),
            ([], "0 members"),
        ],
    )
    def test_an_archive_that_does_not_hold_it(self, members, said, cli, cache, publish):
        publish(self.archive(*members))
        ran = cli.json("fetch")
        assert errors(ran) == ["VK-J53"]
        assert said in ran.envelope["findings"][-1]["message"]
        assert usable(cache) == []
        assert list(cache.glob("unverified/*.part")) == []

    def test_no_archive_at_all(self, cli, cache, publish):
        publish(ISO)
        assert errors(cli.json("fetch")) == ["VK-J53"]
        assert usable(cache) == []


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("fetch", "--json"), cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path, monkeypatch):
    """A real file system of 16 MiB with the cache on it."""
    where = folder_at(tmp_path / "small")
    if request.param == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs"]
    else:
        image = tmp_path / "small.img"
        with image.open("wb") as file:
            file.truncate(20 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image)], check=True)
        mount = ["mount", "-o", "loop", str(image)]
    done = subprocess.run([*mount, str(where)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{request.param} cannot be mounted here: {done.stderr.strip()}")
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(where / "cache"))
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take all room but `leave` bytes."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        while (free := shutil.disk_usage(folder).free - leave) > 0:
            try:
                file.write(b"x" * min(free, 1 << 16))
                file.flush()
            except OSError:
                break
    return filler


@pytest.mark.needs_root
@pytest.mark.needs_tool("mount", "mkfs.ext4")
class TestFullDisk:
    LARGE = ISO + random.Random(5).randbytes(2048 * 3000)

    def refused(self, cli, small_disk) -> str:
        ran = cli.json("fetch")
        assert ran.code == 3
        assert usable(small_disk / "cache") == []
        assert not Path("fleet.lock").exists()
        return str(ran.envelope["findings"][0]["message"])

    def test_before_the_first_byte(self, fleet, vendor, cli, small_disk):
        vendor.releases["9.1-1"] = self.LARGE
        vendor.publish()
        filler = fill(small_disk, 3 << 20)
        assert "free" in self.refused(cli, small_disk)
        assert [p for p in (small_disk / "cache/unverified").iterdir() if p.suffix == ".part"] == []
        filler.unlink()
        assert cli.json("fetch").code == 0

    def test_in_the_middle_of_a_download(self, fleet, vendor, cli, server, small_disk):
        vendor.releases["9.1-1"] = self.LARGE
        vendor.publish()
        file = File(self.LARGE, etag='"a"')

        def behave(exchange) -> None:
            exchange.file_head(file)
            half = len(self.LARGE) // 2
            exchange.send(file.body[:half])
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and not any(
                p.stat().st_size > 1 << 20 for p in small_disk.glob("cache/unverified/*.part")
            ):
                time.sleep(0.01)
            fill(small_disk, 0)
            exchange.send(file.body[half:])

        path = f"/iso/{name('9.1-1')}"
        server.put(path, in_turn(behave, honest(file)))
        assert "No space left" in self.refused(cli, small_disk)
        (part,) = (small_disk / "cache/unverified").glob("*.part")
        data = part.read_bytes()
        assert 1 << 20 < len(data) < len(self.LARGE)
        assert self.LARGE.startswith(data)
        (small_disk / "filler").unlink()
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert image["sha256"] == hashlib.sha256(self.LARGE).hexdigest()
        assert [r.status for r in server.requests if r.path == path] == [200, 206]

    def test_in_the_middle_of_unpacking(self, fleet, vendor, cli, small_disk):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("image.iso", ISO + b"\0" * 2048 * 3000)
        sums = f"{hashlib.sha256(out.getvalue()).hexdigest()}  pve_9.1-1.zip\n".encode()
        vendor.put("pve_9.1-1.zip", out.getvalue())
        vendor.put("SHA256SUMS", sums)
        vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))
        catalog(fleet, vendor, file="pve_{release}.zip",
                unpack={"member": r"[a-z]+\.iso", "name": "pve_{release}.iso"})  # fmt: skip
        filler = fill(small_disk, 3 << 20)
        assert "No space left" in self.refused(cli, small_disk)
        assert shutil.disk_usage(small_disk).free > 1 << 20, "the half image takes no room"
        filler.unlink()
        assert cli.json("fetch").result["images"]["proxmox-ve"]["origin"] == "unpacked"
        assert objects(small_disk / "cache") == ["pve_9.1-1.iso"]


class TestProcesses:
    def test_killed_at_random_moments(self, fleet, vendor, server, cache, cli):
        """Whatever instant a run is killed at: nothing wrong is usable, and in the end the next run goes on."""
        chance = random.Random(11)
        body = ISO + chance.randbytes(2048 * 700)
        sha = hashlib.sha256(body).hexdigest()
        vendor.releases["9.1-1"] = body
        vendor.publish()
        path = f"/iso/{name('9.1-1')}"
        server.put(path, honest(File(body, etag='"a"'), block=1 << 15, pause=0.01))
        kills = resumed = 0
        while kills < (50 if os.environ.get("VENTOY_KIT_SOAK") else 12):
            before = len(server.requests)
            run = start(fleet)
            deadline = time.monotonic() + 20
            while kills % 4 and len(server.requests) == before and time.monotonic() < deadline:
                time.sleep(0.005)  # most of them while it is loading or later, some while it begins
            time.sleep(chance.uniform(0, 0.8))
            alive = run.poll() is None
            run.kill()
            run.communicate()
            kills += alive
            for file in cache.glob("isos/*/*/*"):
                assert hashlib.sha256(file.read_bytes()).hexdigest() == sha == file.parent.name
            for part in cache.glob("unverified/*.part"):
                assert body.startswith(part.read_bytes())
            assert usable(cache) in ([], [name("9.1-1")], [name("9.1-1")] * 2)
            lock = fleet / "fleet.lock"
            assert not lock.exists() or f'sha256 = "{sha}"' in lock.read_text()
            resumed += any(r.status == 206 for r in server.requests[before:])
            if not alive or lock.exists():
                shutil.rmtree(cache, ignore_errors=True)
                lock.unlink(missing_ok=True)
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert image["sha256"] == sha
        assert resumed or server.requests[-1].status == 206
        assert list(cache.glob("unverified/*")) == []
        assert cli.json("image", "verify").code == 0

    def test_concurrent_runs_load_the_file_once(self, fleet, vendor, server, tmp_path, cache):
        put_iso(honest(File(ISO), block=4096, pause=0.005))(vendor)
        folders = [fleet, *(tmp_path / f"fleet{n}" for n in (2, 3))]
        for folder in folders[1:]:
            shutil.copytree(fleet, folder)
        runs = [start(folder) for folder in folders]
        outs = [json.loads(run.communicate(timeout=60)[0]) for run in runs]
        assert [o["ok"] for o in outs] == [True] * 3, outs
        assert len([r for r in server.requests if r.path == f"/iso/{name('9.1-1')}"]) == 1
        assert objects(cache) == [name("9.1-1")]
        assert len({(folder / "fleet.lock").read_bytes() for folder in folders}) == 1

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
    def test_an_interruption_leaves_a_part_that_is_gone_on_with(self, how, fleet, vendor, server, cache, cli):
        path = f"/iso/{name('9.1-1')}"
        put_iso(stall_after(File(ISO, etag='"a"'), len(ISO) // 2))(vendor)
        run = start(fleet)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not any(
            p.stat().st_size for p in cache.glob("unverified/*.part")
        ):
            time.sleep(0.05)
        os.kill(run.pid, how)
        run.communicate(timeout=30)
        assert run.returncode == (3 if how == signal.SIGINT else -how)
        assert usable(cache) == []
        assert not (fleet / "fleet.lock").exists()
        assert any(p.stat().st_size for p in cache.glob("unverified/*.part"))
        server.put(path, honest(File(ISO, etag='"a"')))
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA
        assert [r.status for r in server.requests if r.path == path][-1] == 206
