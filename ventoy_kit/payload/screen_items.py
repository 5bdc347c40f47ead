"""The part of a checklist that is about the screen: step by step, how long, success, the way out, refusals. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.payload.ticket import AUTO
from ventoy_kit.plan.inputs import Library
from ventoy_kit.plan.model import NodePlan, Plan
from ventoy_kit.sheets.model import Item, Mark, Section

SLOW_PORT = 30_000_000
"""Bytes per second that a stick in a USB 2.0 port gives, roughly: the slowest that is met."""

CODES_TITLE = "If the screen stops with a code"


@dataclass(frozen=True, slots=True)
class ArmingNote:
    """An arming as a sheet names it.

    Attributes:
        code: the code that the countdown shows.
        until: when it expires, in words.
        destroys: the pools that it lets be destroyed.
    """

    code: str
    until: str
    destroys: tuple[str, ...] = ()


def steps(plan: Plan, node: NodePlan, library: Library) -> Section:
    """What is done and seen at the machine with a stick in the toolbox state."""
    image = plan.image(node.image)
    alias = f"{image.title} - {plan.title}"
    automated = "Automated" if image.facts.family == "proxmox" else "Install"
    done = [
        _start(node, library),
        f"Ventoy's menu lists the images and waits: choose `{alias}`, then `Boot in normal mode`.",
        f"Template menu: choose the line that ends in `/{AUTO}` or in `/{node.name}`; the first line is by hand.",
        f"Installer's menu: choose the entry `{automated}`. The others install by hand.",
        "The screen shows the node, every disk that will be wiped, and every disk that stays. Compare with this sheet.",
        f"The screen asks for the node's name: type `{node.name}` and Enter. Anything else stops without touching a disk.",
        *_end(node),
    ]
    warning = "The image is a stand-in, which cannot boot: build with the vendor's ISO before you go to the machine."
    return _steps("At the machine", done, warning if image.facts.stand_in else "")


def armed_steps(node: NodePlan, library: Library, arming: ArmingNote | None) -> Section:
    """The same with a stick that is armed for the node."""
    if arming is None:
        code = "The code is the one that `ventoy-kit reimage` printed: _ _ _ _"
    else:
        code = f"The code is {arming.code}, of the arming that is good {arming.until}."
    done = [
        _start(node, library),
        f"Press nothing more. Ventoy's menu shows one line, for {node.name}; three menus count down and go on.",
        "The screen shows the node, every disk that will be wiped, and a code. Compare them with this sheet.",
        code,
        "If anything differs, switch the machine off before the countdown ends: no disk was touched yet.",
        *_end(node, armed=True),
        "The stick installs nothing more until it is armed again. `ventoy-kit disarm` makes it a toolbox.",
    ]
    remark = "It needs no key and nobody who watches. A machine that is not this node is refused."
    return _steps("At the machine, with an armed stick", done, remark)


def _steps(title: str, texts: list[str], remark: str) -> Section:
    return Section(title, tuple(Item(text) for text in texts), remark, steps=True)


def _start(node: NodePlan, library: Library) -> str:
    profile = library.profiles.get(node.model)
    key = profile.keys.boot_menu if profile and profile.keys else "the boot menu key"
    return f"Plug in the stick, switch on, press {key}, choose the stick's UEFI entry."


def _end(node: NodePlan, *, armed: bool = False) -> tuple[str, ...]:
    """The last steps of an installation."""
    if node.install.reboot_mode == "reboot":
        unplug = "Remove the stick, so that the machine boots its disk."
        if armed:  # boot_overlay/arming.sh leads to the installed system once for each arming
            unplug = (
                "Unplug the stick after the first restart. Where USB is first in the boot order, the stick leads on to "
                "the installed system once; at the next restart it switches the machine off."
            )
        return ("Wait. The machine restarts by itself.", unplug)
    return "Wait. The machine switches itself off.", "Remove the stick, then switch the machine on."


def duration(plan: Plan, node: NodePlan) -> Section:
    """How long it takes: what can be computed, and a line to write down what it took."""
    size = plan.image(node.image).facts.size
    seconds = size / SLOW_PORT
    reading = (
        f"{round(seconds / 60)} minutes" if seconds >= 90 else "a minute" if seconds >= 40 else "seconds"
    )
    hooks = len(node.hooks)
    after = f", and after the restart {hooks} hook{'s' if hooks != 1 else ''}" if hooks else ""
    return Section(
        "How long it takes",
        (
            Item(
                f"Reading all of the image ({format_size(size)}) takes {reading} in a USB 2.0 port. The rest is the "
                f"installer's work{after}; nobody has measured it on this machine, so plan for half an hour.",
                Mark.FACT,
            ),
            Item("Write down for the next time: name typed at ____:____, login possible at ____:____"),
        ),
    )


def success(node: NodePlan) -> Section:
    """How to tell that it worked."""
    # Without a key and a password root cannot log in; then a user with `sudo` can.
    account = "root" if node.root_hash or node.ssh_keys or not node.users else node.users[0].name
    items = [Item(f"`ssh {account}@{node.address.ip or node.fqdn}` greets you as {node.fqdn}.")]
    if node.hooks:
        names = ", ".join(hook.spec.name for hook in node.hooks)
        items.append(
            Item(f"The greeting says that the hooks are done ({names}). Their logs: `/var/log/ventoy-kit`")
        )
    if node.disks_for("data") or node.disks_for("keep"):
        items.append(
            Item("The disks that stay are there, with what was on them: `lsblk -o NAME,SERIAL,FSTYPE,SIZE`")
        )
    return Section("Success", tuple(items))


def way_out(*, armed: bool) -> Section:
    """How to stop, and until when."""
    if armed:
        until = "Until the countdown ends: switch the machine off, or pull the stick. Nothing was wiped."
    else:
        until = "Until the name is typed: switch the machine off, or type anything else. Nothing was wiped."
    return Section(
        "How to stop",
        (
            Item(until, Mark.FACT),
            Item(
                "After that the installer writes: the old system is gone, and only installing to the end helps.",
                Mark.FACT,
            ),
        ),
    )


def refusals(library: Library) -> Section:
    """What each code that the boot overlay can show means, and what to do."""
    return _refusals(library.boot.get("codes.tsv", ""))


@lru_cache(4)
def _refusals(codes: str) -> Section:
    """Remembered, since every sheet of a fleet ends with it."""
    items = []
    for line in codes.splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[0].startswith("VK-"):
            items.append(Item(f"{parts[0]}: {parts[1]} {parts[2]}", Mark.FACT))
    return Section(CODES_TITLE, tuple(items), "No disk was touched when a code is shown.")
