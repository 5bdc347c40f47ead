"""Fleets for drawings: the Alliance, and thirty nodes with everything that is hard to set."""

from __future__ import annotations

import random
from typing import Any

from tests.support.fleets import BASE, as_yaml, base_fleet, library, node
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.sheets.cards import Drawing, drawing_of

ALLIANCE = (BASE.parents[2] / "examples" / "alliance" / "fleet.yaml").read_bytes()
TITLES = [
    "PostgreSQL",
    "Dashboards for everybody in the house & the <garden>",
    "<script>alert(1)</script>",
    "W" * 80,
    "\N{CYRILLIC CAPITAL LETTER ZHE}" * 60,
    "\N{CJK UNIFIED IDEOGRAPH-65E5}\N{CJK UNIFIED IDEOGRAPH-672C}" * 20,
    "i" * 79,
    "e\N{COMBINING ACUTE ACCENT}" * 30,
]


def thirty(count: int = 30) -> bytes:
    """A cluster of thirty, always the same; some nodes are crowded, some empty."""
    chance = random.Random(7)
    nodes: dict[str, Any] = {}
    for number in range(count):
        guests = {
            f"guest{number}-{g}": {
                "kind": chance.choice(["vm", "container"]),
                "services": {
                    f"service-{number}-{g}-{s}": {
                        "title": chance.choice(TITLES),
                        "stateful": bool(s % 2),
                        "provides": [chance.choice(["dns", "metrics", "web"])],
                    }
                    for s in range(chance.randint(1, 4))
                },
            }
            for g in range(chance.randint(0, 3))
        }
        role = chance.choice(["Data", "Compute and storage for the laboratory", "W" * 80])
        name = f"n{number:02}" if number else "a" + "-very-long-name" * 2
        nodes[name] = node(number + 1, guests=guests, role=role)
    fleet = base_fleet(nodes)
    fleet["cluster"] = {"name": "big", "links": ["lan"]}
    return as_yaml(fleet).encode()


def blueprint_of(data: bytes) -> Blueprint:
    fleet, _, report = decode_fleet(data, "fleet.yaml")
    assert fleet is not None, list(report)
    return Blueprint(fleet)


def drawing(data: bytes) -> Drawing:
    return drawing_of(blueprint_of(data), {name: p.title for name, p in library().profiles.items()})
