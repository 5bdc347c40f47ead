"""Rehearsals with real machines: the Debian installer as it is, and Proxmox's init as a stand-in has it.

`make test` plays a whole rehearsal of a Proxmox node; of a Debian 13 node it plays the armed start up to the proof of
machine and disks, and one with a wrong answer file, since emulated each start takes minutes. `make soak` plays the others
and Debian 12.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import ROOT, Cli, make_starter, tree
from tests.conftest import CACHE
from tests.rehearse import debian_fleet
from tests.support.debian_archive import Archive, private_package, receive, served
from tests.support.netboot import kernel_release
from ventoy_kit.edge.virtual_machine import VirtualMachine
from ventoy_kit.rehearse.follow import Follower, Passed

pytestmark = [
    pytest.mark.needs_tool(
        *(
            "qemu-system-x86_64",
            "setpriv",
            "busybox",
            "grub-mkimage",
            "mformat",
            "mcopy",
            "grub-mkrescue",
            "xorriso",
        )
    ),
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]
soak = pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="a long run: make soak")

PROVEN = ["hook", "ticket", "installer", "network", "components", "overlay", "identity"]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """So that a test sees what a rehearsal leaves."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    tempfile.tempdir = None
    assert list(folder.iterdir()) == []


def safety(node: dict[str, Any]) -> dict[str, bool | None]:
    return {c["id"]: c["held"] for c in node["safety"]}


def passed(act: dict[str, Any]) -> list[str]:
    return [s["id"] for s in act["stages"] if s["at"] is not None]


def test_a_proxmox_node_with_a_stand_in(tmp_path: Path, generic_kernel: Path, cli: Cli):
    file = make_starter(tmp_path / "fleet")
    assert cli("build", "--quiet", "-f", file).code == 0
    before = tree(file.parent)
    out = tmp_path / "reports"
    ran = cli.json("rehearse", "node1", "-f", file, "--kernel", generic_kernel, "--report", out)
    node = ran.result["nodes"]["node1"]
    acts = {a["act"]: a for a in node["acts"]}
    assert list(acts) == ["stranger", "auto", "install", "again"]
    assert (acts["stranger"]["code"], acts["again"]["code"]) == ("VK-B10", "VK-B60")
    assert acts["auto"]["end"] == "consent"
    assert passed(acts["install"]) == [s["id"] for s in acts["install"]["stages"]]
    assert set(safety(node).values()) == {True}
    assert acts["install"]["written"]["disk0"] > 0
    assert acts["install"]["written"]["decoy"] == 0
    assert tree(file.parent) == before
    page = (out / "node1/report.html").read_text()
    assert "PASSED" in page
    assert "the Proxmox installer did not run" in page
    assert json.loads((out / "node1/report.json").read_text()) == node
    for secret in ("$6$", "root-password"):
        assert secret not in ran.out
        files_kept = [p for p in out.rglob("*") if p.is_file() and p.suffix != ".png"]
        assert not any(secret in p.read_text(errors="replace") for p in files_kept)


@dataclass(frozen=True)
class Debian:
    """A node's fleet, and the mirror with the installer's components."""

    file: Path
    mirror: str
    archive: Archive
    cli: Cli

    def build(self, **recorded: str) -> None:
        debian_fleet.build(self.file, **recorded)

    def rehearse(
        self, *more: str | Path, words: Sequence[str] = debian_fleet.WORDS
    ) -> tuple[int, dict[str, Any]]:
        ran = self.cli.json("rehearse", "nas", "-f", self.file, "--mirror", self.mirror, *words, *more)
        assert ran.envelope["result"] is not None, ran.out
        return ran.code, ran.envelope["result"]["nodes"]["nas"]


@contextmanager
def debian(release: str, folder: Path, cli: Cli, *, drivers: bool = False) -> Iterator[Debian]:
    package = private_package(f"debian-installer-{release}-netboot-amd64", release, CACHE)
    if package is None:
        pytest.skip("needs Debian's netboot packages and a mirror that apt knows")
    kernel = kernel_release(package)
    archive = receive(release, kernel, CACHE)
    image = private_package(f"linux-image-{kernel}", release, CACHE) if drivers else None
    if archive is None or (drivers and image is None):
        pytest.skip(f"needs a mirror that apt knows, and on it the installer's kernel, {kernel}")
    more = debian_fleet.drivers(package, image, release, folder / "ramdisk") if image else b""
    with served(archive, debian_fleet.COMPONENTS) as (port, _):
        file = debian_fleet.make(folder / "fleet", package, more)
        yield Debian(file, f"http://127.0.0.1:{port}/debian", archive, cli)


