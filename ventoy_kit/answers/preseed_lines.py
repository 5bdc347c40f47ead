"""A line of a preseed, and how a row of one is shown without the passwords in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

REDACTED = "<redacted>"

_SECRETIVE = r"(?:password|passphrase|secret|token|wireless_w[ep][ap])"
_NAME = re.compile(_SECRETIVE, re.IGNORECASE)
_VALUE = re.compile(
    rf"((?:\S*{_SECRETIVE}\S*[ \t]+|[ \t]password[ \t]+)(?:(?:string|boolean|password|select|text)[ \t]+)?)[^ \t\\].*",
    re.IGNORECASE,
)
_CHPASSWD = re.compile(r"(_command[ \t]+string[ \t]+|^)\S?.*\bchpasswd\b.*")
_ACCOUNT = re.compile(r"(://)[^/\s:@]*:[^/\s@]*@")


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
    row = _CHPASSWD.sub(rf"\1{REDACTED}", _VALUE.sub(rf"\1{REDACTED}", row))
    return _ACCOUNT.sub(rf"\1{REDACTED}@", row)
