"""The commands of `ventoy-kit answer`."""

from __future__ import annotations

from pathlib import Path

import click

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console

_release = click.option(
    "--release", metavar="RELEASE", help="Judge as this release of Proxmox VE, such as 8.4 or 9.2."
)


@click.group("answer")
def answer() -> None:
    """Answer files: print, check, and try on recorded hardware before a machine boots."""


@command("answer render")
@fleet_option
@click.argument("node", shell_complete=_complete_nodes)
def _render(fleet: Path, node: str, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Print the answer of NODE, with secrets redacted."""
    from ventoy_kit.app.answer import render

    return render(fleet, node, host)


@command("answer validate")
@click.argument("file", type=click.Path(path_type=Path))
@_release
def _validate(file: Path, release: str | None, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Check an answer FILE that somebody wrote by hand: every rule of its installer, and the traps behind them."""
    from ventoy_kit.app.answer import validate

    return validate(file, release, host)


@command("answer simulate")
@fleet_option
@click.argument("target", metavar="NODE|FILE", shell_complete=_complete_nodes)
@click.option(
    "--hardware",
    type=click.Path(path_type=Path),
    metavar="FACTS",
    help="What `ventoy-kit hardware scan` recorded; hardware/NODE.json beside the fleet file by default.",
)
@_release
@click.option(
    "--stick",
    type=click.Choice(["present", "absent"]),
    default="present",
    show_default=True,
    help="Whether the Ventoy stick is in the machine.",
)
def _simulate(
    *,
    fleet: Path,
    target: str,
    hardware: Path | None,
    release: str | None,
    stick: str,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Say which disks would be wiped, in which order, which interface is taken, and why not the others.

    A NODE is tried with the boot hook's own scripts and then with the rules of its installer; a FILE with those alone.
    """
    from ventoy_kit.app.answer import simulate_target

    return simulate_target(fleet, target, hardware, release, host, stick=stick == "present")


answer.add_command(_render)
answer.add_command(_simulate)
answer.add_command(_validate)
