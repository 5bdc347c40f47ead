"""Facts to nodes: what comes of any machine decodes, equals the facts, and leaves the rest of the file as it was."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleets import BASE, as_yaml, base_fleet, library
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.edit import insert, merged
from ventoy_kit.fleet.placeholders import is_placeholder_serial
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.hardware.inventory import DiskFacts, Inventory, NicFacts, PciFacts
from ventoy_kit.plan.adopt import Recorded, adopt, as_additions, guess_profile, title
from ventoy_kit.plan.hardware_rules import check_hardware, is_stick_like
from ventoy_kit.report import Report

HEAD = "# ours\n"
TEXT = HEAD + BASE.read_text().replace("nodes:\n", "nodes: # the machines\n") + "  # the end\n"


def adopted(text: str, *recorded: Recorded) -> tuple[str, Fleet, Report]:
    """The fleet file after an adoption, as `ventoy-kit adopt` makes it."""
    fleet, marked, report = decode_fleet(text.encode(), "fleet.yaml")
    assert fleet is not None, list(report)
    assert marked is not None
    found, report = adopt(fleet, marked.value, recorded, library().profiles)
    additions = as_additions(found)
    new = insert(text, marked, additions) if additions.values else text
    after, again, problems = decode_fleet(new.encode(), "fleet.yaml")
    assert after is not None, (new, list(problems))
    assert again is not None
    assert again.value == merged(marked.value, additions.values)
    return new, after, report


def of(name: str | None, inventory: Inventory) -> Recorded:
    return Recorded(f"hardware/{name}.json", name, inventory)


ALPHA = Inventory(
    disks=(DiskFacts("nvme0n1", 1000204886016, "Samsung 990", "S7ALPHA0001", "0025385b71b0a1c2"),),
    nics=(NicFacts("eno1", "d8:43:ae:00:0a:01", "d8:43:ae:00:0a:01"),),
    dmi={"product_serial": "ALPHA01", "product_uuid": "4C4C4544-0031-3510-8057-B4C04F4D3533"},
    root=True,
)
GAMMA = Inventory(
    disks=(
        DiskFacts("nvme0n1", 2000398934016, "Samsung SSD 990 PRO 2TB", "S7X", "0025385b71b0a1c9"),
        DiskFacts("sda", 32 * 10**9, "USB STICK", "ST1", transport="usb", removable=True),
        DiskFacts("sdb", 10**12, "Bridge"),
        DiskFacts("sdc", 10**12, 'Odd "model"', "0000001E10"),
    ),
    nics=(
        NicFacts("enp1s0", "d8:43:ae:00:0c:01", "d8:43:ae:00:0c:01"),
        NicFacts("enp2s0", "00:e0:4c:00:0c:25", "00:e0:4c:00:0c:25", speed=2500),
        NicFacts("wwan0", "", None),
    ),
    dmi={"product_serial": "GAMMA03", "product_name": "OptiPlex 7050", "sys_vendor": "Dell Inc."},
    pci=(
        PciFacts("0000:00:02.0", "030000", "8086", "5912", title="Intel Corporation HD Graphics 630"),
        PciFacts("0000:01:00.0", "030000", "10de", "27b0"),
        PciFacts("0000:02:00.0", "030000", "10de", "27b0"),
        PciFacts("0000:03:00.0", "020000", "8086", "15f3"),
    ),
    cpu="Intel(R) Core(TM) i7-7700 CPU @ 3.60GHz",
    modules=(16 << 30, 16 << 30),
    root=True,
)


def test_a_new_machine_becomes_a_node():
    new, fleet, report = adopted(TEXT, of("gamma", GAMMA))
    assert new.startswith(TEXT.removesuffix("  # the end\n"))
    assert new.endswith("  # the end\n") or "  # the end\n" in new
    lines = new[new.index("  gamma:") :].splitlines()
    assert lines[:17] == [
        "  gamma: # adopted from hardware/gamma.json",
        "    title: gamma (OptiPlex 7050)",
        "    model: dell-optiplex-7050-micro",
        "    identity: {serial: GAMMA03}",
        "    hardware:",
        '      cpu: "Intel(R) Core(TM) i7-7700 CPU @ 3.60GHz"',
        "      memory: 32 GiB",
        "      gpus:",
        '        - {id: "8086:5912", title: Intel Corporation HD Graphics 630}',
        '        - {id: "10de:27b0", address: "0000:01:00.0"}',
        '        - {id: "10de:27b0", address: "0000:02:00.0"}',
        "      nics:",
        '        enp1s0: {mac: "d8:43:ae:00:0c:01"}',
        '        enp2s0: {mac: "00:e0:4c:00:0c:25"}',
        "    disks: # every disk is kept; write `use: system` at the one to install to",
        '      nvme0n1: {use: keep, serial: S7X, wwn: "0025385b71b0a1c9", model: Samsung SSD 990 PRO 2TB, size: 2 TB}',
        '      sdc: {use: keep, serial: "0000001E10", model: Odd model, size: 1 TB}',
    ]
    node = fleet.nodes["gamma"]
    assert (node.network.nic, str(node.network.address)) == ("enp2s0", "10.0.0.2/24")  # the one with a link
    assert [f.rule.code for f in report] == ["VK-Q19", "VK-Q19"]
    assert adopted(new, of("gamma", GAMMA))[0] == new


def test_the_address_that_it_had_is_kept_and_free_ones_differ():
    nics = (
        NicFacts("a0", "d8:43:ae:00:0c:01", "d8:43:ae:00:0c:01", addresses=("fe80::1/64", "10.0.0.77/24")),
    )
    _, fleet, _ = adopted(
        TEXT,
        of("one", replace(GAMMA, nics=nics)),
        of("two", Inventory(nics=(NicFacts("a0", "d8:43:ae:00:0d:01", "d8:43:ae:00:0d:01"),))),
        of("three", Inventory(nics=(NicFacts("a0", "d8:43:ae:00:0e:01", "d8:43:ae:00:0e:01"),))),
    )
    assert [str(fleet.nodes[n].network.address.ip) for n in ("one", "two", "three")] == [
        "10.0.0.77",
        "10.0.0.2",
        "10.0.0.3",
    ]


def test_a_known_node_learns_what_it_lacks_and_keeps_what_it_says():
    new, fleet, _ = adopted(TEXT, of(None, ALPHA))  # recognised by its serial number
    disk = '      disk0: {use: system, serial: S7ALPHA0001, size: 1 TB, wwn: "0025385b71b0a1c2", model: Samsung 990}'
    assert disk in new.splitlines()
    assert fleet.nodes["alpha"].identity.uuid == "4c4c4544-0031-3510-8057-b4c04f4d3533"
    assert fleet.nodes["alpha"].disks["disk0"].use == "system"
    assert adopted(new, of("alpha", ALPHA))[0] == new
    more = replace(
        ALPHA,
        disks=(*ALPHA.disks, DiskFacts("disk0", 10**12, "", "NEW1")),
        nics=(*ALPHA.nics, NicFacts("lan0", "00:e0:4c:00:0c:25", "00:e0:4c:00:0c:25")),
    )
    new, fleet, _ = adopted(TEXT, of(None, more))
    assert fleet.nodes["alpha"].disks["disk0-2"].use == "keep"
    assert fleet.nodes["alpha"].hardware.nics["lan0-2"].mac == "00:e0:4c:00:0c:25"
    assert adopted(new, of(None, more))[0] == new


@pytest.mark.parametrize(
    ("recorded", "code"),
    [
        ([of("alpha", replace(ALPHA, dmi={"product_serial": "OTHER"}, nics=()))], "VK-Q04"),
        ([of("beta", GAMMA)], "VK-Q04"),
        ([of("Gamma!", GAMMA)], "VK-Q17"),
        ([of(None, GAMMA)], "VK-Q17"),
        ([of(None, replace(GAMMA, hostname="localhost"))], "VK-Q17"),
        ([of("gamma", GAMMA), of("gamma", GAMMA)], "VK-Q18"),
        ([of("x", ALPHA), of("y", ALPHA)], "VK-Q18"),
        ([of("gamma", GAMMA), of("delta", GAMMA)], "VK-Q18"),
        (
            [of("x", Inventory(nics=(NicFacts("e", "", "01:00:5e:00:00:01"), NicFacts("f", "", "zz"))))],
            "VK-Q20",
        ),
        ([of("x", replace(ALPHA, dmi={"product_serial": "ALPHA01", "product_uuid": "BETA"}))], None),
        ([of("gamma", replace(GAMMA, nics=()))], "VK-Q20"),
    ],
)
def test_what_cannot_be_adopted_is_said_and_changes_nothing_of_it(recorded, code):
    _, _, report = adopted(TEXT, *recorded)
    errors = [f.rule.code for f in report if f.severity == "error"]
    assert errors[:1] == ([] if code is None else [code])


def test_a_machine_that_two_nodes_declare_is_refused():
    text = TEXT.replace("identity: {serial: BETA002}", "identity: {serial: ALPHA01}")
    assert [f.rule.code for f in adopted(text, of(None, ALPHA))[2]] == ["VK-Q18"]


def test_a_network_without_a_free_address_is_said():
    text = TEXT.replace("10.0.0.0/24", "10.0.0.0/28").replace("/24", "/28")
    full = [
        of(f"n{n}", Inventory(nics=(NicFacts("e", "", f"d8:43:ae:00:0c:{n:02x}"),))) for n in range(1, 14)
    ]
    _, fleet, report = adopted(text, *full)
    assert {f.rule.code for f in report} == {"VK-Q20"}
    assert len(fleet.nodes) == 2 + 11  # 14 hosts, less the gateway, 10.0.0.11 and 10.0.0.12


@pytest.mark.parametrize(
    ("dmi", "profile"),
    [
        ({"product_name": "OptiPlex 7050"}, "dell-optiplex-7050-micro"),
        ({"product_name": "OptiPlex 7055"}, "generic-uefi"),
        ({"product_name": "10MQS1", "product_version": "ThinkCentre M920q"}, "lenovo-thinkcentre-tiny"),
        ({"product_name": "Default string"}, "generic-uefi"),
        ({}, "generic-uefi"),
    ],
)
def test_the_profile_is_guessed_by_the_products_name(dmi, profile):
    assert guess_profile(Inventory(dmi=dmi), library().profiles) == profile


def test_a_title_has_no_characters_that_steer_anything():
    assert title('  a\x1b[31m "b"  $c\\ `d`\u202e ') == "a [31m b c d"
    assert title("\x00") is None
    assert len(title("x" * 200) or "") == 80


# Any machines

HEX = "0123456789abcdef"
SERIALS = st.text(st.sampled_from("0F1aE:#{}-x_,&*!|'\"%@`~?."), min_size=1, max_size=12) | st.sampled_from(
    ["1E10", "0x1F", "null", "true", "007", "S7X"]
)
REAL = SERIALS.filter(lambda t: not is_placeholder_serial(t))
WWNS = st.text(st.sampled_from(HEX), min_size=8, max_size=16).filter(lambda t: not is_placeholder_serial(t))
TITLES = st.text(st.characters(max_codepoint=0x2FF), max_size=100)
DISKS = st.builds(
    DiskFacts,
    name=st.just(""),
    size=st.sampled_from([0, 512, 10**9, 1000204886016, 4000787030016]),
    model=TITLES,
    serial=st.none() | REAL,
    wwn=st.none() | WWNS,
    removable=st.booleans(),
    transport=st.sampled_from(["usb", "nvme", "ata", None]),
)
MACS = st.lists(st.sampled_from([f"{n:02x}" for n in range(0, 256, 4)]), min_size=6, max_size=6).map(":".join)


@st.composite
def inventories(draw: Any) -> Inventory:
    disks = draw(st.lists(DISKS, max_size=5))
    macs = draw(st.lists(MACS.filter(lambda m: set(m) != {"0", ":"}), min_size=1, max_size=4, unique=True))
    dmi = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "product_serial": SERIALS,
                "product_uuid": st.uuids().map(str),
                "product_name": TITLES | st.just("OptiPlex 7050"),
            },
        )
    )
    return Inventory(
        disks=tuple(replace(d, name=f"sd{chr(97 + n)}") for n, d in enumerate(disks)),
        nics=tuple(NicFacts(f"eth{n}", mac, mac) for n, mac in enumerate(macs)),
        dmi=dmi,
        pci=tuple(
            PciFacts(f"0000:0{n}:00.0", "030000", "10de", "27b0") for n in range(draw(st.integers(0, 2)))
        ),
        cpu=draw(st.none() | TITLES),
        modules=tuple(draw(st.lists(st.sampled_from([1 << 30, 24 << 30]), max_size=2))),
        root=True,
    )


@settings(deadline=None, max_examples=150)
@given(inventories())
def test_any_machine_comes_back_as_it_was_recorded(inventory):
    new, fleet, report = adopted(TEXT, of("gamma", inventory))
    node = fleet.nodes["gamma"]
    serials, wwns = Counter(d.serial for d in inventory.disks), Counter(d.wwn for d in inventory.disks)
    expected = {}
    for disk in inventory.disks:
        serial = disk.serial if serials[disk.serial] == 1 else None
        wwn = disk.wwn if wwns[disk.wwn] == 1 else None
        if (serial or wwn) and not is_stick_like(disk):
            expected[disk.name] = (serial, wwn, disk.size)
    found = {name: (d.serial, d.wwn, d.size or 0) for name, d in node.disks.items()}
    assert {n: v[:2] for n, v in found.items()} == {n: v[:2] for n, v in expected.items()}
    assert all(abs(found[n][2] - expected[n][2]) * 10 <= expected[n][2] for n in expected)
    assert all(d.use == "keep" for d in node.disks.values())
    left_out = [f for f in report if f.rule.code == "VK-Q19"]
    assert len(left_out) == len(inventory.disks) - len(expected)
    assert {n.mac for n in node.hardware.nics.values()} == {n.permanent_mac for n in inventory.nics}
    assert [g.id for g in node.hardware.gpus] == [p.id for p in inventory.pci or ()]
    assert node.identity.uuid == inventory.dmi.get("product_uuid")
    head, _, _ = new.partition("  gamma:")
    assert head == TEXT.removesuffix("  # the end\n") or head == TEXT
    assert adopted(new, of("gamma", inventory))[0] == new
    errors = [f for f in check_hardware(fleet, {"gamma": inventory}) if f.severity == "error"]
    assert not errors


@settings(deadline=None, max_examples=100)
@given(inventories(), inventories())
def test_a_known_node_learns_and_nothing_that_it_says_changes(first, second):
    text, fleet, _ = adopted(TEXT, of("gamma", first))
    second = replace(second, dmi=first.dmi, nics=(*first.nics, *second.nics[:1]))
    new, after, _ = adopted(text, of("gamma", second))
    before, now = fleet.nodes["gamma"], after.nodes["gamma"]
    for name, disk in before.disks.items():
        told = disk.model_dump(exclude_none=True)
        assert told.items() <= now.disks[name].model_dump(exclude_none=True).items()
    assert now.hardware.nics.items() >= before.hardware.nics.items()
    assert now.title == before.title
    assert all(d.use == "keep" for d in now.disks.values())
    assert adopted(new, of("gamma", second))[0] == new


def machines(count: int) -> list[Recorded]:
    def one(number: int) -> Inventory:
        mac = f"d8:43:ae:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        disks = tuple(DiskFacts(f"sd{chr(97 + n)}", 10**12, "Disk", f"S{number:05}X{n}") for n in range(4))
        return Inventory(disks, (NicFacts("eno1", mac, mac),), {"product_serial": f"N{number:05}"}, root=True)

    return [of(f"n{number}", one(number)) for number in range(count)]


@pytest.mark.slow
def test_cost_grows_with_the_number_of_machines():
    text = as_yaml(base_fleet({}))

    def cost(count: int) -> tuple[float, float]:
        recorded = machines(count)
        start = time.process_time()
        _, fleet, report = adopted(text, *recorded)
        middle = time.process_time()
        assert not list(report)
        assert not list(check_hardware(fleet, {r.name or "": r.inventory for r in recorded}))
        return middle - start, time.process_time() - middle

    cost(10)
    one, two = cost(1000), cost(2000)
    print(
        f"1,000 machines: adopt {one[0]:.2f} s, compare {one[1]:.2f} s; 2,000: {two[0]:.2f} s, {two[1]:.2f} s"
    )
    assert one[0] < 10
    assert two[0] < 3 * one[0]
    assert two[1] < 3 * one[1] + 0.1
