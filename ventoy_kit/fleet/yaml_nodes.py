"""YAML text to nodes with positions, by an explicit stack.

The library's own composer calls itself for every level, so that a file of a hundred thousand brackets ends the
process; its parser does not. Reading the parser's events is also five times faster than composing with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml import events as ev

MAX_DEPTH = 64
"""Levels of maps and lists inside each other; a fleet file needs ten."""

Mark = tuple[int, int]
"""Line and column, both from 0, in characters."""


class NodeError(Exception):
    """The text is YAML, but holds something that a fleet file cannot."""

    def __init__(self, message: str, remedy: str, at: Mark, length: int = 1) -> None:
        super().__init__(message)
        self.message, self.remedy, self.at, self.length = message, remedy, at, length


@dataclass(slots=True, eq=False)
class Node:
    """A piece of the document: where it begins and ends."""

    start: Mark
    end: Mark


@dataclass(slots=True, eq=False)
class ScalarNode(Node):
    """A single value; `plain` if it stands without quotes and is no block text."""

    value: str
    plain: bool


@dataclass(slots=True, eq=False)
class SequenceNode(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MappingNode(Node):
    """A map: keys and values in the order of the file, equal keys included. `by_name` finds the first of a name."""

    items: list[tuple[Node, Node]] = field(default_factory=list)
    by_name: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    key: Node | None = None

    def add(self, node: Node) -> None:
        """The next key, or the value of the last one."""
        if self.key is None:
            self.key = node
            return
        self.items.append((self.key, node))
        if isinstance(self.key, ScalarNode):
            self.by_name.setdefault(self.key.value, (self.key, node))
        self.key = None


def compose(text: str, *, pure: bool = False) -> Node | None:
    """The root node of a document, None for an empty one.

    Args:
        text: YAML of at most one document.
        pure: use the library's reader in Python; otherwise the one in C where it is installed.

    Raises:
        YAMLError: the text is no YAML.
        NodeError: it nests too deeply, or holds a tag, a second document or an alias without an anchor.
    """
    root: Node | None = None
    documents = 0
    anchors: dict[str, Node] = {}
    stack: list[MappingNode | SequenceNode] = []
    for event in _events(text, pure=pure):
        kind = type(event)
        if kind in (ev.MappingEndEvent, ev.SequenceEndEvent):
            stack.pop().end = _mark(event.end_mark)
            continue
        if kind is ev.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise NodeError(
                    "a second document begins here", "Remove the line `---`.", _mark(event.start_mark), 3
                )
        if kind not in (ev.ScalarEvent, ev.MappingStartEvent, ev.SequenceStartEvent, ev.AliasEvent):
            continue
        node = _node(event, anchors)
        if not stack:
            root = node
        elif isinstance(stack[-1], MappingNode):
            stack[-1].add(node)
        else:
            stack[-1].items.append(node)
        if kind is not ev.AliasEvent and isinstance(node, MappingNode | SequenceNode):
            stack.append(node)
            if len(stack) > MAX_DEPTH:
                raise NodeError(
                    f"more than {MAX_DEPTH} maps and lists stand inside each other",
                    "Close the brackets, or correct the indentation.",
                    node.start,
                )
    return root


def _events(text: str, *, pure: bool) -> Any:
    if not pure:
        try:
            return YAML(typ="safe", pure=False).parse(text)
        except (ImportError, AttributeError):
            pass
    return YAML(typ="safe", pure=True).parse(text)


def _mark(mark: Any) -> Mark:
    return mark.line, mark.column


def _node(event: Any, anchors: dict[str, Node]) -> Node:
    start, end = _mark(event.start_mark), _mark(event.end_mark)
    if isinstance(event, ev.AliasEvent):
        if event.anchor not in anchors:
            raise NodeError(
                f"nothing above is called `&{event.anchor}`",
                f"Mark the value that `*{event.anchor}` stands for with `&{event.anchor}`, or quote the text.",
                start,
                len(event.anchor) + 1,
            )
        return anchors[event.anchor]
    if event.tag is not None:
        tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
        raise NodeError(
            f"the tag `{tag}` has no meaning here", "Remove it; quote the value if it is text.", start
        )
    node: Node
    if isinstance(event, ev.ScalarEvent):
        node = ScalarNode(start, end, event.value, event.style in (None, ""))
    elif isinstance(event, ev.MappingStartEvent):
        node = MappingNode(start, end)
    else:
        node = SequenceNode(start, end)
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node
