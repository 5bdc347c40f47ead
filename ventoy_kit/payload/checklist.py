"""The checklist of a node: what a person at the rack compares, sets and presses, as text and as Markdown. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ventoy_kit.fleet.values import format_size
from ventoy_kit.hardware.profiles import UNCONFIRMED
from ventoy_kit.payload.ticket import AUTO
from ventoy_kit.plan.inputs import Library
from ventoy_kit.plan.model import DiskPlan, NodePlan, Plan

WIDTH = 78


@dataclass(frozen=True, slots=True)
class Item:
    """One line: a thing to tick, or a fact to read."""

    text: str
    tick: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its items, and a remark above them."""

    title: str
    items: tuple[Item, ...]
    remark: str = ""


def render_checklist(plan: Plan, node: NodePlan, library: Library) -> Mapping[Literal["txt", "md"], bytes]:
    """The checklist in both forms, by file ending."""
    sections = tuple(checklist_sections(plan, node, library))
    title = f"Checklist for {node.name} - {node.title}"
    return {"txt": _as_text(title, sections).encode(), "md": _as_markdown(title, sections).encode()}


def render_armed_checklist(plan: Plan, node: NodePlan, library: Library) -> bytes:
    """The checklist of a node whose stick is armed for it, as text: `reimage` prints it."""
    title = f"Checklist for {node.name} - {node.title}, with an armed stick"
    return _as_text(title, tuple(checklist_sections(plan, node, library, armed=True))).encode()


def checklist_sections(
    plan: Plan, node: NodePlan, library: Library, *, armed: bool = False
) -> Iterator[Section]:
    """The content, independent of form."""
    yield _identity(plan, node, library)
    doomed = tuple(_disk(d) for d in node.disks_for("system"))
    yield Section(
        "Disks that will be WIPED",
        tuple(Item(d) for d in doomed),
        "Everything on these disks is lost. The machine refuses if one of them is missing or appears twice.",
    )
    kept = [f"{_disk(d)} ({'data' if d.use == 'data' else 'keep'})" for d in node.disks if d.use != "system"]
    yield Section(
        "Disks that stay",
        tuple(Item(k) for k in kept)
        or (Item("None is declared. Any other disk in the machine is not touched.", tick=False),),
    )
    yield _network(node)
    yield from _firmware(node, library)
    yield _armed_steps(node, library) if armed else _steps(plan, node, library)
    yield _refusals(library)


def _identity(plan: Plan, node: NodePlan, library: Library) -> Section:
    items = []
    if node.identity.serial:
        items.append(Item(f"Serial number (service tag) on the label: {node.identity.serial}"))
    if node.identity.uuid:
        items.append(Item(f"UUID in the firmware's system page: {node.identity.uuid}"))
    items += [Item(f"MAC address: {mac}") for mac in node.identity.macs]
    profile = library.profiles.get(node.model)
    facts = [Item(f"Model: {profile.title if profile else node.model}", tick=False)]
    if node.role:
        facts.append(Item(f"Role: {node.role}", tick=False))
    facts.append(Item(f"Fleet: {plan.title} ({plan.fleet})", tick=False))
    return Section(
        "The machine", (*items, *facts), "Compare with the label on the case before anything else."
    )


def _disk(disk: DiskPlan) -> str:
    ids = [f"serial {disk.serial}" if disk.serial else "", f"WWN {disk.wwn}" if disk.wwn else ""]
    size = format_size(disk.size) if disk.size else ""
    return ", ".join(part for part in (disk.name, *ids, disk.model or "", size) if part)


def _network(node: NodePlan) -> Section:
    address = node.address
    return Section(
        "Network",
        (
            Item(f"Cable in {address.nic} ({address.mac})"),
            Item(f"Name: {node.fqdn}", tick=False),
            Item(f"Address: {address.cidr}, gateway {address.gateway or 'none'}", tick=False),
            Item(f"Name servers: {', '.join(address.dns) or 'none'}", tick=False),
        ),
    )


def _firmware(node: NodePlan, library: Library) -> Iterator[Section]:
    profile = library.profiles.get(node.model)
    if profile is None:
        return
    items = []
    for setting in profile.settings:
        doubt = "" if setting.confirmed else " [menu path unconfirmed]"
        weight = "" if setting.severity == "required" else " (advised)"
        items.append(Item(f"{setting.where}: {setting.want}{weight}{doubt}"))
    keys = ""
    if profile.keys:
        doubt = " [key unconfirmed]" if profile.keys.source == UNCONFIRMED else ""
        keys = f"Setup: {profile.keys.setup} at power-on.{doubt}"
    yield Section("Firmware settings", tuple(items), keys)
    if profile.notes:
        yield Section("About this model", tuple(Item(n, tick=False) for n in profile.notes))


