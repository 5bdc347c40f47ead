"""Whether a file system says of itself that it was not released properly. Pure: judges its first bytes.

Sources: Microsoft, "exFAT file system specification", 3.1.13 VolumeFlags; the Linux kernel, fs/fat/fat.h
(FAT_STATE_DIRTY) and msdos_fs.h; fs/ext4/ext4.h (s_state, EXT4_ERROR_FS).
"""

from __future__ import annotations

HEAD = 4096
"""Bytes that are enough to tell."""

CHECKS = {
    "exfat": ("fsck.exfat", "-n"),
    "vfat": ("fsck.fat", "-n"),
    "ext2": ("e2fsck", "-f", "-n"),
    "ext3": ("e2fsck", "-f", "-n"),
    "ext4": ("e2fsck", "-f", "-n"),
}
"""Programs that look without writing; 0 is their answer for a file system that is whole."""

REPAIRS = {
    "exfat": "fsck.exfat -y",
    "vfat": "fsck.fat -a",
    "ext2": "e2fsck -f -y",
    "ext3": "e2fsck -f -y",
    "ext4": "e2fsck -f -y",
    "ntfs": "ntfsfix -d",
    "xfs": "xfs_repair",
}
"""What a person runs, since the kit itself never has a device written to but through its mounted file system."""


def is_unclean(fs_type: str, head: bytes) -> bool:
    """Whether the mark of an improper end, or of errors, is set.

    Args:
        fs_type: by blkid's name. NTFS, XFS, UDF and btrfs are left to their drivers, which refuse what is damaged.
        head: the first `HEAD` bytes.
    """
    if len(head) < HEAD:
        return False
    if fs_type == "exfat":
        return bool(head[0x6A] & 0x02)
    if fs_type == "vfat":
        fat32 = head[22:24] == b"\0\0"
        return bool(head[0x41 if fat32 else 0x25] & 0x01)
    if fs_type in ("ext2", "ext3", "ext4"):
        # A journal is replayed by mounting; what is left to say is that the kernel once met errors.
        return bool(head[1024 + 0x3A] & 0x02)
    return False
