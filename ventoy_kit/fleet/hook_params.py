"""Parameters of hooks: what hook.yaml may declare of one, and which values of a fleet file it accepts. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from ventoy_kit.fleet import hook_codes as codes
from ventoy_kit.fleet import values
from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.values import Bool, Int, Text, as_bool, as_int, as_text
from ventoy_kit.report import Finding, Path

ParamValue = str | int | bool | tuple[str, ...]
"""A parameter's checked value; a tuple for a list. A size is a number of bytes."""

VALUE_BYTES = 100_000
"""Most bytes of one value as UTF-8. Linux allows 131072 for `NAME=value` with its NUL (MAX_ARG_STRLEN)."""

PARAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

Form = Literal[
    "size", "mac", "pci_id", "pci_address", "address", "cidr", "interface", "domain", "url", "package", "timezone",
    "uuid",
]  # fmt: skip
"""Text of one form, spelled as elsewhere in the fleet file."""

Reference = Literal["nic", "disk", "pool", "gpu", "node", "network"]
"""Something that the fleet file declares: of the hook's node, or of the fleet for the last two."""

FORMS: Mapping[str, TypeAdapter[Any]] = {
    "size": TypeAdapter(values.Size),
    "mac": TypeAdapter(values.Mac),
    "pci_id": TypeAdapter(values.PciId),
    "pci_address": TypeAdapter(values.PciAddress),
    "address": TypeAdapter(values.Address),
    "cidr": TypeAdapter(values.Cidr),
    "interface": TypeAdapter(values.Interface),
    "domain": TypeAdapter(values.Domain),
    "url": TypeAdapter(values.Url),
    "package": TypeAdapter(values.Package),
    "timezone": TypeAdapter(values.Timezone),
    "uuid": TypeAdapter(values.Uuid),
}
REFERENCES: frozenset[str] = frozenset(get_args(Reference))

Names = Mapping[str, Collection[str]]
"""The names that a node's hooks may refer to, by Reference."""


class ParamSpec(Model):
    """One parameter of a hook."""

    type: Literal["string", "integer", "boolean", "enum", "list"] | Form | Reference = Field(
        description="What kind of value it takes."
    )
    items: Literal["string"] | Form | Reference = Field(
        "string", description="What the items of a list are: text, or a type of the last two kinds."
    )
    description: Text = Field(description="One sentence for the hook's page.")
    default: Any = Field(None, description="Value if none is given. Without one: empty, false for a boolean.")
    required: Bool = Field(default=False, description="The fleet file must give it.")
    pattern: Text | None = Field(
        None, description="Regular expression for a whole string, or each item of a list."
    )
    choices: tuple[Text, ...] = Field((), description="The values of an enum.")
    minimum: Int | None = Field(None, description="Least integer, or fewest items of a list.")
    maximum: Int | None = Field(None, description="Greatest integer, or most items of a list.")


def check_declared(name: str, spec: ParamSpec, path: Path) -> Iterator[Finding]:
    """Whether a parameter's declaration makes sense; `path` is its place in hook.yaml."""

    def wrong(message: str, remedy: str, key: str | None = None) -> Finding:
        at = path if key is None else (*path, key)
        return codes.PARAMETER_SPEC.finding(
            f"parameter `{name}` {message}", remedy, path=at, on_key=key is None
        )

    kind = spec.items if spec.type == "list" else spec.type
    if not PARAM_NAME.fullmatch(name):
        yield wrong(
            "is no parameter name", "Use lower-case letters, digits and _, at most 40, a letter first."
        )
    if (spec.type == "enum") != bool(spec.choices):
        yield wrong("is an enum without choices, or has choices and is none", "Give an enum its choices.")
    if spec.pattern is not None:
        if kind != "string":
            yield wrong("has a pattern but is no text", "Remove the pattern.", "pattern")
        try:
            re.compile(spec.pattern)
        except re.error as error:
            yield wrong(
                f"has a pattern that is no regular expression: {error}", "Mend the pattern.", "pattern"
            )
            return
    if (spec.minimum, spec.maximum) != (None, None) and spec.type not in ("integer", "list"):
        yield wrong("has a limit but is neither integer nor list", "Remove the limit.")
    if spec.items != "string" and spec.type != "list":
        yield wrong("has items but is no list", "Remove `items`.", "items")
    if kind in REFERENCES and spec.default is not None:
        yield wrong("has a default, but what it names differs from node to node", "Remove it.", "default")
    elif spec.required and spec.default is not None:
        yield wrong("is required and has a default", "Remove one of the two.", "default")
    elif spec.default is not None:
        _, findings = _checked(name, spec, spec.default, (*path, "default"))
        for finding in findings:
            yield wrong(f"has a default that it refuses: {finding.message}", finding.remedy, "default")


