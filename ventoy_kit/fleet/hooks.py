"""The contract of hooks: what hook.yaml declares, and which parameters of a fleet file a hook accepts. Pure.

`hooks/README.md` says the same to people who write hooks.
"""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import PydanticCustomError

from ventoy_kit.fleet import hook_codes as codes
from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.decode import findings_of
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.values import Bool, Int, Name, Text, as_bool, as_int, as_text
from ventoy_kit.report import Finding, Path, Place, Report

ParamValue = str | int | bool | tuple[str, ...]
"""A parameter's checked value; a tuple for a list."""

Family = Literal["proxmox-ve", "debian"]
"""The systems that the runner can tell apart on a node; the catalog's image names."""

VALUE_BYTES = 100_000
"""Most bytes of one value as UTF-8. Linux allows 131072 for `NAME=value` with its NUL (MAX_ARG_STRLEN)."""

HOOK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
PARAM_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

_FILES = ("hook.yaml", "hook.sh", "README.md")
_TRACE = re.compile(r"^\s*set\s+(-[a-wyzA-Z]*x|-o\s+xtrace)|^#!.*\s-[a-z]*x", re.MULTILINE)


class ParamSpec(Model):
    """One parameter of a hook."""

    type: Literal["string", "integer", "boolean", "enum", "list"] = Field(
        description="What kind of value it takes."
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


class HookFile(Model):
    """What stands in hook.yaml."""

    summary: Text = Field(description="One line: what the hook does.")
    description: Text = Field("", description="What a person should know before choosing it.")
    systems: dict[Family, tuple[Text, ...]] = Field(
        description="Supported major releases per system: debian: ['13']."
    )
    order: Int = Field(500, ge=0, le=999, description="Lower numbers run first.")
    after: tuple[Name, ...] = Field(
        (), description="Hooks that, where chosen too, must have succeeded before."
    )
    needs_reboot: Bool = Field(default=False, description="After a change, a reboot comes before verify.")
    needs_network: Bool = Field(default=False, description="The runner waits for a default route first.")
    destructive: Bool = Field(default=False, description="Tried on one boot only, never again by itself.")
    timeout: Int = Field(600, ge=1, le=86_400, description="Seconds that apply, and verify, may take.")
    parameters: dict[str, ParamSpec] = Field(default_factory=dict, description="What a fleet file may set.")
    verifies: Text = Field(description="One sentence: what verify proves.")


class HookSpec(HookFile):
    """A hook that can be used: its declaration, its name and the text of hook.sh."""

    name: str
    script: str

    def supports(self, family: str, release: str) -> bool:
        """Whether it is made for a system, by major release: `9` stands for 9.0 and 9.1-1 too."""
        major = re.split(r"[.-]", release, maxsplit=1)[0]
        return any(name == family and major in majors for name, majors in self.systems.items())


def parse_hook(name: str, files: Mapping[str, str]) -> tuple[HookSpec | None, Report]:
    """Read a hook folder.

    Args:
        name: the folder's name.
        files: texts of the folder's files by file name.

    Returns:
        The hook, or None if there is an error, and findings with places in the folder's files.
    """
    report = Report()
    if not HOOK_NAME.fullmatch(name):
        place = Place(f"hooks/{name}")
        report.add(codes.NAME.finding(f"`{name}` is no hook name", "Rename the folder.", place=place))
        return None, report
    for file in _FILES[:2]:
        if file not in files:
            place = Place(f"hooks/{name}")
            report.add(
                codes.MISSING_FILE.finding(f"hook `{name}` has no {file}", f"Write {file}.", place=place)
            )
    for file in sorted(set(files) - set(_FILES)):
        report.add(
            codes.UNUSED_FILE.finding(
                f"{file} is no part of a hook and stays behind",
                "Put what it holds into hook.sh, or remove it.",
                place=Place(f"hooks/{name}/{file}"),
            )
        )
    report.extend(_check_script(name, files.get("hook.sh", "#!/bin/sh\n")))
    declared, found = _read_declaration(name, files.get("hook.yaml"))
    report.extend(found)
    if declared is None or report.has_errors:
        return None, report
    values = {key: getattr(declared, key) for key in HookFile.model_fields}
    return HookSpec(name=name, script=files["hook.sh"], **values), report


def _check_script(name: str, text: str) -> Iterator[Finding]:
    file = f"hooks/{name}/hook.sh"
    problems = (
        (
            re.match(r"#!\s*/", text) is None,
            "does not begin with #! and an absolute path",
            "Begin with #!/bin/sh.",
        ),
        ("\0" in text, "holds a NUL character", "Remove it."),
        ("\r" in text, "holds carriage returns", "Save it with Unix line ends."),
        (not text.endswith("\n"), "does not end with a line end", "Add one."),
        (not _is_utf8(text), "is not UTF-8 text", "Save it as UTF-8."),
    )
    for wrong, what, remedy in problems:
        if wrong:
            yield codes.SCRIPT.finding(f"hook.sh of `{name}` {what}", remedy, place=Place(file))
    for match in _TRACE.finditer(text):
        line = text.count("\n", 0, match.end()) + 1
        yield codes.TRACE.finding(
            f"hook.sh of `{name}` says `{match.group().strip()}`", "Remove it.", place=Place(file, line, 1)
        )


def _read_declaration(name: str, text: str | None) -> tuple[HookFile | None, Report]:
    if text is None:
        return None, Report()
    marked, report = read_marked(text.encode("utf-8", "surrogateescape"), f"hooks/{name}/hook.yaml")
    if marked is None or report.has_errors:
        return None, report
    declared: HookFile | None = None
    try:
        declared = HookFile.model_validate(marked.value)
    except ValidationError as error:
        report.extend(findings_of(error, HookFile))
    else:
        for param, spec in declared.parameters.items():
            report.extend(_check_declared(param, spec, ("parameters", param)))
    return declared, report.located(marked.locate)


def _check_declared(name: str, spec: ParamSpec, path: Path) -> Iterator[Finding]:
    def wrong(message: str, remedy: str, key: str | None = None) -> Finding:
        at = path if key is None else (*path, key)
        return codes.PARAMETER_SPEC.finding(
            f"parameter `{name}` {message}", remedy, path=at, on_key=key is None
        )

    if not PARAM_NAME.fullmatch(name):
        yield wrong(
            "is no parameter name", "Use lower-case letters, digits and _, at most 40, a letter first."
        )
    if (spec.type == "enum") != bool(spec.choices):
        yield wrong("is an enum without choices, or has choices and is none", "Give an enum its choices.")
    if spec.pattern is not None:
        if spec.type not in ("string", "list"):
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
    if spec.required and spec.default is not None:
        yield wrong("is required and has a default", "Remove one of the two.", "default")
    elif spec.default is not None:
        _, findings = _checked(name, spec, spec.default, (*path, "default"))
        for finding in findings:
            yield wrong(f"has a default that it refuses: {finding.message}", finding.remedy, "default")


def check_params(
    spec: HookSpec, params: Mapping[str, object], path: Path
) -> tuple[Mapping[str, ParamValue], Report]:
    """Check the parameters that a fleet file gives a hook and fill in defaults.

    Args:
        spec: the hook.
        params: values as read from YAML.
        path: where the map of parameters stands in the fleet file.

    Returns:
        Every declared parameter with its value, in the order of hook.yaml, and findings. With errors in the
        report the values are incomplete and must not be used.
    """
    report = Report()
    for given in params:
        if given not in spec.parameters:
            report.add(_unknown(spec, str(given), (*path, given)))
    values: dict[str, ParamValue] = {}
    for name, declared in spec.parameters.items():
        value = params.get(name)
        if value is None and name in params:
            remedy = f"Give it a value, or remove the line `{name}:`."
            report.add(
                codes.PARAMETER_TYPE.finding(f"parameter `{name}` holds nothing", remedy, path=(*path, name))
            )
        elif value is None and declared.required:
            report.add(
                codes.PARAMETER_MISSING.finding(
                    f"hook `{spec.name}` needs the parameter `{name}`",
                    f"Add `{name}: ...`. {declared.description}",
                    path=path,
                )
            )
        else:
            at = (*path, name)
            checked, findings = _checked(
                name, declared, _default(declared) if name not in params else value, at
            )
            report.extend(findings)
            if checked is not None:
                values[name] = checked
    return values, report


def _default(spec: ParamSpec) -> object:
    if spec.default is not None:
        return spec.default
    return _EMPTY


_EMPTY = object()
"""Stands for a parameter that was not given and has no default: empty text, an empty list, or false."""


def _unknown(spec: HookSpec, name: str, path: Path) -> Finding:
    near = difflib.get_close_matches(name, list(spec.parameters), 1, 0.6)
    known = ", ".join(spec.parameters)
    remedy = (
        f"Did you mean `{near[0]}`?"
        if near
        else f"It takes: {known}."
        if known
        else "It takes none; remove it."
    )
    return codes.UNKNOWN_PARAMETER.finding(
        f"hook `{spec.name}` has no parameter `{name}`", remedy, path=path, on_key=True
    )


def _checked(
    name: str, spec: ParamSpec, value: object, path: Path
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
    return (None if findings else typed), findings


def _typed(spec: ParamSpec, value: object) -> ParamValue:
    if spec.type == "integer":
        return as_int(value)
    if spec.type == "boolean":
        return as_bool(value)
    if spec.type != "list":
        return as_text(value)
    if not isinstance(value, list | tuple):
        shown = (
            "nothing" if value is None else "a map" if isinstance(value, Mapping) else f"`{_short(value)}`"
        )
        context = {
            "message": f"needs a list, not {shown}",
            "remedy": "Write a list (lines that begin with `- `).",
        }
        raise PydanticCustomError("vk_type", "{message}", context)
    return tuple(as_text(item) for item in value)


def _text_findings(name: str, value: ParamValue, path: Path) -> Iterator[Finding]:
    def wrong(message: str, remedy: str) -> Finding:
        return codes.PARAMETER_TEXT.finding(f"parameter `{name}` {message}", remedy, path=path)

    if isinstance(value, int):
        return
    text = value if isinstance(value, str) else "\n".join(value)
    if "\0" in text:
        yield wrong("holds a NUL character", "Remove it.")
    if not _is_utf8(text):
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


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def in_order(specs: Sequence[HookSpec], path: Path) -> tuple[tuple[HookSpec, ...], Report]:
    """The hooks of one node in the order in which they run: by `order`, then name, each after those it waits for.

    Args:
        specs: the hooks that the node has; `after` counts only among them.
        path: the node's list of hooks in the fleet file.

    Returns:
        The hooks in order and, for hooks that wait for each other in a circle (they are left out), a finding.
    """
    by_name = {spec.name: spec for spec in specs}
    waits = {spec.name: {first for first in spec.after if first in by_name} for spec in specs}
    ready = [(spec.order, spec.name) for spec in specs if not waits[spec.name]]
    heapq.heapify(ready)
    ordered: list[HookSpec] = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(by_name[name])
        for other, missing in waits.items():
            if name in missing:
                missing.discard(name)
                if not missing:
                    heapq.heappush(ready, (by_name[other].order, other))
    report = Report()
    stuck = sorted(name for name, missing in waits.items() if missing)
    if stuck:
        message = f"these hooks wait for each other: {', '.join(stuck)}"
        report.add(codes.AFTER_LOOP.finding(message, "Remove one `after` in their hook.yaml.", path=path))
    return tuple(ordered), report
