"""Rules of answer files. `TRAP` rules warn of what the vendor's validator accepts and the installer then does not."""

from ventoy_kit.report import Rule, Severity

SYNTAX = Rule(
    "VK-E01",
    "An answer file is well-formed TOML",
    "The installer reads the file with a TOML 1.0 reader and stops at the first mistake, in a shell, whatever "
    "`reboot-on-error` says: it is recorded only after the file was read.",
)
UNKNOWN_KEY = Rule(
    "VK-E02",
    "Every section and key is known to the installer",
    "The installer denies unknown keys at every level, so that a mistyped one stops the installation.",
)
MISSING_KEY = Rule(
    "VK-E03",
    "Required sections and keys are present",
    "`global`, `network` and `disk-setup` are always required; a section's own keys are listed in the manual.",
)
WRONG_TYPE = Rule(
    "VK-E04",
    "A value has the type that the installer reads",
    "A number in quotes is text, and text is no number.",
)
WRONG_VALUE = Rule(
    "VK-E05",
    "A value is one that the installer accepts",
    "The message says which ones. File systems and RAID levels are spelled in one case, with hyphens.",
)
RELEASE = Rule(
    "VK-E06",
    "A key is known to the release that reads it",
    "A release denies keys that came after it. Required keys and values that came or went are judged the same way.",
)
SELECTION = Rule(
    "VK-E07",
    "An answer selects disks in one way that fits the file system",
    "Exactly one of `disk-list` and `filter`; one disk for ext4 and xfs; no options of another file system; no name "
    "twice; as many disks as the RAID level needs.",
)
SIZES = Rule(
    "VK-E08",
    "Sizes agree with one another",
    "Swap may have half of `hdsize` at most when both are written (installer 9.0.5).",
)
PINNING = Rule(
    "VK-E09",
    "A pinned interface name is one that the installer takes",
    "Two to fifteen bytes, a letter first, then letters, digits and underscores; a name stands once; the key is a MAC "
    "address. Names such as `nic3` can collide with those that the installer gives by itself.",
)
PATTERN = Rule(
    "VK-E10",
    "A filter is a pattern that the installer's matcher reads",
    "It takes `?`, `*`, `[a-z]` and `[!a-z]`. A bracket that is not closed, three stars, and `**` beside other text "
    "stop the installation, and nothing tells before.",
)
FIELDS = Rule(
    "VK-E11",
    "Host name, country, time zone, address and password have the form that the installer checks",
    "FQDN: two labels or more of letters, digits and hyphens, 63 characters each, 253 in all, the first not of "
    "digits alone. Country: two lower-case letters. Time zone: Area/City or UTC. One password, of eight bytes or "
    "more, or its hash.",
)
OLD_SPELLING = Rule(
    "VK-E12",
    "Keys are written with hyphens",
    "The installer still reads some keys with underscores, the vendor's validator refuses them, and they are to go.",
    Severity.WARNING,
)
TRAP = Rule(
    "VK-E13",
    "An answer means what it seems to mean",
    "What is pointed at passes the vendor's validator and fails at install time, or selects something else than it "
    "reads like. Each message says which.",
    Severity.WARNING,
)
SECRET_IN_CLEAR = Rule(
    "VK-E14",
    "An answer holds no secret in clear",
    "A stick's file system has no permissions. A hash in the place of a password is enough; tokens and subscription "
    "keys travel only if their secret says `allow_on_stick: true`.",
    Severity.WARNING,
)

INSTALL_STOPS = Rule(
    "VK-E20",
    "The installer goes through with the answer on this machine",
    "The simulation follows the installer's own rules. It stops, and nothing is wiped, for the reason that is given.",
)
WRONG_DISKS = Rule(
    "VK-E21",
    "Exactly the node's system disks would be wiped",
    "More, fewer or other disks than those with `use: system` would be wiped. Nothing is built or staged.",
)
WIPES_STICK = Rule(
    "VK-E22",
    "The Ventoy stick is never wiped",
    "A Ventoy stick has a partition table and no ISO 9660 file system on the whole device, so that the Proxmox "
    "installer takes it for an ordinary disk.",
)
ORDER = Rule(
    "VK-E23",
    "The disks that are wiped do not depend on the order in which the kernel finds them",
    "Names such as sda and sdb are given in the order in which drivers answer, and change from boot to boot. The "
    "selection of a file was tried with every device in every place, and not always the same devices came out. Of a node's "
    "machine, a device that stays may not carry the identifiers of a system disk, or only the order told them apart.",
)
WRONG_NIC = Rule(
    "VK-E24",
    "The management interface is the one that the node names",
    "The installer takes the first interface, in the order of their names, on which any key of the filter matches.",
)
RESOLVER = Rule(
    "VK-E25",
    "The boot hook hands the answer to the installer on this machine",
    "The hook's own scripts ran over the recorded facts and refused. The message holds the code that the screen "
    "would show.",
)
NO_FACTS = Rule(
    "VK-E26",
    "A node's hardware is recorded",
    "Without facts nobody can say before the boot which disk dies. The boot hook still finds the disks by serial or "
    "WWN, and refuses when they are not there; that is safe, but found out at the machine.",
    Severity.NOTE,
)
NO_ANSWER = Rule(
    "VK-E28",
    "The file is an answer file",
    "An `answer.toml` of the Proxmox installers, or a preseed file of the Debian installer.",
)
NO_SHELL = Rule(
    "VK-E29",
    "A POSIX shell runs the boot hook's scripts",
    "The simulation of a node runs the very scripts that the stick carries, and needs `sh`, `tr`, `dd` and `cut` "
    "for that.",
)
EXTRA_KEY = Rule(
    "VK-E30",
    "Extra keys of an answer are known to the installer and never choose disks",
    "`install.answer` is laid over what the fleet file says and judged like a foreign answer file of the image's release. Disks are "
    "chosen by `disks`, passwords and tokens belong into `secrets`.",
)
