"""What is wrong before any machine is started: each mistake has its own finding, at its place, and QEMU is not touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import ISO, Cli, as_nobody, make_debian, make_starter, tree
from tests.rehearse.recorded import record
from ventoy_kit.app import rehearse_checks
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files
from ventoy_kit.stick.layout import Layout, plan_layout


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch) -> Path:
    """A QEMU that leaves a file when somebody starts it; at its end nobody has."""
    folder, called = tmp_path / "bin", tmp_path / "called"
    folder.mkdir()
    program = folder / "qemu-system-x86_64"
    program.write_text(f'#!/bin/sh\n: >"{called}"\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")
    return called


@pytest.fixture
def refuse(cli: Cli, emulator: Path) -> Callable[..., Any]:
    """Rehearses a fleet that cannot be; the errors by rule."""

    def call(file: Path, *words: str | Path, code: int = 1) -> dict[str, Any]:
        before = tree(file.parent)
        ran = cli.json("rehearse", "-f", file, *(words or ("node1",)))
        assert ran.code == code, ran.out
        assert ran.envelope["result"] is None
        assert not emulator.exists()
        assert tree(file.parent) == before
        errors = {f["rule"]: f for f in ran.envelope["findings"] if f["severity"] == "error"}
        assert all(f["remedy"] for f in errors.values())
        return errors

    return call


@pytest.fixture
def built(tmp_path: Path, cli: Cli) -> Path:
    file = make_starter(tmp_path / "fleet")
    assert cli("build", "--quiet", "-f", file).code == 0
    return file


@pytest.mark.parametrize(
    ("differs", "rule", "said", "line"),
    [
        ({"disk": "OTHER-DISK"}, "VK-Q07", "S5GXNX0T100001", "disk0: {use: system"),
        ({"size": 500_000_000_000}, "VK-Q10", "500 GB", "disk0: {use: system"),
        ({"mac": "02:00:5e:00:53:aa"}, "VK-Y49", "a8:a1:59:00:00:01", 'lan0: {mac: "a8:a1:59:00:00:01"}'),
        ({"serial": "OTHER-BOX"}, "VK-Q04", "OTHER-BOX", "identity: {serial: ABC1234}"),
    ],
)
def test_a_machine_that_is_not_what_the_fleet_file_says(
    built: Path, refuse, generic_kernel: Path, differs: dict[str, Any], rule: str, said: str, line: str
):
    record(built, "node1", **differs)
    (finding,) = (errors := refuse(built, "node1", "--kernel", generic_kernel)).values()
    assert list(errors) == [rule]
    assert said in finding["message"]
    assert finding["file"] == str(built)
    assert line in built.read_text().splitlines()[finding["line"] - 1]


def test_facts_of_other_nodes_do_not_stop_a_rehearsal_of_this_one(two: Path, refuse):
    record(two, "node2", disk="OTHER-DISK", serial="ABC1235", mac="a8:a1:59:00:00:02")
    # What stops it is the missing kernel for the stand-in.
    assert list(refuse(two, "node1")) == ["VK-Y42"]
    assert list(refuse(two, "node1", "node2")) == ["VK-Q07"]


def test_a_missing_iso(built: Path, refuse):
    (built.parent / ISO).unlink()
    finding = refuse(built)["VK-I02"]
    assert "there is no such file" in finding["message"]
    assert ISO in built.read_text().splitlines()[finding["line"] - 1]


def test_an_iso_that_is_too_old(built: Path, refuse):
    old = standin_files("proxmox-ve", "7.4-1")
    write_iso(old.files, old.volume_id, built.parent / ISO, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    finding = refuse(built)["VK-I10"]
    assert "7.4; the oldest that is supported is 8.4" in finding["message"]
    assert ISO in built.read_text().splitlines()[finding["line"] - 1]


def test_an_iso_that_was_exchanged_since_the_build(built: Path, refuse):
    other = standin_files("proxmox-ve", "9.0-1")
    write_iso(
        {**other.files, "/more": b"x" * 9999},
        other.volume_id,
        built.parent / ISO,
        bios=BIOS_IMAGE,
        uefi=UEFI_IMAGE,
    )
    assert list(refuse(built)) == ["VK-Z08"]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("nobody",), "VK-U02"),
        (("node1",), "VK-Y42"),
        (("node1", "--kernel", "/nowhere"), "VK-Y42"),
        (("node1", "--until", "tea"), "VK-Y45"),
        (("node1", "--mirror", "mirror.example"), "VK-Y47"),
        (("node1", "--report", "fleet.yaml/x"), "VK-U04"),
        (("node1", "--stick", "/dev/not-there"), "VK-Y46"),
        (("node1", "--stick", "/dev/null"), "VK-Y46"),
        (("node1", "--stick", "/"), "VK-Y46"),
        (("node1", "--stick", "fleet.yaml"), "VK-Y46"),
        (("node1", "--stick", ISO), "VK-Y46"),
    ],
)
def test_wishes_that_cannot_be(
    built: Path, refuse, monkeypatch, words: tuple[str, ...], rule: str, generic_kernel: Path
):
    monkeypatch.chdir(built.parent)
    more = ("--kernel", generic_kernel) if words[1:2] == ("--until",) else ()
    assert list(refuse(built, *words, *more)) == [rule]


@pytest.mark.needs_tool("mkfs.exfat", "mkfs.fat")
def test_a_stick_without_ventoy_on_it(tmp_path: Path, built: Path, refuse):
    layout = plan_layout(1 << 28, "mbr")
    assert isinstance(layout, Layout)
    image = tmp_path / "stick.img"
    create_image(SystemProcess(), image, layout, new_ids())
    assert "no Ventoy in the second one" in refuse(built, "node1", "--stick", image)["VK-Y46"]["message"]
    with image.open("r+b") as file:
        file.truncate(layout.boot.offset)
    assert "is cut off" in refuse(built, "node1", "--stick", image)["VK-Y46"]["message"]


@pytest.mark.needs_root
def test_a_stick_that_may_not_be_read(tmp_path: Path, built: Path):
    image = tmp_path / "stick.img"
    image.write_bytes(bytes(4096))
    image.chmod(0o600)
    for folder in (built.parent / "build", *(built.parent / "build").rglob("*")):
        folder.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o111)
    ran, wrote = as_nobody(built.parent, ["rehearse", "node1", "--stick", str(image)])
    assert (ran.code, wrote) == (1, []), ran.err
    assert f"{image} cannot be read: Permission denied" in ran.out


def test_a_mirror_that_no_installer_asks(built: Path, refuse, generic_kernel: Path):
    words = ("node1", "--kernel", generic_kernel, "--mirror", "http://mirror.example/debian")
    assert "--mirror does nothing" in refuse(built, *words)["VK-Y50"]["message"]


@pytest.mark.needs_tool("grub-mkrescue", "xorriso", "mformat")
@pytest.mark.needs_package("debian-installer-12-netboot-amd64")
def test_a_kernel_beside_an_image_that_has_its_own(
    tmp_path: Path, refuse, cli: Cli, netboot_package: Path, generic_kernel: Path
):
    file = make_debian(tmp_path / "shelf", netboot_package)
    assert cli("build", "--quiet", "-f", file).code == 0
    found = refuse(file, "nas", "--kernel", generic_kernel)
    assert "--kernel does nothing" in found["VK-Y50"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("--all", "node1"),
        (),
        ("node1", "--only", "again"),
        ("node1", "--only", "stranger", "--until", "hook"),
        ("node1", "--stick", "x.img", "--mirror", "http://mirror.example/"),
        ("node1", "--stick", "x.img", "--only", "install"),
        ("node1", "--timeout", "0"),
    ],
)
def test_words_that_do_not_go_together_are_a_wrong_usage(words: tuple[str, ...], built: Path, cli: Cli):
    ran = cli("rehearse", "-f", built, *words)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


class TestPrograms:
    """Everything that is missing is said at once, before anything starts."""

    @pytest.fixture
    def alone(self, tmp_path: Path, monkeypatch) -> Path:
        """A PATH on which there is nothing else."""
        folder = tmp_path / "alone"
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr("ventoy_kit.edge.process._SYSTEM_PATHS", ())
        return folder

    def missing(self, cli: Cli, file: Path, kernel: Path, *words: str) -> dict[str, Any]:
        ran = cli.json("rehearse", "node1", "-f", file, "--kernel", kernel, *words)
        assert ran.code == 3, ran.out
        (finding,) = (f for f in ran.envelope["findings"] if f["severity"] == "error")
        found: dict[str, Any] = finding
        return found

    def test_all_at_once(self, built: Path, cli: Cli, generic_kernel: Path, alone: Path, monkeypatch):
        monkeypatch.setattr("ventoy_kit.edge.emulator.FIRMWARE", ())
        monkeypatch.setattr(rehearse_checks, "GRUB_MODULES", str(alone / "not-there"))
        found = self.missing(cli, built, generic_kernel, "--tpm")
        names = "qemu-system-x86_64, setpriv, grub-mkimage, mformat, mmd, mcopy, swtpm"
        assert found["message"].startswith(f"not installed: {names}, UEFI firmware")
        packages = "qemu-system-x86, util-linux, grub-common, mtools, swtpm, ovmf, grub-efi-amd64-bin"
        assert found["remedy"] == f"Install the packages {packages}."

    def test_a_bios_twin_needs_less(
        self, built: Path, cli: Cli, generic_kernel: Path, alone: Path, monkeypatch
    ):
        monkeypatch.setattr("ventoy_kit.edge.emulator.FIRMWARE", ())
        found = self.missing(cli, built, generic_kernel, "--firmware", "bios")
        assert found["message"] == "not installed: qemu-system-x86_64, setpriv"

    def test_a_tpm_without_swtpm(self, built: Path, cli: Cli, generic_kernel: Path, alone: Path):
        for name in ("setpriv", "grub-mkimage", "mformat", "mmd", "mcopy", "qemu-system-x86_64"):
            (alone / name).symlink_to("/bin/false")
        found = self.missing(cli, built, generic_kernel, "--tpm")
        assert (found["message"], found["remedy"]) == ("not installed: swtpm", "Install the package swtpm.")
