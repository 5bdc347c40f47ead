"""A thousand nodes with ten thousand services are checked in seconds; twice as many take about twice as long."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest

from tests.support.fleets import as_yaml, base_fleet, check, node
from ventoy_kit.blueprint.check import check_blueprint
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.fleet.decode import decode_fleet


def large(count: int, *, warned: bool) -> bytes:
    """Nodes with ten services each: needs within the node, to one service and to one group that all lean on."""
    nodes = {}
    for n in range(count):
        services: dict[str, dict[str, Any]] = {
            f"s{n}-{s}": {
                "needs": [f"s{n}-{max(0, s - 1)}", "names"],
                "stateful": warned and s == 5,
                "provides": ["dns"] if s == 9 else [f"role{s}"],
                "observes": [f"n{n if warned else (n + 500) % count}"] if s == 3 else [],
            }
            for s in range(10)
        }
        services[f"s{n}-0"] |= {"needs": ["names"]}
        services[f"s{n}-7"]["needs"].append("s0-2")  # what everything leans on
        services[f"s{n}-9"] |= {"group": "names"} if n % (count // 10) == 0 else {}
        services[f"s{n}-9"] |= {"needs": []} if n % (count // 10) == 0 else {}
        guests = {f"g{n}": {"kind": "vm", "memory": "8 GiB", "vcpu": 4, "services": services}}
        nodes[f"n{n}"] = node(n + 2, guests=guests)
    return as_yaml(base_fleet(nodes)).encode()


def cost(data: bytes) -> tuple[float, int]:
    """Seconds of processor time of the model and its rules, the least of two runs, and the number of findings."""
    fleet, _, report = decode_fleet(data, "fleet.yaml")
    assert fleet is not None, list(report)[:3]
    times = []
    for _ in range(2):
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            found = check_blueprint(Blueprint(fleet))
            times.append(time.process_time() - start)
        finally:
            gc.enable()
    return min(times), len([f for f in found if f.severity != "note"])


@pytest.mark.slow
@pytest.mark.parametrize("warned", [False, True], ids=["right", "warned of"])
def test_cost_grows_with_the_number_of_nodes(warned):
    one, found = cost(large(1000, warned=warned))
    two, _ = cost(large(2000, warned=warned))
    print(f"1,000 nodes with 10,000 services {one:.2f} s, 2,000 with 20,000 {two:.2f} s, {found} findings")
    assert found == (2000 if warned else 0)
    assert one < 5
    assert two < 2.8 * one


@pytest.mark.slow
def test_the_whole_check_of_ten_thousand_services_takes_seconds():
    """The whole of `check` without its images: text to located findings."""
    data = large(1000, warned=False)
    check(data)
    start = time.process_time()
    fleet, _ = check(data)
    spent = time.process_time() - start
    assert fleet is not None
    start = time.process_time()
    check_blueprint(Blueprint(fleet))
    spent += time.process_time() - start
    print(f"text to findings {spent:.2f} s")
    assert spent < 5
