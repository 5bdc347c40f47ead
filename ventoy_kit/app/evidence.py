"""What was recorded of the machines, `hardware/NODE.json` beside the fleet file, for their checklists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.fleet.placeholders import is_placeholder_serial, is_placeholder_uuid
from ventoy_kit.gather.facts import FACTS_FOLDER
from ventoy_kit.hardware.facts_document import document_of
from ventoy_kit.hardware.firmware import FirmwareFacts, parse_facts
from ventoy_kit.hardware.inventory import UNKNOWN, DiskFacts, Inventory, parse_inventory
from ventoy_kit.payload.evidence import Evidence, SeenDisk
from ventoy_kit.report import Report


def recorded(base: Path, nodes: Sequence[str], host: Host) -> tuple[Mapping[str, Evidence], Report]:
    """The records of some nodes, by node; those that cannot be used are findings.

    Args:
        base: folder of the fleet file.
        nodes: names.
        host: effects.
    """
    found: dict[str, Evidence] = {}
    report = Report()
    for node in nodes:
        path = base / FACTS_FOLDER / f"{node}.json"
        try:
            text = host.files.read(path).decode("utf-8", "replace")
        except OSError:
            continue  # nobody has looked at the machine: its sheet has empty boxes
        document = document_of(text)
        told = document if isinstance(document, dict) else {}
        firmware = inventory = None
        if "firmware" in told or not ({"hardware", "disks", "nics"} & told.keys()):
            firmware, problems = parse_facts(text, str(path))
            report.extend(problems)
        if {"hardware", "disks", "nics"} & told.keys():
            inventory, problems = parse_inventory(text, str(path))
            report.extend(problems)
        if firmware is not None or inventory is not None:
            found[node] = _evidence(f"{FACTS_FOLDER}/{node}.json", firmware, inventory)
    return found, report


def _evidence(source: str, firmware: FirmwareFacts | None, inventory: Inventory | None) -> Evidence:
    def dmi(key: str) -> str | None:
        told = None if firmware is None else firmware.dmi_text(key)
        return told or (None if inventory is None else inventory.dmi.get(key))

    serial, uuid = dmi("product_serial"), dmi("product_uuid")
    return Evidence(
        source=source,
        serial=serial if serial and not is_placeholder_serial(serial) else None,
        uuid=uuid if uuid and not is_placeholder_uuid(uuid) else None,
        firmware=firmware,
        disks=None if inventory is None else tuple(_seen(d) for d in inventory.disks),
        macs=None
        if inventory is None
        else frozenset(n.permanent_mac for n in inventory.nics if n.permanent_mac is not None),
    )


def _seen(disk: DiskFacts) -> SeenDisk:
    holds = None if disk.holds == (UNKNOWN,) else disk.holds
    return SeenDisk(disk.name, disk.serial, disk.wwn, disk.model, disk.size, holds)
