"""Additions to a YAML file as text: every character that was there stays, comments, order and quotes included. Pure.

Positions come from the reader that also gives findings their places. Whoever calls this reads the result again and
compares it with `merged`, since an alias is a place where an addition would show up twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ventoy_kit.fleet.marks import Marked
from ventoy_kit.fleet.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode
from ventoy_kit.report import Path

WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ()/+_.-]*[A-Za-z0-9)]|[A-Za-z]")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}")
_SIZE = re.compile(r"[0-9.]+ [KMGTP]i?B")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Additions:
    """What to add: maps of keys down to what is new, lists of new items; and comments behind keys, by path."""

    values: Mapping[str, Any]
    comments: Mapping[Path, str] = field(default_factory=dict)


def merged(value: Any, additions: Any) -> Any:
    """The document's plain value with additions."""
    if isinstance(value, Mapping) and isinstance(additions, Mapping):
        added = {key: merged(value[key], new) if key in value else new for key, new in additions.items()}
        return {**value, **added}
    if isinstance(value, list) and isinstance(additions, list):
        return [*value, *additions]
    return additions


def insert(text: str, marked: Marked, additions: Additions) -> str:
    """The text with additions.

    Args:
        text: the file, without a byte order mark.
        marked: the same, read.
        additions: their maps lead through maps of the file to keys that are not there, or to lists.
    """
    editor = _Editor(text, additions)
    if marked.root is not None:
        editor.visit(marked.root, additions.values, ())
    return editor.result()


class _Editor:
    """Collects insertions at offsets of the old text."""

    def __init__(self, text: str, additions: Additions) -> None:
        self.text, self.comments = text, additions.comments
        self.lines = [0]
        for match in _LINE.finditer(text):
            self.lines.append(match.end())
        first = re.search(r"\r\n|\r|\n", text)
        self.newline = first.group() if first else "\n"
        self.edits: list[tuple[int, int, str]] = []  # from, to, new text

    def result(self) -> str:
        out, at = [], 0
        for start, end, new in sorted(self.edits, key=lambda edit: edit[0]):
            out += [self.text[at:start], new]
            at = end
        return "".join([*out, self.text[at:]])

    def offset(self, mark: tuple[int, int]) -> int:
        return min(self.lines[min(mark[0], len(self.lines) - 1)] + mark[1], len(self.text))

    def flow(self, node: Node) -> bool:
        return self.text[self.offset(node.start) : self.offset(node.start) + 1] in ("{", "[")

    def visit(self, node: Node, additions: Any, path: Path) -> None:
        new: list[tuple[str | None, Any]] = []
        if isinstance(node, MappingNode):
            for key, value in additions.items():
                if key in node.by_name:
                    self.visit(node.by_name[key][1], value, (*path, key))
                else:
                    new.append((key, value))
        elif isinstance(node, SequenceNode):
            new = [(None, item) for item in additions]
        else:
            return
        if new and not self.flow(node):
            self.below(node, new, path)
        elif new and not node.items and len(path) == 1:
            self.opened(node, new, path)
        elif new:
            self.inside(node, new)

    def below(self, node: MappingNode | SequenceNode, new: list[tuple[str | None, Any]], path: Path) -> None:
        """New lines behind the last line of a block, and behind comments that belong to it."""
        first = node.items[0]
        head = first[0].start if isinstance(first, tuple) else node.start
        column = head[1]
        line = _last_line(node, flow=self.flow) + 1
        while line < len(self.lines) - 1:
            shown = self.text[self.lines[line] : self.lines[line + 1]]
            indent = len(shown) - len(shown.lstrip(" "))
            if not shown.lstrip().startswith("#") or indent <= column:
                break
            line += 1
        at = self.lines[min(line, len(self.lines) - 1)]
        lines = [text for key, value in new for text in self.block(key, value, column, path)]
        before = self.newline if at and self.text[at - 1] not in "\r\n" else ""
        self.edits.append((at, at, before + "".join(text + self.newline for text in lines)))

    def opened(self, node: Node, new: list[tuple[str | None, Any]], path: Path) -> None:
        """Lines in the place of `{}` at the top of the file."""
        start, end = self.offset(node.start), self.offset(node.end)
        rest = _LINE.match(self.text, end)
        line_end = rest.end() if rest else end
        comment = self.text[end:line_end].rstrip()
        lines = [text for key, value in new for text in self.block(key, value, 2, path)]
        tail = "".join(text + self.newline for text in lines)
        self.edits.append((start, line_end, f"{comment.lstrip()}{self.newline}{tail}"))

    def inside(self, node: MappingNode | SequenceNode, new: list[tuple[str | None, Any]]) -> None:
        """More between braces or brackets."""
        text = ", ".join(flow({key: value})[1:-1] if key is not None else flow(value) for key, value in new)
        if node.items:
            last = node.items[-1]
            key, value = last if isinstance(last, tuple) else (last, last)
            at = self.offset(value.end if value.start >= key.start else key.end)
            if value.start < key.start:  # an alias: its name follows the key
                at = self.offset(node.end) - 1
            text = f", {text}"
        else:
            at = self.offset(node.end) - 1
        self.edits.append((at, at, text))

    def block(self, key: str | None, value: Any, column: int, path: Path) -> Iterator[str]:
        """Lines of a key with its value, or of an item of a list."""
        here = (*path, key) if key is not None else path
        comment = f" # {self.comments[here]}" if key is not None and here in self.comments else ""
        head = " " * column + (f"{scalar(key)}:" if key is not None else "-")
        inner = isinstance(value, Mapping) and any(
            isinstance(v, Mapping | list) and v for v in value.values()
        )
        as_flow = flow(value)
        fits = len(head) + len(as_flow) < WIDTH or key is None
        if (
            not isinstance(value, Mapping | list)
            or not value
            or (fits and not inner and not isinstance(value, list))
        ):
            yield f"{head} {as_flow}{comment}"
            return
        yield head + comment
        pairs = value.items() if isinstance(value, Mapping) else ((None, item) for item in value)
        for inner_key, item in pairs:
            yield from self.block(inner_key, item, column + 2, here)


def _last_line(node: Node, *, flow: Any) -> int:
    """The line in which the last thing of a node ends."""
    if isinstance(node, ScalarNode) or flow(node):
        line, column = node.end
        return line - 1 if column == 0 and line > node.start[0] else line
    last = node.start[0]
    for item in node.items if isinstance(node, MappingNode | SequenceNode) else ():
        key, value = item if isinstance(item, tuple) else (None, item)
        if key is not None:
            last = max(last, key.end[0])
        if key is None or value.start >= key.start:  # an alias stands where its anchor does
            last = max(last, _last_line(value, flow=flow))
    return last


def scalar(value: Any) -> str:
    """A value on one line, quoted wherever a reader could take it for something else."""
    if isinstance(value, bool | int):
        return json.dumps(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and "  " not in text and text.lower() not in _WORDS
    if plain or _ADDRESS.fullmatch(text) or _SIZE.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """A value in flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)
