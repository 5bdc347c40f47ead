"""`ventoy-kit image inspect`: what an ISO file is, whether it is proved, and what somebody has put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ventoy_kit.app.certificates import Certificates
from ventoy_kit.app.host import Host
from ventoy_kit.app.known_files import ReadAnew
from ventoy_kit.app.local_proof import LocalProof, Prover
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.workspace import load_library
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.gather.isos import additions, inspect_iso
from ventoy_kit.images.added import Added
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.recognise import Recognised, recognise
from ventoy_kit.report import Report, Severity


def inspect_images(paths: Sequence[Path], fleet: Path, host: Host) -> Outcome:
    """Say what each ISO file is.

    Args:
        paths: the files.
        fleet: a fleet file, whether it exists or not: a `catalog/` folder beside it counts.
        host: effects.

    Raises:
        MachineError: reading failed.
    """
    library, found = load_library(host, fleet.parent)
    kept = Certificates(library.certificates, host.cache.root / "certificates", host.files)
    prover = Prover(host, kept, ReadAnew(host.progress))
    report = Report(
        [
            f
            for f in found
            if f.severity is not Severity.NOTE and f.place and f.place.file.startswith("catalog/")
        ]
    )
    result = {}
    blocks: list[Block] = []
    for path in paths:
        facts, found = inspect_iso(path, None, files=host.files, reader=host.isos, looking=True)
        report.extend(found)
        if facts is None:
            continue
        added, found = additions(path, facts, host.isos)
        report.extend(found)
        known = recognise(library.catalog, facts, path.name)
        proof, found = _prove(path, known, prover)
        report.extend(f for f in found if f.severity is Severity.ERROR)
        state = "BAD, see above" if found.has_errors else proof.text
        result[str(path)] = _as_data(facts) | {
            "catalog": known.image if known is not None else None,
            "verified": None if found.has_errors else proof.state,
            "signer": proof.accepted.signer if proof.accepted and not found.has_errors else None,
            "added": [asdict(one) for one in added],
        }
        blocks += [Heading(str(path)), Table(("", ""), (*_rows(facts, known, added), ("signature", state)))]
        blocks += _added_blocks(added)
    return Outcome("image inspect", report, {"images": result}, blocks)


def _prove(path: Path, known: Recognised | None, prover: Prover) -> tuple[LocalProof, Report]:
    """Prove a file by what lies beside it."""
    if known is None:
        return LocalProof(why="it is no image of the catalog"), Report()
    return prover.prove(path, known.entry, "signature", (), release=known.release)


def _added_blocks(added: Sequence[Added]) -> list[Block]:
    """What was put in, one part a file."""
    blocks: list[Block] = []
    for one in added:
        size = () if one.size is None else (f"{one.size:,} bytes",)
        blocks += [Heading(f"{one.path}: {one.what}"), Lines((*size, *(f"  {line}" for line in one.shown)))]
    return blocks


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


def _rows(facts: IsoFacts, known: Recognised | None, added: Sequence[Added]) -> list[tuple[str, str]]:
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
        ("in the catalog", f"{known.image} {known.release or ''}".rstrip() if known else "no"),
        ("put in by others", ", ".join(one.path for one in added) or "nothing found"),
    ]
