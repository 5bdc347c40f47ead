"""The JSON document that probes print: `{"format": 1, "hardware": {...}, "firmware": {...}}`. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

FORMATS = (1,)
"""Formats of the document that are known here."""


class NoFactsError(ValueError):
    """A text holds no facts; the message says why and begins with the name of its file."""


def document_of(text: str) -> Any:
    """The JSON document that a text is or ends with; None if it is none. A talkative login may stand before it."""
    lines = text.strip().splitlines()
    for candidate in (text, lines[-1] if lines else ""):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return None


def facts_of(text: str, file: str) -> Mapping[str, Any]:
    """The document of a text.

    Args:
        text: the JSON document, or the output of a probe whose last line is one.
        file: how it is named to the user.

    Raises:
        NoFactsError: it is none.
    """
    document = document_of(text)
    if not isinstance(document, dict):
        raise NoFactsError(f"{file} holds no facts: it is no JSON document")
    return document


def section_of(document: Mapping[str, Any], name: str, file: str) -> Mapping[str, Any]:
    """A section of a probe's document.

    Raises:
        NoFactsError: the document is of another format, or has no such section.
    """
    form = document.get("format")
    if form not in FORMATS or isinstance(form, bool):
        raise NoFactsError(f"{file} has the format {form!r}, which is not known here")
    section = document.get(name)
    if not isinstance(section, dict):
        raise NoFactsError(f"{file} has no section `{name}`")
    return section


def damage(error: ValidationError, file: str, *above: str) -> str:
    """What is wrong with a section, in one line; `above` are the keys that lead to what was judged."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in (*above, *first["loc"]))
    return f"{file} is damaged at {where}: {first['msg']}"
