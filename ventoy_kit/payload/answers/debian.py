"""Answers for the Debian installer: a harmless ticket, and the answers that are set once the machine is proven.

Questions and traps: installation guide of Debian 12 and 13, appendix B; packages preseed, netcfg, partman-auto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ventoy_kit.payload import codes
from ventoy_kit.payload.answers.preseed import (
    PARTITIONS,
    Answer,
    answer_problems,
    read_preseed,
    recipe_problems,
    ticket_problems,
)
from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER
from ventoy_kit.payload.templates import render_template
from ventoy_kit.plan.model import ImagePlan, NodePlan
from ventoy_kit.report import Finding, Place, Report

EARLY_COMMAND = "/ventoy-kit/debian.sh"
LATE_COMMAND = "/ventoy-kit/debian-late.sh"

KEYMAPS = {
    "de-ch": "ch",
    "en-gb": "gb",
    "en-us": "us",
    "fr": "fr(latin9)",
    "fr-be": "be",
    "fr-ca": "ca",
    "fr-ch": "ch(fr)",
    "pt-br": "br",
}
"""Keyboards of the fleet file by the names of Debian's keyboard-configuration, where the two differ."""


def render_ticket(
    ticket: str,
    node: NodePlan | None,
    nodes: tuple[NodePlan, ...],
    image: ImagePlan,
    files: Mapping[str, str],
) -> tuple[bytes | None, Report]:
    """The preseed that the installer loads: names, network, locale, nothing that partitions.

    Args:
        ticket: the ticket line.
        node: the node, or None for the ticket `auto`, which holds what all nodes have in common.
        nodes: all nodes of the image.
        image: the image.
        files: the family's folder.
    """
    values = _values(node or nodes[0], image) | {"ticket": ticket, "named": node is not None}
    return _render(
        "ticket.cfg.j2",
        files,
        values,
        lambda text, answers: ticket_problems(text, answers, ticket, EARLY_COMMAND),
    )


def render_answers(node: NodePlan, image: ImagePlan, files: Mapping[str, str]) -> tuple[bytes | None, Report]:
    """The answers that partition and name accounts; set by the boot hook alone, with the placeholder as the disk."""
    fixed = {
        "partman-auto/method": _method(node),
        "partman-auto/expert_recipe_file": f"/ventoy-kit/nodes/{node.name}/recipe",
        "preseed/late_command": LATE_COMMAND,
    }
    arrays = _arrays(node)
    if arrays:
        fixed["partman-auto-raid/recipe"] = arrays
    return _render(
        "answers.cfg.j2",
        files,
        _values(node, image),
        lambda _text, answers: answer_problems(answers, DISK_PLACEHOLDER, fixed),
    )


def render_recipe(node: NodePlan, image: ImagePlan, files: Mapping[str, str]) -> tuple[bytes | None, Report]:
    """The partman-auto recipe of the node (partman-auto-recipe.txt)."""
    text, report = render_template("debian", "recipe.j2", files, _values(node, image))
    if text is not None:
        report.extend(_unsafe("answer_files/debian/recipe.j2", recipe_problems(text)))
    return (None if text is None or report.has_errors else text.encode()), report


def render_users(node: NodePlan) -> bytes:
    """Accounts besides root for debian-late.sh: `user`, name, sudo or -, hash or *, title; then a line per key."""
    lines = []
    for user in node.users:
        sudo = "sudo" if user.sudo else "-"
        lines.append(f"user\t{user.name}\t{sudo}\t{user.password_hash or '*'}\t{user.title}\n")
        lines += [f"key\t{user.name}\t{key}\n" for key in user.ssh_keys]
    return "".join(lines).encode()


def _mirrored(node: NodePlan) -> bool:
    return node.install.raid is not None


def _method(node: NodePlan) -> str:
    if _mirrored(node):
        return "raid"
    return "lvm" if node.install.layout == "lvm" else "regular"


def _before_arrays(node: NodePlan) -> int:
    """Partitions that are no member of an array: the EFI partition, and the one for GRUB in BIOS mode."""
    return 1 + node.install.bios_boot


def _arrays(node: NodePlan) -> str | None:
    """The arrays of a mirrored node (partman-auto-raid-recipe.txt): type, disks, spares, file system, place, members.

    The members are placeholders, as the names of the partitions follow from the disks.
    """
    if not _mirrored(node):
        return None
    install = node.install
    if install.layout == "lvm":
        places = [("ext4", "/boot"), ("lvm", "-")]
    else:
        places = [] if install.swap is None else [("swap", "-")]
        places.append((install.filesystem, "/"))
    return " ".join(
        f"1 2 0 {kind} {place} {PARTITIONS[number]} ."
        for number, (kind, place) in enumerate(places, start=_before_arrays(node) + 1)
    )


def _packages(node: NodePlan) -> list[str]:
    """What is installed besides the tasks; sudo where an account needs it."""
    sudo = any(user.sudo for user in node.users)
    return [*node.install.packages, *(["sudo"] if sudo and "sudo" not in node.install.packages else [])]


def _values(node: NodePlan, image: ImagePlan) -> dict[str, Any]:
    mirror = urlsplit(node.mirror or "")
    return {
        "node": node,
        "image": image,
        "locale": node.locale,
        "keymap": KEYMAPS.get(node.locale.keyboard, node.locale.keyboard),
        "address": node.address,
        "install": node.install,
        "layout": node.install.layout or "plain",
        "method": _method(node),
        "arrays": _arrays(node),
        "packages": _packages(node),
        "tasks": ("standard", "ssh-server") if node.install.tasks is None else node.install.tasks,
        # Neither empty nor `!`, or the installer would ask; nobody's password has this hash (user-setup).
        "root_hash": node.root_hash or "*",
        "swap_mb": None if node.install.swap is None else node.install.swap // 10**6,
        "mirror": {"protocol": mirror.scheme, "host": mirror.netloc, "directory": mirror.path or "/"},
        "offline": node.mirror is None,
        "disks": DISK_PLACEHOLDER,
        "early_command": EARLY_COMMAND,
        "late_command": LATE_COMMAND,
        "recipe": f"/ventoy-kit/nodes/{node.name}/recipe",
    }


def _render(
    name: str,
    files: Mapping[str, str],
    values: dict[str, Any],
    check: Callable[[str, list[Answer]], list[str]],
) -> tuple[bytes | None, Report]:
    text, report = render_template("debian", name, files, values)
    if text is None:
        return None, report
    where = f"answer_files/debian/{name}"
    answers, found = read_preseed(text, where)
    report.extend(found)
    report.extend(_unsafe(where, check(text, answers)))
    return (None if report.has_errors else text.encode()), report


def _unsafe(where: str, problems: list[str]) -> Iterator[Finding]:
    for problem in problems:
        yield codes.ANSWER_UNSAFE.finding(f"{where}: {problem}", "Correct the template.", place=Place(where))
