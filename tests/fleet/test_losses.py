"""What dies with the system disks, and where guests and services may be said to live."""

import pytest

from tests.support.fleets import BASE
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.losses import Loss, check_storage, losses

DISKS = "      disk0: {use: system, serial: S7ALPHA0001, size: 1 TB}\n"
MORE = (
    "      tank0: {use: data, serial: S7ALPHA0002, pool: tank}\n      old: {use: keep, serial: S7ALPHA0003}\n"
)
AT = "    network: {nic: lan0, address: 10.0.0.11/24}\n"


def node(more: str):
    text = BASE.read_text().replace(DISKS, DISKS + MORE).replace(AT, AT + more)
    fleet, _, report = decode_fleet(text.encode(), "fleet.yaml")
    assert fleet is not None, [f.message for f in report]
    return fleet.nodes["alpha"]


def test_guests_must_be_named_and_services_if_they_hold_state():
    found = losses(
        node("""\
    services:
      dns: {title: Names}
      db: {stateful: true}
    guests:
      web: {kind: vm, title: The shop, services: {shop: {stateful: true}, cache: {}}}
""")
    )
    assert found == (
        Loss("dns", "service, Names", to_name=False),
        Loss("db", "service", to_name=True),
        Loss("web", "vm, The shop", to_name=True),
        Loss("web/shop", "service", to_name=True),
        Loss("web/cache", "service", to_name=False),
    )


def test_what_is_expendable_dies_without_being_named_but_not_the_state_in_it():
    found = losses(
        node("""\
    guests:
      web: {kind: vm, expendable: true, services: {shop: {stateful: true}}}
      lab: {kind: container, services: {toy: {stateful: true, expendable: true}}}
""")
    )
    assert {loss.name: loss.to_name for loss in found} == {
        "web": False,
        "web/shop": True,
        "lab": True,
        "lab/toy": False,
    }


@pytest.mark.parametrize(
    ("storage", "dies"), [("disk0", True), ("tank0", False), ("tank", False), ("old", False)]
)
def test_what_lives_on_another_disk_or_pool_stays(storage, dies):
    one = node(
        f"    guests:\n      web: {{kind: vm, storage: {storage}, services: {{shop: {{stateful: true}}}}}}\n"
    )
    assert list(check_storage(one, ())) == []
    assert [loss.name for loss in losses(one)] == (["web", "web/shop"] if dies else [])


def test_a_service_may_keep_its_data_elsewhere_than_its_guest():
    one = node("    guests:\n      web: {kind: vm, services: {shop: {stateful: true, storage: tank}}}\n")
    assert [loss.name for loss in losses(one)] == ["web"]


def test_an_unknown_place_is_pointed_at():
    one = node("    guests:\n      web: {kind: vm, storage: tonk, services: {shop: {storage: disk9}}}\n")
    found = list(check_storage(one, ("nodes", "alpha")))
    assert [f.path for f in found] == [
        ("nodes", "alpha", "guests", "web", "storage"),
        ("nodes", "alpha", "guests", "web", "services", "shop", "storage"),
    ]
    assert all("disk0, old, tank, tank0" in f.remedy for f in found)
