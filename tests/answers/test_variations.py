"""The three machines of the example and what can be wrong with them: `docs/simulations.md` holds the verdicts.

VENTOY_KIT_UPDATE_GOLDEN=1 writes the page's table anew.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.support.fleets import READY_HASH, host
from tests.support.hardware import ALLIANCE, CORVETTE, FALCON, GB, GOZANTI, TB, as_json, nic, nvme, sata, usb
from ventoy_kit.app.build import build
from ventoy_kit.app.demo import demo
from ventoy_kit.app.host import Host
from ventoy_kit.hardware.inventory import DiskFacts, Inventory
from ventoy_kit.report import Severity

PAGE = ROOT / "docs" / "simulations.md"
BEGIN, END = "<!-- verdicts -->\n", "<!-- end of verdicts -->\n"


@dataclass(frozen=True)
class Variation:
    """A machine, what is special about it, and changes of the fleet file."""

    title: str
    node: str
    inventory: Inventory | None
    changes: tuple[tuple[str, str], ...] = ()


def but(inventory: Inventory, *disks: DiskFacts) -> Inventory:
    return replace(inventory, disks=disks)


def more(inventory: Inventory, *disks: DiskFacts) -> Inventory:
    return replace(inventory, disks=(*inventory.disks, *disks))


F, C0, C1 = FALCON.disks[0], CORVETTE.disks[0], CORVETTE.disks[1]
G0, G1 = GOZANTI.disks
SAME = replace(G1, name="sdb")
STICK = usb("b", "4C530001", holds=("Ventoy", "exfat"))
TEN = tuple(sata(c, f"WD-SHELF{n:02}") for n, c in enumerate("abcdefghijkl"))

VARIATIONS = (
    Variation("as described", "falcon", FALCON),
    Variation("as described", "corvette", CORVETTE),
    Variation("as described", "gozanti", GOZANTI),
    Variation("no facts", "falcon", None),
    Variation("the system disk is missing", "falcon", but(FALCON, sata("a", "WD-OTHER"))),
    Variation("the system disk was replaced by a new one", "falcon", but(FALCON, nvme(0, "S7NEW", size=2 * TB))),
    Variation("a second disk of the same make was added", "falcon", more(FALCON, nvme(1, "S7OTHER", size=2 * TB, model="2TB NVMe Gen4"))),
    Variation("the disks changed places", "corvette", but(CORVETTE, replace(C1, name="nvme0n1"), replace(C0, name="nvme1n1"))),
    Variation("half of the mirror is missing", "corvette", but(CORVETTE, C0)),
    Variation("a disk of falcon's is in corvette", "corvette", but(CORVETTE, C0, replace(F, name="nvme1n1"))),
    Variation("the mirror's second disk is smaller by a half", "corvette", but(CORVETTE, C0, replace(C1, size=2 * TB)), (("serial: S7C0RV3T0002, size: 4 TB", "serial: S7C0RV3T0002"),)),
    Variation("NVMe and SATA: the data disk stays", "gozanti", but(GOZANTI, G0, G1, replace(sata("b", "WD-THIRD"), size=2 * TB))),
    Variation("two disks report the system disk's serial", "gozanti", more(GOZANTI, replace(G0, name="nvme1n1"))),
    Variation("two disks report the data disk's serial", "gozanti", more(GOZANTI, SAME)),
    Variation("the data disk is missing", "gozanti", but(GOZANTI, G0)),
    Variation("the system disk reports no serial", "gozanti", but(GOZANTI, replace(G0, serial=None), G1)),
    Variation("the system disk reports a placeholder", "gozanti", but(GOZANTI, replace(G0, serial="0000000000"), G1)),
    Variation("a USB SSD reports `ata`", "gozanti", more(GOZANTI, usb("b", "USB-1", size=TB, bus="ata"))),
    Variation("a USB SSD reports the system disk's serial", "falcon", more(FALCON, usb("a", "S7FALC0N0001", size=2 * TB))),
    Variation("the stick is in the facts", "gozanti", more(GOZANTI, STICK)),
    Variation("more than ten disks", "gozanti", but(GOZANTI, G0, *TEN[:11])),
    Variation("the system disk has another size", "falcon", but(FALCON, replace(F, size=TB))),
    Variation("a disk with large sectors", "falcon", but(FALCON, replace(F, logical_block=4096))),
    Variation("an SD card beside it", "falcon", more(FALCON, replace(usb("a", "SD-1", size=32 * GB), name="mmcblk0"))),
    Variation("another machine's serial number", "falcon", replace(FALCON, dmi={"product_serial": "C0RV3T2"})),
    Variation("the firmware reports a placeholder", "falcon", replace(FALCON, dmi={"product_serial": "Default string"})),
    Variation("another network card", "falcon", replace(FALCON, nics=(nic("enp2s0", "d8:43:ae:00:0a:99"),))),
    Variation("a disk to keep is named as the system disk too", "gozanti", GOZANTI, (("serial: WD-G0ZANT0002, size: 1 TB, pool: tank", "serial: WD-G0ZANT0002, size: 1 TB, pool: tank"), ("use: system, serial: S7G0ZANT0001, size: 512 GB", "use: system, wwn: {wwn}"))),
)  # fmt: skip


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with stand-ins for its images."""
    folder = tmp_path_factory.mktemp("alliance") / "demo"
    assert demo(folder, Host()).ok
    shutil.rmtree(folder / "build")
    return folder


