"""The boot menus that Ventoy's `conf_replace` shows in place of an image's own.

A derived menu is the image's own `/boot/grub/grub.cfg` with a few lines changed. If the file is not built as it is
known to be, the result is a finding, never a guess. Only the boot loader sees the derived file; the running
installer reads the image itself.

Sources: public copies of the Proxmox VE menus from 8.3 to 9.2, Debian's `debian-installer-12-netboot-amd64`, and
GRUB's `grub-core/normal/menu.c`: entries count from 0 in the order in which they were defined, submenus included;
a negative timeout waits for ever and cancels the hidden styles; the whole file is run before the menu is shown, so
what is set at its end stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ventoy_kit.images import codes
from ventoy_kit.images.facts import GRUB_MENU, ISOLINUX_MENU, IsoFacts
from ventoy_kit.images.grub import GrubSyntaxError, Statement, Word, parse
from ventoy_kit.images.menu_entries import (
    ENTRIES,
    LINUX,
    UnknownMenuError,
    first_manual,
    first_text,
    index_of,
    menu_entries,
)
from ventoy_kit.report import Finding, Path, Place, Report, place_in

LIMIT: Final = 1 << 20
"""Bytes that Ventoy takes for a replacement (1 MiB, `ventoy_cmd.c`)."""

AUTOMATED_SUFFIX: Final = " - asks for the node name first"
"""Behind the title of Proxmox' automated entry; no quotes in it, since it lands inside some."""

ARMED_SUFFIX: Final = " - armed, starts by itself"
"""The same in the menu of an armed stick."""

ARMED_TIMEOUT: Final = 5
"""Seconds that the menu of an armed stick shows before it goes on; a key press stops it."""

_MODE_FILE: Final = "auto-installer-mode.toml"
_MODE_FILE_PATH: Final = re.compile(r"(?:\(\$(?:root|\{root\})\))?/?auto-installer-mode\.toml")
_START_AUTO: Final = "proxmox-start-auto-installer"
_TITLE: Final = re.compile(r"""'[^']*'|"(?:\\.|[^\\"])*\"""", re.DOTALL)
_OPTION_WITH_VALUE: Final = frozenset(("--class", "--users", "--hotkey", "--source", "--id"))
# Words on Debian's kernel line that mean: not the plain installation that asks its questions.
_DEBIAN_OTHER: Final = re.compile(
    r"auto(=.*)?|auto-install/.*|priority=critical|preseed/.*|(file|url)=.*|rescue/enable=.*|debconf/priority=critical"
)


@dataclass(frozen=True, slots=True)
class DerivedMenu:
    """A replacement for one file of an image.

    Attributes:
        org: the file's absolute path on the image.
        text: the whole new file, to be written as UTF-8.
    """

    org: str
    text: str


