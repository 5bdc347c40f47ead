"""A drawing of the fleet as SVG: cards in a grid, every text measured before it is placed. Pure.

Nothing in it comes from elsewhere: no script, no font file, no link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ventoy_kit.sheets.cards import Band, Card, Drawing, in_rows
from ventoy_kit.sheets.measure import text_width, wrap
from ventoy_kit.sheets.page import FONTS, escape

CARD = 300.0
"""Width of a card; like all measures here in the drawing's own unit, a CSS pixel if it is not scaled."""
GAP = 20.0
MARGIN = 24.0
PAD = 12.0
STEP = 14.0
"""Indent of services below their guest, and of lines that go on."""
SIZE = 13.0
LEADING = 17.0
TITLE = 24.0
FILLS = ("#dfe7f1", "#ffffff", "#ffffff", "#f1f1f1")
"""Behind names, hardware, work, loss; each band has a line above it, so that nothing hangs on the tint."""
MOST_LINES = 4
"""A paragraph of a card has no more; what is left out is told by its tooltip."""
SHAPE = 1.414
"""Width by height of a sheet of paper that lies."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A placed line. `whole` is the full paragraph where the line was shortened."""

    x: float
    y: float
    text: str
    size: float = SIZE
    bold: bool = False
    whole: str = ""


def as_svg(drawing: Drawing, columns: int | None = None, *, ident: str = "blueprint") -> str:
    """The drawing as one SVG element.

    Args:
        drawing: what to draw.
        columns: cards side by side; by default as many as make its shape that of paper.
        ident: begins the ids in it, so that several drawings can stand in one page.
    """
    columns = columns or best_columns(drawing)
    width = width_of(columns)
    parts: list[str] = []
    y = MARGIN
    for text in _heading(drawing, width):
        parts.append(_text(text))
        y = text.y + LEADING
    for row in in_rows(drawing.cards, columns):
        heights = _band_heights(row)
        for index, card in enumerate(row):
            parts += _card(card, MARGIN + index * (CARD + GAP), y, heights)
        y += sum(heights) + GAP
    y += LEADING / 2
    for paragraph in drawing.foot:
        for line in wrap(paragraph, width - 2 * MARGIN, _plain):
            parts.append(_text(_Text(MARGIN, y, line)))
            y += LEADING
    height = y + MARGIN - LEADING
    told = "; ".join((*drawing.head, *(f"{c.node}: {c.title}" for c in drawing.cards)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-labelledby="{ident}-title {ident}-desc" font-family="{FONTS}" '
        f'fill="#000">\n<title id="{ident}-title">{escape(drawing.title)}</title>\n'
        f'<desc id="{ident}-desc">{escape(told)}</desc>\n'
        f'<rect class="paper" width="{width:g}" height="{height:g}" fill="#fff"/>\n{"".join(parts)}</svg>\n'
    )


def width_of(columns: int) -> float:
    """Width of a drawing with so many cards side by side."""
    return 2 * MARGIN + columns * CARD + (columns - 1) * GAP


def best_columns(drawing: Drawing) -> int:
    """How many cards side by side make the drawing's shape that of paper, as nearly as can be."""
    count = len(drawing.cards)

    def distance(columns: int) -> float:
        shape = width_of(columns) / (sum(height_of_rows(drawing, columns)) + head_height(drawing, columns))
        return max(shape / SHAPE, SHAPE / shape)

    return min(range(1, count + 1), key=distance) if count else 1


def head_height(drawing: Drawing, columns: int) -> float:
    """Room for everything but the cards."""
    room = width_of(columns) - 2 * MARGIN
    foot = sum(len(wrap(text, room, _plain)) for text in drawing.foot)
    heading = max((text.y for text in _heading(drawing, width_of(columns))), default=MARGIN)
    return heading + LEADING * (foot + 1.5) + MARGIN


def height_of_rows(drawing: Drawing, columns: int) -> tuple[float, ...]:
    """Heights of the rows of cards, each with the gap below it."""
    return tuple(sum(_band_heights(row)) + GAP for row in in_rows(drawing.cards, columns))


def _heading(drawing: Drawing, width: float) -> Iterator[_Text]:
    room = width - 2 * MARGIN
    y = MARGIN + TITLE * 0.8

    def measure(text: str) -> float:
        return text_width(text, TITLE, bold=True)

    for line in wrap(drawing.title, room, measure):
        yield _Text(MARGIN, y, line, TITLE, bold=True)
        y += TITLE * 1.25
    for paragraph in drawing.head:
        for line in wrap(paragraph, room, _plain):
            yield _Text(MARGIN, y, line)
            y += LEADING


def _plain(text: str) -> float:
    return text_width(text, SIZE)


def _bold(text: str) -> float:
    return text_width(text, SIZE, bold=True)


def _band_heights(row: Sequence[Card]) -> tuple[float, ...]:
    """Heights of the bands, each that of the fullest card."""
    return tuple(
        max(len(_lines(card.bands[n])) for card in row) * LEADING + PAD for n in range(len(row[0].bands))
    )


def _lines(band: Band) -> list[_Text]:
    """The lines of a band, from its own upper left corner."""
    found: list[_Text] = []
    for line in band:
        indent = PAD + line.indent * STEP
        room = CARD - indent - PAD - STEP
        parts = wrap(line.text, room, _bold if line.strong else _plain, MOST_LINES)
        shortened = " ".join(parts) != " ".join(line.text.split())
        for number, part in enumerate(parts):
            y = PAD / 2 + SIZE + len(found) * LEADING
            whole = line.text if shortened and number == len(parts) - 1 else ""
            found.append(_Text(indent + (STEP if number else 0), y, part, bold=line.strong, whole=whole))
    return found


def _card(card: Card, x: float, y: float, heights: Sequence[float]) -> Iterator[str]:
    yield f'<g class="card" role="group" aria-label="{escape(f"{card.node}: {card.title}")}">\n'
    top = y
    for band, height, fill in zip(card.bands, heights, FILLS, strict=True):
        yield (
            f'<rect class="band" x="{x:g}" y="{top:g}" width="{CARD:g}" height="{height:g}" fill="{fill}" '
            'stroke="#444" stroke-width="1"/>\n'
        )
        for line in _lines(band):
            yield _text(_Text(x + line.x, top + line.y, line.text, line.size, line.bold, line.whole))
        top += height
    yield f'<rect x="{x:g}" y="{y:g}" width="{CARD:g}" height="{top - y:g}" fill="none" stroke="#000" stroke-width="2"/>\n'
    yield "</g>\n"


def _text(line: _Text) -> str:
    weight = ' font-weight="bold"' if line.bold else ""
    tip = f"<title>{escape(line.whole)}</title>" if line.whole else ""
    return f'<text x="{line.x:g}" y="{line.y:g}" font-size="{line.size:g}"{weight}>{tip}{escape(line.text)}</text>\n'
