"""A reader for the GRUB scripts of boot menus: statements, blocks and branches with their places in the text.

It knows the grammar of GRUB 2.06's `grub-core/script` (`yylex.l`, `parser.y`): words with both kinds of quotes,
escapes and variables, comments, `if`, `for`, `while`, `until`, `function`, and commands that take a block
(`menuentry`, `submenu`). What GRUB itself would refuse is refused here, or more; nothing is executed or expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DEPTH: Final = 32
"""Blocks within blocks that are followed; real menus need five."""

_BLANK: Final = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_COMMENT: Final = re.compile(r"#[^\n]*")
_WORD: Final = re.compile(
    r"""(?: [^{}|&$;<>\s'"\\] | "(?:\\.|[^\\"])*" | '[^']*' | \\. | \$\{[^{}\s]*\} | \$(?=[\w"?\#*@]) )+""",
    re.VERBOSE | re.DOTALL,
)
_PIECE: Final = re.compile(
    r""""(?P<double>(?:\\.|[^\\"])*)" | '(?P<single>[^']*)' | \\(?P<escaped>.)""", re.VERBOSE | re.DOTALL
)

_LOOPS: Final = ("for", "while", "until")
_STRAY: Final = frozenset(
    ("then", "elif", "else", "fi", "do", "done", "in", "case", "esac", "select", "time", "[[", "]]")
)


class GrubSyntaxError(ValueError):
    """The text is no GRUB script that this reader understands. `offset` counts characters from the start."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it stands in the text; `start` and `end` are character offsets."""

    raw: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """The word without quotes and escapes; variables stay as they are written."""
        return _PIECE.sub(_unquote, self.raw)


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of an `if`. An `else` branch has an empty condition."""

    condition: tuple[Statement, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A command with its arguments, or a compound statement.

    Attributes:
        words: the command and its arguments; for a compound statement the words of its head.
        compound: `if`, `for`, `while`, `until` or `function`, or None for a command.
        body: the statements of a command's block, a loop or a function.
        branches: the branches of an `if`.
        start: offset of the first character.
        end: offset behind the last character.
    """

    words: tuple[Word, ...]
    compound: str | None
    body: tuple[Statement, ...]
    branches: tuple[Branch, ...]
    start: int
    end: int

    @property
    def name(self) -> str:
        """The command's name; empty for a compound statement."""
        return self.words[0].value if self.compound is None else ""

    def walk(self) -> Iterator[Statement]:
        """Go through the statement and all within it, conditions included, in the order of the text."""
        yield self
        for branch in self.branches:
            for statement in (*branch.condition, *branch.body):
                yield from statement.walk()
        for statement in self.body:
            yield from statement.walk()


def parse(text: str) -> tuple[Statement, ...]:
    """Read a whole script. Raises GrubSyntaxError."""
    reader = _Reader(text)
    statements = reader.statements(frozenset(), depth=0)
    if reader.kind != "end":
        raise GrubSyntaxError(f"unexpected {reader.raw!r}", reader.start)
    return statements


def _unquote(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["escaped"] is not None:
        return match["escaped"].replace("\n", "")
    # Within double quotes a backslash is special only before these (yylex.l, grub_script_yylex_str).
    return re.sub(r'\\([$"\\\n])', lambda found: found[1].replace("\n", ""), match["double"])


class _Reader:
    """A recursive descent over one text; `kind`, `raw`, `start` and `end` describe the token at hand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = "end"
        self.raw = ""
        self.start = self.end = 0
        self.last = 0  # offset behind the token before
        self.advance()

    def advance(self) -> None:
        """Go to the next token: a `word`, a `separator`, `{`, `}`, or the `end`."""
        self.last = position = self.end
        if blank := _BLANK.match(self.text, position):
            position = blank.end()
        if comment := _COMMENT.match(self.text, position):
            position = comment.end()
        self.start = position
        if position == len(self.text):
            self.kind, self.raw, self.end = "end", "the end of the file", position
            return
        if word := _WORD.match(self.text, position):
            self.kind, self.raw, self.end = "word", word[0], word.end()
            return
        char = self.text[position]
        self.raw, self.end = char, position + 1
        if char in "\n;":
            self.kind = "separator"
        elif char in "{}":
            self.kind = char
        else:
            raise GrubSyntaxError(
                "a quote is not closed" if char in "'\"" else f"unexpected {char!r}", position
            )

    def skip_separators(self) -> None:
        while self.kind == "separator":
            self.advance()

    def statements(self, until: frozenset[str], depth: int) -> tuple[Statement, ...]:
        """Statements up to one of these keywords, which stays the token at hand, or up to the end."""
        if depth > _DEPTH:
            raise GrubSyntaxError(f"more than {_DEPTH} blocks within each other", self.start)
        found = []
        self.skip_separators()
        while self.kind != "end" and not (self.kind in ("word", "}") and self.raw in until):
            found.append(self.statement(depth))
            self.skip_separators()
        return tuple(found)

    def statement(self, depth: int) -> Statement:
        if self.kind != "word" or self.raw in _STRAY:
            raise GrubSyntaxError(f"unexpected {self.raw!r}", self.start)
        if self.raw == "if":
            return self.conditional(depth)
        if self.raw in _LOOPS:
            return self.loop(depth)
        start = self.start
        compound = "function" if self.raw == "function" else None
        words = self.words()
        body: tuple[Statement, ...] = ()
        if compound and self.kind == "separator":
            self.skip_separators()  # the brace may stand on a line of its own
        if self.kind == "{":
            self.advance()
            body = self.statements(frozenset("}"), depth + 1)
            self.expect("}")
        elif compound:
            raise GrubSyntaxError("a function without a block", start)
        return Statement(words, compound, body, (), start, self.last)

    def conditional(self, depth: int) -> Statement:
        start = self.start
        branches = []
        while self.raw in ("if", "elif"):
            self.advance()
            condition = self.statements(frozenset(("then",)), depth + 1)
            if not condition:
                raise GrubSyntaxError("an `if` without a condition", self.start)
            self.expect("then")
            branches.append(Branch(condition, self.statements(frozenset(("elif", "else", "fi")), depth + 1)))
        if self.raw == "else":
            self.advance()
            branches.append(Branch((), self.statements(frozenset(("fi",)), depth + 1)))
        self.expect("fi")
        return Statement((), "if", (), tuple(branches), start, self.last)

    def loop(self, depth: int) -> Statement:
        start, keyword = self.start, self.raw
        if keyword == "for":
            words = self.words()
            condition: tuple[Statement, ...] = ()
            self.skip_separators()
        else:
            self.advance()
            words = ()
            condition = self.statements(frozenset(("do",)), depth + 1)
        self.expect("do")
        body = condition + self.statements(frozenset(("done",)), depth + 1)
        self.expect("done")
        return Statement(words, keyword, body, (), start, self.last)

    def words(self) -> tuple[Word, ...]:
        found = []
        while self.kind == "word":
            found.append(Word(self.raw, self.start, self.end))
            self.advance()
        return tuple(found)

    def expect(self, raw: str) -> None:
        if self.kind not in ("word", "}") or self.raw != raw:
            raise GrubSyntaxError(f"expected {raw!r}, found {self.raw!r}", self.start)
        self.advance()
