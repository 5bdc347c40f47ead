"""Write the generated pages of docs/reference from the code, or check that they are up to date.

`python scripts/make_docs.py` writes; with `--check` it exits 1, names the pages that are stale, and shows why.
"""

from __future__ import annotations

import difflib
import functools
import posixpath
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from ventoy_kit.app.hooks import type_of
from ventoy_kit.app.rulebook import RULES
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.cli import COMMANDS, cli
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.hooks import HookSpec, ParamSpec, parse_hook
from ventoy_kit.hardware.profiles import BiosProfile, Setting, parse_profiles
from ventoy_kit.report import Rule
from ventoy_kit.sheets.cards import drawing_of
from ventoy_kit.sheets.svg import as_svg

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fleet_page import fleet_page
from page_parts import NOTICE, cell, shown

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"

RULE_GROUPS = {
    "Y": "The fleet file as YAML",
    "S": "The fleet file's keys and values",
    "R": "Names that refer to something",
    "N": "Networks and addresses",
    "M": "Which machine is it",
    "D": "Disks",
    "A": "Installation",
    "C": "Cluster",
    "O": "Bringing a cluster together",
    "F": "Fault domains, capacity, quorum",
    "H": "Hooks",
    "P": "BIOS profiles",
    "L": "A machine's firmware",
    "Q": "Recorded hardware",
    "E": "Answer files and their simulation",
    "X": "Secrets",
    "I": "Images",
    "J": "Catalog, fetching and trust",
    "G": "Files around the fleet file",
    "W": "Rendered answers",
    "T": "Targets: sticks, image files, folders",
    "V": "Ventoy's own configuration",
    "Z": "Staging",
    "K": "Arming",
    "U": "Commands",
}


def rules_page() -> str:
    lines = [
        NOTICE,
        "# Rules",
        "",
        "Every finding of `ventoy-kit` names one of these rules. `ventoy-kit check --explain CODE` prints the same text.",
        "An error stops the command before it changes anything; a warning and a note do not.",
        "Refusals at the machine have codes of their own: [boot-codes.md](boot-codes.md).",
        "",
    ]
    groups: dict[str, list[Rule]] = {}
    for rule in RULES.values():
        groups.setdefault(rule.code[3], []).append(rule)
    unknown = sorted(set(groups) - set(RULE_GROUPS))
    if unknown:
        sys.exit(f"give the rules of {', '.join(unknown)} a heading in RULE_GROUPS of scripts/make_docs.py")
    for letter, title in RULE_GROUPS.items():
        lines += [f"## {title}", ""]
        for rule in groups.get(letter, []):
            head = rule.title[0].upper() + rule.title[1:]
            lines += [f"### {rule.code}", "", f"**{head}.** ({rule.severity})", "", rule.explain, ""]
    return "\n".join(lines)


def boot_codes_page() -> str:
    lines = [
        NOTICE,
        "# Boot codes",
        "",
        "What the screen of a machine says when ventoy-kit refuses to hand anything to the installer. No disk was touched",
        "when one of these codes is shown. The same sentences are printed at the end of every checklist.",
        "",
        "The screen adds what it saw: the machine's serial number, UUID and network addresses for `VK-B1x`, every disk with",
        "serial number and size for `VK-B2x`. Copy the right value from the screen into the fleet file, build and stage again.",
        "",
    ]
    for line in (ROOT / "boot_overlay" / "codes.tsv").read_text().splitlines():
        code, what, remedy = line.split("\t")
        lines += [f"## {code}", "", what, "", f"**What to do:** {remedy}", ""]
    return "\n".join(lines)


def hooks_page() -> str:
    lines = [
        NOTICE,
        "# Hooks that come with the kit",
        "",
        "A hook runs on the node after its first boot. How to write one: [a tutorial](../write-a-hook.md), and",
        "[hooks/README.md](../../hooks/README.md) with everything that a hook may say and use. `ventoy-kit hooks list` shows",
        "these and your own in the order in which they run, `ventoy-kit hooks verify` asks nodes whether they still are as",
        "their hooks made them.",
        "",
        "| hook | phase | what it does |",
        "|---|---|---|",
    ]
    specs = sorted(shipped_hooks(), key=lambda spec: (spec.order, spec.name))
    lines += [f"| [{s.name}](hooks/{s.name}.md) | {s.phase} | {cell(s.summary)} |" for s in specs]
    return "\n".join(lines)


