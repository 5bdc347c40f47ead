"""Rules across the fleet file: what the schema of one value cannot see. Pure; cost grows linearly."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.hooks import HookSpec, check_params, in_order
from ventoy_kit.fleet.placeholders import is_placeholder_serial, is_placeholder_uuid
from ventoy_kit.fleet.schema import Disk, Fleet, HookUse, Node
from ventoy_kit.report import Finding, Path, Report, Rule, dotted


def check_fleet(fleet: Fleet, *, hooks: Mapping[str, HookSpec], models: Collection[str]) -> Report:
    """Check everything that needs no file but the fleet file and the data folders.

    Args:
        fleet: the decoded fleet.
        hooks: hooks at hand, by name.
        models: names of the BIOS profiles at hand.
    """
    report = Report()
    report.extend(_networks(fleet))
    report.extend(_contact(fleet))
    report.extend(_unique(fleet))
    report.extend(_cluster(fleet))
    report.extend(_login(fleet))
    for name, node in fleet.nodes.items():
        at: Path = ("nodes", name)
        report.extend(_references(fleet, node, at, models))
        report.extend(_address(fleet, node, at))
        report.extend(_identity(node, at))
        report.extend(_disks(node, at))
        report.extend(_fqdn(fleet, name, at))
        report.extend(_hooks(fleet, node, at, hooks))
    for index, use in enumerate(fleet.defaults.hooks):
        report.extend(_hook(use, ("defaults", "hooks", index), hooks))
    report.extend(_unused(fleet))
    return report


def unknown(rule: Rule, what: str, name: str, known: Collection[str], path: Path) -> Finding:
    """A finding for a name that nothing declares, with the nearest declared one."""
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    listed = ", ".join(sorted(known)) or "none"
    remedy = f"Did you mean `{near[0]}`?" if near else f"Known: {listed}."
    return rule.finding(f"no {what} is called `{name}`", remedy, path=path)


def _networks(fleet: Fleet) -> Iterator[Finding]:
    by_start = sorted(fleet.networks.items(), key=lambda item: (item[1].cidr.version, int(item[1].cidr[0])))
    for (a_name, a), (b_name, b) in zip(by_start, by_start[1:], strict=False):
        if a.cidr.version == b.cidr.version and a.cidr.overlaps(b.cidr):
            yield codes.NETWORK_OVERLAP.finding(
                f"`{b_name}` ({b.cidr}) overlaps `{a_name}` ({a.cidr})",
                "Change one of the two.",
                path=("networks", b_name, "cidr"),
            )
    for name, net in fleet.networks.items():
        at: Path = ("networks", name)
        if net.gateway is not None:
            if net.gateway.version != net.cidr.version:
                yield codes.FAMILY_MIX.finding(
                    f"gateway {net.gateway} is not of the family of {net.cidr}",
                    "Use one family.",
                    path=(*at, "gateway"),
                )
            elif net.gateway not in net.cidr:
                yield codes.GATEWAY_OUTSIDE.finding(
                    f"gateway {net.gateway} is not in {net.cidr}",
                    "Correct the gateway or the network.",
                    path=(*at, "gateway"),
                )


def _contact(fleet: Fleet) -> Iterator[Finding]:
    email = fleet.contact.email
    user, at, domain = email.partition("@")
    bad_domain = any(not p or p.startswith("-") or p.endswith("-") or len(p) > 63 for p in domain.split("."))
    text_ok = all(c.isalnum() or c in ".!#$%&'*+/=?^_`{|}~-" for c in user) and email.isascii()
    host_ok = all(c.isalnum() or c in ".-" for c in domain)
    if not (user and at and text_ok and host_ok) or bad_domain or email == "mail@example.invalid":
        yield codes.EMAIL.finding(
            f"`{email}` cannot receive mail",
            "Write an address like ops@example.org.",
            path=("contact", "email"),
        )


def _twice(rule: Rule, what: str, values: list[tuple[str, Path]], remedy: str) -> Iterator[Finding]:
    seen: dict[str, Path] = {}
    for value, path in values:
        if value in seen:
            yield rule.finding(f"{what} {value} also stands at `{dotted(seen[value])}`", remedy, path=path)
        else:
            seen[value] = path


def _unique(fleet: Fleet) -> Iterator[Finding]:
    addresses: list[tuple[str, Path]] = []
    macs: list[tuple[str, Path]] = []
    serials: list[tuple[str, Path]] = []
    uuids: list[tuple[str, Path]] = []
    disks: list[tuple[str, Path]] = []
    for name, node in fleet.nodes.items():
        at: Path = ("nodes", name)
        addresses.append((str(node.network.address.ip), (*at, "network", "address")))
        macs += [(nic.mac, (*at, "hardware", "nics", n, "mac")) for n, nic in node.hardware.nics.items()]
        if node.identity.serial:
            serials.append((node.identity.serial, (*at, "identity", "serial")))
        if node.identity.uuid:
            uuids.append((node.identity.uuid, (*at, "identity", "uuid")))
        for n, disk in node.disks.items():
            disks += [
                (v.lower(), (*at, "disks", n, k))
                for k, v in (("serial", disk.serial), ("wwn", disk.wwn))
                if v
            ]
    yield from _twice(codes.ADDRESS_TAKEN, "address", addresses, "Give each node its own address.")
    yield from _twice(codes.MAC_TAKEN, "MAC", macs, "Copy the address from the NIC itself (`ip -br link`).")
    yield from _twice(codes.IDENTITY_TAKEN, "serial", serials, "Copy it from each machine's own label.")
    yield from _twice(codes.IDENTITY_TAKEN, "UUID", uuids, "Copy it from each machine (product_uuid).")
    yield from _twice(
        codes.DISK_TAKEN, "disk", disks, "Copy it from each machine (`lsblk -o NAME,SERIAL,WWN`)."
    )


def _cluster(fleet: Fleet) -> Iterator[Finding]:
    cluster = fleet.cluster
    if cluster is None:
        return
    for index, link in enumerate(cluster.links):
        if link not in fleet.networks:
            yield unknown(codes.CLUSTER_LINK, "network", link, fleet.networks, ("cluster", "links", index))


def _login(fleet: Fleet) -> Iterator[Finding]:
    secret = fleet.defaults.root_password
    if secret is None and not fleet.ssh_keys:
        yield codes.NO_LOGIN.finding(
            "neither `defaults.root_password` nor `ssh_keys` is given",
            "Give at least one of the two.",
            path=("defaults",),
        )
    if secret is not None and secret not in fleet.secrets:
        yield unknown(codes.UNKNOWN_SECRET, "secret", secret, fleet.secrets, ("defaults", "root_password"))


def _references(fleet: Fleet, node: Node, at: Path, models: Collection[str]) -> Iterator[Finding]:
    if node.model not in models:
        yield unknown(codes.UNKNOWN_MODEL, "BIOS profile", node.model, models, (*at, "model"))
    image = node.install.image or fleet.defaults.image
    if image is None:
        yield codes.UNKNOWN_IMAGE.finding(
            "no image is named for this node", "Add `image:` here or under `defaults`.", path=(*at, "install")
        )
    elif image not in fleet.images:
        path = (*at, "install", "image") if node.install.image else ("defaults", "image")
        yield unknown(codes.UNKNOWN_IMAGE, "image", image, fleet.images, path)


def _address(fleet: Fleet, node: Node, at: Path) -> Iterator[Finding]:
    path = (*at, "network")
    if node.network.nic not in node.hardware.nics:
        yield unknown(
            codes.UNKNOWN_NIC, "NIC of this node", node.network.nic, node.hardware.nics, (*path, "nic")
        )
    name = node.network.network or fleet.defaults.network
    if name is None:
        yield codes.UNKNOWN_NETWORK.finding(
            "no network is named for this node", "Add `network:` here or under `defaults`.", path=path
        )
        return
    net = fleet.networks.get(name)
    if net is None:
        where = (*path, "network") if node.network.network else ("defaults", "network")
        yield unknown(codes.UNKNOWN_NETWORK, "network", name, fleet.networks, where)
        return
    interface = node.network.address
    if interface.ip not in net.cidr:
        yield codes.ADDRESS_OUTSIDE.finding(
            f"{interface.ip} is not in `{name}` ({net.cidr})",
            f"Use an address of {net.cidr}, or name another network.",
            path=(*path, "address"),
        )
    elif interface.network.prefixlen != net.cidr.prefixlen:
        yield codes.ADDRESS_OUTSIDE.finding(
            f"the mask /{interface.network.prefixlen} is not that of `{name}` ({net.cidr})",
            f"Write {interface.ip}/{net.cidr.prefixlen}.",
            path=(*path, "address"),
        )
    elif interface.ip == net.gateway or _is_reserved(interface.ip, net.cidr):
        what = "the gateway's address" if interface.ip == net.gateway else "no host's address"
        yield codes.ADDRESS_RESERVED.finding(
            f"{interface.ip} is {what} in `{name}`", "Use a free host address.", path=(*path, "address")
        )


def _is_reserved(address: Any, network: Any) -> bool:
    if not isinstance(network, IPv4Network) or network.prefixlen >= 31:
        return False
    return address in (network.network_address, network.broadcast_address)


def _identity(node: Node, at: Path) -> Iterator[Finding]:
    identity = node.identity
    if identity.serial and is_placeholder_serial(identity.serial):
        yield codes.IDENTITY_PLACEHOLDER.finding(
            f"`{identity.serial}` is a placeholder that whole series report",
            "Remove it and give `uuid`, or rely on the MAC address of a built-in NIC.",
            path=(*at, "identity", "serial"),
        )
    if identity.uuid and is_placeholder_uuid(identity.uuid):
        yield codes.IDENTITY_PLACEHOLDER.finding(
            f"`{identity.uuid}` is a placeholder that whole series report",
            "Remove it and give `serial`, or rely on the MAC address of a built-in NIC.",
            path=(*at, "identity", "uuid"),
        )
    if not identity.serial and not identity.uuid:
        if not node.hardware.nics:
            yield codes.NO_IDENTITY.finding(
                "nothing tells this machine from others",
                "Add `identity: {serial: ...}`, `identity: {uuid: ...}` or a NIC with its MAC address.",
                path=at,
            )
        else:
            yield codes.IDENTITY_WEAK.finding(
                "only a MAC address tells this machine from others",
                "Add `identity: {serial: ...}` if its firmware reports one.",
                path=at,
            )
    for name, nic in node.hardware.nics.items():
        first = int(nic.mac[:2], 16)
        if first & 0x03:
            kind = "a group address" if first & 0x01 else "locally administered"
            yield codes.MAC_NOT_BURNT_IN.finding(
                f"{nic.mac} is {kind}",
                "Copy the permanent address (`ethtool -P NIC`).",
                path=(*at, "hardware", "nics", name, "mac"),
            )


def _disks(node: Node, at: Path) -> Iterator[Finding]:
    for name, disk in node.disks.items():
        path = (*at, "disks", name)
        if not disk.serial and not disk.wwn:
            yield codes.DISK_UNNAMED.finding(
                f"disk `{name}` has neither serial nor wwn",
                "Add `serial:` as `lsblk -o NAME,SERIAL,MODEL,SIZE` on the machine prints it.",
                path=path,
                on_key=True,
            )
        if disk.serial and is_placeholder_serial(disk.serial):
            yield codes.DISK_PLACEHOLDER.finding(
                f"`{disk.serial}` is a placeholder", "Give the disk's `wwn`.", path=(*path, "serial")
            )
        if disk.use == "system" and disk.size is not None and disk.size < 8 * 1024**3:
            yield codes.DISK_TOO_SMALL.finding(
                "the system disk is smaller than 8 GiB", "Use a larger disk.", path=(*path, "size")
            )
    system = [d for d in node.disks.values() if d.use == "system"]
    if not system:
        uses = ", ".join(f"{n}: {d.use}" for n, d in node.disks.items()) or "there are no disks"
        yield codes.NO_SYSTEM_DISK.finding(
            f"no disk of this node may be wiped ({uses})",
            "Mark the disk to install to with `use: system`, after you made sure of it.",
            path=(*at, "disks"),
            on_key=True,
        )
        return
    yield from _raid(node, system, at)


MINIMUM_DISKS = {"raid0": 1, "raid1": 2, "raid10": 4, "raidz-1": 3, "raidz-2": 4, "raidz-3": 5}
"""Disks at the least per RAID level (proxmox-installer-types 0.1.2, filesystem_details)."""


def _raid(node: Node, system: list[Disk], at: Path) -> Iterator[Finding]:
    install, count = node.install, len(system)
    if install.filesystem == "zfs" and install.raid is None:
        yield codes.RAID_NEEDED.finding(
            "zfs needs a RAID level",
            f"Add `raid: {'raid0' if count == 1 else 'raid1'}` (you have {count} system disk{'s'[: count != 1]}).",
            path=(*at, "install"),
        )
    if install.filesystem in ("ext4", "xfs"):
        if install.raid is not None:
            yield codes.OPTION_UNUSED.finding(
                f"`raid` does nothing on {install.filesystem}",
                "Remove it, or use zfs.",
                path=(*at, "install", "raid"),
            )
        if count != 1:
            yield codes.DISK_COUNT.finding(
                f"{install.filesystem} takes one system disk, {count} are declared",
                "Mark the others `data` or `keep`, or use zfs with a RAID level.",
                path=(*at, "disks"),
                on_key=True,
            )
        return
    if install.raid is None:
        return
    if install.filesystem == "btrfs" and install.raid.startswith("raidz"):
        yield codes.OPTION_UNUSED.finding(
            f"btrfs has no {install.raid}", "Use raid0, raid1 or raid10.", path=(*at, "install", "raid")
        )
        return
    need = MINIMUM_DISKS[install.raid]
    if count < need or (install.raid == "raid10" and count % 2):
        kind = "an even number of at least 4" if install.raid == "raid10" else f"at least {need}"
        yield codes.DISK_COUNT.finding(
            f"{install.raid} needs {kind} system disks, {count} declared",
            "Declare the missing disks or change the level.",
            path=(*at, "install", "raid"),
        )
    sizes = [d.size for d in system if d.size is not None]
    if install.filesystem == "zfs" and install.raid != "raid0" and sizes and max(sizes) > 1.1 * min(sizes):
        yield codes.DISK_SIZES.finding(
            "the mirrored disks differ by more than 10 percent",
            "Use disks of like size, or `raid0`.",
            path=(*at, "disks"),
            on_key=True,
        )


def _fqdn(fleet: Fleet, name: str, at: Path) -> Iterator[Finding]:
    fqdn = f"{name}.{fleet.defaults.domain}"
    if len(fqdn) > 253:
        yield codes.FQDN.finding(f"`{fqdn}` is longer than 253 characters", "Shorten the domain.", path=at)


def _hooks(fleet: Fleet, node: Node, at: Path, hooks: Mapping[str, HookSpec]) -> Iterator[Finding]:
    seen: set[str] = {use.name for use in fleet.defaults.hooks}
    for index, use in enumerate(node.hooks):
        path = (*at, "hooks", index)
        yield from _hook(use, path, hooks)
        if use.name in seen:
            yield codes.HOOK_TWICE.finding(
                f"`{use.name}` already stands for this node or in `defaults.hooks`",
                "Keep one of the two.",
                path=(*path, "name"),
            )
        seen.add(use.name)
    _, loops = in_order([hooks[name] for name in sorted(seen) if name in hooks], (*at, "hooks"))
    yield from loops


def _hook(use: HookUse, path: Path, hooks: Mapping[str, HookSpec]) -> Iterator[Finding]:
    spec = hooks.get(use.name)
    if spec is None:
        yield unknown(codes.UNKNOWN_HOOK, "hook", use.name, hooks, (*path, "name"))
        return
    _, report = check_params(spec, use.params, (*path, "params"))
    yield from report


def _unused(fleet: Fleet) -> Iterator[Finding]:
    used_networks = {n.network.network or fleet.defaults.network for n in fleet.nodes.values()}
    used_networks |= set(fleet.cluster.links) if fleet.cluster else set()
    for name in fleet.networks:
        if name not in used_networks:
            yield codes.UNUSED.finding(
                f"no node has an address in `{name}`",
                "Remove it, or name it.",
                path=("networks", name),
                on_key=True,
            )
    for name in fleet.secrets:
        if name != fleet.defaults.root_password:
            yield codes.UNUSED.finding(
                f"nothing uses the secret `{name}`",
                "Remove it, or name it.",
                path=("secrets", name),
                on_key=True,
            )
