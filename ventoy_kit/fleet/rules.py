"""Rules across the fleet file: what the schema of one value cannot see. Pure; cost grows linearly."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.answer_rules import check_answering, used_secrets
from ventoy_kit.fleet.disk_rules import check_disks
from ventoy_kit.fleet.hook_rules import check_hooks
from ventoy_kit.fleet.hooks import HookSpec
from ventoy_kit.fleet.losses import check_storage
from ventoy_kit.fleet.placeholders import (
    is_placeholder_serial,
    is_placeholder_uuid,
    is_placeholder_wwn,
    plain_wwn,
)
from ventoy_kit.fleet.schema import Fleet, Node
from ventoy_kit.fleet.secret_places import unknown_secret
from ventoy_kit.fleet.unknown import unknown
from ventoy_kit.report import Finding, Path, Report, Rule, dotted

__all__ = ["check_fleet", "unknown"]


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
        report.extend(check_disks(node, at))
        report.extend(check_storage(node, at))
        report.extend(check_answering(fleet, node, at))
        report.extend(_fqdn(fleet, name, at))
    report.extend(check_hooks(fleet, hooks))
    report.extend(_unused(fleet))
    return report


def _networks(fleet: Fleet) -> Iterator[Finding]:
    by_start = sorted(
        fleet.networks.items(), key=lambda i: (i[1].cidr.version, int(i[1].cidr[0]), i[1].cidr.prefixlen)
    )
    widest: tuple[str, Any] | None = (
        None  # of two networks that overlap one holds the other, so it comes first
    )
    for name, net in by_start:
        if widest is not None and widest[1].version == net.cidr.version and widest[1].overlaps(net.cidr):
            yield codes.NETWORK_OVERLAP.finding(
                f"`{name}` ({net.cidr}) overlaps `{widest[0]}` ({widest[1]})",
                "Change one of the two.",
                path=("networks", name, "cidr"),
            )
        else:
            widest = name, net.cidr
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


def _twice(rule: Rule, what: str, values: list[tuple[str, str, Path]], remedy: str) -> Iterator[Finding]:
    """Findings for values that stand twice: each with the form in which the machines compare it."""
    seen: dict[str, Path] = {}
    for value, compared, path in values:
        if compared in seen:
            yield rule.finding(f"{what} {value} also stands at `{dotted(seen[compared])}`", remedy, path=path)
        else:
            seen[compared] = path


def _unique(fleet: Fleet) -> Iterator[Finding]:
    addresses: list[tuple[str, str, Path]] = []
    macs: list[tuple[str, str, Path]] = []
    serials: list[tuple[str, str, Path]] = []
    uuids: list[tuple[str, str, Path]] = []
    disks: list[tuple[str, str, Path]] = []
    for name, node in fleet.nodes.items():
        at: Path = ("nodes", name)
        if node.network.address is not None:
            ip, path = str(node.network.address.ip), (*at, "network", "address")
            addresses.append((ip, ip, path))
        macs += [
            (nic.mac, nic.mac, (*at, "hardware", "nics", n, "mac")) for n, nic in node.hardware.nics.items()
        ]
        # Placeholders have findings of their own.
        if node.identity.serial and not is_placeholder_serial(node.identity.serial):
            compared = node.identity.serial.replace(" ", "").lower()
            serials.append((node.identity.serial, compared, (*at, "identity", "serial")))
        if node.identity.uuid and not is_placeholder_uuid(node.identity.uuid):
            uuids.append((node.identity.uuid, node.identity.uuid, (*at, "identity", "uuid")))
        for n, disk in node.disks.items():
            if disk.serial and not is_placeholder_serial(disk.serial):
                compared = disk.serial.replace(" ", "").lower()
                disks.append((disk.serial, compared, (*at, "disks", n, "serial")))
            if disk.wwn and not is_placeholder_wwn(disk.wwn):
                disks.append((disk.wwn, plain_wwn(disk.wwn), (*at, "disks", n, "wwn")))
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
    administrators = [u for u in fleet.users.values() if u.sudo and (u.password or u.ssh_keys)]
    if secret is None and not fleet.ssh_keys and not administrators:
        yield codes.NO_LOGIN.finding(
            "neither `defaults.root_password` nor `ssh_keys` is given",
            "Give at least one of the two.",
            path=("defaults",),
        )
    if secret is not None and secret not in fleet.secrets:
        yield unknown_secret(secret, fleet.secrets, ("defaults", "root_password"))
    for name, user in fleet.users.items():
        path: Path = ("users", name)
        if user.password is not None and user.password not in fleet.secrets:
            yield unknown_secret(user.password, fleet.secrets, (*path, "password"))
        if user.password is None and not user.ssh_keys:
            yield codes.USER_WITHOUT_LOGIN.finding(
                f"`{name}` has neither `password` nor `ssh_keys`",
                "Give one of the two.",
                path=path,
                on_key=True,
            )


def password_secrets(fleet: Fleet) -> list[str]:
    """The secrets that hold passwords of accounts: root's, then those of the users; each once."""
    named = [fleet.defaults.root_password, *(user.password for user in fleet.users.values())]
    return list(dict.fromkeys(name for name in named if name is not None))


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
    if interface is None:
        return
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
            yield from _identity_by_parts(node, at)
    for name, nic in node.hardware.nics.items():
        first = int(nic.mac[:2], 16)
        if first & 0x03:
            kind = "a group address" if first & 0x01 else "locally administered"
            yield codes.MAC_NOT_BURNT_IN.finding(
                f"{nic.mac} is {kind}",
                "Copy the permanent address (`ethtool -P NIC`).",
                path=(*at, "hardware", "nics", name, "mac"),
            )


def _identity_by_parts(node: Node, at: Path) -> Iterator[Finding]:
    """What a node that only a MAC address tells from others still needs."""
    if all(int(nic.mac[:2], 16) & 0x03 for nic in node.hardware.nics.values()):
        yield codes.IDENTITY_TOO_WEAK.finding(
            "nothing but MAC addresses tells this machine from others, and none of them is burnt in",
            "Add `identity:`, or a NIC with its permanent address (`ethtool -P NIC`).",
            path=(*at, "hardware", "nics"),
            on_key=True,
        )
    system = [d for d in node.disks.values() if d.use == "system"]
    if system and not any(d.serial and not is_placeholder_serial(d.serial) for d in system):
        yield codes.IDENTITY_TOO_WEAK.finding(
            "nothing but a MAC address tells this machine from others, and no system disk has a serial number",
            "Add `identity:`, or the `serial:` of a system disk.",
            path=(*at, "disks"),
            on_key=True,
        )


def _fqdn(fleet: Fleet, name: str, at: Path) -> Iterator[Finding]:
    fqdn = f"{name}.{fleet.defaults.domain}"
    if len(fqdn) > 253:
        yield codes.FQDN.finding(f"`{fqdn}` is longer than 253 characters", "Shorten the domain.", path=at)


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
    named = {*password_secrets(fleet), *used_secrets(fleet)}
    for name in fleet.secrets:
        if name not in named:
            yield codes.UNUSED.finding(
                f"nothing uses the secret `{name}`",
                "Remove it, or name it.",
                path=("secrets", name),
                on_key=True,
            )
