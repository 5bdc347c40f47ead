"""Pictures of a screen in the form P6 (ppm(5)): whether one shows something new. Pure."""

from __future__ import annotations

from typing import Final

LITTLE: Final = 0.005
"""Part of a screen that a countdown or a cursor changes at most; a line of text is about twice as much."""

_BLOCK: Final = 48
"""Bytes that are compared at a time: 16 pixels."""


def is_new(before: bytes, after: bytes) -> bool:
    """Whether the second picture shows more than the first with another digit in it."""
    if len(before) != len(after):
        return True
    blocks = range(0, len(after), _BLOCK)
    differ = sum(before[at : at + _BLOCK] != after[at : at + _BLOCK] for at in blocks)
    return differ > LITTLE * len(blocks)
