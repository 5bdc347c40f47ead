"""Commands that make something to print."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console

_output = click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(),
    help="Write there instead of printing; without --format, its ending decides.",
)


def _paper(function: Any) -> Any:
    return click.option(
        "--paper",
        type=click.Choice(["a4", "letter"]),
        default="a4",
        show_default=True,
        help="Size of the printed pages.",
    )(function)


@command("checklist")
@fleet_option
@click.argument("nodes", nargs=-1, shell_complete=_complete_nodes)
@click.option(
    "--format", "form", type=click.Choice(["text", "md", "html", "pdf"]), help="Form; text by default."
)
@click.option(
    "--output",
    "-o",
    metavar="FILE|FOLDER",
    type=click.Path(),
    help="Write there instead of printing: one file, or one per node in a folder.",
)
@_paper
@click.option(
    "--armed", is_flag=True, help="For a stick that `reimage` has armed, with its code if it is known here."
)
def checklist(
    *,
    fleet: Path,
    nodes: tuple[str, ...],
    form: str | None,
    output: str | None,
    paper: str,
    armed: bool,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """What to compare, set, press and know before NODES (all by default) are wiped, on paper: one node a page.

    Where facts of a machine were recorded in hardware/NODE.json, what they show is ticked or crossed already.
    """
    from ventoy_kit.app.checklist import SheetOptions
    from ventoy_kit.app.checklist import checklist as use_case
    from ventoy_kit.app.sheet_files import form_of, is_folder_name

    target = Path(output) if output is not None else None
    chosen: Any = form_of(form, target)
    if chosen == "svg":
        raise click.UsageError("checklists are made as text, md, html or pdf")
    if chosen == "pdf" and target is None:
        raise click.UsageError("a PDF goes into a file: name it with --output")
    folder = target is not None and is_folder_name(target, output or "")
    return use_case(fleet, nodes, host, SheetOptions(chosen, cast("Any", paper), target, folder, armed))


@command("blueprint")
@fleet_option
@click.option("--format", "form", type=click.Choice(["text", "svg", "html"]), help="Form; text by default.")
@_output
@_paper
def blueprint(
    *,
    fleet: Path,
    form: str | None,
    output: str | None,
    paper: str,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Draw the fleet: nodes, roles, hardware, services, storage, networks, fault domains, quorum.

    Reads the fleet file alone. HTML has tables besides, and prints as a poster.
    """
    from ventoy_kit.app.drawing import blueprint as use_case
    from ventoy_kit.app.sheet_files import form_of

    target = Path(output) if output is not None else None
    chosen: Any = form_of(form, target)
    if chosen in ("md", "pdf"):
        raise click.UsageError("a blueprint is drawn as text, svg or html")
    return use_case(fleet, host, chosen, target, cast("Any", paper))
