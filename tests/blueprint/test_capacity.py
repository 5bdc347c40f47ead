"""What a node has and what is asked of it."""

from __future__ import annotations

import pytest

from ventoy_kit.blueprint.capacity import GIB, arc_of, ask_of, is_redundant, room_of, usable


@pytest.mark.parametrize(
    ("raid", "sizes", "holds"),
    [
        ("raid0", [1, 2], 3),
        ("raid1", [4, 5], 4),
        ("raid10", [2, 2, 2, 2], 4),
        ("raidz-1", [3, 3, 3], 6),
        ("raidz-2", [3, 3, 3, 3], 6),
        ("raidz-3", [2, 2, 2, 2, 2], 4),
    ],
)
def test_what_disks_hold(raid, sizes, holds):
    assert usable(sizes, raid) == holds


def test_memory_of_a_zfs_node(make):
    zfs = {"filesystem": "zfs", "raid": "raid0"}

    def of(memory, **options):
        fleet = make({"n": {"hardware": {"memory": memory, "nics": NICS}, "install": {**zfs, **options}}})
        return fleet.nodes["n"]

    assert arc_of(of("64 GiB")) == 64 * GIB // 10
    assert arc_of(of("512 GiB")) == 16 * GIB
    assert arc_of(of("64 GiB", zfs={"arc_max": "8 GiB"})) == 8 * GIB
    assert room_of(of("64 GiB", zfs={"arc_max": "8 GiB"}), proxmox=True).free_memory == 54 * GIB


NICS = {"lan0": {"mac": "d8:43:ae:00:00:99"}}


def test_a_guest_without_a_size_asks_for_what_its_services_ask_for(make):
    guests = {
        "own": {"kind": "vm", "memory": "4 GiB", "disk": "10 GB", "services": {"a": {"memory": "3 GiB"}}},
        "sum": {
            "kind": "container",
            "services": {
                "b": {"memory": "1 GiB", "vcpu": 2, "disk": "5 GB"},
                "c": {"disk": "7 GB", "storage": "tank"},
            },
        },
        "silent": {"kind": "vm"},
    }
    fleet = make({"n": {"guests": guests, "services": {"d": {"memory": "1 GiB", "vcpu": 1}}}})
    ask = ask_of(fleet.nodes["n"])
    assert (ask.memory, ask.vcpu, ask.silent) == (6 * GIB, 3, ("silent",))
    assert ask.disk == {None: 15 * 10**9, "tank": 7 * 10**9}


def test_redundancy_is_what_is_declared(make):
    disks = {
        "a": {"use": "system", "serial": "S7A1", "size": "1 TB"},
        "b": {"use": "data", "serial": "S7A2", "pool": "tank", "size": "2 TB"},
        "c": {"use": "data", "serial": "S7A3", "pool": "tank", "size": "2 TB"},
        "d": {"use": "keep", "serial": "S7A4"},
    }
    bare = make({"n": {"disks": disks}}).nodes["n"]
    told = make({"n": {"disks": disks, "pools": {"tank": {"raid": "raid1"}}}}).nodes["n"]
    assert [is_redundant(bare, s) for s in (None, "tank", "d", "nowhere")] == [False, False, False, None]
    assert is_redundant(told, "tank") is True
    assert room_of(bare, proxmox=True).disk == {
        None: 10**12,
        "tank": 4 * 10**12,
        "a": 10**12,
        "b": 2 * 10**12,
        "c": 2 * 10**12,
    }
    assert room_of(told, proxmox=True).disk["tank"] == 2 * 10**12
