"""What the ends of a rehearsal's acts are worth, and what must hold in every one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ventoy_kit.rehearse.follow import Ended
from ventoy_kit.rehearse.model import (
    ActName,
    ActResult,
    End,
    RehearsalReport,
    SafetyCheck,
    Twin,
    Verdict,
)

TITLES: Final[dict[ActName, str]] = {
    "install": "The armed stick installs the node with no key pressed",
    "again": "The same arming is refused the second time",
    "stranger": "Another machine with the node's disks is refused",
    "auto": "The ticket `auto` finds the node by itself",
    "installed": "The installed system starts from its own disk",
    "stick": "The stick starts and does what it is set to",
}

NO_NETWORK: Final = "The failing step is: Configure the network"
"""Where Debian's installer stops on a machine that has not the interface that a node's ticket names."""

SPENT: Final = frozenset({"VK-B60"})
WRONG_MACHINE: Final = frozenset({"VK-B10", "VK-B11"})


def judge_act(act: ActName, ended: Ended, *, uefi: bool = True) -> Verdict:
    """Whether an act ended as it should.

    Args:
        act: which act.
        ended: how it ended.
        uefi: without UEFI no arming can be recorded, so the node's name is asked for (VK-B63).
    """
    if act == "again":
        good = ended.end is End.REFUSED and ended.code in SPENT
        return _verdict(ended, good=good, text=f"refused, since the arming is spent ({ended.code})")
    if act == "stranger" and ended.end is End.QUESTION and NO_NETWORK in ended.said.replace("\n", " "):
        return _verdict(ended, good=True, text="it lacks the node's network interface, so it came to no disk")
    if act == "stranger":
        good = ended.end is End.REFUSED and ended.code in WRONG_MACHINE
        return _verdict(ended, good=good, text=f"refused, since it is another machine ({ended.code})")
    if act == "auto":
        # Nobody types the name, so the question for it is as far as an unarmed ticket may come.
        return _verdict(
            ended,
            good=ended.end is End.CONSENT,
            text="it found the node and asks for its name before it wipes anything",
        )
    if act == "install" and not uefi and ended.end is End.CONSENT:
        return _verdict(ended, good=True, text="without UEFI it asks for the node's name, as it must")
    return _verdict(ended, good=ended.end is End.REACHED, text=ended.text)


def _verdict(ended: Ended, *, good: bool, text: str) -> Verdict:
    if good:
        return Verdict(
            passed=True,
            end=ended.end,
            text=text[:1].upper() + text[1:].rstrip(".") + ".",
            said=ended.said,
            code=ended.code,
        )
    remedy = ended.remedy or "Look at the last lines of the console."
    if ended.end is End.REACHED:
        remedy = "This had to be refused: do not use the stick, and report it."
    return Verdict(
        passed=False, end=ended.end, text=ended.text, said=ended.said, code=ended.code, remedy=remedy
    )


@dataclass(frozen=True, slots=True)
class Looks:
    """What was looked at besides the console.

    Attributes:
        before: digests of the disks that must not change, by name, before the first act.
        after: the same after the last one.
        stick: bytes that were written to the stick, all acts together.
        foreign: the stick was somebody's, and changes to it were thrown away.
        outside: paths outside of the run's folder that QEMU held open for writing.
        changed: a stick that was made for this held something else afterwards; nobody can tell of somebody's.
    """

    before: Mapping[str, str]
    after: Mapping[str, str]
    stick: int
    outside: tuple[str, ...]
    foreign: bool = False
    changed: bool = True


def safety_checks(
    twin: Twin, acts: Sequence[ActResult], looks: Looks, ticket_node: str
) -> Iterator[SafetyCheck]:
    """Everything that must hold in every rehearsal; what was not played is said to be open."""
    for disk in twin.untouchable:
        same = looks.before.get(disk.name) == looks.after.get(disk.name)
        what = "the decoy" if disk.name == "decoy" else f"{disk.name} ({disk.role})"
        detail = "the same bytes before and after" if same else "its bytes CHANGED"
        yield SafetyCheck(f"disk-{disk.name}", f"{what[:1].upper()}{what[1:]} was left alone", same, detail)
    held: bool | None = looks.stick == 0
    detail = "not a byte" if held else f"{looks.stick} bytes"
    if looks.foreign and not held:
        held, detail = None, f"{detail}, thrown away: Ventoy or the installer wrote them"
    elif not held and not looks.changed:
        # Debian 12's installer mounts a FAT on USB while it loads the ticket, and FAT notes that it is in use.
        held, detail = True, f"{detail}, and its files are the same as before: the installer looked into it"
    yield SafetyCheck("stick", "Nothing wrote to the stick", held, detail)
    yield SafetyCheck(
        "host",
        "Nothing but the rehearsal's own folder was open for writing",
        not looks.outside,
        ", ".join(looks.outside) or "looked at while each act ran",
    )
    for act, name, title in (
        ("stranger", "identity", "Another machine is refused"),
        ("again", "one-shot", "An arming fires once"),
        ("auto", "auto", f"`auto` finds {ticket_node} in its own twin"),
    ):
        played = next((a for a in acts if a.act == act), None)
        if played is None:
            yield SafetyCheck(name, title, None, "this act was not played")
        elif played.verdict.end is End.CUT:
            yield SafetyCheck(name, title, None, "this act was cut short")
        else:
            yield SafetyCheck(name, title, played.verdict.passed, played.verdict.text)


def judge_rehearsal(acts: Sequence[ActResult], safety: Sequence[SafetyCheck]) -> Verdict:
    """The verdict over everything: safety first, then the first act that failed."""
    broken = next((c for c in safety if c.held is False and c.id.startswith(("disk-", "host"))), None)
    if broken is not None:
        remedy = "Do not use the stick; report this with the whole report."
        return Verdict(passed=False, end=End.WROTE, text=f"{broken.title}: {broken.detail}.", remedy=remedy)
    failed = next((a for a in acts if not a.verdict.passed), None)
    if failed is not None:
        return failed.verdict
    wrong = next((c for c in safety if c.held is False), None)
    if wrong is not None:
        remedy = "Look at the report; what was installed is not what the fleet file says."
        text = f"This does not hold: {wrong.title[:1].lower()}{wrong.title[1:]} ({wrong.detail})."
        return Verdict(passed=False, end=End.REACHED, text=text, remedy=remedy)
    last = next((a for a in acts if a.act in ("install", "stick")), acts[-1])
    return Verdict(
        passed=True,
        end=last.verdict.end,
        text=f"All {len(acts)} acts went as they should." if len(acts) > 1 else last.verdict.text,
    )


def exit_findings(report: RehearsalReport) -> Iterator[tuple[bool, str, str]]:
    """What the command says of a failed rehearsal: whether it was unsafe, message, remedy."""
    if report.verdict.passed:
        return
    act = next((a for a in report.acts if a.verdict == report.verdict), None)
    where = (
        f"{report.node}, {TITLES[act.act][:1].lower()}{TITLES[act.act][1:]}: " if act else f"{report.node}: "
    )
    unsafe = report.verdict.end is End.WROTE or (
        act is not None and act.act in ("stranger", "again") and act.verdict.end is End.REACHED
    )
    yield unsafe, where + report.verdict.text.rstrip("."), report.verdict.remedy
