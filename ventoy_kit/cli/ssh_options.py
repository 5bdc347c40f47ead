"""How a command that looks at a machine reaches it: `--ssh` and `--sudo`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def _destination(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    if value is not None and (not value or value.startswith("-") or any(c.isspace() for c in value)):
        raise click.BadParameter("write USER@HOST or HOST, as ssh takes it")
    return value


def over_ssh(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--ssh` and `--sudo`."""
    sudo = click.option(
        "--sudo", is_flag=True, help="Become root with `sudo -n`, which asks for no password."
    )
    ssh = click.option(
        "--ssh",
        metavar="USER@HOST",
        callback=_destination,
        help="Look at it over SSH here instead of root at the node's address; for one NODE.",
    )
    return ssh(sudo(function))
