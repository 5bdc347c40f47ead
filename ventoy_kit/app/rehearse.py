"""`ventoy-kit rehearse`: install nodes in virtual twins, before anybody walks to the rack."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.rehearse_checks import check_wishes
from ventoy_kit.app.rehearse_keep import Keeper
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.rehearse_play import rehearse_node
from ventoy_kit.app.rehearse_prepare import Prepared, prepare
from ventoy_kit.edge import emulator
from ventoy_kit.edge.workers import Stop, at_once
from ventoy_kit.errors import InterruptedRunError
from ventoy_kit.rehearse import codes
from ventoy_kit.rehearse.as_text import HELD, as_data, minutes, words_of_failures
from ventoy_kit.rehearse.model import RehearsalReport
from ventoy_kit.rehearse.qemu import PROGRAM
from ventoy_kit.rehearse.verdict import exit_findings
from ventoy_kit.report import Report

KEPT = "rehearsals"
"""Folder in the cache where reports are kept that no other folder was named for, by fleet and node."""

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
        MachineError: the machine failed; also where a program is missing, or on Ctrl-C. What was seen is kept then, too.
    """
    report = check_wishes(options)
    if report.has_errors:
        return Outcome("rehearse", report)
    jobs = options.jobs or max(1, min(emulator.processors() // 2, emulator.free_memory() // MEMORY))
    prepared, found = prepare(file, names, options, host, min(jobs, len(names) or jobs))
    report.extend(found)
    if prepared is None:
        return Outcome("rehearse", report)
    keeper = Keeper(options.output or host.cache.root / KEPT / prepared.cases[0].fleet)
    reports = _play(prepared, options, host, jobs, keeper)
    failed = Report()
    for one in reports:
        for unsafe, message, remedy in exit_findings(one):
            rule = codes.UNSAFE if unsafe else codes.FAILED
            failed.add(rule.finding(message, remedy, path=("nodes", one.node), on_key=True))
    report.extend(failed.located(prepared.marked.locate) if prepared.marked else failed)
    for node, error in keeper.failed.items():
        remedy = "Free some space, or name another folder with --report."
        report.add(codes.NOT_KEPT.finding(f"the report of {node} is not kept: {error.message}", remedy))
    written = [keeper.written[r.node] for r in reports if r.node in keeper.written]
    result = {"nodes": {r.node: as_data(r) for r in reports}, "reports": [str(p) for p in written]}
    return Outcome("rehearse", report, result, [*_blocks(reports), *_files(written)])


def _play(
    prepared: Prepared, options: RehearseOptions, host: Host, jobs: int, keeper: Keeper
) -> list[RehearsalReport]:
    """All nodes, some at a time."""
    engine = emulator.find_emulator(host.process, PROGRAM)
    keeper.begin(case.node.name for case in prepared.cases)
    stop = Stop()
    work = [
        functools.partial(
            rehearse_node, case, prepared, options, host, engine, stop=stop, tell=host.tell, keep=keeper.keep
        )
        for case in prepared.cases
    ]
    try:
        return at_once(work, jobs, stop)
    except KeyboardInterrupt as error:
        seen = ", ".join(map(str, keeper.written.values()))
        raise InterruptedRunError(
            "the rehearsal was interrupted",
            f"What was seen until then: {seen}" if seen else "Run the command again.",
        ) from error


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
