"""The JSON schema that editors read says what the models say."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.support.fleets import BASE
from ventoy_kit.app.start import schema_text
from ventoy_kit.fleet.decode import decode_fleet, json_schema
from ventoy_kit.fleet.marks import PlainFloat, PlainInt, read_marked

FILES = [
    BASE,
    *sorted((BASE.parents[2] / "examples").glob("*/fleet.yaml")),
    *sorted(BASE.parent.glob("built-*/fleet.yaml")),
]


def plain(value: Any) -> Any:
    """As an editor's YAML reader gives it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, PlainInt):
        return int(value)
    return float(value) if isinstance(value, PlainFloat) else value


def read(file: Any) -> Any:
    marked, _ = read_marked(file.read_bytes(), "f")
    assert marked is not None
    return marked.value


VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema_text()))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("file", FILES, ids=lambda p: p.parent.name)
def test_schema_and_models_take_the_examples(file):
    VALIDATOR.validate(plain(read(file)))
    fleet, _, report = decode_fleet(file.read_bytes(), "f")
    assert fleet is not None
    assert len(report) == 0


def maps(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from maps(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from maps(item, (*path, index))


def test_schema_and_models_refuse_an_unknown_key_in_every_map():
    value = read(BASE.parents[2] / "examples" / "alliance" / "fleet.yaml")
    places = [p for p in maps(value) if "params" not in p]
    assert len(places) > 60
    for path in places:
        changed = copy.deepcopy(value)
        target = changed
        for part in path:
            target = target[part]
        target["No_such_key"] = "x"
        assert not VALIDATOR.is_valid(plain(changed)), path
        fleet, _, report = decode_fleet(json.dumps(changed).encode(), "f")
        assert fleet is None, path
        assert report.has_errors, path


def test_every_field_has_a_description():
    schema = json_schema()
    for model in (schema, *schema["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            # A field that says no more than its own model leaves the saying to it.
            target = schema["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else {}
            description = field.get("description") or target.get("description", "")
            assert description.endswith("."), (model["title"], name)
        assert model.get("additionalProperties") is False or "properties" not in model


def test_digits_need_no_quotes_in_editors_either():
    value = plain(read(BASE))
    value["nodes"]["alpha"]["disks"]["disk0"]["serial"] = 12345678
    VALIDATOR.validate(value)
