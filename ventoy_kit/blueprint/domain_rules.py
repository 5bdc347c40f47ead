"""Rules of fault domains and of what leans on what. Pure; cost grows with services and needs."""

from __future__ import annotations

from collections.abc import Iterator

from ventoy_kit.blueprint import codes
from ventoy_kit.blueprint.capacity import is_redundant
from ventoy_kit.blueprint.losses import Losses, circles, dark_roles
from ventoy_kit.blueprint.model import Blueprint, Placed, Target
from ventoy_kit.blueprint.waivers import Violation
from ventoy_kit.fleet.schema import Node
from ventoy_kit.report import Path


def domain_violations(blueprint: Blueprint, losses: Losses) -> Iterator[Violation]:
    """Everything that breaks a rule of fault domains or dependencies."""
    yield from _references(blueprint)
    for placed in blueprint.services:
        node = blueprint.fleet.nodes[placed.node]
        if placed.service.stateful:
            yield from _state(placed, node)
        yield from _observer(blueprint, losses, placed)
        yield from _backup(blueprint, placed)
    for name in blueprint.on_node:
        if blueprint.gives_card_away(name):
            yield from _passthrough(blueprint, name)
    yield from _dark(blueprint, losses)
    yield from _circles(blueprint)
    yield from _kept(blueprint, losses)


def _references(blueprint: Blueprint) -> Iterator[Violation]:
    fleet = blueprint.fleet
    for placed in blueprint.services:
        for index, name in enumerate(placed.service.needs):
            yield from _reference(blueprint, name, (*placed.path, "needs", index))
        for index, name in enumerate(placed.service.observes):
            if name not in fleet.nodes:
                yield from _reference(blueprint, name, (*placed.path, "observes", index), also="node, ")
        if placed.service.backed_up_by is not None:
            yield from _reference(blueprint, placed.service.backed_up_by, (*placed.path, "backed_up_by"))
    for name, node in fleet.nodes.items():
        yield from _pools(node, ("nodes", name))
        for guest_name, guest in node.guests.items():
            if guest.backed_up_by is not None:
                path: Path = ("nodes", name, "guests", guest_name, "backed_up_by")
                yield from _reference(blueprint, guest.backed_up_by, path)
    if fleet.kept_by is not None:
        yield from _reference(blueprint, fleet.kept_by, ("kept_by",))
    for name, secret in fleet.secrets.items():
        if secret.kept_by is not None:
            yield from _reference(blueprint, secret.kept_by, ("secrets", name, "kept_by"))


def _reference(blueprint: Blueprint, name: str, path: Path, also: str = "") -> Iterator[Violation]:
    target = blueprint.target(name)
    if not target.any_of:
        remedy = f"Name a {also}service or group of the fleet, or declare it."
        yield Violation(
            codes.REFERENCE, path, f"no {also}service or group is called `{name}`", remedy, on_key=False
        )
    elif target.ambiguous:
        places = ", ".join(blueprint.services[n].where for n in target.any_of[:4])
        yield Violation(
            codes.REFERENCE,
            path,
            f"`{name}` is the name of several services ({places})",
            "Give them one `group` if they stand in for each other, else names of their own.",
            on_key=False,
        )


def _pools(node: Node, at: Path) -> Iterator[Violation]:
    for pool in node.pools:
        if all(d.pool != pool for d in node.disks.values()):
            yield Violation(
                codes.REFERENCE,
                (*at, "pools", pool),
                f"no disk of this node belongs to the pool `{pool}`",
                f"Write `pool: {pool}` at its disks, or remove it here.",
            )


def _state(placed: Placed, node: Node) -> Iterator[Violation]:
    redundant = is_redundant(node, placed.storage)
    if redundant is None:
        return  # no such storage; that has its finding
    lacks = [] if node.hardware.ecc else ["no ECC memory"]
    if not redundant:
        lacks.append(f"no redundancy of {f'`{placed.storage}`' if placed.storage else 'its system disks'}")
    if lacks:
        yield Violation(
            codes.STATE,
            placed.path,
            f"keeps state on `{placed.node}`, which declares {' and '.join(lacks)}",
            "Move it to a node that has both, declare what is there, or write a waiver with the reason.",
            placed.node,
            placed.name,
        )


