"""Rules that need the fleet and what its images are. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from urllib.parse import urlsplit

from ventoy_kit.blueprint.quorum import votes_of
from ventoy_kit.fleet import codes as fleet_codes
from ventoy_kit.fleet.hooks import HookSpec
from ventoy_kit.fleet.installing import Install
from ventoy_kit.fleet.schema import Fleet, HookUse, Node
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.menu import derive_toolbox_menu
from ventoy_kit.images.suit import check_image
from ventoy_kit.plan import codes
from ventoy_kit.report import Finding, Path, Report

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,115}\.iso", re.IGNORECASE)
PRODUCTS = ("proxmox-ve", "proxmox-backup-server", "proxmox-mail-gateway", "debian")
"""Image names that say what the image must be; any other name takes what the ISO says."""

FILESYSTEMS = {"proxmox": ("ext4", "xfs", "zfs", "btrfs"), "debian": ("ext4", "xfs", "btrfs")}


def check_plan(
    fleet: Fleet,
    isos: Mapping[str, IsoFacts],
    hooks: Mapping[str, HookSpec],
    locked: Mapping[str, str] | None = None,
) -> Report:
    """Check the fleet against its images.

    Args:
        fleet: a fleet without errors of its own.
        isos: what each image is, by id; images that could not be read are absent and have findings already.
        hooks: hooks at hand, by name.
        locked: file names of those images that are fetched, by id, as far as they are known.
    """
    report = Report()
    report.extend(_file_names(fleet, locked or {}))
    members = 0
    for name, node in fleet.nodes.items():
        at: Path = ("nodes", name)
        image = node.install.image or fleet.defaults.image
        facts = isos.get(image or "")
        if facts is None:
            continue
        report.extend(_node(fleet, node, facts, at))
        report.extend(_hook_systems(fleet, node, facts, at, hooks))
        members += facts.product == "proxmox-ve"
    for image, facts in isos.items():
        if any((n.install.image or fleet.defaults.image) == image for n in fleet.nodes.values()):
            report.extend(_automation(image, facts, ("images", image, fleet.images[image].source)))
    if len(isos) == len(fleet.images):
        report.extend(_votes(fleet, members))
    return report


def _automation(image: str, facts: IsoFacts, path: Path) -> Iterator[Finding]:
    """Whether an image that nodes install from can do that."""
    if facts.family is None or facts.product is None:
        yield codes.NO_FAMILY.finding(
            f"`{facts.title}` cannot install unattended",
            "Use a Proxmox ISO of release 8.4 or newer or a Debian installer ISO, or let no node install from it.",
            path=path,
        )
        return
    product = image if image in PRODUCTS else facts.product
    yield from check_image(facts, product=product, path=path)
    yield from derive_toolbox_menu(facts, path=path)[1]


def _file_names(fleet: Fleet, locked: Mapping[str, str]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for image, spec in fleet.images.items():
        name = PurePath(spec.path).name if spec.path is not None else locked.get(image)
        if name is None:
            continue
        path: Path = ("images", image, spec.source)
        if not SAFE_NAME.fullmatch(name):
            yield codes.FILE_NAME.finding(
                f"`{name}` is not a safe file name", "Rename the file as its vendor names it.", path=path
            )
        if name.lower() in seen:
            yield codes.SAME_FILE_NAME.finding(
                f"`{name}` is also the file name of `{seen[name.lower()]}`",
                "Rename one of the two files.",
                path=path,
            )
        seen[name.lower()] = image


def _node(fleet: Fleet, node: Node, facts: IsoFacts, at: Path) -> Iterator[Finding]:
    if facts.family is None:
        return
    install, path = node.install, (*at, "install")
    offered = FILESYSTEMS[facts.family]
    if install.filesystem not in offered:
        yield codes.FILESYSTEM.finding(
            f"the {facts.title} installer does not offer {install.filesystem}",
            f"Use one of {', '.join(offered)}.",
            path=(*path, "filesystem"),
        )
    for option, reason in _unfit_options(install, facts):
        yield codes.OPTION.finding(f"`{option}` {reason}", "Remove it.", path=(*path, option), on_key=True)
    if facts.family == "debian":
        yield from _debian_sources(fleet, node, facts, at)
    if facts.family == "debian":
        yield from _debian_disks(node, at)
    if facts.family == "proxmox":
        if node.network.address is None:
            yield codes.DHCP.finding(
                f"{facts.title} is installed with a fixed address",
                f"Write an address of the network, such as {_an_address(fleet, node)}.",
                path=(*at, "network", "address"),
            )
        if install.filesystem in ("ext4", "xfs") and install.raid is not None:
            yield fleet_codes.OPTION_UNUSED.finding(
                f"`raid` does nothing on {install.filesystem}", "Remove it, or use zfs.", path=(*path, "raid")
            )
        if install.filesystem == "btrfs" and install.raid is None:
            yield fleet_codes.RAID_NEEDED.finding("btrfs needs a RAID level", "Add `raid: raid0`.", path=path)
        net_name = node.network.network or fleet.defaults.network or ""
        net = fleet.networks.get(net_name)
        if net is not None and (net.gateway is None or not net.dns):
            what = "gateway" if net.gateway is None else "name server"
            yield codes.GATEWAY_NEEDED.finding(
                f"network `{net_name}` has no {what}", "Add it.", path=("networks", net_name), on_key=True
            )


def _an_address(fleet: Fleet, node: Node) -> str:
    """An example in the node's network."""
    net = fleet.networks.get(node.network.network or fleet.defaults.network or "")
    return (
        "10.0.0.11/24"
        if net is None
        else f"{net.cidr[min(11, net.cidr.num_addresses - 1)]}/{net.cidr.prefixlen}"
    )


