"""Rules of the fleet file. Codes are stable: scripts and waivers name them."""

from ventoy_kit.report import Rule, Severity

EMPTY = Rule(
    "VK-Y01",
    "A fleet file holds a map",
    "The file is empty, or holds only comments, or its root is not a map of keys. Start one with `ventoy-kit init`.",
)
SYNTAX = Rule(
    "VK-Y02",
    "A fleet file is well-formed YAML 1.2",
    "The YAML reader stopped here. Usual reasons: a missing colon or blank after it, wrong indentation, an unclosed "
    "quote or bracket, or a value that begins with a character that YAML keeps for itself (@ ` % * & ! | >).",
)
DUPLICATE_KEY = Rule(
    "VK-Y03",
    "A key stands once in its map",
    "Most YAML readers keep the last of two equal keys without a word, so one of two nodes or disks would vanish. "
    "Here it is an error.",
)
TAB = Rule(
    "VK-Y04", "Indentation is made of blanks", "YAML forbids tabs in indentation. Set the editor to blanks."
)
ENCODING = Rule(
    "VK-Y05",
    "A fleet file is UTF-8 text",
    "The file holds bytes that are no UTF-8, or characters that no text needs: control characters, byte order marks "
    "inside the text, and the line separators that some YAML readers take for the end of a line and others do not.",
)
RECURSION = Rule(
    "VK-Y06",
    "An alias does not hold itself",
    "A YAML alias (*name) that stands inside its own anchor (&name) describes an endless document.",
)
AMBIGUOUS_NUMBER = Rule(
    "VK-Y07",
    "A number is not written with leading zeros",
    "010 is eight for YAML 1.1 readers and ten for YAML 1.2 readers. Write the number without leading zeros, or quote "
    "it if it is text.",
)
UNKNOWN_KEY = Rule(
    "VK-S01",
    "Every key is known",
    "Unknown keys are errors, because a mistyped key would otherwise be a wish that nobody hears.",
)
MISSING_KEY = Rule(
    "VK-S02", "Required keys are present", "The schema names this key as required at this place."
)
WRONG_TYPE = Rule(
    "VK-S03",
    "A value has the type that its key needs",
    "YAML 1.2 reads true and false as the only truth values, digits as a number, and everything else as text. "
    "`no`, `yes`, `on` and `off` are text.",
)
WRONG_VALUE = Rule(
    "VK-S04", "A value is one that its key accepts", "The message says which values are accepted."
)
VERSION = Rule(
    "VK-S05",
    "The file says which version of the format it is written in",
    "`version: 1` is read before anything else, so that a later kit can read an old file and an old kit refuses a new "
    "one instead of misreading it.",
)
SECRET_IN_FILE = Rule(
    "VK-S06",
    "A secret does not stand in the fleet file",
    "A fleet file is kept, shared and shown; a secret in it is no secret any more. It says where each secret comes from. "
    "What was found at such a place is not repeated, since output ends up in logs. Was it a password: change it.",
)

ADDRESS_TAKEN = Rule("VK-N01", "An address belongs to one node", "Two hosts with one address is an outage.")
ADDRESS_OUTSIDE = Rule(
    "VK-N02",
    "A node's address lies in its network",
    "The installer does not check it; the node would come up unreachable.",
)
GATEWAY_OUTSIDE = Rule(
    "VK-N03",
    "A gateway lies in its network",
    "A gateway outside its network cannot be reached. The installer does not check it.",
)
UNKNOWN_NETWORK = Rule(
    "VK-N04", "A network that is named is declared", "Networks are declared under `networks`."
)
UNKNOWN_NIC = Rule(
    "VK-N05", "A NIC that is named is declared", "NICs are declared under the node's `hardware.nics`."
)
MAC_TAKEN = Rule(
    "VK-N06",
    "A MAC address belongs to one NIC",
    "MAC addresses are burnt in and are part of a machine's identity; two equal ones are a copying mistake.",
)
ADDRESS_RESERVED = Rule(
    "VK-N07",
    "A node's address can be a host's",
    "The first address of an IPv4 network names the network, the last one is broadcast; the gateway's is taken.",
)
MAC_NOT_BURNT_IN = Rule(
    "VK-N08",
    "A MAC address is a burnt-in one",
    "A group or locally administered address (second hex digit 1, 3, 5, 7, 9, b, d, f or 2, 6, a, e) changes with "
    "software, so it cannot tell machines apart.",
    Severity.WARNING,
)
FAMILY_MIX = Rule("VK-N09", "Addresses of one network are of one family", "All IPv4 or all IPv6.")
NETWORK_OVERLAP = Rule("VK-N10", "Networks do not overlap", "An address in two networks has no clear route.")

DISK_UNNAMED = Rule(
    "VK-D01",
    "A disk is named by serial or WWN",
    "Model and size only cross-check: two equal disks in one machine would otherwise be told apart by luck. "
    "`lsblk -o NAME,SERIAL,WWN,MODEL,SIZE` on the machine shows both.",
)
DISK_TAKEN = Rule(
    "VK-D02",
    "A disk belongs to one place in one node",
    "A serial number or WWN that stands twice is a copying mistake, and the copy would be wiped in the original's place.",
)
NO_SYSTEM_DISK = Rule(
    "VK-D03",
    "A node that is installed has a disk that may be wiped",
    "Only a disk with `use: system` is ever wiped. `keep` and `data` disks are never wiped, so with those alone there "
    "is nowhere to install to.",
)
DISK_COUNT = Rule(
    "VK-D04",
    "The number of system disks fits the RAID level",
    "zfs and btrfs: raid0 1, raid1 2, raid10 4 and even, raidz-1 3, raidz-2 4, raidz-3 5 disks at the least; ext4 and "
    "xfs exactly 1 (proxmox-installer-types, filesystem_details).",
)
DISK_PLACEHOLDER = Rule(
    "VK-D05",
    "A disk's serial number is a real one",
    "Cheap bridges report the same number for every disk (all zeros, `0123456789ABCDEF`, ...). It identifies nothing.",
)
DISK_SIZES = Rule(
    "VK-D06",
    "Mirrored disks are of like size",
    "The Proxmox installer refuses a ZFS mirror or RAID-Z whose disks differ by more than 10 percent.",
)
DISK_TOO_SMALL = Rule(
    "VK-D07",
    "A system disk is large enough",
    "The Proxmox installer dies below 2 GiB and stops at a question below 8 GiB; Debian 13 needs about 10 GB.",
)

