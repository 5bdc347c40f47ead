"""Facts of the fleet file as hooks read them, and parameters that name something of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.hook_facts import COLUMNS, FleetFacts
from ventoy_kit.fleet.hook_params import VALUE_BYTES
from ventoy_kit.fleet.hook_rules import check_hooks
from ventoy_kit.fleet.hooks import HookSpec, check_params, parse_hook
from ventoy_kit.fleet.schema import Fleet

ALLIANCE = Path(__file__).resolve().parents[2] / "examples" / "alliance" / "fleet.yaml"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    fleet, _, report = decode_fleet(ALLIANCE.read_bytes(), str(ALLIANCE))
    assert fleet is not None, list(report)
    return fleet


def spec(**declared: Any) -> HookSpec:
    named = {
        "name": "test",
        "script": "#!/bin/sh\n",
        "summary": "x",
        "verifies": "x",
        "systems": {"debian": ["12"]},
    }
    return HookSpec.model_validate({**named, **declared})


def rows(table: str) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in table.split("\n"))
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_every_table_has_its_columns_and_no_empty_cell(fleet):
    facts = FleetFacts(fleet)
    for name in fleet.nodes:
        tables = facts.of(name)
        assert set(tables) == set(COLUMNS)
        for table, text in tables.items():
            lines = [line.split("\t") for line in text.split("\n")]
            assert tuple(lines[0]) == COLUMNS[table]
            assert all(len(line) == len(lines[0]) and all(line) for line in lines)


def test_tables_say_what_the_fleet_file_says(fleet):
    for name, node in fleet.nodes.items():
        tables = FleetFacts(fleet).of(name)
        assert {r["name"]: r["mac"] for r in rows(tables["nics"])} == {
            n: nic.mac for n, nic in node.hardware.nics.items()
        }
        (management,) = (r["name"] for r in rows(tables["nics"]) if r["use"] == "management")
        assert management == node.network.nic
        assert [r["passthrough"] == "true" for r in rows(tables["gpus"])] == [
            g.passthrough for g in node.hardware.gpus
        ]
        assert {r["name"]: r["serial"] for r in rows(tables["disks"])} == {
            n: d.serial or "-" for n, d in node.disks.items()
        }
        assert {r["name"] for r in rows(tables["pools"])} >= {d.pool for d in node.disks.values() if d.pool}
        assert [r["name"] for r in rows(tables["nodes"])] == list(fleet.nodes)
        (system,) = rows(tables["system"])
        assert system["memory"] == str(node.hardware.memory)


@pytest.mark.parametrize(
    ("declared", "given", "arrives"),
    [
        ({"type": "size"}, "16 GiB", 16 << 30),
        ({"type": "mac"}, "D8-43-AE-00-0A-01", "d8:43:ae:00:0a:01"),
        ({"type": "pci_id"}, "10de:27b0", "10de:27b0"),
        ({"type": "address"}, "10.0.0.1", "10.0.0.1"),
        ({"type": "list", "items": "mac"}, ["D8-43-AE-00-0A-01"], ("d8:43:ae:00:0a:01",)),
        ({"type": "list", "items": "package"}, ["vim"], ("vim",)),
    ],
)
def test_values_of_a_form(declared, given, arrives):
    made = spec(parameters={"x": {"description": "x", **declared}})
    values, report = check_params(made, {"x": given}, ())
    assert not list(report)
    assert values == {"x": arrives}


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        ({"type": "size"}, "much"),
        ({"type": "mac"}, "$(reboot)"),
        ({"type": "pci_id"}, "10de"),
        ({"type": "list", "items": "address"}, ["10.0.0.256"]),
        ({"type": "package"}, "-o evil"),
    ],
)
def test_values_of_no_form(declared, given):
    made = spec(parameters={"x": {"description": "x", **declared}})
    (finding,) = check_params(made, {"x": given}, ())[1]
    assert finding.rule.code == "VK-H12"
    assert finding.remedy


def test_a_name_must_be_one_of_the_node(fleet):
    name, node = next(iter(fleet.nodes.items()))
    nic = next(iter(node.hardware.nics))
    names = FleetFacts(fleet).names(name)
    made = spec(parameters={"nics": {"description": "x", "type": "list", "items": "nic"}})
    assert not list(check_params(made, {"nics": [nic]}, (), names)[1])
    (finding,) = check_params(made, {"nics": [nic, f"{nic}x"]}, ("at",), names)[1]
    assert (finding.rule.code, finding.path) == ("VK-H16", ("at", "nics", 1))
    assert finding.remedy == f"Did you mean `{nic}`?"


def chosen(fleet: Fleet, made: HookSpec, **params: object) -> list[str]:
    with_hook = fleet.model_copy(
        update={"defaults": fleet.defaults.model_copy(update={"hooks": (hook_use(made.name, params),)})}
    )
    bare = {n: node.model_copy(update={"hooks": ()}) for n, node in with_hook.nodes.items()}
    found = check_hooks(with_hook.model_copy(update={"nodes": bare}), {made.name: made})
    return [finding.rule.code for finding in found]


def hook_use(name: str, params: dict[str, object]) -> Any:
    from ventoy_kit.fleet.schema import HookUse

    return HookUse(name=name, params=params)


def test_a_default_hooks_name_must_be_known_on_every_node(fleet):
    made = spec(parameters={"gpu": {"description": "x", "type": "gpu"}})
    owner = next(node for node in fleet.nodes.values() if node.hardware.gpus)
    gpu = owner.hardware.gpus[0].id
    without = [n for n in fleet.nodes.values() if gpu not in [g.id for g in n.hardware.gpus]]
    assert chosen(fleet, made, gpu=gpu) == ["VK-H16"] * len(without)


def test_a_required_hook_that_is_missing_is_found(fleet):
    assert set(chosen(fleet, spec(requires=["other"]))) == {"VK-H08"}


def test_a_table_too_large_for_a_variable_is_found(fleet):
    base = next(iter(fleet.nodes.values()))
    many = {f"node{n:05}": base for n in range(VALUE_BYTES // 30)}
    large = fleet.model_copy(update={"nodes": many})
    assert "VK-H17" in chosen(large, spec(facts=["nodes"]))
    assert chosen(fleet, spec(facts=["nodes", "system"])) == []


@pytest.mark.parametrize(
    "declared",
    [
        "type: nic\n    default: lan0",
        "type: string\n    items: mac",
        "type: mac\n    pattern: .*",
        "type: size\n    default: much",
    ],
)
def test_declarations_that_make_no_sense(declared):
    text = f"summary: x\nsystems: {{debian: ['12']}}\nverifies: x\nparameters:\n  x:\n    description: x\n    {declared}\n"
    made, report = parse_hook("test", {"hook.yaml": text, "hook.sh": "#!/bin/sh\n"})
    assert made is None
    assert [f.rule.code for f in report] == ["VK-H06"]


def test_phase_is_what_the_order_says():
    assert [spec(order=n).phase for n in (0, 99, 100, 599, 700, 999)] == [
        "boot", "boot", "packages", "everything else", "cluster", "cluster",
    ]  # fmt: skip
