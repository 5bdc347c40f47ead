"""Models of how a node is installed: image, file system and its options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ventoy_kit.fleet.answering import Webhook
from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.judging import Raid
from ventoy_kit.fleet.values import Bool, Int, Name, Package, Size

Task = Literal[
    "standard", "ssh-server", "web-server", "laptop", "desktop", "gnome-desktop", "xfce-desktop", "kde-desktop",
    "gnome-flashback-desktop", "cinnamon-desktop", "mate-desktop", "lxde-desktop", "lxqt-desktop",
]  # fmt: skip
"""The choices of tasksel/first that debian-tasks.desc offers for amd64 in Debian 12 and 13 (package tasksel-data)."""

Filesystem = Literal["ext4", "xfs", "zfs", "btrfs"]


class Lvm(Model):
    """LVM sizes of a Proxmox installation on ext4 or xfs."""

    hdsize: Size | None = Field(None, description="Part of the disk to use.")
    swapsize: Size | None = Field(None, description="Swap.")
    maxroot: Size | None = Field(None, description="Upper bound of the root volume.")
    maxvz: Size | None = Field(None, description="Upper bound of the data volume.")
    minfree: Size | None = Field(None, description="Space left free in the volume group.")


class Zfs(Model):
    """ZFS options of a Proxmox installation."""

    ashift: Annotated[Int, Field(ge=9, le=16)] | None = Field(
        None, description="Sector size as a power of two."
    )
    arc_max: Size | None = Field(None, description="Upper bound of the ARC, at least 64 MiB.")
    checksum: Literal["on", "fletcher4", "sha256"] | None = Field(None, description="Checksum algorithm.")
    compress: Literal["on", "off", "lzjb", "lz4", "zle", "gzip", "zstd"] | None = Field(
        None, description="Compression."
    )
    copies: Annotated[Int, Field(ge=1, le=3)] | None = Field(None, description="Copies of each block.")
    hdsize: Size | None = Field(None, description="Part of each disk to use.")


class Btrfs(Model):
    """Btrfs options of a Proxmox installation."""

    compress: Literal["on", "off", "zlib", "lzo", "zstd"] | None = Field(None, description="Compression.")
    hdsize: Size | None = Field(None, description="Part of each disk to use.")


class Install(Model):
    """How the node is installed."""

    image: Name | None = Field(None, description="Image to install from; `defaults.image` otherwise.")
    filesystem: Filesystem = Field(description="File system of the root.")
    raid: Raid | None = Field(
        None,
        description="RAID level; required for zfs, and for btrfs on Proxmox VE. Debian: raid1 of two disks, or none.",
    )
    lvm: Lvm | None = Field(None, description="Sizes for ext4 and xfs on Proxmox VE.")
    zfs: Zfs | None = Field(None, description="Options for zfs.")
    btrfs: Btrfs | None = Field(None, description="Options for btrfs on Proxmox VE.")
    layout: Literal["plain", "lvm"] | None = Field(
        None, description="Debian: one partition or LVM; plain by default."
    )
    swap: Size | None = Field(
        None, description="Debian: size of the swap partition or volume; none by default."
    )
    packages: tuple[Package, ...] = Field(
        (), description="Debian: packages to install besides the standard system."
    )
    tasks: tuple[Task, ...] | None = Field(
        None, description="Debian: tasksel's collections of packages; `[standard, ssh-server]` by default."
    )
    bios_boot: Bool = Field(
        default=False,
        description="Debian: also make a BIOS boot partition, for a machine that starts without UEFI.",
    )
    reboot_mode: Literal["reboot", "power-off"] = Field(
        "reboot", description="What the installer does at its end."
    )
    reboot_on_error: Bool = Field(
        default=False,
        description="Proxmox: whether it reboots after a failure instead of staying at a shell.",
    )
    webhook: Webhook | None = Field(None, description="Proxmox: who is told when the installation is done.")
    subscription_key: Name | None = Field(
        None, description="Proxmox: secret that holds it (since 9.2); it needs `allow_on_stick: true`."
    )
    answer: dict[str, Any] = Field(
        default_factory=dict,
        description="Proxmox: further sections and keys of the installer's answer file; they may not choose disks.",
    )
