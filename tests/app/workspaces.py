"""Fleets to work with: the starter example with a stand-in for its image, and one with a real Debian installer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.netboot import build_netboot_iso
from ventoy_kit.cli import run
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

ROOT = Path(__file__).parents[2]

# A hash that is ready costs no time and gives the same bytes each time.
HASH = "$6$rounds=5000$abcdefgh$" + "x" * 86
VARIABLES = {"ROOT_PASSWORD": HASH}

ISO = "iso/STAND-IN-proxmox-ve_9.1-1.iso"


@dataclass(frozen=True)
class Ran:
    """What a run of the command line left."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        assert self.out, self.err
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    @property
    def result(self) -> dict[str, Any]:
        assert self.code == 0, self.err + self.out
        result = self.envelope["result"]
        assert isinstance(result, dict)
        return result

    @property
    def rules(self) -> list[str]:
        return [f["rule"] for f in self.envelope["findings"] if f["severity"] != "warning"]


class Cli:
    """Runs the command line in this process, or in one of its own."""

    def __init__(self, capsys) -> None:
        self.capsys = capsys

    def __call__(self, *args: str | Path) -> Ran:
        self.capsys.readouterr()
        code = run([str(a) for a in args])
        out, err = self.capsys.readouterr()
        return Ran(code, out, err)

    def json(self, *args: str | Path) -> Ran:
        """The same with --json; the output must be one JSON document."""
        ran = self(*args, "--json")
        assert ran.envelope
        return ran


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "ventoy_kit", *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    return os.environ | VARIABLES | {"PYTHONPATH": str(ROOT)} | more


def separate(args: Sequence[str | Path], cwd: Path, **more: Any) -> Ran:
    """Runs the command line in a process of its own."""
    done = subprocess.run(
        command(*args), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, **more
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def make_starter(folder: Path) -> Path:
    """The starter example with a stand-in; the path of its fleet file."""
    assert run(["init", str(folder), "--quiet"]) == 0
    image = standin_files("proxmox-ve", "9.1-1")
    write_iso(image.files, image.volume_id, folder / ISO, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    fleet = folder / "fleet.yaml"
    fleet.write_text(fleet.read_text().replace("iso/proxmox-ve_9.1-1.iso", ISO))
    return fleet


_NOBODY = """
import contextlib, io, json, os, sys
from ventoy_kit.cli import run
args, warm, folder = json.loads(sys.argv[1])
os.chdir(warm)  # once as root, so that everything is imported: Python itself may be out of the reach of nobody
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    run(args)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
os.chdir(folder)
sys.exit(run(args))
"""


def as_nobody(fleet: Path, args: Sequence[str]) -> tuple[Ran, list[str]]:
    """Runs a command with --json in a copy of the fleet that root owns, as the user nobody; and what it wrote."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        folder, warm = Path(scratch) / "fleet", Path(scratch) / "warm"
        for copy in (folder, warm):
            shutil.copytree(fleet, copy)
            copy.chmod(0o755)
        before = set(contents(folder))
        request = json.dumps([[*args, "--json"], str(warm), str(folder)])
        done = subprocess.run(
            [sys.executable, "-c", _NOBODY, request],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
        )
        return Ran(done.returncode, done.stdout, done.stderr), sorted(set(contents(folder)) - before)


DEBIAN = """\
version: 1
fleet: shelf
title: The shelf
contact: {email: me@example.org}
secrets:
  root: {env: ROOT_PASSWORD}
networks:
  lan: {cidr: 192.168.1.0/24, gateway: 192.168.1.1, dns: [192.168.1.1]}
images:
  debian: {path: iso/debian-12-netboot.iso}
defaults:
  image: debian
  network: lan
  domain: home.example
  root_password: root
  debian_mirror: http://mirror.example/debian
nodes:
  nas:
    title: The box with the disks
    model: generic-uefi
    identity: {serial: ABC1234}
    hardware:
      nics: {lan0: {mac: "a8:a1:59:00:00:01"}}
    disks:
      disk0: {use: system, serial: S5GXNX0T100001, size: 1 TB}
      tank0: {use: keep, serial: WD-WX1A2B3C4D5E}
    install: {filesystem: ext4}
    network: {nic: lan0, address: 192.168.1.11/24}
"""


def make_debian(folder: Path, package_root: Path) -> Path:
    """A fleet of one Debian node, with the real installer of a Debian package; the path of its fleet file."""
    (folder / "iso").mkdir(parents=True)
    build_netboot_iso(package_root, folder / "iso/debian-12-netboot.iso")
    (folder / "fleet.yaml").write_text(DEBIAN)
    return folder / "fleet.yaml"


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time of change and content of every file below a folder: two equal trees were not written between."""
    return {
        p.relative_to(root).as_posix(): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes())
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def contents(root: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {path: data for path, (_, _, data) in tree(root).items()}
