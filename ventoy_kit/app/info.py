"""`ventoy-kit schema`, `hooks list`, `image inspect`: facts that need no fleet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Document, Heading, Outcome, Table
from ventoy_kit.app.start import schema_text
from ventoy_kit.app.workspace import load_library
from ventoy_kit.fleet.decode import json_schema
from ventoy_kit.fleet.values import format_size
from ventoy_kit.gather.isos import inspect_iso
from ventoy_kit.images.facts import IsoFacts
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


def inspect_images(paths: Sequence[Path], host: Host) -> Outcome:
    """What each ISO file is."""
    report = Report()
    result = {}
    blocks: list[Block] = []
    for path in paths:
        facts, found = inspect_iso(path, None, files=host.files, reader=host.isos)
        report.extend(found)
        if facts is not None:
            result[str(path)] = _as_data(facts)
            blocks += [Heading(str(path)), Table(("", ""), tuple(_rows(facts)))]
    return Outcome("image inspect", report, {"images": result}, blocks)


def _as_data(facts: IsoFacts) -> dict[str, object]:
    return {
        "title": facts.title,
        "product": facts.product,
        "release": facts.release,
        "build": facts.build,
        "volume_id": facts.volume_id,
        "size": facts.size,
        "boot": sorted(facts.boot),
        "automated": facts.automated,
        "medium": facts.medium,
        "stand_in": facts.stand_in,
        "menus": [m.path for m in facts.menus],
    }


def _rows(facts: IsoFacts) -> list[tuple[str, str]]:
    release = " build ".join(p for p in (facts.release, facts.build) if p) or "not said"
    return [
        ("what it is", facts.title + (" (a stand-in, cannot boot)" if facts.stand_in else "")),
        ("product", facts.product or "none that the kit knows"),
        ("release", release),
        ("volume id", facts.volume_id),
        ("size", format_size(facts.size)),
        ("boots with", ", ".join(sorted(facts.boot)) or "nothing found"),
        ("installs unattended", "yes" if facts.automated else "no"),
        ("boot menus", ", ".join(m.path for m in facts.menus) or "none found"),
        ("signature", "not checked"),
    ]
