"""Whole rehearsals beside the ordinary one: several nodes at a time, other firmware, a machine that is another at boot."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app.workspaces import Cli, make_starter, tree
from ventoy_kit.app.host import Host
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.rehearse_play import rehearse_node
from ventoy_kit.app.rehearse_prepare import prepare
from ventoy_kit.edge.emulator import find_emulator
from ventoy_kit.edge.workers import Stop
from ventoy_kit.rehearse.model import End, RehearsalReport
from ventoy_kit.rehearse.qemu import PROGRAM
from ventoy_kit.rehearse.verdict import exit_findings

pytestmark = [
    pytest.mark.needs_tool(PROGRAM, "setpriv", "busybox", "grub-mkimage", "mformat", "mcopy"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
soak = pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="a long run: make soak")


@pytest.fixture
def file(tmp_path: Path, cli: Cli) -> Path:
    found = make_starter(tmp_path / "fleet")
    assert cli("build", "--quiet", "-f", found).code == 0
    return found


def test_all_nodes_at_a_time_with_one_table_at_the_end(
    two: Path, generic_kernel: Path, cli: Cli, tmp_path: Path
):
    before = tree(two.parent)
    more = ("--only", "install", "--until", "identity", "--jobs", "2", "--report", tmp_path / "reports")
    ran = cli("rehearse", "--all", "-f", two, "--kernel", generic_kernel, *more)
    assert ran.code == 0, ran.err
    _, table = ran.out.split("All nodes")
    rows = [line.split() for line in table.splitlines() if line.strip().startswith("node")]
    assert [row[:2] for row in rows] == [["node", "verdict"], ["node1", "passed"], ["node2", "passed"]]
    assert all("Machine and disks proven" in line for line in table.splitlines() if " passed " in line)
    told = [line.partition(":")[0] for line in ran.err.splitlines()]
    first, last = told.index("node2"), len(told) - told[::-1].index("node1")
    assert first < last  # node2 had begun before node1 was done
    for name in ("node1", "node2"):
        assert "PASSED" in (tmp_path / f"reports/{name}/report.html").read_text()
    assert tree(two.parent) == before


@pytest.mark.parametrize(
    ("serial", "code"), [pytest.param("OTHER-DISK", "VK-B21", id="a disk with another serial number")]
)
def test_a_machine_that_differs_only_at_boot_is_refused_there(
    file: Path, generic_kernel: Path, serial: str, code: str
):
    """As a disk that was exchanged after the facts were recorded."""
    host, kept = Host(), list[RehearsalReport]()
    options = RehearseOptions(kernel=generic_kernel, only=("install",))
    prepared, found = prepare(file, ["node1"], options, host, 1)
    assert prepared is not None, found
    (case,) = prepared.cases
    disks = tuple(replace(d, serial=serial) if d.role == "system" else d for d in case.twin.disks)
    case = replace(case, twin=replace(case.twin, disks=disks))
    engine = find_emulator(host.process, PROGRAM)
    report = rehearse_node(
        case, prepared, options, host, engine, stop=Stop(), tell=host.tell, keep=kept.append
    )
    assert kept == [report]
    (act,) = report.acts
    assert (act.verdict.end, act.verdict.code) == (End.REFUSED, code)
    assert "S5GXNX0T100001" in act.verdict.said
    ((unsafe, message, remedy),) = exit_findings(report)
    assert not unsafe
    assert code in message
    assert remedy


@soak
def test_without_uefi_the_armed_stick_asks_for_the_name(file: Path, generic_kernel: Path, cli: Cli):
    words = ("--only", "install", "--only", "again", "--firmware", "bios")
    ran = cli.json("rehearse", "node1", "-f", file, "--kernel", generic_kernel, *words)
    node = ran.result["nodes"]["node1"]
    (act,) = node["acts"]
    assert (act["end"], act["passed"], act["written"]["disk0"]) == ("consent", True, 0)
    assert "VK-B63" in act["said"]
    # An arming cannot fire where none can be recorded: said to be open, never to be held.
    assert {c["id"]: c["held"] for c in node["safety"]}["one-shot"] is None


@pytest.mark.needs_tool("swtpm")
@soak
def test_a_twin_with_a_tpm(file: Path, generic_kernel: Path, cli: Cli):
    words = ("--only", "install", "--until", "ticket", "--tpm")
    ran = cli.json("rehearse", "node1", "-f", file, "--kernel", generic_kernel, *words)
    assert ran.result["nodes"]["node1"]["twin"]["tpm"] is True
