"""The commands of `ventoy-kit hooks`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ventoy_kit.app.host import DEFAULT_FLEET, Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.app.workspace import load_library
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console
from ventoy_kit.cli.ssh_options import over_ssh


@click.group("hooks")
def hooks() -> None:
    """Hooks that nodes run after installation."""


def _complete_hooks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    base = Path(ctx.params.get("fleet") or DEFAULT_FLEET).parent
    return [
        CompletionItem(name) for name in load_library(Host(), base)[0].hooks if name.startswith(incomplete)
    ]


@command("hooks list")
@fleet_option
def _list(fleet: Path, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """List the hooks at hand, the kit's and those beside the fleet file, in the order in which they run."""
    from ventoy_kit.app.hooks import hooks_list

    return hooks_list(fleet.parent, host)


@command("hooks show")
@fleet_option
@click.argument("name", metavar="HOOK", shell_complete=_complete_hooks)
def _show(fleet: Path, name: str, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Say what HOOK does, takes, needs and verifies."""
    from ventoy_kit.app.hooks import hook_show

    return hook_show(fleet.parent, name, host)


@command("hooks verify")
@fleet_option
@click.argument("nodes", metavar="[NODE]...", nargs=-1, shell_complete=_complete_nodes)
@over_ssh
def _verify(
    *,
    fleet: Path,
    nodes: tuple[str, ...],
    ssh: str | None,
    sudo: bool,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Ask live nodes over SSH whether they still are as their hooks made them. Reads only; asks for no password."""
    from ventoy_kit.app.hooks import Source, hooks_verify

    if ssh is not None and len(nodes) != 1:
        raise click.UsageError("--ssh goes with exactly one NODE")
    return hooks_verify(fleet, nodes, Source(ssh, sudo), host)


hooks.add_command(_list)
hooks.add_command(_show)
hooks.add_command(_verify)
