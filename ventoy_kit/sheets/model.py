"""A sheet: sections of items, each a fact, something for a person to tick, or something a machine has judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """What stands before an item. The values are those of `--json`."""

    FACT = "fact"
    """To read; there is nothing to tick."""
    OPEN = "open"
    """A person looks and ticks it."""
    RIGHT = "right"
    """A machine has looked, and it is so."""
    WRONG = "wrong"
    """A machine has looked, and it is not so."""
    UNSEEN = "unseen"
    """A machine has looked and cannot tell; a person ticks it."""


WORDS = {Mark.RIGHT: "Checked", Mark.WRONG: "WRONG", Mark.UNSEEN: "Not seen"}
"""How evidence begins, so that no mark is told by its looks alone."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line.

    Attributes:
        text: what to compare, set, press or know.
        mark: who has judged it, and how.
        evidence: what a machine saw, and where; empty for facts and open items.
    """

    text: str
    mark: Mark = Mark.OPEN
    evidence: str = ""

    @property
    def judged(self) -> str:
        """The evidence with its word; empty if no machine has looked."""
        word = WORDS.get(self.mark)
        return "" if word is None else f"{word}: {self.evidence}" if self.evidence else f"{word}."


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its items.

    Attributes:
        title: the heading.
        items: what stands below it.
        remark: a sentence above the items.
        steps: whether the items are done one after the other, so that they are numbered.
        danger: whether it says what is destroyed; set off by a frame.
    """

    title: str
    items: tuple[Item, ...]
    remark: str = ""
    steps: bool = False
    danger: bool = False

    def numbered(self) -> Iterator[tuple[str, Item]]:
        """The items, each with its number if it is a step."""
        for number, item in enumerate(self.items, start=1):
            yield (f"{number}. " if self.steps else ""), item


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet of one machine.

    Attributes:
        name: host name, which the foot of its pages shows.
        title: the heading.
        sections: in the order in which they are used.
    """

    name: str
    title: str
    sections: tuple[Section, ...]

    @property
    def is_judged(self) -> bool:
        """Whether a machine has judged anything on it."""
        return any(item.mark in WORDS for section in self.sections for item in section.items)


@dataclass(frozen=True, slots=True)
class Booklet:
    """Sheets that are printed together.

    Attributes:
        title: title of the whole.
        sheets: one for each machine.
        appendix: what is the same for all machines; stands once, after the sheets.
        foot: what every page says of its origin, such as fleet and lock.
    """

    title: str
    sheets: tuple[Sheet, ...]
    appendix: tuple[Section, ...]
    foot: tuple[str, ...]


def as_data(sheet: Sheet) -> dict[str, object]:
    """A sheet for `--json`."""
    return {
        "title": sheet.title,
        "sections": [
            {
                "title": section.title,
                "remark": section.remark,
                "items": [
                    {"text": i.text, "mark": str(i.mark), "evidence": i.evidence} for i in section.items
                ],
            }
            for section in sheet.sections
        ],
    }
