"""TOML with positions: the standard library reads the values, this module finds where each key and value stands.

No maintained reader of TOML for Python tells positions (tomlkit keeps the text, but not where). The text that is
scanned here was accepted by `tomllib` before, so only what is valid needs to be understood.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ventoy_kit.answers import codes
from ventoy_kit.report import Path, Place, Report, place_in

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*(\.?)""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r""""(?:\\.|[^"\\])*"|'[^']*'""", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_SECRET = re.compile(
    r"""(^.*?(?<![\w-])["']?[\w-]*(?:pass|pasw|pw|token|secret|subscription[-_]key)[\w-]*["']?[ \t]*=[ \t]*)[^ \t].*$""",
    re.IGNORECASE,
)
"""The rest of a line behind the name of a secret: findings show lines, and output ends up in logs."""
_BEGINS = re.compile(r"""[ \t]*(?:#|\[\[?[ \t]*["'A-Za-z]|["'\w.-]+[ \t]*=)""")
"""A line that does not continue the value of the one before."""
_ACCOUNT = re.compile(r"""(://)[^\s"'/@]*@""")

_AT_LINE = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a key and its value stand in the text, as offsets; of a table, its header."""

    key: int
    key_end: int
    value: int
    value_end: int


@dataclass(frozen=True, slots=True)
class LocatedToml:
    """A document with positions.

    `spans` knows every key that is written out, by path. `lines` are for findings: what seems secret is redacted.
    """

    data: Mapping[str, Any]
    file: str
    lines: tuple[str, ...]
    text: str
    spans: Mapping[Path, Span] = field(default_factory=dict)

    def locate(self, path: Path, on_key: bool = False) -> Place:  # noqa: FBT001, FBT002 - as `Report.located` calls it
        """The place of a key or value; of what is absent, that of the nearest table that is there."""
        path = shown = self._as_written(path)
        while shown and shown not in self.spans:
            shown = shown[:-1]
        span = self.spans.get(shown)
        if span is None:
            return place_in(self.lines, self.file, 1, 1)
        start, end = (span.key, span.key_end) if on_key or shown != path else (span.value, span.value_end)
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        return place_in(self.lines, self.file, line, column, max(1, end - start))

    def _as_written(self, path: Path) -> Path:
        """The path with underscores where the document has them and the schema hyphens."""
        out: Path = ()
        for part in path:
            old = part.replace("-", "_") if isinstance(part, str) else part
            out = (*out, old if (*out, part) not in self.spans and (*out, old) in self.spans else part)
        return out


def read_toml(data: bytes, file: str) -> tuple[LocatedToml | None, Report]:
    """Read a TOML document.

    Returns:
        The document, or None and a finding of VK-E01 with line and column.
    """
    remedy = "Correct the line as https://toml.io/en/v1.0.0 describes."
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        finding = codes.SYNTAX.finding(
            f"{file} is no UTF-8 text", "Save it as UTF-8.", place=Place(file, line, 1)
        )
        return None, Report([finding])
    text = text.replace("\r\n", "\n")
    lines = tuple(_lines_without_secrets(text))
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.match(str(error))
        last = text.rstrip().split("\n")
        line, column = int(found[2] or 0) if found else 0, int(found[3] or 0) if found else 0
        line, column = (line, column) if line else (len(last), len(last[-1]) + 1)
        message = f"it is not TOML: {found[1] if found else error}"
        finding = codes.SYNTAX.finding(message, remedy, place=place_in(lines, file, line, column))
        return None, Report([finding])
    except RecursionError:
        finding = codes.SYNTAX.finding(f"{file} is nested too deeply", remedy, place=Place(file, 1, 1))
        return None, Report([finding])
    scanner = _Scanner(text)
    scanner.document()
    return LocatedToml(values, file, lines, text, scanner.spans), Report()


def _lines_without_secrets(text: str) -> Iterator[str]:
    """The lines of a document, well-formed or not, without values of secrets, which may go on over several lines."""
    inside = False
    for line in text.split("\n"):
        secret = _SECRET.search(line) is not None
        inside = secret or (inside and not _BEGINS.match(line))
        if inside and not secret:
            yield "<redacted>" if line.strip() else ""
        else:
            yield _ACCOUNT.sub(r"\1<redacted>@", _SECRET.sub(r"\1<redacted>", line))


class _Scanner:
    """Walks through a valid document and notes where keys and values stand."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.spans: dict[Path, Span] = {}
        self.counts: dict[Path, int] = {}

    def document(self) -> None:
        """From the first to the last line."""
        table: Path = ()
        self._skip()
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _skip(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _header(self) -> Path:
        start = self.at
        double = self.text.startswith("[[", start)
        self.at += 2 if double else 1
        path = self._resolved(self._keys(())[0], whole=not double)
        if double:
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            path = (*path, number)
        self.at += 2 if double else 1
        self.spans[path] = Span(start, self.at, start, self.at)
        return path

    def _resolved(self, path: Path, *, whole: bool) -> Path:
        """A header's path with the index of the array's last table wherever it goes through an array of tables."""
        out: Path = ()
        for number, part in enumerate(path):
            out = (*out, part)
            if out in self.counts and (whole or number < len(path) - 1):
                out = (*out, self.counts[out] - 1)
        return out

    def _keys(self, base: Path) -> tuple[Path, int, int]:
        """A dotted key: its path, and where its text begins and ends."""
        begin = end = self.at
        path, more = base, True
        while more:
            found = _KEY.match(self.text, self.at)
            if found is None:  # pragma: no cover - tomllib accepted the document
                raise ValueError(self.text[self.at : self.at + 20])
            begin = found.start(1) if path == base else begin
            end, self.at, more = found.end(1), found.end(), bool(found[2])
            raw = found[1]
            part = next(iter(tomllib.loads(f"{raw} = 0"))) if raw[0] in "\"'" else raw
            path = (*path, part)
            if more:
                self.spans.setdefault(path, Span(begin, end, begin, end))
        return path, begin, end

    def _pair(self, table: Path) -> None:
        path, begin, end = self._keys(table)
        self.at = self.text.index("=", self.at) + 1
        while self.text[self.at] in " \t":
            self.at += 1
        start = self.at
        self._value(path)
        self.spans[path] = Span(begin, end, start, self.at)

    def _value(self, path: Path) -> None:
        char = self.text[self.at]
        if char == "[":
            self._items("]", path)
        elif char == "{":
            self._items("}", path)
        else:
            found = _STRING.match(self.text, self.at) or _SCALAR.match(self.text, self.at)
            if found is not None:
                self.at += len(found[0].rstrip())

    def _items(self, closing: str, path: Path) -> None:
        self.at += 1
        number = 0
        self._skip()
        while self.text[self.at] != closing:
            if closing == "]":
                start = self.at
                self._value((*path, number))
                self.spans[*path, number] = Span(start, self.at, start, self.at)
            else:
                self._pair(path)
            number += 1
            self._skip()
            if self.text[self.at] == ",":
                self.at += 1
                self._skip()
        self.at += 1
