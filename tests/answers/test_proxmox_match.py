"""The installer's selection against an independent naive model, and the cases that the reference lists."""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hardware import GB, TB, as_json, nic, nvme, sata, usb
from ventoy_kit.answers.proxmox_match import (
    InstallerStopsError,
    exclusion,
    list_candidates,
    select_disks,
    select_nic,
)
from ventoy_kit.answers.proxmox_order import depends_on_order
from ventoy_kit.answers.proxmox_simulate import simulate
from ventoy_kit.answers.stick import with_stick
from ventoy_kit.hardware.inventory import DiskFacts, Inventory, parse_inventory

# The naive model: written from the rules in words, with dictionaries, lists and Python's matcher.


def naive(setup: dict[str, Any], disks: list[DiskFacts]) -> list[str] | None:
    """Kernel names of the selected disks in the order of their numbers; None where the installer stops."""
    udev: dict[str, dict[str, str]] = {}
    path_of: dict[str, str] = {}
    for disk in sorted(disks, key=lambda d: d.name):
        number = str(len(udev))
        udev[number] = dict(disk.properties)
        path_of[number] = f"/dev/{disk.name}"
    in_order = sorted(udev)
    picked: list[str] = []
    one_disk = setup["filesystem"] in ("ext4", "xfs")
    if "disk-list" in setup:
        for name in setup["disk-list"][:1] if one_disk else setup["disk-list"]:
            for number in in_order:
                if path_of[number][-len(name) :] == name or name == "":
                    if number not in picked:
                        picked.append(number)
                    break
    elif one_disk:
        for number in in_order:
            keys = [k for k, p in setup["filter"].items() if k in udev[number] and fits(p, udev[number][k])]
            if keys:
                picked.append(number)
                break
    else:
        for number in in_order:
            outcomes = {
                k: fits(p, udev[number][k]) if k in udev[number] else None for k, p in setup["filter"].items()
            }
            if setup.get("filter-match") == "all":
                wanted = False not in outcomes.values()
            else:
                wanted = True in outcomes.values()
            if wanted:
                picked.append(number)
    if not picked or not (setup.get("disk-list") or setup.get("filter")):
        return None
    return [path_of[n][5:] for n in sorted(picked, key=int)]


def fits(pattern: str, value: str) -> bool:
    return fnmatch.fnmatchcase(value, pattern)


KEYS = ["ID_BUS", "ID_MODEL", "ID_SERIAL_SHORT", "ID_TYPO", "DEVNAME"]
VALUES = ["ata", "usb", "nvme", "A1", "A2", "B1", ""]
PATTERNS = ["*", "a*", "A?", "A[12]", "[!A]*", "usb", "ata", "zz", "*1", "?"]
NAMES = [*(f"sd{c}" for c in "abcdefghijklm"), *(f"nvme{n}n1" for n in range(12)), "vda"]


@st.composite
def machines(draw) -> list[DiskFacts]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=14, unique=True))
    return [
        DiskFacts(
            name=name,
            size=draw(st.sampled_from([500 * GB, TB])),
            properties=draw(st.dictionaries(st.sampled_from(KEYS[:3]), st.sampled_from(VALUES)))
            | {"DEVNAME": f"/dev/{name}", "DEVTYPE": "disk"},
            model="",
            serial=None,
            wwn=None,
            logical_block=512,
            removable=False,
            transport=None,
            holds=(),
        )
        for name in names
    ]


@st.composite
def setups(draw) -> dict[str, Any]:
    setup: dict[str, Any] = {"filesystem": draw(st.sampled_from(["ext4", "xfs", "zfs", "btrfs"]))}
    if draw(st.booleans()):
        names = st.sampled_from([*NAMES, "/dev/sda", "da", "", "n1", "/dev/disk/by-id/x", "sdz"])
        setup["disk-list"] = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    else:
        chosen = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(PATTERNS), min_size=1, max_size=3)
        setup["filter"] = draw(chosen)
        if draw(st.booleans()):
            setup["filter-match"] = draw(st.sampled_from(["any", "all"]))
    return setup


