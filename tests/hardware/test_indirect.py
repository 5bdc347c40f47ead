"""What Linux shows besides attributes, from the bytes of a machine to yes, no or nothing."""

from __future__ import annotations

import pytest

from tests.support import machines
from tests.support.machines import (
    AHCI,
    DISK,
    GOOD_VARIABLES,
    IGPU,
    NVME,
    RAID,
    RST,
    RTX,
    USB,
    VMD,
    boot_option,
    machine,
)
from ventoy_kit.hardware.firmware import FirmwareFacts
from ventoy_kit.hardware.indirect import State, probe

YES, NO, NOTHING = State.MATCH, State.MISMATCH, State.UNKNOWN


def facts(tmp_path, **what) -> FirmwareFacts:
    return FirmwareFacts.model_validate(machines.facts_of(machine(tmp_path, **what)))


@pytest.mark.parametrize(
    ("variables", "state", "said"),
    [
        ({"SecureBoot": b"\0", "SetupMode": b"\0"}, YES, "off"),
        ({"SecureBoot": b"\0", "SetupMode": b"\1"}, YES, "no platform key"),
        ({"SecureBoot": b"\1", "SetupMode": b"\0"}, NO, "on"),
        ({"SecureBoot": b""}, NOTHING, "missing or empty"),
        ({"SecureBoot": b"\2"}, NOTHING, "odd: 02"),
        ({"SecureBoot": b"\0\0"}, NOTHING, "odd: 0000"),
        ({"SetupMode": b"\0"}, NOTHING, "missing"),
    ],
)
def test_secure_boot_from_the_bytes_of_its_variable(tmp_path, variables, state, said):
    found = probe("secure-boot-off", facts(tmp_path, variables=variables))
    assert (found.state, said in found.text) == (state, True)


def test_secure_boot_without_variables(tmp_path):
    legacy = probe("secure-boot-off", facts(tmp_path / "legacy", variables=None))
    assert (legacy.state, "legacy" in legacy.text) == (NOTHING, True)
    unmounted = facts(tmp_path / "unmounted", variables=None, **{"sys/firmware/efi/fw_platform_size": "64"})
    found = probe("secure-boot-off", unmounted)
    assert (found.state, "efivarfs" in found.text) == (NOTHING, True)
    assert probe("uefi-boot", unmounted).state is YES
    assert probe("uefi-boot", FirmwareFacts(uefi=False)).state is NO
    assert probe("uefi-boot", FirmwareFacts()).state is NOTHING


@pytest.mark.parametrize(
    ("pci", "state", "said"),
    [
        ([NVME], YES, "NVMe"),
        ([AHCI], YES, "hides nothing"),
        ([AHCI, NVME], YES, "NVMe"),
        ([RST], NO, "hides 1 NVMe"),
        ([NVME, RST], NO, "hides 1 NVMe"),
        ([RAID], NO, "RAID mode (0x2822)"),
        ([VMD], NO, "VMD is on (0xad0b)"),
        ([VMD, NVME], NO, "VMD is on"),
        ([{**AHCI, "remapped_nvme": ""}], NOTHING, "neither"),
        ([IGPU], NOTHING, "neither"),
    ],
)
def test_remapped_disks_are_seen(tmp_path, pci, state, said):
    found = probe("storage-visible", facts(tmp_path, pci=pci))
    assert (found.state, said in found.text) == (state, True), found.text


@pytest.mark.parametrize(
    ("flags", "kernel", "kvm", "state"),
    [
        ("vmx", "6.17.9-1-pve", False, YES),
        ("vmx", "5.4.0", False, NOTHING),
        ("vmx", "5.4.0", True, YES),
        ("svm", "6.7.1", False, YES),
        ("svm", "6.1.0-30-amd64", False, NOTHING),
        ("svm", "6.1.0-30-amd64", True, YES),
        ("svm", "odd", False, NOTHING),
        ("", "6.17.9", False, NO),
        ("", "6.17.9", True, NO),
        ("vmx hypervisor", "6.17.9", True, NOTHING),
    ],
)
def test_virtualization_flags_count_where_the_kernel_clears_them(tmp_path, flags, kernel, kvm, state):
    more = {"proc/sys/kernel/osrelease": kernel, **({"dev/kvm": ""} if kvm else {})}
    assert probe("virtualization", facts(tmp_path, flags=flags, **more)).state is state


