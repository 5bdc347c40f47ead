"""What a preseed would do to disks, and traps that only several of its lines together show.

Sources: partman-auto 177 (`10initial_auto`, `autopartition`), grub-installer 1.212, preseed 1.125, installation guide,
appendix B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ventoy_kit.answers import preseed_codes as codes
from ventoy_kit.answers.preseed_lines import Line
from ventoy_kit.report import Rule

EARLY = ("preseed/early_command", "partman/early_command", "preseed/include_command")
"""Commands that run before anything is written."""

_GIVES_UP = re.compile(r"\bexit +[1-9][0-9]*\b|\breturn +[1-9][0-9]*\b")
_FUNCTION = re.compile(r"\b[A-Za-z_]\w* *\( *\)")
_TOO_LATE = re.compile(r"netcfg/(disable_autoconfig|disable_dhcp|get_ipaddress|use_vlan|vlan_id)")

Trap = tuple[Rule, str, str, int, str]
"""Rule, message, remedy, number of the line, and the part of it that is pointed at."""


def find_traps(by_question: Mapping[str, Line]) -> Iterator[Trap]:
    """Traps across lines.

    Args:
        by_question: the line that counts for each question.
    """
    yield from _refusals(by_question)
    yield from _too_late(by_question)
    yield from _several_disks(by_question)
    yield from _boot_loader(by_question)


def gives_up(line: Line) -> str:
    """The words with which an early command wants to stop the installer; empty if it does not."""
    found = _GIVES_UP.finditer(line.value) if line.question in EARLY else ()
    # In a command with functions, `return` tells their callers something.
    own = [m[0] for m in found if m[0].startswith("exit") or not _FUNCTION.search(line.value)]
    return own[0] if own else ""


def _refusals(by_question: Mapping[str, Line]) -> Iterator[Trap]:
    for question in EARLY:
        line = by_question.get(question)
        words = gives_up(line) if line else ""
        if line and words:
            message = f"`{words}` does not stop the installer: it shows a message, and then goes on"
            remedy = (
                "Stay in the command (`while :; do sleep 60; done`), or set the disk only where all is right."
            )
            yield codes.RETURNS, message, remedy, line.number, words


def _too_late(by_question: Mapping[str, Line]) -> Iterator[Trap]:
    again = any("kill-all-dhcp" in by_question[q].value for q in ("preseed/run", *EARLY) if q in by_question)
    lines = [line for line in by_question.values() if _TOO_LATE.fullmatch(line.question)]
    if lines and not again:
        first = min(lines, key=lambda line: line.number)
        message = f"`{first.question}` counts only if the file is there before the network is"
        remedy = (
            "Put it into the RAM disk, name it with `file=`, or make it a template of Ventoy; not `url=`."
        )
        yield codes.TOO_LATE, message, remedy, first.number, first.question


def _several_disks(by_question: Mapping[str, Line]) -> Iterator[Trap]:
    disks = named_disks(by_question)
    method = _value(by_question, "partman-auto/method")
    if len(disks) > 1 and method == "regular":
        line = by_question["partman-auto/disk"]
        message = f"each of {', '.join(disks)} is wiped and partitioned in the same way"
        remedy = "Name one disk; several belong to the methods `lvm` and `raid`."
        yield codes.SEVERAL, message, remedy, line.number, line.value


def _boot_loader(by_question: Mapping[str, Line]) -> Iterator[Trap]:
    line = by_question.get("grub-installer/bootdev")
    if line is None or not line.value:
        return
    disks = named_disks(by_question)
    targets = line.value.split()
    elsewhere = [t for t in targets if t.startswith("/dev/") and _whole(t) not in map(_whole, disks)]
    if targets == ["default"]:
        message = "`default` is the first disk that GRUB lists, which need not be the one with the system"
        remedy = "Set it to the disk that is partitioned, in partman/early_command."
        yield codes.BOOT_LOADER, message, remedy, line.number, "default"
    elif disks and elsewhere and not any("/by-" in name for name in (*disks, *elsewhere)):
        message = f"GRUB is written to {', '.join(elsewhere)}, and the system to {', '.join(disks)}"
        yield codes.BOOT_LOADER, message, "Name the same disk in both.", line.number, line.value


def _whole(device: str) -> str:
    """The disk of a partition's name, by the kernel's rules for names."""
    found = re.fullmatch(r"(/dev/(?:(?:nvme\d+n|mmcblk)\d+))(?:p\d+)?|(/dev/[shv]d[a-z]+)\d*", device)
    return (found[1] or found[2]) if found else device


def _value(by_question: Mapping[str, Line], question: str) -> str:
    line = by_question.get(question)
    return line.value if line else ""


def named_disks(by_question: Mapping[str, Line]) -> tuple[str, ...]:
    """The disks that the file gives the partitioner."""
    return tuple(_value(by_question, "partman-auto/disk").split())


def what_it_wipes(by_question: Mapping[str, Line]) -> tuple[str, ...]:
    """What the installer does to disks, in sentences for the person who runs it."""
    method = _value(by_question, "partman-auto/method")
    disks, early = named_disks(by_question), _value(by_question, "partman/early_command")
    if "partman-auto/disk" in early or ("partman/early_command" in by_question and not disks):
        what = "Wipes what partman/early_command chooses, if it chooses a disk."
    elif not method and not disks:
        return ("Wipes nothing by itself: it asks how to partition.",)
    elif disks:
        what = f"Wipes {', '.join(disks)}, whichever disks have these names in that boot."
    else:
        what = "Wipes the disk that partman sees, if it sees exactly one; a stick is a disk."
    unasked = all(
        _value(by_question, q) == "true" for q in ("partman/confirm", "partman/confirm_nooverwrite")
    )
    asks = "Nobody is asked before it is written." if unasked else "It asks before it writes."
    return (what,) if early and not unasked else (what, asks)
