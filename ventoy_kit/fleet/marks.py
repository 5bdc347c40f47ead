"""YAML text to plain values that remember where they stand.

The text becomes nodes, not objects: scalars follow the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/,
section 10.3.2), so `no` is text. Duplicate keys, which constructors hide, become findings. A value's position is
found by walking the composed nodes along its path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.secret_places import private_lines, suspect_lines
from ventoy_kit.fleet.yaml_nodes import MappingNode, Node, NodeError, ScalarNode, SequenceNode, compose
from ventoy_kit.report import Finding, Path, Place, Report, dotted, place_in, without

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# Characters that are no YAML text (spec, 5.1), and those that YAML 1.1 readers take for the end of a line and YAML 1.2
# readers do not: behind one of them a comment may hide a key.
_NO_TEXT = re.compile("[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\ufeff]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class PlainInt(int):
    """A number that remembers its spelling, so that a key that wants text gets `007` and not 7."""

    raw: str


class PlainFloat(float):
    """A number with a point or exponent that remembers its spelling (`1E10` may be a serial number)."""

    raw: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A composed document: its plain value and a way to positions. No excerpt shows a line of `private`."""

    value: Any
    file: str
    lines: tuple[str, ...]
    root: Node | None
    private: frozenset[int] = frozenset()

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
            return without(place_in(self.lines, self.file, 1, 1), self.private)
        # What is missing inside a map is shown at the map's own key: the map's first line is its first child.
        at = key if key is not None and (on_key or not whole or not isinstance(node, ScalarNode)) else node
        return _place(at, self)


def _place(node: Node, marked: Marked) -> Place:
    (line, column), (end_line, end_column) = node.start, node.end
    length = end_column - column if end_line == line else 10_000
    place = place_in(marked.lines, marked.file, line + 1, column + 1, max(1, length))
    return without(place, marked.private)


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(node, MappingNode):
        return node.by_name.get(str(part))
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
        return None, node.items[part]
    return None


def read_marked(data: bytes, file: str) -> tuple[Marked | None, Report]:
    """Read YAML.

    Args:
        data: the file's bytes; UTF-8, a byte order mark is skipped.
        file: how the file is named in findings.

    Returns:
        The document, or None when it cannot be read at all, and findings of the rules VK-Y02 to VK-Y06.
    """
    text = data.decode("utf-8-sig", "replace")
    lines = tuple(_LINE_END.split(text))
    finding = _encoding_finding(data, text, lines, file)
    if finding is not None:
        return None, Report([finding])
    try:
        root = compose(text)
    except YAMLError as error:
        return None, Report([_syntax_finding(error, lines, file)])
    except NodeError as error:
        line, column = error.at
        place = place_in(lines, file, line + 1, column + 1, error.length)
        return None, Report([_unread(error.message, error.remedy, place, lines)])
    marked = Marked(None, file, lines, root, private_lines(root))
    report = Report()
    value = None if root is None else _Converter(marked, report).convert(root, ())
    return replace(marked, value=value), report


def _encoding_finding(data: bytes, text: str, lines: tuple[str, ...], file: str) -> Finding | None:
    """What keeps the bytes from being text in which every reader sees the same lines."""
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        message, remedy = f"byte {data[error.start]:#04x} is not UTF-8 text", "Save the file as UTF-8."
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            message = "the file is UTF-16"
    else:
        found = _NO_TEXT.search(text)
        if found is None:
            return None
        before = text[: found.start()]
        message, remedy = f"U+{ord(found.group()):04X} is a control character", "Remove it."
    line = len(_LINE_END.findall(before)) + 1
    column = len(_LINE_END.split(before)[-1]) + 1
    place = without(place_in(lines, file, line, column), suspect_lines(lines))
    return codes.ENCODING.finding(message, remedy, place=place)


def _syntax_finding(error: YAMLError, lines: tuple[str, ...], file: str) -> Finding:
    problem, mark = str(error).splitlines()[0], None
    if isinstance(error, MarkedYAMLError):
        problem = error.problem or error.context or problem
        mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    column = mark.column + 1 if mark is not None else 1
    if line > len(lines):  # the reader counts a line behind the last one, where the file ends
        line, column = len(lines), len(lines[-1]) + 1
    # The reader notices a tab late: look at the indentation of the line it stopped in and of the one before.
    for number in (line, line - 1):
        text = lines[number - 1] if 1 <= number <= len(lines) else ""
        indent = text[: len(text) - len(text.lstrip())]
        if "\t" in indent:
            place = without(place_in(lines, file, number, indent.index("\t") + 1), suspect_lines(lines))
            return codes.TAB.finding(
                "a tab stands in the indentation", "Replace tabs by blanks.", place=place
            )
    remedy = "Mend the line; `ventoy-kit check --explain VK-Y02` lists the usual reasons."
    return _unread(f"this is not YAML: {problem}", remedy, place_in(lines, file, line, column), lines)


def _unread(message: str, remedy: str, place: Place, lines: tuple[str, ...]) -> Finding:
    """A finding of what keeps the text from being YAML; the reader's words may repeat what stands in the line."""
    suspect = suspect_lines(lines)
    if place.line in suspect:
        message = "this is not YAML; what stands in the line is not shown, as it may be a secret"
        remedy = "Write the name of a secret here, and where it comes from below `secrets`."
    return codes.SYNTAX.finding(message, remedy, place=without(place, suspect))


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
                codes.RECURSION.finding(
                    "this value holds itself by an alias", "Write the value out.", place=place
                )
            )
            return None
        self.open.add(id(node))
        value: Any = None
        if isinstance(node, MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, SequenceNode):
            value = [self.convert(item, (*path, n)) for n, item in enumerate(node.items)]
        self.open.discard(id(node))
        self.done[id(node)] = value
        return value

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        seen: dict[str, Node] = {}
        for key, value in node.items:
            if not isinstance(key, ScalarNode):
                place = _place(key, self.marked)
                self.report.add(
                    codes.SYNTAX.finding("a key must be one word", "Write `name: value`.", place=place)
                )
                continue
            name = key.value
            if name in seen:
                first = seen[name].start[0] + 1
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
    if not node.plain:
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
