"""How wide text is, on a terminal and in a drawing, and where it breaks. Pure.

Drawings are set in DejaVu Sans (Verdana is as wide; what stands in for them elsewhere is narrower). The tables hold the
advance widths of its characters from blank to tilde, in 1/2048 of the font's size (fonts DejaVu 2.37, table `hmtx`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

PLAIN = (
    651, 821, 942, 1716, 1303, 1946, 1597, 563, 799, 799, 1024, 1716, 651, 739, 651, 690, 1303, 1303, 1303, 1303, 1303,
    1303, 1303, 1303, 1303, 1303, 690, 690, 1716, 1716, 1716, 1087, 2048, 1401, 1405, 1430, 1577, 1294, 1178, 1587,
    1540, 604, 604, 1343, 1141, 1767, 1532, 1612, 1235, 1612, 1423, 1300, 1251, 1499, 1401, 2025, 1403, 1251, 1403, 799,
    690, 799, 1716, 1024, 1024, 1255, 1300, 1126, 1300, 1260, 721, 1300, 1298, 569, 569, 1186, 569, 1995, 1298, 1253,
    1300, 1300, 842, 1067, 803, 1298, 1212, 1675, 1212, 1212, 1075, 1303, 690, 1303, 1716,
)  # fmt: skip
BOLD = (
    713, 934, 1067, 1716, 1425, 2052, 1786, 627, 936, 936, 1071, 1716, 778, 850, 778, 748, 1425, 1425, 1425, 1425, 1425,
    1425, 1425, 1425, 1425, 1425, 819, 819, 1716, 1716, 1716, 1188, 2048, 1585, 1561, 1503, 1700, 1399, 1399, 1681,
    1714, 762, 762, 1587, 1305, 2038, 1714, 1741, 1501, 1741, 1577, 1475, 1397, 1663, 1585, 2259, 1579, 1483, 1485, 936,
    748, 936, 1716, 1024, 1024, 1382, 1466, 1214, 1466, 1389, 891, 1466, 1458, 702, 702, 1362, 702, 2134, 1458, 1407,
    1466, 1466, 1010, 1219, 979, 1458, 1335, 1892, 1321, 1335, 1192, 1458, 748, 1458, 1716,
)  # fmt: skip
UNIT = 2048
UNKNOWN_WIDTH = 1.1
"""Width of a character that the tables do not hold, in sizes of the font: as wide as ideographs, with some air."""

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line in the unit of `size`, or a little more."""
    table = BOLD if bold else PLAIN
    total = 0.0
    for char in text:
        base = unicodedata.normalize("NFD", char)[0]
        if " " <= base <= "~":
            total += table[ord(base) - 32] / UNIT
        elif not unicodedata.combining(char):
            total += UNKNOWN_WIDTH
    return total * size


def cell_width(text: str) -> int:
    """Columns of a terminal: two for wide characters, none for those that combine."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def wrap(text: str, room: float, width: Callable[[str], float], most: int = 99) -> tuple[str, ...]:
    """Text in lines that fit; words that do not fit into a line of their own are broken.

    Args:
        text: one paragraph.
        room: width of a line.
        width: measures a text in the unit of `room`.
        most: lines at the most; the last one ends in an ellipsis where text was left out.
    """
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if width(joined) <= room:
            lines[-1] = joined
            continue
        if width(word) > room:  # begins in what is left of the line
            lines[-1:] = _broken(joined, room, width)
        else:
            lines.append(word)
    if len(lines) > most:
        return (*lines[: most - 1], shortened(" ".join(lines[most - 1 :]), room, width))
    return tuple(lines)


def _broken(word: str, room: float, width: Callable[[str], float]) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and width(pieces[-1] + char) > room:
            pieces.append("")
        pieces[-1] += char
    return pieces


def shortened(text: str, room: float, width: Callable[[str], float]) -> str:
    """The beginning of a text that fits, with an ellipsis if something was left out."""
    if width(text) <= room:
        return text
    kept = text
    while kept and width(kept.rstrip() + ELLIPSIS) > room:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS
