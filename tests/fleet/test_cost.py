"""A large fleet is checked in seconds, and twice as large a fleet takes about twice as long."""

from __future__ import annotations

import gc
import time

import pytest

from tests.support.fleets import as_yaml, base_fleet, check, node


def fleet_of(count: int, **more: object) -> bytes:
    return as_yaml(
        base_fleet({f"n{number}": node(number, **more) for number in range(2, count + 2)})
    ).encode()


def cost(data: bytes, findings: int) -> float:
    """Seconds of processor time, the least of two runs, without those of the garbage collector."""
    times = []
    for _ in range(2):
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            _, report = check(data)
            times.append(time.process_time() - start)
        finally:
            gc.enable()
        assert len(report) == findings, list(report)[:3]
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["right", "warned of", "refused by rules", "refused by the schema"])
def test_cost_grows_with_the_number_of_nodes(what):
    check(fleet_of(1))  # what is loaded once
    more: dict[str, object] = {
        "right": {},
        "warned of": {"identity": {}},
        "refused by rules": {"model": "unheard-of", "disks": {"disk0": {"use": "keep", "serial": "0000"}}},
        "refused by the schema": {"modl": "x", "title": 'a"b'},
    }[what]  # type: ignore[assignment]
    each = {"right": 0, "warned of": 1, "refused by rules": 3, "refused by the schema": 2}[what]
    one, two = cost(fleet_of(1000, **more), 1000 * each), cost(fleet_of(2000, **more), 2000 * each)
    print(f"{what}: 1,000 nodes {one:.2f} s, 2,000 nodes {two:.2f} s")
    assert one < 6
    assert two < 2.6 * one
