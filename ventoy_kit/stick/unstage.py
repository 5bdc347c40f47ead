"""Take what a fleet staged off a stick again: ventoy.json first, then the kit's files, the manifest last."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ventoy_kit.payload.model import DOCUMENTS, Entry, Manifest
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Report
from ventoy_kit.stick.menu import Menu
from ventoy_kit.stick.reconcile import (
    ADOPTED,
    Action,
    Found,
    FoundFile,
    Step,
    before_path,
    manifest_path,
    removals,
)
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

RECOGNISED = "recognised by its folder"
"""Origin of a file that no manifest names and that lies where nobody but the kit writes."""


@dataclass(frozen=True, slots=True)
class UnstagePlan:
    """What `unstage` will do.

    Attributes:
        fleet: whose files go.
        steps: changes in the order in which they are applied.
        stays: files that the kit used and leaves, by path, with the reason.
        config: new bytes of ventoy.json; None if it stays as it is or goes.
    """

    fleet: str
    steps: tuple[Step, ...]
    stays: Mapping[str, str]
    config: bytes | None

    @property
    def changes_nothing(self) -> bool:
        """Whether nothing of the fleet is on the stick."""
        return not self.steps


def salvaged(found: Found, fleet: str, listing: Mapping[str, int]) -> Found:
    """A survey with a manifest made of what lies in the fleet's own folders, for a stick without a readable one.

    Image files are not among it: nobody can say any more who put them there.
    """
    generated, document = r"[0-9a-f]{8}/.+", rf"({'|'.join(DOCUMENTS)})/[^/.]+\.[0-9a-f]{{8}}\..+"
    own = re.compile(rf"ventoy/{re.escape(fleet)}/({generated}|{document})")
    kept = before_path(fleet)
    files = {p: FoundFile(size, None) for p, size in listing.items() if own.fullmatch(p) or p == kept}
    entries = tuple(Entry(p, f.size, "", RECOGNISED) for p, f in sorted(files.items()))
    manifest = Manifest(fleet, "", entries, {}, complete=False)
    return replace(found, manifest=manifest, files={**found.files, **files})


def plan_unstage(found: Found, menu: Menu, fleet: str, last: Mapping[str, int]) -> tuple[UnstagePlan, Report]:
    """Decide what goes.

    Args:
        found: a survey for an empty manifest of the fleet.
        menu: the stick's ventoy.json.
        fleet: whose files go.
        last: files that record what the kit did here, readable or not, with their sizes in bytes; they go last.
    """
    report = Report()
    steps: list[Step] = []
    config = menu.users_own()
    if config != found.config:
        size = len(config or b"")
        what, why = ("as it was before", "without the kit's entries")
        action = Action.REPLACE
        if config is None:
            what, why, action = "there was none", "it held the kit's entries alone", Action.REMOVE
        steps.append(Step(action, CONFIG_PATH, size, None, what, why))
    gone = removals((), found, report)
    steps += [replace(s, why="staged by the kit") if s.origin != "temporary" else s for s in gone]
    steps += [
        Step(Action.REMOVE, path, size, None, "manifest", "what the kit did here")
        for path, size in last.items()
    ]
    entries = found.manifest.entries if found.manifest else ()
    left = {e.path for e in entries if e.path in found.files} - {s.path for s in steps}
    adopted = {e.path for e in entries if e.origin.startswith(ADOPTED)}
    stays = {p: "yours" if p in adopted else "see the note" for p in sorted(left)}
    return UnstagePlan(fleet, tuple(steps), stays, config if config != found.config else None), report


def apply_unstage(plan: UnstagePlan, files: StickFiles) -> None:
    """Carry it out. Until the end the manifest says what is left to be removed, so the next run finishes a broken one.

    Raises:
        StorageError: writing or removing failed.
    """
    for step in plan.steps:
        if step.path == CONFIG_PATH:
            if plan.config is None:
                files.remove(CONFIG_PATH)
            else:
                digest = hashlib.sha256(plan.config).hexdigest()
                files.write(CONFIG_PATH, [plan.config], sha256=digest, private=False)
            files.flush()  # before the files that it names go
    # The user's own file is kept until ventoy.json is that file again, the manifest until everything else is gone.
    last = (before_path(plan.fleet), manifest_path(plan.fleet))
    removed = [s.path for s in plan.steps if s.action is Action.REMOVE and s.path != CONFIG_PATH]
    for path in (*(p for p in removed if p not in last), *(p for p in last if p in removed)):
        files.remove(path)
    files.flush()
