"""The stick of a direct boot: a FAT file system with a GRUB that starts the ISO's kernel. Pure: texts and argument lists.

The boot hook records an arming only where the firmware says what it started (`BootCurrent`). QEMU's own way to start a
kernel leaves that out, so the firmware starts a loader from the stick, as it would start Ventoy's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

GRUB_MODULES: Final = "/usr/lib/grub/x86_64-efi"
"""Where GRUB's package puts its parts for UEFI."""

_MODULES: Final = ("fat", "linux", "search", "search_fs_file", "normal", "minicmd")

KERNEL, INITRD, EXTRA = "vmlinuz", "initrd", "initrd2"


def menu(words: str) -> str:
    """What GRUB does: the kernel with the ISO's RAM disk, and what Ventoy would bring along behind it."""
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words.split())
    return f"search --file --set=root /{KERNEL}\nlinux /{KERNEL} {quoted}\ninitrd /{INITRD} /{EXTRA}\nboot\n"


def size_of(*files: int) -> int:
    """Bytes of a file system that has room for files of these sizes."""
    return -(-(sum(files) * 11 // 10 + (16 << 20)) >> 20) << 20 or 1 << 20


def commands(folder: PurePath, image: PurePath) -> Iterator[tuple[str, ...]]:
    """The programs that make the stick of the files in a folder: `grub.cfg` and the three that GRUB reads."""
    program = str(folder / "loader.efi")
    yield (
        *("grub-mkimage", "-O", "x86_64-efi", "-d", GRUB_MODULES, "-p", "/", "-o", program),
        *("-c", str(folder / "grub.cfg"), *_MODULES),
    )
    yield ("mformat", "-i", str(image), "-F", "::")
    yield ("mmd", "-i", str(image), "::/EFI", "::/EFI/BOOT")
    yield ("mcopy", "-i", str(image), program, "::/EFI/BOOT/BOOTX64.EFI")
    for name in (KERNEL, INITRD, EXTRA):
        yield ("mcopy", "-i", str(image), str(folder / name), f"::/{name}")
