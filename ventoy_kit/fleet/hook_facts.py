"""Tables of what the fleet file says, as hooks read them: a line of column names, then a line per entry. Pure.

`hooks/README.md` describes each table for people who write hooks.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ventoy_kit.fleet.schema import Fleet, Node

Table = Literal["nics", "gpus", "disks", "pools", "networks", "nodes", "cluster", "system"]
"""A table's name in hook.yaml; the variable is `VK_FACT_` and the name in capitals."""

COLUMNS: Mapping[Table, tuple[str, ...]] = {
    "nics": ("name", "mac", "use", "title"),
    "gpus": ("id", "address", "passthrough", "title"),
    "disks": ("name", "use", "serial", "wwn", "pool", "size", "model"),
    "pools": ("name", "raid"),
    "networks": ("name", "cidr", "gateway", "dns", "vlan"),
    "nodes": ("name", "fqdn", "address", "interface", "network"),
    "cluster": ("name", "links", "votes", "token", "token_coefficient", "qdevice"),
    "system": ("name", "memory", "threads", "ecc", "timezone", "email", "filesystem", "raid"),
}

Row = Sequence[object]


@dataclass(frozen=True)
class FleetFacts:
    """The facts of a fleet. Tables that are the same for all nodes are made once."""

    fleet: Fleet

    def of(self, name: str) -> Mapping[Table, str]:
        """Every table as the hooks of this node read it."""
        node = self.fleet.nodes[name]
        return {**_tables(_of_node(self.fleet, name, node)), **self._shared}

    def names(self, name: str) -> Mapping[str, tuple[str, ...]]:
        """What parameters of this node's hooks may refer to, by hook_params.Reference."""
        node = self.fleet.nodes[name]
        return {
            "nic": tuple(node.hardware.nics),
            "disk": tuple(node.disks),
            "pool": _pools(node),
            "gpu": tuple(gpu.id for gpu in node.hardware.gpus),
            "node": tuple(self.fleet.nodes),
            "network": tuple(self.fleet.networks),
        }

    @functools.cached_property
    def _shared(self) -> Mapping[Table, str]:
        return _tables(_of_fleet(self.fleet))


def _of_node(fleet: Fleet, name: str, node: Node) -> Mapping[Table, Iterable[Row]]:
    hardware, install = node.hardware, node.install
    return {
        "nics": [
            (n, nic.mac, "management" if n == node.network.nic else None, nic.title)
            for n, nic in hardware.nics.items()
        ],
        "gpus": [(g.id, g.address, g.passthrough, g.title) for g in hardware.gpus],
        "disks": [(n, d.use, d.serial, d.wwn, d.pool, d.size, d.model) for n, d in node.disks.items()],
        "pools": [(n, node.pools[n].raid if n in node.pools else None) for n in _pools(node)],
        "system": [
            (name, hardware.memory, hardware.threads, hardware.ecc, fleet.locale.timezone, fleet.contact.email,
             install.filesystem, install.raid)
        ],
    }  # fmt: skip


def _of_fleet(fleet: Fleet) -> Mapping[Table, Iterable[Row]]:
    cluster, default = fleet.cluster, fleet.defaults
    return {
        "networks": [
            (n, net.cidr, net.gateway, ",".join(map(str, net.dns)), net.vlan) for n, net in fleet.networks.items()
        ],
        "nodes": [
            (n, f"{n}.{default.domain}", node.network.address.ip, node.network.address,
             node.network.network or default.network)
            for n, node in fleet.nodes.items()
        ],
        "cluster": [] if cluster is None else [
            (cluster.name, ",".join(cluster.links), cluster.expected_votes, cluster.token,
             cluster.token_coefficient, cluster.qdevice and cluster.qdevice.address)
        ],
    }  # fmt: skip


def _pools(node: Node) -> tuple[str, ...]:
    """Pools that disks name, and those that are only described."""
    return tuple(dict.fromkeys([*(d.pool for d in node.disks.values() if d.pool), *node.pools]))


def _tables(rows: Mapping[Table, Iterable[Row]]) -> Mapping[Table, str]:
    return {
        table: "\n".join("\t".join(map(_cell, row)) for row in (COLUMNS[table], *entries))
        for table, entries in rows.items()
    }


def _cell(value: object) -> str:
    """One word or sentence; never empty, since shells join neighbouring tabs."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(value).split()) if value is not None and str(value).strip() else "-"
