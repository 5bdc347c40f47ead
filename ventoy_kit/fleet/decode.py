"""Marked YAML to a Fleet: the version first, then the schema; every violation becomes a finding."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.marks import Marked, read_marked
from ventoy_kit.fleet.schema import Fleet, Secret
from ventoy_kit.fleet.secret_places import names_a_secret
from ventoy_kit.fleet.values import shown
from ventoy_kit.report import Finding, Path, Report, dotted

VERSIONS = (1,)

_NEEDS = {"env": "the name of an environment variable", "command": "a list of a program and its arguments"}
_A_VARIABLE = re.compile(r"\$\{?[A-Z_][A-Z0-9_]*\}?")


def decode_fleet(data: bytes, file: str) -> tuple[Fleet | None, Marked | None, Report]:
    """Read and validate a fleet file.

    Args:
        data: bytes of the file.
        file: its name in findings.

    Returns:
        The fleet (None if any error was found), the marked document that gives positions (None if it is no YAML),
        and the report, not yet located.
    """
    marked, report = read_marked(data, file)
    if marked is None:
        return None, None, report
    if not isinstance(marked.value, dict):
        what = (
            "is empty"
            if marked.value is None
            else "is a list"
            if isinstance(marked.value, list)
            else "is one word"
        )
        report.add(
            codes.EMPTY.finding(
                f"the file {what}, not a map", "Start with `version: 1`, or run `ventoy-kit init`.", path=()
            )
        )
        return None, marked, report
    version = marked.value.get("version")
    if version not in VERSIONS or isinstance(version, bool):
        what = "no version is given" if version is None else f"version {shown(version)} is not known"
        what += ", since it is text" if isinstance(version, str) and version in map(str, VERSIONS) else ""
        remedy = "Write `version: 1`, without quotes." if isinstance(version, str) else "Write `version: 1`."
        report.add(codes.VERSION.finding(what, remedy, path=("version",)))
        return None, marked, report
    try:
        fleet = Fleet.model_validate(marked.value)
    except ValidationError as error:
        report.extend(findings_of(error, Fleet))
        return None, marked, report
    return (None if report.has_errors else fleet), marked, report


def findings_of(error: ValidationError, root: type[BaseModel]) -> Iterator[Finding]:
    """Findings from pydantic's errors; a key that is missing because it was mistyped is only mistyped."""
    found = error.errors(include_url=False)
    meant = {
        (*details["loc"][:-1], _meant(tuple(details["loc"]), root))
        for details in found
        if details["type"] == "extra_forbidden"
    }
    for details in found:
        if not (details["type"] == "missing" and tuple(details["loc"]) in meant):
            yield finding_of(details, root)


def _meant(path: Path, root: type[BaseModel]) -> str | None:
    """The known key that an unknown one was probably meant to be."""
    model = _model_at(root, path[:-1])
    near = difflib.get_close_matches(str(path[-1]), sorted(model.model_fields) if model else [], 1, 0.6)
    return near[0] if near else None


def finding_of(details: ErrorDetails, root: type[BaseModel]) -> Finding:
    """A finding from one pydantic error; what may be a secret is neither named nor shown."""
    found = _finding_of(details, root)
    path = found.path or ()
    # Of collections nothing is repeated; to write one out could take for ever (aliases of aliases).
    given = "" if isinstance(details["input"], Mapping | list) else str(details["input"])
    secret = path[:1] == ("secrets",) and len(path) > 1
    # `{word}` is a key without a value.
    alone = details["type"] == "extra_forbidden" and details["input"] is None
    if secret and alone and _meant(path, root) is None:
        found = codes.UNKNOWN_KEY.finding(
            f"what stands as a key in `{dotted(path[:-1])}` is none, and not shown, as it may be a secret",
            f"Known here: {', '.join(sorted(Secret.model_fields))}.",
            path=path[:-1],
        )
        return replace(found, hidden=True)
    if (
        details["loc"][-1:] == ("[key]",)
        or not (secret or names_a_secret(path))
        or _A_VARIABLE.fullmatch(given)
    ):
        return found
    if given and given in found.message:
        needs = _NEEDS.get(str(path[-1]), "a source" if secret else "the name of a secret")
        found = codes.SECRET_IN_FILE.finding(
            f"`{path[-1]}` needs {needs}; what stands there is not shown, as it may be a secret",
            "Name the secret below `secrets`, with `env`, `file`, `command` or `prompt` as its source.",
            path=path,
        )
    return replace(found, hidden=True)


