"""Commands that answer questions about the fleet as planned."""

from __future__ import annotations

from pathlib import Path

import click

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console


@command("what-if")
@fleet_option
@click.option(
    "--down",
    metavar="NODE",
    multiple=True,
    required=True,
    shell_complete=_complete_nodes,
    help="A node that is down; several may be named.",
)
def what_if(fleet: Path, down: tuple[str, ...], host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Say what stops and what stays when nodes are down, whether quorum holds, and whether to re-image them now.

    Reads the fleet file alone. The exit code is 0 for any answer; the verdict is in the text and in --json.
    """
    from ventoy_kit.app.whatif import what_if as use_case

    return use_case(fleet, down, host)
