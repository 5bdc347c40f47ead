"""Rules of targets: sticks, disk images and directories. Codes are stable: scripts and waivers name them."""

from ventoy_kit.report import Rule, Severity

MISSING = Rule(
    "VK-T01",
    "The target exists",
    "A target is a block device, a disk image file or a directory. None of them is made by accident: make the "
    "directory yourself, or ask for an image with --create SIZE.",
)
UNUSABLE_KIND = Rule(
    "VK-T02",
    "The target is a directory, a regular file or a block device",
    "Character devices, pipes and sockets cannot stand for a stick.",
)
PARTITION = Rule(
    "VK-T03",
    "A stick is named by its whole disk",
    "Whether a disk is a Ventoy stick shows in its partition table, so the disk is named (/dev/sdb), not one of its "
    "partitions (/dev/sdb1). The kit finds and mounts the data partition itself.",
)
FOREIGN_DIRECTORY = Rule(
    "VK-T04",
    "A target directory is empty or holds an earlier stage",
    "Nobody stages into a home directory by mistake: a directory must be empty, hold what an earlier stage wrote "
    "(iso/ and ventoy/, with a manifest), or be the mounted data partition of a Ventoy stick.",
)
SYSTEM_DIRECTORY = Rule(
    "VK-T05",
    "A target directory is not part of the system",
    "The root of the file system, the system's own directories and home directories are never a stick.",
)
UNREADABLE = Rule(
    "VK-T06",
    "The target can be examined",
    "What cannot be looked at cannot be told from a disk that must not be written.",
)
TOO_SMALL = Rule(
    "VK-T07",
    "Ventoy's layout fits",
    "Ventoy needs 1 MiB before its data partition and 32 MiB behind it; the kit asks for at least 32 MiB of data.",
)
TOO_LARGE_FOR_MBR = Rule(
    "VK-T08",
    "An MBR describes at most 2 TiB",
    "The MBR counts sectors with 32 bits. Ventoy's installer refuses larger disks in MBR style too.",
)
NOT_A_DISK = Rule(
    "VK-T09",
    "The block device is a disk",
    "Optical drives, RAID arrays, mapped devices (LVM, dm-crypt) and RAM disks are no Ventoy sticks.",
)
NOT_VENTOY = Rule(
    "VK-T10",
    "The disk has Ventoy's layout",
    "Partition 1 starts at sector 2048, partition 2 has 65536 sectors of 512 bytes and begins where partition 1 ends. "
    "The label of partition 1 says nothing: users change it. The kit never turns a disk into a Ventoy disk; Ventoy's "
    "own installer does.",
)
WRONG_BOOT_LABEL = Rule(
    "VK-T11",
    "Partition 2 is FAT with the label VTOYEFI",
    "Ventoy's boot loader asks for it, and it tells a Ventoy stick from a disk that only looks like one.",
)
UNREAD_LABEL = Rule(
    "VK-T12",
    "The file systems of the disk can be read",
    "Without udev, or rights to read the device, nobody can say what is on the partitions. Then the answer is no.",
)
NOT_REMOVABLE = Rule(
    "VK-T13",
    "A stick is on USB or removable",
    "An internal disk may have Ventoy's layout too. It is not a stick, and the kit does not write to it.",
)
SYSTEM_DISK = Rule(
    "VK-T14",
    "A stick holds no part of the running system",
    "A disk that is mounted as a part of the running system, or that it swaps to, is never written.",
)
IN_USE = Rule(
    "VK-T15",
    "A stick is not part of an array, a pool or a volume group",
    "LVM, md, ZFS, btrfs over several disks, bcache and open dm-crypt volumes hold the disk.",
)
READ_ONLY = Rule(
    "VK-T16",
    "A stick can be written",
    "The kernel says that the device or its mount is read-only: a write-protect switch, a worn-out stick that its "
    "controller froze, or a file system with errors that was remounted.",
)
SECTOR_SIZE = Rule(
    "VK-T17",
    "Logical sectors have 512 bytes",
    "Ventoy does not support disks with logical sectors of 4096 bytes.",
)
NO_MEDIUM = Rule(
    "VK-T18", "The drive holds a medium", "The device has a size of zero: a card reader without a card."
)
BOOTED_FROM = Rule(
    "VK-T19",
    "The system was not started from this stick",
    "Ventoy maps the image that was booted right off the stick; rewriting the stick would pull the running system's "
    "own medium away.",
)
LOOP_NOT_NAMED = Rule(
    "VK-T20",
    "A loop device is used only when it is named",
    "A loop device is neither on USB nor removable, so it is never found by itself. Named as the target it goes through "
    "all other checks.",
)
NO_FILESYSTEM = Rule(
    "VK-T21",
    "The data partition has a file system that Ventoy reads",
    "Ventoy's boot loader reads exFAT, NTFS, ext2/3/4, XFS, UDF, FAT and btrfs; with anything else its menu is empty.",
)
NO_MARK = Rule(
    "VK-T22",
    "The first sector carries Ventoy's mark",
    "Ventoy's boot loader compares 64 bytes of the first sector and refuses to start the stick without them.",
)
IMAGE_ATTACHED = Rule(
    "VK-T23",
    "A disk image is not attached elsewhere",
    "Two writers of one file system destroy it.",
)
NO_STICK = Rule(
    "VK-T24",
    "There is exactly one Ventoy stick, or the target is named",
    "The kit never guesses a disk. With no candidate, or with several, it lists them and asks.",
)
FOREIGN_MOUNT = Rule(
    "VK-T25",
    "A mounted target belongs to a Ventoy stick",
    "The directory is the root of a file system on a disk that is no usable Ventoy stick. Files can be staged there, "
    "but no machine will start from it.",
    Severity.WARNING,
)
OLD_VENTOY = Rule(
    "VK-T26",
    "The stick's Ventoy is 1.1.17 or newer",
    "Files can be staged beside any Ventoy. Arming asks for 1.1.17: it is the oldest that the kit's boot step was tried "
    "with, and older ones leave a kernel parameter of theirs in the installed system.",
    Severity.WARNING,
)
NO_VENTOY_FILES = Rule(
    "VK-T27",
    "Partition 2 holds Ventoy",
    "The disk has Ventoy's layout, but partition 2 has no grub/grub.cfg that names a version: Ventoy was never "
    "installed on it, or the partition was emptied. No machine starts from it.",
    Severity.WARNING,
)
CLONE = Rule(
    "VK-T28",
    "No two disks carry the same Ventoy id",
    "Ventoy finds the stick that it was started from by an id in the first sector, and a copy made with dd carries the "
    "same. A machine that starts with both plugged in may read the one and boot the other.",
    Severity.WARNING,
)
CUT_OFF = Rule(
    "VK-T29",
    "The disk is as large as its partition table says",
    "The table was written for a larger disk: this is a cut-off copy of one, or the drive's capacity changed.",
)
FALSE_CAPACITY = Rule(
    "VK-T30",
    "The drive does not repeat itself",
    "A stick of false capacity gives the same sectors again where its real memory ends, and what is written there "
    "destroys what lies at the start. Where the first sectors appear a second time at a power of two, the memory ends "
    "there. That no repetition is seen proves nothing; reading back what was staged does.",
)
