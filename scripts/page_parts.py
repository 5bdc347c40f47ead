"""What the generated pages of the reference have in common."""

from __future__ import annotations

from typing import Any

NOTICE = "<!-- Written by scripts/make_docs.py: change the code, then run `make docs`. -->\n"


def cell(text: str) -> str:
    """Text inside a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def shown(value: Any) -> str:
    """A default value in a table."""
    if value is None or value in ((), [], ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`[{', '.join(map(str, value))}]`" if isinstance(value, list | tuple) else f"`{value}`"
