"""The commands: each parses its options, calls one use case and lets the console show what came back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem

from ventoy_kit.app.host import DEFAULT_FLEET, Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.console import Console, ConsoleProgress
from ventoy_kit.errors import MachineError


def _output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--verbose", "-v", is_flag=True, help="Say what each rule is about."),
        click.option("--quiet", "-q", is_flag=True, help="Print findings and data only."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    ):
        function = option(function)
    return function


def _params(call: Callable[..., Any]) -> list[click.Parameter]:
    """The parameters that click's decorators left on the function, in the order of the source."""
    params: list[click.Parameter] = getattr(_output_options(call), "__click_params__", [])
    return list(reversed(params))


def command(name: str) -> Callable[[Callable[..., Outcome]], click.Command]:
    """A click command around a function that gets a host (and console) and returns an outcome."""

    def decorate(function: Callable[..., Outcome]) -> click.Command:
        @functools.wraps(function)
        def call(as_json: bool, quiet: bool, verbose: bool, **options: Any) -> int:  # noqa: FBT001 - click's names
            console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
            progress = ConsoleProgress(quiet=quiet or as_json)
            host = Host(progress=progress, board=progress, ask_secret=console.ask_secret, tell=progress.tell)
            try:
                return console.show(function(host=host, console=console, **options))
            except MachineError as error:
                return console.machine_error(name, error)

        return click.Command(
            name.rsplit(maxsplit=1)[-1], callback=call, help=function.__doc__, params=_params(call)
        )

    return decorate


fleet_option = click.option(
    "--fleet",
    "-f",
    "fleet",
    type=click.Path(path_type=Path),
    default=DEFAULT_FLEET,
    envvar="VENTOY_KIT_FLEET",
    show_default=True,
    show_envvar=True,
    help="The fleet file.",
)


