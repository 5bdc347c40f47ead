"""YAML text to plain values that remember where they stand.

The text is composed, not constructed: scalars follow the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/,
section 10.3.2), so `no` is text. Duplicate keys, which constructors hide, become findings. A value's position is
found by walking the composed nodes along its path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ventoy_kit.fleet import codes
from ventoy_kit.report import Finding, Path, Place, Report, dotted, place_in

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class PlainInt(int):
    """A number that remembers its spelling, so that a key that wants text gets `007` and not 7."""

    raw: str


class PlainFloat(float):
    """A number with a point or exponent that remembers its spelling (`1E10` may be a serial number)."""

    raw: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A composed document: its plain value and a way to positions."""

    value: Any
    file: str
    lines: tuple[str, ...]
    root: Node | None

    def locate(self, path: Path, on_key: bool = False) -> Place:  # noqa: FBT001, FBT002 - signature of Report.located
        """The place of the deepest existing node along `path`; the file's first line for an empty document."""
        node, key = self.root, None
        whole = True
        for part in path:
            step = _child(node, part)
            if step is None:
                whole = False
                break
            key, node = step
        if node is None:
            return place_in(list(self.lines), self.file, 1, 1)
        # What is missing inside a map is shown at the map's own key: the map's first line is its first child.
        at = key if key is not None and (on_key or not whole or not isinstance(node, ScalarNode)) else node
        return _place(at, self)


def _place(node: Node, marked: Marked) -> Place:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 10_000
    return place_in(list(marked.lines), marked.file, start.line + 1, start.column + 1, max(1, length))


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == str(part):
                return key, value
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def read_marked(data: bytes, file: str) -> tuple[Marked | None, Report]:
    """Read YAML.

    Args:
        data: the file's bytes; UTF-8, a byte order mark is skipped.
        file: how the file is named in findings.

    Returns:
        The document, or None when it cannot be read at all, and findings of the rules VK-Y01 to VK-Y06.
    """
    report = Report()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        report.add(
            codes.ENCODING.finding(
                f"byte {data[error.start]:#04x} is not UTF-8 text",
                "Save the file as UTF-8.",
                place=Place(file, line),
            )
        )
        return None, report
    lines = tuple(text.splitlines())
    try:
        root = _compose(text)
    except YAMLError as error:
        report.add(_syntax_finding(error, lines, file))
        return None, report
    marked = Marked(None, file, lines, root)
    value = None if root is None else _Converter(marked, report).convert(root, ())
    return Marked(value, file, lines, root), report


def _compose(text: str) -> Node | None:
    """Compose with the C reader where it is installed: three times faster, same nodes."""
    try:
        yaml = YAML(typ="safe", pure=False)
    except (ImportError, AttributeError):
        yaml = YAML(typ="safe", pure=True)
    node: Node | None = yaml.compose(text)
    return node


def _syntax_finding(error: YAMLError, lines: tuple[str, ...], file: str) -> Finding:
    problem, mark = str(error).splitlines()[0], None
    if isinstance(error, MarkedYAMLError):
        problem = error.problem or error.context or problem
        mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    column = mark.column + 1 if mark is not None else 1
    # The reader notices a tab late: look at the indentation of the line it stopped in and of the one before.
    for number in (line, line - 1):
        text = lines[number - 1] if 1 <= number <= len(lines) else ""
        indent = text[: len(text) - len(text.lstrip())]
        if "\t" in indent:
            place = place_in(list(lines), file, number, indent.index("\t") + 1)
            return codes.TAB.finding(
                "a tab stands in the indentation", "Replace tabs by blanks.", place=place
            )
    return codes.SYNTAX.finding(
        f"this is not YAML: {problem}",
        "Mend the line; `ventoy-kit check --explain VK-Y02` lists the usual reasons.",
        place=place_in(list(lines), file, line, column),
    )


class _Converter:
    """Turns nodes into plain values once per node, so that aliases cost nothing, and reports doubles."""

    def __init__(self, marked: Marked, report: Report) -> None:
        self.marked, self.report = marked, report
        self.done: dict[int, Any] = {}
        self.open: set[int] = set()

    def convert(self, node: Node, path: Path) -> Any:
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if id(node) in self.done:
            return self.done[id(node)]
        if id(node) in self.open:
            place = _place(node, self.marked)
            self.report.add(
                codes.RECURSION.finding("this alias holds itself", "Write the value out.", place=place)
            )
            return None
        self.open.add(id(node))
        value: Any
        if isinstance(node, MappingNode):
            value = self._mapping(node, path)
        else:
            value = [self.convert(item, (*path, n)) for n, item in enumerate(node.value)]
        self.open.discard(id(node))
        self.done[id(node)] = value
        return value

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        seen: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                place = _place(key, self.marked)
                self.report.add(
                    codes.SYNTAX.finding("a key must be one word", "Write `name: value`.", place=place)
                )
                continue
            name = key.value
            if name in seen:
                first = seen[name].start_mark.line + 1
                self.report.add(
                    codes.DUPLICATE_KEY.finding(
                        f"`{dotted((*path, name))}` stands here again, first in line {first}",
                        "Rename one of the two, or merge them.",
                        place=_place(key, self.marked),
                    )
                )
                continue
            seen[name] = key
            out[name] = self.convert(value, (*path, name))
        return out


def _scalar(node: ScalarNode) -> Any:
    text = node.value
    if node.style:  # quoted or block text is text; plain is None or "" by reader
        return text
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        if len(text) > 4000:  # longer than what int() takes by default; certainly not a number of ours
            return text
        number = PlainInt(text, base)
        number.raw = text
        return number
    if _FLOAT.fullmatch(text):
        real = PlainFloat(text)
        real.raw = text
        return real
    return text