def check_values(
    hook: str,
    declared: Mapping[str, ParamSpec],
    params: Mapping[str, object],
    path: Path,
    names: Names | None,
) -> tuple[Mapping[str, ParamValue], list[Finding]]:
    """What `hooks.check_params` says, which see; `declared` are the parameters of the hook."""
    findings = [
        _unknown(hook, declared, str(given), (*path, given)) for given in params if given not in declared
    ]
    checked: dict[str, ParamValue] = {}
    for name, spec in declared.items():
        at = (*path, name)
        if name in params and params[name] is None:
            remedy = f"Give it a value, or remove the line `{name}:`."
            message = f"parameter `{name}` holds nothing"
            findings.append(codes.PARAMETER_TYPE.finding(message, remedy, path=at))
        elif name not in params and spec.required:
            message = f"hook `{hook}` needs the parameter `{name}`"
            remedy = f"Add `{name}: ...`. {spec.description}"
            findings.append(codes.PARAMETER_MISSING.finding(message, remedy, path=path))
        else:
            given = params.get(name, _EMPTY if spec.default is None else spec.default)
            value, found = _checked(name, spec, given, at, names)
            findings += found
            if value is not None:
                checked[name] = value
    return checked, findings


_EMPTY = object()
"""Stands for a parameter that was not given and has no default: empty text, an empty list, or false."""


def _unknown(hook: str, declared: Collection[str], name: str, path: Path) -> Finding:
    near = difflib.get_close_matches(name, list(declared), 1, 0.6)
    known = ", ".join(declared)
    remedy = (
        f"Did you mean `{near[0]}`?"
        if near
        else f"It takes: {known}."
        if known
        else "It takes none; remove it."
    )
    return codes.UNKNOWN_PARAMETER.finding(
        f"hook `{hook}` has no parameter `{name}`", remedy, path=path, on_key=True
    )


def _checked(
    name: str, spec: ParamSpec, value: object, path: Path, names: Names | None = None
) -> tuple[ParamValue | None, list[Finding]]:
    """The value as its type, or None, and what is wrong with it."""
    if value is _EMPTY:
        empty: Mapping[str, ParamValue] = {"list": (), "boolean": False}
        return empty.get(spec.type, ""), []
    try:
        typed = _typed(spec, value)
    except PydanticCustomError as error:
        context = error.context or {}
        message = f"parameter `{name}` {context['message']}"
        return None, [codes.PARAMETER_TYPE.finding(message, str(context["remedy"]), path=path)]
    findings = [*_text_findings(name, typed, path), *_value_findings(name, spec, typed, path)]
    if not findings and names is not None:
        findings = list(_name_findings(name, spec, typed, path, names))
    return (None if findings else typed), findings


def _typed(spec: ParamSpec, value: object) -> ParamValue:
    if spec.type == "integer":
        return as_int(value)
    if spec.type == "boolean":
        return as_bool(value)
    if spec.type != "list":
        return _formed(spec.type, value)
    if not isinstance(value, list | tuple):
        shown = (
            "nothing" if value is None else "a map" if isinstance(value, Mapping) else f"`{_short(value)}`"
        )
        context = {
            "message": f"needs a list, not {shown}",
            "remedy": "Write a list (lines that begin with `- `).",
        }
        raise PydanticCustomError("vk_type", "{message}", context)
    return tuple(str(_formed(spec.items, item)) for item in value)


