"""The blueprint as an HTML page to print and hang up: drawings that fill a page each, then tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ventoy_kit.sheets.cards import Card, Drawing, in_rows
from ventoy_kit.sheets.page import FONTS, Paper, document, escape, page_style
from ventoy_kit.sheets.svg import as_svg, head_height, height_of_rows, width_of

COLUMNS = 3
"""Cards side by side on a page: their text is 9 points high on A4 then."""
ROOM: dict[Paper, float] = {"a4": 181 / 269, "letter": 186.9 / 251.4}
"""Height by width of what the margins leave of a page that lies, in mm."""

STYLE = f"""\
html {{ font: 11pt/1.4 {FONTS}; color: #000; background: #fff; }}
body {{ margin: 0 auto; padding: 0 1rem 2rem; max-width: 75rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5em; margin: 1rem 0 .3rem; }}
h2 {{ font-size: 1.15em; margin: 1.2rem 0 .3rem; break-after: avoid; }}
figure {{ margin: 0 0 1rem; }}
figure svg {{ display: block; width: 100%; height: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border: 1px solid #444; padding: .2em .5em; text-align: left; vertical-align: top; }}
td {{ min-width: 5em; }}
th {{ background: #dfe7f1; overflow-wrap: normal; }}
tr {{ break-inside: avoid; }}
@media print {{
  html {{ font-size: 9.5pt; }}
  body {{ max-width: none; padding: 0; }}
  h1 {{ position: absolute; left: -9999px; }}
  figure {{ break-after: page; break-inside: avoid; margin: 0; }}
  figure svg {{ max-height: 176mm; }}
  h2:first-of-type {{ margin-top: 0; }}
}}
"""


@dataclass(frozen=True, slots=True)
class TableText:
    """A table with its heading."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_poster(drawing: Drawing, tables: Sequence[TableText], paper: Paper, foot: tuple[str, ...]) -> str:
    """The page.

    Args:
        drawing: what to draw.
        tables: what stands below; those without rows are left out.
        paper: size of the printed pages, which lie.
        foot: what every printed page says of its origin.
    """
    figures = [
        f"<figure>\n{as_svg(page, columns, ident=f'page{number}')}</figure>\n"
        for number, (page, columns) in enumerate(pages(drawing, paper), start=1)
    ]
    body = [f"<main>\n<h1>{escape(drawing.title)}</h1>\n", *figures]
    for number, table in enumerate(t for t in tables if t.rows):
        body += _table(table, number)
    body.append("</main>\n")
    return document(drawing.title, page_style(paper, foot, landscape=True) + STYLE, "".join(body))


def pages(drawing: Drawing, paper: Paper) -> Iterator[tuple[Drawing, int]]:
    """The drawing in parts that fit a page each, at one scale, with the number of columns.

    The head stands on the first page, the foot on the last one.
    """
    columns = max(1, min(COLUMNS, len(drawing.cards)))
    room = width_of(columns) * ROOM[paper]
    rows = list(in_rows(drawing.cards, columns))
    groups: list[list[Card]] = [[]]
    used = head_height(drawing, columns)
    for row, height in zip(rows, height_of_rows(drawing, columns), strict=True):
        if groups[-1] and used + height > room:
            groups.append([])
            used = head_height(replace(drawing, head=()), columns)
        groups[-1] += row
        used += height
    for number, cards in enumerate(groups, start=1):
        title = drawing.title if len(groups) == 1 else f"{drawing.title} ({number} of {len(groups)})"
        head = drawing.head if number == 1 else ()
        foot = drawing.foot if number == len(groups) else ()
        yield Drawing(title, head, tuple(cards), foot), columns


def _table(table: TableText, number: int) -> Iterator[str]:
    ident = f"table-{number}"
    yield f'<h2 id="{ident}">{escape(table.title)}</h2>\n<table aria-labelledby="{ident}">\n<thead><tr>'
    yield "".join(f'<th scope="col">{escape(c)}</th>' for c in table.columns)
    yield "</tr></thead>\n<tbody>\n"
    for first, *rest in table.rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        yield f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>\n'
    yield "</tbody>\n</table>\n"
