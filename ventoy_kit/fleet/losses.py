"""What dies with a node's system disks besides the system: the guests and services that the fleet places there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.schema import Node
from ventoy_kit.report import Finding, Path


@dataclass(frozen=True, slots=True)
class Loss:
    """A guest or service on a disk that a new installation wipes.

    Attributes:
        name: the name that `--lose` takes: a guest's, `GUEST/SERVICE`, or that of a service on the node itself.
        what: what it is, in words.
        to_name: whether it must be named before the disk may be wiped. A guest must; so must a service that holds
            state. What is declared `expendable`, and a service without state, is made anew.
    """

    name: str
    what: str
    to_name: bool


def losses(node: Node, pools: Collection[str] = ()) -> tuple[Loss, ...]:
    """Everything that the fleet places on the system disks of a node and in `pools`, in the order of the fleet file."""
    return tuple(_losses(node, pools))


def _losses(node: Node, pools: Collection[str]) -> Iterator[Loss]:
    for name, service in node.services.items():
        if _is_doomed(node, service.storage, pools):
            yield Loss(
                name, _described("service", service.title), service.stateful and not service.expendable
            )
    for name, guest in node.guests.items():
        if _is_doomed(node, guest.storage, pools):
            yield Loss(name, _described(guest.kind, guest.title), not guest.expendable)
        for inner, service in guest.services.items():
            if _is_doomed(node, service.storage or guest.storage, pools):
                yield Loss(
                    f"{name}/{inner}",
                    _described("service", service.title),
                    service.stateful and not service.expendable,
                )


def _described(kind: str, title: str | None) -> str:
    return f"{kind}, {title}" if title else kind


def _is_doomed(node: Node, storage: str | None, pools: Collection[str]) -> bool:
    """Without a word it is Proxmox VE's `local` storage, which lies on the system disks."""
    disk = node.disks.get(storage) if storage is not None else None
    return (
        storage is None
        or storage in pools
        or (disk is not None and (disk.use == "system" or disk.pool in pools))
    )


def check_storage(node: Node, at: Path) -> Iterator[Finding]:
    """Findings about guests and services of a node that live on no disk and in no pool of it."""
    known = {*node.disks, *(d.pool for d in node.disks.values() if d.pool)}
    places: list[tuple[str | None, Path]] = [
        (s.storage, (*at, "services", n)) for n, s in node.services.items()
    ]
    for name, guest in node.guests.items():
        path = (*at, "guests", name)
        places.append((guest.storage, path))
        places += [(s.storage, (*path, "services", n)) for n, s in guest.services.items()]
    for storage, path in places:
        if storage is not None and storage not in known:
            yield codes.UNKNOWN_STORAGE.finding(
                f"this node has no disk and no pool `{storage}`",
                f"Name one of: {', '.join(sorted(known))}.",
                path=(*path, "storage"),
            )
