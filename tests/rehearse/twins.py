"""Plans of nodes and twins for tests of rehearsals."""

from __future__ import annotations

from typing import Any

from tests.support.fleets import as_yaml, base_fleet, node, plan_of
from ventoy_kit.hardware.inventory import DiskFacts, Inventory, NicFacts
from ventoy_kit.plan.model import NodePlan
from ventoy_kit.rehearse.model import Smbios, Twin, TwinDisk, TwinNic

TWIN = Twin(
    "alpha",
    "uefi",
    Smbios("SN-1", "4c4c4544-0031-3510-8057-b4c04f4d3533", None, "Box, large"),
    (
        TwinDisk("decoy", "decoy", "sata", "VKDECOY", 1 << 30),
        TwinDisk("disk0", "system", "nvme", "NV1", 1 << 30, "eui.0025385b11b1d2f3"),
        TwinDisk("tank0", "keep", "sata", "SA1", 1 << 30, "0x5002538e40a1b2c3"),
        TwinDisk("stick", "stick", "usb", "VKSTICK", 1 << 26),
    ),
    (TwinNic("lan0", "d8:43:ae:00:0a:01", management=True),),
    2048,
    2,
)


def planned(**more: Any) -> NodePlan:
    """The plan of one node."""
    return plan_of(as_yaml(base_fleet({"alpha": node(1, **more)})).encode()).nodes[0]


def inventory(serial: str = "NODE00001", disk: str = "S7NODE00001") -> Inventory:
    """A machine as it was recorded."""
    return Inventory(
        disks=(
            DiskFacts("nvme0n1", 1_000_204_886_016, "Samsung SSD 980", disk, None, transport="nvme"),
            DiskFacts("sda", 4_000_787_030_016, "WDC WD40", "WD-WX1", None, transport="sata"),
            DiskFacts("sdb", 32_000_000_000, "Stick", "USB1", None, transport="usb", removable=True),
        ),
        nics=(NicFacts("enp2s0", "d8:43:ae:00:00:01", "d8:43:ae:00:00:01"),),
        dmi={"product_serial": serial, "product_uuid": "Default string", "sys_vendor": "ACME, Inc."},
    )
