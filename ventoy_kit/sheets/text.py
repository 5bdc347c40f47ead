"""Sheets as plain text, for every printer and every terminal. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import lru_cache

from ventoy_kit.sheets.model import Booklet, Mark, Section

WIDTH = 78
PAGE_BREAK = "\f"
BOXES = {
    Mark.FACT: "  - ",
    Mark.OPEN: "[ ] ",
    Mark.RIGHT: "[x] ",
    Mark.WRONG: "[!] ",
    Mark.UNSEEN: "[?] ",
}
LEGEND = "[x] checked by machine, [!] wrong, [?] could not be seen, [ ] is for you to tick."


def as_text(booklet: Booklet) -> str:
    """All sheets, parted by form feeds; the appendix after the last one."""
    pages = []
    for index, sheet in enumerate(booklet.sheets):
        lines = [*_wrap(sheet.title, "", ""), "=" * min(len(sheet.title), WIDTH), ""]
        if sheet.is_judged:
            lines += [*_wrap(LEGEND, "", ""), ""]
        for section in sheet.sections:
            lines += [*_section(section), ""]
        if index == len(booklet.sheets) - 1:
            for section in booklet.appendix:
                lines += [*_section(section), ""]
        if booklet.foot:
            lines += _wrap(" - ".join(booklet.foot), "", "")
        pages.append("\n".join(lines).rstrip() + "\n")
    return PAGE_BREAK.join(pages)


@lru_cache(256)
def _section(section: Section) -> tuple[str, ...]:
    """Remembered, since most of what the sheets of a fleet say is the same for every node."""
    return tuple(_lines(section))


def _lines(section: Section) -> Iterator[str]:
    yield section.title
    yield "-" * len(section.title)
    if section.remark:
        yield from _wrap(section.remark, "", "")
        yield ""
    for number, item in section.numbered():
        yield from _wrap(number + item.text, BOXES[item.mark], "    ")
        if item.judged:
            yield from _wrap(item.judged, "    ", "      ")


@lru_cache(4096)
def _wrap(text: str, first: str, rest: str) -> tuple[str, ...]:
    """Remembered, as sections are."""
    return tuple(
        textwrap.wrap(
            text,
            WIDTH,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
