"""The command that rehearses nodes in virtual twins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.commands import _complete_nodes, command, fleet_option
from ventoy_kit.cli.console import Console

ACTS = ("stranger", "auto", "install", "again", "installed")


@command("rehearse")
@fleet_option
@click.argument("nodes", nargs=-1, shell_complete=_complete_nodes)
@click.option("--all", "everyone", is_flag=True, help="Every node of the fleet.")
@click.option(
    "--stick",
    type=click.Path(path_type=Path, readable=False),
    metavar="IMAGE|DEVICE",
    help="Start from this stick; it is opened for reading, and what is written to it is thrown away.",
)
@click.option(
    "--only", type=click.Choice(ACTS), multiple=True, help="Play this act alone; may be given several times."
)
@click.option("--until", metavar="STAGE", help="The installation is over when it came to this stage.")
@click.option("--timeout", type=click.IntRange(1, 1440), metavar="MINUTES", help="For one act.")
@click.option(
    "--report",
    "output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write text, JSON, HTML, consoles and screens into FOLDER/NODE.",
)
@click.option("--mirror", metavar="URL", help="Lead this mirror into the twin's network; nothing else is.")
@click.option(
    "--kernel",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="For a stand-in: an unpacked kernel package, or `/`.",
)
@click.option(
    "--append", "words", metavar="WORD", multiple=True, help="One more word for the installer's kernel."
)
@click.option("--tpm", is_flag=True, help="Give the twin a TPM 2.0.")
@click.option(
    "--firmware", type=click.Choice(["uefi", "bios"]), default="uefi", show_default=True, help="Of the twin."
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=None, help="Nodes at a time; what fits by default."
)
def rehearse(
    *,
    fleet: Path,
    nodes: tuple[str, ...],
    everyone: bool,
    stick: Path | None,
    only: tuple[str, ...],
    until: str | None,
    timeout: int | None,
    output: Path | None,
    mirror: str | None,
    kernel: Path | None,
    words: tuple[str, ...],
    tpm: bool,
    firmware: str,
    jobs: int | None,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Install NODES in virtual twins from what was built, and say how it went. Touches no disk of this machine.

    Each twin is played five times: as another machine, with the ticket `auto`, armed, armed once more, and from its own
    disk.
    """
    from ventoy_kit.app.rehearse import rehearse as use_case
    from ventoy_kit.app.rehearse_options import RehearseOptions

    if everyone == bool(nodes):
        raise click.UsageError("name NODES, or --all")
    if stick is not None and (only or kernel or words or mirror):
        raise click.UsageError(
            "a stick starts as it is, so --only, --kernel, --append and --mirror do not go with --stick"
        )
    if only and "install" not in only and (until or {"again", "installed"} & set(only)):
        raise click.UsageError(
            "--until, `again` and `installed` are about an installation: add --only install"
        )
    options = RehearseOptions(
        stick=stick,
        kernel=kernel,
        only=cast("Any", only),
        until=until,
        timeout=None if timeout is None else timeout * 60.0,
        output=output,
        mirror=mirror,
        tpm=tpm,
        firmware="bios" if firmware == "bios" else "uefi",
        words=words,
        jobs=jobs or 0,
    )
    return use_case(fleet, nodes, options, host)