def hook_page(spec: HookSpec) -> str:
    lines = [NOTICE, f"# {spec.name}", "", f"{spec.summary}.", "", spec.description.strip(), ""]
    systems = ", ".join(f"{name} {' and '.join(majors)}" for name, majors in sorted(spec.systems.items()))
    facts = {
        "Systems": systems,
        "Phase": f"{spec.phase} ({spec.order})",
        "After": ", ".join(spec.after),
        "Requires": ", ".join(spec.requires),
        "Reads of the fleet file": ", ".join(f"`{table}`" for table in spec.facts),
        "Needs a reboot after a change": "yes" if spec.needs_reboot else "no",
        "Needs the network": "yes" if spec.needs_network else "no",
        "Destructive": "yes, so it is tried on one boot only" if spec.destructive else "",
        "Time limit": f"{spec.timeout} s",
        "Verified": spec.verifies,
        "More": f"[README](../../../hooks/{spec.name}/README.md)",
    }
    lines += [f"- {title}: {text.rstrip('.')}." for title, text in facts.items() if text]
    lines += ["", "## Parameters", ""]
    if not spec.parameters:
        return "\n".join([*lines, "It has none."])
    lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *(parameter_row(name, param) for name, param in spec.parameters.items())])


def shipped_hooks() -> Iterator[HookSpec]:
    for folder in sorted((ROOT / "hooks").iterdir()):
        if folder.is_dir() and not folder.name.startswith("_"):
            spec, report = parse_hook(folder.name, {f.name: f.read_text() for f in folder.iterdir()})
            if spec is None:
                sys.exit(f"hooks/{folder.name}: {[f.message for f in report]}")
            yield spec


def parameter_row(name: str, param: ParamSpec) -> str:
    kind = " or ".join(f"`{c}`" for c in param.choices) if param.choices else type_of(param)
    default = "required" if param.required else shown(param.default)
    return f"| `{name}` | {kind} | {default} | {cell(param.description)} |"


def bios_page() -> str:
    lines = [
        NOTICE,
        "# BIOS profiles that come with the kit",
        "",
        "Which firmware settings a machine must have, where its setup menu has them, and how Linux and the maker's tools",
        "see them. `ventoy-kit bios show NAME` prints the same, and [how to use them](../how-to.md#check-a-machines-firmware)",
        "is told elsewhere. *Unconfirmed* is what nobody has read on that model's screen or in its manual.",
        "",
    ]
    for name, profile in shipped_profiles().items():
        parents = ", ".join(f"[{p}](#{p})" for p in profile.lineage[:-1])
        lines += [f"## {name}", "", f"{profile.title}." + (f" Builds on: {parents}." if parents else ""), ""]
        if profile.keys:
            doubt = f" ({cell(profile.keys.source)})"
            lines += [
                f"Keys: {profile.keys.setup} for setup, {profile.keys.boot_menu} to boot once{doubt}.",
                "",
            ]
        lines += [
            "| setting | in the menu | set to | weight | seen by | menu read in |",
            "|---|---|---|---|---|---|",
        ]
        lines += [setting_row(setting) for setting in profile.settings]
        lines += ["", *(f"- {note}" for note in profile.notes), ""]
    lines += [
        "## Names for Linux and for tools",
        "",
        "| setting | driver | name | right values | read in |",
        "|---|---|---|---|---|",
    ]
    rows = {
        f"| {s.id} | `{a.driver}` | {a.name} | {' or '.join(a.accept)} | {cell(a.source)} |"
        for profile in shipped_profiles().values()
        for s in profile.settings
        for a in s.attributes
    }
    return "\n".join([*lines, *sorted(rows)])


def setting_row(setting: Setting) -> str:
    where = cell(setting.where) if setting.menu else "unconfirmed"
    seen = (
        ", ".join((*sorted({f"`{a.driver}`" for a in setting.attributes}), *setting.probes))
        or "the screen alone"
    )
    source = cell(setting.source) if setting.menu else "-"
    cells = (setting.title, where, cell(setting.want), setting.severity, seen, source)
    return "| " + " | ".join(cells) + " |"


