"""The command line: parse, call the use case, show what it returned. Loads a command only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from ventoy_kit import __version__

# Short helps stand here so that `--help` loads no command.
COMMANDS = {
    "adopt": "Add recorded machines to the fleet file.",
    "answer": "Print, check and simulate answer files.",
    "bios": "Show, check and export firmware settings.",
    "blueprint": "Draw the fleet: nodes, services, fault domains, quorum.",
    "build": "Render answers, tickets, boot overlay and menus into build/.",
    "check": "Check the fleet file, its images and data folders.",
    "checklist": "Print what to compare, set and press at each machine.",
    "cluster": "Bring the Proxmox VE cluster to what the fleet file says.",
    "demo": "Do the main job on a built-in example, without root or stick.",
    "disarm": "Make an armed stick a toolbox again.",
    "doctor": "Say which programs and rights are missing, and what for.",
    "fetch": "Bring the fleet's images into the cache, verified, and lock them.",
    "hardware": "Record and show what machines are made of.",
    "hooks": "List and show hooks, and verify them on live nodes.",
    "image": "List, verify and look into images.",
    "init": "Write a commented fleet file to begin with.",
    "rehearse": "Install nodes in virtual twins, before anybody walks to the rack.",
    "reimage": "Arm a stick: one node installs with no key pressed, once.",
    "schema": "Print the JSON schema of the fleet file.",
    "stage": "Write what was built onto a stick, an image file or a folder.",
    "status": "List disks, or say what of the build is on a target.",
    "unstage": "Take what was staged off a target, and give ventoy.json back.",
    "what-if": "Say what stops and what stays when nodes are down.",
}

MODULES = {
    "adopt": "hardware_commands",
    "answer": "answer_commands",
    "bios": "bios_commands",
    "blueprint": "sheet_commands",
    "checklist": "sheet_commands",
    "cluster": "cluster_commands",
    "disarm": "arm_commands",
    "hardware": "hardware_commands",
    "hooks": "hooks_commands",
    "rehearse": "rehearse_commands",
    "reimage": "arm_commands",
    "unstage": "stick_commands",
    "what-if": "plan_commands",
}
"""Where a command stands, if not in `commands`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's function."""
        if cmd_name not in COMMANDS:
            return None
        commands = importlib.import_module(f"ventoy_kit.cli.{MODULES.get(cmd_name, 'commands')}")
        command: click.Command = getattr(commands, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what was probably meant when a command does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"{error.message.rstrip('.')}.{hint}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 findings or refused, 2 wrong usage, 3 the machine failed.",
)
@click.version_option(__version__, prog_name="ventoy-kit")
def cli() -> None:
    """One fleet file in, one Ventoy stick out: any node can be re-imaged unattended.

    Begin with `ventoy-kit init`, then `check`, `build`, `stage`.
    """


def run(args: Sequence[str]) -> int:
    """Run the command line and return the exit code (design: 0 done, 1 findings, 2 usage, 3 machine failed)."""
    try:
        result = cli.main(args=list(args), prog_name="ventoy-kit", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("\ninterrupted; nothing that looks finished was left half-written", err=True)
        return 3
    except BrokenPipeError:  # the reader went away, for instance `| head`
        sys.stderr.close()
        return 0
    except Exception:  # noqa: BLE001 - whatever it is, it must not look like a finding or like success
        import traceback

        traceback.print_exc()
        click.echo(
            "this is a mistake in ventoy-kit, not in your files; please report it with the lines above",
            err=True,
        )
        return 3
    return result if isinstance(result, int) else 0
