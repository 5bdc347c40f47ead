"""What a use case returns: findings, a result for machines, and blocks for people. Nothing here prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ventoy_kit.report import Report


@dataclass(frozen=True, slots=True)
class Heading:
    """A line that begins a part."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column titles. Cells are plain text; meaning is never in colour alone.

    `path` is the number of the column whose paths a narrow terminal shortens, if there is one.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    path: int | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """Sentences, one a line."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Text that is the command's data, printed as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Next:
    """What to do now: commands or sentences."""

    steps: tuple[str, ...]


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 step`, `2 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


Block = Heading | Table | Lines | Document | Next


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a use case.

    Attributes:
        command: name of the command.
        report: findings with places.
        result: plain data for `--json`; None when errors kept the command from its work.
        blocks: the same for people.
    """

    command: str
    report: Report
    result: Mapping[str, Any] | None = None
    blocks: Sequence[Block] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether the command did what it was asked for."""
        return not self.report.has_errors
