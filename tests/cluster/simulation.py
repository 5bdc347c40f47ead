"""A cluster that exists in memory: nodes that answer `pvecm`, `pvesh` and the probe as Proxmox VE does, and fail.

It knows what decides: who has which configuration, who runs, who can be heard. Quorum is computed as votequorum does it,
from the nodes that run corosync with the newest configuration.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

FINGERPRINT = ":".join(["AB"] * 32)
PASSWORD = "correct horse"


@dataclass
class SimNode:
    """A machine.

    Attributes:
        address: its management address.
        up: whether it runs.
        heard: whether SSH reaches it.
        conf: its corosync.conf, None if it is in no cluster.
        guests: how many guests it has.
        remains: files of an earlier join.
        fail: what its next join does: `""`, `refused` before anything, `midway` after the cluster added it, `cut` after
            everything, with the connection lost.
    """

    address: str
    up: bool = True
    heard: bool = True
    conf: dict[str, int] | None = None
    version: int = 0
    guests: int = 0
    remains: tuple[str, ...] = ()
    fail: str = ""


@dataclass
class Simulation:
    """Implements `ports.FedProcess` for `ssh`.

    Attributes:
        nodes: machines by host name.
        timers: what `totem` says.
        log: commands that change something.
        lost: steps that cost the last quorum, and how many members the largest cluster with one had before.
        secrets_seen: what joins read on their standard input.
        new_coefficient: `token_coefficient` that `pvecm create` writes.
    """

    nodes: dict[str, SimNode]
    name: str = "demo"
    ids: dict[str, int] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    log: list[tuple[str, ...]] = field(default_factory=list)
    lost: list[tuple[str, int]] = field(default_factory=list)
    secrets_seen: list[str] = field(default_factory=list)
    new_coefficient: int | None = 125

    # --- the truth

    def online(self, conf: dict[str, int]) -> list[str]:
        """Members that run and believe in this very configuration."""
        return [n for n in conf if self.nodes[n].up and self.nodes[n].conf == conf]

    def quorate(self, node: str) -> bool:
        conf = self.nodes[node].conf
        return conf is not None and sum(conf[n] for n in self.online(conf)) > sum(conf.values()) // 2

    def any_quorum(self) -> bool:
        return any(n.up and self.quorate(name) for name, n in self.nodes.items())

    def spread(self, conf: dict[str, int], members: Sequence[str]) -> None:
        """Members that are there take the new configuration."""
        version = 1 + max((self.nodes[n].version for n in members), default=0)
        for name in members:
            self.nodes[name].conf, self.nodes[name].version = dict(conf), version

    def heal(self) -> None:
        """Everything runs and is heard; members take over the configuration of those that were there."""
        for node in self.nodes.values():
            node.up = node.heard = True
            node.fail = ""
        newest = max(self.nodes.values(), key=lambda n: n.version)
        for name, node in self.nodes.items():
            if node.conf is not None and name in (newest.conf or {}):
                node.conf, node.version = dict(newest.conf or {}), newest.version

    # --- the texts

    def text(self, node: str) -> str:
        conf = self.nodes[node].conf or {}
        out = "logging {\n  debug: off\n  to_syslog: yes\n}\n\nnodelist {\n"
        for name, votes in sorted(conf.items()):
            out += f"  node {{\n    name: {name}\n    nodeid: {self.id(name)}\n    quorum_votes: {votes}\n"
            out += f"    ring0_addr: {self.nodes[name].address}\n  }}\n"
        out += "}\n\nquorum {\n  provider: corosync_votequorum\n}\n\ntotem {\n"
        out += f"  cluster_name: {self.name}\n  config_version: {self.nodes[node].version}\n"
        out += "  interface {\n    linknumber: 0\n  }\n  ip_version: ipv4-6\n  link_mode: passive\n  secauth: on\n"
        out += "".join(f"  {key}: {value}\n" for key, value in sorted(self.timers.items()))
        return out + "  version: 2\n}\n\n"

    def at(self, address: str) -> str:
        """The node at an address."""
        return next(n for n, node in self.nodes.items() if node.address == address)

    def id(self, name: str) -> int:
        return self.ids.setdefault(name, 1 + max(self.ids.values(), default=0))

    def status(self, node: str) -> str:
        """`pvecm status`, in the form of corosync-quorumtool -siH."""
        conf = self.nodes[node].conf
        assert conf is not None
        online, quorate = self.online(conf), self.quorate(node)
        rows = "".join(
            f"0x{self.id(n):08x}{conf[n]:>11} {self.nodes[n].address}{' (local)' if n == node else ''}\n"
            for n in online
        )
        total = sum(conf.values())
        blocked = "" if quorate else " Activity blocked"
        return (
            "Cluster information\n-------------------\n"
            f"Name:             {self.name}\nConfig Version:   {self.nodes[node].version}\n"
            "Transport:        knet\nSecure auth:      on\n\n"
            "Quorum information\n------------------\nDate:             Mon Nov 23 11:00:00 2026\n"
            f"Quorum provider:  corosync_votequorum\nNodes:            {len(online)}\n"
            f"Node ID:          0x{self.id(node):08x}\nRing ID:          1.2a\n"
            f"Quorate:          {'Yes' if quorate else 'No'}\n\n"
            "Votequorum information\n----------------------\n"
            f"Expected votes:   {total}\nHighest expected: {total}\n"
            f"Total votes:      {sum(conf[n] for n in online)}\nQuorum:           {total // 2 + 1} {blocked} \n"
            f"Flags:            {'Quorate' if quorate else ''} \n\n"
            f"Membership information\n----------------------\n    Nodeid      Votes Name\n{rows}"
        )

    def join_info(self, node: str) -> str:
        conf = self.nodes[node].conf or {}
        nodes = [
            {"name": n, "nodeid": str(self.id(n)), "pve_addr": self.nodes[n].address, "pve_fp": FINGERPRINT}
            for n in sorted(conf)
        ]
        return json.dumps({"nodelist": nodes, "preferred_node": node, "config_digest": "0", "totem": {}})

    def probe(self, name: str) -> str:
        node = self.nodes[name]
        inside = node.conf is not None
        fields = {
            "hostname": name,
            "time": "1000",
            "version": "pve-manager/9.1.1/abc (running kernel: 6.17.2-1-pve)",
            "addresses": f"2: vmbr0    inet {node.address}/24 brd 10.0.0.255 scope global vmbr0\\       valid_lft forever",
            "conf": self.text(name) if inside else None,
            "status": self.status(name) if inside else None,
            "join": self.join_info(name) if inside else None,
            "remains": "\n".join(node.remains),
            "guests": "\n".join(f"{100 + n}.conf" for n in range(node.guests)),
            "end": "",
        }
        out = "Linux demo: authorised users only\n"
        for key, value in fields.items():
            out += (
                f"vk:{key} {2 if value is None else 0} {base64.b64encode((value or '').encode()).decode()}\n"
            )
        return out

    # --- the port

    def run(self, argv: Sequence[str], *, timeout: float, input: str | None = None) -> tuple[int, str, str]:  # noqa: A002
        assert argv[0] == "ssh"
        assert "BatchMode=yes" in argv
        assert "StrictHostKeyChecking=yes" in argv
        assert PASSWORD not in " ".join(argv)
        destination, command = argv[-2], shlex.split(argv[-1])
        name = next(n for n, node in self.nodes.items() if f"root@{node.address}" == destination)
        if not (self.nodes[name].up and self.nodes[name].heard):
            return 255, "", f"ssh: connect to host {self.nodes[name].address} port 22: Connection timed out"
        if command == ["sh", "-s"]:
            return 0, self.probe(name), ""
        held = [len(n.conf or {}) for place, n in self.nodes.items() if n.up and self.quorate(place)]
        self.log.append((name, *command))
        answer = self._do(name, command, input or "")
        if held and not self.any_quorum():
            self.lost.append((" ".join(command), max(held)))
        return answer

    def _do(self, name: str, command: list[str], text: str) -> tuple[int, str, str]:
        node = self.nodes[name]
        if command[:2] == ["pvecm", "create"]:
            if node.conf is not None:
                return 1, "", "cluster config '/etc/pve/corosync.conf' already exists"
            node.conf, node.version = {name: 1}, 1
            self.name = command[2]
            if self.new_coefficient is not None:
                self.timers["token_coefficient"] = self.new_coefficient
            return 0, "", ""
        if command[:2] == ["pvecm", "delnode"]:
            return self._remove(name, command[2])
        if command[:2] == ["pvecm", "add"]:
            return self._join(name, command, text)
        if command[:2] == ["sh", "-c"]:
            if hashlib.sha256(self.text(name).encode()).hexdigest() != command[4]:
                return 1, "", "corosync.conf has changed"
            for line in text.splitlines():
                key, _, value = line.strip().partition(": ")
                if key in ("token", "token_coefficient"):
                    self.timers[key] = int(value)
            assert node.conf is not None
            self.spread(node.conf, self.online(node.conf))
            return 0, "", ""
        return 127, "", f"unknown: {command}"

    def _remove(self, via: str, gone: str) -> tuple[int, str, str]:
        conf = self.nodes[via].conf
        if conf is None or not self.quorate(via):
            return 1, "", "cluster not ready - no quorum?"
        if gone not in conf or gone == via:
            return 1, "", f"Node/IP: {gone} is not a known host of the cluster."
        members = self.online(conf)
        self.spread({n: v for n, v in conf.items() if n != gone}, [m for m in members if m != gone])
        return 0, "Killing node", ""

    def _join(self, name: str, command: list[str], text: str) -> tuple[int, str, str]:
        node, options = self.nodes[name], dict(zip(command[3::2], command[4::2], strict=True))
        self.secrets_seen.append(text)
        if text != f"{PASSWORD}\n":
            return 1, "", "401 authentication failure"
        if node.conf is not None or node.guests or node.remains:
            return 1, "", "Check if node may join a cluster failed!"
        if options.get("--fingerprint") != FINGERPRINT or options.get("--link0") != node.address:
            return 1, "", "fingerprint or link"
        via = self.at(command[2])
        conf, mode, node.fail = self.nodes[via].conf, node.fail, ""
        if (
            mode == "refused"
            or not self.nodes[via].up
            or conf is None
            or not self.quorate(via)
            or name in conf
        ):
            return 1, "", f"An error occurred on the cluster node: no quorum, {PASSWORD}"
        members = self.online(conf)
        self.spread({**conf, name: 1}, members)
        if mode == "midway":
            return 1, "", "starting pve-cluster failed"
        node.conf, node.version = dict(self.nodes[via].conf or {}), self.nodes[via].version
        if mode == "cut":
            return 255, "", "Connection to node closed by remote host."
        return 0, f"successfully added node '{name}' to cluster.", ""
