"""`ventoy-kit image list`: the catalog, and what of it this fleet has locked and this machine has in its cache."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.lockfile import load_lock
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.workspace import load_library
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.images.catalog import CatalogEntry
from ventoy_kit.images.lock import Lock, LockEntry


def image_list(file: Path, host: Host) -> Outcome:
    """List the catalog. A fleet file is not needed; the lock beside it is shown if there is one.

    Raises:
        StorageError: the cache cannot be read.
    """
    library, report = load_library(host, file.parent)
    lock, found = load_lock(file, host)
    report.extend(found)
    there = {f.sha256 for f in host.cache.files()}
    result = {
        name: {
            "title": entry.title,
            "kind": entry.kind,
            "source": entry.source,
            "trust": trust_of(entry),
            "signers": [{"fingerprint": k.fingerprint, "name": k.name} for k in entry.keys],
            "automated": entry.automated.since if entry.automated else None,
            "homepage": entry.homepage,
            "notes": list(entry.notes),
            "locked": {
                image: {
                    "release": e.release,
                    "verified": e.verified,
                    "origin": e.origin,
                    "cached": _is_there(e, there),
                }
                for image, e in _locked(lock, name)
            },
        }
        for name, entry in library.catalog.items()
    }
    rows: tuple[tuple[str, ...], ...] = tuple(
        (
            name,
            entry.title,
            "signature of " + " or ".join(k.name for k in entry.keys) if entry.keys else "checksum only",
            f"from {entry.automated.since} on"
            if entry.automated
            else ("no" if entry.kind == "installer" else "no, for rescue"),
            ", ".join(
                f"{e.release}{', assembled' if e.origin == 'assembled' else ''}{'' if _is_there(e, there) else ' (not in the cache)'}"
                for _, e in _locked(lock, name)
            ),
        )
        for name, entry in library.catalog.items()
    )
    usage = host.cache.usage()
    dead = host.cache.dead_parts(14, host.clock().timestamp())
    lines = [f"{usage.files} images, {format_size(usage.bytes)}, in {host.cache.root}"]
    if usage.parts:
        lines.append(f"{usage.parts} unfinished downloads, {format_size(usage.part_bytes)}")
    lines += [f"not touched for two weeks, remove it if it is not wanted: {part.path}" for part in dead]
    columns: tuple[str, ...] = ("image", "title", "proved by", "installs unattended", "locked here")
    if not any(row[-1] for row in rows):  # room for the others on a narrow terminal
        columns, rows = columns[:-1], tuple(row[:-1] for row in rows)
    blocks: list[Block] = [Table(columns, rows), Heading("Cache"), Lines(tuple(lines))]
    cache = {"folder": str(host.cache.root), "files": usage.files, "bytes": usage.bytes, "parts": usage.parts}
    return Outcome("image list", report, {"images": result, "cache": cache}, blocks)


def trust_of(entry: CatalogEntry) -> str:
    """What proves an image: the word that the fleet file uses."""
    return "signature" if entry.signatures or entry.apt is not None else "checksum"


def _is_there(entry: LockEntry, there: Collection[str]) -> bool:
    return any(sha256 in there for sha256 in entry.results)


def _locked(lock: Lock, catalog_id: str) -> list[tuple[str, LockEntry]]:
    return [(image, entry) for image, entry in sorted(lock.images.items()) if entry.catalog == catalog_id]
