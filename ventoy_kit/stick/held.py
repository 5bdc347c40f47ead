"""What a stick keeps of older generations: image and answers that a node was last armed with. Pure.

They stay until the user lets them go, so that a new generation never takes away the one that is known to work.
"""

from __future__ import annotations

from collections.abc import Collection

from ventoy_kit.payload.model import Manifest, checklist_stem
from ventoy_kit.report import Place, Report
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.arm import History, Last
from ventoy_kit.stick.locate import CHECKSUM
from ventoy_kit.stick.reconcile import Found, is_as_recorded


def held_paths(generation: str, before: Manifest | None, history: History) -> frozenset[str]:
    """Paths of the manifest on a stick that stay for nodes which were armed before.

    Args:
        generation: the one that is wanted; what belongs to it stays without being held.
        before: the manifest on the stick.
        history: of the fleet on this stick.
    """
    return frozenset(
        entry.path
        for node, last in history.nodes.items()
        if before is not None and last.generation != generation
        for entry in before.entries
        if _belongs(entry.path, before.fleet, node, last)
    )


def _belongs(path: str, fleet: str, node: str, last: Last) -> bool:
    return path in (last.iso, last.iso + CHECKSUM) or path.startswith(
        (f"ventoy/{fleet}/{last.generation}/{last.image}/", checklist_stem(fleet, node, last.checklist))
    )


def damaged(held: Collection[str], found: Found) -> Report:
    """Findings about what is held and is not there as it was; nobody could write it again, so it is held no more.

    Args:
        held: from `held_paths`, of the manifest that was found.
        found: the survey of the stick.
    """
    report = Report()
    for entry in found.manifest.entries if found.manifest else ():
        if entry.path in held and not is_as_recorded(entry, found):
            what = "changed" if entry.path in found.files else "missing"
            report.add(
                codes.HELD_DAMAGED.finding(
                    f"{entry.path} is {what}, so it is not held any more",
                    "Stage the generation that you need again.",
                    place=Place(entry.path),
                )
            )
    return report
