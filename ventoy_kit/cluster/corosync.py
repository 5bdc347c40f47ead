"""corosync.conf: read it, and change the timers of `totem`.

Sources: corosync.conf(5) for the form, `PVE/Corosync.pm` of pve-cluster for what Proxmox VE writes into it and for the
rule that `config_version` grows with every change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LINK = re.compile(r"(?:ring|link)([0-7])_addr")
_SETTING = re.compile(r"\s*([a-z0-9_]+)\s*:\s*(.*?)\s*")

DEFAULT_TOKEN = 3000
"""Corosync's own `token` in milliseconds, where the file says nothing."""

DEFAULT_COEFFICIENT = 650
"""Corosync's own `token_coefficient` in milliseconds, where the file says nothing."""


class NotCorosyncError(ValueError):
    """The text is no corosync.conf that can be trusted; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the node list. `links` maps link numbers to addresses."""

    name: str
    id: int
    votes: int
    links: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Corosync:
    """What the file says.

    Attributes:
        name: the cluster's name.
        version: `config_version`.
        members: by name.
        device: whether a QDevice is configured.
        device_votes: its votes; 0 without one.
        token: `token` if the file says it.
        coefficient: `token_coefficient` if the file says it.
    """

    name: str
    version: int
    members: Mapping[str, Member] = field(default_factory=dict)
    device: bool = False
    device_votes: int = 0
    token: int | None = None
    coefficient: int | None = None

    @property
    def votes(self) -> int:
        """All votes, those of the QDevice included."""
        return sum(m.votes for m in self.members.values()) + self.device_votes


def parse_corosync(text: str) -> Corosync:
    """Read a corosync.conf.

    Raises:
        NotCorosyncError: a brace is missing, a number is none, or name, version or nodes are not there.
    """
    totem: dict[str, str] = {}
    device: dict[str, str] | None = None
    nodes: list[dict[str, str]] = []
    stack: list[str] = []
    for line in text.splitlines():
        stripped = line.split("#", 1)[0].strip()
        if not stripped:
            continue
        if stripped.endswith("{"):
            stack.append(stripped[:-1].strip())
            if stack == ["nodelist", "node"]:
                nodes.append({})
            elif stack == ["quorum", "device"]:
                device = {}
        elif stripped == "}":
            if not stack:
                raise NotCorosyncError("it closes a brace that was not opened")
            stack.pop()
        elif match := _SETTING.fullmatch(stripped):
            _into(stack, totem, device, nodes)[match[1]] = match[2]
        elif not re.match(r"[a-z0-9_.]+\s*:", stripped):
            raise NotCorosyncError(f"it has the line `{stripped[:60]}`")
    if stack:
        raise NotCorosyncError(f"the section {stack[-1]} is not closed")
    return _made(totem, device, nodes)


def _into(
    stack: list[str], totem: dict[str, str], device: dict[str, str] | None, nodes: list[dict[str, str]]
) -> dict[str, str]:
    """The section that a line belongs to; a throw-away one for sections of no interest."""
    if stack == ["totem"]:
        return totem
    if stack == ["nodelist", "node"]:
        return nodes[-1]
    if stack == ["quorum", "device"] and device is not None:
        return device
    return {}


def _made(
    totem: Mapping[str, str], device: Mapping[str, str] | None, nodes: list[dict[str, str]]
) -> Corosync:
    members: dict[str, Member] = {}
    for node in nodes:
        name = node.get("name") or node.get("ring0_addr")
        if not name or name in members:
            raise NotCorosyncError("a node has no name of its own")
        links = {int(m[1]): value for key, value in node.items() if (m := _LINK.fullmatch(key))}
        # Without `quorum_votes` a node has one vote (votequorum(5)).
        members[name] = Member(name, _number(node, "nodeid"), _number(node, "quorum_votes", 1), links)
    if "cluster_name" not in totem or not members:
        raise NotCorosyncError("it names no cluster or no node")
    return Corosync(
        totem["cluster_name"],
        _number(totem, "config_version"),
        members,
        device is not None,
        _number(device, "votes", _lms_votes(members)) if device is not None else 0,
        _number(totem, "token") if "token" in totem else None,
        _number(totem, "token_coefficient") if "token_coefficient" in totem else None,
    )


def _lms_votes(members: Mapping[str, Member]) -> int:
    """A QDevice without `votes` uses the algorithm lms: one vote less than there are nodes (corosync-qdevice(8))."""
    return max(1, len(members) - 1)


def _number(section: Mapping[str, str], key: str, default: int | None = None) -> int:
    text = section.get(key)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        raise NotCorosyncError(f"`{key}` is `{text}`")
    return int(text)


def with_timers(text: str, token: int | None, coefficient: int | None) -> str:
    """The file with other timers and the next `config_version`; everything else stays byte for byte.

    Args:
        text: a corosync.conf that `parse_corosync` accepts.
        token: wanted `token`, None to leave it.
        coefficient: wanted `token_coefficient`, None to leave it.
    """
    version = parse_corosync(text).version + 1
    wanted = {"config_version": version, "token": token, "token_coefficient": coefficient}
    lines: list[str] = []
    stack: list[str] = []
    for line in text.splitlines():
        stripped = line.split("#", 1)[0].strip()
        if stripped.endswith("{"):
            stack.append(stripped[:-1].strip())
        elif stripped == "}":
            if stack == ["totem"]:
                lines += [f"  {key}: {value}" for key, value in wanted.items() if value is not None]
                wanted = dict.fromkeys(wanted)  # a second section gets nothing
            stack.pop()
        elif (
            stack == ["totem"]
            and (match := _SETTING.fullmatch(stripped))
            and wanted.get(match[1]) is not None
        ):
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"
