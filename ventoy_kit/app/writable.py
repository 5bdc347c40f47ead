"""Whether a command may write where it is going to."""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.app import codes as app_codes
from ventoy_kit.edge.files import exists, is_writable
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
