"""What stops when nodes are lost: the services on them, and whatever cannot do without those. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from ventoy_kit.blueprint.model import Blueprint

Fate = Literal["stops", "continues in part", "continues"]


@dataclass(frozen=True, slots=True)
class Loss:
    """The end of some nodes.

    Attributes:
        nodes: the nodes, in the order of the file.
        stopped: what stops: the service's number, with the need that took it along, or None if it ran there.
    """

    nodes: tuple[str, ...]
    stopped: Mapping[int, str | None]


def lose(blueprint: Blueprint, nodes: Collection[str]) -> Loss:
    """What stops with some nodes; a need is lost when every service that could fulfil it has stopped.

    A need that nothing fulfils in the first place is a mistake in the file (VK-F10) and takes nothing along. The
    cost grows with the number of services that stop and of those that lean on them.
    """
    lost = [n for n in blueprint.fleet.nodes if n in nodes] if len(nodes) > 1 else list(nodes)
    stopped: dict[int, str | None] = {n: None for node in lost for n in blueprint.on_node.get(node, ())}
    queue = deque(stopped)
    gone: dict[tuple[int, int], int] = {}
    while queue:
        for leaner, index in blueprint.leaning.get(queue.popleft(), ()):
            if leaner in stopped:
                continue
            need = blueprint.services[leaner].service.needs[index]
            gone[leaner, index] = gone.get((leaner, index), 0) + 1
            if gone[leaner, index] == len(blueprint.target(need).any_of):
                stopped[leaner] = need
                queue.append(leaner)
    return Loss(tuple(lost), stopped)


class Losses:
    """The losses of single nodes, each computed once."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self._known: dict[str, Loss] = {}

    def of(self, node: str) -> Loss:
        """What stops with one node."""
        if node not in self._known:
            self._known[node] = lose(self.blueprint, (node,))
        return self._known[node]


def fate_of_roles(blueprint: Blueprint, loss: Loss) -> Mapping[str, Fate]:
    """What becomes of each thing that services provide, in the order of the file."""
    fates: dict[str, Fate] = {}
    for role, numbers in blueprint.by_role.items():
        down = sum(n in loss.stopped for n in numbers)
        fates[role] = "continues" if not down else "stops" if down == len(numbers) else "continues in part"
    return fates


def dark_roles(blueprint: Blueprint, loss: Loss) -> tuple[str, ...]:
    """What nobody provides any more after a loss, in the order of the file; looks only at what stopped."""
    touched = dict.fromkeys(r for n in sorted(loss.stopped) for r in blueprint.services[n].service.provides)
    return tuple(r for r in touched if all(n in loss.stopped for n in blueprint.by_role[r]))


def circles(blueprint: Blueprint) -> tuple[tuple[int, ...], ...]:
    """Services that cannot start from cold, since each waits for the other: the shortest way around, once per circle.

    A need counts only if it has one service to fulfil it: of two, the one outside of the circle can begin.
    """
    only: dict[int, tuple[int, ...]] = {}
    for placed in blueprint.services:
        targets = (blueprint.target(need).any_of for need in placed.service.needs)
        only[placed.number] = tuple(t[0] for t in targets if len(t) == 1)
    found: list[tuple[int, ...]] = []
    state: dict[int, int] = {}  # 1 on the way, 2 done
    for start, first in only.items():
        if start in state:
            continue
        trail, steps = [start], [iter(first)]
        state[start] = 1
        while trail:
            ahead = next(steps[-1], None)
            if ahead is None:
                state[trail.pop()] = 2
                steps.pop()
            elif state.get(ahead) == 1:
                found.append(tuple(trail[trail.index(ahead) :]))
            elif ahead not in state:
                state[ahead] = 1
                trail.append(ahead)
                steps.append(iter(only[ahead]))
    return tuple(found)