NO_IDENTITY = Rule(
    "VK-M01",
    "A node can be told from every other machine",
    "The boot hook compares the machine with the node before anything is wiped. It needs the DMI serial number or the "
    "DMI UUID (`cat /sys/class/dmi/id/product_serial /sys/class/dmi/id/product_uuid` as root), or else the MAC address "
    "of a built-in NIC.",
)
IDENTITY_PLACEHOLDER = Rule(
    "VK-M02",
    "An identity is not a placeholder of the firmware",
    "Cheap firmware reports the same text for a whole series (`Default string`, `To be filled by O.E.M.`, zeros). "
    "It identifies nothing.",
)
IDENTITY_TAKEN = Rule(
    "VK-M03", "An identity belongs to one node", "A serial number or UUID in two nodes is a copy."
)
IDENTITY_WEAK = Rule(
    "VK-M04",
    "A node should have a DMI serial number or UUID",
    "By MAC address alone the ticket `auto` of a Debian image cannot recognise the machine, since its network drivers "
    "are not loaded yet when names and network are chosen; the ticket with the node's name works.",
    Severity.WARNING,
)
IDENTITY_TOO_WEAK = Rule(
    "VK-M05",
    "A node without serial number and UUID has a permanent MAC address and a system disk with a serial number",
    "A node that the firmware cannot name is recognised by a MAC address, which must be burnt in, and is only installed "
    "where its system disk is found, so both together have to tell the machine from others.",
)

UNKNOWN_IMAGE = Rule("VK-R01", "An image that is named is declared", "Images are declared under `images`.")
UNKNOWN_HOOK = Rule(
    "VK-R02",
    "A hook that is named exists",
    "Hooks are folders under `hooks/` of the kit or beside the fleet file. `ventoy-kit hooks list` shows them.",
)
UNKNOWN_MODEL = Rule(
    "VK-R03",
    "A hardware model that is named has a BIOS profile",
    "BIOS profiles are files under `bios_profiles/` of the kit or beside the fleet file; `generic-uefi` fits any "
    "machine with UEFI.",
)
UNKNOWN_SECRET = Rule("VK-R04", "A secret that is named is declared", "Secrets are declared under `secrets`.")
NOT_ON_STICK = Rule(
    "VK-E31",
    "A secret that travels in clear is allowed to",
    "Tokens and subscription keys cannot be hashed. A stick's file system has no permissions, so that whoever holds it "
    "reads them. `allow_on_stick: true` at the secret says that this is known.",
)
PIN_TWICE = Rule(
    "VK-E32", "A pinned interface name stands once in a node", "Two interfaces cannot have one name."
)
UNUSED = Rule(
    "VK-R05",
    "What is declared is used",
    "Something that nothing refers to is often a mistyped reference.",
    Severity.WARNING,
)
HOOK_TWICE = Rule(
    "VK-R06", "A hook stands once per node", "A second entry would override the first without a word."
)
UNKNOWN_STORAGE = Rule(
    "VK-R07",
    "A guest's or service's storage is a disk or pool of its node",
    "What lives on a system disk dies with a new installation, and `reimage` asks for it by name; so the place must "
    "be one that the node has.",
)

OPTION_UNUSED = Rule(
    "VK-A01",
    "An install option fits the filesystem",
    "The installer refuses options of another filesystem, and an option that does nothing would be a broken promise.",
)
RAID_NEEDED = Rule(
    "VK-A02", "zfs and btrfs need a RAID level", "The installer has no default; one disk is `raid0`."
)
EMAIL = Rule(
    "VK-A03",
    "The contact's address can receive mail",
    "The Proxmox installer checks the address by the pattern of an HTML email field and refuses "
    "mail@example.invalid, its own placeholder.",
)
FQDN = Rule(
    "VK-A04",
    "Node name and domain make a valid host name",
    "At most 253 characters, at least two labels, each of 1 to 63 letters, digits and hyphens, not beginning or ending "
    "with a hyphen; the first not all digits (proxmox-network-types, fqdn.rs).",
)
NO_LOGIN = Rule(
    "VK-A05",
    "Somebody can log in after the installation",
    "Without a root password and without an SSH key nobody could.",
)

USER_WITHOUT_LOGIN = Rule(
    "VK-A07",
    "An account can be used",
    "Nobody could log in to an account with neither a password nor a key.",
)
INSTALL_SIZES = Rule(
    "VK-A06",
    "Sizes of an installation fit each other and the disk",
    "The installer refuses less than 2 GiB of a disk and swap of more than half of the part of the disk that it may "
    "use; it cannot use more than the disk has.",
)

CLUSTER_LINK = Rule(
    "VK-C01", "A cluster link is a declared network", "Corosync links are networks of the fleet."
)
