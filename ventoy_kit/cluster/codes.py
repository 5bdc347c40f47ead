"""Rules of `cluster converge`."""

from ventoy_kit.report import Rule, Severity

NO_CLUSTER = Rule(
    "VK-O01",
    "The fleet file describes a cluster",
    "`cluster converge` needs a `cluster:` in the fleet file and nodes that install Proxmox VE.",
)
NO_BOOTSTRAP = Rule(
    "VK-O02",
    "A new cluster is made only when its first node is named",
    "No node that answers is in a cluster. A node that does not answer may be, and a second cluster beside it could "
    "never be joined with the first one; so a person says with `--bootstrap NODE` that there is none.",
)
SPLIT = Rule(
    "VK-O03",
    "All nodes are in one cluster",
    "Two clusters cannot be made one: a node that leaves its cluster has to be installed anew, or cleaned by hand as "
    "Proxmox's manual says.",
)
WRONG_NAME = Rule(
    "VK-O04",
    "The cluster has the name that the fleet file gives it",
    "A cluster cannot be renamed while it runs. Another name may mean that these are other machines.",
)
NO_QUORUM = Rule(
    "VK-O05",
    "The cluster has a quorum before and after each step",
    "Without a majority of the votes /etc/pve is read-only and guests do not start. A node that is removed or that "
    "joins is not counted on the side of those that hold the majority.",
)
QDEVICE = Rule(
    "VK-O06",
    "A QDevice is set up after the nodes and removed before them",
    "Its votes depend on the number of nodes, so Proxmox's manual asks to remove it before nodes come or go.",
)
UNREACHABLE = Rule(
    "VK-O07",
    "Every node answers",
    "Nodes are reached as root by SSH with keys and known host keys; nothing is asked and no unknown key is accepted.",
)
WRONG_MACHINE = Rule(
    "VK-O08",
    "The machine at a node's address is that node, with Proxmox VE",
    "Its host name is compared, since a cluster knows its nodes by their host names.",
)
CANNOT_JOIN = Rule(
    "VK-O09",
    "A node that joins is empty and has the addresses of all links",
    "Joining replaces everything in /etc/pve, so Proxmox VE refuses a node with guests or with remains of a cluster.",
)
STRAY = Rule(
    "VK-O10",
    "A node that believes to be a member is one",
    "A node that was removed while it was off comes back with the old configuration and must not stay so.",
)
DRIFT = Rule(
    "VK-O11",
    "Members have the links and votes of the fleet file",
    "Links and votes of a member are not changed while it runs. Its re-imaging, or an edit of corosync.conf as "
    "Proxmox's manual says, does it.",
    Severity.WARNING,
)
STRANGER = Rule(
    "VK-O12",
    "Members of the cluster are nodes of the fleet",
    "A member that the fleet file does not know is left alone and counted.",
    Severity.WARNING,
)
LATER = Rule(
    "VK-O13",
    "Token settings are changed while all members are there",
    "A member that was off would come back with other timers than the rest.",
    Severity.WARNING,
)
STEP_FAILED = Rule(
    "VK-O14",
    "Each step has its effect",
    "After each step all nodes are asked again. What failed is left as it is for a person to see; running the command "
    "again begins from there.",
)
CHANGED = Rule(
    "VK-O15",
    "Nobody else changes the cluster meanwhile",
    "Before each step all nodes are asked again; if another step would be due now than the one that was agreed to, "
    "nothing more is done.",
)
NO_PASSWORD = Rule(
    "VK-O16",
    "Somebody gives root's password for a join",
    "Proxmox VE asks for it when a node joins. It is typed at the terminal, or given as one line with "
    "`--password-stdin`, and goes to the node on standard input alone.",
)
BOOTSTRAP_WITH_ABSENT = Rule(
    "VK-O17",
    "All nodes answer when a cluster is made",
    "A node that does not answer may be in the old cluster; it then has to be installed anew before it can join.",
    Severity.WARNING,
)
UNUSED_BOOTSTRAP = Rule(
    "VK-O18",
    "A cluster is bootstrapped only when it does not exist yet",
    "A cluster exists, so nothing is created; the named node joins it like any other.",
    Severity.NOTE,
)
CLOCKS = Rule(
    "VK-O19",
    "The nodes' clocks agree",
    "Logins at Proxmox VE's API carry times, so a join fails between nodes whose clocks are far apart.",
    Severity.WARNING,
)
