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

_MODULES: Final = ("part_msdos", "fat", "linux", "search", "search_fs_file", "normal", "minicmd")

KERNEL, INITRD, EXTRA = "vmlinuz", "initrd", "initrd2"


def menu(words: str) -> str:
    """What GRUB does: the kernel with the ISO's RAM disk, and what Ventoy would bring along behind it."""
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words.split())
    return f"search --file --set=root /{KERNEL}\nlinux /{KERNEL} {quoted}\ninitrd /{INITRD} /{EXTRA}\nboot\n"


OFFSET: Final = 1 << 20
"""Where the one partition begins. Without a table, firmware may take a boot sector for one."""

IN_USE: Final = OFFSET + 0x41
"""Where Linux notes in a FAT32 that it is mounted for writing, and takes the note back when it is unmounted (fs/fat)."""


def size_of(*files: int) -> int:
    """Bytes of a stick that has room for files of these sizes; a FAT32 has at least 33 MiB (mformat(1))."""
    whole = max(sum(files) * 11 // 10 + (16 << 20), 64 << 20)
    return OFFSET + (-(-whole >> 20) << 20)


def partition_table(size: int) -> bytes:
    """The first sector of a stick of so many bytes: one EFI system partition (UEFI 2.10, 5.2.1)."""
    start, length = OFFSET // 512, (size - OFFSET) // 512
    entry = (
        bytes((0, 0xFE, 0xFF, 0xFF, 0xEF, 0xFE, 0xFF, 0xFF))
        + start.to_bytes(4, "little")
        + length.to_bytes(4, "little")
    )
    return entry.rjust(462, b"\0").ljust(510, b"\0") + b"\x55\xaa"


def commands(folder: PurePath, image: PurePath, size: int) -> Iterator[tuple[str, ...]]:
    """The programs that make a stick of so many bytes of the files in a folder: `grub.cfg` and the three that GRUB reads."""
    part = f"{image}@@{OFFSET}"
    program = str(folder / "loader.efi")
    yield (
        *("grub-mkimage", "-O", "x86_64-efi", "-d", GRUB_MODULES, "-p", "/", "-o", program),
        *("-c", str(folder / "grub.cfg"), *_MODULES),
    )
    yield ("mformat", "-i", part, "-F", "-T", str((size - OFFSET) // 512), "::")
    yield ("mmd", "-i", part, "::/EFI", "::/EFI/BOOT")
    yield ("mcopy", "-i", part, program, "::/EFI/BOOT/BOOTX64.EFI")
    for name in (KERNEL, INITRD, EXTRA):
        yield ("mcopy", "-i", part, str(folder / name), f"::/{name}")