@pytest.mark.parametrize(
    ("groups", "tables", "flags", "state", "said"),
    [
        (12, ("DMAR",), "vmx", YES, "12 groups"),
        (0, ("DMAR",), "vmx", NOTHING, "iommu=pt"),
        (0, (), "vmx", NO, "neither DMAR nor IVRS"),
        (0, (), "hypervisor", NOTHING, "virtual machine"),
    ],
)
def test_iommu(tmp_path, groups, tables, flags, state, said):
    found = probe("iommu", facts(tmp_path, groups=groups, tables=tables, flags=flags))
    assert (found.state, said in found.text) == (state, True), found.text


def test_iommu_without_a_list_of_tables():
    assert probe("iommu", FirmwareFacts()).state is NOTHING


@pytest.mark.parametrize(
    ("variables", "state"),
    [
        ({"BootOrder": b"\1\0\2\0", "Boot0001": DISK, "Boot0002": USB}, YES),
        ({"BootOrder": b"\2\0\1\0", "Boot0001": DISK, "Boot0002": USB}, NO),
        (
            {"BootOrder": b"\2\0\1\0", "Boot0001": DISK, "Boot0002": boot_option("x", (3, 5), active=False)},
            YES,
        ),
        ({"BootOrder": b"\1\0", "Boot0001": boot_option("NVMe", (2, 1), (1, 1), (3, 23))}, YES),
        ({"BootOrder": b"\1\0", "Boot0001": boot_option("PXE", (2, 1), (3, 11))}, NOTHING),
        ({"BootOrder": b"\1\0", "Boot0001": DISK[:8]}, NOTHING),
        ({"BootOrder": b"\1\0", "Boot0001": boot_option("x", active=False)}, NOTHING),
        ({"BootOrder": b"\1\0"}, NOTHING),
        ({"BootOrder": b"\1"}, NOTHING),
        ({}, NOTHING),
    ],
)
def test_the_boot_order_from_the_bytes_of_its_variables(tmp_path, variables, state):
    found = probe("disk-first", facts(tmp_path, variables={**variables, "SecureBoot": b"\0"}))
    assert found.state is state, found.text


def test_a_device_path_that_is_broken_is_no_answer(tmp_path):
    broken = DISK.replace(b"\x04\x01\x08\x00", b"\x04\x01\x01\x00")
    assert broken != DISK
    variables = {**GOOD_VARIABLES, "Boot0001": broken}
    assert probe("disk-first", facts(tmp_path, variables=variables)).state is NOTHING


@pytest.mark.parametrize(
    ("pci", "state"),
    [
        ([IGPU], YES),
        ([RTX], NO),
        ([{**IGPU, "vendor": "0x1002"}], NOTHING),
        ([{**RTX, "boot_vga": "0"}], NOTHING),
    ],
)
def test_which_display_the_firmware_uses(tmp_path, pci, state):
    assert probe("display-not-passed-through", facts(tmp_path, pci=pci)).state is state


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, NOTHING),
        ({"mc0/mc_name": "F19h_M70h"}, NOTHING),
        ({"mc0/mc_name": "F19h_M70h", "mc0/dimm0/dimm_edac_mode": "SECDED"}, YES),
        ({"mc0/mc_name": "F19h_M70h", "mc0/dimm0/dimm_edac_mode": "None"}, NOTHING),
        ({"mc0/mc_name": "old", "mc0/csrow0/edac_mode": "S4ECD4ED"}, YES),
        ({"power/mc_name": "no controller"}, NOTHING),
    ],
)
def test_ecc(tmp_path, files, state):
    more = {f"sys/devices/system/edac/mc/{name}": text for name, text in files.items()}
    assert probe("ecc", facts(tmp_path, **more)).state is state


def test_tpm(tmp_path):
    assert probe("tpm", facts(tmp_path / "a", **{"sys/class/tpm/tpm0/tpm_version_major": "2"})).state is YES
    assert probe("tpm", facts(tmp_path / "b")).state is NOTHING


@pytest.mark.parametrize(
    ("rtc", "clock", "state"),
    [
        ("1800000000", 1_800_000_000, YES),
        ("1800050000", 1_800_000_000, YES),
        ("1800100000", 1_800_000_000, NOTHING),
        ("946684800", 1_800_000_000, NO),
        ("946684800", 946_684_800, NO),
        ("1800000000", None, NOTHING),
        ("", 1, NOTHING),
        ("-5", 1, NOTHING),
        (None, 1, NOTHING),
    ],
)
def test_the_clock(rtc, clock, state):
    assert probe("clock", FirmwareFacts(rtc=rtc, clock=clock)).state is state
