"""What a node answered, read: the fields that `probes/cluster.sh` prints, `pvecm status`, `pvesh`."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ventoy_kit.cluster.corosync import Corosync, NotCorosyncError, parse_corosync

_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Quorum:
    """The live view of one member, from `pvecm status` (corosync-quorumtool -s).

    Attributes:
        quorate: whether it is part of the majority.
        expected: expected votes.
        total: votes that are there.
        online: ids of the nodes that are there.
    """

    quorate: bool
    expected: int
    total: int
    online: frozenset[int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one node.

    Attributes:
        problem: why it gave no answer; everything else is empty then.
        hint: what to do about that.
        host_name: its short host name.
        is_proxmox: whether Proxmox VE is installed.
        addresses: its own addresses.
        offset: its clock minus this machine's, in seconds.
        corosync: its configuration, None if it is in no cluster.
        text: the bytes of that configuration as text.
        broken: what is wrong with its configuration, if something is.
        quorum: its live view, None if corosync does not run.
        remains: files of a cluster although it is in none, such as a key.
        guests: how many guests are configured on it.
        fingerprints: what `pvesh get /cluster/config/join` says of the members' certificates.
    """

    problem: str | None = None
    hint: str = ""
    host_name: str = ""
    is_proxmox: bool = False
    addresses: frozenset[IpAddress] = frozenset()
    offset: float = 0.0
    corosync: Corosync | None = None
    text: str = ""
    broken: str | None = None
    quorum: Quorum | None = None
    remains: tuple[str, ...] = ()
    guests: int = 0
    fingerprints: Mapping[str, str] | None = None


def read_answer(out: str, now: float) -> Seen:
    """Read what the probe printed: lines of `NAME EXIT-CODE BASE64`.

    Args:
        out: its output.
        now: this machine's clock at that moment, in seconds since 1970.
    """
    fields = _fields(out)
    if "end" not in fields:
        return Seen(problem="its answer is not whole", hint="Run the command again.")
    code, text = fields.get("conf", (1, ""))
    corosync, broken = None, None
    if code == 0:
        try:
            corosync = parse_corosync(text)
        except NotCorosyncError as error:
            broken = f"/etc/pve/corosync.conf: {error}"
    clock = _ok(fields, "time").strip()
    return Seen(
        host_name=_ok(fields, "hostname").strip(),
        is_proxmox=fields.get("version", (1, ""))[0] == 0,
        addresses=_addresses(_ok(fields, "addresses")),
        offset=float(clock) - now if re.fullmatch(r"[0-9]{1,12}", clock) else 0.0,
        corosync=corosync,
        text=text if code == 0 else "",
        broken=broken,
        # corosync-quorumtool(8) ends with 2 where there is no quorum.
        quorum=parse_status(fields.get("status", (1, ""))[1]),
        remains=tuple(_ok(fields, "remains").split()) if corosync is None else (),
        guests=len(_ok(fields, "guests").split()),
        fingerprints=parse_join_info(_ok(fields, "join")),
    )


def _fields(out: str) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for line in out.splitlines():
        match = re.fullmatch(r"vk:([a-z]+) ([0-9]{1,3}) ([A-Za-z0-9+/=]*)", line)
        if match is None:
            continue  # a banner that a login shell prints
        try:
            found[match[1]] = (int(match[2]), base64.b64decode(match[3]).decode("utf-8", "replace"))
        except binascii.Error:
            continue
    return found


def _ok(fields: Mapping[str, tuple[int, str]], name: str) -> str:
    code, text = fields.get(name, (1, ""))
    return text if code == 0 else ""


def _addresses(text: str) -> frozenset[IpAddress]:
    """From `ip -o address`: the field behind `inet` or `inet6`, without its mask."""
    found = set()
    for match in re.finditer(r"\binet6? ([0-9a-fA-F.:]+)(?:/[0-9]+)?\b", text):
        try:
            found.add(ipaddress.ip_address(match[1]))
        except ValueError:
            continue
    return frozenset(found)


def parse_status(text: str) -> Quorum | None:
    """The live view, None if this is no answer of a running corosync."""
    facts = dict(re.findall(r"^(Quorate|Expected votes|Total votes):\s+(\S+)", text, re.MULTILINE))
    try:
        expected, total = int(facts["Expected votes"]), int(facts["Total votes"])
        quorate = facts["Quorate"] == "Yes"
    except (KeyError, ValueError):
        return None
    rows = re.findall(r"^\s*0x([0-9a-fA-F]{1,8})\s+[0-9]+\s", text, re.MULTILINE)
    # Id 0 is the QDevice.
    return Quorum(quorate, expected, total, frozenset(int(r, 16) for r in rows) - {0})


def parse_join_info(text: str) -> Mapping[str, str] | None:
    """Fingerprints of the members' certificates by name, from the JSON of `/cluster/config/join`."""
    try:
        nodes = json.loads(text)["nodelist"]
        found = {str(n["name"]): str(n["pve_fp"]).upper() for n in nodes}
    except (ValueError, KeyError, TypeError):
        return None
    return {name: print_ for name, print_ in found.items() if _FINGERPRINT.fullmatch(print_)}
