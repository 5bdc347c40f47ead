"""The RAM disk of a rehearsal whose Proxmox image is a stand-in: a Debian kernel's modules and an init of our own. Pure."""

from __future__ import annotations

import lzma
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from ventoy_kit.rehearse.initramfs import Member

MODULES: Final = (
    *("overlay", "isofs", "efivarfs", "nvme", "ahci", "sd_mod", "sr_mod", "virtio_pci", "virtio_blk", "virtio_scsi"),
    *("xhci_pci", "usb_storage", "e1000", "e1000e", "virtio_net"),
)  # fmt: skip
"""What the twin's devices need, and the overlay's file systems; one that is built in is not looked for."""

_DEPENDS: Final = re.compile(rb"\0depends=([^\0]*)\0")


def module_name(path: str) -> str:
    """A module's name from its file's."""
    return PurePosixPath(path).name.split(".ko", 1)[0].replace("-", "_")


def needs_of(data: bytes) -> tuple[str, ...]:
    """The modules that a module needs (section .modinfo, modinfo(8)); `data` is not compressed."""
    found = _DEPENDS.search(data)
    return tuple(found[1].decode().replace("-", "_").split(",")) if found and found[1] else ()


def plain(path: str, data: bytes) -> bytes:
    """A module's bytes as insmod takes them. Raises lzma.LZMAError."""
    return lzma.decompress(data) if path.endswith(".xz") else data


def stand_in_files(
    modules: Mapping[str, bytes], scripts: Mapping[str, bytes], cd_info: bytes
) -> dict[str, Member]:
    """The files that take the place of the RAM disk that a stand-in has not.

    Args:
        modules: modules by name, in the order in which they are to be loaded, not compressed.
        scripts: the rehearsal's own files by name.
        cd_info: the image's file of that name; the boot hook asks it for the product.
    """
    files = {f"modules/{name}.ko": Member(data) for name, data in modules.items()}
    files["modules/order"] = Member("".join(f"{name}.ko\n" for name in modules).encode())
    files["stand-in-installer"] = Member(scripts["stand-in-installer.sh"])
    files["bin/sh"] = Member(b"/ventoy/busybox/busybox", 0o777, link=True)
    files[".cd-info"] = Member(cd_info)
    files[".pve-cd-id.txt"] = Member(b"ventoy-kit stand-in\n")
    files |= {f"{folder}/.keep": Member(b"") for folder in ("dev", "mnt", "proc", "sys", "medium")}
    return files