def _finding_of(details: ErrorDetails, root: type[BaseModel]) -> Finding:
    """Pydantic repeats map keys as `[key]` for errors in keys."""
    kind, ctx = details["type"], details.get("ctx", {})
    loc = tuple(details["loc"])
    on_key = bool(loc) and loc[-1] == "[key]"
    path: Path = tuple(p for p in loc if p != "[key]")
    if kind == "extra_forbidden":
        return _unknown_key(path, root)
    if kind == "missing":
        model = _model_at(root, path[:-1])
        about = (
            model.model_fields[str(path[-1])].description if model and path[-1] in model.model_fields else ""
        )
        return codes.MISSING_KEY.finding(
            f"`{path[-1]}` is missing", f"Add `{path[-1]}: ...` here. {about or ''}".strip(), path=path
        )
    if kind in ("vk_value", "vk_type", "vk_number"):
        rule = {
            "vk_value": codes.WRONG_VALUE,
            "vk_type": codes.WRONG_TYPE,
            "vk_number": codes.AMBIGUOUS_NUMBER,
        }[kind]
        name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "the value"
        message = str(ctx["message"])
        message = f"{name} {message}" if kind == "vk_type" and message.startswith("needs") else message
        return rule.finding(message, str(ctx["remedy"]), path=path, on_key=on_key)
    return _by_type(kind, ctx, details, path, on_key)


def _by_type(kind: str, ctx: Mapping[str, Any], details: ErrorDetails, path: Path, on_key: bool) -> Finding:  # noqa: FBT001
    name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "the value"
    value = details["input"]
    if kind in ("literal_error", "enum"):
        expected = str(ctx["expected"]).replace("'", "`")
        near = difflib.get_close_matches(
            shown(value).strip("`"), [w.strip("` ") for w in expected.replace(" or ", ",").split(",")], 1
        )
        hint = f" Did you mean `{near[0]}`?" if near else ""
        return codes.WRONG_VALUE.finding(
            f"{name} cannot be {shown(value)}", f"Write one of {expected}.{hint}", path=path, on_key=on_key
        )
    wanted = {
        "model_type": "a map of keys",
        "model_attributes_type": "a map of keys",
        "dict_type": "a map of keys",
        "tuple_type": "a list (lines that begin with `- `)",
        "list_type": "a list (lines that begin with `- `)",
        "string_type": "text",
    }.get(kind)
    if wanted:
        return codes.WRONG_TYPE.finding(
            f"{name} needs {wanted}, not {shown(value)}", f"Write {wanted}.", path=path
        )
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {ctx['ge']}" if "ge" in ctx else f"at most {ctx['le']}"
        return codes.WRONG_VALUE.finding(
            f"{name} is {shown(value)}, but must be {bound}", f"Write a number {bound}.", path=path
        )
    if kind == "string_pattern_mismatch":
        return codes.WRONG_VALUE.finding(
            f"{name} cannot be {shown(value)}", f"It must match {ctx['pattern']}", path=path, on_key=on_key
        )
    return codes.WRONG_VALUE.finding(
        f"{name}: {details['msg']}", "See the reference of the fleet file.", path=path
    )


def _unknown_key(path: Path, root: type[BaseModel]) -> Finding:
    model = _model_at(root, path[:-1])
    known = sorted(model.model_fields) if model else []
    key = str(path[-1])
    where = f"in `{dotted(path[:-1])}`" if path[:-1] else "at the top of the file"
    if key == "<<":
        remedy = "Merge keys are YAML 1.1; put what nodes share under `defaults`."
    else:
        near = _meant(path, root)
        remedy = f"Did you mean `{near}`?" if near else f"Known here: {', '.join(known)}."
    return codes.UNKNOWN_KEY.finding(f"`{key}` is not a key {where}", remedy, path=path, on_key=True)


def _model_at(root: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model class that describes the map at `path`."""
    current: Any = root
    for part in path:
        current = _unwrap(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif get_origin(current) in (dict, Mapping):
            current = get_args(current)[1]
        elif get_origin(current) in (tuple, list):
            current = get_args(current)[0]
        else:
            return None
    current = _unwrap(current)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _unwrap(annotation: Any) -> Any:
    """Strip Annotated and Optional."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            kept = [a for a in get_args(annotation) if a is not type(None)]
            if len(kept) != 1:
                return annotation
            annotation = kept[0]
        else:
            return annotation


def json_schema() -> dict[str, Any]:
    """The JSON schema of the fleet file for editors (draft 2020-12)."""
    schema = Fleet.model_json_schema(mode="validation")
    # Pydantic says what keys of a map look like, but not that there are no others.
    for model in (schema, *schema["$defs"].values()):
        for field in model.get("properties", {}).values():
            if "patternProperties" in field:
                field["additionalProperties"] = False
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "ventoy-kit fleet file, version 1"
    return schema
