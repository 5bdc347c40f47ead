"""Rules of arming: what must hold before a stick may install a node with no key pressed."""

from ventoy_kit.report import Rule, Severity

NOT_STAGED = Rule(
    "VK-K01",
    "A stick is armed with what was built",
    "`reimage` adds a ticket and Ventoy's settings to a stick; everything else must lie there already, complete and "
    "with the bytes that the build recorded.",
)
OLD_VENTOY = Rule(
    "VK-K02",
    "A stick that is armed carries Ventoy 1.1.17 or newer",
    "The hand-over was tried with 1.1.17; older ones leave their kernel parameter in installed systems.",
)
UNKNOWN_VENTOY = Rule(
    "VK-K03",
    "The version of Ventoy on a stick that is armed can be read",
    "It stands in grub/grub.cfg on the stick's second partition.",
)
UNSEEN_VENTOY = Rule(
    "VK-K04",
    "A folder or an image file shows no version of Ventoy",
    "Arming needs Ventoy 1.1.17 or newer on the stick that the files end up on; here nobody can compare.",
    Severity.WARNING,
)
NOT_UNATTENDED = Rule(
    "VK-K05",
    "A node that is armed for has a ticket on the stick",
    "The build makes one for every node whose image can install unattended.",
)
UNNAMED_LOSS = Rule(
    "VK-K06",
    "Every loss is named before a stick is armed",
    "Guests, and services that hold state, die with the system disks that they live on. Each is named with --lose, or "
    "declared `expendable: true` in the fleet file; `storage` says that it lives elsewhere.",
)
NO_POOL = Rule(
    "VK-K16",
    "A pool that may be destroyed is one of the node's data disks",
    "`--destroy-pool` names a pool that the fleet file gives data disks of the node. The permission is for this arming "
    "and this installation alone.",
)
NO_POOL_HOOK = Rule(
    "VK-K17",
    "Only the hook `zfs` destroys a pool",
    "The installer never touches data disks. The hook does it after the installation, on exactly the declared disks, "
    "and makes the pool anew.",
)
NO_LOSS = Rule(
    "VK-K07",
    "A loss that is named is one",
    "A name that fits nothing may be the mistyped name of something else that dies.",
)
ARMED_FOR_OTHER = Rule(
    "VK-K08",
    "A stick is armed for one node at a time",
    "While a stick is armed for a node of another fleet, Ventoy shows that one image and nothing else.",
)
EDITED = Rule(
    "VK-K09",
    "ventoy.json is not changed while a stick is armed",
    "Disarming puts the file back as it was before arming. What was changed in between is kept in a file beside.",
    Severity.WARNING,
)
SETTINGS_LOST = Rule(
    "VK-K10",
    "The settings that arming has set aside are on the stick",
    "Without them disarming still ends the armed state, with the kit's own entries alone.",
    Severity.WARNING,
)
HELD_DAMAGED = Rule(
    "VK-K12",
    "What is held for a node is as it was",
    "Files of an older generation cannot be made again; what is missing or has other bytes is not held any more.",
    Severity.WARNING,
)
NOT_HELD = Rule(
    "VK-K13", "What is let go was held", "`status TARGET` shows for which nodes a stick holds files."
)
CLOCK = Rule(
    "VK-K14",
    "The clock is not behind the last arming",
    "Each arming is newer than all before it. Where this machine's clock is behind the last one, the new arming counts "
    "from that one, and a machine whose clock is right may take it for one that is not valid yet.",
    Severity.WARNING,
)
TAKEN_OVER = Rule(
    "VK-K15",
    "No script of the user starts the image in Ventoy's place",
    "Ventoy runs a file named like an image with `.vcfg` behind it in the place of its own boot; then neither ticket "
    "nor answers reach the installer.",
)
