"""What `build` says of a simulated node, judged by other code than the boot hook's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.fleets import as_yaml, base_fleet, host, library, node, plan_of
from tests.support.hardware import FALCON, TB, nic, nvme
from ventoy_kit.app.answer import _node_blocks, _node_data
from ventoy_kit.app.outcome import Table
from ventoy_kit.app.simulation import Facts, NodeResult, simulate_nodes
from ventoy_kit.hardware.inventory import DiskFacts
from ventoy_kit.payload.render import node_answer

pytestmark = pytest.mark.needs_tool("sh", "dd")

MATCHED = 'VK_REPLY="${VK_REPLY}${VK_REPLY:+ }${VK_ITS_NAME}"'


def rules(disks: tuple[DiskFacts, ...], boot: Mapping[str, str]) -> list[str]:
    """Rules of the findings about the first node on a machine with these disks."""
    described = node(2)
    plan = plan_of(as_yaml(base_fleet({"n2": described})).encode())
    mac = described["hardware"]["nics"]["lan0"]["mac"]
    dmi = {"product_serial": described["identity"]["serial"]}
    inventory = replace(FALCON, disks=disks, nics=(nic("enp2s0", mac),), dmi=dmi)
    files, _ = node_answer(plan, library(), plan.node("n2"))
    answers = {"n2": files["answer.toml"]}
    _, report = simulate_nodes(plan, {"n2": Facts(inventory, "efi")}, answers, boot, host())
    return [f"{f.rule.code} {f.message.split('(')[-1][:6]}" for f in report]


def of_debian(*addresses: str) -> tuple[NodeResult, list[str]]:
    """A Debian node on a machine with its disk, another, and interfaces of these addresses; rules of the findings."""
    described = node(2, install={"image": "debian", "filesystem": "ext4"})
    fleet = base_fleet({"n2": described})
    fleet["defaults"] = {**fleet["defaults"], "debian_mirror": "http://mirror.example/debian"}
    plan = plan_of(as_yaml(fleet).encode())
    nics = tuple(nic(f"enp{number}s0", mac) for number, mac in enumerate(addresses, start=1))
    dmi = {"product_serial": described["identity"]["serial"]}
    disks = (nvme(0, "OTHER", size=TB), nvme(1, serial(), size=TB))
    facts = Facts(replace(FALCON, disks=disks, nics=nics, dmi=dmi), "efi")
    (result,), report = simulate_nodes(plan, {"n2": facts}, {}, library().boot, host())
    return result, [f"{f.rule.code} {f.message}" for f in report]


MAC = node(2)["hardware"]["nics"]["lan0"]["mac"]


def test_of_debian_the_interface_with_the_address_is_taken():
    result, found = of_debian("d8:43:ae:ff:ff:01", MAC, "d8:43:ae:ff:ff:02")
    assert found == []
    assert [(v.name, v.taken) for v in result.interfaces] == [
        ("enp1s0", False),
        ("enp2s0", True),
        ("enp3s0", False),
    ]
    data = _node_data(result)
    assert data["nic"] == "enp2s0"
    assert [d["name"] for d in data["wiped"]] == ["nvme1n1"]
    assert {d["name"]: d["why"] for d in data["disks"]}["nvme0n1"] == "not declared"
    tables = [b for b in _node_blocks(result) if isinstance(b, Table)]
    assert tables[0].rows[1][0] == "WIPED (1)"
    assert tables[1].rows[1][:2] == ("management", "enp2s0")
    assert tables[1].rows[0][3] == f"its address is d8:43:ae:ff:ff:01, not {MAC}"


def test_of_debian_an_interface_that_is_missing_is_found_before_the_boot():
    result, found = of_debian("d8:43:ae:ff:ff:01")
    (said,) = found
    assert said.startswith(f"VK-E24 no interface has the address {MAC}")
    assert "Configure the network" in said
    assert _node_data(result)["nic"] is None


def test_of_debian_facts_without_interfaces_tell_nothing():
    result, found = of_debian()
    assert (result.interfaces, found) == ((), [])


def serial() -> str:
    found: str = node(2)["disks"]["disk0"]["serial"]
    return found


def test_the_one_disk_is_found_whatever_its_name():
    others = [nvme(number, f"OTHER{number}") for number in (0, 1, 2)]
    for number in (0, 1, 2):
        disks = tuple(nvme(n, serial(), size=TB) if n == number else others[n] for n in (0, 1, 2))
        assert rules(disks, library().boot) == []


def test_two_devices_with_its_identifiers_are_refused_by_the_hook():
    disks = (nvme(0, serial(), size=TB), nvme(1, serial(), size=TB))
    assert rules(disks, library().boot) == ["VK-E25 VK-B22"]


@pytest.mark.parametrize("taken", ["VK_REPLY=${VK_ITS_NAME}", "VK_REPLY=${VK_REPLY:-${VK_ITS_NAME}}"])
def test_a_hook_that_told_them_apart_by_their_order_would_be_found_out(taken):
    text = library().boot["disks.sh"]
    assert text.count(MATCHED) == 1
    boot = {**library().boot, "disks.sh": text.replace(MATCHED, taken)}
    disks = (nvme(0, serial(), size=TB), nvme(1, serial(), size=TB))
    assert [rule.split()[0] for rule in rules(disks, boot)] == ["VK-E23"]


def test_a_hook_that_took_another_disk_would_be_found_out():
    text = library().boot["disks.sh"]
    compared = '[ "${vk_wanted_serial}" = - ] ||'
    assert text.count(compared) == 1
    boot = {**library().boot, "disks.sh": text.replace(compared, '[ "${VK_ITS_NAME}" = nvme0n1 ] ||')}
    assert [rule.split()[0] for rule in rules((nvme(0, "OTHER", size=TB),), boot)] == ["VK-E21"]