@given(setups(), machines())
@settings(max_examples=400, deadline=None)
def test_it_agrees_with_the_naive_model(setup, disks):
    try:
        found = [c.disk.name for c in select_disks(setup, list_candidates(disks)).chosen]
    except InstallerStopsError:
        found = None
    assert found == naive(setup, disks)


def chosen(setup: dict[str, Any], *disks: DiskFacts) -> list[str]:
    return [c.disk.name for c in select_disks(setup, list_candidates(disks)).chosen]


MIXED = (nvme(0, "N1"), nvme(1, "N2"), sata("a", "S1"), sata("b", "S2"), usb("c", "U1"))


def test_all_counts_what_is_absent_as_matched():
    setup = {"filesystem": "zfs", "filter": {"ID_BUS": "ata"}, "filter-match": "all"}
    assert chosen(setup, *MIXED) == ["nvme0n1", "nvme1n1", "sda", "sdb"]  # NVMe disks have no ID_BUS


def test_all_with_a_mistyped_key_takes_every_disk():
    setup = {"filesystem": "zfs", "filter": {"ID_SERAIL": "S1"}, "filter-match": "all"}
    assert chosen(setup, *MIXED) == ["nvme0n1", "nvme1n1", "sda", "sdb", "sdc"]


def test_ext4_ignores_filter_match_and_takes_the_first_on_which_any_key_matches():
    filters = {"ID_SERIAL_SHORT": "S2", "ID_BUS": "ata"}
    setup = {"filesystem": "ext4", "filter": filters, "filter-match": "all"}
    assert chosen(setup, *MIXED) == ["sda"]


def test_any_takes_every_disk_on_which_one_key_matches():
    setup = {"filesystem": "zfs", "filter": {"ID_SERIAL_SHORT": "N1", "ID_BUS": "usb"}}
    assert chosen(setup, *MIXED) == ["nvme0n1", "sdc"]


def test_keys_differ_by_case():
    with pytest.raises(InstallerStopsError):
        chosen({"filesystem": "ext4", "filter": {"id_bus": "*"}}, *MIXED)


def test_with_more_than_ten_disks_the_first_is_the_first_as_text():
    disks = [replace(sata(c, f"S{c}"), properties={"DEVTYPE": "disk", "K": c}) for c in "abcdefghijkl"]
    # Numbers 0 to 11 as text: 0, 1, 10, 11, 2, ... so that k and l come before c.
    assert chosen({"filesystem": "ext4", "filter": {"K": "[c-l]"}}, *disks) == ["sdk"]
    listed = [c.index for c in list_candidates(disks)]
    assert listed == ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"]


def test_the_size_of_a_wrong_disk_is_taken_with_more_than_ten():
    disks = tuple(sata(c, f"S{c}", size=(n + 1) * TB) for n, c in enumerate("abcdefghijkl"))
    answer = {
        "network": {"source": "from-dhcp"},
        "disk-setup": {"filesystem": "zfs", "zfs": {"raid": "raid0"}, "disk-list": ["sdc"]},
    }
    found = simulate(answer, Inventory(disks, (nic("eno1", "d8:43:ae:00:00:01"),)), (9, 2))
    assert found.wiped == ("sdc",)
    assert any("the size of sdk is used for all disks, not that of sdc" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sda", "sda"),
        ("/dev/sda", "sda"),
        ("da", "sda"),
        ("", "nvme0n1"),
        ("n1", "nvme0n1"),
        ("1n1", "nvme1n1"),
    ],
)
def test_names_are_compared_with_the_end_of_the_path(name, expected):
    assert chosen({"filesystem": "ext4", "disk-list": [name]}, *MIXED) == [expected]


def test_links_are_not_followed():
    with pytest.raises(InstallerStopsError):
        chosen({"filesystem": "ext4", "disk-list": ["/dev/disk/by-id/ata-S1"]}, *MIXED)


