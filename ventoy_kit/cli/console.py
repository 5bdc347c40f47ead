"""The only printer: findings with excerpts, blocks, progress, and the JSON envelope.

Data goes to stdout, talk to stderr. Text from files is made harmless before a terminal sees it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Next, Outcome, Table
from ventoy_kit.errors import MachineError
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.report import Finding, Severity, dotted

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

ENVELOPE = 1
"""Version of the JSON envelope."""

CHANGING = ("adopt", "build", "demo", "disarm", "init", "reimage", "stage", "unstage")
"""Commands that write something when they succeed."""

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Console:
    """Shows outcomes.

    Args:
        as_json: print the envelope instead of text.
        quiet: print findings and data only.
        verbose: add what each rule is about.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self.colour = None if "NO_COLOR" not in os.environ else False

    def show(self, outcome: Outcome) -> int:
        """Print an outcome; the exit code."""
        if self.as_json:
            findings = [_finding_data(f) for f in outcome.report]
            self._envelope(outcome.command, findings, outcome.result, ok=outcome.ok)
        else:
            for finding in outcome.report:
                self._finding(finding)
            self.blocks(outcome.blocks)
            self._summary(outcome)
        return 0 if outcome.ok else 1

    def machine_error(self, command: str, error: MachineError) -> int:
        """Print a failure of the machine; the exit code."""
        if self.as_json:
            finding = {
                "rule": "machine",
                "severity": "error",
                "message": error.message,
                "remedy": error.hint,
                "file": None,
                "line": None,
                "column": None,
                "path": None,
            }
            self._envelope(command, [finding], None, ok=False)
        else:
            self._talk(click.style("failed: ", fg="red", bold=True) + harmless(error.message))
            if error.hint:
                self._talk(f"  try: {harmless(error.hint)}")
        return 3

    def ask(self, blocks: tuple[Block, ...], question: str) -> bool | None:
        """Show a plan and ask; None when nobody can be asked."""
        if self.as_json or not sys.stdin.isatty():
            return None
        self.blocks(blocks)
        return click.confirm(harmless(question), default=False, err=True)

    def announce(self, blocks: tuple[Block, ...], _question: str) -> bool:
        """Show a plan that was agreed to beforehand (`--yes`), so that logs tell what was done."""
        if not self.as_json:
            self.blocks(blocks)
        return True

    def ask_name(self, blocks: tuple[Block, ...], question: str) -> str | None:
        """Show what will happen and ask for a name to be typed; None when nobody can be asked."""
        if self.as_json or not sys.stdin.isatty():
            return None
        self.blocks(blocks)
        typed: str = click.prompt(harmless(question), default="", show_default=False, err=True)
        return typed.strip()

    def ask_secret(self, question: str) -> str | None:
        """Ask for a secret, which is not shown while it is typed; None when nobody can be asked."""
        if self.as_json or not sys.stdin.isatty():
            return None
        typed: str = click.prompt(
            harmless(question), default="", show_default=False, hide_input=True, prompt_suffix=" ", err=True
        )
        return typed

    def read_secret(self) -> str | None:
        """The first line of standard input, None if there is none."""
        return sys.stdin.readline().rstrip("\r\n") or None

    def blocks(self, blocks: Sequence[Block]) -> None:
        """Print blocks for people."""
        for block in blocks:
            if isinstance(block, Document):
                click.echo(harmless(block.text, keep="\n\f"), nl=False, color=self.colour)
            elif not self.quiet:
                self._block(block)

    def _block(self, block: Block) -> None:
        if isinstance(block, Heading):
            click.echo("\n" + click.style(harmless(block.text), bold=True), color=self.colour)
        elif isinstance(block, Lines):
            for line in block.lines:
                click.echo(f"  {harmless(line)}", color=self.colour)
        elif isinstance(block, Table):
            self._table(block)
        elif isinstance(block, Next) and block.steps:
            self._talk("\n" + click.style("Next:", bold=True))
            for step in block.steps:
                self._talk(f"  {harmless(step)}")

    def _table(self, table: Table) -> None:
        from rich.console import Console as RichConsole
        from rich.table import Table as RichTable
        from rich.text import Text

        from ventoy_kit.cli.narrow import narrowed

        terminal = sys.stdout.isatty()
        rich = RichConsole(file=sys.stdout, width=None if terminal else 240, highlight=False, markup=False)
        if terminal:
            rich.width = max(20, rich.width - 2)  # lines are indented
            table = narrowed(table, rich.width)
        grid = RichTable(
            box=None, pad_edge=False, show_header=any(table.columns), header_style="dim", padding=(0, 2, 0, 0)
        )
        for number, column in enumerate(table.columns):
            # On a narrow terminal the other columns give way first: names are typed again, so they stay whole.
            longest = max((len(row[number]) for row in table.rows), default=0)
            grid.add_column(
                harmless(column), overflow="fold", min_width=min(longest, 24) if number == 0 else None
            )
        for row in table.rows:
            grid.add_row(*(Text(harmless(cell)) for cell in row))
        with rich.capture() as capture:
            rich.print(grid)
        for line in capture.get().splitlines():
            click.echo(f"  {line.rstrip()}" if line.strip() else "", color=self.colour)

    def _finding(self, finding: Finding) -> None:
        head = click.style(f"{finding.severity} {finding.rule.code}", fg=COLOURS[finding.severity], bold=True)
        self._talk(f"{head}: {harmless(finding.message)}")
        place = finding.place
        if place is not None:
            where = ":".join(str(p) for p in (place.file, place.line, place.column) if p is not None)
            self._talk(f"  --> {harmless(where)}")
            width = max((len(str(n)) for n, _ in place.excerpt), default=1)
            for number, text in place.excerpt:
                self._talk(f"  {number:>{width}} | {harmless(text)}")
            if place.excerpt and place.caret:
                self._talk(f"  {'':>{width}} | {' ' * (place.caret - 1)}{'^' * place.length}")
        self._talk(f"  rule: {finding.rule.title}")
        self._talk(f"  fix:  {harmless(finding.remedy)}")
        if self.verbose:
            self._talk(f"  why:  {finding.rule.explain}")

    def _summary(self, outcome: Outcome) -> None:
        count = {s: sum(f.severity is s for f in outcome.report) for s in (Severity.ERROR, Severity.WARNING)}
        if outcome.ok and self.quiet:
            return
        parts = [f"{n} {s}{'s' if n != 1 else ''}" for s, n in count.items() if n]
        unchanged = "; nothing was changed" if outcome.command in CHANGING else ""
        if not outcome.ok:
            self._talk(click.style(f"\n{outcome.command}: {', '.join(parts)}{unchanged}", bold=True))
        elif parts:
            self._talk(f"\n{outcome.command}: done, with {', '.join(parts)}")

    def _envelope(self, command: str, findings: list[dict[str, Any]], result: object, *, ok: bool) -> None:
        envelope = {"command": command, "version": ENVELOPE, "ok": ok, "findings": findings, "result": result}
        click.echo(json.dumps(envelope, indent=2, ensure_ascii=True))

    def _talk(self, text: str) -> None:
        click.echo(text, err=True, color=self.colour)