@dataclass(frozen=True, slots=True)
class _Edit:
    """Replace the characters from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Menu:
    """What every derived menu starts from.

    Attributes:
        edits: the changes that make the menu usable.
        manual: index of the entry that installs with questions.
        automated: index of the entry that installs unattended when the node's answers are there; None if there is none
            that a text console can follow.
    """

    edits: tuple[_Edit, ...]
    manual: int
    automated: int | None


def derive_toolbox_menu(facts: IsoFacts, *, path: Path | None = None) -> tuple[DerivedMenu | None, Report]:
    """The menu of a stick in its normal state: it waits for a person, the cursor on the manual installation.

    Proxmox: the automated entry is there although the image holds no mode file, and its title says that the node's
    name is asked for. Debian: the entries stay as they are. Everything else is byte for byte the image's own file.

    Args:
        facts: the image.
        path: the image's place in the fleet file.

    Returns:
        The menu, or None with the finding that says why there is none.
    """
    menu, report = _derive(facts, path, AUTOMATED_SUFFIX, lambda known: _waiting(known.manual))
    if menu is not None and facts.menu(ISOLINUX_MENU) is not None:
        report.add(
            codes.OWN_BIOS_MENU.finding(
                f"{facts.title} has a menu of its own for BIOS boots, which stays as it is",
                "Boot the nodes in UEFI mode.",
                path=path,
            )
        )
    return menu, report


def derive_armed_menu(facts: IsoFacts, *, path: Path | None = None) -> tuple[DerivedMenu | None, Report]:
    """The menu of an armed stick: after a few seconds it starts the entry that installs unattended, with no key.

    Proxmox: the automated entry. Debian: the first plain text installation; the ticket that Ventoy hands over is its
    preseed and makes it unattended, and without a ticket it asks its questions, so a missing file wipes nothing.

    Args and returns as for `derive_toolbox_menu`.
    """
    return _derive(facts, path, ARMED_SUFFIX, lambda known: _starting(known.automated))


def _derive(
    facts: IsoFacts, path: Path | None, suffix: str, end: Callable[[_Menu], str]
) -> tuple[DerivedMenu | None, Report]:
    report = Report()
    menu = facts.menu(GRUB_MENU)
    if menu is None or facts.family is None:
        lack = "the image has no such file in UTF-8" if menu is None else "no installer whose menu is known"
        report.add(_unknown(facts, lack, path, None))
        return None, report
    try:
        statements = parse(menu.text)
        known = _proxmox(statements, suffix) if facts.family == "proxmox" else _debian(statements)
        text = _applied(menu.text, known.edits)
        text += ("" if menu.text.endswith("\n") else "\n") + end(known)
        if len(text.encode()) > LIMIT:
            raise UnknownMenuError(f"the result is larger than the {LIMIT} bytes that Ventoy takes")  # noqa: TRY301 - one place turns all of them into findings
    except (GrubSyntaxError, UnknownMenuError) as error:
        place = None if error.offset is None else _place(facts, menu.text, error.offset)
        report.add(_unknown(facts, error.message, path, place))
        return None, report
    return DerivedMenu(GRUB_MENU, text), report


def _unknown(facts: IsoFacts, message: str, path: Path | None, place: Place | None) -> Finding:
    return codes.UNKNOWN_MENU.finding(
        f"{GRUB_MENU} of {facts.title}: {message}",
        "Use the image as the vendor published it; if it is, this release is not supported yet.",
        path=path,
        place=place,
    )


def _place(facts: IsoFacts, text: str, offset: int) -> Place:
    """Where in the image's menu something was found, with the lines made fit for a terminal."""
    shown = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    before = shown[:offset]
    line = before.count("\n") + 1
    return place_in(
        shown.split("\n"), f"{facts.title}:{GRUB_MENU}", line, offset - (before.rfind("\n") + 1) + 1
    )


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    parts = []
    done = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[done : edit.start], edit.text]
        done = edit.end
    return "".join((*parts, text[done:]))


def _waiting(default: int) -> str:
    """The lines behind the menu's own that keep it on the screen until a person chooses."""
    return (
        "# The rest was added by ventoy-kit: nothing in this menu starts by itself,\n"
        "# and the cursor stands on the installation that asks its questions.\n"
        f"set default={default}\n"
        "set timeout=-1\n"
    )


def _starting(default: int | None) -> str:
    """The lines behind the menu's own that start the unattended installation."""
    if default is None:
        raise UnknownMenuError("no entry for an unattended installation in text mode was found")
    return (
        "# The rest was added by ventoy-kit: this stick is armed, and the entry that installs\n"
        "# unattended starts by itself. A key press stops the countdown.\n"
        f"set default={default}\n"
        "set timeout_style=menu\n"
        f"set timeout={ARMED_TIMEOUT}\n"
    )


@dataclass(frozen=True, slots=True)
class _ModeTest:
    """An `if` that asks whether the mode file is there, or is not there."""

    block: Statement
    negated: bool
    start: int
    end: int


def _proxmox(statements: tuple[Statement, ...], suffix: str) -> _Menu:
    tests = _mode_tests(statements)
    block = _automated_block(statements, tests)
    dropped = tuple(test.block for test in tests if test.negated)
    entry = _automated_entry(statements, block.block, dropped)
    title = _title(entry)
    edits = [
        # The test command that the file uses already, made true, or false where it asks for the file's absence.
        *(_Edit(test.start, test.end, "1 = 0" if test.negated else "1 = 1") for test in tests),
        _Edit(title.end - 1, title.end - 1, suffix),
    ]
    entries = tuple(menu_entries(statements, taken=block.block, dropped=dropped))
    manual = first_manual(entries, lambda linux: not _starts_auto(linux))
    return _Menu(tuple(edits), manual, index_of(entry, entries))


