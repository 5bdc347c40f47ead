"""Which nodes a build tries again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.test_simulation_cost import fleet_with_facts
from tests.support.fleets import host
from ventoy_kit.app import build_simulation
from ventoy_kit.app.build import build
from ventoy_kit.app.simulation import simulate_nodes

pytestmark = pytest.mark.needs_tool("sh", "dd")


def test_what_went_through_is_tried_again_by_another_version_only(tmp_path: Path, monkeypatch):
    file = fleet_with_facts(tmp_path / "fleet", 2, found=True)
    tried = []

    def counting(plan, facts, *rest):
        tried.append(sorted(facts))
        return simulate_nodes(plan, facts, *rest)

    monkeypatch.setattr(build_simulation, "simulate_nodes", counting)
    for version in ("1.0", "1.0", "1.1"):
        monkeypatch.setattr(build_simulation, "__version__", version)
        assert build(file, host(), dry_run=False).ok
    assert tried == [["n2", "n3"], [], ["n2", "n3"]]
