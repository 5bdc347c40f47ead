"""Tables on a narrow terminal: paths lose folders in their middle, so that a row stays on one line."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len

from ventoy_kit.app.outcome import Table

GAP = 2
"""Blanks between two columns."""
LEAST = 20
"""Characters that a path keeps; a row that needs more room is folded."""
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def narrowed(table: Table, width: int) -> Table:
    """The table with its paths shortened so that rows fit, if they can.

    Args:
        table: the table; only its column `path` is touched.
        width: characters of a line.
    """
    if table.path is None:
        return table
    number = table.path
    others = sum(
        max((cell_len(row[n]) for row in (table.columns, *table.rows)), default=0) + GAP
        for n in range(len(table.columns))
        if n != number
    )
    room = max(LEAST, width - others)
    rows = tuple((*row[:number], short_path(row[number], room), *row[number + 1 :]) for row in table.rows)
    return replace(table, rows=rows)


def short_path(path: str, width: int) -> str:
    """The path in at most `width` characters: its first folder and as much of its end as fits; else its end alone."""
    if cell_len(path) <= width:
        return path
    first, *rest = path.split("/")
    for number in range(1, len(rest)):
        short = "/".join([first, ELLIPSIS, *rest[number:]])
        if cell_len(short) <= width:
            return short
    end = path
    while cell_len(end) >= width and end:
        end = end[1:]
    return ELLIPSIS + end
