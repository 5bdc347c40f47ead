"""The entries of a GRUB menu, counted as GRUB counts them, and those that install with or without questions.

GRUB's `grub-core/normal/menu.c`: entries count from 0 in the order in which they were defined, submenus included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ventoy_kit.images.grub import Statement

ENTRIES: Final = ("menuentry", "submenu")
LINUX: Final = ("linux", "linux16", "linuxefi")
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


class UnknownMenuError(Exception):
    """The menu is not built as expected; `offset` is the character where that shows, if there is one."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A top-level entry, and whether it is there whatever the conditions around it say."""

    statement: Statement
    sure: bool


def menu_entries(
    statements: Iterable[Statement], *, taken: Statement | None = None, dropped: Sequence[Statement] = ()
) -> Iterator[MenuEntry]:
    """The menu's entries in order. `taken` is a block made unconditional, `dropped` are blocks made impossible."""
    for statement in statements:
        if any(statement is block for block in dropped):
            continue
        if statement.name in ENTRIES:
            _check_submenus(statement)
            yield MenuEntry(statement, sure=True)
        elif statement is taken:
            yield from menu_entries(statement.branches[0].body)
        elif statement.compound == "if":
            for branch in statement.branches:
                inner = (*menu_entries(branch.condition), *menu_entries(branch.body, dropped=dropped))
                yield from (MenuEntry(entry.statement, sure=False) for entry in inner)
        elif statement.compound is not None:
            _check_plain(statement)
        elif statement.name in _ELSEWHERE or "$" in statement.words[0].raw.split("=")[0]:
            raise UnknownMenuError(f"`{statement.name}` may bring entries from elsewhere", statement.start)


def _check_plain(compound: Statement) -> None:
    """A loop or a function may set variables, but make no entry."""
    for statement in compound.walk():
        if statement.name in (*ENTRIES, *_ELSEWHERE):
            raise UnknownMenuError(f"`{statement.name}` stands within a {compound.compound}", statement.start)


def _check_submenus(entry: Statement) -> None:
    """No submenu may start an entry by itself: a timeout within one is beyond the lines added at the end."""
    if entry.name != "submenu":
        return
    for statement in entry.walk():
        words = statement.words[1:] if statement.name == "set" else statement.words[:1]
        if any(re.match(r"timeout(=|$)", word.value) for word in words):
            raise UnknownMenuError("a submenu sets a timeout of its own", statement.start)


def first_manual(entries: Sequence[MenuEntry], asks: Callable[[Statement], bool]) -> int:
    """The index of the first entry that boots a kernel for an installation with questions."""
    for index, entry in enumerate(entries):
        if not entry.sure:
            raise UnknownMenuError(
                "an entry before the first manual one is there only sometimes", entry.statement.start
            )
        if _boots(entry, asks):
            return index
    raise UnknownMenuError("no entry for an installation by hand was found")


def _boots(entry: MenuEntry, asks: Callable[[Statement], bool]) -> bool:
    kernels = [statement for statement in entry.statement.body if statement.name in LINUX]
    return entry.statement.name == "menuentry" and bool(kernels) and all(asks(kernel) for kernel in kernels)


def index_of(wanted: Statement, entries: Sequence[MenuEntry]) -> int | None:
    """The index of an entry, None if one before it is there only sometimes."""
    for index, entry in enumerate(entries):
        if not entry.sure:
            return None
        if entry.statement is wanted:
            return index
    return None


def first_text(entries: Sequence[MenuEntry], asks: Callable[[Statement], bool]) -> int | None:
    """The first manual entry whose RAM disk is not the graphical one: the boot overlay talks on the text console."""
    for index, entry in enumerate(entries):
        if not entry.sure:
            return None
        graphical = any("gtk" in word.value for statement in entry.statement.body for word in statement.words)
        if _boots(entry, asks) and not graphical:
            return index
    return None
