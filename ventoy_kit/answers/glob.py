"""Patterns as the Proxmox installer reads them: the Rust crate `glob` with its default options.

Source: rust-lang/glob, src/lib.rs, `Pattern::new` and `Pattern::matches`. `?` and `*` match any character, `/` too;
`[a-z]` and `[!a-z]` match one character; there are no braces and no backslash. `**` stands between slashes or at an
end, and matches whole components of a path. Letters differ by case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

_AnySpan = Literal["*", "**"]


@dataclass(frozen=True, slots=True)
class _One:
    """One character: any, or one (not) of some ranges."""

    ranges: tuple[tuple[str, str], ...] | None
    negated: bool = False

    def takes(self, char: str) -> bool:
        if self.ranges is None:
            return True
        return any(low <= char <= high for low, high in self.ranges) is not self.negated


_Token = _One | _AnySpan


class GlobError(ValueError):
    """The installer refuses the pattern. `position` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that the installer accepts."""

    tokens: tuple[_Token, ...]

    def matches(self, text: str) -> bool:
        """Whether the whole text matches. Takes time in proportion to pattern times text."""
        states = set(self._enter(0))
        for char in text:
            states = {after for state in states for after in self._step(state, char)}
            if not states:
                return False
        # What is left of the pattern may match nothing; `**` also takes a last component without a slash.
        ended = {after for state in states for after in (state, *self._leave(state))}
        return len(self.tokens) in ended

    def _enter(self, state: int) -> Iterator[int]:
        """A state, and those that are reached from it without a character."""
        yield state
        if state < len(self.tokens) and not isinstance(self.tokens[state], _One):
            yield from self._enter(state + 1)

    def _leave(self, state: int) -> Iterator[int]:
        if state < len(self.tokens) and self.tokens[state] == "**":
            yield from self._enter(state + 1)

    def _step(self, state: int, char: str) -> Iterator[int]:
        if state == len(self.tokens):
            return
        token = self.tokens[state]
        if isinstance(token, _One):
            if token.takes(char):
                yield from self._enter(state + 1)
        elif char == "/" or token == "*":  # noqa: S105 - no password
            yield state
            yield from self._enter(state + 1)
        else:
            yield state


@lru_cache(maxsize=4096)
def compile_glob(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        GlobError: the installer would stop with it.
    """
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "*":
            at = _stars(text, at, tokens)
        elif char == "[":
            at = _class(text, at, tokens)
        else:
            tokens.append(_One(None) if char == "?" else _One(((char, char),)))
            at += 1
    return Pattern(tuple(tokens))


def _stars(text: str, start: int, tokens: list[_Token]) -> int:
    end = start
    while end < len(text) and text[end] == "*":
        end += 1
    count = end - start
    if count > 2:
        raise GlobError("wildcards are `*` or `**`, never more stars", start + 2)
    if count == 1:
        tokens.append("*")
        return end
    if start and text[start - 1] != "/":
        raise GlobError("`**` must stand alone between slashes", start)
    if end < len(text):
        if text[end] != "/":
            raise GlobError("`**` must stand alone between slashes", end)
        end += 1
    if not tokens or tokens[-1] != "**":
        tokens.append("**")
    return end


def _class(text: str, start: int, tokens: list[_Token]) -> int:
    negated = text[start + 1 : start + 2] == "!"
    first = start + 1 + negated
    # The first character belongs to the class even if it is a bracket.
    end = text.find("]", first + 1)
    if end < 0 or first >= len(text):
        raise GlobError("`[` is not closed", start)
    tokens.append(_One(tuple(_ranges(text[first:end])), negated))
    return end + 1


def _ranges(inner: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(inner):
        if inner[at + 1 : at + 2] == "-" and at + 2 < len(inner):
            yield inner[at], inner[at + 2]
            at += 3
        else:
            yield inner[at], inner[at]
            at += 1
