"""The page of the reference about the fleet file, made of its schema."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from page_parts import NOTICE, cell, shown
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticUndefined

from ventoy_kit.fleet import values
from ventoy_kit.fleet.schema import Fleet

FORMS: tuple[tuple[str, Any], ...] = (
    ("text", values.Text),
    ("whole number", values.Int),
    ("true or false", values.Bool),
    ("title", values.Title),
    ("reason", values.Reason),
    ("name", values.Name),
    ("fleet name", values.FleetName),
    ("node name", values.NodeName),
    ("MAC address", values.Mac),
    ("UUID", values.Uuid),
    ("serial number", values.Serial),
    ("WWN", values.Wwn),
    ("PCI id", values.PciId),
    ("PCI address", values.PciAddress),
    ("domain", values.Domain),
    ("web address", values.Url),
    ("country code", values.Country),
    ("package name", values.Package),
    ("variable name", values.EnvName),
    ("SSH key", values.SshKey),
    ("time zone", values.Timezone),
    ("locale", values.Language),
    ("size", values.Size),
    ("network", values.Cidr),
    ("IP address", values.Address),
    ("address with mask", values.Interface),
)
"""What the reference calls each type of value."""


FORM_TEXTS = {
    "text": "text; a number is taken as it is spelled",
    "whole number": "a whole number without leading zeros",
    "true or false": "`true` or `false`; `yes`, `no`, `on` and `off` are text in YAML 1.2 and are refused",
    "MAC address": "six pairs of hex digits, such as `d8:43:ae:00:0a:01`",
    "SSH key": "one public key, the line of a `.pub` file such as `ssh-ed25519 AAAA... name`",
    "UUID": "32 hex digits in five groups, as firmware reports them",
    "size": "a number and a unit: `512 GB`, `2 TB` (powers of 1000), `64 GiB` (powers of 1024)",
    "country code": "two letters of ISO 3166, lower case, such as `de`",
    "network": "an IPv4 or IPv6 network such as `10.0.0.0/24`",
    "IP address": "an IPv4 or IPv6 address",
    "address with mask": "an address with its mask, such as `10.0.0.11/24`",
}


def fleet_page() -> str:
    lines = [
        NOTICE,
        "# The fleet file",
        "",
        "`fleet.yaml` is YAML 1.2. Unknown keys are refused, with the key that was probably meant. `ventoy-kit init` writes a",
        "commented file to begin with; `ventoy-kit schema` prints the JSON schema for editors. Relative paths start at the",
        "folder of the file. Whole examples: [starter](../../examples/starter/fleet.yaml),",
        "[alliance](../../examples/alliance/fleet.yaml).",
        "",
    ]
    places = places_of(Fleet)
    used: set[str] = set()
    for model, where in places.items():
        lines += [f"## {where}", "", sentence(model.__doc__ or ""), ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        hints = get_type_hints(model, include_extras=True)
        for name, field in model.model_fields.items():
            form, inner, words = describe(hints[name])
            used |= words
            if inner is not None:
                form = f"[{form}](#{anchor(places[inner])})"
            lines.append(f"| `{name}` | {form} | {default_of(field)} | {cell(field.description or '')} |")
        lines.append("")
    lines += ["## Forms of values", "", "| value | form |", "|---|---|"]
    lines += [f"| {label} | {form_text(label, alias)} |" for label, alias in FORMS if label in used]
    return "\n".join(lines)


def places_of(root: type[BaseModel]) -> dict[type[BaseModel], str]:
    """Each model and the first place in the file where it stands, which becomes its heading."""
    places = {root: "The top of the file"}
    queue = [(root, "")]
    while queue:
        model, where = queue.pop(0)
        for name, hint in get_type_hints(model, include_extras=True).items():
            if name not in model.model_fields:
                continue
            _, inner, _ = describe(hint)
            if inner is not None and inner not in places:
                places[inner] = f"{where}.{name}{mark(hint)}".lstrip(".")
                queue.append((inner, places[inner]))
    return places


def anchor(title: str) -> str:
    """GitHub's anchor of a heading."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def sentence(doc: str) -> str:
    return " ".join(doc.split())


def strip(hint: Any) -> Any:
    """Without `| None`."""
    if get_origin(hint) in (Union, types.UnionType):
        kept = [a for a in get_args(hint) if a is not type(None)]
        return kept[0] if len(kept) == 1 else hint
    return hint


def mark(hint: Any) -> str:
    """How a place in a map or list is written in a heading."""
    origin = get_origin(strip(hint))
    return ".NAME" if origin is dict else "[]" if origin is tuple else ""


def describe(hint: Any) -> tuple[str, type[BaseModel] | None, set[str]]:
    """The form of a value, the model that its parts have, and the forms that it uses."""
    hint = strip(hint)
    for label, alias in FORMS:
        if hint == alias:
            return label, None, {label}
    origin, args = get_origin(hint), get_args(hint)
    if origin is dict:
        form, inner, words = describe(args[1])
        key, _, more = describe(args[0])
        return (f"map of {plural(form)}" if inner else f"map of {key} to {form}"), inner, words | more
    if origin is tuple:
        form, inner, words = describe(args[0])
        return f"list of {plural(form)}", inner, words
    if origin is Literal:
        return " or ".join(f"`{a}`" for a in args) if len(args) < 9 else literal_list(args), None, set()
    if origin is Annotated:
        form, inner, words = describe(args[0])
        return limits(form, args[1:]), inner, words
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "map", hint, set()
    return ("text" if hint is str else "whole number" if hint is int else "anything"), None, set()


def literal_list(args: tuple[Any, ...]) -> str:
    return "one of " + ", ".join(f"`{a}`" for a in args)


def plural(form: str) -> str:
    return {"map": "maps", "IP address": "IP addresses"}.get(form, f"{form}s")


def limits(form: str, metadata: tuple[Any, ...]) -> str:
    """Bounds and patterns of an annotated type."""
    found: dict[str, Any] = {}
    for item in metadata:
        for part in getattr(item, "metadata", [item]):
            for key in ("ge", "le", "pattern"):
                if getattr(part, key, None) is not None:
                    found[key] = getattr(part, key)
    if "pattern" in found:
        return f"text like `{found['pattern']}`"
    if "ge" in found and "le" in found:
        return f"whole number, {found['ge']} to {found['le']}"
    return f"whole number, {found['ge']} or more" if "ge" in found else form


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default is PydanticUndefined or isinstance(field.default, BaseModel):
        return "none"
    return shown(field.default)


def form_text(label: str, alias: Any) -> str:
    if label in FORM_TEXTS:
        return FORM_TEXTS[label]
    schemas = [m.json_schema or {} for m in get_args(alias) if isinstance(m, WithJsonSchema)]
    known = schemas[0].get("description") or f"text like `{schemas[0].get('pattern', '')}`"
    return cell(str(known))
