"""A drawing of the fleet as text in boxes, side by side as far as the terminal is wide. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ventoy_kit.sheets.cards import Band, Card, Drawing, in_rows
from ventoy_kit.sheets.measure import cell_width, wrap

NARROWEST = 25
"""Columns between two walls; less makes text hard to read."""
LEAST_WIDTH = 40


def as_boxes(drawing: Drawing, width: int) -> str:
    """The drawing for a terminal of so many columns; no line is longer, unless there are fewer than 40."""
    width = max(width, LEAST_WIDTH)
    columns = max(1, min(len(drawing.cards), (width - 1) // (NARROWEST + 1)))
    inner = (width - 1) // columns - 1
    lines = [drawing.title.upper()]
    for text in drawing.head:
        lines += wrap(text, width, cell_width)
    for row in in_rows(drawing.cards, columns):
        lines += _row(row, inner)
    for text in drawing.foot:
        lines += wrap(text, width, cell_width)
    return "\n".join(lines) + "\n"


def _row(row: Sequence[Card], inner: int) -> Iterator[str]:
    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * inner for _ in row) + right

    yield rule("┌", "┬", "┐")
    for number in range(len(row[0].bands)):
        cells = [_cell(card.bands[number], inner, loud=number > 0) for card in row]
        height = max(len(cell) for cell in cells)
        for line in range(height):
            yield "│" + "│".join(cell[line] if line < len(cell) else " " * inner for cell in cells) + "│"
        last = number == len(row[0].bands) - 1
        yield rule("└", "┴", "┘") if last else rule("├", "┼", "┤")


def _cell(band: Band, inner: int, *, loud: bool) -> list[str]:
    """The lines of one box, padded to its width; headings in capitals if `loud`, but never the name of a node."""
    found = []
    for line in band:
        text = line.text.upper() if line.strong and loud else line.text
        for index, part in enumerate(wrap(text, inner - 2 - 2 * line.indent - 2, cell_width)):
            hanging = 2 if index else 0
            found.append(" " * (1 + 2 * line.indent + hanging) + part)
    return [text + " " * (inner - cell_width(text)) for text in found]
