"""Keeps the reports of rehearsals: each as soon as its node is done, so that an end of the others does not take it along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ventoy_kit.edge.files import listing, make_folder, remove_file, write_atomic
from ventoy_kit.errors import StorageError
from ventoy_kit.rehearse.as_html import as_html
from ventoy_kit.rehearse.as_text import as_data, as_text
from ventoy_kit.rehearse.model import RehearsalReport

OWN = re.compile(r"report\.(txt|json|html)|console-[a-z]+\.txt|screen-[a-z]+-\d+\.png")
"""Names of the files that a report is made of; those of an earlier one go."""


@dataclass(slots=True)
class Keeper:
    """Where reports go, and what became of them. Not frozen: threads add to it.

    Attributes:
        folder: a folder per node is made in it.
        written: the page of each node whose report is kept.
        failed: why the report of a node is not kept.
    """

    folder: Path
    written: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, StorageError] = field(default_factory=dict)

    def begin(self, nodes: Iterable[str]) -> None:
        """Make the folders before anything is started. Raises StorageError."""
        for node in nodes:
            make_folder(self.folder / node)

    def keep(self, report: RehearsalReport) -> None:
        """Write text, JSON, HTML, consoles and pictures of a node. A failure is kept for the end."""
        base = self.folder / report.node
        data = json.dumps(as_data(report), indent=2, ensure_ascii=True) + "\n"
        files = {"report.txt": as_text(report).encode(), "report.json": data.encode()}
        files["report.html"] = as_html(report).encode()
        for act in report.acts:
            files[f"console-{act.act}.txt"] = act.console.encode("utf-8", "replace")
            for number, picture in enumerate(act.pictures, start=1):
                files[f"screen-{act.act}-{number:02d}.png"] = picture.png
        try:
            for name, _ in listing(base):
                if OWN.fullmatch(name) and name not in files:
                    remove_file(base / name)
            for name, content in files.items():
                write_atomic(base / name, content)
        except StorageError as error:
            self.failed[report.node] = error
        else:
            self.written[report.node] = base / "report.html"
