"""Recorded facts as models: both forms, what is damaged, and what is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ventoy_kit.hardware.inventory import UNKNOWN, Inventory, parse_inventory


def parsed(document: Any) -> Inventory:
    text = document if isinstance(document, str) else json.dumps(document)
    found, report = parse_inventory(text, "f.json")
    assert found is not None, list(report)
    return found


def test_the_last_line_of_an_output_counts():
    text = 'Welcome!\n{"format": 1, "hardware": {"disks": [{"name": "sda", "size": 5, "later": 1}]}}\n'
    (disk,) = parsed(text).disks
    assert (disk.name, disk.size, disk.serial, disk.holds) == ("sda", 5, None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON document"),
        ("[]", "no JSON document"),
        ("[" * 100_000, "no JSON document"),
        ("{}", "the format None"),
        ('{"format": 2, "hardware": {}}', "the format 2"),
        ('{"format": true, "hardware": {}}', "the format True"),
        ('{"format": 1, "firmware": {}}', "no section `hardware`"),
        ('{"format": 1, "hardware": []}', "no section `hardware`"),
        ('{"format": 1, "hardware": {"disks": {}}}', "damaged at disks"),
        ('{"format": 1, "hardware": {"disks": [{"name": 5}]}}', "damaged at disks.0.name"),
        ('{"format": 1, "hardware": {"disks": [{"size": 5}]}}', "damaged at disks.0.name"),
        ('{"format": 1, "hardware": {"memory": 1e400}}', "damaged at memory"),
        ('{"disks": {"sda": 3}}', "damaged at disks.sda"),
        ('{"disks": {"sda": {"ID_BUS": 3}}, "nics": null}', "damaged at disks.sda.ID_BUS"),
    ],
)
def test_what_is_damaged_is_said(text, said):
    found, report = parse_inventory(text, "f.json")
    assert found is None
    (finding,) = report
    assert finding.rule.code == "VK-Q01"
    assert said in finding.message


def test_device_info_tells_less_and_the_rest_is_unknown():
    found = parsed(
        {
            "disks": {
                "sdb": {"ID_BUS": "usb", "ID_SERIAL_SHORT": "0123456789ABCDEF"},
                "nvme0n1": {
                    "ID_MODEL": "Samsung_SSD_990",
                    "ID_SERIAL_SHORT": "S7 X1",
                    "ID_WWN": "eui.0025385B71B0A1C2",
                },
            },
            "nics": {
                "eno1": {"ID_NET_NAME_MAC": "enxd843ae000a01", "ID_NET_DRIVER": "igc"},
                "vmbr0": {"INTERFACE": "vmbr0"},
            },
        }
    )
    nvme, usb = found.disks
    assert (nvme.name, nvme.model, nvme.serial, nvme.wwn) == (
        "nvme0n1",
        "Samsung SSD 990",
        "S7X1",
        "0025385b71b0a1c2",
    )
    assert (nvme.size, nvme.logical_block, nvme.holds, nvme.transport) == (0, None, (UNKNOWN,), "nvme")
    assert (usb.serial, usb.wwn, usb.transport) == (None, None, "usb")  # the serial is a placeholder
    assert [(n.permanent_mac, n.driver) for n in found.nics] == [("d8:43:ae:00:0a:01", "igc"), (None, None)]
    assert (found.dmi, found.pci, found.boot_mode, found.source) == ({}, None, None, "device-info")


@pytest.mark.parametrize("document", [{"disks": None, "nics": {}}, {"disks": {}}, {"nics": None}])
def test_device_info_of_one_kind(document):
    assert parsed(document).disks == ()
