"""What the ISO's boot loader would start on an armed stick: kernel, RAM disk and words of the entry. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ventoy_kit.images.grub import GrubSyntaxError, Statement, parse
from ventoy_kit.images.menu import ARMED_SUFFIX
from ventoy_kit.images.menu_entries import LINUX, UnknownMenuError, menu_entries


@dataclass(frozen=True, slots=True)
class BootEntry:
    """Paths on the ISO, and the kernel's words."""

    kernel: str
    initrd: str
    words: tuple[str, ...]

    def with_words(self, words: tuple[str, ...]) -> str:
        """The command line with more words, before `---` where there is one: what follows it is for the installed system."""
        at = self.words.index("---") if "---" in self.words else len(self.words)
        return " ".join((*self.words[:at], *words, *self.words[at:]))


def armed_entry(menu: str) -> BootEntry | None:
    """The entry that an armed stick's menu starts by itself; None if the menu is not one of ours.

    Args:
        menu: the derived menu, as it lies on the stick.
    """
    defaults = re.findall(r"^set default=(\d+)$", menu, re.MULTILINE)
    if not defaults:
        return None
    try:
        statements = parse(menu)
        named = [s for s in _walk(statements) if s.name == "menuentry" and _is_armed(s)]
        if not named:
            entries = tuple(menu_entries(statements))
            named = [entries[int(defaults[-1])].statement]
    except (GrubSyntaxError, UnknownMenuError, IndexError):
        return None
    return _entry(named[0])


def _walk(statements: tuple[Statement, ...]) -> Iterator[Statement]:
    for statement in statements:
        yield from statement.walk()


def _is_armed(entry: Statement) -> bool:
    return any(word.value.endswith(ARMED_SUFFIX) for word in entry.words)


def _entry(entry: Statement) -> BootEntry | None:
    kernels = [s.words for s in entry.body if s.name in LINUX]
    initrds = [s.words for s in entry.body if s.name.startswith("initrd")]
    if len(kernels) != 1 or len(initrds) != 1 or len(kernels[0]) < 2 or len(initrds[0]) != 2:
        return None
    kernel, initrd = kernels[0][1].value, initrds[0][1].value
    if not (kernel.startswith("/") and initrd.startswith("/")):
        return None
    return BootEntry(kernel, initrd, tuple(w.value for w in kernels[0][2:]))
