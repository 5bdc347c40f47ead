"""Fleets for tests: a base fleet file that is right, stand-in ISOs for it, and a host with fixed effects.

The root password is a ready hash, so that the same fleet always gives the same bytes.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

BASE = Path(__file__).resolve().parents[1] / "cases" / "base.yaml"
READY_HASH = "$6$rounds=5000$caseofthekit$" + "a" * 86
ISOS = {
    "proxmox-ve_9.1-1.iso": ("proxmox-ve", "9.1-1"),
    "proxmox-ve_8.3-1.iso": ("proxmox-ve", "8.3-1"),
    "debian-12.11.0-amd64-netinst.iso": ("debian", "12.11.0"),
    "debian-13.1.0-amd64-netinst.iso": ("debian", "13.1.0"),
    "debian with blanks.iso": ("debian", "12.11.0"),
}


class _Folder:
    """A folder that goes when the process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="vk-isos-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@functools.cache
def _isos() -> _Folder:
    folder = _Folder()
    for name, (kind, release) in ISOS.items():
        image = standin_files("proxmox-ve" if kind == "proxmox-ve" else "debian", release)
        write_iso(image.files, image.volume_id, folder.path / name, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    whole = (folder.path / "proxmox-ve_9.1-1.iso").read_bytes()
    (folder.path / "truncated.iso").write_bytes(whole[: len(whole) // 2])
    (folder.path / "odd.iso").write_bytes(whole + b"!")
    (folder.path / "web-page.iso").write_bytes(b"<html>404</html>" * 4096)
    (folder.path / "empty.iso").write_bytes(b"")
    readme = {"/README.TXT": b"nothing\n", BIOS_IMAGE: b"\0" * 2048}
    write_iso(readme, "RESCUE", folder.path / "rescue.iso", bios=BIOS_IMAGE)
    write_iso({"/README.TXT": b"nothing\n"}, "DATA", folder.path / "data.iso")
    return folder


def put_isos(folder: Path) -> None:
    """Stand-ins, and files that are no ISO, into `folder/iso`."""
    target = folder / "iso"
    target.mkdir(exist_ok=True)
    for file in _isos().path.iterdir():
        os.link(file, target / file.name)


@dataclass(frozen=True)
class Variables:
    """Implements `ports.Environment` with fixed variables."""

    values: Mapping[str, str] = field(default_factory=lambda: {"ROOT_PASSWORD": READY_HASH})

    def get(self, name: str) -> str | None:
        return self.values.get(name)


def host(**variables: str) -> Host:
    """A host whose environment holds the ready hash, or what is given."""
    return Host(environment=Variables(variables or {"ROOT_PASSWORD": READY_HASH}))
