"""`ventoy-kit schema`, `hooks list`, `image inspect`: facts that need no fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ventoy_kit.app.certificates import Certificates
from ventoy_kit.app.host import Host
from ventoy_kit.app.local_proof import FreshDigests, LocalProof, Prover
from ventoy_kit.app.outcome import Block, Document, Heading, Outcome, Table
from ventoy_kit.app.start import schema_text
from ventoy_kit.app.workspace import load_library
from ventoy_kit.fleet.decode import json_schema
from ventoy_kit.fleet.values import format_size
from ventoy_kit.gather.isos import inspect_iso
from ventoy_kit.images.catalog import CatalogEntry
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.report import Report, Severity


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
    library, _ = load_library(host, None)
    kept = Certificates(library.certificates, host.cache.root / "certificates", host.files)
    prover = Prover(host, kept, FreshDigests(host.progress))
    report = Report()
    result = {}
    blocks: list[Block] = []
    for path in paths:
        facts, found = inspect_iso(path, None, files=host.files, reader=host.isos)
        report.extend(found)
        if facts is not None:
            proof, found = _prove(path, library.catalog, prover)
            report.extend(f for f in found if f.severity is Severity.ERROR)
            state = "BAD, see above" if found.has_errors else proof.text
            result[str(path)] = _as_data(facts) | {
                "verified": None if found.has_errors else proof.state,
                "signer": proof.accepted.signer if proof.accepted and not found.has_errors else None,
            }
            blocks += [Heading(str(path)), Table(("", ""), (*_rows(facts), ("signature", state)))]
    return Outcome("image inspect", report, {"images": result}, blocks)


def _prove(path: Path, catalog: Mapping[str, CatalogEntry], prover: Prover) -> tuple[LocalProof, Report]:
    """Prove a file by what lies beside it; its name tells which image of the catalog it claims to be."""
    entry = next((e for e in catalog.values() if e.release_of(path.name) is not None), None)
    if entry is None:
        return LocalProof(why="its name is none of the catalog's"), Report()
    return prover.prove(path, entry, "signature", ())


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
        "origin": "assembled" if facts.assembled else None,
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
        *(
            [("origin", "assembled by ventoy-kit from a package, by its own account")]
            if facts.assembled
            else []
        ),
        ("boot menus", ", ".join(m.path for m in facts.menus) or "none found"),
    ]
