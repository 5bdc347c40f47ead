"""What HTML pages of the kit have in common: escaping, the frame, paper and the foot of printed pages. Pure.

A page needs nothing besides itself: no script, no font, no picture from anywhere.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Literal

Paper = Literal["a4", "letter"]
PAPER: dict[Paper, str] = {"a4": "A4", "letter": "letter"}
"""The names of CSS (Paged Media, `size`)."""

FONTS = "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', Helvetica, Arial, sans-serif"


def escape(text: str) -> str:
    """Text as it may stand in an element or an attribute of HTML or XML; what XML does not allow is replaced."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape(text, quote=True)


def css_string(text: str) -> str:
    """A CSS string that can neither end early nor close the style element."""
    return '"' + "".join(c if c.isalnum() or c in " .,:-" else f"\\{ord(c):x} " for c in text) + '"'


def page_style(paper: Paper, foot: Iterable[str], *, name: str = "", landscape: bool = False) -> str:
    """The rules of one kind of printed page: its size, its margins, and page numbers at its foot.

    Args:
        paper: size.
        foot: what its left corner says.
        name: CSS name of the pages; all pages if empty.
        landscape: whether the long side lies.

    Browsers that know no margin boxes (CSS Paged Media, `@bottom-left`) print the page without them.
    """
    left = css_string(" - ".join(foot))
    size = PAPER[paper] + (" landscape" if landscape else "")
    return (
        f"@page {name} {{ size: {size}; margin: 12mm 14mm 17mm;\n"
        f"  @bottom-left {{ content: {left}; width: 80%; font: 8.5pt {FONTS}; color: #333; }}\n"
        f'  @bottom-right {{ content: "Page " counter(page) " of " counter(pages); '
        f"width: 20%; text-align: right; font: 8.5pt {FONTS}; color: #333; white-space: nowrap; }} }}\n"
    )


def document(title: str, style: str, body: str, *, pictures: bool = False) -> str:
    """A whole page; `pictures` that lie in it as data may be shown."""
    images = "; img-src data:" if pictures else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'"
        f'{images}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
