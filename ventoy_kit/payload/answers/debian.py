"""Answers for the Debian installer: a harmless ticket, and the answers that are set once the machine is proven.

Questions and traps: installation guide of Debian 12 and 13, appendix B; packages preseed, netcfg, partman-auto.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ventoy_kit.payload import codes
from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER
from ventoy_kit.payload.templates import render_template
from ventoy_kit.plan.model import ImagePlan, NodePlan
from ventoy_kit.report import Place, Report

EARLY_COMMAND = "/ventoy-kit/debian.sh"
LATE_COMMAND = "/ventoy-kit/debian-late.sh"

TYPES = frozenset(
    {"string", "boolean", "select", "multiselect", "note", "password", "text", "title", "error"}
)

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
    return _render("ticket.cfg.j2", files, values, _ticket_problems)


def render_answers(node: NodePlan, image: ImagePlan, files: Mapping[str, str]) -> tuple[bytes | None, Report]:
    """The answers that partition and name accounts; set by the boot hook alone, with the placeholder as the disk."""
    return _render("answers.cfg.j2", files, _values(node, image), _answer_problems)


def render_recipe(node: NodePlan, image: ImagePlan, files: Mapping[str, str]) -> tuple[bytes | None, Report]:
    """The partman-auto recipe of the node (partman-auto-recipe.txt)."""
    text, report = render_template("debian", "recipe.j2", files, _values(node, image))
    return (None if text is None else text.encode()), report


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
        "swap_mb": None if node.install.swap is None else node.install.swap // 10**6,
        "mirror": {"protocol": mirror.scheme, "host": mirror.netloc, "directory": mirror.path or "/"},
        "offline": node.mirror is None,
        "disks": DISK_PLACEHOLDER,
        "early_command": EARLY_COMMAND,
        "late_command": LATE_COMMAND,
        "recipe": f"/ventoy-kit/nodes/{node.name}/recipe",
    }


def _render(
    name: str, files: Mapping[str, str], values: dict[str, Any], check: Any
) -> tuple[bytes | None, Report]:
    text, report = render_template("debian", name, files, values)
    if text is None:
        return None, report
    where = f"answer_files/debian/{name}"
    answers = check_preseed(text, where, report)
    report.extend(
        codes.ANSWER_UNSAFE.finding(problem, "Correct the template.", place=Place(where))
        for problem in check(answers)
    )
    return (None if report.has_errors else text.encode()), report


def check_preseed(text: str, where: str, report: Report) -> list[tuple[str, str, str]]:
    """Lint preseed text as the installer's own reader sees it.

    Returns:
        (question, type, value) of every answer.
    """
    answers = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(None, 3)
        problem = None
        if line.lstrip().startswith("#"):
            problem = "a comment must begin in the first column"
        elif len(fields) < 3:
            problem = "the line lacks owner, name or type"
        elif fields[2] not in TYPES:
            problem = f"`{fields[2]}` is no type"
        elif fields[2] == "boolean" and fields[3:] not in (["true"], ["false"]):
            problem = "a boolean is true or false"
        elif re.search(r"\\n|\\$|\r", line):
            problem = (
                "a backslash before n or at the end, or a carriage return, does not survive the installer"
            )
        if problem:
            report.add(
                codes.PRESEED_LINE.finding(
                    f"rendered line {number} of {where}: {problem}",
                    "Correct the template.",
                    place=Place(where),
                )
            )
            continue
        answers.append((fields[1], fields[2], fields[3] if len(fields) > 3 else ""))
    return answers


def _ticket_problems(answers: list[tuple[str, str, str]]) -> list[str]:
    problems = []
    for question, _, value in answers:
        if question == "partman/early_command":
            if value != EARLY_COMMAND:
                problems.append(f"partman/early_command is not {EARLY_COMMAND}")
        elif question.startswith("partman") or question == "grub-installer/bootdev":
            problems.append(f"the ticket answers {question}, which chooses or changes a disk")
        elif question in (
            "preseed/include",
            "preseed/include_command",
            "preseed/run",
            "passwd/root-password",
        ):
            problems.append(f"the ticket answers {question}")
    if sum(q == "partman/early_command" for q, _, _ in answers) != 1:
        problems.append("the ticket must set partman/early_command once")
    return problems


def _answer_problems(answers: list[tuple[str, str, str]]) -> list[str]:
    disks = [value for question, _, value in answers if question == "partman-auto/disk"]
    if disks != [DISK_PLACEHOLDER]:
        return ["partman-auto/disk is not the placeholder alone"]
    if any(
        DISK_PLACEHOLDER in v
        for q, _, v in answers
        if q not in ("partman-auto/disk", "grub-installer/bootdev")
    ):
        return ["the placeholder stands in another answer"]
    return []
