"""What a loss takes along, against a second, slow way of finding out."""

from __future__ import annotations

import random

import pytest

from ventoy_kit.blueprint.losses import circles, dark_roles, fate_of_roles, lose
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.outlook import outlook


def names(blueprint, loss):
    return {blueprint.services[n].name for n in loss.stopped}


def test_needs_are_followed_and_groups_hold(make):
    blueprint = Blueprint(
        make(
            {
                "n1": {"services": {"db": {}, "dns1": {"group": "dns", "provides": ["dns"]}}},
                "n2": {"services": {"app": {"needs": ["db"]}, "dns2": {"group": "dns", "provides": ["dns"]}}},
                "n3": {
                    "services": {"web": {"needs": ["app"], "provides": ["web"]}, "mail": {"needs": ["dns"]}}
                },
            }
        )
    )
    loss = lose(blueprint, ["n1"])
    assert names(blueprint, loss) == {"db", "dns1", "app", "web"}
    assert {blueprint.services[n].name: why for n, why in loss.stopped.items()} == {
        "db": None,
        "dns1": None,
        "app": "db",
        "web": "app",
    }
    assert dark_roles(blueprint, loss) == ("web",)
    assert fate_of_roles(blueprint, loss) == {"dns": "continues in part", "web": "stops"}
    both = lose(blueprint, ["n2", "n1"])
    assert both.nodes == ("n1", "n2")
    assert "mail" in names(blueprint, both)


def test_what_needs_a_member_of_a_group_by_name_is_content_with_another(make):
    fleet = make(
        {
            "n1": {"services": {"a": {"group": "g"}}},
            "n2": {"services": {"b": {"group": "g"}, "user": {"needs": ["a"]}}},
        }
    )
    blueprint = Blueprint(fleet)
    assert names(blueprint, lose(blueprint, ["n1"])) == {"a"}


def slowly(blueprint, nodes):
    """Start with nothing stopped but what is on the nodes, and repeat until nothing changes."""
    stopped = {p.number for p in blueprint.services if p.node in nodes}
    while True:
        more = {
            p.number
            for p in blueprint.services
            for need in p.service.needs
            if blueprint.target(need).any_of and set(blueprint.target(need).any_of) <= stopped
        }
        if more <= stopped:
            return stopped
        stopped |= more


@pytest.mark.parametrize("seed", range(40))
def test_any_fleet_gives_what_the_slow_way_gives(make, seed):
    dice = random.Random(seed)
    groups = ["", "g1", "g2"]
    nodes = {}
    for n in range(5):
        services = {}
        for s in range(4):
            group = dice.choice(groups)
            needs = [f"s{dice.randrange(5)}-{dice.randrange(4)}" for _ in range(dice.randrange(3))]
            needs += [g for g in ("g1", "g2", "nobody") if dice.random() < 0.1]
            services[f"s{n}-{s}"] = {"needs": needs} | ({"group": group} if group else {})
        nodes[f"n{n}"] = {"services": services}
    blueprint = Blueprint(make(nodes))
    for first in nodes:
        for second in nodes:
            assert set(lose(blueprint, {first, second}).stopped) == slowly(blueprint, {first, second})


def test_circles_are_found_once_and_a_stand_in_opens_them(make):
    def fleet(**b):
        return make(
            {"n1": {"services": {"a": {"needs": ["b"]}, "b": {"needs": ["c"], **b}, "c": {"needs": ["a"]}}}}
        )

    blueprint = Blueprint(fleet())
    assert [[blueprint.services[n].name for n in c] for c in circles(blueprint)] == [["a", "b", "c"]]
    twice = make(
        {
            "n1": {"services": {"a": {"needs": ["b"]}, "b": {"needs": ["a"], "group": "b-or-d"}}},
            "n2": {"services": {"d": {"group": "b-or-d"}}},
        }
    )
    assert circles(Blueprint(twice)) == ()


def test_a_reimage_is_safe_only_if_nothing_is_lost_for_good(make):
    stateful = {"stateful": True}
    data = {
        "disk0": {"use": "system", "serial": "S7X1"},
        "disk1": {"use": "data", "serial": "S7X2", "pool": "tank"},
    }
    fleet = make(
        {
            "n1": {
                "disks": data,
                "guests": {"g": {"kind": "vm", "services": {"db": stateful}, "backed_up_by": "copies"}},
                "services": {
                    "files": {**stateful, "storage": "tank"},
                    "scratch": {**stateful, "expendable": True},
                },
            },
            "n2": {"services": {"copies": {}}},
            "n3": {"services": {"vault": {}}},
        },
        secrets={"root": {"env": "ROOT_PASSWORD", "kept_by": "vault"}},
    )
    blueprint = Blueprint(fleet)
    (alone,) = outlook(blueprint, ["n1"]).reimages
    assert alone.safe
    assert any("db goes; copies has copies" in note for note in alone.mind)
    assert any("files is on disks that are not wiped" in note for note in alone.mind)
    first, second = outlook(blueprint, ["n1", "n2"]).reimages
    assert not first.safe
    assert "db" in first.against[0]
    assert second.safe
    (keeper,) = outlook(blueprint, ["n3"]).reimages
    assert keeper.against == ("the secret root is kept by vault, which is down, too",)


def test_what_the_file_does_not_say_is_not_called_safe(make):
    guests = {"box": {"kind": "vm"}, "lost": {"kind": "vm", "expendable": True}}
    saved = {"kept": {"kind": "vm", "backed_up_by": "copies"}}
    fleet = make(
        {"n1": {"guests": guests}, "n2": {"guests": saved}, "n3": {"services": {"copies": {}}}, "n4": {}}
    )
    blueprint = Blueprint(fleet)
    (first,) = outlook(blueprint, ["n1"]).reimages
    assert len(first.against) == 1
    assert "what is in box, on disks that are wiped" in first.against[0]
    (second,) = outlook(blueprint, ["n2"]).reimages
    assert second.safe
    assert "guests that go with the disks and have to be made again: kept" in second.mind
    (empty,) = outlook(blueprint, ["n4"]).reimages
    assert "the fleet file names no service here: what is on the disks, you alone know" in empty.mind


def test_gateway_and_name_server_inside_speak_against(make):
    lan = {"cidr": "10.0.0.0/8", "gateway": "10.0.0.1", "dns": ["10.0.0.53", "9.9.9.9"]}
    fleet = make(
        {
            "n1": {"guests": {"router": {"kind": "vm", "address": "10.0.0.1", "expendable": True}}},
            "n2": {"services": {"resolver": {"address": "10.0.0.53"}}},
        },
        networks={"lan": lan},
    )
    first, second = outlook(Blueprint(fleet), ["n1", "n2"]).reimages
    assert len(first.against) == len(second.against) == 2
    (alone,) = outlook(Blueprint(fleet), ["n2"]).reimages
    assert alone.against == ("the first name server 10.0.0.53 is resolver on n2, which is down, too",)
