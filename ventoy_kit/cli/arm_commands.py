"""The commands that arm a stick and disarm it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ventoy_kit.app.host import DEFAULT_FLEET, Host
from ventoy_kit.app.outcome import Block, Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console

SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=7)


def _lifetime(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:  # noqa: ARG001
    match = re.fullmatch(r"([0-9]{1,4})([hd])", value)
    if match is None:
        raise click.BadParameter("write hours or days, such as 12h or 2d")
    lifetime = timedelta(hours=int(match[1]) * (24 if match[2] == "d" else 1))
    if not SHORTEST <= lifetime <= LONGEST:
        raise click.BadParameter("an arming is good for 1h at the least and 7d at the most")
    return lifetime


def _complete_doomed(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ventoy_kit.app.reimage import completions

    file, node = Path(ctx.params.get("fleet") or DEFAULT_FLEET), str(ctx.params.get("node") or "")
    losses, pools = completions(file, node, Host())
    names = pools if param.name == "destroy" else losses
    return [CompletionItem(n) for n in names if n.startswith(incomplete)]


@command("reimage")
@fleet_option
@click.argument("node", shell_complete=_complete_nodes)
@click.argument("target", required=False, type=click.Path(readable=False))
@click.option(
    "--lose",
    metavar="NAME",
    multiple=True,
    shell_complete=_complete_doomed,
    help="A guest or service that may die with the disks; once for each.",
)
@click.option(
    "--destroy-pool",
    "destroy",
    metavar="NAME",
    multiple=True,
    shell_complete=_complete_doomed,
    help="A pool of data disks that this one installation may destroy and make anew; once for each.",
)
@click.option(
    "--expires",
    "lifetime",
    metavar="TIME",
    default="24h",
    show_default=True,
    callback=_lifetime,
    help="How long the stick stays armed: 1h to 7d.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Show everything, write nothing.")
@click.option(
    "--yes", "-y", metavar="NODE", shell_complete=_complete_nodes, help="The node's name, typed beforehand."
)
def reimage(
    *,
    fleet: Path,
    node: str,
    target: str | None,
    lose: tuple[str, ...],
    destroy: tuple[str, ...],
    lifetime: timedelta,
    dry_run: bool,
    yes: str | None,
    host: Host,
    console: Console,
) -> Outcome:
    """Arm TARGET for NODE: started from it, that machine installs with no key pressed, once, and no other does.

    TARGET must hold what was built; without it, the one Ventoy stick that is plugged in.
    """
    from ventoy_kit.app.reimage import ArmOptions
    from ventoy_kit.app.reimage import reimage as use_case

    def announced(blocks: tuple[Block, ...], question: str) -> str | None:
        console.announce(blocks, question)
        return yes

    ask = console.ask_name if yes is None else announced
    return use_case(fleet, node, target, host, options=ArmOptions(lifetime, lose, destroy, dry_run), ask=ask)


@command("disarm")
@click.argument("target", required=False, type=click.Path(readable=False))
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done, write nothing.")
def disarm(target: str | None, dry_run: bool, host: Host, console: Console) -> Outcome:  # noqa: ARG001, FBT001 - click's names
    """Make an armed TARGET a toolbox again: your own settings of Ventoy are back, and nothing starts by itself.

    Without TARGET, the one Ventoy stick that is plugged in. It needs no fleet file, and does nothing a second time.
    """
    from ventoy_kit.app.disarm import disarm as use_case

    return use_case(target, host, dry_run=dry_run)