def _formed(form: str, value: object) -> str | int:
    """Text as it is, or in the one way to write it that its form has."""
    if form not in FORMS:
        return as_text(value)
    try:
        made = FORMS[form].validate_python(value)
    except ValidationError as error:
        details = error.errors()[0]
        raise PydanticCustomError("vk_type", "{message}", details.get("ctx", {})) from None
    return made if isinstance(made, int) else str(made)


def _name_findings(
    name: str, spec: ParamSpec, value: ParamValue, path: Path, names: Names
) -> Iterator[Finding]:
    kind = spec.items if spec.type == "list" else spec.type
    if kind not in REFERENCES:
        return
    known = names[kind]
    items: Sequence[tuple[str, tuple[int, ...]]]
    items = [(v, (n,)) for n, v in enumerate(value)] if isinstance(value, tuple) else [(str(value), ())]
    for item, at in items:
        if item not in known:
            near = difflib.get_close_matches(item, list(known), 1, 0.6)
            remedy = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(sorted(known)) or 'none'}."
            what = {"gpu": "GPU with this PCI id", "nic": "NIC"}.get(kind, kind)
            where = "the fleet" if kind in ("node", "network") else "the node"
            message = f"parameter `{name}`: {where} declares no {what} `{_short(item)}`"
            yield codes.PARAMETER_NAME.finding(message, remedy, path=(*path, *at))


def _text_findings(name: str, value: ParamValue, path: Path) -> Iterator[Finding]:
    def wrong(message: str, remedy: str) -> Finding:
        return codes.PARAMETER_TEXT.finding(f"parameter `{name}` {message}", remedy, path=path)

    if isinstance(value, int):
        return
    text = value if isinstance(value, str) else "\n".join(value)
    if "\0" in text:
        yield wrong("holds a NUL character", "Remove it.")
    if not is_utf8(text):
        yield wrong("holds half of a surrogate pair", "Write the character itself.")
    elif len(text.encode()) > VALUE_BYTES:
        yield wrong(f"has {len(text.encode())} bytes, more than {VALUE_BYTES}", "Shorten it.")
    if isinstance(value, tuple) and any("\n" in item for item in value):
        yield wrong("has an item of several lines", "Write one item per line.")


def _value_findings(name: str, spec: ParamSpec, value: ParamValue, path: Path) -> Iterator[Finding]:
    def wrong(message: str, remedy: str, *more: str | int) -> Finding:
        return codes.PARAMETER_VALUE.finding(f"parameter `{name}` {message}", remedy, path=(*path, *more))

    if spec.type == "enum" and value not in spec.choices:
        near = difflib.get_close_matches(str(value), spec.choices, 1, 0.6)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        yield wrong(f"cannot be `{_short(value)}`", f"Write one of {', '.join(spec.choices)}.{hint}")
    if spec.pattern is not None:
        items: Sequence[tuple[str, tuple[int, ...]]]
        items = (
            [(item, (n,)) for n, item in enumerate(value)] if isinstance(value, tuple) else [(str(value), ())]
        )
        for item, at in items:
            if not re.fullmatch(spec.pattern, item):
                yield wrong(f"cannot be `{_short(item)}`", f"It must match {spec.pattern}", *at)
    if isinstance(value, str | bool):
        return
    size, what = (len(value), "items") if isinstance(value, tuple) else (value, "")
    if spec.minimum is not None and size < spec.minimum:
        yield wrong(f"is {size} {what}".rstrip(), f"Give at least {spec.minimum} {what}".rstrip() + ".")
    if spec.maximum is not None and size > spec.maximum:
        yield wrong(f"is {size} {what}".rstrip(), f"Give at most {spec.maximum} {what}".rstrip() + ".")


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
