"""Rendering and trying a large fleet takes seconds, and four times as large a fleet about four times as long."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fleets import as_yaml, base_fleet, host, node, put_isos
from tests.support.hardware import FALCON, TB, as_json, nic, nvme
from ventoy_kit.app.build import build

pytestmark = [pytest.mark.slow, pytest.mark.needs_tool("sh", "dd")]


def fleet_with_facts(folder: Path, count: int, *, found: bool) -> Path:
    """A fleet file with recorded hardware of every node; unless `found`, all have a new disk."""
    (folder / "hardware").mkdir(parents=True)
    put_isos(folder)
    nodes = {}
    for number in range(2, count + 2):
        described = node(number)
        nodes[f"n{number}"] = described
        disk, lan = described["disks"]["disk0"], described["hardware"]["nics"]["lan0"]
        serial = disk["serial"] if found else f"NEW{number:05}"
        inventory = replace(
            FALCON,
            disks=(nvme(0, serial, size=TB),),
            nics=(nic("enp2s0", lan["mac"]),),
            dmi={"product_serial": described["identity"]["serial"]},
        )
        (folder / f"hardware/n{number}.json").write_text(as_json(inventory))
    file = folder / "fleet.yaml"
    file.write_text(as_yaml(base_fleet(nodes)))
    return file


def spent() -> float:
    """Seconds of processor time of this process and of the shells that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def cost(folder: Path, count: int, *, found: bool) -> float:
    """Processor time of `build` without its writing."""
    file = fleet_with_facts(folder / str(count), count, found=found)
    start = spent()
    outcome = build(file, host(), dry_run=True)
    seconds = spent() - start
    refused = sum("VK-B21" in f.message for f in outcome.report)
    assert outcome.ok is found, list(outcome.report)[:3]
    assert refused == (0 if found else count)
    return seconds


@pytest.mark.parametrize("found", [True, False], ids=["right", "refused"])
def test_cost_grows_with_the_number_of_nodes(tmp_path: Path, found: bool):
    cost(tmp_path, 2, found=found)  # what is loaded once
    one, four = cost(tmp_path, 100, found=found), cost(tmp_path, 400, found=found)
    print(f"100 nodes {one:.2f} s, 400 nodes {four:.2f} s")
    assert four < 5.5 * one


@pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="runs with VENTOY_KIT_SOAK=1")
def test_a_thousand_nodes_take_seconds(tmp_path: Path):
    cost(tmp_path, 2, found=True)
    seconds = cost(tmp_path, 1000, found=True)
    print(f"1,000 nodes {seconds:.2f} s")
    assert seconds < 9  # of processor time, whatever else the machine does
