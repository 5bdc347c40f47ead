"""What is wrong with the user's input, as data: rules, findings, reports, excerpts. No I/O.

Every check of the kit appends to a report and goes on, so that a user sees all mistakes at once. A finding
carries either a path into the fleet file (resolved to line and column when the report is located) or a place
in some other file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

Path = tuple[str | int, ...]
"""Where a value stands in a document: keys and list indexes from the root."""


class Severity(StrEnum):
    """How much a finding weighs: an error stops the command, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text file. Lines and columns count from 1; columns count characters.

    `length` is the number of characters to underline in the excerpt, at least 1. `excerpt` holds
    (line number, text) pairs around the position; `caret` is the column of the position in those texts, which
    differs from `column` where a long line was cut.
    """

    file: str
    line: int | None = None
    column: int | None = None
    length: int = 1
    excerpt: tuple[tuple[int, str], ...] = ()
    caret: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that input must obey. `explain` is shown by `ventoy-kit check --explain CODE`."""

    code: str
    title: str
    explain: str
    severity: Severity = Severity.ERROR

    def finding(
        self,
        message: str,
        remedy: str,
        *,
        path: Path | None = None,
        place: Place | None = None,
        on_key: bool = False,
    ) -> Finding:
        """Make a finding of this rule.

        Args:
            message: what is wrong, with the offending value.
            remedy: what to do, as an imperative sentence.
            path: where in the fleet file; the position is filled in later.
            place: where in another file, if `path` does not apply.
            on_key: underline the key at `path`, not its value.
        """
        return Finding(self, self.severity, message, remedy, path, place, on_key)


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of one rule. `hidden` findings show no excerpt, since a secret may stand at their place."""

    rule: Rule
    severity: Severity
    message: str
    remedy: str
    path: Path | None = None
    place: Place | None = None
    on_key: bool = False
    hidden: bool = False


@dataclass(slots=True)
class Report:
    """Findings in the order in which they were made. The only mutable type that stages share."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Append one finding."""
        self.findings.append(finding)

    def extend(self, other: Report | Iterable[Finding]) -> None:
        """Append all findings of another report."""
        self.findings.extend(other)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error, so that the command must not go on."""
        return any(f.severity is Severity.ERROR for f in self.findings)

    def located(self, locate: Callable[[Path, bool], Place | None]) -> Report:
        """A copy with places filled in for findings that name a path; sorted by position, unplaced last.

        What is wrong in a default, or in a value that aliases share, is found many times and shown once.
        No excerpt shows the line of a hidden finding.
        """
        placed: dict[tuple[str, str, Place | None], Finding] = {}
        for found in self:
            finding = found
            if found.place is None and found.path is not None:
                finding = replace(found, place=locate(found.path, found.on_key))
            placed.setdefault((finding.rule.code, finding.message, finding.place), finding)
        hidden: dict[str, set[int | None]] = {}
        for finding in placed.values():
            if finding.hidden and finding.place is not None:
                hidden.setdefault(finding.place.file, set()).add(finding.place.line)
        shown = [
            f if f.place is None else replace(f, place=without(f.place, hidden.get(f.place.file, ())))
            for f in placed.values()
        ]
        return Report(sorted(shown, key=_position))


def without(place: Place, lines: Collection[int | None]) -> Place:
    """The place without those lines of its excerpt; without its own line it has none."""
    if not any(number in lines for number, _ in place.excerpt):
        return place
    kept = tuple((n, text) for n, text in place.excerpt if n not in lines)
    own = place.line in [n for n, _ in kept]
    return replace(place, excerpt=kept if own else (), caret=place.caret if own else None)


def _position(finding: Finding) -> tuple[int, str, int, int]:
    place = finding.place
    if place is None:
        return (1, "", 0, 0)
    return (0, place.file, place.line or 0, place.column or 0)


EXCERPT_WIDTH = 120
"""Characters of a line that an excerpt shows; of a longer one the part around the position."""


def place_in(text_lines: Sequence[str], file: str, line: int, column: int, length: int = 1) -> Place:
    """A place with an excerpt: the line itself and one line before it.

    Args:
        text_lines: the file's lines without line ends.
        file: how the file is named to the user.
        line: line number from 1.
        column: column from 1, in characters.
        length: characters to underline; cut at the end of the line or of what is shown of it.
    """
    here = text_lines[line - 1] if 1 <= line <= len(text_lines) else ""
    start = 0 if len(here) <= EXCERPT_WIDTH else max(0, column - 1 - EXCERPT_WIDTH // 2)
    shown = tuple(
        (n, _window(text_lines[n - 1], start))
        for n in (line - 1, line)
        if 1 <= n <= len(text_lines) and (n == line or len(text_lines[n - 1]) > start or not start)
    )
    room = max(1, min(len(here), start + EXCERPT_WIDTH) - column + 1)
    caret = column - start + (1 if start else 0)
    return Place(file, line, column, max(1, min(length, room)), shown, caret)


def _window(text: str, start: int) -> str:
    """The part of a line that an excerpt shows, with an ellipsis where something was cut off."""
    end = start + EXCERPT_WIDTH
    return ("\N{HORIZONTAL ELLIPSIS}" if start else "") + (
        text[start:] if len(text) <= end else text[start:end] + "\N{HORIZONTAL ELLIPSIS}"
    )


def dotted(path: Path) -> str:
    """A path as text: `nodes.falcon.hooks[1].name`."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else (f".{part}" if out else str(part))
    return out
