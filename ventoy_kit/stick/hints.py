"""What is worth saying about a stick that may be used, and what its size gives away. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes
from ventoy_kit.stick.identify import DiskFacts
from ventoy_kit.stick.version import version_warnings


def warnings_for(disk: DiskFacts, others: Iterable[DiskFacts]) -> Iterator[Finding]:
    """Warnings about a stick, given what else is plugged in (`disk` itself may be among it)."""
    if disk.ventoy_version is not None:
        yield from version_warnings(disk.path, disk.ventoy_version)
    clones = [d.title for d in others if is_clone(disk, d)]
    if clones:
        yield codes.CLONE.finding(
            f"{disk.path} has the same Ventoy id as {', '.join(clones)}: one is a copy of the other",
            "Never start a machine with both plugged in; unplug the one that is not meant.",
        )


def is_clone(disk: DiskFacts, other: DiskFacts) -> bool:
    """Whether two different devices carry Ventoy's mark and the same Ventoy id."""
    marked = disk.ventoy_mark and other.ventoy_mark and disk.ventoy_id is not None
    return bool(marked) and disk.path != other.path and disk.ventoy_id == other.ventoy_id
