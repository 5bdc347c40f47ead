"""Recorded facts of the starter example's machine, as they are or with one thing that differs."""

from __future__ import annotations

import json
from pathlib import Path


def record(
    file: Path,
    node: str,
    *,
    disk: str = "S5GXNX0T100001",
    size: int = 1_000_000_000_000,
    mac: str = "a8:a1:59:00:00:01",
    serial: str = "ABC1234",
) -> None:
    """Write facts of a node beside a fleet file. After the build: it would refuse such a fleet itself.

    Args:
        file: the fleet file.
        node: whose facts.
        disk: serial number of its one disk.
        size: bytes of that disk.
        mac: address of its one NIC.
        serial: what its firmware reports.
    """
    one = {
        "name": "nvme0n1",
        "size": size,
        "model": "Disk",
        "serial": disk,
        "wwn": None,
        "properties": {},
        "logical_block": 512,
        "removable": False,
        "transport": "nvme",
        "holds": [],
    }
    nic = {"name": "enp0s2", "mac": mac, "permanent_mac": mac, "driver": "e1000", "properties": {}}
    hardware = {"disks": [one], "nics": [nic], "dmi": {"product_serial": serial}}
    folder = file.parent / "hardware"
    folder.mkdir(exist_ok=True)
    (folder / f"{node}.json").write_text(json.dumps({"format": 1, "hardware": hardware}))
