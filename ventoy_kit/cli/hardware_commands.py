"""The commands of `ventoy-kit hardware`, and `adopt`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ventoy_kit.app.host import DEFAULT_FLEET, Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console
from ventoy_kit.cli.ssh_options import over_ssh


@click.group("hardware")
def hardware() -> None:
    """Recorded facts of machines: disks, network interfaces, PCI, firmware."""


def _node_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    from ventoy_kit.app.hardware import is_node_name

    if value is not None and not is_node_name(value):
        raise click.BadParameter("write a node's name: lower-case letters, digits and hyphens")
    return value


def _complete_recorded(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    from ventoy_kit.app.hardware import recorded_names

    names = recorded_names(Path(ctx.params.get("fleet") or DEFAULT_FLEET))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@command("hardware scan")
@fleet_option
@click.argument("node", required=False, callback=_node_name, shell_complete=_complete_nodes)
@click.option("--local", is_flag=True, help="Look at this machine.")
@over_ssh
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write this file, `-` for standard output, instead of hardware/NODE.json.",
)
def _scan(
    *,
    fleet: Path,
    node: str | None,
    local: bool,
    ssh: str | None,
    sudo: bool,
    output: Path | None,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Record what a machine is made of into hardware/NODE.json beside the fleet file. Reads only on the machine.

    NODE may be a node of the fleet, or a new name; without it the machine's host name is taken.
    """
    from ventoy_kit.app.hardware import ScanOptions, scan

    if local and ssh is not None:
        raise click.UsageError("--local and --ssh exclude one another")
    if node is None and not local and ssh is None:
        raise click.UsageError("name a NODE of the fleet, --ssh USER@HOST, or --local")
    return scan(fleet, node, ScanOptions(local, ssh, sudo, output), host)


@command("hardware show")
@fleet_option
@click.argument("name", metavar="NODE|FILE", shell_complete=_complete_recorded)
def _show(fleet: Path, name: str, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Show recorded facts of a node, or of a file, which may be the JSON of Proxmox's device-info."""
    from ventoy_kit.app.hardware import show

    return show(fleet, name, host)


@command("hardware probe")
def _probe(host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Print the program that records a machine's facts: pipe it into `ssh root@NODE python3 -`."""
    from ventoy_kit.app.hardware import probe_text

    return probe_text(host)


hardware.add_command(_scan)
hardware.add_command(_show)
hardware.add_command(_probe)


@command("adopt")
@fleet_option
@click.argument("facts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def adopt(
    *, fleet: Path, facts: tuple[Path, ...], dry_run: bool, yes: bool, host: Host, console: Console
) -> Outcome:
    """Add what FACTS tell to the fleet file: new nodes, and what known ones lack. Every disk is added as `keep`."""
    from ventoy_kit.app.adopt import adopt as use_case

    return use_case(fleet, facts, host, console.announce if yes else console.ask, dry_run=dry_run)