def verdict(variation: Variation, fleet: Path) -> str:
    """What `build` says of the node, in one line."""
    shutil.rmtree(fleet / "hardware", ignore_errors=True)
    shutil.rmtree(fleet / ".ventoy-kit", ignore_errors=True)
    original = (fleet / "fleet.yaml").read_text()
    (fleet / "hardware").mkdir()
    for name, inventory in (ALLIANCE | {variation.node: variation.inventory}).items():
        if inventory is not None:
            (fleet / "hardware" / f"{name}.json").write_text(as_json(inventory))
    text = original
    for old, new in variation.changes:
        assert old in text
        text = text.replace(old, new.format(wwn=G1.wwn))
    (fleet / "fleet.yaml").write_text(text)
    try:
        outcome = build(fleet / "fleet.yaml", host(ALLIANCE_ROOT_PASSWORD=READY_HASH), dry_run=True)
    finally:
        (fleet / "fleet.yaml").write_text(original)
    told = [
        f"refused: {f.message} ({f.rule.code})" if f.severity is Severity.ERROR else f"built; {f.message}"
        for f in outcome.report
        if f.rule.code.startswith("VK-E") or f.severity is Severity.ERROR
    ]
    if not told:
        wiped = outcome.result["nodes"][variation.node]["wipes"] if outcome.result else []
        return f"built: wipes {', '.join(wiped)}"
    return "; ".join(told)


@pytest.fixture(scope="module")
def verdicts(fleet: Path) -> dict[str, str]:
    return {f"{v.node}: {v.title}": verdict(v, fleet) for v in VARIATIONS}


def table(verdicts: dict[str, str]) -> str:
    rows = [(*key.split(": ", 1), text) for key, text in verdicts.items()]
    lines = [f"| {node} | {title} | {text.replace('|', '/')} |" for node, title, text in rows]
    return "\n".join(["| node | machine | verdict |", "|---|---|---|", *lines]) + "\n"


def test_the_page_holds_the_verdicts(verdicts: dict[str, str]) -> None:
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    shown, after = rest.split(END)
    if os.environ.get("VENTOY_KIT_UPDATE_GOLDEN") == "1":
        PAGE.write_text(f"{before}{BEGIN}\n{table(verdicts)}\n{END}{after}")
        return
    assert shown.strip("\n") + "\n" == table(verdicts)


def test_no_variation_wipes_anything_but_the_system_disks(verdicts: dict[str, str]) -> None:
    allowed = {"S7FALC0N0001", "S7C0RV3T0001", "S7C0RV3T0002", "S7G0ZANT0001"}
    for key, text in verdicts.items():
        named = re.match(r"built: wipes (.*)", text)
        assert named is None or set(named[1].split(", ")) <= allowed, key
    assert sum(text.startswith("refused") for text in verdicts.values()) >= 10


JUDGED: dict[str, Callable[[str], bool]] = {
    "falcon: the system disk is missing": lambda t: "VK-B21" in t,
    "gozanti: two disks report the system disk's serial": lambda t: "VK-B22" in t,
    "falcon: a USB SSD reports the system disk's serial": lambda t: "VK-B22" in t,
    "gozanti: the system disk reports no serial": lambda t: "VK-B21" in t,
    "gozanti: a USB SSD reports `ata`": lambda t: t == "built: wipes S7G0ZANT0001",
    "gozanti: more than ten disks": lambda t: t == "built: wipes S7G0ZANT0001",
    "falcon: another machine's serial number": lambda t: "VK-B10" in t,
    "falcon: the firmware reports a placeholder": lambda t: "VK-B10" in t,
    "falcon: another network card": lambda t: "VK-E20" in t,
    "gozanti: a disk to keep is named as the system disk too": lambda t: "VK-B24" in t,
}


@pytest.mark.parametrize("key", JUDGED)
def test_a_verdict(verdicts: dict[str, str], key: str) -> None:
    assert JUDGED[key](verdicts[key]), verdicts[key]
