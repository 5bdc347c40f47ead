"""Rules of preseed files that somebody wrote by hand. Those of severity `warning` pass the installer's reader."""

from ventoy_kit.report import Rule, Severity

LINE = Rule(
    "VK-E40",
    "A preseed line has owner, question, type and value",
    "The installer's reader takes a line apart at blanks and tabs; what lacks a part is refused as a whole file.",
)
COMMENT = Rule(
    "VK-E41",
    "A comment begins in the first column",
    "After blanks a `#` is no comment to the installer: it is read as the owner of a question. Perl's debconf, and so "
    "`debconf-set-selections -c`, accepts it. In the first column a comment even ends nothing: it is taken out of the "
    "middle of a continued line, where Perl's debconf sees a mistake.",
)
BACKSLASH_N = Rule(
    "VK-E42",
    "A value holds no backslash before n",
    "When the installer saves its database it does not escape it, so that it is a line end afterwards: the value is cut "
    "there, and the conversation with debconf goes out of step. Put the logic into a file and call that.",
)
DANGLING = Rule(
    "VK-E43",
    "A backslash at a line's end is followed by a line",
    "The last line would wait for a continuation, and a blank after the backslash ends the joining.",
)
TYPE = Rule(
    "VK-E44",
    "A preseed type is one of debconf's",
    "An unknown type is stored with a warning that nobody sees.",
)
BOOLEAN = Rule(
    "VK-E45",
    "A boolean is `true` or `false`",
    "`yes`, `True` and an empty value are stored as they are, and count as false or stop the installer.",
)
MISTYPED = Rule(
    "VK-E46",
    "A question is spelled as the installer spells it",
    "An answer to a question that nobody asks does nothing, and the question itself is asked.",
)
UNKNOWN = Rule(
    "VK-E47",
    "A question of the installer is known",
    "It is in none of the templates of Debian 12 and 13 that could be read. It may belong to a component that is not on "
    "the mirrors any more, or do nothing.",
    Severity.WARNING,
)
OTHER_TYPE = Rule(
    "VK-E48",
    "A preseed type is that of the question",
    "The installer keeps the type that the question has; the line shows that something else was meant.",
    Severity.WARNING,
)
CHOICE = Rule(
    "VK-E49",
    "A selection is one of the question's choices",
    "A value that is no choice is dropped, and the question is asked.",
)
MISSING = Rule(
    "VK-E50",
    "No question that stops an unattended installation is left open",
    "Each of them is asked at priority `critical` or `high` if nothing answers it, and the installer waits.",
    Severity.WARNING,
)
PASSWORD = Rule(
    "VK-E51",
    "A password is given as a hash that the system takes",
    "`root-password` and `user-password` stand in clear in the file, in the installer's database and on the medium. A "
    "value of `...-crypted` goes to `usermod --password` as it is: what is no hash of crypt(3) locks the account.",
    Severity.WARNING,
)
LOCKED_ROOT = Rule(
    "VK-E52",
    "Root's password is not `!` while root may log in",
    "The installer takes `!` for no answer and asks. Lock root with `passwd/root-login false`, or write `*`.",
)
DISK_LINK = Rule(
    "VK-E53",
    "The disk to partition is named as the kernel names it",
    "partman compares the value with kernel names after `mapdevfs`, which knows sd and hd only: a link of an NVMe, "
    "virtio or MMC disk matches nothing, and the installer stops with `autopartitioning failed`.",
    Severity.WARNING,
)
DISK_ORDER = Rule(
    "VK-E54",
    "The disk to partition does not follow from the order of disks",
    "`list-devices disk` names USB sticks too, and often first: `list-devices disk | head -n1` of the installation guide "
    "picked the stick that the installer was started from. Names such as /dev/sda change between two starts.",
    Severity.WARNING,
)
DISK_OPEN = Rule(
    "VK-E55",
    "The disk to partition is named",
    "With a method and no disk, partman goes on only if it sees exactly one disk; a stick is a disk.",
    Severity.WARNING,
)
COMMAND_END = Rule(
    "VK-E56",
    "A command of a preseed ends with exit code 0",
    "With another one the installer stops at `Failed to run preseeded command` and, once that was left, goes on.",
    Severity.WARNING,
)
LVM_ESP = Rule(
    "VK-E57",
    "Guided LVM on Debian 12 meets no other EFI partition",
    "Before partman-auto-lvm 99 (Debian bug 1092129) guided LVM keeps what other disks are marked for, so the EFI "
    "partition of a Ventoy stick may become /boot/efi. Hide the stick from partman, or use `regular`.",
    Severity.WARNING,
)
TWICE = Rule(
    "VK-E58",
    "A question is answered once",
    "The last answer counts, and the first one misleads.",
    Severity.WARNING,
)
OWNER = Rule(
    "VK-E59",
    "A question of a package has the package as its owner",
    "Only lines whose owner is not `d-i` are handed to the new system (05preseed), which asks tasksel's question.",
    Severity.WARNING,
)
NETWORK = Rule(
    "VK-E60",
    "Network answers are written as netcfg reads them",
    "Name servers are parted by blanks, three at most; a static address needs `disable_autoconfig` and a mask.",
)
RECIPE = Rule(
    "VK-E61",
    "A partitioning recipe is written as partman-auto reads it",
    "Words are parted by blanks: one before `{` makes another word, a partition ends with ` .`, and one maximum of -1 "
    "takes the rest of the disk (partman-auto-recipe.txt).",
)
RETURNS = Rule(
    "VK-E62",
    "An early command that refuses does not return",
    "The installer goes on after a failed command: `partman/early_command` is followed by the partitioner, whatever its "
    "exit code, and with answers that confirm everything the disk is wiped all the same.",
    Severity.WARNING,
)
TOO_LATE = Rule(
    "VK-E63",
    "Network answers are read before the network is configured",
    "`preseed/url` fetches the file over the network, which is configured by then, so that its netcfg answers do "
    "nothing. In the RAM disk, as `file=` and from Ventoy it comes first; otherwise `preseed/run` has to start netcfg "
    "again (`kill-all-dhcp; netcfg`).",
    Severity.NOTE,
)
SEVERAL = Rule(
    "VK-E64",
    "The method `regular` is given one disk",
    "`autopartition` goes through all disks of `partman-auto/disk` and applies the recipe to each.",
    Severity.WARNING,
)
BOOT_LOADER = Rule(
    "VK-E65",
    "GRUB is written to the disk with the system",
    "This matters to machines that start by BIOS. `default` is the first line of `grub-mkdevicemap`, a stick or another "
    "disk where the firmware lists that first; another disk's boot sector is overwritten without a question.",
    Severity.WARNING,
)
