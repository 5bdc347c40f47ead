"""Places, excerpts and the order of findings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.report import EXCERPT_WIDTH, Place, Report, Rule, Severity, dotted, place_in

RULE = Rule("VK-T01", "a", "b.")
NOTE = Rule("VK-T02", "a", "b.", Severity.NOTE)


def test_an_excerpt_holds_the_line_and_the_one_before():
    assert place_in(["a", "b", "c"], "f", 2, 1).excerpt == ((1, "a"), (2, "b"))
    assert place_in(["a"], "f", 1, 1).excerpt == ((1, "a"),)
    assert place_in([], "f", 1, 1).excerpt == ()


def test_an_underline_ends_with_its_line():
    assert place_in(["abc"], "f", 1, 2, 100).length == 2
    assert place_in(["abc"], "f", 1, 9, 100).length == 1
    assert place_in(["abc"], "f", 1, 1, 0).length == 1


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=400), min_size=1),
    st.data(),
)
def test_the_caret_stands_below_its_character_however_long_the_line(lines, data):
    line = data.draw(st.integers(1, len(lines)))
    column = data.draw(st.integers(1, len(lines[line - 1]) + 1))
    place = place_in(lines, "f", line, column, data.draw(st.integers(1, 500)))
    number, text = place.excerpt[-1]
    assert number == line
    assert place.caret is not None
    assert len(text) <= EXCERPT_WIDTH + 2
    assert place.caret + place.length - 1 <= max(len(text), 1) + 1
    if column <= len(lines[line - 1]):
        assert text[place.caret - 1] == lines[line - 1][column - 1]


def test_findings_are_sorted_by_place_and_those_without_come_last():
    found = Report(
        [
            RULE.finding("nowhere", "r"),
            RULE.finding("b2", "r", place=Place("b", 2)),
            RULE.finding("b1", "r", place=Place("b", 1, 7)),
            RULE.finding("by path", "r", path=("x",)),
            RULE.finding("a", "r", place=Place("a")),
        ]
    )
    located = found.located(lambda path, on_key: Place("b", 1, 3))
    assert [f.message for f in located] == ["a", "by path", "b1", "b2", "nowhere"]


def test_what_is_found_twice_at_one_place_is_shown_once():
    found = Report(
        [RULE.finding("m", "r", path=("a", n)) for n in range(3)] + [NOTE.finding("m", "r", path=("a",))]
    )
    assert [f.rule.code for f in found.located(lambda path, on_key: Place("f", 1, 1))] == ["VK-T01", "VK-T02"]
    assert len(found.located(lambda path, on_key: Place("f", 1, len(path)))) == 2
    assert len(found) == 4


def test_only_errors_stop_a_command():
    assert not Report().has_errors
    assert not Report([NOTE.finding("m", "r")]).has_errors
    assert Report([NOTE.finding("m", "r"), RULE.finding("m", "r")]).has_errors


def test_paths_as_text():
    assert dotted(("nodes", "falcon", "hooks", 1, "name")) == "nodes.falcon.hooks[1].name"
    assert dotted(()) == ""
