"""Rules of a node's disks: how each is named, which may be wiped, and whether the installer can use them so. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.placeholders import is_placeholder_serial, is_placeholder_wwn
from ventoy_kit.fleet.schema import Disk, Node
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.report import Finding, Path


def check_disks(node: Node, at: Path) -> Iterator[Finding]:
    """Findings about one node's disks and how they are used; `at` is the node's path."""
    for name, disk in node.disks.items():
        path = (*at, "disks", name)
        if not disk.serial and not disk.wwn:
            yield codes.DISK_UNNAMED.finding(
                f"disk `{name}` has neither serial nor wwn",
                "Add `serial:` as `lsblk -o NAME,SERIAL,MODEL,SIZE` on the machine prints it.",
                path=path,
                on_key=True,
            )
        if disk.serial and is_placeholder_serial(disk.serial):
            yield codes.DISK_PLACEHOLDER.finding(
                f"`{disk.serial}` is a placeholder",
                "Remove it, and give the disk's `wwn`.",
                path=(*path, "serial"),
            )
        if disk.wwn and is_placeholder_wwn(disk.wwn):
            yield codes.DISK_PLACEHOLDER.finding(
                f"`{disk.wwn}` is a placeholder",
                "Remove it, and give the disk's `serial`.",
                path=(*path, "wwn"),
            )
        if disk.pool is not None and disk.use != "data":
            yield codes.OPTION_UNUSED.finding(
                f"`pool` does nothing on a disk with `use: {disk.use}`",
                "Remove it, or write `use: data`.",
                path=(*path, "pool"),
                on_key=True,
            )
        if disk.use == "system" and disk.size is not None and disk.size < 8 * 1024**3:
            yield codes.DISK_TOO_SMALL.finding(
                "the system disk is smaller than 8 GiB", "Use a larger disk.", path=(*path, "size")
            )
    system = [d for d in node.disks.values() if d.use == "system"]
    if not system:
        uses = ", ".join(f"{n}: {d.use}" for n, d in node.disks.items()) or "there are no disks"
        yield codes.NO_SYSTEM_DISK.finding(
            f"no disk of this node may be wiped ({uses})",
            "Mark the disk to install to with `use: system`, after you made sure of it.",
            path=(*at, "disks"),
            on_key=True,
        )
        return
    yield from _raid(node, system, at)
    yield from _sizes(node, system, at)


MINIMUM_DISKS = {"raid0": 1, "raid1": 2, "raid10": 4, "raidz-1": 3, "raidz-2": 4, "raidz-3": 5}
"""Disks at the least per RAID level (proxmox-installer-types 0.1.2, filesystem_details)."""


def _raid(node: Node, system: list[Disk], at: Path) -> Iterator[Finding]:
    install, count = node.install, len(system)
    if install.filesystem == "zfs" and install.raid is None:
        yield codes.RAID_NEEDED.finding(
            "zfs needs a RAID level",
            f"Add `raid: {'raid0' if count == 1 else 'raid1'}` (you have {count} system disk{'s'[: count != 1]}).",
            path=(*at, "install"),
        )
    if install.filesystem in ("ext4", "xfs"):
        if install.raid not in (None, "raid1"):
            yield codes.OPTION_UNUSED.finding(
                f"`raid: {install.raid}` does nothing on {install.filesystem}",
                "Remove it, or use zfs; on Debian, `raid1` mirrors two disks.",
                path=(*at, "install", "raid"),
            )
        if install.raid == "raid1" and count != 2:
            yield codes.DISK_COUNT.finding(
                f"{install.filesystem} on raid1 takes two system disks, {count} declared",
                "Declare two disks with `use: system`, or remove `raid`.",
                path=(*at, "install", "raid"),
            )
        if install.raid != "raid1" and count != 1:
            yield codes.DISK_COUNT.finding(
                f"{install.filesystem} takes one system disk, {count} are declared",
                "Mark the others `data` or `keep`; on Proxmox VE, zfs with a RAID level takes more, on Debian `raid: raid1` two.",
                path=(*at, "disks"),
                on_key=True,
            )
        return
    if install.raid is None:
        return
    if install.filesystem == "btrfs" and install.raid.startswith("raidz"):
        yield codes.OPTION_UNUSED.finding(
            f"btrfs has no {install.raid}", "Use raid0, raid1 or raid10.", path=(*at, "install", "raid")
        )
        return
    need = MINIMUM_DISKS[install.raid]
    if count < need or (install.raid == "raid10" and count % 2):
        kind = "an even number of at least 4" if install.raid == "raid10" else f"at least {need}"
        yield codes.DISK_COUNT.finding(
            f"{install.raid} needs {kind} system disks, {count} declared",
            "Declare the missing disks or change the level.",
            path=(*at, "install", "raid"),
        )
    sizes = [d.size for d in system if d.size is not None]
    if install.filesystem == "zfs" and install.raid != "raid0" and sizes and max(sizes) > 1.1 * min(sizes):
        yield codes.DISK_SIZES.finding(
            "the mirrored disks differ by more than 10 percent",
            "Use disks of like size, or `raid0`.",
            path=(*at, "disks"),
            on_key=True,
        )


GIB = 1024**3


def _sizes(node: Node, system: list[Disk], at: Path) -> Iterator[Finding]:
    """Sizes that the Proxmox installer refuses, or that cannot be (options.rs, Install.pm)."""
    install, path = node.install, (*at, "install")
    least = min((d.size for d in system if d.size is not None), default=None)
    for kind in ("lvm", "zfs", "btrfs"):
        options = getattr(install, kind)
        if options is None:
            continue
        for name in ("hdsize", "maxroot"):
            size = getattr(options, name, None)
            if size is not None and size < 2 * GIB:
                yield codes.INSTALL_SIZES.finding(
                    f"`{name}` is smaller than 2 GiB", "Write at least 2 GiB.", path=(*path, kind, name)
                )
            elif size is not None and least is not None and size > least:
                yield codes.INSTALL_SIZES.finding(
                    f"`{name}` is larger than the system disk ({format_size(least)})",
                    "Write a smaller size, or remove the line.",
                    path=(*path, kind, name),
                )
    if install.zfs is not None and install.zfs.arc_max is not None and install.zfs.arc_max < 64 * 1024**2:
        yield codes.INSTALL_SIZES.finding(
            "`arc_max` is smaller than 64 MiB", "Write at least 64 MiB.", path=(*path, "zfs", "arc_max")
        )
    lvm = install.lvm
    if (
        lvm is not None
        and None not in (lvm.hdsize, lvm.swapsize)
        and 2 * (lvm.swapsize or 0) > (lvm.hdsize or 0)
    ):
        yield codes.INSTALL_SIZES.finding(
            "`swapsize` is more than half of `hdsize`",
            "Write a smaller size.",
            path=(*path, "lvm", "swapsize"),
        )
    swap = install.swap
    if swap is not None and (swap < 64 * 10**6 or (least is not None and swap > least // 2)):
        yield codes.INSTALL_SIZES.finding(
            "`swap` is smaller than 64 MB or more than half of the system disk",
            "Write another size, or remove the line.",
            path=(*path, "swap"),
        )
