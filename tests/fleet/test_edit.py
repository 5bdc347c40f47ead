"""Additions to YAML text: everything that was there stays, and reading again gives old and new."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ventoy_kit.fleet.edit import Additions, flow, insert, merged, scalar
from ventoy_kit.fleet.marks import Marked, read_marked


def read(text: str) -> Marked:
    marked, report = read_marked(text.encode(), "f.yaml")
    assert marked is not None, list(report)
    assert not list(report)
    return marked


def is_inside(old: str, new: str) -> bool:
    """Whether every character of the old text is in the new one, in order."""
    rest = iter(new)
    return all(character in rest for character in old)


def added(text: str, values: dict[str, Any], **comments: str) -> str:
    marked = read(text)
    new = insert(text, marked, Additions(values, {("nodes", k): v for k, v in comments.items()}))
    assert is_inside(text, new)
    assert read(new).value == merged(marked.value, values)
    return new


NODE = {
    "title": "T",
    "hardware": {"nics": {"e0": {"mac": "d8:43:ae:00:0a:01"}}},
    "list": [{"id": "10de:27b0"}],
}
LINES = """\
    title: T
    hardware:
      nics:
        e0: {mac: "d8:43:ae:00:0a:01"}
    list:
      - {id: "10de:27b0"}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nodes:\n  a: {b: c}\n", f"nodes:\n  a: {{b: c}}\n  new:\n{LINES}"),
        ("nodes:\n  a: {b: c}", f"nodes:\n  a: {{b: c}}\n  new:\n{LINES}"),
        (
            "nodes:\n  a:\n    b: c # x\n    # of a\n# of the rest\nz: 1\n",
            f"nodes:\n  a:\n    b: c # x\n    # of a\n  new:\n{LINES}# of the rest\nz: 1\n",
        ),
        ("nodes: {}\nz: 1\n", f"nodes: \n  new:\n{LINES}z: 1\n"),
        ("nodes: {} # none\n", f"nodes: # none\n  new:\n{LINES}"),
        (
            "nodes:\n  a:\n    b: |\n      x\n      y\nz: 1\n",
            f"nodes:\n  a:\n    b: |\n      x\n      y\n  new:\n{LINES}z: 1\n",
        ),
        (
            "nodes: {a: {b: c}}\n",
            'nodes: {a: {b: c}, new: {title: T, hardware: {nics: {e0: {mac: "d8:43:ae:00:0a:01"}}}, list: [{id: "10de:27b0"}]}}\n',
        ),
    ],
)
def test_a_new_node(old, new):
    marked = read(old)
    got = insert(old, marked, Additions({"nodes": {"new": NODE}}))
    assert got == new
    assert read(got).value == merged(marked.value, {"nodes": {"new": NODE}})


@pytest.mark.parametrize(
    ("old", "values", "new"),
    [
        ("a: {b: 1} # c\n", {"a": {"x": "v"}}, "a: {b: 1, x: v} # c\n"),
        ("a: {b: 1,\n  c: 2, # d\n}\n", {"a": {"x": "v"}}, "a: {b: 1,\n  c: 2, x: v, # d\n}\n"),
        ("a: {b: [1], }\n", {"a": {"b": ["2"]}}, 'a: {b: [1, "2"], }\n'),
        ("r: {a: {}}\n", {"r": {"a": {"x": "v"}}}, "r: {a: {x: v}}\n"),
        ("a:\n- b\nc: 1\n", {"a": ["x"]}, "a:\n- b\n- x\nc: 1\n"),
        ("a:\n  - {b: 1} # c\n", {"a": [{"x": "v"}]}, "a:\n  - {b: 1} # c\n  - {x: v}\n"),
        (
            "a:\n    b:\n        c: 1\n",
            {"a": {"b": {"x": {"v": 1}}}},
            "a:\n    b:\n        c: 1\n        x: {v: 1}\n",
        ),
        ('"a":\n  b: "c"\n', {"a": {"x": True}}, '"a":\n  b: "c"\n  x: true\n'),
        ("a:\r\n  b: 1\r\n", {"a": {"x": "v"}}, "a:\r\n  b: 1\r\n  x: v\r\n"),
        ("k: &k {m: 1}\na:\n  b: *k\nz: 1\n", {"a": {"x": "v"}}, "k: &k {m: 1}\na:\n  b: *k\n  x: v\nz: 1\n"),
        ("k: &k 1\na: {b: *k}\n", {"a": {"x": "v"}}, "k: &k 1\na: {b: *k, x: v}\n"),
        ("a:\n  b:\nz: 1\n", {"a": {"x": "v"}}, "a:\n  b:\n  x: v\nz: 1\n"),
        ("a:\n  b: 'x\n    y'\n", {"a": {"x": "v"}}, "a:\n  b: 'x\n    y'\n  x: v\n"),
        ("a:\n  b: 1\n\n\n# end\n", {"a": {"x": "v"}}, "a:\n  b: 1\n  x: v\n\n\n# end\n"),
    ],
)
def test_more_of_what_is_there(old, values, new):
    assert added(old, values) == new


def test_an_alias_gives_something_else_and_who_calls_can_see_it():
    text = "k: &k\n  m: 1\na: *k\n"
    marked = read(text)
    new = insert(text, marked, Additions({"a": {"x": "y"}}))
    assert read(new).value != merged(marked.value, {"a": {"x": "y"}})


def test_comments_stand_behind_keys():
    new = added("nodes:\n  a: {b: c}\n", {"nodes": {"m": {"d": {"e": {"f": 1}}}}}, m="why")
    assert new == "nodes:\n  a: {b: c}\n  m: # why\n    d:\n      e: {f: 1}\n"


TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=20
)
TEXT = TEXT.filter(lambda t: not any(0x80 <= ord(c) < 0xA0 for c in t))
WORDS = st.sampled_from(
    ["null", "~", "true", "No", "1E10", "0x1F", "007", "1.5", "a: b", "a #b", "- x", "{", "*a", "-", ""]
)


@settings(deadline=None, max_examples=300)
@given(TEXT | WORDS)
def test_any_text_is_read_back_as_text(text):
    value = read(f"a: {scalar(text)}\nb: {flow({text: [text]})}\n").value
    assert value["a"] == text
    assert value["b"] == {text: [text]}
    assert type(value["a"]) is str


VALUES = st.recursive(
    TEXT | WORDS | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqrs") | WORDS, inner, max_size=3)
    ),
    max_leaves=8,
)
OLD = """\
# head
top: {a: 1, b: [x, y]} # flow
nodes:
  one: # first
    'quoted': "text"   # odd   blanks
    map: {k: v}
    list: [1, 2]
    items:
      - a   # an item
      - {b: c}
  # of one's end?
  two:
    deep:
        deeper:
            - 1

# tail
"""


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["new", "newer", "007"]), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["x", "y", "null"]), VALUES, max_size=2),
    st.lists(VALUES, max_size=2),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_additions_are_read_back_and_nothing_else_changes(nodes, keys, items, newline):
    text = OLD.replace("\n", newline)
    values = {
        "top": {**keys, "b": items},
        "nodes": {
            **nodes,
            "one": {**keys, "map": keys, "list": items, "items": items},
            "two": {"deep": {**keys, "deeper": items}},
        },
    }
    new = added(text, values)
    comments = [line.partition("#")[2] for line in OLD.splitlines() if "#" in line]
    assert all(comment in new for comment in comments)
