"""Commands that work on a stick that was staged."""

from __future__ import annotations

from pathlib import Path

import click

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import command, fleet_option
from ventoy_kit.cli.console import Console


def _fleet_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    from pydantic import TypeAdapter, ValidationError

    from ventoy_kit.fleet.values import FleetName

    try:
        return None if value is None else TypeAdapter[str](FleetName).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter("this is no name of a fleet") from error


@command("unstage")
@fleet_option
@click.argument("target", required=False, type=click.Path(readable=False))
@click.option(
    "--name",
    metavar="FLEET",
    callback=_fleet_name,
    help="The fleet to take off, instead of the one in the fleet file.",
)
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before changing anything.")
def unstage(
    *,
    fleet: Path,
    target: str | None,
    name: str | None,
    dry_run: bool,
    yes: bool,
    host: Host,
    console: Console,
) -> Outcome:
    """Take what was staged off TARGET, and give the user's own ventoy.json back.

    Without TARGET, from the one Ventoy stick that is plugged in. Files of yours stay, an ISO that was adopted too.
    """
    from ventoy_kit.app.unstage import unstage as use_case

    return use_case(fleet, target, host, console.announce if yes else console.ask, name=name, dry_run=dry_run)
