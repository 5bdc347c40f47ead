"""ventoy.json as Ventoy reads it, and as it is written back. Pure.

The reader follows Ventoy's own (ventoy_json.c): no escape is decoded, numbers are digits only, bytes above 127 and
control characters between tokens are blanks, of two equal members the first counts, text behind the root object is
ignored. Strings are kept as they are spelled, so what is written back means to Ventoy what it meant before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ventoy_kit.report import Report, place_in
from ventoy_kit.stick import config_codes as codes

CONFIG_PATH = "ventoy/ventoy.json"


@dataclass(frozen=True, slots=True)
class Obj:
    """A JSON object: members in file order, doubles included."""

    members: tuple[tuple[str, Value], ...] = ()

    def get(self, name: str) -> Value:
        """The first member of that name, as Ventoy finds a plugin's, or None."""
        return next((value for key, value in self.members if key == name), None)

    def text(self, name: str) -> str | None:
        """The first text of that name, as Ventoy finds it inside of an entry (vtoy_json_get_string_ex)."""
        return next((v for key, v in self.members if key == name and isinstance(v, str)), None)

    def count(self, name: str) -> int:
        """How many members have that name."""
        return sum(key == name for key, _ in self.members)

    def with_member(self, name: str, value: Value) -> Obj:
        """The first member of that name replaced, or a new one at the end."""
        for index, (key, _) in enumerate(self.members):
            if key == name:
                return Obj((*self.members[:index], (name, value), *self.members[index + 1 :]))
        return Obj((*self.members, (name, value)))

    def without(self, name: str) -> Obj:
        """The first member of that name removed."""
        for index, (key, _) in enumerate(self.members):
            if key == name:
                return Obj((*self.members[:index], *self.members[index + 1 :]))
        return self


Value = Obj | list[Any] | str | int | bool | None


class _SyntaxError(Exception):
    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position, self.message = position, message


def parse_config(data: bytes, file: str) -> tuple[Obj | None, Report]:
    """Read a ventoy.json; None with a finding (line and column) where Ventoy would stop with an error."""
    report = Report()
    try:
        text = data.partition(b"\0")[0].decode("utf-8-sig")  # a text of C ends there
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        place = place_in([], file, line, 1)
        report.add(codes.BROKEN.finding("the file is not UTF-8 text", "Save it as UTF-8.", place=place))
        return None, report
    try:
        start = _skip(text, 0)
        if text[start : start + 1] != "{":
            _fail(start, "the root must be an object in braces")
        value, _ = _object(text, start, 0)
    except _SyntaxError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        column = error.position - (before.rfind("\n") + 1) + 1
        report.add(
            codes.BROKEN.finding(
                f"Ventoy cannot read this: {error.message}",
                "Mend it (no comments, no comma before a bracket, no negative or broken numbers), "
                "or move the file away.",
                place=place_in(text.split("\n"), file, line, column),
            )
        )
        return None, report
    return value, report


def _fail(position: int, message: str) -> NoReturn:
    raise _SyntaxError(position, message)


def _skip(text: str, at: int) -> int:
    while at < len(text) and (text[at] <= " " or text[at] > "\x7f"):
        at += 1
    return at


def _string(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise _SyntaxError(at, "a name or text in double quotes is expected")
    end = text.find('"', at + 1)
    if end > 0 and text[end - 1] == "\\":
        end += 1
        while end < len(text) and not (text[end] == '"' and text[end - 1] != "\\"):
            end += 1
    if end < 0 or end >= len(text):
        raise _SyntaxError(at, "this text has no closing quote that Ventoy would see")
    return text[at + 1 : end], end + 1


def _value(text: str, at: int, depth: int) -> tuple[Value, int]:
    at = _skip(text, at)
    if depth > 64:
        raise _SyntaxError(at, "it is nested too deeply")
    for word, value in (("null", None), ("false", False), ("true", True)):
        if text.startswith(word, at):
            return value, at + len(word)
    first = text[at : at + 1]
    if first == '"':
        return _string(text, at)
    if first == "[":
        return _array(text, at, depth)
    if first == "{":
        return _object(text, at, depth)
    return _number(text, at)


def _number(text: str, at: int) -> tuple[int, int]:
    """Digits below 2^64. GRUB 2.04's strtoul fails above that, and takes `[`, `]`, `_` and their kin for digits too."""
    end = at
    while end < len(text) and text[end] in "0123456789":
        end += 1
    if end == at:
        raise _SyntaxError(at, "a value is expected")
    if text[end : end + 1] in tuple("[\\]^_`"):
        raise _SyntaxError(end, f"a blank is needed between a number and `{text[end]}`")
    digits = text[at:end].lstrip("0") or "0"
    if len(digits) > 20 or int(digits) >= 2**64:
        raise _SyntaxError(at, "this number is too large")
    return int(digits), end


def _array(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        return items, at + 1
    while True:
        item, at = _value(text, at, depth + 1)
        items.append(item)
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return items, at + 1
        if text[at : at + 1] != ",":
            raise _SyntaxError(at, "a comma or ] is expected")
        at += 1


def _object(text: str, at: int, depth: int) -> tuple[Obj, int]:
    members: list[tuple[str, Value]] = []
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return Obj(), at + 1
    while True:
        name, at = _string(text, _skip(text, at))
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise _SyntaxError(at, "a colon is expected")
        value, at = _value(text, at + 1, depth + 1)
        members.append((name, value))
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return Obj(tuple(members)), at + 1
        if text[at : at + 1] != ",":
            raise _SyntaxError(at, "a comma or } is expected")
        at += 1


def dump_config(root: Obj) -> bytes:
    """Write it the way Ventoy reads it: strings as they are spelled, four blanks of indentation, a final line end."""
    return (_dump(root, "") + "\n").encode()


def _dump(value: Value, indent: str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    inner = indent + "    "
    if isinstance(value, Obj):
        lines = [f'{inner}"{k}": {_dump(v, inner)}' for k, v in value.members]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}" if lines else "{}"
    lines = [inner + _dump(v, inner) for v in value]
    return "[\n" + ",\n".join(lines) + f"\n{indent}]" if lines else "[]"


def as_value(value: Any) -> Value:
    """Plain data (from a manifest or from the payload) as a Value."""
    if isinstance(value, Mapping):
        return Obj(tuple((str(k), as_value(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return [as_value(v) for v in value]
    return value  # type: ignore[no-any-return]


def same_value(one: Value, other: Value) -> bool:
    """Equality that tells 0 from false, as Ventoy does."""
    return one == other and _dump(one, "") == _dump(other, "")
