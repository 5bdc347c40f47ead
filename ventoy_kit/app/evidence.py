"""What was recorded of the machines, `hardware/NODE.json` beside the fleet file, for their checklists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.fleet.placeholders import is_placeholder_serial, is_placeholder_uuid
from ventoy_kit.hardware.firmware import FirmwareFacts, parse_facts
from ventoy_kit.payload.evidence import Evidence
from ventoy_kit.report import Report

FOLDER = "hardware"


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
        path = base / FOLDER / f"{node}.json"
        try:
            text = host.files.read(path).decode("utf-8", "replace")
        except OSError:
            continue  # nobody has looked at the machine: its sheet has empty boxes
        if _lacks_firmware(text):
            continue
        facts, problems = parse_facts(text, str(path))
        report.extend(problems)
        if facts is not None:
            found[node] = _evidence(f"{FOLDER}/{node}.json", facts)
    return found, report


def _lacks_firmware(text: str) -> bool:
    """Whether it is a record of something else: `device-info` of Proxmox tells nothing of the firmware."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "firmware" not in document


def _evidence(source: str, facts: FirmwareFacts) -> Evidence:
    serial, uuid = facts.dmi_text("product_serial"), facts.dmi_text("product_uuid")
    return Evidence(
        source=source,
        serial=serial if serial and not is_placeholder_serial(serial) else None,
        uuid=uuid if uuid and not is_placeholder_uuid(uuid) else None,
        firmware=facts,
    )
