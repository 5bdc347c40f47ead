"""Sheets as Markdown, for wikis and tickets: task lists, with what a machine saw in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ventoy_kit.sheets.model import Booklet, Mark, Section

BOXES = {
    Mark.FACT: "- ",
    Mark.OPEN: "- [ ] ",
    Mark.RIGHT: "- [x] ",
    Mark.WRONG: "- [ ] ",
    Mark.UNSEEN: "- [ ] ",
}


def as_markdown(booklet: Booklet) -> str:
    """All sheets, each under a heading of the first level; the appendix at the end."""
    lines: list[str] = []
    for sheet in booklet.sheets:
        lines += [f"# {plain(sheet.title)}", ""]
        for section in sheet.sections:
            lines += _section(section)
    for section in booklet.appendix:
        lines += _section(section)
    if booklet.foot:
        lines.append(plain(" - ".join(booklet.foot)))
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {plain(section.title)}", "")
    if section.remark:
        yield from (plain(section.remark), "")
    for number, item in section.numbered():
        seen = f" **{plain(item.judged)}**" if item.judged else ""
        yield BOXES[item.mark] + number + plain(item.text) + seen
    yield ""


def plain(text: str) -> str:
    """Text that Markdown shows as it is: what would be markup is escaped, except within code spans."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _escaped(text)
    return "`".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>#|~`]|(?<!\w)&)", r"\\\1", text)
