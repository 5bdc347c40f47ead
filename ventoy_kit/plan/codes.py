"""Rules that need the fleet and the images together."""

from ventoy_kit.report import Rule

NO_FAMILY = Rule(
    "VK-A10",
    "A node installs from an image that can install unattended",
    "Answers exist for the Proxmox installers and for the Debian installer.",
)
FILESYSTEM = Rule(
    "VK-A11",
    "The filesystem is one that the image's installer offers",
    "Proxmox VE offers ext4, xfs, zfs and btrfs; the Debian installer ext4, xfs and btrfs.",
)
OPTION = Rule(
    "VK-A12",
    "An install option fits the image and the filesystem",
    "The installer refuses options of another filesystem, and an option that does nothing would be a broken promise.",
)
DEBIAN_DISKS = Rule(
    "VK-A13",
    "A Debian node has one system disk, or a mirror of two",
    "The Debian family installs to one disk, or with `raid: raid1` to two. Mark the others `data` or `keep`.",
)
GATEWAY_NEEDED = Rule(
    "VK-A14",
    "The node's network has a gateway and a name server",
    "The Proxmox installer demands both for a static address (answer file, section network).",
)
HOOK_SYSTEM = Rule(
    "VK-A15",
    "A hook supports the system that the node installs",
    "Each hook says in its hook.yaml for which systems and releases it was written.",
)
FILE_NAME = Rule(
    "VK-A16",
    "An ISO's file name is safe for Ventoy",
    "Only letters, digits, dot, hyphen and underscore, at most 120 characters, ending in .iso: blanks and other "
    "characters have broken Ventoy's boot of several systems.",
)
SAME_FILE_NAME = Rule(
    "VK-A17", "ISO files have different names", "Both would be written to the same place on the stick."
)
MIRROR_NEEDED = Rule(
    "VK-A18",
    "A Debian node knows where its packages come from",
    "The netinst and netboot images bring no whole system along; the installer would stop and ask for a mirror. "
    "The list of mirrors is on www.debian.org/mirror/list.",
)
DNS_NEEDED = Rule(
    "VK-A19",
    "A Debian node can find its mirror",
    "A mirror given by name needs a name server; the installer would stop and ask.",
)
DHCP = Rule(
    "VK-A20",
    "A Proxmox node has a fixed address",
    "Proxmox VE writes its address into /etc/hosts, and a cluster is made of addresses that stay.",
)
NOT_ON_MEDIUM = Rule(
    "VK-A21",
    "What is installed without a mirror lies on the medium",
    "With no `debian_mirror` everything comes from the DVD. A package that is not on it ends the installation half-way, "
    "with a question. A task is a package, too: `task-` and its name.",
)
NO_ROUTE = Rule(
    "VK-A22",
    "A hook that needs the network finds a way out",
    "The runner waits two minutes for a default route; a network without a gateway never has one, and the hook fails.",
)
VOTES = Rule(
    "VK-C02",
    "Expected votes agree with the cluster's nodes",
    "Each node that installs Proxmox VE has one vote. A wrong number makes quorum too easy or impossible.",
)
MEMBERS = Rule(
    "VK-C03",
    "A cluster has members",
    "A cluster is made of the nodes that install Proxmox VE; with none, nothing would form it.",
)
