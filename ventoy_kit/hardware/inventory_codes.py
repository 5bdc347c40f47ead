"""Rules of recorded hardware facts, and of what they say about the fleet file."""

from ventoy_kit.report import Rule, Severity

FACTS_UNREADABLE = Rule(
    "VK-Q01",
    "Facts of hardware are what `hardware scan` or Proxmox's device-info prints",
    "They are the JSON document of `ventoy-kit hardware scan`, or of `proxmox-auto-install-assistant device-info "
    "--format json`. Those of a node lie in `hardware/NODE.json` beside the fleet file.",
)
FACTS_OF_NOBODY = Rule(
    "VK-Q02",
    "Recorded facts belong to a node",
    "A file `hardware/NAME.json` is compared with the node of that name. `ventoy-kit adopt hardware/NAME.json` writes the "
    "node.",
    Severity.NOTE,
)
FACTS_POOR = Rule(
    "VK-Q03",
    "Facts were recorded by root",
    "Linux shows serial number and UUID of a machine to root alone. Without them nobody can tell whether the facts are "
    "those of the node.",
    Severity.WARNING,
)
OTHER_MACHINE = Rule(
    "VK-Q04",
    "The recorded machine is the node",
    "Serial number and UUID that the node declares are what its firmware reports, and of a node that declares neither, "
    "at least one MAC address is there. The boot hook compares in the same way and hands nothing over otherwise.",
)
IDENTITY_UNUSED = Rule(
    "VK-Q05",
    "A node declares the serial number or UUID that its firmware reports",
    "The recorded machine reports something better than a MAC address.",
    Severity.WARNING,
)
IDENTITY_ABSENT = Rule(
    "VK-Q06",
    "Where the firmware reports placeholders, MAC address and disk serial number must do",
    "The recorded machine's serial number and UUID are texts that whole series report, so they identify nothing.",
    Severity.NOTE,
)
SYSTEM_DISK_ABSENT = Rule(
    "VK-Q07",
    "A system disk is in the recorded machine",
    "The boot hook refuses to install where a system disk is missing (VK-B21). Either the disk was exchanged, or serial "
    "number or WWN is mistyped.",
)
DISK_ABSENT = Rule(
    "VK-Q08",
    "A declared disk is in the recorded machine",
    "A disk to keep or for data is not needed to install; that it is missing is worth to know.",
    Severity.WARNING,
)
DISK_AMBIGUOUS = Rule(
    "VK-Q09",
    "A declared disk is one disk of the recorded machine",
    "Several disks report what is declared, or two declarations are the same disk. The boot hook refuses then (VK-B22 to "
    "VK-B24). Declare serial number and WWN.",
)
SIZE_DIFFERS = Rule(
    "VK-Q10",
    "A system disk has the declared size",
    "Serial number or WWN say that it is the disk, its size differs by more than 10 percent. The boot hook refuses it "
    "(VK-B28).",
)
DISK_DIFFERS = Rule(
    "VK-Q11",
    "A disk has the declared model, and one that stays the declared size",
    "One of the two models should contain the other; blanks, hyphens and case do not count. Sizes may differ by 10 percent.",
    Severity.WARNING,
)
DISK_UNDECLARED = Rule(
    "VK-Q12",
    "Every disk of the recorded machine is declared",
    "A disk that the fleet file does not mention is never touched. Declare it, so that the checklist and the boot screen "
    "name it. Removable USB disks are passed over.",
    Severity.NOTE,
)
SERIAL_SHARED = Rule(
    "VK-Q13",
    "Disks of recorded machines have serial numbers of their own",
    "Two disks report one serial number: a bridge that invents numbers, or a disk that moved between two recordings.",
    Severity.WARNING,
)
MAC_ABSENT = Rule(
    "VK-Q14",
    "A declared MAC address is one of the recorded machine's permanent ones",
    "The NIC was exchanged, the address is mistyped, or it is one that software had set when it was copied.",
    Severity.WARNING,
)
GPU_ABSENT = Rule(
    "VK-Q15",
    "A declared graphics card is in the recorded machine",
    "No PCI function of the recorded machine has this id.",
    Severity.WARNING,
)
SYSTEM_DISK_HOLDS = Rule(
    "VK-Q16",
    "What a system disk holds is lost at the installation",
    "Said so that nobody is surprised: this is what was on the disk when the facts were recorded.",
    Severity.NOTE,
)
NOT_A_NAME = Rule(
    "VK-Q17",
    "Facts say which node they are of",
    "Facts are kept, and adopted, under the name of a node: that of a file in `hardware/`, else the host name of the "
    "recorded machine.",
)
ADOPTED_TWICE = Rule(
    "VK-Q18",
    "Facts are of one node each",
    "Two of the given files would become one node, or are of one machine.",
)
NOT_ADOPTED = Rule(
    "VK-Q19",
    "What is in the machine can be declared",
    "A disk that reports neither serial number nor WWN of its own cannot be told from others, and a removable USB disk is "
    "no part of the machine; they are left out of the fleet file.",
    Severity.NOTE,
)
CANNOT_ADOPT = Rule(
    "VK-Q20",
    "A machine that is adopted has what a node needs",
    "A node needs a NIC with a permanent MAC address, and a network with a free address for it.",
)
CANNOT_EDIT = Rule(
    "VK-Q21",
    "The fleet file can be edited without touching anything else",
    "`adopt` inserts text and reads the result again; if that does not give exactly the old content and the additions, "
    "the file stays as it is. YAML aliases and merged maps are such places.",
)