def _complete_nodes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    from ventoy_kit.app.checklist import node_names

    names = node_names(Path(ctx.params.get("fleet") or DEFAULT_FLEET), Host())
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _complete_images(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    from ventoy_kit.app.images import image_names

    names = image_names(Path(ctx.params.get("fleet") or DEFAULT_FLEET), Host())
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_offline = click.option(
    "--offline", is_flag=True, help="Never touch the network; say what is missing in the cache."
)


def _complete_rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    from ventoy_kit.app.rulebook import RULES

    return [CompletionItem(c, help=r.title) for c, r in RULES.items() if c.startswith(incomplete.upper())]


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:  # noqa: ARG001
    from pydantic_core import PydanticCustomError

    from ventoy_kit.fleet.values import parse_size

    if value is None:
        return None
    short = value + ("iB" if value[-1:] in "KMGT" and value[-1:] else "")
    try:
        return parse_size(short)
    except PydanticCustomError as error:
        raise click.BadParameter("write a size such as 16G, 64 GiB or 32GB") from error


@command("check")
@fleet_option
@click.option("--explain", metavar="CODE", shell_complete=_complete_rules, help="Say what a rule is about.")
@click.option("--online", is_flag=True, help="Ask the vendors for newer releases than those in the lock.")
def check(*, fleet: Path, explain: str | None, online: bool, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Check the fleet file, its images and data folders, and say which disks would be wiped."""
    from ventoy_kit.app import check as use_case

    return use_case.explain(explain) if explain else use_case.check(fleet, host, online=online)


@command("build")
@fleet_option
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, fetch and write nothing.")
@_offline
def build(*, fleet: Path, dry_run: bool, offline: bool, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Fetch images that are missing, and render answers, boot overlay and menus into build/ beside the fleet file."""
    from ventoy_kit.app.build import build as use_case

    return use_case(fleet, host, dry_run=dry_run, offline=offline)


@command("fetch")
@fleet_option
@click.argument("images", nargs=-1, shell_complete=_complete_images)
@click.option(
    "--update",
    metavar="IMAGE",
    multiple=True,
    shell_complete=_complete_images,
    help="Move this image's lock to what its vendor offers now, and show the difference.",
)
@_offline
def fetch(
    *,
    fleet: Path,
    images: tuple[str, ...],
    update: tuple[str, ...],
    offline: bool,
    host: Host,
    console: Console,  # noqa: ARG001
) -> Outcome:
    """Bring IMAGES (all of the fleet by default) into the cache, verify them, and pin them in fleet.lock."""
    from ventoy_kit.app.fetch import fetch as use_case

    if offline and update:
        raise click.UsageError("--update asks the vendor, so it does not go with --offline")
    return use_case(fleet, host, images, update, offline=offline)


@command("stage")
@fleet_option
@click.argument("target", required=False, type=click.Path(readable=False))
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before writing.")
@click.option(
    "--recheck", is_flag=True, help="Read every ISO on the target instead of believing its manifest."
)
@click.option(
    "--let-go",
    metavar="NODE",
    multiple=True,
    shell_complete=_complete_nodes,
    help="Keep nothing of older generations for this node any more.",
)
@click.option(
    "--create", "size", metavar="SIZE", callback=_size, help="Make TARGET a new disk image of this size."
)
@click.option(
    "--style", type=click.Choice(["mbr", "gpt"]), default="mbr", show_default=True, help="For --create."
)
def stage(
    *,
    fleet: Path,
    target: str | None,
    dry_run: bool,
    yes: bool,
    recheck: bool,
    let_go: tuple[str, ...],
    size: int | None,
    style: str,
    host: Host,
    console: Console,
) -> Outcome:
    """Write what was built onto TARGET: a Ventoy stick (/dev/sdX), a disk image file, or a folder.

    Without TARGET, the one Ventoy stick that is plugged in. Of all disks, only a Ventoy stick is ever written to.
    """
    from ventoy_kit.app.stage import StageOptions
    from ventoy_kit.app.stage import stage as use_case

    if size is not None and (target is None or dry_run):
        raise click.UsageError("--create needs a TARGET and writes it, so it does not go with --dry-run")
    create = None if size is None else (size, _style(style))
    confirm = console.announce if yes else console.ask
    return use_case(fleet, target, host, StageOptions(dry_run, recheck, let_go, create), confirm)


def _style(text: str) -> Literal["mbr", "gpt"]:
    return "gpt" if text == "gpt" else "mbr"


@command("status")
@fleet_option
@click.argument("target", required=False, type=click.Path(readable=False))
def status(fleet: Path, target: str | None, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Without TARGET, list every disk with what speaks for and against it; with TARGET, compare it with the build."""
    if target is None:
        from ventoy_kit.app.devices import list_disks

        return list_disks(host)
    from ventoy_kit.app.stage import status as use_case

    return use_case(fleet, target, host)


@command("init")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@click.option(
    "--example",
    type=click.Choice(["starter", "alliance"]),
    default="starter",
    show_default=True,
    help="Which one.",
)
def init(folder: Path, example: str, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Write a commented fleet.yaml and its schema into FOLDER (the current one by default)."""
    from ventoy_kit.app.start import init as use_case

    return use_case(folder, "alliance" if example == "alliance" else "starter", host)


@command("demo")
@click.argument("folder", required=False, default="demo", type=click.Path(path_type=Path))
def demo(folder: Path, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Do the main job on a built-in example in FOLDER, with stand-ins for the ISOs."""
    from ventoy_kit.app.demo import demo as use_case

    return use_case(folder, host)


@command("schema")
def schema(host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Print the JSON schema of the fleet file, for editors."""
    from ventoy_kit.app.info import schema as use_case

    return use_case()


@command("doctor")
def doctor(host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Say which programs and rights are missing, what for, and how to get them."""
    from ventoy_kit.app.doctor import doctor as use_case

    return use_case()


@click.group("image")
def image() -> None:
    """Installer and rescue images."""


@command("image inspect")
@fleet_option
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def _image_inspect(fleet: Path, files: tuple[Path, ...], host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Say what ISO FILES are: product, release, boot methods, signature, and what others have put into them."""
    from ventoy_kit.app.image_inspect import inspect_images

    return inspect_images(files, fleet, host)


@command("image list")
@fleet_option
def _image_list(fleet: Path, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """List the catalog: what proves each image, who signs it, and what of it is locked and in the cache."""
    from ventoy_kit.app.image_list import image_list

    return image_list(fleet, host)


@command("image verify")
@fleet_option
@click.argument("target", required=False, type=click.Path(readable=False))
def _image_verify(fleet: Path, target: str | None, host: Host, console: Console) -> Outcome:  # noqa: ARG001
    """Read the fleet's images again and compare: those in the cache and your own, or those staged on TARGET."""
    from ventoy_kit.app.image_verify import verify_images, verify_target

    return verify_images(fleet, host) if target is None else verify_target(fleet, target, host)


image.add_command(_image_inspect)
image.add_command(_image_list)
image.add_command(_image_verify)