def _observer(blueprint: Blueprint, losses: Losses, placed: Placed) -> Iterator[Violation]:
    for name in placed.service.observes:
        node = name if name in blueprint.fleet.nodes else _only_node(blueprint, blueprint.target(name))
        if node is None:
            continue
        stopped = losses.of(node).stopped
        if placed.number not in stopped or _stand_in(blueprint, placed, name, stopped.keys()):
            continue
        need = stopped[placed.number]
        what = f"`{node}`, which it observes" if name == node else f"`{node}`, where all of `{name}` runs"
        how = "runs on" if need is None else "stops with"
        yield Violation(
            codes.OBSERVER,
            placed.path,
            f"{how} {what}" + (f", because it needs `{need}`" if need else ""),
            f"Let a service on another node observe `{name}`, in one `group` with this one, or move this one.",
            placed.node,
            placed.name,
        )


def _only_node(blueprint: Blueprint, target: Target) -> str | None:
    """The node on which all services of a target run, if it is one."""
    nodes = {blueprint.services[n].node for n in target.any_of}
    return nodes.pop() if len(nodes) == 1 else None


def _stand_in(blueprint: Blueprint, placed: Placed, name: str, stopped: object) -> bool:
    """Whether another service of the group goes on and observes the same."""
    group = placed.service.group
    return group is not None and any(
        n not in stopped and name in blueprint.services[n].service.observes  # type: ignore[operator]
        for n in blueprint.by_group[group]
    )


def _backup(blueprint: Blueprint, placed: Placed) -> Iterator[Violation]:
    if placed.backed_up_by is None:
        return
    target = blueprint.target(placed.backed_up_by)
    if target.any_of and all(blueprint.services[n].node == placed.node for n in target.any_of):
        yield Violation(
            codes.BACKUP,
            placed.path,
            f"its copies are kept by `{placed.backed_up_by}` on the same node, `{placed.node}`",
            "Keep a copy on another node, or outside of the fleet.",
            placed.node,
            placed.name,
        )


def _passthrough(blueprint: Blueprint, node: str) -> Iterator[Violation]:
    for number in blueprint.on_node[node]:
        if number in blueprint.critical:
            placed = blueprint.services[number]
            yield Violation(
                codes.PASSTHROUGH,
                placed.path,
                f"critical, on `{node}`, which gives a graphics card to a guest",
                "Move it to another node, or write `critical: false` if nobody suffers when it stops.",
                node,
                placed.name,
            )


def _dark(blueprint: Blueprint, losses: Losses) -> Iterator[Violation]:
    if len(blueprint.fleet.nodes) < 2:
        return  # with one node everything goes; nobody needs to be told
    for node in blueprint.fleet.nodes:
        dark = dark_roles(blueprint, losses.of(node)) if node in blueprint.on_node else ()
        if dark:
            yield Violation(
                codes.DARK,
                ("nodes", node),
                f"with `{node}` goes dark: {', '.join(dark)}",
                "Nothing, or a second service for it on another node.",
                node,
            )


def _circles(blueprint: Blueprint) -> Iterator[Violation]:
    for circle in circles(blueprint):
        names = [blueprint.services[n].name for n in circle]
        first = blueprint.services[circle[0]]
        text = "needs itself" if len(names) == 1 else " needs ".join(f"`{n}`" for n in [*names[1:], names[0]])
        yield Violation(
            codes.CIRCLE,
            (*first.path, "needs"),
            text if len(names) == 1 else f"needs {text}",
            "Remove the need that can wait, or give one of them a stand-in in its `group`.",
            first.node,
            first.name,
        )


def _kept(blueprint: Blueprint, losses: Losses) -> Iterator[Violation]:
    fleet = blueprint.fleet
    kept: list[tuple[str, str | None, Path]] = [("the fleet file", fleet.kept_by, ("kept_by",))]
    kept += [(f"the secret `{n}`", s.kept_by, ("secrets", n, "kept_by")) for n, s in fleet.secrets.items()]
    for what, name, path in kept:
        target = blueprint.target(name).any_of if name is not None else ()
        for node in fleet.nodes if target else ():
            stopped = losses.of(node).stopped
            if all(n in stopped for n in target):
                yield Violation(
                    codes.SOURCE_WIPED,
                    path,
                    f"{what} is kept by `{name}`, which stops with `{node}`: without it `{node}` is not installed again",
                    "Keep a copy elsewhere as well, or declare a stand-in in its `group`.",
                    node,
                    on_key=False,
                )
