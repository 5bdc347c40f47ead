"""`stage IMAGE --create SIZE`: a disk image with Ventoy's layout."""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.app import codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.report import Finding, Place, Report
from ventoy_kit.stick.layout import Style, plan_layout


def create_stick_image(path: Path, size: int, style: Style, host: Host) -> Report:
    """Make the image; findings say why it cannot be made.

    Args:
        path: the new file.
        size: bytes.
        style: partition table.
        host: effects.

    Raises:
        MissingToolError: a program that makes file systems is missing.
        StorageError: the file could not be made.
    """
    layout = plan_layout(size, style)
    if isinstance(layout, Finding):
        return Report([layout])
    problem = unwritable(path.parent)
    if problem.has_errors:
        return problem
    try:
        create_image(host.process, path, layout, new_ids())
    except FileExistsError:
        finding = codes.EXISTS.finding(
            f"{path} exists already",
            "Leave --create away to stage onto it, or name another file.",
            place=Place(str(path)),
        )
        return Report([finding])
    return Report()
