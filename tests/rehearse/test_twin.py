"""A node and its recorded facts as a twin."""

from __future__ import annotations

from tests.rehearse.twins import inventory, planned
from ventoy_kit.rehearse.twin import HostFacts, TwinWish, stranger_of, twin_of, what_is_assumed

HOST = HostFacts(cpus=8, memory=16384)


def test_a_twin_of_the_fleet_file_alone_says_so():
    node = planned()
    twin = twin_of(node, None, TwinWish(), HOST)
    assert [(d.name, d.role) for d in twin.disks] == [
        ("decoy", "decoy"),
        ("disk0", "system"),
        ("stick", "stick"),
    ]
    assert twin.smbios.serial == "NODE00001"
    assert twin.nics[0].management
    assert any("fleet file alone" in text for text in what_is_assumed(node, None, twin))


def test_recorded_facts_win():
    node = planned()
    twin = twin_of(node, inventory(), TwinWish(), HOST)
    assert [(d.name, d.role, d.bus) for d in twin.disks] == [
        ("decoy", "decoy", "nvme"),
        ("disk0", "system", "nvme"),
        ("sda", "decoy", "sata"),
        ("stick", "stick", "usb"),
    ]
    assert twin.smbios.serial == "NODE00001"
    assert twin.smbios.uuid is None  # a placeholder identifies nothing
    assert [d.name for d in twin.untouchable] == ["decoy", "sda"]
    assert list(what_is_assumed(node, inventory(), twin)) == []


def test_a_wrong_serial_in_the_fleet_file_leaves_the_twin_without_that_disk():
    twin = twin_of(planned(), inventory(disk="ANOTHER"), TwinWish(), HOST)
    assert "system" not in {d.role for d in twin.disks}
    assert {d.name for d in twin.untouchable} >= {"nvme0n1", "sda"}


def test_the_decoy_is_the_most_tempting_disk():
    twin = twin_of(planned(), inventory(), TwinWish(), HOST)
    decoy, system = twin.disks[0], twin.disks[1]
    assert (decoy.bus, decoy.size, decoy.model) == (system.bus, system.size, system.model)
    assert decoy.serial != system.serial


def test_a_long_serial_gets_a_bus_that_can_carry_it():
    long = "S7ABCDEFGHIJKLMNOPQRSTUVWX1234"
    twin = twin_of(planned(disks={"a": {"use": "system", "serial": long}}), None, TwinWish(), HOST)
    assert (twin.disks[1].bus, twin.disks[1].serial) == ("scsi", long)


def test_a_stranger_shares_the_disks_and_nothing_that_identifies():
    twin = twin_of(planned(), inventory(), TwinWish(), HOST)
    other = stranger_of(twin)
    assert other.disks == twin.disks
    assert not {n.mac for n in other.nics} & {n.mac for n in twin.nics}
    assert other.smbios.serial != twin.smbios.serial
    assert stranger_of(twin, same_network=True).nics == twin.nics


def test_twins_share_the_host():
    one = twin_of(planned(), None, TwinWish(), HostFacts(8, 16384))
    four = twin_of(planned(), None, TwinWish(jobs=4), HostFacts(8, 16384))
    poor = twin_of(planned(), None, TwinWish(jobs=4), HostFacts(1, 900))
    assert (one.cpus, one.memory) == (4, 4096)
    assert (four.cpus, four.memory) == (2, 2048)
    assert (poor.cpus, poor.memory) == (1, 1024)
