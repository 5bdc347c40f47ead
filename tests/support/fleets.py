"""Fleets for tests: a base fleet file that is right, stand-in ISOs for it, and a host with fixed effects.

The root password is a ready hash, so that the same fleet always gives the same bytes.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from ventoy_kit.app.host import Host
from ventoy_kit.app.workspace import load_library
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.rules import check_fleet
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.gather.isos import inspect_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files
from ventoy_kit.payload.model import Payload
from ventoy_kit.payload.render import render_payload
from ventoy_kit.plan.compose import compose
from ventoy_kit.plan.inputs import Inputs, IsoFile, Library
from ventoy_kit.plan.model import Plan
from ventoy_kit.plan.rules import check_plan
from ventoy_kit.report import Report

BASE = Path(__file__).resolve().parents[1] / "cases" / "base.yaml"
READY_HASH = "$6$rounds=5000$caseofthekit$" + "a" * 86
ISOS = {
    "proxmox-ve_9.1-1.iso": ("proxmox-ve", "9.1-1"),
    "proxmox-ve_8.3-1.iso": ("proxmox-ve", "8.3-1"),
    "debian-12.11.0-amd64-netinst.iso": ("debian", "12.11.0"),
    "debian-13.1.0-amd64-netinst.iso": ("debian", "13.1.0"),
    "debian with blanks.iso": ("debian", "12.11.0"),
}


DVD = "debian-13.1.0-amd64-DVD-1.iso"
ON_DVD = ("openssh-server", "sudo", "task-ssh-server", "tasksel")
"""What the stand-in for a DVD lists; the real one lists some thousands."""


def _write_dvd(path: Path) -> None:
    """A stand-in for a DVD: the netinst one with another name and a list of packages."""
    image = standin_files("debian", "13.1.0")
    info = image.files["/.disk/info"].replace(b"amd64 NETINST", b"amd64 DVD Binary-1")
    listed = "".join(f"Package: {name}\nVersion: 1\n\n" for name in ON_DVD)
    packed = gzip.compress(listed.encode(), mtime=0)
    files = {**image.files, "/.disk/info": info, "/dists/trixie/main/binary-amd64/Packages.gz": packed}
    write_iso(files, image.volume_id, path, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)


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
    _write_dvd(folder.path / DVD)
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


@functools.cache
def library() -> Library:
    """The kit's own data folders."""
    found, report = load_library(Host(), None)
    assert not list(report)
    return found


@functools.cache
def iso(name: str) -> IsoFile:
    """A stand-in with its facts."""
    path = _isos().path / name
    facts, report = inspect_iso(path, None, files=Host().files, reader=Host().isos)
    assert facts is not None, list(report)
    return IsoFile(PurePath("iso") / name, facts, hashlib.sha256(path.read_bytes()).hexdigest())


def check(data: bytes) -> tuple[Fleet | None, Report]:
    """Everything that `ventoy-kit check` finds, located, with the stand-ins that the file names."""
    fleet, marked, report = decode_fleet(data, "fleet.yaml")
    if fleet is None:
        return None, report if marked is None else report.located(marked.locate)
    known = library()
    report.extend(check_fleet(fleet, hooks=known.hooks, models=known.profiles))
    isos = {name: iso(PurePath(image.path or "").name).facts for name, image in fleet.images.items()}
    report.extend(f for f in check_plan(fleet, isos, known.hooks) if f.rule.code not in ("VK-I14", "VK-I15"))
    assert marked is not None
    return fleet, report.located(marked.locate)


def plan_of(data: bytes, root_hash: str = READY_HASH) -> Plan:
    """The plan of a fleet file without errors."""
    fleet, report = check(data)
    assert fleet is not None, list(report)
    assert not report.has_errors, list(report)
    isos = {name: iso(PurePath(image.path or "").name) for name, image in fleet.images.items()}
    secrets = dict.fromkeys(fleet.secrets, root_hash)
    return compose(fleet, Inputs(library(), isos, secrets, secrets))


def payload_of(data: bytes) -> Payload:
    """The payload of a fleet file without errors."""
    payload, report = render_payload(plan_of(data), library())
    assert payload is not None, list(report)
    return payload


def base_fleet(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The base fleet with other nodes, as plain data."""
    marked, _ = read_marked(BASE.read_bytes(), "base.yaml")
    assert marked is not None
    lan = {"cidr": "10.0.0.0/8", "gateway": "10.0.0.1", "dns": ["10.0.0.1"]}
    return {**marked.value, "version": 1, "networks": {"lan": lan}, "nodes": dict(nodes)}


def node(number: int, **more: Any) -> dict[str, Any]:
    """A node that shares nothing with the nodes of other numbers."""
    return {
        "title": f"Node {number}",
        "model": "generic-uefi",
        "identity": {"serial": f"NODE{number:05}"},
        "hardware": {
            "nics": {
                "lan0": {"mac": f"d8:43:ae:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"}
            }
        },
        "disks": {"disk0": {"use": "system", "serial": f"S7NODE{number:05}", "size": "1 TB"}},
        "install": {"filesystem": "ext4"},
        "network": {
            "nic": "lan0",
            "address": f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/8",
        },
        **more,
    }


def as_yaml(value: Any, indent: int = 0) -> str:
    """Plain data as block YAML, all scalars quoted except numbers and truth values."""
    pad = " " * indent
    if isinstance(value, Mapping):
        return (
            "".join(f"{pad}{json.dumps(key)}:{_below(item, indent)}" for key, item in value.items())
            or f"{pad}{{}}\n"
        )
    if isinstance(value, list | tuple):
        return "".join(f"{pad}-{_below(item, indent)}" for item in value) or f"{pad}[]\n"
    return f"{pad}{json.dumps(value)}\n"


def _below(item: Any, indent: int) -> str:
    if isinstance(item, Mapping | list | tuple) and item:
        return "\n" + as_yaml(item, indent + 2)
    return " " + as_yaml(item, 0)
