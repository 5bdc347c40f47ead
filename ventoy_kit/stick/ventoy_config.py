"""ventoy.json as Ventoy reads it, and the kit's entries merged into it and taken out again. Pure.

The reader follows Ventoy's own (ventoy_json.c): no escape is decoded, numbers are digits only, bytes above 127 and
control characters between tokens are blanks, of two equal members the first counts, text behind the root object is
ignored. Strings are kept as they are spelled, so what is written back means to Ventoy what it meant before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ventoy_kit.report import Finding, Place, Report, place_in
from ventoy_kit.stick import config_codes as codes

CONFIG_PATH = "ventoy/ventoy.json"
MODES = ("legacy", "uefi", "ia32", "aa64", "mips")
"""Suffixes of plugin keys; a suffixed key takes the place of the plain one in that boot mode (ventoy_plugin.c)."""

IMAGE_KEY = {"auto_install": "image", "injection": "image", "conf_replace": "iso", "menu_alias": "image"}


@dataclass(frozen=True, slots=True)
class Obj:
    """A JSON object: members in file order, doubles included."""

    members: tuple[tuple[str, Value], ...] = ()

    def get(self, name: str) -> Value:
        """The first member of that name, as Ventoy finds it, or None."""
        return next((value for key, value in self.members if key == name), None)

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
        text = data.decode("utf-8-sig")
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
                place=place_in(text.splitlines(), file, line, column),
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
    end = at
    while end < len(text) and text[end] in "0123456789":
        end += 1
    if end == at:
        raise _SyntaxError(at, "a value is expected")
    return int(text[at:end]), end


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


def merge_config(
    user: Obj, ours: Mapping[str, Any], before: Mapping[str, Any], file: str
) -> tuple[Obj | None, Report]:
    """Take the entries of an earlier stage out, put the new ones in.

    Args:
        user: what ventoy.json holds now.
        ours: the kit's entries by plugin, as the payload has them.
        before: the kit's entries that an earlier stage recorded in the manifest.
        file: name of the file in findings.

    Returns:
        The new root, or None with findings VK-V* if ours cannot work beside the user's.
    """
    report = Report()
    root = user
    for plugin, entries in before.items():
        for name in _present(root, plugin):
            root = _take_out(root, name, [as_value(e) for e in entries])
    report.extend(_conflicts(root, ours, file))
    if report.has_errors:
        return None, report
    for plugin, entries in ours.items():
        if not entries:
            continue
        names = _present(root, plugin)
        for name in names if plugin in names else [plugin, *names]:
            root = _put_in(root, name, [as_value(e) for e in entries])
    return root, report


def _present(root: Obj, plugin: str) -> list[str]:
    """The keys of a plugin that are there: plain and per boot mode."""
    return [n for n in (plugin, *(f"{plugin}_{m}" for m in MODES)) if root.get(n) is not None]


def _entries(root: Obj, name: str) -> list[Any] | None:
    """The list of a plugin's entries; for menu_tip it is a member of an object."""
    value = root.get(name)
    if name.startswith("menu_tip"):
        value = value.get("tips") if isinstance(value, Obj) else None
    return value if isinstance(value, list) else None


def _store(root: Obj, name: str, entries: list[Any]) -> Obj:
    if name.startswith("menu_tip"):
        holder = root.get(name)
        holder = (
            holder if isinstance(holder, Obj) else Obj((("left", "10%"), ("top", "81%"), ("color", "white")))
        )
        return root.with_member(name, holder.with_member("tips", list(entries)))
    return root.with_member(name, list(entries))


def _take_out(root: Obj, name: str, entries: list[Value]) -> Obj:
    found = _entries(root, name)
    if found is None:
        return root
    kept = [e for e in found if e not in entries]
    if kept == found:
        return root
    holder = root.get(name)
    own_holder = isinstance(holder, Obj) and {k for k, _ in holder.members} == {
        "left",
        "top",
        "color",
        "tips",
    }
    if not kept and (not isinstance(holder, Obj) or own_holder):
        return root.without(name)
    return _store(root, name, kept)


def _put_in(root: Obj, name: str, entries: list[Value]) -> Obj:
    return _store(root, name, [*(_entries(root, name) or []), *entries])


def _conflicts(root: Obj, ours: Mapping[str, Any], file: str) -> Iterator[Finding]:
    place = place_in([], file, 1, 1)
    images = {entry["image"] for entry in ours.get("menu_alias", [])}
    for plugin in ours:
        for name in _present(root, plugin):
            if _entries(root, name) is None and not (
                name.startswith("menu_tip") and isinstance(root.get(name), Obj)
            ):
                yield codes.SHAPE.finding(
                    f"`{name}` is not a list, so Ventoy ignores it and nothing can be added",
                    "Correct or remove it.",
                    place=place,
                )
    for plugin, key in IMAGE_KEY.items():
        for name in _present(root, plugin):
            for entry in _entries(root, name) or []:
                image = entry.get(key) if isinstance(entry, Obj) else None
                if image in images:
                    count = sum(
                        isinstance(e, Obj) and e.get(key) == image for e in _entries(root, name) or []
                    )
                    yield _same_image(name, str(image), count if plugin == "conf_replace" else 0, place)
                    break
    yield from _hidden(root, images, place)


def _same_image(name: str, image: str, replaced: int, place: Place) -> Finding:
    """The user's entry for an image of ours; `replaced` is how many of its files conf_replace replaces already."""
    if replaced >= 2:
        return codes.FULL.finding(
            f"`{name}` replaces {replaced} files of {image} already, and Ventoy does not look further than two",
            "Remove one of them.",
            place=place,
        )
    return codes.SHADOWED.finding(
        f"`{name}` has an entry of yours for {image}; the kit's comes last and counts",
        "Remove yours, or use another copy of the image.",
        place=place,
    )


def _hidden(root: Obj, images: set[str], place: Place) -> Iterator[Finding]:
    """Settings of the user that keep Ventoy from listing our images."""
    for name in _present(root, "image_list"):
        listed = root.get(name)
        for image in sorted(images):
            if isinstance(listed, list) and image not in listed:
                yield codes.HIDDEN.finding(
                    f"`{name}` does not name {image}, so Ventoy does not show it",
                    "Add it there.",
                    place=place,
                )
    for name in _present(root, "control"):
        settings = {
            key: value
            for entry in (root.get(name) or [])  # type: ignore[union-attr]
            if isinstance(entry, Obj)
            for key, value in entry.members[:1]
        }
        search = settings.get("VTOY_DEFAULT_SEARCH_ROOT")
        if isinstance(search, str) and search.rstrip("/") not in ("", "/iso"):
            yield codes.HIDDEN.finding(
                f"`{name}` lets Ventoy search {search} only, and the images are in /iso",
                "Remove VTOY_DEFAULT_SEARCH_ROOT, or set it to /iso.",
                place=place,
            )
        if settings.get("VTOY_MAX_SEARCH_LEVEL") == "0" and not search:
            yield codes.HIDDEN.finding(
                f"`{name}` lets Ventoy search the root folder only, and the images are in /iso",
                'Set VTOY_MAX_SEARCH_LEVEL to "1" or more.',
                place=place,
            )
