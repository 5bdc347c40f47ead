"""`ventoy-kit schema`: a fact that needs no fleet."""

from __future__ import annotations

from ventoy_kit.app.outcome import Document, Outcome
from ventoy_kit.app.start import schema_text
from ventoy_kit.fleet.decode import json_schema
from ventoy_kit.report import Report


def schema() -> Outcome:
    """The JSON schema of the fleet file."""
    return Outcome("schema", Report(), json_schema(), [Document(schema_text())])
