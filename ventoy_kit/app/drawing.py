"""`ventoy-kit blueprint`: the fleet drawn, for a terminal, as SVG, and as a page to hang up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Document, Lines, Outcome
from ventoy_kit.app.sheet_files import check_output, write_all
from ventoy_kit.app.workspace import load_fleet
from ventoy_kit.blueprint.codes import SWITCHABLE
from ventoy_kit.blueprint.losses import Losses, dark_roles
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.outlook import reimage_of
from ventoy_kit.blueprint.quorum import standing, votes_of
from ventoy_kit.edge.machine import terminal_width
from ventoy_kit.report import Report
from ventoy_kit.sheets.boxes import as_boxes
from ventoy_kit.sheets.cards import Drawing, drawing_of
from ventoy_kit.sheets.page import Paper
from ventoy_kit.sheets.poster import TableText, as_poster
from ventoy_kit.sheets.svg import as_svg

Form = Literal["text", "svg", "html"]


def blueprint(file: Path, host: Host, form: Form, output: Path | None, paper: Paper = "a4") -> Outcome:
    """Draw the fleet. Needs the fleet file alone, no image and no network.

    Args:
        file: the fleet file.
        host: effects.
        form: what it becomes.
        output: file to write; None prints.
        paper: size of printed pages, for HTML.

    Raises:
        MachineError: the output cannot be written.
    """
    workspace = load_fleet(file, host)
    if workspace.fleet is None or workspace.blueprint is None:
        return Outcome("blueprint", workspace.located())
    found = Report() if output is None else check_output(output, form, folder=False)
    # Judgement, however it is weighed, is for `check`; only a file that is wrong is not drawn.
    located = workspace.located(found)
    report = Report([f for f in located if f.severity == "error" and f.rule.code not in SWITCHABLE])
    if report.has_errors:
        return Outcome("blueprint", report)
    models = {name: profile.title for name, profile in workspace.library.profiles.items()}
    drawing = drawing_of(workspace.blueprint, models)
    foot = (f"{drawing.title} ({workspace.fleet.fleet})", f"fleet file {workspace.digest[:8]}")
    tables = tuple(tables_of(workspace.blueprint))
    text = _rendered(drawing, tables, form, paper, foot)
    result = {"format": form, **_data(drawing, tables)}
    if output is None:
        return Outcome("blueprint", report, {**result, "document": text}, [Document(text)])
    write_all({output: text.encode()})
    return Outcome("blueprint", report, {**result, "file": str(output)}, [Lines((f"Wrote {output}.",))])


def _rendered(
    drawing: Drawing, tables: tuple[TableText, ...], form: Form, paper: Paper, foot: tuple[str, ...]
) -> str:
    if form == "svg":
        return as_svg(drawing)
    if form == "html":
        return as_poster(drawing, tables, paper, foot)
    return as_boxes(drawing, terminal_width())


def tables_of(blueprint: Blueprint) -> Iterator[TableText]:
    """What the drawing has no room for: quorum, losses, who leans on whom, waivers."""
    fleet = blueprint.fleet
    if fleet.cluster is not None and blueprint.members:
        votes = votes_of(len(blueprint.members), fleet.cluster)
        rows = tuple(
            (str(lost), f"{votes.left(lost)} of {votes.total}", "holds" if votes.holds(lost) else "is lost")
            for lost in range(min(votes.nodes, votes.spare + 1) + 1)
        )
        yield TableText(f"Quorum: {votes.needed} votes needed", ("nodes lost", "votes left", "quorum"), rows)
    losses = Losses(blueprint)
    yield TableText(
        "If one node is lost",
        ("node", "stops there", "stops elsewhere", "goes dark", "quorum", "re-image now"),
        tuple(_loss_row(blueprint, losses, node) for node in fleet.nodes),
    )
    leaning = tuple(
        (
            f"{p.name} on {p.node}",
            ", ".join(p.service.needs) or "-",
            ", ".join(p.service.observes) or "-",
            p.backed_up_by or "-",
        )
        for p in blueprint.services
        if p.service.needs or p.service.observes or p.backed_up_by
    )
    yield TableText("Who leans on whom", ("service", "needs", "observes", "backed up by"), leaning)
    yield TableText(
        "Findings that are waived",
        ("rule", "node", "service", "reason"),
        tuple((w.rule, w.node or "any", w.service or "any", w.reason) for w in fleet.waivers),
    )
    yield TableText(
        "Rules that weigh otherwise here",
        ("rule", "weight", "reason"),
        tuple((code, switch.severity, switch.reason) for code, switch in fleet.rules.items()),
    )


def _loss_row(blueprint: Blueprint, losses: Losses, node: str) -> tuple[str, ...]:
    loss = losses.of(node)
    stands = standing(blueprint, loss.nodes)
    here = [blueprint.services[n].name for n, need in loss.stopped.items() if need is None]
    elsewhere = [
        f"{blueprint.services[n].name} on {blueprint.services[n].node}"
        for n, need in loss.stopped.items()
        if need is not None
    ]
    quorum = "no cluster"
    if stands is not None:
        quorum = "not a member" if not stands.lost_members else "holds" if stands.holds else "is lost"
    verdict = reimage_of(blueprint, loss, stands, node)
    safe = "safe" if verdict.safe else f"not safe: {'; '.join(verdict.against)}"
    dark = ", ".join(dark_roles(blueprint, loss))
    return node, ", ".join(here) or "-", ", ".join(elsewhere) or "-", dark or "-", quorum, safe


def _data(drawing: Drawing, tables: tuple[TableText, ...]) -> dict[str, Any]:
    names = ("name", "hardware", "work", "loss")
    return {
        "title": drawing.title,
        "head": list(drawing.head),
        "nodes": {
            card.node: {
                name: [line.text for line in band] for name, band in zip(names, card.bands, strict=True)
            }
            for card in drawing.cards
        },
        "tables": [
            {"title": t.title, "columns": list(t.columns), "rows": [list(row) for row in t.rows]}
            for t in tables
        ],
    }
