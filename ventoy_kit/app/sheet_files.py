"""Where `checklist` and `blueprint` put what they made: on stdout, into a file, or into a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ventoy_kit.app import codes
from ventoy_kit.app.writable import unplaced, unwritable
from ventoy_kit.edge.files import is_folder, make_folder, write_atomic
from ventoy_kit.report import Place, Report

ENDINGS = {"text": ".txt", "md": ".md", "html": ".html", "pdf": ".pdf", "svg": ".svg"}
"""How a file of each form ends."""


def form_of(form: str | None, output: Path | None) -> str:
    """The form that was asked for: by name, by the output's ending, or text."""
    by_ending = {ending: name for name, ending in ENDINGS.items()}
    return form or by_ending.get(output.suffix.lower() if output else "", "text")


def is_folder_name(output: Path, written: str) -> bool:
    """Whether an output means a folder: there is one, or the name ends in a slash."""
    return is_folder(output) or written.endswith(("/", "\\"))


def check_output(output: Path, form: str, *, folder: bool) -> Report:
    """What keeps an output from being written; a file must end as its form does, so that no other is overwritten."""
    if not folder and output.suffix.lower() != ENDINGS[form]:
        finding = codes.OUTPUT_NAME.finding(
            f"{output} does not end in {ENDINGS[form]}, and {form} was asked for",
            f"Name it `{output.with_suffix(ENDINGS[form])}`, or ask for another --format.",
            place=Place(str(output)),
        )
        return Report([finding])
    return unwritable(output) if is_folder(output) else unplaced(output)


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write files, and the last folder of their paths.

    Raises:
        StorageError: something cannot be written.
    """
    for path, data in files.items():
        make_folder(path.parent)
        write_atomic(path, data)