def _finding_data(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "rule": finding.rule.code,
        "severity": str(finding.severity),
        "message": finding.message,
        "remedy": finding.remedy,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "path": dotted(finding.path) if finding.path is not None else None,
    }


def harmless(text: str, keep: str = "") -> str:
    """Text without control characters that would move a terminal's cursor; each becomes one visible character."""
    return "".join(
        c if c.isprintable() or c in keep else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


class _Bars:
    """The bars of all lines of one board, on a terminal; made with the first line and gone with the last."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.lock = stream, threading.Lock()
        self.shown: RichProgress | None = None
        self.lines = 0

    def add(self, title: str, total: int) -> tuple[RichProgress, TaskID]:
        """A bar; without a total it only moves."""
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        with self.lock:
            if self.shown is None:
                columns = (
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    DownloadColumn(),
                    TimeRemainingColumn(),
                )
                self.shown = Progress(*columns, console=RichConsole(file=self.stream), transient=True)
                self.shown.start()
            self.lines += 1
            return self.shown, self.shown.add_task(title, total=total or None)

    def remove(self, task: TaskID) -> None:
        """Take a bar away."""
        with self.lock:
            if self.shown is None:
                return
            self.shown.remove_task(task)
            self.lines -= 1
            if not self.lines:
                self.shown.stop()
                self.shown = None


class ConsoleProgress:
    """Implements `ports.Progress`: a bar on a terminal, a line every few seconds elsewhere, nothing when quiet.

    Implements `ports.ProgressBoard`, too: each line belongs to one thread, and the terminal shows them together.
    """

    INTERVAL = 5.0
    """Seconds between two lines where there is no terminal."""

    def __init__(self, *, quiet: bool, stream: IO[str] | None = None, bars: _Bars | None = None) -> None:
        self.quiet, self.stream = quiet, stream or sys.stderr
        self.bars = bars or _Bars(self.stream)
        self.bar: RichProgress | None = None
        self.task: TaskID | None = None
        self.title, self.total, self.count, self.told = "", 0, 0, 0.0

    def line(self) -> ConsoleProgress:
        """A line of its own, shown together with the others."""
        return ConsoleProgress(quiet=self.quiet, stream=self.stream, bars=self.bars)

    def start(self, title: str, total: int) -> None:
        """A new piece of work of `total` bytes begins; 0 if that is not known."""
        self.title, self.total, self.count, self.told = harmless(title), total, 0, time.monotonic()
        if self.quiet or not self.stream.isatty():
            return
        self.bar, self.task = self.bars.add(self.title, total)

    def advance(self, count: int) -> None:
        """`count` more bytes are done."""
        self.count += count
        if self.bar is not None and self.task is not None:
            self.bar.advance(self.task, count)
        elif not self.quiet and time.monotonic() - self.told >= self.INTERVAL:
            self.told = time.monotonic()
            total = f" of {format_size(self.total)}" if self.total else ""
            click.echo(f"{self.title}: {format_size(self.count)}{total}", file=self.stream)

    def tell(self, line: str) -> None:
        """A line about work that has no size; nothing when quiet. May be called from several threads."""
        if not self.quiet:
            click.echo(harmless(line), file=self.stream)

    def done(self) -> None:
        """The piece of work is finished."""
        if self.task is not None:
            self.bars.remove(self.task)
            self.bar = self.task = None
