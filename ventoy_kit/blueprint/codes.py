"""Rules of roles, fault domains, capacity and quorum; those of judgement can be switched and waived."""

from ventoy_kit.blueprint.quorum import gap, seconds, timing
from ventoy_kit.report import Rule, Severity

STATE = Rule(
    "VK-F01",
    "State lives on ECC memory and redundant storage",
    "A flipped bit in memory is written to disk as if it were meant, and a single disk takes its data along. A service "
    "with `stateful: true` belongs on a node with `hardware.ecc: true` and on a storage that outlives one disk: "
    "`install.raid` for the system disks, `pools.NAME.raid` for a pool. What is not declared counts as not there.",
    Severity.WARNING,
)
OBSERVER = Rule(
    "VK-F02",
    "What watches does not go down with what it watches",
    "A monitor, a directory or a name server that stops with the very node that it is asked about has no last word: its "
    "alarm is never sent, and its data ends where the question begins. It counts where it runs and what it `needs`, "
    "through any number of steps. A second service of the same `group` that runs elsewhere and observes the same "
    "settles it.",
    Severity.WARNING,
)
PASSTHROUGH = Rule(
    "VK-F03",
    "A node that gives a graphics card away holds nothing critical",
    "A card under VFIO can stall the PCIe bus, and the whole host freezes with it, without a line in any log. Critical "
    "is what is stateful, what provides identity, DNS, monitoring, metrics, SIEM, secrets, DHCP or backups, and what "
    "is needed from another node; `critical: true` or `false` decides otherwise.",
    Severity.WARNING,
)
DARK = Rule(
    "VK-F04",
    "What goes dark with one node is known",
    "Nobody else provides this when the node is lost. That is a fact to know, not a mistake: a second service that "
    "provides the same on another node changes it. `ventoy-kit what-if --down NODE` tells the rest.",
    Severity.NOTE,
)
GUEST_SIZE = Rule(
    "VK-F05",
    "A virtual machine fits into its node",
    "QEMU refuses to start a machine with more processors than its host has, and one with more memory than there is "
    "gets killed.",
)
MEMORY = Rule(
    "VK-F06",
    "The guests' memory fits into the node",
    "From the node's memory go 2 GiB for Proxmox VE (0.5 GiB for other systems) and, on ZFS, its cache: `arc_max`, or a "
    "tenth of the memory and 16 GiB at the most, as the installer sets it. Guests that say no size count as nothing.",
    Severity.WARNING,
)
VCPU = Rule(
    "VK-F07",
    "Virtual processors do not outnumber real ones too far",
    "Sharing processors is normal; beyond four virtual ones for each thread, guests are expected to wait for each "
    "other. Four is a rule of thumb of this kit: switch the rule off where it does not fit.",
    Severity.WARNING,
)
DISK_SPACE = Rule(
    "VK-F08",
    "The guests' disks fit into their storage",
    "Thin volumes may promise more than there is until they are used; then every guest on the storage stops at once.",
    Severity.WARNING,
)
INNER_SIZE = Rule(
    "VK-F09",
    "Services fit into their guest",
    "The guest's own size is what it gets; its services ask for more together.",
    Severity.WARNING,
)
REFERENCE = Rule(
    "VK-F10",
    "What a service leans on is declared",
    "`needs`, `backed_up_by` and `kept_by` name a service or a group, `observes` a node, too; a pool has "
    "disks. A name that several unrelated services have needs a `group`.",
)
CIRCLE = Rule(
    "VK-F11",
    "Services can start from cold",
    "Each waits for the next one, and the last for the first: after a power cut none of them comes up by itself.",
    Severity.WARNING,
)
SOURCE_WIPED = Rule(
    "VK-F12",
    "What an installation needs is not on the disk that it wipes",
    "The fleet file and its secrets are needed to build the stick that installs the node on which they are kept. "
    "Keep a copy where this node is not needed.",
    Severity.WARNING,
)
BACKUP = Rule(
    "VK-F13",
    "A backup does not lie beside the original",
    "A copy on the same node is lost with it, and a re-image wipes both.",
    Severity.WARNING,
)
NAME_SERVER = Rule(
    "VK-F14",
    "Nodes resolve names without the fleet's own guests",
    "An installation asks the network's first name server, and after a power cut so does every node before its guests "
    "are up. One that runs on the node itself is not there at that moment.",
    Severity.WARNING,
)
GATEWAY = Rule(
    "VK-F15",
    "The gateway is outside of the fleet",
    "A router that runs as a guest is down while its node is installed, and an installer that needs its mirror stops.",
    Severity.WARNING,
)
GUEST_ADDRESS = Rule(
    "VK-F16",
    "An address of a guest or service is its own",
    "Two hosts with one address is an outage. Nodes are compared by VK-N01.",
)
LATENCY = Rule(
    "VK-F17",
    "Corosync links are fast and steady",
    "Corosync passes a token from node to node and takes a late one for a lost node. Proxmox VE asks for less than "
    "5 ms between all nodes; a wireless link keeps that most of the time, which is not enough.",
    Severity.WARNING,
)
_OLD, _NEW = timing(3), timing(3, coefficient=125)
_TELEGRAF = gap(_OLD, 10, 10)
TOKEN = Rule(
    "VK-F18",
    "A lost node is noticed before the watchdog fires",
    "Corosync waits token + (nodes - 2) x token_coefficient for the token, then 1.2 times that for consensus. With the "
    f"defaults of corosync (3000 and 650 ms), three nodes wait {seconds(_OLD.token)} and {seconds(_OLD.consensus)}, "
    f"{seconds(_OLD.membership)} together; with a coefficient of 125 ms, as newer Proxmox VE sets it, "
    f"{seconds(_NEW.membership)}. At 60 s the HA watchdog fences nodes that only waited. Links are watched apart from "
    f"that: knet reports `has no active links` between {seconds(_OLD.link_down[0])} and {seconds(_OLD.link_down[1])} "
    "after a node's end (half of the token, less one ping interval). So 17 s between the last stored metric and that "
    "message are no token timeout: with samples every 10 s that wait up to 10 s to be sent, the last stored one may lie "
    f"{seconds(_TELEGRAF.least)} to {seconds(_TELEGRAF.most)} before the message, of which up to 20 s are the metrics' "
    "own. `ventoy-kit what-if --down NODE` computes this for your fleet.",
    Severity.WARNING,
)
QDEVICE = Rule(
    "VK-F19",
    "A QDevice helps",
    "With an even number of nodes its vote breaks the tie. With an odd number it has one vote less than there are "
    "nodes, so that losing it leaves no room for any other loss. On the cluster itself it goes down with a node that "
    "it should vote about.",
    Severity.WARNING,
)
FIRMWARE = Rule(
    "VK-F20",
    "A node's BIOS profile asks for UEFI, and for Secure Boot off",
    "Ventoy's own boot loader asks for its key to be enrolled by hand under Secure Boot, and drivers that hooks build "
    "do not load; the guard of an armed stick is a UEFI variable. The checklist prints what the profile asks for.",
    Severity.WARNING,
)
UNDESCRIBED = Rule(
    "VK-F21",
    "A disk that is wiped can be recognised by a person",
    "The serial number decides. But whoever stands at the machine compares model and size on the countdown first.",
    Severity.NOTE,
)
NAMES = Rule(
    "VK-F22",
    "Names tell things apart",
    "Guests are hosts: one with a node's name, or two of one name, answer for each other. Titles are what Ventoy's menu "
    "and the checklists show at the rack. A word under `provides` that is nearly a known one is a slip of the pen, and "
    "its service is not seen as critical.",
    Severity.WARNING,
)
GUEST_GPU = Rule(
    "VK-F23",
    "A guest's graphics card is built into its node",
    "`guest.gpu` names the PCI id of a card under `hardware.gpus` of the same node, with `passthrough: true`: only that "
    "is kept free of the host's drivers.",
)
GPU_SHARED = Rule(
    "VK-F24",
    "A graphics card is passed through to one guest",
    "Of two guests with one card, only one can run at a time.",
    Severity.WARNING,
)
EVEN_VOTES = Rule(
    "VK-C04",
    "A cluster has an odd number of votes",
    "With an even number, one more vote is needed for quorum than with one node less, and nothing is gained: four "
    "nodes survive the loss of one, as three do.",
    Severity.WARNING,
)

SWITCHABLE = {
    rule.code: rule
    for rule in (
        *(STATE, OBSERVER, PASSTHROUGH, DARK, GUEST_SIZE, MEMORY, VCPU, DISK_SPACE, INNER_SIZE, CIRCLE),
        *(SOURCE_WIPED, BACKUP, NAME_SERVER, GATEWAY, LATENCY, TOKEN, QDEVICE, FIRMWARE, UNDESCRIBED, NAMES),
        *(GPU_SHARED, EVEN_VOTES),
    )
}
"""What an operator may know better. Contradictions in the file (VK-F10, VK-F16, VK-F23) cannot be waived."""

IDLE_WAIVER = Rule(
    "VK-F25",
    "A waiver is still needed",
    "It accepts a finding that is not there. It would accept the next one unseen, so it has to go.",
    Severity.WARNING,
)
NO_WAIVER = Rule(
    "VK-F26",
    "A waiver or switch names a rule that has one",
    "Rules of judgement can be waived: those of roles, fault domains, capacity and quorum. A mistake in the file, and "
    "whatever decides about wiping, cannot.",
)
