"""What a stick keeps of older generations: image and answers that a node was last armed with. Pure.

They stay until the user lets them go, so that a new generation never takes away the one that is known to work.
"""

from __future__ import annotations

from dataclasses import replace

from ventoy_kit.payload.model import CHECKLIST_FOLDER, Entry, Manifest
from ventoy_kit.report import Place, Report
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick.arm import History, Last
from ventoy_kit.stick.reconcile import ADOPTED, Found


def with_held(wanted: Manifest, before: Manifest | None, history: History) -> tuple[Manifest, Report]:
    """The manifest that is wanted, and what is held beside it.

    Args:
        wanted: the payload's.
        before: the one on the stick.
        history: of the fleet on this stick.

    Returns:
        The manifest; and a finding where the new generation would overwrite what is held.
    """
    report = Report()
    entries = {e.path: e for e in wanted.entries}
    for node, last in sorted(history.nodes.items()):
        if last.generation == wanted.generation or before is None:
            continue
        for entry in before.entries:
            if not _belongs(entry.path, wanted.fleet, node, last):
                continue
            there = entries.setdefault(entry.path, replace(entry, origin=entry.origin.removeprefix(ADOPTED)))
            if there.sha256 != entry.sha256:
                report.add(
                    codes.HELD.finding(
                        f"{entry.path} would get other bytes, and {node} was last armed with those that are there",
                        f"Give the new ISO another name, or let the old one go: --let-go {node}.",
                        place=Place(entry.path),
                    )
                )
    ordered = tuple(entries[p] for p in sorted(entries))
    return replace(wanted, entries=ordered), report


def _belongs(path: str, fleet: str, node: str, last: Last) -> bool:
    base = f"ventoy/{fleet}/{last.generation}"
    return path == last.iso or path.startswith(
        (f"{base}/{last.image}/", f"{base}/{CHECKLIST_FOLDER}/{node}.")
    )


def without_damaged(whole: Manifest, payload: Manifest, found: Found) -> tuple[Manifest, Report]:
    """The same without what is held and is not there any more as it was: nobody could write it again.

    Args:
        whole: from `with_held`.
        payload: what was built; all of it stays.
        found: the survey of the stick for `whole`.
    """
    report = Report()
    own = {e.path for e in payload.entries}
    kept: list[Entry] = []
    for entry in whole.entries:
        there = found.files.get(entry.path)
        if entry.path in own or (there is not None and there.sha256 == entry.sha256):
            kept.append(entry)
        else:
            report.add(
                codes.HELD_DAMAGED.finding(
                    f"{entry.path} is {'missing' if there is None else 'changed'}, so it is not held any more",
                    "Stage the generation that you need again.",
                    place=Place(entry.path),
                )
            )
    return replace(whole, entries=tuple(kept)), report
