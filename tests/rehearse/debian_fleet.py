"""A fleet of one Debian node with the real netboot installer, recorded facts, and a mirror for its components.

The mirror has no kernel modules for the installer, so a medium for nodes whose disks shall be found brings drivers along:
those of the same kernel's own package.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.debian_templates import initrd
from tests.support.debian_vm import modules, pack
from tests.support.netboot import build_netboot_iso
from ventoy_kit.cli import run

MAC = "a8:a1:59:00:00:01"
COMPONENTS = ("partman-base", "disk-detect")
DRIVERS = ("nvme", "ahci", "sd_mod")
TRUST = ("--append", "debian-installer/allow_unauthenticated=true")
WORDS = ("--append", "anna/no_kernel_modules=true", *TRUST)

FLEET = """\
version: 1
fleet: shelf
contact: {email: me@example.org}
secrets: {root: {env: ROOT_PASSWORD}}
networks: {lan: {cidr: 192.168.1.0/24, gateway: 192.168.1.1, dns: [192.168.1.1]}}
images: {debian: {path: iso/netboot.iso}}
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
    hardware: {nics: {lan0: {mac: "%s"}}}
    disks:
      disk0: {use: system, serial: SYSTEM0001, size: 20 GB}
      tank0: {use: keep, serial: KEEP0001, size: 20 GB}
    install: {filesystem: ext4, swap: 512 MB}
    network: {nic: lan0, address: 192.168.1.11/24}
"""


def facts(system: str = "SYSTEM0001", mac: str = MAC, serial: str = "ABC1234") -> str:
    """What was recorded of the machine."""

    def disk(name: str, number: str, transport: str) -> dict[str, object]:
        return {
            "name": name,
            "size": 20_000_000_000,
            "model": "Disk",
            "serial": number,
            "wwn": None,
            "properties": {},
            "logical_block": 512,
            "removable": False,
            "transport": transport,
            "holds": [],
        }

    nic = {"name": "enp0s2", "mac": mac, "permanent_mac": mac, "driver": "e1000", "properties": {}}
    hardware = {
        "disks": [disk("nvme0n1", system, "nvme"), disk("sda", "KEEP0001", "sata")],
        "nics": [nic],
        "dmi": {"product_serial": serial},
    }
    return json.dumps({"format": 1, "hardware": hardware})


def drivers(package: Path, kernel: Path, release: str, scratch: Path) -> bytes:
    """What a medium brings along, so that disks are seen: an archive with `DRIVERS` for the installer's RAM disk.

    Args:
        package: the unpacked netboot package.
        kernel: the unpacked package of the same kernel.
        release: `12` or `13`.
        scratch: a folder that does not exist yet.
    """
    return pack(modules(kernel, DRIVERS, initrd(package, release, scratch)))


def make(folder: Path, package: Path, more: bytes = b"") -> Path:
    """The fleet; the path of its fleet file. `folder` does not exist yet; `package` is the unpacked netboot package."""
    (folder / "iso").mkdir(parents=True)
    build_netboot_iso(package, folder / "iso/netboot.iso", more=more)
    (folder / "fleet.yaml").write_text(FLEET % MAC)
    return folder / "fleet.yaml"


def build(file: Path, **recorded: str) -> None:
    """Build, then record the machine: with facts that contradict the fleet file nothing would be built.

    Args:
        file: the fleet file.
        recorded: what differs in the recorded facts.
    """
    assert run(["build", "--quiet", "--fleet", str(file)]) == 0
    (file.parent / "hardware").mkdir()
    (file.parent / "hardware/nas.json").write_text(facts(**recorded))
