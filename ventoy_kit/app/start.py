"""`ventoy-kit init`: a commented fleet file to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from ventoy_kit.app import codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Lines, Next, Outcome
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge.files import exists, make_folder, write_atomic
from ventoy_kit.fleet.decode import json_schema
from ventoy_kit.report import Place, Report

SCHEMA_FILE = "fleet.schema.json"

Example = Literal["starter", "alliance"]


def init(folder: Path, example: Example, host: Host) -> Outcome:
    """Write `fleet.yaml` and the schema that editors read; never over an existing fleet file.

    Raises:
        StorageError: the folder cannot be made or written.
    """
    target = folder / "fleet.yaml"
    if exists(target):
        finding = codes.EXISTS.finding(
            f"{target} exists already",
            "Choose another folder: `ventoy-kit init FOLDER`.",
            place=Place(str(target)),
        )
        return Outcome("init", Report([finding]))
    problem = unwritable(folder)
    if problem.has_errors:
        return Outcome("init", problem)
    make_folder(folder / "iso")
    write_atomic(folder / SCHEMA_FILE, schema_text().encode())
    if not exists(folder / ".gitignore"):
        write_atomic(folder / ".gitignore", b"/build/\n/.ventoy-kit/\n/iso/\n")
    write_atomic(target, host.files.read(host.data / "examples" / example / "fleet.yaml"))
    lines = (f"Wrote {target}, and {SCHEMA_FILE} for editors.",)
    option = "" if folder == Path() else f" --fleet {target}"
    steps = (
        f"Edit {target}: machines, disks by serial number, addresses.",
        f"Put the ISO files that it names into {folder / 'iso'}.",
        f"ventoy-kit check{option}",
    )
    return Outcome("init", Report(), {"file": str(target), "example": example}, [Lines(lines), Next(steps)])


def schema_text() -> str:
    """The JSON schema of the fleet file, as a document."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
