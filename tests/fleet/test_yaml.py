"""Reading YAML: nothing raises, every place lies in the file, and both readers of the library agree."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.support.fleets import BASE
from ventoy_kit.fleet import yaml_nodes
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, compose
from ventoy_kit.report import Place, Report

EXAMPLES = sorted((BASE.parents[2] / "examples").glob("*/fleet.yaml"))
PIECES = st.sampled_from(
    [
        "a",
        ": ",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        '"',
        "'",
        "&x ",
        "*x",
        "!t ",
        "# c",
        "|",
        ">",
        "? ",
        "\t",
        "\r\n",
        "é",
        "\u2028",
        "😀",
        "\x00",
        "\ufeff",
        "010",
        "no",
        "---\n",
        "%YAML 1.2\n",
        "<<",
    ]
)
SOUP = st.lists(PIECES, max_size=40).map("".join)


def check_place(place: Place | None, data: bytes) -> None:
    assert place is not None
    assert place.file == "fleet.yaml"
    text = data.decode("utf-8-sig", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert place.line is not None
    assert place.column is not None
    assert place.caret is not None
    assert 1 <= place.line <= len(lines)
    assert 1 <= place.column <= len(lines[place.line - 1]) + 1
    number, shown = place.excerpt[-1]
    assert number == place.line
    assert 1 <= place.caret <= place.caret + place.length - 1 <= max(1, len(shown) + 1)
    if place.column <= len(lines[place.line - 1]):
        assert shown[place.caret - 1] == lines[place.line - 1][place.column - 1]


def check_report(report: Report, data: bytes) -> None:
    for finding in report:
        check_place(finding.place, data)
        assert finding.message
        assert finding.remedy
        assert len(finding.message) < 400


@given(st.binary(max_size=200))
@example(b"\xff\xfea\0:\0")
@example(b"a: \xed\xa0\x80")
@example(b"\xef\xbb\xbf\xff")
def test_any_bytes_give_findings_and_never_raise(data):
    fleet, marked, report = decode_fleet(data, "fleet.yaml")
    assert fleet is None
    assert report.has_errors
    check_report(report.located(marked.locate) if marked else report, data)


@given(SOUP)
@example("a:\n\t- b")
@example("a: &x\n  b: *x\nversion: 1")
@example("version: 1\nfleet: " + "a" * 500 + " b: c")
def test_any_text_gives_findings_within_the_file(text):
    data = f"version: 1\n{text}".encode()
    fleet, marked, report = decode_fleet(data, "fleet.yaml")
    assert fleet is None
    check_report(report.located(marked.locate) if marked else report, data)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_endless_nesting_is_a_finding(opening):
    marked, report = read_marked((opening * 200_000).encode(), "fleet.yaml")
    assert marked is None
    assert [f.rule.code for f in report] == ["VK-Y02"]


def shape(node: Node | None) -> object:
    if isinstance(node, ScalarNode):
        return (node.start, node.end, node.value, node.plain)
    if isinstance(node, SequenceNode):
        return (node.start, [shape(n) for n in node.items])
    if isinstance(node, MappingNode):
        return (node.start, [(shape(k), shape(v)) for k, v in node.items])
    return None


@pytest.mark.parametrize("file", [BASE, *EXAMPLES], ids=lambda p: p.parent.name)
def test_both_readers_see_the_same_values_at_the_same_places(file):
    text = file.read_text()
    assert shape(compose(text)) == shape(compose(text, pure=True))


WORD = st.text(st.sampled_from("ab01-é\U0001f600"), min_size=1, max_size=6).filter(lambda w: w[0] != "-")
VALUE = st.one_of(
    WORD,
    WORD.map(lambda w: f'"{w}"'),
    WORD.map(lambda w: f"'{w} {w}'"),
    st.lists(WORD, max_size=3).map(lambda w: "[" + ", ".join(w) + "]"),
    st.dictionaries(WORD, WORD, max_size=3).map(
        lambda d: "{" + ", ".join(f"{k}: {v}" for k, v in d.items()) + "}"
    ),
)


@given(st.lists(st.tuples(WORD, VALUE, st.booleans()), min_size=1, max_size=6))
def test_both_readers_agree_on_made_documents(items):
    text = "".join(
        f"{key}:{chr(10) + '  - ' if nested else ' '}{value} # c\n" for key, value, nested in items
    )
    assert shape(compose(text)) == shape(compose(text, pure=True))


def test_without_the_reader_in_c_the_one_in_python_is_used(monkeypatch):
    def missing(*, typ: str, pure: bool) -> YAML:
        if not pure:
            raise AttributeError("no C extension")
        return YAML(typ=typ, pure=pure)

    monkeypatch.setattr(yaml_nodes, "YAML", missing)
    marked, report = read_marked(BASE.read_bytes(), "fleet.yaml")
    assert marked is not None
    assert len(report) == 0
    assert marked.value["nodes"]["beta"]["disks"]["disk0"]["size"] == "512 GB"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("Null", None),
        ("", None),
        ("'true'", "true"),
        ("12", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        (".5", 0.5),
        (".inf", ".inf"),
        ("0b1", "0b1"),
    ],
)
def test_plain_words_follow_the_core_schema_of_yaml_1_2(text, value):
    marked, report = read_marked(f"a: {text}\n".encode(), "f")
    assert marked is not None
    assert len(report) == 0
    assert marked.value == {"a": value}
    assert type(marked.value["a"]) in {type(value), *type(marked.value["a"]).__mro__}


def test_aliases_share_values_and_cost_nothing():
    text = "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9) if n else 'x'}]\n" for n in range(30))
    marked, report = read_marked(text.encode(), "f")
    assert marked is not None
    assert len(report) == 0
    assert marked.value["k3"][0] is marked.value["k3"][8]
