"""`reimage --destroy-pool`: which pools may be named, and what dies with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Disk, Fleet, Node
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.report import Finding
from ventoy_kit.stick import arm_codes as codes

HOOK = "zfs"
"""The hook that makes, imports and, with a permission, destroys pools."""


def data_pools(node: Node) -> tuple[str, ...]:
    """The pools that a node's data disks belong to, in order."""
    return tuple(sorted({disk.pool for disk in node.disks.values() if disk.use == "data" and disk.pool}))


def check_pools(fleet: Fleet, name: str, pools: Sequence[str]) -> Iterator[Finding]:
    """Findings VK-K16 and VK-K17 about the pools of a node that are named to be destroyed."""
    node, at = fleet.nodes[name], ("nodes", name)
    known = data_pools(node)
    for pool in pools:
        if pool not in known:
            yield unknown(codes.NO_POOL, f"pool of data disks of {name}", pool, known, at)
    if pools and HOOK not in {use.name for use in (*fleet.defaults.hooks, *node.hooks)}:
        yield codes.NO_POOL_HOOK.finding(
            f"{name} does not run the hook `{HOOK}`, so nothing would destroy {', '.join(pools)}",
            f"Add `{HOOK}` to the hooks of {name}, build and stage; or leave --destroy-pool out.",
            path=at,
            on_key=True,
        )


def pool_disks(node: Node, pools: Sequence[str]) -> tuple[str, ...]:
    """The disks of pools, in words."""
    return tuple(
        f"{disk_words(name, disk)} (pool {disk.pool}, after the installation)"
        for name, disk in sorted(node.disks.items())
        if disk.use == "data" and disk.pool in pools
    )


def dying_pools(node: Node, pools: Sequence[str]) -> str:
    """What stands before the checklist of the build, which serves every installation; nothing without such pools."""
    if not pools:
        return ""
    title = f"Pools that this arming lets DIE: {', '.join(pools)}"
    lines = [f"[ ] {disk}" for disk in pool_disks(node, pools)]
    why = "The sheet below is of every installation of this build and lists them as\nstaying. They do not."
    return "\n".join([title, "=" * len(title), "", *lines, "", why, "", ""])


def disk_words(name: str, disk: Disk) -> str:
    """A declared disk in words: name, identifiers, model, size."""
    ids = [f"serial {disk.serial}" if disk.serial else "", f"WWN {disk.wwn}" if disk.wwn else ""]
    size = format_size(disk.size) if disk.size else ""
    return " ".join(part for part in (name, *ids, disk.model or "", size) if part)
