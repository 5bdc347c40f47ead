"""A line of a preseed, and how a row of one is shown without the passwords in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

REDACTED = "<redacted>"
LINE = re.compile(r"^[^\s#]+[ \t]+[A-Za-z0-9.+_-]+/[^\s]+[ \t]+[a-z]+\b", re.MULTILINE)
"""The beginning of a well-formed line."""

_SECRETIVE = r"(?:pass(?!wd/)|pasw|secret|token|credential|authorization|crypted|wireless_w[ep][ap])"
_NAME = re.compile(_SECRETIVE, re.IGNORECASE)
_VALUE = re.compile(
    rf"((?:\S*{_SECRETIVE}[^\s=:]*[ \t=:]+|[ \t]password[ \t]+)(?:(?:string|boolean|password|select|text)[ \t]+)?)"
    r"[^ \t\\].*",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"(?:_command|preseed/run)[ \t]")
_PROGRAM = re.compile(
    r"(^.*(?:_command|preseed/run)[ \t]+string[ \t]+|^).*\b(?:(?:ch|mk)passwd|usermod|user-?add|adduser|openssl)\b.*"
)
_ACCOUNT = re.compile(r"""(://)[^\s"']*@|([ \t](?:-u|--user)[ \t=]*)[^\s:]+:\S+""")
_HASH = re.compile(r"\$(?:6|y|5|2[aby]|gy|7|1)\$\S+")


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: its number in the file, the text of its first line, and owner, question, type and value."""

    number: int
    first: str
    owner: str
    question: str
    type: str
    value: str


def is_secret(question: str) -> bool:
    """Whether a question's value is a secret."""
    return _NAME.search(question) is not None


def redacted(row: str) -> str:
    """A row of the file without passwords, as findings end up in logs."""
    row = _PROGRAM.sub(rf"\1{REDACTED}", _VALUE.sub(rf"\1{REDACTED}", row))
    row = _ACCOUNT.sub(lambda m: f"{m[1]}{REDACTED}@" if m[1] else f"{m[2]}{REDACTED}", row)
    return _HASH.sub(REDACTED, row)


def row_without_secrets(rows: Sequence[str], number: int) -> str:
    """A row of the file for a finding; what its neighbours tell counts too, as a secret's name may stand before it.

    Args:
        rows: the file.
        number: the row, from 1; behind the last one there is nothing.
    """
    if number > len(rows) or not rows[number - 1].strip():
        return ""
    start = end = number
    while start > 1 and rows[start - 2].endswith("\\"):
        start -= 1
    while end < len(rows) and rows[end - 1].endswith("\\"):
        end += 1
    row, before = rows[number - 1], rows[number - 2] if number > 1 else ""
    whole = " ".join(r.removesuffix("\\").strip() for r in rows[start - 1 : end])
    if start == number and not LINE.match(whole) and is_secret(before):
        return REDACTED  # a line that was broken without a backslash
    if start == end or redacted(whole) == whole:
        return redacted(row)
    if _COMMAND.search(whole) and not _PROGRAM.match(whole):
        before = before.removesuffix("\\").strip() if start < number else ""
        begins = (
            redacted(before) == before and redacted(f"{before} {row.strip()}") != f"{before} {row.strip()}"
        )
        return REDACTED if begins and redacted(row) == row else redacted(row)
    return redacted(whole) if number == start else REDACTED
