"""`rehearse --stick` with a real Ventoy: an armed stick boots its node's installer in the node's twin, with no key pressed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rehearse.running import machines, running, taken
from tests.support.ventoy_stick import boots_bios
from tests.ventoy.conftest import Sticks
from ventoy_kit.edge.files import digests_of

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool(
        *(
            "qemu-system-x86_64",
            "setpriv",
            "mcopy",
            "git",
            "cpio",
            "xz",
            "busybox",
            "grub-mkrescue",
            "xorriso",
        ),
        *("grub-mkstandalone", "mkfs.ext2", "mkfs.exfat", "mount.exfat-fuse", "partx", "losetup"),
    ),
]


def rehearse(sticks: Sticks, stick: Path, node: str, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and the node's result; the stick is the same afterwards, and nothing is left."""
    temporary = folder / "t"
    temporary.mkdir(parents=True)
    before = digests_of(stick, "sha256")
    arguments = (node, "-f", sticks.path / "fleet.yaml", "--stick", stick, "--report", folder / "reports")
    with running(folder / "run", temporary, *arguments, *words, "--json") as one:
        code = one.process.wait(3600)
    assert digests_of(stick, "sha256") == before
    assert list(temporary.iterdir()) == []
    assert machines(temporary) == []
    assert taken(folder) == []
    result = json.loads(one.out)["result"]
    assert result is not None, one.out
    found: dict[str, Any] = result["nodes"][node]
    return code, found


@pytest.mark.parametrize(("family", "node"), [("proxmox", "alpha"), ("debian", "beta")])
def test_an_armed_stick_boots_its_installer(family: str, node: str, sticks: Sticks, shots: Path):
    code, found = rehearse(sticks, sticks.armed(node), node, shots / family, "--until", "medium")
    (act,) = found["acts"]
    assert (code, act["end"], found["way"]) == (0, "reached", "stick"), found
    assert [s["id"] for s in act["stages"] if s["at"] is not None][:2] == ["loader", "medium"]
    assert {c["id"]: c["held"] for c in found["safety"]}["disk-decoy"] is True
    assert (shots / family / f"reports/{node}/report.html").exists()
    # Ventoy's menu, and what came after it.
    assert len(list((shots / family / f"reports/{node}").glob("screen-stick-*.png"))) >= 2


def test_a_toolbox_stands_at_ventoys_menu(sticks: Sticks, shots: Path):
    """Nothing starts by itself, and the verdict says so within minutes, although the menu keeps the processor busy."""
    code, found = rehearse(sticks, sticks.toolbox, "alpha", shots)
    (act,) = found["acts"]
    assert (code, act["end"], act["written"]["disk0"]) == (1, "stalled", 0), found
    assert [s["id"] for s in act["stages"] if s["at"] is not None] == ["loader"]


def test_without_uefi_an_armed_stick_boots_its_installer_too(sticks: Sticks, shots: Path):
    if not boots_bios():
        pytest.skip(
            "needs an unpacked release or a disk with Ventoy: the sources' BIOS core is too old for them"
        )
    code, found = rehearse(
        sticks, sticks.armed("alpha"), "alpha", shots, "--until", "medium", "--firmware", "bios"
    )
    assert (code, found["acts"][0]["end"]) == (0, "reached"), found
