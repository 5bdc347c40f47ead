"""Recorded hardware facts beside the fleet file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ventoy_kit.hardware import inventory_codes as codes
from ventoy_kit.hardware.facts_document import document_of
from ventoy_kit.hardware.inventory import Inventory, parse_inventory
from ventoy_kit.report import Place, Report

FACTS_FOLDER = "hardware"


def read_facts(files: Mapping[str, bytes], nodes: Collection[str]) -> tuple[Mapping[str, Inventory], Report]:
    """Parse the files of the folder `hardware/`.

    Args:
        files: content by file name; names that do not end in `.json` are passed over.
        nodes: names of the fleet's nodes.

    Returns:
        Inventories by name of node, in the order of the names, without those of nobody; findings of VK-Q01 and VK-Q02.
    """
    found: dict[str, Inventory] = {}
    report = Report()
    for file, data in sorted(files.items()):
        name, dot, ending = file.rpartition(".")
        if not dot or ending != "json":
            continue
        place = f"{FACTS_FOLDER}/{file}"
        if name not in nodes:
            report.add(
                codes.FACTS_OF_NOBODY.finding(
                    f"{place}: no node is called `{name}`",
                    f"Run `ventoy-kit adopt {place}`, or remove the file.",
                    place=Place(place),
                )
            )
            continue
        text = data.decode("utf-8", "replace")
        document = document_of(text)
        if isinstance(document, dict) and "firmware" in document and "hardware" not in document:
            continue  # recorded by `bios probe`: it tells of the firmware alone
        inventory, problems = parse_inventory(text, place)
        report.extend(problems)
        if inventory is not None:
            found[name] = inventory
    return found, report
