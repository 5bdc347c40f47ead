"""Whether a command may write where it is going to."""

from __future__ import annotations

import shlex
from pathlib import Path

from ventoy_kit.app import codes as app_codes
from ventoy_kit.edge.files import exists, is_folder, is_writable
from ventoy_kit.report import Place, Report


def unwritable(folder: Path) -> Report:
    """A finding if this user can neither write into a folder nor make it."""
    here = next((p for p in (folder, *folder.parents) if exists(p)), folder)
    if is_writable(here):
        return Report()
    finding = app_codes.NOT_WRITABLE.finding(
        f"{here} cannot be written to",
        "Run the command as the owner of the folder, or choose another one.",
        place=Place(str(here)),
    )
    return Report([finding])


def unplaced(output: Path) -> Report:
    """Findings if an output that the user named lies in no folder that exists, or that may be written to."""
    if is_folder(output.parent):
        return unwritable(output.parent)
    finding = app_codes.OUTPUT_FOLDER.finding(
        f"there is no folder {output.parent}",
        f"Correct the path, or make the folder first: `mkdir -p {shlex.quote(str(output.parent))}`.",
        place=Place(str(output)),
    )
    return Report([finding])
