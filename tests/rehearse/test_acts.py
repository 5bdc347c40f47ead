"""Which acts are played, and the network that they are played in."""

from __future__ import annotations

import pytest

from tests.app.workspaces import ROOT
from tests.rehearse.twins import TWIN, planned
from ventoy_kit.rehearse.acts import acts_of, has_fired, network_of, read_mirror
from ventoy_kit.rehearse.case import Case
from ventoy_kit.rehearse.expect import Expectations, parse_expectations
from ventoy_kit.rehearse.qemu import Network


def expected(name: str) -> Expectations:
    return parse_expectations((ROOT / "rehearsals" / f"{name}.toml").read_text())


def case(**more: object) -> Case:
    return Case("vm", "0a1b2c3d", planned(**more), TWIN, None, None, {"install": expected("stick")}, ())


def test_a_stick_is_played_once_as_it_is():
    (act,) = acts_of(case(), ("20261123T110000Z-0000aaaa", "20261124T110000Z"), (), "loader")
    assert (act.name, act.ticket, act.until) == ("stick", None, "loader")


@pytest.mark.parametrize("name", ["debian", "proxmox", "installed", "stick"])
def test_expectations_are_whole(name: str):
    found = expected(name)
    ids = {s.id for s in found.stages}
    assert {found.proven, found.over} - {None} <= ids
    assert all(sign.text and (sign.remedy or sign.end == "consent") for sign in found.signs)


@pytest.mark.parametrize(
    "text",
    [
        "quiet = 1\nstage = []\nend = []\nother = 1\n",
        "quiet = 1\nend = []\nstage = [{id = 'a', title = 'A', signs = ['(']}]\n",
        "quiet = 1\nend = []\nstage = [{id = 'a', title = 'A', signs = []}, {id = 'a', title = 'B', signs = []}]\n",
        "quiet = 1\nend = []\nstage = []\nproven = 'x'\n",
        "quiet = ",
    ],
)
def test_damaged_expectations_are_refused(text: str):
    with pytest.raises(ValueError, match=r"the expectations are damaged|two stages|is no stage"):
        parse_expectations(text)


def test_the_record_of_an_arming_is_found_among_the_variables():
    value = b"\x07\0\0\0VK1 20261123T110000Z-0000aaaa 00000000T000000Z-00000000"
    assert has_fired(b"\xff" * 100 + value, "20261123T110000Z-0000aaaa")
    assert not has_fired(b"\xff" * 100 + value, "20261123T110000Z-0000bbbb")


def test_without_a_mirror_nothing_is_forwarded():
    assert network_of(case(), None) == Network("10.1.0.1/8", "10.0.0.1")


def test_a_mirror_gets_an_address_of_the_nodes_network():
    network = network_of(case(), read_mirror("http://mirror.example:8080/debian"))
    assert network.mirror == "10.255.255.254"
    assert network.forward == "busybox nc mirror.example 8080"


@pytest.mark.parametrize(
    "url",
    [
        "mirror.example/debian",
        "https://mirror.example/",
        "http://a;reboot/",
        "http:///x",
        "http://u:p@h/",
        "ftp://h/",
    ],
)
def test_what_is_no_mirror_is_refused(url: str):
    with pytest.raises(ValueError, match=r"no (address|name)"):
        read_mirror(url)
