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
from ventoy_kit.report import Finding, Path, Place, Report, place_in

LIMIT: Final = 1 << 20
"""Bytes that Ventoy takes for a replacement (1 MiB, `ventoy_cmd.c`)."""

AUTOMATED_SUFFIX: Final = " - asks for the node name first"
"""Behind the title of Proxmox' automated entry; no quotes in it, since it lands inside some."""

_MODE_FILE: Final = "auto-installer-mode.toml"
_MODE_FILE_PATH: Final = re.compile(r"(?:\(\$(?:root|\{root\})\))?/?auto-installer-mode\.toml")
_START_AUTO: Final = "proxmox-start-auto-installer"
_ENTRIES: Final = ("menuentry", "submenu")
_LINUX: Final = ("linux", "linux16", "linuxefi")
_TITLE: Final = re.compile(r"""'[^']*'|"(?:\\.|[^\\"])*\"""", re.DOTALL)
_OPTION_WITH_VALUE: Final = frozenset(("--class", "--users", "--hotkey", "--source", "--id"))
# Commands after which it is not this file that makes the menu, or not it alone.
_ELSEWHERE: Final = (
    *(
        "source",
        ".",
        "configfile",
        "legacy_source",
        "legacy_configfile",
        "syslinux_source",
        "syslinux_configfile",
    ),
    *("extract_entries_source", "extract_entries_configfile", "blscfg", "normal", "normal_exit", "eval"),
    *("exit", "return", "break", "continue", "boot", "halt", "reboot", "chainloader"),
)
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
    """

    edits: tuple[_Edit, ...]
    manual: int


class _UnknownMenuError(Exception):
    """The menu is not built as expected; `offset` is the character where that shows, if there is one."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


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
    report = Report()
    menu = facts.menu(GRUB_MENU)
    if menu is None or facts.family is None:
        lack = "the image has no such file in UTF-8" if menu is None else "no installer whose menu is known"
        report.add(_unknown(facts, lack, path, None))
        return None, report
    try:
        statements = parse(menu.text)
        known = _proxmox(statements) if facts.family == "proxmox" else _debian(statements)
        text = _applied(menu.text, known.edits) + _waiting(menu.text, known.manual)
        if len(text.encode()) > LIMIT:
            raise _UnknownMenuError(f"the result is larger than the {LIMIT} bytes that Ventoy takes")  # noqa: TRY301 - one place turns all of them into findings
    except (GrubSyntaxError, _UnknownMenuError) as error:
        place = None if error.offset is None else _place(facts, menu.text, error.offset)
        report.add(_unknown(facts, error.message, path, place))
        return None, report
    if facts.menu(ISOLINUX_MENU) is not None:
        report.add(
            codes.OWN_BIOS_MENU.finding(
                f"{facts.title} has a menu of its own for BIOS boots, which stays as it is",
                "Boot the nodes in UEFI mode.",
                path=path,
            )
        )
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


def _waiting(text: str, default: int) -> str:
    """The lines behind the menu's own that keep it on the screen until a person chooses."""
    return (
        ("" if text.endswith("\n") else "\n")
        + "# The rest was added by ventoy-kit: nothing in this menu starts by itself,\n"
        + "# and the cursor stands on the installation that asks its questions.\n"
        + f"set default={default}\n"
        + "set timeout=-1\n"
    )


@dataclass(frozen=True, slots=True)
class _ModeTest:
    """An `if` that asks whether the mode file is there, or is not there."""

    block: Statement
    negated: bool
    start: int
    end: int


def _proxmox(statements: tuple[Statement, ...]) -> _Menu:
    tests = _mode_tests(statements)
    block = _automated_block(statements, tests)
    dropped = tuple(test.block for test in tests if test.negated)
    entry = _automated_entry(statements, block.block, dropped)
    title = _title(entry)
    edits = [
        # The test command that the file uses already, made true, or false where it asks for the file's absence.
        *(_Edit(test.start, test.end, "1 = 0" if test.negated else "1 = 1") for test in tests),
        _Edit(title.end - 1, title.end - 1, AUTOMATED_SUFFIX),
    ]
    entries = _entries(statements, taken=block.block, dropped=dropped)
    return _Menu(tuple(edits), _first_manual(entries, lambda linux: not _starts_auto(linux)))


def _debian(statements: tuple[Statement, ...]) -> _Menu:
    def asks(linux: Statement) -> bool:
        return not any(_DEBIAN_OTHER.fullmatch(word.value) for word in linux.words[1:])

    return _Menu((), _first_manual(_entries(statements), asks))


