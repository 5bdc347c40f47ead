"""What stands between the cluster and the fleet file, as findings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ventoy_kit.cluster import codes
from ventoy_kit.cluster.answers import Seen
from ventoy_kit.cluster.corosync import Corosync
from ventoy_kit.cluster.model import VOTES, Wanted
from ventoy_kit.report import Finding

CLOCK_SKEW = 30.0
"""Seconds between two nodes' clocks that are worth a warning; the answers themselves take some."""


def is_usable(name: str, seen: Seen) -> bool:
    """Whether a node answered as the node that it should be."""
    return seen.problem is None and seen.is_proxmox and seen.host_name == name and seen.broken is None


def unusable(wanted: Wanted, seen: Mapping[str, Seen]) -> list[Finding]:
    """What is wrong with nodes that cannot be used."""
    found = []
    for name in wanted.nodes:
        node, path = seen[name], ("nodes", name)
        if node.problem is not None:
            found.append(
                codes.UNREACHABLE.finding(f"{name}: {node.problem}", node.hint, path=path, on_key=True)
            )
        elif node.host_name != name:
            message = f"the machine at {wanted.nodes[name]} is called `{node.host_name}`, not `{name}`"
            found.append(
                codes.WRONG_MACHINE.finding(message, "Look which machine has that address.", path=path)
            )
        elif not node.is_proxmox:
            message = f"{name} has no Proxmox VE"
            found.append(
                codes.WRONG_MACHINE.finding(message, "Install it, or take it out of the cluster.", path=path)
            )
        elif node.broken is not None:
            message = f"{name}: {node.broken}"
            found.append(codes.STRAY.finding(message, "Repair the file on the node.", path=path, on_key=True))
    return found


def clocks(usable: Mapping[str, Seen]) -> list[Finding]:
    """Whether the nodes' clocks differ too much."""
    offsets = sorted((s.offset, n) for n, s in usable.items())
    if not offsets or offsets[-1][0] - offsets[0][0] <= CLOCK_SKEW:
        return []
    apart = int(offsets[-1][0] - offsets[0][0])
    message = f"the clocks of {offsets[0][1]} and {offsets[-1][1]} are {apart} seconds apart"
    return [codes.CLOCKS.finding(message, "Look at `chronyc tracking` on both.")]


def is_anew(name: str, usable: Mapping[str, Seen], confs: Mapping[str, Corosync]) -> bool:
    """Whether the machine of that name answers and knows nothing of a cluster: it was installed anew."""
    return name in usable and name not in confs and not usable[name].remains


def no_quorum(usable: Mapping[str, Seen], confs: Mapping[str, Corosync]) -> Finding:
    """Why nothing can be done: no member that answers is part of a majority."""
    conf = max(confs.values(), key=lambda c: c.version)
    missing = sorted(n for n in conf.members if n not in confs or usable[n].quorum is None)
    absent = f"; not there: {', '.join(missing)}" if missing else ""
    needed = conf.votes // 2 + 1
    message = (
        f"no member that answers is part of a quorum ({needed} of {conf.votes} votes are needed{absent})"
    )
    present = sorted(n for n in confs if usable[n].quorum is not None)
    if present and missing and not conf.device and all(is_anew(n, usable, confs) for n in missing):
        votes = sum(conf.members[n].votes for n in present if n in conf.members)
        remedy = (
            f"The others answer and are in no cluster, so nothing can be split: run `pvecm expected {votes}` on "
            f"{present[0]}, then this again."
        )
    else:
        remedy = (
            "Start the missing members. If they are gone for good, read of `pvecm expected` in Proxmox's manual: "
            "only a person who sees the machines can decide that."
        )
    return codes.NO_QUORUM.finding(message, remedy)


