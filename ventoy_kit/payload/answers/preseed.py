"""Preseed text, read as the Debian installer reads it, and what rendered preseed text may say.

The reader is debconf-set-selections of the installer (package cdebconf's udeb, a shell script), not Perl's: it takes
lines at line feeds, drops those that begin with `#` in the first column, and takes whatever owner a line names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ventoy_kit.payload import codes
from ventoy_kit.report import Place, Report

TYPES = frozenset(
    {"string", "boolean", "select", "multiselect", "note", "password", "text", "title", "error"}
)

_BLANK = re.compile(r"[ \t]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: who owns the question, its name, its type and the value, which may be empty."""

    owner: str
    question: str
    type: str
    value: str


def read_preseed(text: str, where: str) -> tuple[list[Answer], Report]:
    """Read preseed text.

    Args:
        text: rendered text.
        where: the template, for findings.

    Returns:
        The answers of the lines that are well-formed, and a finding of VK-W04 for each other one.
    """
    answers: list[Answer] = []
    report = Report()
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("#") and not _CONTROL.search(line):
            continue
        if not line.strip(" \t"):
            continue
        owner, question, kind, value = (*_BLANK.split(line, maxsplit=3), "", "", "")[:4]
        problem = _problem(line, kind, value)
        if problem:
            message = f"rendered line {number} of {where}: {problem}"
            report.add(codes.PRESEED_LINE.finding(message, "Correct the template.", place=Place(where)))
        else:
            answers.append(Answer(owner, question, kind, value))
    return answers, report


def _problem(line: str, kind: str, value: str) -> str | None:
    if _CONTROL.search(line):
        return "a control character does not survive the installer"
    if line[0] in " \t":
        return "a line, comments too, must begin in the first column"
    if not kind:
        return "the line lacks owner, name or type"
    if kind not in TYPES:
        return f"`{kind}` is no type"
    if kind == "boolean" and value not in ("true", "false"):
        return "a boolean is true or false"
    if re.search(r"\\n|\\[ \t]*$", line):
        return "a backslash before n or at the end does not survive the installer"
    return None


TICKET_QUESTIONS = (
    *(
        "debian-installer/",
        "localechooser/",
        "keyboard-configuration/",
        "console-setup/",
        "clock-setup/",
        "time/",
    ),
    *("netcfg/", "hw-detect/", "cdrom-detect/", "mirror/", "apt-setup/", "base-installer/", "apt-cacher-ng/"),
    *("tasksel/", "pkgsel/", "popularity-contest/", "finish-install/"),
    *("passwd/root-login", "passwd/make-user"),
)
"""What a ticket may answer besides the early command: nothing that names a disk, runs a command or holds a secret."""


def ticket_problems(text: str, answers: list[Answer], line: str, early_command: str) -> list[str]:
    """Why a ticket is not safe; an empty list if it is.

    Args:
        text: the whole ticket.
        answers: what it answers.
        line: the ticket line, which the boot hook must find once.
        early_command: what the installer must run before it looks for disks.
    """
    problems = []
    if text.count("ventoy-kit-ticket") != 1 or line not in text.split("\n"):
        problems.append("it must hold the ticket line once, in a line of its own")
    if "$" in text:
        problems.append("it holds a `$`, which Ventoy may expand or ask about")
    early = [a for a in answers if a.question == "partman/early_command"]
    if [(a.owner, a.type, a.value) for a in early] != [("d-i", "string", early_command)]:
        problems.append(f"it must set partman/early_command once, to {early_command}")
    problems += [
        f"it answers {a.question}, which is not for a ticket"
        for a in answers
        if a not in early
        and not a.question.startswith(TICKET_QUESTIONS)
        and (a.question, a.value) != ("passwd/root-password-crypted", "*")
    ]
    return problems


PARTITIONS = {number: f"@VENTOY_KIT_PARTITION_{number}@" for number in range(1, 10)}
"""What stands for the partitions of one number of all system disks, as `partman-auto-raid/recipe` names them."""

DISKS = ("partman-auto/disk", "grub-installer/bootdev")

_CHOOSES = re.compile(r"(^|[^A-Za-z0-9._-])/dev/|(^|[\s/])(disk|mapper|by-id|by-path)/|=dev=")
_REFUSED = (
    *("partman-auto/select_disk", "partman-auto/expert_recipe", "partman-auto/choose_recipe"),
    *(
        "partman-auto/init_automatically_partition",
        "partman-auto-raid/recipe",
        "grub-installer/choose_bootdev",
    ),
)
_MAY_RUN = re.compile(r"(_command|/run)$")


def answer_problems(answers: list[Answer], placeholder: str, fixed: dict[str, str]) -> list[str]:
    """Why the answers that partition are not safe; an empty list if they are.

    Args:
        answers: the answers.
        placeholder: what stands for the disk.
        fixed: the values that other questions must have, such as the late command.
    """
    problems = []
    given = {question: [a for a in answers if a.question == question] for question in (*DISKS, *fixed)}
    if [(a.owner, a.type, a.value) for a in given[DISKS[0]]] != [("d-i", "string", placeholder)]:
        problems.append("partman-auto/disk is not the placeholder alone")
    if any(a.value != placeholder for a in given[DISKS[1]]):
        problems.append("grub-installer/bootdev is not the placeholder")
    for question, value in fixed.items():
        if [a.value for a in given[question]] != [value]:
            problems.append(f"{question} is not {value}, once")
    for answer in answers:
        question = answer.question
        if question in DISKS or question in fixed:  # `fixed` has the arrays of a mirrored node
            continue
        if question in _REFUSED:
            problems.append(f"it answers {question}, which chooses a disk or a recipe")
        elif question.startswith("preseed/") or _MAY_RUN.search(question):
            problems.append(f"it answers {question}, which runs something else than the kit")
        elif question.startswith(("partman", "grub-installer")) and _CHOOSES.search(answer.value):
            problems.append(f"its answer to {question} names a device")
        elif placeholder in answer.value or "@VENTOY_KIT_PARTITION_" in answer.value:
            problems.append("the placeholder stands in another answer")
    return problems


def recipe_problems(text: str) -> list[str]:
    """Why a partitioning recipe is not safe: it may not name a device (partman-auto-recipe.txt, `device{ }`)."""
    problems = []
    if re.search(r"device\s*\{", text) or re.search(r"/dev/", text):
        problems.append("it names a device")
    if _CONTROL.search(text):
        problems.append("it holds control characters")
    return problems