def _steps(plan: Plan, node: NodePlan, library: Library) -> Section:
    profile = library.profiles.get(node.model)
    boot_key = profile.keys.boot_menu if profile and profile.keys else "the boot menu key"
    image = plan.image(node.image)
    alias = f"{image.title} - {plan.title}"
    steps = [
        "Back up what must survive. Make sure that no other machine needs this node now.",
        f"Plug in the stick, switch on, press {boot_key}, choose the stick's UEFI entry.",
        f"Ventoy's menu: choose `{alias}`, then `Boot in normal mode`.",
        f"Template menu: choose the line that ends in `/{AUTO}` or in `/{node.name}`; the first line is by hand.",
    ]
    if image.facts.family == "proxmox":
        steps.append("Installer's menu: choose the entry `Automated`. The others install by hand.")
    else:
        steps.append("Installer's menu: choose `Install`.")
    steps += [
        "The screen shows the node and every disk that will be wiped. Compare it with this sheet.",
        f"Type `{node.name}` and Enter. Anything else stops without touching a disk.",
        *_end(node),
    ]
    warning = "The image is a stand-in, which cannot boot: build with the vendor's ISO before you go to the machine."
    return Section("At the machine", _numbered(steps), warning if image.facts.stand_in else "")


def _armed_steps(node: NodePlan, library: Library) -> Section:
    profile = library.profiles.get(node.model)
    boot_key = profile.keys.boot_menu if profile and profile.keys else "the boot menu key"
    steps = [
        "Back up what must survive. Make sure that no other machine needs this node now.",
        f"Plug in the stick, switch on, press {boot_key}, choose the stick's UEFI entry.",
        f"Press nothing more. Ventoy's menu shows one line, for {node.name}; three menus count down and go on.",
        "The screen shows the node, every disk that will be wiped, and a code. Compare them with this sheet.",
        "The code is the one that `ventoy-kit reimage` printed.",
        "If anything differs, switch the machine off before the countdown ends: no disk was touched yet.",
        *_end(node),
        "The stick installs nothing more until it is armed again. `ventoy-kit disarm` makes it a toolbox.",
    ]
    remark = "It needs no key and nobody who watches. A machine that is not this node is refused."
    return Section("At the machine", _numbered(steps), remark)


def _end(node: NodePlan) -> tuple[str, ...]:
    """The last steps of an installation."""
    wait = (
        ("Wait. The machine restarts by itself.", "Remove the stick, so that the machine boots its disk.")
        if node.install.reboot_mode == "reboot"
        else ("Wait. The machine switches itself off.", "Remove the stick, then switch the machine on.")
    )
    return (*wait, f"Success: `ssh root@{node.address.ip}` greets you as {node.fqdn}.")


def _numbered(steps: list[str]) -> tuple[Item, ...]:
    return tuple(Item(f"{n}. {s}") for n, s in enumerate(steps, start=1))


def _refusals(library: Library) -> Section:
    items = []
    for line in library.boot.get("codes.tsv", "").splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[0].startswith("VK-"):
            items.append(Item(f"{parts[0]}: {parts[1]} {parts[2]}", tick=False))
    return Section(
        "If the screen stops with a code", tuple(items), "No disk was touched when a code is shown."
    )


def _as_text(title: str, sections: tuple[Section, ...]) -> str:
    lines = [title, "=" * len(title), ""]
    for section in sections:
        lines += [section.title, "-" * len(section.title)]
        lines += [*_wrap(section.remark, "", ""), ""] if section.remark else []
        for item in section.items:
            lines += _wrap(item.text, "[ ] " if item.tick else "  - ", "    ")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


@functools.lru_cache(1024)
def _wrap(text: str, first: str, rest: str) -> tuple[str, ...]:
    """Remembered, since most of what the checklists of a fleet say is the same for every node."""
    import textwrap

    return tuple(
        textwrap.wrap(
            text,
            WIDTH,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def _as_markdown(title: str, sections: tuple[Section, ...]) -> str:
    lines = [f"# {title}", ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        lines += [section.remark, ""] if section.remark else []
        lines += [f"- [ ] {i.text}" if i.tick else f"- {i.text}" for i in section.items]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
