"""What an installed disk holds, against what the fleet file promises. Pure: partition tables and files, already read.

Sources: UEFI 2.10, 5.3 (GPT); the kernel's Documentation/filesystems/ext4/super.rst (magic 0xEF53 at 1080).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ventoy_kit.plan.model import NodePlan
from ventoy_kit.rehearse.model import SafetyCheck

SECTOR: Final = 512
HEAD: Final = 64 * SECTOR
"""Bytes at the beginning of a disk that hold its partition table."""

FILES: Final = (
    *("/etc/hostname", "/etc/fstab", "/etc/network/interfaces", "/boot/grub/grub.cfg", "/grub/grub.cfg"),
    "/var/lib/ventoy-kit/report.json",
)
"""What is read from every file system of the disk; a /boot of its own has GRUB's menu in /grub."""


def partitions(head: bytes) -> tuple[tuple[int, int], ...]:
    """Offset and size in bytes of the partitions of a GPT or MBR disk; none if there is no table.

    Args:
        head: the disk's first `HEAD` bytes.
    """
    if head[SECTOR : SECTOR + 8] == b"EFI PART":
        start, count, size = (
            int.from_bytes(head[SECTOR + a : SECTOR + b], "little") for a, b in ((72, 80), (80, 84), (84, 88))
        )
        entries = (head[start * SECTOR + n * size :][:size] for n in range(min(count, 128)))
        spans = (
            (int.from_bytes(e[32:40], "little"), int.from_bytes(e[40:48], "little"))
            for e in entries
            if any(e[:16])
        )
        return tuple(
            (first * SECTOR, (last - first + 1) * SECTOR) for first, last in spans if last >= first > 0
        )
    if head[510:512] != b"\x55\xaa":
        return ()
    entries = (head[446 + 16 * n : 462 + 16 * n] for n in range(4))
    return tuple(
        (int.from_bytes(e[8:12], "little") * SECTOR, int.from_bytes(e[12:16], "little") * SECTOR)
        for e in entries
        if e[4]
    )


def is_ext(superblock: bytes) -> bool:
    """Whether 1024 bytes at offset 1024 of a partition begin an ext2, ext3 or ext4."""
    return superblock[56:58] == b"\x53\xef"


def check_files(node: NodePlan, files: Mapping[str, str]) -> Iterator[SafetyCheck]:
    """The checks over the files of an installed system.

    Args:
        node: the node.
        files: texts by path, those of `FILES` that are there.
    """
    name = files.get("/etc/hostname", "").strip().split(".")[0]
    yield SafetyCheck(
        "after-hostname", "The system has the node's name", name == node.name, name or "no /etc/hostname"
    )
    menu = files.get("/boot/grub/grub.cfg") or files.get("/grub/grub.cfg")
    if menu is None:
        yield SafetyCheck(
            "after-command-line",
            "No parameter of Ventoy in the kernel's command line",
            None,
            "no menu of GRUB",
        )
    else:
        lines = [line.strip() for line in menu.splitlines() if re.match(r"\s*linux\S*\s", line)]
        bad = [line for line in lines if re.search(r"rdinit=|vtinit|ventoy|/vtoy", line)]
        yield SafetyCheck(
            "after-command-line",
            "No parameter of Ventoy in the kernel's command line",
            bool(lines) and not bad,
            bad[0] if bad else f"{len(lines)} entries looked at",
        )
    if node.address.ip is not None:
        found = files.get("/etc/network/interfaces")
        held = (
            None
            if found is None
            else re.search(rf"(?<![\d.]){re.escape(node.address.ip)}(?![\d.])", found) is not None
        )
        detail = "no /etc/network/interfaces" if found is None else node.address.ip
        yield SafetyCheck("after-address", "The system has the node's address", held, detail)
    table = files.get("/etc/fstab")
    root = next((w for w in map(str.split, (table or "").splitlines()) if len(w) > 2 and w[1] == "/"), None)
    if table is None or root is None:
        yield SafetyCheck(
            "after-layout", "The root file system is of the kind that was asked for", None, "no /etc/fstab"
        )
    else:
        kind = node.install.filesystem
        yield SafetyCheck(
            "after-layout",
            "The root file system is of the kind that was asked for",
            root[2] == kind,
            f"{root[2]}, asked for {kind}",
        )
    if node.hooks:
        yield _hooks(files.get("/var/lib/ventoy-kit/report.json"))


def _hooks(text: str | None) -> SafetyCheck:
    title = "The hooks reported success"
    if text is None:
        return SafetyCheck(
            "after-hooks", title, None, "no report yet: it is written after the first start with a network"
        )
    try:
        verdict = str(json.loads(text).get("state", "none"))
    except (ValueError, AttributeError):
        return SafetyCheck("after-hooks", title, held=False, detail="the report cannot be read")
    return SafetyCheck("after-hooks", title, verdict == "done", f"state: {verdict}")
