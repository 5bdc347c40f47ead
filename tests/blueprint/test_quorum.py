"""Votes and timers against numbers that others publish."""

from __future__ import annotations

import pytest

from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.quorum import Votes, gap, seconds, standing, timing, votes_of
from ventoy_kit.fleet.judging import QDevice
from ventoy_kit.fleet.schema import Cluster


@pytest.mark.parametrize(
    ("nodes", "needed", "spare"),
    [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2), (6, 4, 2), (32, 17, 15)],
)
def test_more_than_half_is_needed(nodes, needed, spare):
    votes = Votes(nodes)
    assert (votes.needed, votes.spare) == (needed, spare)
    assert votes.holds(spare)
    assert not votes.holds(spare + 1)


@pytest.mark.parametrize(
    ("nodes", "device", "survives", "without_it"),
    [(2, 1, 1, 0), (4, 1, 2, 1), (3, 2, 2, 0), (5, 4, 4, 0)],
)
def test_a_qdevice_helps_an_even_number_and_makes_an_odd_one_depend_on_it(
    nodes, device, survives, without_it
):
    votes = votes_of(nodes, Cluster(name="c", qdevice=QDevice(address="10.0.0.9")))
    assert votes.device == device
    assert votes.spare == survives
    assert votes.holds(without_it, device_lost=True)
    assert not votes.holds(without_it + 1, device_lost=True)


def test_timers_are_those_that_corosync_computes():
    """corosync.conf(5): token + (nodes - 2) * coefficient from three nodes on; consensus 1.2 times; pings a half, a quarter."""
    three = timing(3)
    assert (three.token, three.consensus, three.membership) == (3650, 4380, 8030)
    assert (three.ping_interval, three.ping_timeout) == (912, 1825)
    newer = timing(3, coefficient=125)
    assert (newer.token, newer.consensus, newer.membership) == (3125, 3750, 6875)
    # The kit's reference: the same default for one and two nodes, whose ping timers are corosync's plain ones.
    assert timing(1) == timing(2)
    assert (timing(2).token, timing(2).consensus) == (3000, 3600)
    assert timing(2, token=2000).ping_timeout == 1000


def test_the_gap_between_metrics_and_knet():
    span = gap(timing(3), 10, 10)
    assert (span.least, span.stored, span.most) == (913, 11825, 21825)
    assert gap(timing(3), 10, 0).most == gap(timing(3), 10, 0).stored


def test_seconds():
    assert [seconds(ms) for ms in (913, 3650, 8030, 60000)] == ["0.91 s", "3.65 s", "8.03 s", "60 s"]


def test_a_qdevice_inside_goes_down_with_its_node(make):
    fleet = make(
        {"n1": {"image": "proxmox-ve"}, "n2": {"guests": {"q": {"kind": "vm", "address": "10.9.9.9"}}}},
        cluster={"name": "c", "qdevice": {"address": "10.9.9.9"}},
    )
    blueprint = Blueprint(fleet)
    lost = standing(blueprint, ["n2"])
    assert lost is not None
    assert (lost.left, lost.holds, lost.device_lost) == (1, False, True)
    other = standing(blueprint, ["n1"])
    assert other is not None
    assert (other.left, other.holds, other.more) == (2, True, 0)
    assert standing(Blueprint(make({"n1": {}, "n2": {}})), ["n1"]) is None