def test_a_name_that_no_disk_has_is_dropped_from_a_mirror():
    setup = {"filesystem": "zfs", "disk-list": ["sda", "sdb", "typo"], "zfs": {"raid": "raid1"}}
    selection = select_disks(setup, list_candidates(MIXED))
    assert [c.disk.name for c in selection.chosen] == ["sda", "sdb"]
    assert selection.dropped == ("typo",)


def test_the_order_of_a_list_does_not_matter():
    setup = {"filesystem": "zfs", "disk-list": ["sdb", "nvme0n1", "sda"]}
    assert chosen(setup, *MIXED) == ["nvme0n1", "sda", "sdb"]


def test_a_pattern_that_is_none_stops_only_where_it_is_reached():
    broken = {"ID_BUS": "ata", "ID_WWN": "["}
    assert chosen({"filesystem": "ext4", "filter": broken}, sata("a", "S1")) == ["sda"]
    with pytest.raises(InstallerStopsError, match="no pattern"):
        chosen({"filesystem": "ext4", "filter": broken}, nvme(0, "N1"))
    with pytest.raises(InstallerStopsError, match="no pattern"):
        chosen({"filesystem": "zfs", "filter": broken}, sata("a", "S1"))


@pytest.mark.parametrize(
    ("disk", "why"),
    [
        (replace(sata("a", "S"), name="loop0"), "of this kind"),
        (replace(sata("a", "S"), name="dm-0"), "of this kind"),
        (replace(sata("a", "S"), name="md127"), "of this kind"),
        (replace(sata("a", "S"), name="sr0"), "of this kind"),
        (sata("a", "S", ID_CDROM_MEDIA="1"), "CD drive"),
        (sata("a", "S", ID_FS_TYPE="iso9660"), "medium"),
        (replace(sata("a", "S"), size=0), "no size"),
        (replace(sata("a", "S"), properties={"DEVTYPE": "partition"}), "partition"),
    ],
)
def test_what_is_not_listed(disk, why):
    assert why in exclusion(disk)
    assert list_candidates([disk]) == ()


def test_a_ventoy_stick_is_an_ordinary_disk():
    inventory, name = with_stick(Inventory((sata("a", "S1"),), ()))
    assert name == "sdb"
    assert [c.disk.name for c in list_candidates(inventory.disks)] == ["sda", "sdb"]
    known = usb("a", "U", holds=("Ventoy", "exfat"))
    assert with_stick(Inventory((known,), ()))[1] == "sda"


NICS = (nic("eno1", "d8:43:ae:00:00:01"), nic("enp3s0", "d8:43:ae:00:00:02", index=3))


def test_the_first_interface_by_name_on_which_any_key_matches():
    assert select_nic({"ID_NET_DRIVER": "*", "ID_NET_NAME_MAC": "enxd843ae000002"}, NICS)[0].name == "eno1"
    assert select_nic({"ID_NET_NAME_MAC": "enxd843ae000002"}, NICS)[0].name == "enp3s0"
    with pytest.raises(InstallerStopsError, match="no filter"):
        select_nic({}, NICS)


@pytest.mark.parametrize(
    ("setup", "depends"),
    [
        ({"filesystem": "ext4", "filter": {"ID_SERIAL_SHORT": "S1"}}, False),
        ({"filesystem": "ext4", "filter": {"ID_BUS": "ata"}}, True),
        ({"filesystem": "zfs", "filter": {"ID_BUS": "ata"}}, False),
        ({"filesystem": "ext4", "disk-list": ["sda"]}, True),
        ({"filesystem": "zfs", "filter": {"DEVNAME": "/dev/sda"}}, True),
        ({"filesystem": "zfs", "disk-list": ["sda", "sdb", "sdc"]}, False),
    ],
)
def test_whether_the_order_of_the_kernel_matters(setup, depends):
    assert depends_on_order(setup, MIXED) is depends


def test_facts_are_read_as_they_were_written():
    inventory = Inventory(MIXED, NICS, {"product_serial": "X"})
    assert parse_inventory(as_json(inventory), "f")[0] == inventory
