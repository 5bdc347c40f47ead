"""`ventoy-kit schema` and `hooks list`: facts that need no fleet."""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Document, Outcome, Table
from ventoy_kit.app.start import schema_text
from ventoy_kit.app.workspace import load_library
from ventoy_kit.fleet.decode import json_schema
from ventoy_kit.report import Report


def schema() -> Outcome:
    """The JSON schema of the fleet file."""
    return Outcome("schema", Report(), json_schema(), [Document(schema_text())])


def hooks_list(base: Path, host: Host) -> Outcome:
    """The hooks at hand for a fleet file in `base`."""
    library, report = load_library(host, base)
    rows = tuple(
        (
            spec.name,
            spec.summary,
            ", ".join(f"{name} {'/'.join(releases)}" for name, releases in sorted(spec.systems.items())),
            ", ".join(sorted(spec.parameters)),
        )
        for spec in library.hooks.values()
    )
    result = {
        "hooks": {
            spec.name: {
                "summary": spec.summary,
                "systems": {name: list(releases) for name, releases in spec.systems.items()},
                "parameters": {n: p.model_dump(exclude_none=True) for n, p in spec.parameters.items()},
                "verifies": spec.verifies,
            }
            for spec in library.hooks.values()
        }
    }
    return Outcome(
        "hooks list", report, result, [Table(("hook", "what it does", "systems", "parameters"), rows)]
    )