def _debian(statements: tuple[Statement, ...]) -> _Menu:
    def asks(linux: Statement) -> bool:
        return not any(_DEBIAN_OTHER.fullmatch(word.value) for word in linux.words[1:])

    entries = tuple(menu_entries(statements))
    manual = first_manual(entries, asks)
    return _Menu((), manual, first_text(entries, asks))


def _mode_tests(statements: tuple[Statement, ...]) -> tuple[_ModeTest, ...]:
    """Every condition on the mode file. Raises if the file is mentioned anywhere else."""
    tests = tuple(test for statement in _all(statements) if (test := _mode_test(statement)) is not None)
    known = {test.block.branches[0].condition[0].start for test in tests}
    for statement in _all(statements):
        if statement.start not in known and any(_MODE_FILE in word.value for word in statement.words):
            raise UnknownMenuError(f"{_MODE_FILE} is used in a way that is not known", statement.start)
    for test in tests:
        if len(test.block.branches) != 1:
            raise UnknownMenuError(f"the condition on {_MODE_FILE} has an `else`", test.block.start)
    return tests


def _mode_test(statement: Statement) -> _ModeTest | None:
    """`[ -f FILE ]` or `test -f FILE`, with or without `!`, as the only condition of an `if`."""
    if not statement.branches or len(statement.branches[0].condition) != 1:
        return None
    command = statement.branches[0].condition[0]
    words = command.words
    if command.name == "[" and words[-1].value == "]":
        words = words[:-1]
    elif command.name != "test":
        return None
    arguments = [word.value for word in words[1:]]
    negated = arguments[:1] == ["!"]
    if len(arguments) != 2 + negated or arguments[-2] not in ("-f", "-e", "-s"):
        return None
    if not _MODE_FILE_PATH.fullmatch(arguments[-1]):
        return None
    return _ModeTest(statement, negated, words[1].start, words[-1].end)


def _automated_block(statements: tuple[Statement, ...], tests: Sequence[_ModeTest]) -> _ModeTest:
    """The one top-level block that is there only for prepared images."""
    wanted = [test for test in tests if not test.negated]
    if len(wanted) != 1:
        raise UnknownMenuError(
            f"expected one block `if [ -f {_MODE_FILE} ]`, found {len(wanted)}",
            wanted[1].start if wanted else None,
        )
    if not any(statement is wanted[0].block for statement in statements):
        raise UnknownMenuError(f"the block for {_MODE_FILE} stands within another one", wanted[0].block.start)
    return wanted[0]


def _automated_entry(
    statements: tuple[Statement, ...], block: Statement, dropped: Sequence[Statement]
) -> Statement:
    """The only entry of the block, which must be the only one that can start the automated installation."""
    entries = [statement for statement in block.walk() if statement.name in ENTRIES]
    if len(entries) != 1 or entries[0] not in block.branches[0].body or entries[0].name != "menuentry":
        raise UnknownMenuError(f"the block for {_MODE_FILE} does not hold exactly one entry", block.start)
    starting = [statement for statement in entries[0].walk() if _starts_auto(statement)]
    if len(starting) != 1 or starting[0].name not in LINUX:
        raise UnknownMenuError(
            f"the entry for {_MODE_FILE} does not start {_START_AUTO} once", entries[0].start
        )
    accounted = {statement.start for tree in (entries[0], *dropped) for statement in tree.walk()}
    for statement in _all(statements):
        if _starts_auto(statement) and statement.start not in accounted:
            raise UnknownMenuError(f"{_START_AUTO} stands at a place that is not known", statement.start)
    return entries[0]


def _starts_auto(statement: Statement) -> bool:
    return any(_START_AUTO in word.value for word in statement.words)


def _title(entry: Statement) -> Word:
    """The quoted title of an entry."""
    arguments = iter(entry.words[1:])
    for word in arguments:
        if word.value in _OPTION_WITH_VALUE:
            next(arguments, None)
        elif not word.value.startswith("--"):
            if not _TITLE.fullmatch(word.raw):
                raise UnknownMenuError("the title of the automated entry is not in quotes", word.start)
            return word
    raise UnknownMenuError("the automated entry has no title", entry.start)


def _all(statements: Iterable[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield from statement.walk()