def _debian_disks(node: Node, at: Path) -> Iterator[Finding]:
    """One disk, or a mirror of two. With ext4 and xfs a wrong number has its finding for any installer."""
    install, count = node.install, sum(d.use == "system" for d in node.disks.values())
    if install.filesystem != "btrfs":
        return
    if install.raid not in (None, "raid1"):
        yield codes.OPTION.finding(
            f"`raid: {install.raid}` is not offered on Debian",
            "Write `raid1` with two system disks, or remove it.",
            path=(*at, "install", "raid"),
        )
    elif count != (1 if install.raid is None else 2):
        yield codes.DEBIAN_DISKS.finding(
            "more than one system disk"
            if install.raid is None
            else f"raid1 takes two system disks, {count} declared",
            "Leave one disk with `use: system`, or mirror two with `raid: raid1`.",
            path=(*at, "disks"),
            on_key=True,
        )


def is_address(url: str) -> bool:
    """Whether the host of an address is a number, so that no name server is needed."""
    return re.fullmatch(r"[0-9.]+", urlsplit(url).hostname or "") is not None


def _debian_sources(fleet: Fleet, node: Node, facts: IsoFacts, at: Path) -> Iterator[Finding]:
    if fleet.defaults.debian_mirror is None and facts.medium != "dvd":
        yield codes.MIRROR_NEEDED.finding(
            f"{facts.title} needs a mirror", "Add `debian_mirror:` under `defaults`.", path=(*at, "install")
        )
    if fleet.defaults.debian_mirror is None and facts.packages is not None:
        yield from _not_on_medium(node, facts.packages, (*at, "install"))
    net_name = node.network.network or fleet.defaults.network or ""
    net = fleet.networks.get(net_name)
    named = fleet.defaults.debian_mirror is not None and not is_address(fleet.defaults.debian_mirror)
    if named and net is not None and node.network.address is not None and not net.dns:
        yield codes.DNS_NEEDED.finding(
            f"network `{net_name}` has no name server, and the mirror is given by name",
            "Add `dns:` to the network.",
            path=("networks", net_name),
            on_key=True,
        )


def _not_on_medium(node: Node, there: Collection[str], at: Path) -> Iterator[Finding]:
    """Packages and tasks that the medium lacks. tasksel finds `standard` by priority, not by a package."""
    wanted = [("packages", name, name) for name in node.install.packages]
    wanted += [("tasks", f"task-{name}", name) for name in node.install.tasks or () if name != "standard"]
    for key, package, name in wanted:
        if package not in there:
            yield codes.NOT_ON_MEDIUM.finding(
                f"`{name}` is not on the medium, and no mirror is given",
                "Add `debian_mirror:` under `defaults`, or remove it.",
                path=(*at, key, [*getattr(node.install, key)].index(name)),
            )


def _unfit_options(install: Install, facts: IsoFacts) -> Iterator[tuple[str, str]]:
    given = {k for k in ("lvm", "zfs", "btrfs", "layout", "swap") if getattr(install, k) is not None}
    given |= {k for k in ("packages", "bios_boot") if getattr(install, k)}
    given |= {"tasks"} if install.tasks is not None else set()
    if facts.family == "proxmox":
        fitting = {"ext4": {"lvm"}, "xfs": {"lvm"}, "zfs": {"zfs"}, "btrfs": {"btrfs"}}[install.filesystem]
        why = f"does nothing on {facts.title} with {install.filesystem}"
    else:
        fitting = {"layout", "swap", "packages", "tasks", "bios_boot"}
        why = "does nothing on Debian"
    yield from ((option, why) for option in sorted(given - fitting))


def _hook_systems(
    fleet: Fleet, node: Node, facts: IsoFacts, at: Path, hooks: Mapping[str, HookSpec]
) -> Iterator[Finding]:
    uses: list[tuple[HookUse, Path]] = [
        (u, ("defaults", "hooks", n)) for n, u in enumerate(fleet.defaults.hooks)
    ]
    uses += [(u, (*at, "hooks", n)) for n, u in enumerate(node.hooks)]
    for use, path in uses:
        spec = hooks.get(use.name)
        if spec is None or facts.product is None or spec.supports(facts.product, facts.release or ""):
            continue
        yield codes.HOOK_SYSTEM.finding(
            f"hook `{use.name}` does not support {facts.product} {facts.release or ''}".rstrip(),
            "Remove it here." if path[0] == "nodes" else "Name it at the nodes that it supports instead.",
            path=(*path, "name"),
        )
    net_name = node.network.network or fleet.defaults.network or ""
    net = fleet.networks.get(net_name)
    if net is None or net.gateway is not None or node.network.address is None:
        return
    for use, path in uses:
        spec = hooks.get(use.name)
        if spec is not None and spec.needs_network:
            yield codes.NO_ROUTE.finding(
                f"hook `{use.name}` needs the network, and network `{net_name}` has no gateway",
                "Add `gateway:` to the network, or remove the hook.",
                path=(*path, "name"),
            )


def _votes(fleet: Fleet, members: int) -> Iterator[Finding]:
    cluster = fleet.cluster
    if cluster is None:
        return
    if members == 0:
        yield codes.MEMBERS.finding(
            "no node installs Proxmox VE", "Remove `cluster`, or install it.", path=("cluster",), on_key=True
        )
        return
    total = votes_of(members, cluster).total
    if cluster.expected_votes is not None and cluster.expected_votes != total:
        with_device = f", which makes {total} with the QDevice" if cluster.qdevice is not None else ""
        yield codes.VOTES.finding(
            f"expected_votes is {cluster.expected_votes}, but {members} "
            f"{'node installs' if members == 1 else 'nodes install'} Proxmox VE{with_device}",
            f"Write {total}, or remove the line.",
            path=("cluster", "expected_votes"),
        )
