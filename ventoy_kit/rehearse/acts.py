"""The acts of a rehearsal: which are played, with which ticket and twin, and where each may end. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ventoy_kit.payload.ticket import armed_ticket
from ventoy_kit.rehearse.case import Case, Direct
from ventoy_kit.rehearse.expect import Expectations
from ventoy_kit.rehearse.initramfs import Injection, cpio, injected, readdressed
from ventoy_kit.rehearse.model import ActName, Twin
from ventoy_kit.rehearse.qemu import Network, free_address
from ventoy_kit.rehearse.twin import stranger_of


@dataclass(frozen=True, slots=True)
class Act:
    """One start.

    Attributes:
        name: which act.
        twin: the machine.
        ticket: the ticket that Ventoy would hand over; None where the stick or the disk starts.
        expected: what its console shows.
        until: id of the stage that ends it; None for the last one.
        names: what stands in the places of `{node}` and such in the expectations.
        fresh: whether it begins with fresh firmware variables and a network of its own, beside the installation.
    """

    name: ActName
    twin: Twin
    ticket: bytes | None
    expected: Expectations
    until: str | None
    names: dict[str, str]
    fresh: bool


def acts_of(case: Case, arming: tuple[str, str], only: Sequence[str], until: str | None) -> tuple[Act, ...]:
    """What is played, in order: nothing is installed before it was seen that others are refused.

    Args:
        case: the node.
        arming: id and expiry of the arming that the tickets carry.
        only: names of acts; all if empty.
        until: the stage at which the installation ends.
    """
    names = {"node": case.node.name, "fqdn": case.node.fqdn, "ticket": case.node.name}
    direct = case.direct
    if direct is None:
        return (Act("stick", case.twin, None, case.expected["install"], until, names, fresh=True),)
    expected = case.expected["install"]
    armed = armed_ticket(direct.ticket, *arming)
    proven, over = expected.proven, expected.over
    auto = names | {"ticket": "auto"} if direct.family == "proxmox" else names
    # Debian's ticket names the interface by its address: a machine without it stops before the boot overlay is asked.
    named = direct.family == "debian" and bool(case.node.identity.serial or case.node.identity.uuid)
    stranger = stranger_of(case.twin, same_network=named)
    played = (
        Act("stranger", stranger, armed, expected, proven, names, fresh=True),
        Act("auto", case.twin, direct.auto, expected, over, auto, fresh=True),
        Act("install", case.twin, armed, expected, until, names, fresh=True),
        Act("again", case.twin, armed, expected, proven, names, fresh=False),
        Act("installed", case.twin, None, case.expected["installed"], None, names, fresh=False),
    )
    return tuple(a for a in played if not only or a.name in only)


def has_fired(variables: bytes, arming_id: str) -> bool:
    """Whether the firmware holds the record that an arming was used (boot_overlay/guard.sh)."""
    return f"VK1 {arming_id} ".encode() in variables


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror as `--mirror` names it."""

    host: str
    port: int
    path: str


def read_mirror(url: str) -> Mirror:
    """Parse `http://HOST[:PORT]/PATH`. Raises ValueError with a sentence."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.username or parts.query:
        raise ValueError(f"{url} is no address of a mirror, http://HOST[:PORT]/PATH")
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", parts.hostname):
        raise ValueError(f"{parts.hostname} is no name of a host")
    return Mirror(parts.hostname, parts.port or 80, parts.path.rstrip("/"))


def network_of(case: Case, mirror: Mirror | None) -> Network:
    """The twin's network: it leads nowhere but to the mirror, which has an address in it. Raises ValueError."""
    address = case.node.address
    if address.cidr is not None and ipaddress.ip_interface(address.cidr).version != 4:
        raise ValueError(f"{address.cidr} is no IPv4 address; the twin's network has no other")
    if mirror is None:
        return Network(address.cidr, address.gateway)
    inside = free_address(address.cidr, {address.gateway or "", *address.dns, "10.0.2.2", "10.0.2.3"})
    return Network(address.cidr, address.gateway, inside, f"busybox nc {mirror.host} {mirror.port}")


def second_archive(
    direct: Direct, ticket: bytes, network: Network, mirror: str | None, parts: tuple[bytes, dict[str, bytes]]
) -> bytes:
    """The cpio archive that stands for what Ventoy brings along.

    Args:
        direct: the image's own parts.
        ticket: the ticket.
        network: the twin's network.
        mirror: URL of the mirror that the node's answers name; None without one.
        parts: a static busybox, and the rehearsal's scripts by name.
    """
    archive = direct.archive
    if mirror is not None and network.mirror is not None and direct.family == "debian":
        named = urlsplit(mirror)
        archive, ticket = readdressed(archive, ticket, named.netloc, network.mirror, named.scheme)
    busybox, scripts = parts
    files = injected(Injection(direct.family, ticket, archive, direct.init, busybox, scripts))
    return cpio({**direct.extra, **files})
