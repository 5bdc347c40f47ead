"""`ventoy-kit rehearse`: install nodes in virtual twins, before anybody walks to the rack."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.rehearse_play import rehearse_node
from ventoy_kit.app.rehearse_prepare import Prepared, RehearseOptions, prepare
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge import emulator
from ventoy_kit.edge.files import make_folder, write_atomic
from ventoy_kit.edge.workers import Stop, at_once
from ventoy_kit.rehearse import codes
from ventoy_kit.rehearse.acts import read_mirror
from ventoy_kit.rehearse.as_html import as_html
from ventoy_kit.rehearse.as_text import HELD, as_data, as_text, minutes, words_of_failures
from ventoy_kit.rehearse.model import RehearsalReport
from ventoy_kit.rehearse.qemu import PROGRAM
from ventoy_kit.rehearse.verdict import exit_findings
from ventoy_kit.report import Report

MEMORY = 3072
"""MiB of free memory for each node that is rehearsed at a time."""


def rehearse(file: Path, names: Sequence[str], options: RehearseOptions, host: Host) -> Outcome:
    """Rehearse nodes: what was built, or a stick.

    Args:
        file: the fleet file, beside which the build lies.
        names: nodes; all if empty.
        options: how.
        host: effects.

    Raises:
        MachineError: the machine failed; also where a program is missing.
    """
    report = _wishes(options)
    if report.has_errors:
        return Outcome("rehearse", report)
    jobs = options.jobs or max(1, min(emulator.processors() // 2, emulator.free_memory() // MEMORY))
    prepared, found = prepare(file, names, options, host, min(jobs, len(names) or jobs))
    report.extend(found)
    if prepared is None:
        return Outcome("rehearse", report)
    reports = _play(prepared, options, host, jobs)
    for one in reports:
        for unsafe, message, remedy in exit_findings(one):
            rule = codes.UNSAFE if unsafe else codes.FAILED
            report.add(rule.finding(message, remedy))
    written = _write(reports, options.output)
    result = {"nodes": {r.node: as_data(r) for r in reports}, "reports": [str(p) for p in written]}
    return Outcome("rehearse", report, result, [*_blocks(reports), *_files(written)])


def _wishes(options: RehearseOptions) -> Report:
    """What of the options cannot be, before anything is read."""
    report = Report()
    if options.mirror is not None:
        try:
            read_mirror(options.mirror)
        except ValueError as error:
            report.add(codes.MIRROR.finding(str(error), "Write it as http://HOST[:PORT]/PATH."))
    if options.output is not None:
        report.extend(unwritable(options.output))
    return report


def _play(prepared: Prepared, options: RehearseOptions, host: Host, jobs: int) -> list[RehearsalReport]:
    """All nodes, some at a time."""
    engine = emulator.find_emulator(host.process, PROGRAM)
    stop = Stop()
    work = [
        functools.partial(rehearse_node, case, prepared, options, host, engine, stop=stop, tell=host.tell)
        for case in prepared.cases
    ]
    return at_once(work, jobs, stop)


def _write(reports: Sequence[RehearsalReport], folder: Path | None) -> list[Path]:
    """Text, JSON, HTML, consoles and pictures of each node. Raises StorageError."""
    if folder is None:
        return []
    written = []
    for report in reports:
        base = folder / report.node
        make_folder(base)
        data = json.dumps(as_data(report), indent=2, ensure_ascii=True) + "\n"
        files = {"report.txt": as_text(report).encode(), "report.json": data.encode()}
        files["report.html"] = as_html(report).encode()
        for act in report.acts:
            files[f"console-{act.act}.txt"] = act.console.encode("utf-8", "replace")
            for number, picture in enumerate(act.pictures, start=1):
                files[f"screen-{act.act}-{number:02d}.png"] = picture.png
        for name, content in files.items():
            write_atomic(base / name, content)
        written.append(base / "report.html")
    return written


def _blocks(reports: Sequence[RehearsalReport]) -> list[Block]:
    """One table over all nodes, and for each what was seen."""
    out: list[Block] = []
    for report in reports:
        out.append(Heading(f"{report.node}: {'passed' if report.verdict.passed else 'FAILED'}"))
        out.append(Lines((report.verdict.text, f"{report.image}; {report.engine}")))
        rows = [
            ("as it should" if a.verdict.passed else "FAILED", a.title, minutes(a.seconds), a.verdict.text)
            for a in report.acts
        ]
        out.append(Table(("", "act", "took", "how it ended"), tuple(rows)))
        said = tuple(words_of_failures(report))
        out += [Lines(said)] if said else []
        out.append(Table(("", "safety", ""), tuple((HELD[c.held], c.title, c.detail) for c in report.safety)))
        out += [Lines(tuple(f"Not proven: {note}" for note in report.notes))] if report.notes else []
    if len(reports) > 1:
        overall = [
            (
                r.node,
                "passed" if r.verdict.passed else "FAILED",
                minutes(r.seconds),
                _furthest(r),
                r.verdict.text,
            )
            for r in reports
        ]
        out += [Heading("All nodes"), Table(("node", "verdict", "took", "came to", ""), tuple(overall))]
    return out


def _furthest(report: RehearsalReport) -> str:
    """The last stage that the installation passed."""
    act: Any = next((a for a in report.acts if a.act in ("install", "stick")), report.acts[-1])
    passed = [s.title for s in act.stages if s.at is not None]
    return passed[-1] if passed else "nowhere"


def _files(written: Sequence[Path]) -> list[Block]:
    return [Lines(tuple(f"Report: {path}" for path in written))] if written else []