def shipped_profiles() -> Mapping[str, BiosProfile]:
    files = sorted((ROOT / "bios_profiles").glob("*.yaml"))
    profiles, report = parse_profiles({f.stem: (f.name, f.read_text()) for f in files})
    if report.has_errors:
        sys.exit(f"bios_profiles: {[f.message for f in report]}")
    return profiles


def cli_page() -> str:
    lines = [
        NOTICE,
        "# Commands",
        "",
        "Exit codes: 0 done, 1 findings or refused, 2 wrong usage, 3 the machine failed. Data goes to stdout, talk to stderr.",
        "`NO_COLOR` is honoured. `--json` prints one document: [json.md](json.md).",
        "",
        "| command | |",
        "|---|---|",
        *(f"| [`{name}`](#ventoy-kit-{name}) | {cell(short)} |" for name, short in sorted(COMMANDS.items())),
        "",
    ]
    context = click.Context(cli, info_name="ventoy-kit")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is None:
            sys.exit(f"the command {name} is listed and does not exist")
        lines += command_part(command, f"ventoy-kit {name}", context)
    return "\n".join(lines)


def command_part(command: click.Command, path: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield from (f"## {path}", "", " ".join((command.help or "").split()), "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from command_part(command.commands[name], f"{path} {name}", context)
        return
    yield from ("```text", f"{path} {pieces}", "```", "", "| option | meaning |", "|---|---|")
    for param in command.params:
        if isinstance(param, click.Option):
            yield f"| {option_names(param)} | {cell(option_text(param))} |"
    yield from ("| `-h`, `--help` | Show the command's help. |", "")


def option_names(option: click.Option) -> str:
    value = ""
    if not option.is_flag:
        choices = option.type.choices if isinstance(option.type, click.Choice) else None
        value = " " + ("\\|".join(map(str, choices)) if choices else option.metavar or "PATH")
    return ", ".join(f"`{name}`" for name in option.opts) + (f" `{value.strip()}`" if value else "")


def option_text(option: click.Option) -> str:
    text = option.help or ""
    if option.show_default and option.default is not None:
        text += f" Default: `{option.default}`."
    if option.envvar:
        text += f" Also read from the environment variable `{option.envvar}`."
    return text


def blueprint_picture() -> str:
    """The example fleet, as `ventoy-kit blueprint` draws it."""
    data = (ROOT / "examples" / "alliance" / "fleet.yaml").read_bytes()
    fleet, _, report = decode_fleet(data, "fleet.yaml")
    if fleet is None:
        raise SystemExit(str(list(report)))
    titles = {name: profile.title for name, profile in shipped_profiles().items()}
    return as_svg(drawing_of(Blueprint(fleet), titles))


PAGES: dict[str, Callable[[], str]] = {
    "rules.md": rules_page,
    "boot-codes.md": boot_codes_page,
    "fleet-file.md": fleet_page,
    "cli.md": cli_page,
    "hooks.md": hooks_page,
    "bios-profiles.md": bios_page,
    "../images/blueprint.svg": blueprint_picture,
    **{f"hooks/{spec.name}.md": functools.partial(hook_page, spec) for spec in shipped_hooks()},
}


def stale_pages() -> dict[str, str]:
    """Pages that are not what the code would write, with the difference."""
    stale = {}
    for name, make in PAGES.items():
        path = FOLDER / name
        old, new = path.read_text() if path.exists() else "", finished(make)
        if old != new:
            stale[name] = "".join(
                difflib.unified_diff(
                    old.splitlines(keepends=True), new.splitlines(keepends=True), name, "from the code", n=1
                )
            )
    gone = {f"hooks/{file.name}" for file in (FOLDER / "hooks").glob("*.md")} - set(PAGES)
    return stale | dict.fromkeys(gone, "there is no such hook any more: remove the page")


def finished(make: Callable[[], str]) -> str:
    return make().rstrip("\n") + "\n"


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        stale = stale_pages()
        for name, difference in stale.items():
            print(f"{posixpath.normpath(f'docs/reference/{name}')} is stale; run `make docs`\n{difference}")
        return 1 if stale else 0
    if sys.argv[1:]:
        print(__doc__)
        return 2
    for name, make in PAGES.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(finished(make))
        print(posixpath.normpath(f"docs/reference/{name}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
