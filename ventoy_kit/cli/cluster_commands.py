"""The commands of `ventoy-kit cluster`."""

from __future__ import annotations

from pathlib import Path

import click

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console


@click.group("cluster")
def cluster() -> None:
    """The Proxmox VE cluster that the nodes form."""


@command("cluster converge")
@fleet_option
@click.option(
    "--bootstrap",
    metavar="NODE",
    shell_complete=_complete_nodes,
    help="Create the cluster on this node if there is none.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, do nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before the first step.")
@click.option(
    "--password-stdin", is_flag=True, help="Read root's password, which a join needs, from standard input."
)
def _converge(
    *,
    fleet: Path,
    bootstrap: str | None,
    dry_run: bool,
    yes: bool,
    password_stdin: bool,
    host: Host,
    console: Console,
) -> Outcome:
    """Bring the cluster to what the fleet file says: create it, remove stale members, let nodes join.

    Every node is reached as root by SSH, with your keys and known host keys. The plan is shown before anything is done,
    and no step is made that would cost the quorum. It can be run again at any time.
    """
    from ventoy_kit.app.converge import ConvergeOptions, converge

    if password_stdin and not (yes or dry_run):
        raise click.UsageError(
            "--password-stdin takes the place where the answer would be typed: give --yes too"
        )
    return converge(
        fleet,
        host,
        options=ConvergeOptions(bootstrap, dry_run),
        ask=console.announce if yes else console.ask,
        ask_secret=(lambda _: console.read_secret()) if password_stdin else console.ask_secret,
    )


cluster.add_command(_converge)
