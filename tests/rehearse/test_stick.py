"""A rehearsal that starts from a stick: what starts there may write to it, and it stays as it was.

With a real Ventoy: tests/ventoy/test_rehearsal.py.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import Cli, make_starter
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.stick.layout import Layout, plan_layout

pytestmark = [
    pytest.mark.needs_tool(
        *("qemu-system-x86_64", "setpriv", "grub-mkimage", "mmd", "mcopy", "mkfs.exfat", "mkfs.fat"),
    ),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))


def rehearse(cli: Cli, folder: Path, stick: Path, until: str) -> dict[str, Any]:
    file = make_starter(folder / "fleet")
    assert cli("build", "--quiet", "-f", file).code == 0
    before = (stick.stat().st_mtime_ns, stick.stat().st_size)
    ran = cli.json(
        "rehearse", "node1", "-f", file, "--stick", stick, "--until", until, "--report", folder / "r"
    )
    assert ran.envelope["result"] is not None, ran.out
    assert (stick.stat().st_mtime_ns, stick.stat().st_size) == before
    assert list((folder / "r/node1").glob("screen-stick-*.png")), ran.out
    node: dict[str, Any] = ran.envelope["result"]["nodes"]["node1"]
    return node


def test_whatever_starts_from_it_stays_as_it_was(tmp_path: Path, cli: Cli):
    """A stick that writes to itself: GRUB saves a variable there. Where Ventoy lies, another loader does."""
    image, block = tmp_path / "stick.img", tmp_path / "grubenv"
    block.write_bytes(b"# GRUB Environment Block\n".ljust(1024, b"#"))
    (tmp_path / "grub.cfg").write_text(
        "search --file --set=root /grubenv\nset seen=yes\nsave_env -f ($root)/grubenv seen\nreboot\n"
    )
    (tmp_path / "version").write_text('set VENTOY_VERSION="1.1.17"\n')
    program = tmp_path / "loader.efi"
    modules = ["part_msdos", "fat", "search", "search_fs_file", "loadenv", "reboot", "normal"]
    layout = plan_layout(1 << 28, "mbr")
    assert isinstance(layout, Layout)
    create_image(SystemProcess(), image, layout, new_ids())
    place = f"{image}@@{layout.boot.offset}"
    steps: tuple[list[str | Path], ...] = (
        [
            "grub-mkimage",
            "-O",
            "x86_64-efi",
            "-p",
            "/",
            "-o",
            program,
            "-c",
            tmp_path / "grub.cfg",
            *modules,
        ],
        ["mmd", "-i", place, "::/EFI", "::/EFI/BOOT", "::/grub"],
        ["mcopy", "-i", place, program, "::/EFI/BOOT/BOOTX64.EFI"],
        ["mcopy", "-i", place, block, "::/grubenv"],
        ["mcopy", "-i", place, tmp_path / "version", "::/grub/grub.cfg"],
    )
    for words in steps:
        subprocess.run(words, check=True, capture_output=True, env=os.environ | {"MTOOLS_SKIP_CHECK": "1"})
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    node = rehearse(cli, tmp_path, image, "written")
    assert hashlib.sha256(image.read_bytes()).hexdigest() == digest
    (act,) = node["acts"]
    passed = [s["id"] for s in act["stages"] if s["at"] is not None]
    assert (act["end"], passed) == ("restarted", ["loader"])
    assert act["written"]["stick"] > 0
    assert {c["id"]: c["held"] for c in node["safety"]}["host"] is True
    assert node["tools"]["Ventoy on the stick"] == "1.1.17"
