"""Sheets as one HTML page, made to be printed: one machine begins a page, every page says whose it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ventoy_kit.sheets.model import Booklet, Item, Mark, Section, Sheet
from ventoy_kit.sheets.page import FONTS, Paper, document, escape, page_style

SIGNS = {
    Mark.OPEN: ("", "to tick"),
    Mark.RIGHT: ("\N{CHECK MARK}", "checked"),
    Mark.WRONG: ("\N{BALLOT X}", "wrong"),
    Mark.UNSEEN: ("?", "not seen"),
}
"""What stands in the box, and what a screen reader says of it."""

STYLE = f"""\
html {{ font: 12pt/1.4 {FONTS}; color: #000; background: #fff; }}
body {{ margin: 0 auto; padding: 0 1rem 2rem; max-width: 52rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5em; line-height: 1.2; margin: 1.2rem 0 .4rem; border-bottom: 3px solid #000; }}
h2 {{ font-size: 1.1em; margin: 1.1rem 0 .3rem; }}
p {{ margin: .2rem 0 .4rem; }}
ul, ol {{ margin: 0; padding: 0; list-style: none; }}
li {{ position: relative; padding: .16em 0 .16em 2em; break-inside: avoid; }}
.box {{ position: absolute; left: 0; top: .22em; box-sizing: border-box; width: 1.3em; height: 1.3em;
  border: 2px solid #000; border-radius: 2px; font-weight: bold; line-height: 1.05em; text-align: center; }}
.dot {{ position: absolute; left: .4em; }}
.number {{ font-weight: bold; }}
.seen {{ font-size: .88em; color: #222; }}
.wrong .seen {{ font-weight: bold; }}
.wrong .box {{ border-width: 3px; line-height: .95em; }}
.danger {{ border: 3px solid #000; padding: 0 .8em .5em; margin: 1.1rem 0; }}
.danger h2 {{ margin-top: .5rem; }}
code {{ font: .95em 'DejaVu Sans Mono', Consolas, monospace; }}
footer, .legend {{ font-size: .88em; color: #222; }}
footer {{ margin-top: 1rem; border-top: 1px solid #000; break-before: avoid; }}
.appendix li {{ font-size: .88em; }}
h2, h1 {{ break-after: avoid; }}
@media screen {{ .sheet + .sheet, .appendix {{ border-top: 6px double #000; margin-top: 3rem; }} }}
@media print {{
  html {{ font-size: 11.5pt; }}
  body {{ max-width: none; padding: 0; }}
  h1 {{ margin-top: 0; }}
  .sheet + .sheet, .appendix {{ break-before: page; }}
  p {{ orphans: 3; widows: 3; }}
}}
"""


def as_html(booklet: Booklet, paper: Paper) -> str:
    """All sheets as one page of HTML."""
    styles = [page_style(paper, booklet.foot)]
    parts = []
    for sheet in booklet.sheets:
        page = _ident("sheet", sheet.name)
        styles.append(page_style(paper, (sheet.name, *booklet.foot), name=page))
        styles.append(f"#{page} {{ page: {page}; }}\n")
        parts.append(_sheet(sheet, page, booklet.foot))
    if booklet.appendix:
        parts.append('<div class="appendix">\n')
        for number, section in enumerate(booklet.appendix):
            parts.append(_section(section, f"appendix-{number}"))
        parts.append("</div>\n")
    body = f"<main>\n{''.join(parts)}</main>\n"
    return document(booklet.title, STYLE + "".join(styles), body)


def _ident(*parts: str) -> str:
    """An id that is a CSS identifier, too."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", p.lower()) for p in parts)


def _sheet(sheet: Sheet, page: str, foot: Iterable[str]) -> str:
    lines = [
        f'<article class="sheet" id="{page}" aria-labelledby="{page}-title">\n',
        f'<h1 id="{page}-title">{rich(sheet.title)}</h1>\n',
    ]
    if sheet.is_judged:
        lines.append(f'<p class="legend">{_legend()}</p>\n')
    for number, section in enumerate(sheet.sections):
        lines.append(_section(section, f"{page}-{number}"))
    lines.append(f"<footer>{escape(' - '.join((sheet.name, *foot)))}</footer>\n</article>\n")
    return "".join(lines)


def _legend() -> str:
    told = {Mark.RIGHT: "checked by machine", Mark.WRONG: "wrong", Mark.UNSEEN: "could not be seen"}
    signs = ", ".join(f"{SIGNS[mark][0]} {text}" for mark, text in told.items())
    return f"In the boxes: {signs}. Empty boxes are for you to tick."


@lru_cache(256)
def _section(section: Section, ident: str) -> str:
    """Remembered, since the appendix is the same for every node."""
    frame = ' class="danger"' if section.danger else ""
    remark = f"<p>{rich(section.remark)}</p>\n" if section.remark else ""
    tag = "ol" if section.steps else "ul"
    items = "".join(_item(item, number) for number, item in section.numbered())
    return (
        f'<section{frame} aria-labelledby="{ident}">\n<h2 id="{ident}">{rich(section.title)}</h2>\n'
        f"{remark}<{tag}>\n{items}</{tag}>\n</section>\n"
    )


def _item(item: Item, number: str) -> str:
    if item.mark is Mark.FACT:
        box = '<span class="dot" aria-hidden="true">\N{BULLET}</span>'
    else:
        sign, told = SIGNS[item.mark]
        box = f'<span class="box" role="img" aria-label="{told}">{sign}</span>'
    count = f'<span class="number">{number}</span>' if number else ""
    seen = f'<div class="seen">{rich(item.judged)}</div>' if item.judged else ""
    return f'<li class="{item.mark}">{box}{count}{rich(item.text)}{seen}</li>\n'


def rich(text: str) -> str:
    """Escaped text, with what stands between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{escape(p)}</code>" if i % 2 else escape(p) for i, p in enumerate(parts))