def strays(
    wanted: Wanted,
    usable: Mapping[str, Seen],
    confs: Mapping[str, Corosync],
    conf: Corosync,
    online: frozenset[str],
) -> list[Finding]:
    """Nodes whose own idea of their membership is not that of the cluster."""
    found = []

    def stray(name: str, message: str, remedy: str) -> None:
        found.append(codes.STRAY.finding(message, remedy, path=("nodes", name), on_key=True))

    for name in wanted.nodes:
        if name not in usable:
            continue
        if name in confs and name not in conf.members:
            remedy = "Re-image it, or clean it as Proxmox's manual says under `Remove a Cluster Node`."
            stray(name, f"{name} believes to be a member, and the cluster does not know it", remedy)
        elif name in confs and name not in online:
            remedy = f"Look at `systemctl status corosync pve-cluster` on {name}."
            stray(name, f"{name} answers, and is not among the members that are there", remedy)
        elif name in confs and confs[name].version != conf.version:
            message = (
                f"{name} has version {confs[name].version} of corosync.conf, and {conf.version} is in force"
            )
            stray(name, message, "Wait a moment and run this again.")
        elif name not in confs and name in online:
            remedy = f"Look at `systemctl status pve-cluster` on {name}."
            stray(
                name, f"{name} is among the members that are there, and cannot show its configuration", remedy
            )
        elif name not in confs and name in conf.members and usable[name].remains:
            found.append(remains(name, usable[name]))
    for name in sorted(set(conf.members) - set(wanted.nodes)):
        message = f"{name} is a member and no node of the fleet's cluster"
        remedy = f"Add it to the fleet file, or switch it off and run `pvecm delnode {name}`."
        found.append(codes.STRANGER.finding(message, remedy))
    return found


def drift(
    wanted: Wanted, confs: Mapping[str, Corosync], usable: Mapping[str, Seen], conf: Corosync
) -> list[Finding]:
    """Members whose links or votes are not those of the fleet file."""
    found = []
    for name, member in conf.members.items():
        if name not in wanted.nodes or name not in confs:
            continue
        path = ("nodes", name)
        links, problem = links_of(wanted, name, usable[name])
        has = tuple(address for _, address in sorted(member.links.items()))
        if problem is not None:
            found.append(codes.DRIFT.finding(problem.message, problem.remedy, path=path, on_key=True))
        elif has != links:
            message = f"{name} has the links {', '.join(has)}; the fleet file says {', '.join(links)}"
            remedy = "Edit corosync.conf, or the fleet file."
            found.append(codes.DRIFT.finding(message, remedy, path=path, on_key=True))
        if member.votes != VOTES:
            message = f"{name} has {member.votes} votes instead of {VOTES}"
            found.append(codes.DRIFT.finding(message, "Edit corosync.conf.", path=path, on_key=True))
    return found


def obstacle(name: str, node: Seen) -> Finding | None:
    """Why a node cannot join, None if it can."""
    if node.remains:
        return remains(name, node)
    if node.guests:
        message = f"{name} has {node.guests} guests, and a node joins empty"
        remedy = "Back them up and remove them; restore them when it is a member."
        return codes.CANNOT_JOIN.finding(message, remedy, path=("nodes", name), on_key=True)
    return None


def remains(name: str, node: Seen) -> Finding:
    """A node in no cluster that holds files of one."""
    message = f"{name} is in no cluster and holds {', '.join(node.remains)}"
    remedy = "Look why; an interrupted join leaves them. Re-image it, or clean it as Proxmox's manual says."
    return codes.CANNOT_JOIN.finding(message, remedy, path=("nodes", name), on_key=True)


def links_of(wanted: Wanted, name: str, node: Seen) -> tuple[tuple[str, ...], Finding | None]:
    """The addresses of a node's links, in order, or why there are none."""
    management = wanted.nodes[name]
    if not wanted.links:
        return (management,), None
    own = sorted(node.addresses, key=lambda a: (str(a) != management, str(a)))
    addresses = []
    for link in wanted.links:
        fit = [a for a in own if a.version == _version(link.cidr) and link.holds(a)]
        if fit and str(fit[0]) == management:
            fit = fit[:1]
        if len(fit) != 1:
            lack = "no address" if not fit else f"several addresses ({', '.join(map(str, fit))})"
            message = f"{name} has {lack} in `{link.network}` ({link.cidr}), which carries a link"
            remedy = "Give it one in /etc/network/interfaces."
            return (), codes.CANNOT_JOIN.finding(message, remedy, path=("nodes", name), on_key=True)
        addresses.append(str(fit[0]))
    return tuple(addresses), None


def _version(cidr: str) -> int:
    return 6 if ":" in cidr else 4
