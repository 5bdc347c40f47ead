"""A file is recognised by its contents, under any name."""

from dataclasses import replace

import pytest

from tests.images.test_inspect import DEBIAN, PROXMOX, look
from ventoy_kit.edge.files import read_tree
from ventoy_kit.edge.shipped import data_root
from ventoy_kit.images.catalog import parse_catalog
from ventoy_kit.images.recognise import recognise

TREE = read_tree(data_root() / "catalog")[""]
CATALOG, _ = parse_catalog(
    {n.removesuffix(".yaml"): (n, d.decode()) for n, d in TREE.items() if n.endswith(".yaml")}
)
PVE = look(PROXMOX)[0]
NETINST = look(DEBIAN, volume_id="Debian 13.6.0 amd64 n")[0]
DVD = look(DEBIAN, volume_id="Debian 13.6.0 amd64 1")[0]


@pytest.mark.parametrize(
    "name", ["a.iso", "proxmox-ve_9.2-1.iso", "proxmox-ve_8.4-1.iso", "debian-12.1.0-amd64-netinst.iso"]
)
def test_contents_decide_and_the_name_does_not(name):
    found = recognise(CATALOG, PVE, name)
    assert found is not None
    assert (found.image, found.release) == ("proxmox-ve", "9.2-1")


def test_media_of_one_product_are_told_apart():
    assert [recognise(CATALOG, f, "x").image for f in (NETINST, DVD)] == ["debian", "debian-dvd"]  # type: ignore[union-attr]
    assert recognise(CATALOG, NETINST, "x").release == "13.6.0"  # type: ignore[union-attr]


def test_a_volume_of_another_product_is_not_taken_for_it():
    assert recognise(CATALOG, replace(NETINST, volume_id="PVE"), "x.iso") is None


def test_the_name_counts_where_the_contents_say_nothing():
    unknown = replace(NETINST, volume_id="SOMETHING", product=None, release=None)
    found = recognise(CATALOG, unknown, "memtest86plus_7.20.iso")
    assert found is None or found.release is not None
    assert recognise(CATALOG, unknown, "x.iso") is None
    named = recognise(CATALOG, unknown, "debian-12.1.0-amd64-netinst.iso")
    assert named is not None
    assert (named.image, named.release) == ("debian", "12.1.0")
