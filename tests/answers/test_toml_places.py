"""Positions in TOML: every key and value stands where the document says."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.answers.toml_places import read_toml

SAMPLE = """\
# a comment with = and [brackets]
top = "x" # behind
[global]
root-password-hashed = '$6$a#b'
"quoted.key" = 1
multi = \"\"\"
[no header]
k = 2\"\"\"
list = [
  "a", # one
  ["b", 'c'], { d = 4, e.f = 5 },
]
[network]
filter.ID_NET_NAME_MAC = "enx0"
filter . ID_BUS = "pci"
[[table]]
a = 1
[table.inner]
b = 2
[[table]]
a = 3
date = 1979-05-27 07:32:00
"""


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("top",), "top", '"x"'),
        (("global", "root-password-hashed"), "root-password-hashed", "'$6$a#b'"),
        (("global", "quoted.key"), '"quoted.key"', "1"),
        (("global", "list", 0), '"a"', '"a"'),
        (("global", "list", 1, 1), "'c'", "'c'"),
        (("global", "list", 2, "d"), "d", "4"),
        (("global", "list", 2, "e", "f"), "e.f", "5"),
        (("network",), "[network]", "[network]"),
        (("network", "filter", "ID_NET_NAME_MAC"), "filter.ID_NET_NAME_MAC", '"enx0"'),
        (("network", "filter", "ID_BUS"), "filter . ID_BUS", '"pci"'),
        (("table", 0, "inner", "b"), "b", "2"),
        (("table", 1, "a"), "a", "3"),
        (("table", 1, "date"), "date", "1979-05-27 07:32:00"),
    ],
)
def test_where_a_key_and_its_value_stand(path, key, value):
    document, report = read_toml(SAMPLE.encode(), "f.toml")
    assert document is not None
    assert not list(report)
    span = document.spans[path]
    assert SAMPLE[span.key : span.key_end] == key
    assert SAMPLE[span.value : span.value_end] == value
    place = document.locate(path, True)
    line = SAMPLE.splitlines()[(place.line or 0) - 1]
    assert line[(place.column or 0) - 1 :].startswith(key)


def test_what_is_absent_is_at_its_table():
    document, _ = read_toml(b"a = 1\n\n[b]\nc = 2\n", "f")
    assert document is not None
    assert document.locate(("b", "missing")).line == 3
    assert document.locate(("x",)).line == 1


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (b"a = \n", 1, 5),
        (b"a = 1\nb = 'x\n", 2, 7),
        (b"a = 1\na = 2\n", 2, 6),
        (b"ok = 1\n\xff", 2, 1),
        (b"[a\n", 1, 3),
    ],
)
def test_mistakes_have_a_place(text, line, column):
    document, report = read_toml(text, "f")
    assert document is None
    (finding,) = report
    assert finding.place is not None
    assert (finding.rule.code, finding.place.line, finding.place.column) == ("VK-E01", line, column)


def test_line_ends_of_windows_do_no_harm():
    document, _ = read_toml(b'a = 1\r\n[b]\r\nc = "x"\r\n', "f")
    assert document is not None
    assert (document.locate(("b", "c")).line, document.locate(("b", "c")).column) == (3, 5)


KEYS = st.text("ab-_ .\"'\\é#=", min_size=1, max_size=4)
SCALARS = st.one_of(
    st.integers(-9, 9), st.booleans(), st.text("ab\"'\\\n#[]{},= é", max_size=8), st.floats(0, 1)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_every_value_is_found_at_its_place(tree):
    text = tomli_w.dumps(tree)
    document, _ = read_toml(text.encode(), "f")
    assert document is not None
    for path, value in leaves(tree):
        span = document.spans[path]
        raw = document.text[span.value : span.value_end]
        assert tomllib.loads(f"v = {raw}")["v"] == value, (path, raw)


def leaves(tree: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else None
    if items is None:
        return [(path, tree)]
    return [leaf for key, value in items for leaf in leaves(value, (*path, key))]


@pytest.mark.parametrize(
    "text",
    [
        'root-password = "Hunter-2"',
        "\"root_password\"='Hunter-2'",
        'global.root-password-hashed = "$6$Hunter-2"',
        'hook = { url = "x", auth-token = "me:Hunter-2" }',
        'subscription-key = "Hunter-2"',
        'root-password = "Hunter-2',
        'Root_Password = "Hunter-2" x',
        'root-password = """\n\nHunter-2"""',
        'root-password = """\nHunter-2"\\q"""',
        'root-password = [\n  "Hunter-2",\n]',
        'rootpw = "Hunter-2"',
        'root-pasword = "Hunter-2"',
        'url = "https://me:Hunter-2@example/"',
    ],
)
def test_no_line_of_a_finding_holds_a_secret(text: str):
    document, report = read_toml(f"a = 1\n{text}\n".encode(), "f")
    place = next(iter(report)).place if document is None else document.locate(("nothing",))
    assert place is not None
    lines = [line for _, line in place.excerpt]
    lines += [] if document is None else document.lines
    assert "Hunter-2" not in " ".join(lines)
    assert any("<redacted>" in line for line in lines)


def test_other_lines_are_shown_as_they_are():
    text = 'root-ssh-keys = ["a"]\nkeyboard = "de" # password\nfilter.ID_SERIAL = "token"'
    document, _ = read_toml(text.encode(), "f")
    assert document is not None
    assert document.lines == tuple(text.split("\n"))
