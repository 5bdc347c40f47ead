"""The installer's patterns: the cases of the reference, a naive model, and Python's own matcher where the two agree."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.answers.glob import GlobError, compile_glob

TEXT = st.text("ab/[]!-*?.A", max_size=8)


def naive(pattern: str, text: str, *, start: bool = True) -> bool:
    """The same rules by trying everything, from the description of the crate: no states, no shortcuts."""
    if not pattern:
        return not text
    if pattern.startswith("**"):
        rest = pattern[2:].lstrip("/") if not pattern[2:].startswith("//") else pattern[3:]
        while rest.startswith("**"):
            rest = rest[3:]
        starts = [0, *(n + 1 for n, c in enumerate(text) if c == "/"), len(text)]
        return any(naive(rest, text[n:]) for n in starts)
    if pattern[0] == "*":
        return any(naive(pattern[1:], text[n:], start=False) for n in range(len(text) + 1))
    if not text:
        return False
    if pattern[0] == "?":
        return naive(pattern[1:], text[1:], start=False)
    if pattern[0] == "[":
        negated = pattern[1] == "!"
        first = 2 if negated else 1
        end = pattern.index("]", first + 1)
        members: set[str] = set()
        inner = pattern[first:end]
        while inner:
            if len(inner) >= 3 and inner[1] == "-":
                members |= {chr(n) for n in range(ord(inner[0]), ord(inner[2]) + 1)}
                inner = inner[3:]
            else:
                members.add(inner[0])
                inner = inner[1:]
        return (text[0] in members) != negated and naive(pattern[end + 1 :], text[1:], start=False)
    return pattern[0] == text[0] and naive(pattern[1:], text[1:], start=False)


@given(TEXT, TEXT)
def test_it_agrees_with_the_naive_model(pattern, text):
    try:
        compiled = compile_glob(pattern)
    except GlobError:
        return
    assert compiled.matches(text) == naive(pattern, text)


SIMPLE = st.lists(
    st.sampled_from(["a", "b", "/", "?", "*", "[ab]", "[!a]", "[a-z]", "[*]", "A", "."]), max_size=6
)


@given(SIMPLE, st.text("ab/A*.", max_size=8))
def test_it_agrees_with_python_where_the_rules_are_the_same(parts, text):
    pattern = "".join(parts)
    if "**" in pattern:
        return
    assert compile_glob(pattern).matches(text) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("Samsung*", "Samsung SSD 980", True),
        ("samsung*", "Samsung SSD 980", False),  # letters differ by case
        ("*", "a/b/c", True),  # `*` and `?` take a slash
        ("a?c", "a/c", True),
        ("/dev/*", "/dev/disk/by-id/x", True),
        ("sd[a-c]", "sdb", True),
        ("sd[!a-c]", "sdb", False),
        ("sd[!a-c]", "sdd", True),
        ("[*]", "*", True),
        ("[*]", "x", False),
        ("[[]", "[", True),
        ("[]]", "]", True),
        ("[!]]", "x", True),
        ("[a-]", "-", True),
        ("{a,b}", "a", False),  # no braces
        ("\\*", "\\x", True),  # no escapes: a backslash is itself
        ("", "", True),
        ("", "a", False),
        ("**", "a/b", True),
        ("**", "ab", True),
        ("**/b", "b", True),
        ("**/b", "a/b", True),
        ("**/b", "ab", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**", "a", False),
        ("a/**", "a/", True),
        ("**/**/b", "x/b", True),
        ("ä?", "äö", True),
    ],
)
def test_a_pattern(pattern, text, expected):
    assert compile_glob(pattern).matches(text) is expected
    assert naive(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern", ["***", "a**", "**a", "a/**b", "[", "[a", "[!", "[!a", "[]", "[!]", "x[", "a****"]
)
def test_what_the_installer_refuses(pattern):
    with pytest.raises(GlobError):
        compile_glob(pattern)


def test_many_stars_take_no_long_time():
    assert not compile_glob("*a" * 40 + "b").matches("a" * 2000)
