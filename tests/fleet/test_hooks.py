"""Reading hook folders and checking the parameters of a fleet file against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.fleet import codes as fleet_codes
from ventoy_kit.fleet import hook_codes as codes
from ventoy_kit.fleet.hook_params import VALUE_BYTES
from ventoy_kit.fleet.hooks import HookSpec, check_params, in_order, parse_hook
from ventoy_kit.report import Report, Severity

YAML = """\
summary: a
systems: {debian: [12, "13"], proxmox-ve: ["9"]}
verifies: b
parameters:
  channel: {type: enum, choices: [enterprise, no-subscription], default: no-subscription, description: c}
  keys: {type: list, pattern: "[a-z]+", maximum: 2, description: d}
  size: {type: integer, minimum: 1, maximum: 9, required: true, description: e}
  on: {type: boolean, description: f}
  word: {type: string, description: g}
"""
SCRIPT = "#!/bin/sh\ntrue\n"


def spec_of(text: str = YAML, script: str = SCRIPT, **more: str) -> HookSpec:
    spec, report = parse_hook("h", {"hook.yaml": text, "hook.sh": script, **more})
    assert spec is not None, list(report)
    return spec


def one(report: Report) -> Any:
    assert len(report) == 1, [(f.rule.code, f.message) for f in report]
    return next(iter(report))


def check(params: Mapping[str, object]) -> Report:
    return check_params(spec_of(), {"size": 1, **params}, ("nodes", "falcon", "hooks", 0, "params"))[1]


def test_a_hook_is_read_with_defaults():
    spec = spec_of()
    assert (spec.name, spec.script, spec.order, spec.timeout, spec.needs_reboot) == (
        "h",
        SCRIPT,
        500,
        600,
        False,
    )
    assert spec.systems == {"debian": ("12", "13"), "proxmox-ve": ("9",)}
    values, report = check_params(spec, {"size": 5}, ())
    assert list(report) == []
    assert values == {"channel": "no-subscription", "keys": (), "size": 5, "on": False, "word": ""}


@pytest.mark.parametrize(
    ("family", "release", "supported"),
    [
        ("debian", "12", True),
        ("debian", "12.11", True),
        ("debian", "11", False),
        ("proxmox-ve", "9.1-1", True),
        ("proxmox-ve", "12", False),
        ("systemrescue", "12", False),
    ],
)
def test_supported_systems(family, release, supported):
    assert spec_of().supports(family, release) is supported


@pytest.mark.parametrize(
    ("old", "new", "rule", "line", "says"),
    [
        ("summary: a", "sumary: a", fleet_codes.UNKNOWN_KEY, 1, "sumary"),
        ("type: enum,", "type: enumm,", fleet_codes.WRONG_VALUE, 5, "enumm"),
        ("verifies: b", "verifies: [b]", fleet_codes.WRONG_TYPE, 3, "verifies"),
        ("verifies: b", "verifies: b\ntimeout: 0", fleet_codes.WRONG_VALUE, 4, "0"),
        ("verifies: b", "verifies: b\nneeds_reboot: no", fleet_codes.WRONG_TYPE, 4, "no"),
        ("proxmox-ve:", "proxmox:", fleet_codes.WRONG_VALUE, 2, "proxmox"),
        ("verifies: b", "verifies: b\nsummary: c", fleet_codes.DUPLICATE_KEY, 4, "summary"),
        ("verifies: b", "verifies: 'b", fleet_codes.SYNTAX, None, ""),
        ("pattern: ", "default: [B], pattern: ", codes.PARAMETER_SPEC, 6, "cannot be `B`"),
        ('"[a-z]+"', '"[a-z"', codes.PARAMETER_SPEC, 6, "regular expression"),
        ("type: boolean,", "type: boolean, minimum: 1,", codes.PARAMETER_SPEC, 8, "limit"),
        ("type: boolean,", "type: boolean, pattern: a,", codes.PARAMETER_SPEC, 8, "pattern"),
        ("required: true", "required: true, default: 3", codes.PARAMETER_SPEC, 7, "required"),
        ("choices: [enterprise, no-subscription], ", "", codes.PARAMETER_SPEC, 5, "choices"),
        ("  word:", "  Wo-rd:", codes.PARAMETER_SPEC, 9, "Wo-rd"),
    ],
)
def test_mistakes_in_hook_yaml_are_pointed_at(old, new, rule, line, says):
    spec, report = parse_hook("h", {"hook.yaml": YAML.replace(old, new, 1), "hook.sh": SCRIPT})
    assert spec is None
    found = [f for f in report if f.rule is rule]
    assert found, [(f.rule.code, f.message) for f in report]
    assert found[0].place is not None
    assert found[0].place.file == "hooks/h/hook.yaml"
    if line is not None:
        assert found[0].place.line == line
    assert says in found[0].message


@pytest.mark.parametrize("text", ["", "[]", "word", "summary: a"])
def test_a_declaration_that_is_none(text):
    spec, report = parse_hook("h", {"hook.yaml": text, "hook.sh": SCRIPT})
    assert spec is None
    assert report.has_errors


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("true\n", codes.SCRIPT),
        ("#!/bin/sh\ntrue", codes.SCRIPT),
        ("#!/bin/sh\r\ntrue\r\n", codes.SCRIPT),
        ("#!/bin/sh\n\0\n", codes.SCRIPT),
        ("#!/bin/sh\n\udc80\n", codes.SCRIPT),
        ("#!/bin/sh\nset -eux\n", codes.TRACE),
        ("#!/bin/bash\n  set -o xtrace\n", codes.TRACE),
        ("#!/bin/sh -x\ntrue\n", codes.TRACE),
    ],
)
def test_scripts_that_cannot_be_carried(script, rule):
    spec, report = parse_hook("h", {"hook.yaml": YAML, "hook.sh": script})
    assert spec is None
    assert one(report).rule is rule


@pytest.mark.parametrize("name", ["_runner", "A", "a b", "-a", "a-", "a" * 33, "a/b", "a;b", "ä", ""])
def test_names_that_are_none(name):
    spec, report = parse_hook(name, {"hook.yaml": YAML, "hook.sh": SCRIPT})
    assert spec is None
    assert one(report).rule is codes.NAME


def test_missing_and_unused_files():
    spec, report = parse_hook("h", {"README.md": ""})
    assert spec is None
    assert [f.rule for f in report] == [codes.MISSING_FILE] * 2
    spec, report = parse_hook("h", {"hook.yaml": YAML, "hook.sh": SCRIPT, "apply.sh": SCRIPT})
    assert spec is not None
    assert one(report).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("params", "rule", "at", "says", "remedy"),
    [
        ({"chanel": "enterprise"}, codes.UNKNOWN_PARAMETER, ("chanel",), "chanel", "Did you mean `channel`?"),
        ({"zzz": 1}, codes.UNKNOWN_PARAMETER, ("zzz",), "zzz", "channel, keys, size, on, word"),
        ({"size": "big"}, codes.PARAMETER_TYPE, ("size",), "`big`", ""),
        ({"size": True}, codes.PARAMETER_TYPE, ("size",), "true", ""),
        ({"size": None}, codes.PARAMETER_TYPE, ("size",), "nothing", ""),
        ({"on": "yes"}, codes.PARAMETER_TYPE, ("on",), "yes", "true"),
        ({"on": 1}, codes.PARAMETER_TYPE, ("on",), "`1`", ""),
        ({"word": ["a"]}, codes.PARAMETER_TYPE, ("word",), "list", ""),
        ({"word": False}, codes.PARAMETER_TYPE, ("word",), "false", "Quote"),
        ({"keys": "abc"}, codes.PARAMETER_TYPE, ("keys",), "`abc`", "list"),
        ({"keys": [["a"]]}, codes.PARAMETER_TYPE, ("keys",), "a list", ""),
        ({"size": 10}, codes.PARAMETER_VALUE, ("size",), "10", "at most 9"),
        ({"size": 0}, codes.PARAMETER_VALUE, ("size",), "0", "at least 1"),
        (
            {"channel": "enterprize"},
            codes.PARAMETER_VALUE,
            ("channel",),
            "enterprize",
            "Did you mean `enterprise`?",
        ),
        ({"keys": ["ok", "NO"]}, codes.PARAMETER_VALUE, ("keys", 1), "`NO`", "[a-z]+"),
        ({"keys": ["a", "b", "c"]}, codes.PARAMETER_VALUE, ("keys",), "3 items", "at most 2"),
        ({"word": "a\0b"}, codes.PARAMETER_TEXT, ("word",), "NUL", ""),
        ({"word": "\udc80"}, codes.PARAMETER_TEXT, ("word",), "surrogate", ""),
        ({"word": "ä" * VALUE_BYTES}, codes.PARAMETER_TEXT, ("word",), "200000 bytes", ""),
    ],
)
def test_wrong_parameters(params, rule, at, says, remedy):
    finding = one(check(params))
    assert finding.rule is rule
    assert finding.path == ("nodes", "falcon", "hooks", 0, "params", *at)
    assert says in finding.message
    assert remedy in finding.remedy


def test_a_list_item_of_several_lines_is_refused():
    spec = spec_of(YAML.replace('pattern: "[a-z]+", ', ""))
    assert one(check_params(spec, {"size": 1, "keys": ["a\nb"]}, ())[1]).rule is codes.PARAMETER_TEXT


def test_a_missing_required_parameter_and_all_mistakes_at_once():
    values, report = check_params(spec_of(), {"on": 3, "chanel": 1}, ("p",))
    assert [f.rule for f in report] == [
        codes.UNKNOWN_PARAMETER,
        codes.PARAMETER_MISSING,
        codes.PARAMETER_TYPE,
    ]
    assert "size" not in values


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                                                          st.lists, max_leaves=4), max_size=4))  # fmt: skip
def test_any_value_gives_findings_or_typed_values(params):
    spec = spec_of()
    values, report = check_params(spec, params, ())
    if not report.has_errors:
        assert list(values) == list(spec.parameters)


def named(name: str, order: int = 500, after: tuple[str, ...] = ()) -> HookSpec:
    return spec_of().model_copy(update={"name": name, "order": order, "after": after})


def test_order_is_by_number_then_name_and_waits():
    hooks = [named("b"), named("a"), named("late", 900), named("first", 1, ("late", "absent"))]
    ordered, report = in_order(hooks, ())
    assert [spec.name for spec in ordered] == ["a", "b", "late", "first"]
    assert len(report) == 0


def test_hooks_in_a_circle_are_a_finding():
    ordered, report = in_order(
        [named("a", after=("b",)), named("b", after=("a",)), named("c")], ("nodes", "x")
    )
    assert [spec.name for spec in ordered] == ["c"]
    assert one(report).rule is codes.AFTER_LOOP
    assert "a, b" in one(report).message
