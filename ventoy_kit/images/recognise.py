"""Which image of the catalog a file is, by what it says of itself; its name counts only where it says nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ventoy_kit.images.catalog import CatalogEntry
from ventoy_kit.images.facts import IsoFacts


@dataclass(frozen=True, slots=True)
class Recognised:
    """An image of the catalog. `release` is None where neither contents nor name say it."""

    image: str
    entry: CatalogEntry
    release: str | None


def recognise(catalog: Mapping[str, CatalogEntry], facts: IsoFacts, name: str) -> Recognised | None:
    """Find a file's image.

    The volume identifier and the product decide; where several images share both, the file name does.
    A guess does no harm: it only tells which checksum the file is held against.

    Args:
        catalog: entries by id.
        facts: what the file is.
        name: what it is called.
    """
    named = [(image, entry) for image, entry in catalog.items() if entry.release_of(name) is not None]
    alike = [(image, entry) for image, entry in catalog.items() if has_identity(entry, facts)]
    both = [pair for pair in named if pair in alike]
    for found in (both, alike, named):
        if len(found) == 1:
            image, entry = found[0]
            return Recognised(image, entry, release_of(entry, facts, name))
    return None


def has_identity(entry: CatalogEntry, facts: IsoFacts) -> bool:
    """Whether volume identifier and product are those of an entry."""
    identity = entry.identity
    return (
        identity is not None
        and re.fullmatch(identity.volume_id, facts.volume_id, re.ASCII) is not None
        and entry.product in (None, facts.product)
    )


def release_of(entry: CatalogEntry, facts: IsoFacts, name: str) -> str | None:
    """The release of a file that is taken for an entry's image: as the vendor writes it, or None."""
    told = "-".join(part for part in (facts.release, facts.build) if part)
    if has_identity(entry, facts) and entry.is_exact(told):
        return told
    return entry.release_of(name) or (told if entry.is_exact(told) else None)
