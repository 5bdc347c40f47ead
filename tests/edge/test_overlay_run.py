"""The boot hook's own scripts over made-up machines: as one batch, without touching the machine that runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hardware import CORVETTE, FALCON
from ventoy_kit.answers.machine_files import machine_files
from ventoy_kit.answers.stick import with_stick
from ventoy_kit.edge.overlay_run import Machine, run_overlays
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.errors import MachineError
from ventoy_kit.hardware.inventory import Inventory

BOOT = Path(__file__).parents[2] / "boot_overlay"
SCRIPTS = {name: (BOOT / name).read_text() for name in ("lib.sh", "identity.sh", "disks.sh")}
GENERATION = "0123abcd"


def machine(name: str, serial: str, inventory: Inventory, disks: str) -> Machine:
    inventory, stick = with_stick(inventory)
    conf = f"format=1\nfleet=demo\ngeneration={GENERATION}\nimage=pve\nfamily=proxmox\narming=none\n"
    line = (
        f"# ventoy-kit-ticket format=1 fleet=demo generation={GENERATION} image=pve node={name} arming=none\n"
    )
    files = machine_files(inventory, stick) | {
        "ventoy-kit/overlay.conf": conf.encode(),
        "ventoy-kit/identity": f"{name}\tserial\t{serial}\n".encode(),
        f"ventoy-kit/nodes/{name}/disks": disks.encode(),
        f"ventoy-kit/nodes/{name}/title": b"A node\n",
        "ventoy/autoinstall": line.encode(),
    }
    return Machine(name, "proxmox", stick, files)


GOOD = machine("falcon", "FALC0N1", FALCON, "system\troot\tS7FALC0N0001\t-\t-\t-\n")
PAIR = machine(
    "corvette", "C0RV3T2", CORVETTE, "system\tb\tS7C0RV3T0002\t-\t-\t-\nsystem\ta\tS7C0RV3T0001\t-\t-\t-\n"
)
BY_WWN = machine("falcon", "FALC0N1", FALCON, f"system\troot\t-\t{FALCON.disks[0].wwn}\t-\t-\n")
STICK = machine("falcon", "FALC0N1", FALCON, "system\troot\tSTICK0001\t-\t-\t-\n")
STRANGER = machine("falcon", "SOMETHING", FALCON, "system\troot\tS7FALC0N0001\t-\t-\t-\n")


def test_several_machines_in_one_run():
    results = run_overlays(SCRIPTS, (GOOD, PAIR, BY_WWN, STICK, STRANGER), SystemProcess())
    assert [r.disks for r in results[:3]] == [("nvme0n1",), ("nvme1n1", "nvme0n1"), ("nvme0n1",)]
    assert [r.code for r in results] == ["", "", "", "VK-B25", "VK-B10"]
    assert "STICK0001" in results[3].detail


def test_a_script_that_is_broken_is_no_verdict():
    with pytest.raises(MachineError, match="failed in the simulation"):
        run_overlays(SCRIPTS | {"disks.sh": "("}, (GOOD,), SystemProcess())


def test_no_machine_starts_no_shell():
    assert run_overlays(SCRIPTS, (), SystemProcess()) == ()