def _mode_tests(statements: tuple[Statement, ...]) -> tuple[_ModeTest, ...]:
    """Every condition on the mode file. Raises if the file is mentioned anywhere else."""
    tests = tuple(test for statement in _all(statements) if (test := _mode_test(statement)) is not None)
    known = {test.block.branches[0].condition[0].start for test in tests}
    for statement in _all(statements):
        if statement.start not in known and any(_MODE_FILE in word.value for word in statement.words):
            raise _UnknownMenuError(f"{_MODE_FILE} is used in a way that is not known", statement.start)
    for test in tests:
        if len(test.block.branches) != 1:
            raise _UnknownMenuError(f"the condition on {_MODE_FILE} has an `else`", test.block.start)
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
        raise _UnknownMenuError(
            f"expected one block `if [ -f {_MODE_FILE} ]`, found {len(wanted)}",
            wanted[1].start if wanted else None,
        )
    if not any(statement is wanted[0].block for statement in statements):
        raise _UnknownMenuError(
            f"the block for {_MODE_FILE} stands within another one", wanted[0].block.start
        )
    return wanted[0]


def _automated_entry(
    statements: tuple[Statement, ...], block: Statement, dropped: Sequence[Statement]
) -> Statement:
    """The only entry of the block, which must be the only one that can start the automated installation."""
    entries = [statement for statement in block.walk() if statement.name in _ENTRIES]
    if len(entries) != 1 or entries[0] not in block.branches[0].body or entries[0].name != "menuentry":
        raise _UnknownMenuError(f"the block for {_MODE_FILE} does not hold exactly one entry", block.start)
    starting = [statement for statement in entries[0].walk() if _starts_auto(statement)]
    if len(starting) != 1 or starting[0].name not in _LINUX:
        raise _UnknownMenuError(
            f"the entry for {_MODE_FILE} does not start {_START_AUTO} once", entries[0].start
        )
    accounted = {statement.start for tree in (entries[0], *dropped) for statement in tree.walk()}
    for statement in _all(statements):
        if _starts_auto(statement) and statement.start not in accounted:
            raise _UnknownMenuError(f"{_START_AUTO} stands at a place that is not known", statement.start)
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
                raise _UnknownMenuError("the title of the automated entry is not in quotes", word.start)
            return word
    raise _UnknownMenuError("the automated entry has no title", entry.start)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A top-level entry, and whether it is there whatever the conditions around it say."""

    statement: Statement
    sure: bool


def _entries(
    statements: Iterable[Statement], *, taken: Statement | None = None, dropped: Sequence[Statement] = ()
) -> Iterator[_Entry]:
    """The menu's entries in order. `taken` is a block made unconditional, `dropped` are blocks made impossible."""
    for statement in statements:
        if any(statement is block for block in dropped):
            continue
        if statement.name in _ENTRIES:
            _check_submenus(statement)
            yield _Entry(statement, sure=True)
        elif statement is taken:
            yield from _entries(statement.branches[0].body)
        elif statement.compound == "if":
            for branch in statement.branches:
                inner = (*_entries(branch.condition), *_entries(branch.body, dropped=dropped))
                yield from (_Entry(entry.statement, sure=False) for entry in inner)
        elif statement.compound is not None:
            _check_plain(statement)
        elif statement.name in _ELSEWHERE or "$" in statement.words[0].raw.split("=")[0]:
            raise _UnknownMenuError(f"`{statement.name}` may bring entries from elsewhere", statement.start)


def _check_plain(compound: Statement) -> None:
    """A loop or a function may set variables, but make no entry."""
    for statement in compound.walk():
        if statement.name in (*_ENTRIES, *_ELSEWHERE):
            raise _UnknownMenuError(
                f"`{statement.name}` stands within a {compound.compound}", statement.start
            )


def _check_submenus(entry: Statement) -> None:
    """No submenu may start an entry by itself: a timeout within one is beyond the lines added at the end."""
    if entry.name != "submenu":
        return
    for statement in entry.walk():
        words = statement.words[1:] if statement.name == "set" else statement.words[:1]
        if any(re.match(r"timeout(=|$)", word.value) for word in words):
            raise _UnknownMenuError("a submenu sets a timeout of its own", statement.start)


def _first_manual(entries: Iterable[_Entry], asks: Callable[[Statement], bool]) -> int:
    """The index of the first entry that boots a kernel for an installation with questions."""
    for index, entry in enumerate(tuple(entries)):  # all of them first: what follows may be refused too
        if not entry.sure:
            raise _UnknownMenuError(
                "an entry before the first manual one is there only sometimes", entry.statement.start
            )
        kernels = [statement for statement in entry.statement.body if statement.name in _LINUX]
        if entry.statement.name == "menuentry" and kernels and all(asks(kernel) for kernel in kernels):
            return index
    raise _UnknownMenuError("no entry for an installation by hand was found")


def _all(statements: Iterable[Statement]) -> Iterator[Statement]:
    for statement in statements:
        yield from statement.walk()
