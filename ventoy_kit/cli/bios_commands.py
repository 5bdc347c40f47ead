"""The commands of `ventoy-kit bios`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ventoy_kit.app.host import DEFAULT_FLEET, Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console
from ventoy_kit.cli.ssh_options import over_ssh


@click.group("bios")
def bios() -> None:
    """Firmware settings: what a machine must have, and what it has."""


def _complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    from ventoy_kit.app.bios import completions

    names = completions(Path(ctx.params.get("fleet") or DEFAULT_FLEET), Host())
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@command("bios show")
@fleet_option
@click.argument("name", metavar="NODE|PROFILE", shell_complete=_complete_names)
def _show(fleet: Path, name: str, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Print the settings of a node or a BIOS profile: where each is in the menu, what to set, and why."""
    from ventoy_kit.app.bios import show

    return show(fleet, name, host)


@command("bios check")
@fleet_option
@click.argument("node", shell_complete=_complete_nodes)
@click.option(
    "--facts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read what the probe printed on the node.",
)
@click.option("--local", is_flag=True, help="Look at this machine, which must be the node.")
@over_ssh
def _check(
    *,
    fleet: Path,
    node: str,
    facts: Path | None,
    local: bool,
    ssh: str | None,
    sudo: bool,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Compare the firmware settings of NODE with its BIOS profile. Reads only; SSH never asks for a password."""
    from ventoy_kit.app.bios import Source, check

    if sum((facts is not None, local, ssh is not None)) > 1:
        raise click.UsageError("--facts, --local and --ssh exclude one another")
    if facts is not None and sudo:
        raise click.UsageError("--sudo does not go with --facts, which reads a file")
    return check(fleet, node, Source(facts, local, ssh, sudo), host)


@command("bios export")
@fleet_option
@click.argument("name", metavar="NODE|PROFILE", shell_complete=_complete_names)
def _export(fleet: Path, name: str, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Print the settings of a Dell as a file for its own tool: `cctk --infile=FILE`."""
    from ventoy_kit.app.bios import export

    return export(fleet, name, host)


@command("bios probe")
def _probe(host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Print the program that reads a machine's firmware facts: pipe it into `ssh root@NODE python3 -`."""
    from ventoy_kit.app.bios import probe_text

    return probe_text(host)


bios.add_command(_show)
bios.add_command(_check)
bios.add_command(_export)
bios.add_command(_probe)
