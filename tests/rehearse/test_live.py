"""Rehearsals with real machines: the Debian installer as it is, and Proxmox's init as a stand-in has it.

`make test` plays a whole rehearsal of a Proxmox node; `make soak` plays Debian nodes: their installer did not come to its
early command within six minutes on two emulated cores.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import ROOT, Cli, make_starter, tree
from tests.conftest import CACHE
from tests.rehearse import debian_fleet
from tests.support.debian_archive import private_package, receive, served

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

KERNELS = {"12": "6.1.0-50-amd64", "13": "6.12.107+deb13-amd64"}


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


class TestDebian:
    """The real installer, with the components that the mirror of this machine has."""

    @pytest.fixture(params=["13", "12"])
    def release(self, request) -> str:
        found: str = request.param
        return found

    @pytest.fixture
    def package(self, release: str) -> Path:
        found = private_package(f"debian-installer-{release}-netboot-amd64", release, CACHE)
        if found is None:
            pytest.skip("needs Debian's netboot packages and a mirror that apt knows")
        return found

    @pytest.fixture
    def mirror(self, release: str) -> Iterator[str]:
        archive = receive(release, KERNELS[release], CACHE)
        if archive is None:
            pytest.skip("needs a mirror that apt knows")
        with served(archive, debian_fleet.COMPONENTS) as (port, _):
            yield f"http://127.0.0.1:{port}/debian"

    def rehearse(self, cli: Cli, file: Path, mirror: str, *more: str | Path) -> tuple[int, dict[str, Any]]:
        ran = cli.json("rehearse", "nas", "-f", file, "--mirror", mirror, *debian_fleet.WORDS, *more)
        assert ran.envelope["result"] is not None, ran.out
        return ran.code, ran.envelope["result"]["nodes"]["nas"]

    @soak
    @pytest.mark.needs_root
    def test_another_machine_comes_to_the_early_command_and_no_further(
        self, tmp_path: Path, package: Path, mirror: str, cli: Cli
    ):
        file = debian_fleet.make(tmp_path / "fleet", package)
        debian_fleet.build(file)
        code, node = self.rehearse(cli, file, mirror, "--only", "stranger", "--report", tmp_path / "reports")
        (act,) = node["acts"]
        assert (code, act["end"], act["code"]) == (0, "refused", "VK-B10"), act
        assert passed(act) == ["hook", "ticket", "installer", "network", "components", "overlay"]
        held = safety(node)
        assert held["identity"] is True
        assert held["one-shot"] is None
        assert {held[name] for name in ("disk-decoy", "disk-tank0", "stick", "host")} == {True}

    @soak
    def test_a_question_that_no_answer_covers_is_reported_with_its_text(
        self, tmp_path: Path, package: Path, mirror: str, cli: Cli
    ):
        file = debian_fleet.make(tmp_path / "fleet", package)
        own = file.parent / "answer_files/debian"
        shutil.copytree(ROOT / "answer_files/debian", own)
        for template in own.glob("*.j2"):
            lines = template.read_text().splitlines(keepends=True)
            template.write_text("".join(line for line in lines if "netcfg/get_ipaddress" not in line))
        debian_fleet.build(file)
        code, node = self.rehearse(cli, file, mirror, "--only", "install")
        (act,) = node["acts"]
        assert (code, act["end"]) == (1, "question"), act
        assert "IP address" in act["said"]

    @soak
    def test_a_wrong_disk_serial_has_its_own_verdict(
        self, tmp_path: Path, package: Path, mirror: str, cli: Cli
    ):
        file = debian_fleet.make(tmp_path / "fleet", package)
        debian_fleet.build(file, system="SOMETHING-ELSE")
        code, node = self.rehearse(cli, file, mirror, "--only", "install")
        (act,) = node["acts"]
        assert (code, act["end"], act["code"]) == (1, "refused", "VK-B21"), act

    @soak
    def test_the_node_itself_is_handed_over(self, tmp_path: Path, package: Path, mirror: str, cli: Cli):
        file = debian_fleet.make(tmp_path / "fleet", package)
        debian_fleet.build(file)
        code, node = self.rehearse(
            cli, file, mirror, "--only", "auto", "--only", "install", "--until", "identity"
        )
        assert code == 0, node
        assert [a["end"] for a in node["acts"]] == ["consent", "reached"]
