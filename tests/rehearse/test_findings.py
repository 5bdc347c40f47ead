"""What `rehearse` says of rehearsals that failed, were unsafe, or had no facts: the findings, whatever the twin did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import Cli, make_starter
from tests.rehearse.test_verdict import REACHED, SAME, act, refused, rehearsed
from ventoy_kit.app import rehearse, rehearse_prepare
from ventoy_kit.rehearse.model import ActResult
from ventoy_kit.rehearse.verdict import Looks

pytestmark = pytest.mark.needs_tool("qemu-system-x86_64", "mformat", "mcopy")


@pytest.fixture
def findings(tmp_path: Path, cli: Cli, generic_kernel: Path) -> Callable[[], dict[str, Any]]:
    """Rehearses the starter's node; the findings by rule."""
    file = make_starter(tmp_path / "fleet")
    assert cli("build", "--quiet", "-f", file).code == 0

    def call() -> dict[str, Any]:
        ran = cli.json("rehearse", "-f", file, "node1", "--kernel", generic_kernel)
        return {f["rule"]: f for f in ran.envelope["findings"]}

    return call


@pytest.mark.parametrize(
    ("acts", "rules"),
    [
        ([act("install", REACHED)], ["VK-Y48"]),
        ([act("install", refused("VK-B21"))], ["VK-Y48", "VK-Y40"]),
        ([act("stranger", REACHED)], ["VK-Y48", "VK-Y41"]),
    ],
    ids=["well", "failed", "unsafe"],
)
def test_a_verdict_is_a_finding_at_the_node(
    findings, monkeypatch: pytest.MonkeyPatch, acts: list[ActResult], rules: list[str]
):
    report = replace(rehearsed(acts, Looks(SAME, SAME, 0, ())), node="node1")
    monkeypatch.setattr(rehearse, "rehearse_node", lambda *_, **__: report)
    found = findings()
    assert list(found) == rules
    assert all(f["line"] and f["remedy"] for f in found.values())


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("armed_entry", "VK-Y43", "is not plain in the menu"),
        ("delivery_of", "VK-Y44", "nothing is handed over"),
    ],
)
def test_what_cannot_be_started_directly(
    findings, monkeypatch: pytest.MonkeyPatch, name: str, rule: str, said: str
):
    monkeypatch.setattr(rehearse_prepare, name, lambda *_: None)
    found = findings()
    assert said in found[rule]["message"]
    assert found[rule]["severity"] == "error"
