"""Profiles against machines of three makers: three states, evidence, commands, and Dell's file."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support import machines
from tests.support.fleets import library
from tests.support.machines import RST, machine
from ventoy_kit.hardware.bios_verdict import best_value, cctk_ini, check_identity, findings, judge
from ventoy_kit.hardware.firmware import FirmwareFacts
from ventoy_kit.hardware.indirect import State
from ventoy_kit.hardware.profiles import Attribute

YES, NO, NOTHING = State.MATCH, State.MISMATCH, State.UNKNOWN


def facts(tmp_path, **what) -> FirmwareFacts:
    return FirmwareFacts.model_validate(machines.facts_of(machine(tmp_path, **what)))


def states(name: str, found: FirmwareFacts) -> dict[str, State]:
    return {v.setting.id: v.state for v in judge(library().profiles[name], found)}


def verdict(name: str, setting: str, found: FirmwareFacts):
    return next(v for v in judge(library().profiles[name], found) if v.setting.id == setting)


def codes(name: str, found: FirmwareFacts) -> list[str]:
    profile = library().profiles[name]
    return [f.rule.code for f in findings(name, profile, found, judge(profile, found))]


def test_a_dell_in_order_matches_in_everything(tmp_path):
    found = facts(
        tmp_path,
        driver="dell-wmi-sysman",
        attributes=machines.OPTIPLEX_7090,
        **{"sys/class/rtc/rtc0/since_epoch": "4000000000"},
    )
    found = found.model_copy(update={"clock": 4_000_000_000})
    assert set(states("dell-optiplex-7090-micro", found).values()) == {YES}
    assert codes("dell-optiplex-7090-micro", found) == []


def test_the_dump_of_a_dell_as_it_was_shipped(tmp_path):
    found = facts(
        tmp_path, driver="dell-wmi-sysman", attributes=machines.XPS_9310, product="XPS 13 9310", pci=[RST]
    )
    assert states("dell-optiplex-7090-micro", found) == {
        "boot-mode": YES,  # UEFI-only models lack the attributes; the running system shows it
        "secure-boot": NO,
        "storage-mode": NO,
        "virtualization": YES,
        "iommu": YES,
        "usb-boot": YES,
        "disk-first": YES,
        "clock": NOTHING,
        "ac-recovery": NOTHING,  # a laptop
        "deep-sleep": NOTHING,
        "wake-on-lan": NO,
        "post-stops": NO,
        "smart-reporting": NOTHING,
    }
    assert codes("dell-optiplex-7090-micro", found) == ["VK-L06", "VK-L07", "VK-L07", "VK-L08", "VK-L08"]
    storage = verdict("dell-optiplex-7090-micro", "storage-mode", found)
    assert [(e.source, e.text) for e in storage.evidence] == [
        ("dell-wmi-sysman/EmbSataRaid", "Raid (possible: Disabled, Ahci, Raid)"),
        ("PCI 0000:00:00.0", "the SATA controller hides 1 NVMe disks (remapped_nvme)"),
    ]
    assert storage.commands == (
        "printf %s Ahci > /sys/class/firmware-attributes/dell-wmi-sysman/attributes/EmbSataRaid/current_value",
        "cctk --EmbSataRaid=Ahci",
        "fwupdmgr set-bios-setting EmbSataRaid Ahci",
    )


def test_a_lenovo(tmp_path):
    found = facts(tmp_path, driver="thinklmi", attributes=machines.THINKCENTRE, product="10T8S0B000")
    seen = states("lenovo-thinkcentre-tiny", found)
    assert {
        k: seen[k]
        for k in ("secure-boot", "iommu", "virtualization", "ac-recovery", "deep-sleep", "usb-boot")
    } == {
        "secure-boot": NO,
        "iommu": NO,  # the attribute says so, although there are groups until the next start
        "virtualization": YES,
        "ac-recovery": YES,
        "deep-sleep": YES,
        "usb-boot": YES,
    }
    commands = verdict("lenovo-thinkcentre-tiny", "secure-boot", found).commands
    assert commands == (
        "printf %s Disabled > /sys/class/firmware-attributes/thinklmi/attributes/SecureBoot/current_value",
        "fwupdmgr set-bios-setting SecureBoot Disabled",
    )


def test_a_lenovo_on_an_older_kernel(tmp_path):
    found = facts(tmp_path, driver="thinklmi", attributes=machines.P620_OLD_KERNEL)
    seen = states("lenovo-thinkcentre-tiny", found)
    assert (seen["secure-boot"], seen["iommu"], seen["ac-recovery"], seen["storage-mode"]) == (
        YES,
        NO,
        NO,
        YES,
    )
    assert "printf %s Enable > " in verdict("lenovo-thinkcentre-tiny", "iommu", found).commands[0]
    assert "printf %s 'Power On' > " in verdict("lenovo-thinkcentre-tiny", "ac-recovery", found).commands[0]


def test_an_hp_whose_names_need_quotes(tmp_path):
    found = facts(
        tmp_path,
        driver="hp-bioscfg",
        attributes=machines.ELITEDESK,
        product="HP EliteDesk 800 G6 Desktop Mini PC",
    )
    seen = states("hp-elitedesk-mini", found)
    assert [seen[k] for k in ("secure-boot", "virtualization", "iommu", "usb-boot", "ac-recovery")] == [
        NO, YES, NO, YES, NO,
    ]  # fmt: skip
    for command in verdict("hp-elitedesk-mini", "iommu", found).commands:
        assert "Virtualization Technology for Directed I!O (VTd)" in " ".join(shlex.split(command))
    assert "VK-L06" not in codes("hp-elitedesk-mini", found)


def test_a_driver_without_attributes_is_unknown_and_said(tmp_path):
    found = facts(tmp_path, driver="dell-wmi-sysman", attributes={})
    seen = states("dell-optiplex-7090-micro", found)
    assert seen["usb-boot"] is NOTHING
    assert seen["secure-boot"] is YES  # by its EFI variable
    assert codes("dell-optiplex-7090-micro", found) == ["VK-L10", "VK-L12"]


def test_values_that_only_root_reads_are_unknown_and_said(tmp_path):
    attributes = {name: (None, possible) for name, (_, possible) in machines.OPTIPLEX_7090.items()}
    found = facts(tmp_path, driver="dell-wmi-sysman", attributes=attributes)
    assert states("dell-optiplex-7090-micro", found)["usb-boot"] is NOTHING
    assert codes("dell-optiplex-7090-micro", found) == ["VK-L09", "VK-L12"]


@pytest.mark.parametrize(
    ("value", "possible", "state"),
    [
        ("enabled", "Disabled;Enabled;", YES),
        ("Disabled", "Disabled;Enabled;", NO),
        ("Off", "Off;On;", NOTHING),  # this firmware has other words
        ("Disabled", None, NOTHING),  # and this one tells none
        ("Enabled", None, YES),
        ("", "Disabled;Enabled;", NOTHING),
    ],
)
def test_a_value_that_the_profile_does_not_know_is_no_mismatch(tmp_path, value, possible, state):
    found = facts(tmp_path, driver="dell-wmi-sysman", attributes={"UsbEmu": (value, possible)})
    assert verdict("dell-optiplex-7090-micro", "usb-boot", found).state is state


def test_one_of_two_attributes_is_not_enough(tmp_path):
    values = {"BootList": ("Odd", "Odd;Even;"), "LegacyOrom": ("Disabled", "Disabled;Enabled;")}
    found = facts(tmp_path, driver="dell-wmi-sysman", attributes=values)
    assert verdict("dell-optiplex-7050-micro", "boot-mode", found).state is YES  # this start shows it
    found = found.model_copy(update={"uefi": None})
    assert verdict("dell-optiplex-7050-micro", "boot-mode", found).state is NOTHING


def test_the_value_to_write_is_the_first_accepted_one_that_exists_as_it_is_spelled():
    wanted = Attribute(driver="thinklmi", name="x", accept=("Enabled", "Enable"))
    assert best_value(wanted, ("Disable", "ENABLE")) == "ENABLE"
    assert best_value(wanted, ("Enable", "Enabled")) == "Enabled"
    assert best_value(wanted, ()) == "Enabled"


def test_a_change_that_waits_for_a_restart_is_said(tmp_path):
    more = {f"{machines.ATTRIBUTES}/dell-wmi-sysman/attributes/pending_reboot": "1\n"}
    found = facts(tmp_path, driver="dell-wmi-sysman", attributes=machines.OPTIPLEX_7090, **more)
    assert found.attributes[0].pending == "1"
    assert "VK-L11" in codes("dell-optiplex-7090-micro", found)


@pytest.mark.parametrize(
    ("serial", "uuid", "dmi", "expected"),
    [
        ("ABC1234", None, {"product_serial": "abc1234"}, []),
        ("ABC1234", None, {"product_serial": "ABC1235"}, ["VK-L04"]),
        ("ABC1234", "u-1", {"product_serial": "ABC1234", "product_uuid": "U-2"}, ["VK-L04"]),
        ("ABC1234", None, {"product_serial": None}, ["VK-L05"]),
        ("ABC1234", None, {}, ["VK-L05"]),
        (None, None, {"product_serial": "ABC1234"}, ["VK-L05"]),
        (None, "u-1", {"product_uuid": "U-1"}, []),
    ],
)
def test_the_machine_must_be_the_node(serial, uuid, dmi, expected):
    found = check_identity("node1", serial, uuid, FirmwareFacts(dmi=dmi))
    assert [f.rule.code for f in found] == expected


def test_a_file_for_cctk():
    text = cctk_ini("dell-optiplex-7050-micro", library().profiles["dell-optiplex-7050-micro"])
    assert text is not None
    lines = text.splitlines()
    assert lines[0] == "[cctk]"
    settings = [line for line in lines[1:] if not line.startswith(";")]
    assert settings == sorted(settings)
    assert all(re.fullmatch(r"[A-Za-z0-9]+=[A-Za-z0-9,]+", line) for line in settings)
    assert {
        "SecureBoot=Disabled",
        "EmbSataRaid=Ahci",
        "BootOrder=activebootlist,uefi",
        "AcPwrRcvry=On",
    } <= set(settings)
    origins = {line[2:].partition(":")[0] for line in lines if line.startswith("; ") and ": " in line}
    assert {line.partition("=")[0] for line in settings} <= origins
    assert cctk_ini("hp-elitedesk-mini", library().profiles["hp-elitedesk-mini"]) is None