class TestDebian:
    """The real installer, with the components that the mirror of this machine has. Nobody presses a key."""

    @pytest.fixture(autouse=True)
    def no_keys(self, monkeypatch) -> None:
        def pressed(*_: object) -> None:
            raise AssertionError("a key was pressed")

        monkeypatch.setattr(VirtualMachine, "type", pressed)
        monkeypatch.setattr(VirtualMachine, "press", pressed)

    @pytest.fixture
    def trixie(self, tmp_path: Path, cli: Cli) -> Iterator[Debian]:
        with debian("13", tmp_path, cli) as found:
            yield found

    @pytest.fixture
    def with_disks(self, tmp_path: Path, cli: Cli) -> Iterator[Debian]:
        with debian("13", tmp_path, cli, drivers=True) as found:
            yield found

    @pytest.mark.needs_root
    def test_the_armed_node_proves_machine_and_disks_in_the_early_command(
        self, tmp_path: Path, with_disks: Debian
    ):
        with_disks.build()
        reports = tmp_path / "reports"
        code, node = with_disks.rehearse("--only", "install", "--until", "identity", "--report", reports)
        (act,) = node["acts"]
        assert (code, act["end"]) == (0, "reached"), act
        assert passed(act) == PROVEN
        held = safety(node)
        assert {held[name] for name in ("disk-decoy", "disk-tank0", "stick", "host")} == {True}
        assert held["one-shot"] is None
        console = (reports / "nas/console-install.txt").read_text()
        assert re.search(r"^rehearsal: ticket .* image=debian node=nas arming=2", console, re.MULTILINE)
        assert "ventoy-kit: disks are wiped in" in console

    def test_a_question_that_no_answer_covers_is_reported_with_its_text_within_a_minute(
        self, trixie: Debian, monkeypatch
    ):
        own = trixie.file.parent / "answer_files/debian"
        shutil.copytree(ROOT / "answer_files/debian", own)
        ticket = own / "ticket.cfg.j2"
        lines = ticket.read_text().splitlines(keepends=True)
        ticket.write_text("".join(line for line in lines if "debian-installer/locale" not in line))
        trixie.build()
        spoke = []
        feed = Follower.feed

        def listen(follower: Follower, piece: str, at: float) -> list[Passed]:
            if piece:
                spoke.append(at)
            return feed(follower, piece, at)

        monkeypatch.setattr(Follower, "feed", listen)
        code, node = trixie.rehearse("--only", "install")
        (act,) = node["acts"]
        assert (code, act["end"]) == (1, "question"), act
        assert "Select a language" in act["said"]
        assert "Choose the language to be used for the installation process" in act["said"]
        assert act["seconds"] - spoke[-1] < 60

    @soak
    @pytest.mark.parametrize("release", ["13", "12"])
    def test_another_machine_comes_to_the_early_command_and_no_further(
        self, release: str, tmp_path: Path, cli: Cli
    ):
        with debian(release, tmp_path, cli) as found:
            found.build()
            code, node = found.rehearse("--only", "stranger")
        (act,) = node["acts"]
        assert (code, act["end"], act["code"]) == (0, "refused", "VK-B10"), act
        assert passed(act) == PROVEN[:-1]
        held = safety(node)
        assert held["identity"] is True
        assert held["one-shot"] is None
        assert {held[name] for name in ("disk-decoy", "disk-tank0", "stick", "host")} == {True}

    @soak
    @pytest.mark.needs_root
    def test_it_is_handed_over_once(self, with_disks: Debian):
        with_disks.build()
        only = [word for act in ("auto", "install", "again") for word in ("--only", act)]
        code, node = with_disks.rehearse(*only, "--until", "fired")
        assert code == 0, node
        assert [a["end"] for a in node["acts"]] == ["consent", "reached", "refused"]
        assert node["acts"][2]["code"] == "VK-B60"

    @soak
    def test_what_the_mirror_lacks_is_said(self, trixie: Debian):
        trixie.build()
        code, node = trixie.rehearse("--only", "install", words=debian_fleet.TRUST)
        (act,) = node["acts"]
        assert (code, act["end"]) == (1, "lacking"), act
        assert "No kernel modules were found" in act["said"]
