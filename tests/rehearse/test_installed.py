"""What an installed disk holds: real partition tables, real ext4, and files that promise something else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.rehearse.twins import planned
from ventoy_kit.app.rehearse_disk import read_installed
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.rehearse.installed import HEAD, check_files, partitions

MENU = "menuentry 'Debian' {\n\tlinux /vmlinuz root=UUID=1 ro quiet\n\tinitrd /initrd.img\n}\n"
RIGHT = {
    "/etc/hostname": "alpha\n",
    "/etc/fstab": "# x\nUUID=1 / ext4 errors=remount-ro 0 1\n",
    "/etc/network/interfaces": "auto enp0s1\niface enp0s1 inet static\n    address 10.1.0.1/8\n",
    "/boot/grub/grub.cfg": MENU,
}


def checks(files: dict[str, str], **more: object) -> dict[str, bool | None]:
    return {c.id: c.held for c in check_files(planned(**more), files)}


def test_what_was_promised_holds():
    assert checks(RIGHT) == {
        "after-hostname": True,
        "after-command-line": True,
        "after-address": True,
        "after-layout": True,
    }


@pytest.mark.parametrize(
    ("path", "text", "check"),
    [
        ("/etc/hostname", "debian\n", "after-hostname"),
        ("/etc/fstab", "UUID=1 / xfs defaults 0 1\n", "after-layout"),
        ("/etc/network/interfaces", "address 10.1.0.11/8\n", "after-address"),
        ("/boot/grub/grub.cfg", MENU.replace("quiet", "rdinit=/vtoy/vtoy"), "after-command-line"),
    ],
)
def test_what_is_otherwise_is_said(path: str, text: str, check: str):
    held = checks(RIGHT | {path: text})
    assert held.pop(check) is False
    assert set(held.values()) == {True}


def test_the_report_of_the_hooks_counts_when_it_is_there():
    hooks = [{"name": "repos", "params": {"channel": "no-subscription"}}]
    assert checks(RIGHT, hooks=hooks)["after-hooks"] is None
    report = "/var/lib/ventoy-kit/report.json"
    assert checks(RIGHT | {report: '{"state": "done"}'}, hooks=hooks)["after-hooks"] is True
    assert checks(RIGHT | {report: '{"state": "failed"}'}, hooks=hooks)["after-hooks"] is False
    assert checks(RIGHT | {report: "[]"}, hooks=hooks)["after-hooks"] is False


@pytest.mark.needs_tool("sfdisk", "mkfs.ext4", "debugfs")
@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_files_are_read_from_a_real_disk_without_a_mount(label: str, tmp_path: Path):
    root, part, disk = tmp_path / "root", tmp_path / "part", tmp_path / "disk with blanks"
    for name, text in RIGHT.items():
        (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        (root / name[1:]).write_text(text)
    disk.write_bytes(b"")
    with disk.open("r+b") as file:
        file.truncate(48 << 20)
    script = f"label: {label}\nstart=2048, size=16384\nstart=18432, size=65536\n"
    subprocess.run(["sfdisk", "-q", disk], input=script.encode(), check=True)
    with part.open("wb") as file:
        file.truncate(65536 * 512)
    subprocess.run(["mkfs.ext4", "-q", "-d", root, part], check=True)
    with disk.open("r+b") as file:
        file.seek(18432 * 512)
        file.write(part.read_bytes())
    before = disk.read_bytes()
    assert partitions(before[:HEAD]) == ((2048 * 512, 16384 * 512), (18432 * 512, 65536 * 512))
    assert read_installed(disk, SystemProcess()) == RIGHT
    assert disk.read_bytes() == before


@pytest.mark.parametrize("head", [b"", b"\0" * HEAD, b"\0" * 512 + b"EFI PART" + b"\xff" * (HEAD - 520)])
def test_a_disk_without_a_table_has_no_partitions(head: bytes):
    assert partitions(head) == ()
