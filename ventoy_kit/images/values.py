"""Types of single values in catalog files and in the lock: how each is spelled and checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from ventoy_kit.fleet.values import as_text, bad

FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")
"""Names that may become a local file: no folder, no blank, no leading dot or hyphen, nothing a shell or FAT knows."""

RELEASE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,39}[A-Za-z0-9])?")
"""What a release may look like before it is put into a file name or an address."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_URL_PATH: Final = r"(?:/[A-Za-z0-9._~+,%:@-]*)*"
_HTTPS: Final = re.compile(
    rf"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{{1,5}})?{_URL_PATH}(?:\?[A-Za-z0-9._~=&%+/-]*)?"
)
_RELATIVE: Final = re.compile(rf"[A-Za-z0-9._~+,-]+{_URL_PATH}")


def _check(test: Callable[[str], bool], what: str, remedy: str) -> BeforeValidator:
    def check(value: Any) -> str:
        text = as_text(value)
        if not test(text):
            raise bad(f"`{text}` is not {what}", remedy)
        return text

    return BeforeValidator(check)


def _filled(text: str, allowed: tuple[str, ...]) -> str | None:
    """The template with harmless words in its placeholders, or None if it has others or stray braces."""
    if any(name not in allowed for name in _PLACEHOLDER.findall(text)):
        return None
    filled = _PLACEHOLDER.sub("x", text)
    return None if "{" in filled or "}" in filled or ".." in filled else filled


def _is_url(text: str, allowed: tuple[str, ...] = ()) -> bool:
    filled = _filled(text, allowed)
    return filled is not None and _HTTPS.fullmatch(filled) is not None


def _is_mirror(text: str) -> bool:
    return text.endswith("/") and _is_url(text, ("release",))


def _is_reference(text: str) -> bool:
    """An absolute address, or a path below a mirror."""
    if text.startswith("https://"):
        return _is_url(text, ("release", "file"))
    filled = _filled(text, ("release", "file"))
    return filled is not None and _RELATIVE.fullmatch(filled) is not None


def _is_file_template(text: str) -> bool:
    filled = _filled(text, ("release",))
    return text.count("{release}") == 1 and filled is not None and FILE_NAME.fullmatch(filled) is not None


def _is_pattern(text: str) -> bool:
    try:
        compiled = re.compile(text, re.ASCII)
    except (re.error, RecursionError):
        return False
    return not compiled.groups and compiled.fullmatch("") is None


def _text_matching(expression: str, what: str, remedy: str) -> Any:
    compiled = re.compile(expression)
    return _check(lambda text: compiled.fullmatch(text) is not None, what, remedy)


_TEXT: Final = WithJsonSchema({"type": "string"})

HttpsUrl = Annotated[
    str,
    _check(_is_url, "an address that begins with https://", "Write https://, the host and the path."),
    _TEXT,
]
"""An address without placeholders. Plain HTTP is refused: a listing that anybody on the way can change is none."""

Mirror = Annotated[
    str,
    _check(
        _is_mirror,
        "an https:// address of a folder",
        "Write https://, host and path, end it with `/`, and use `{release}` where the release stands in it.",
    ),
    _TEXT,
]
"""A folder on a server; `{release}` may stand in it."""

Reference = Annotated[
    str,
    _check(
        _is_reference,
        "a file beside the image or an https:// address",
        "Write a name such as `{file}.asc`, or a whole https:// address; `{release}` and `{file}` are known.",
    ),
    _TEXT,
]
"""Where a checksum file or a signature lies: relative to the mirror, or absolute."""

FileTemplate = Annotated[
    str,
    _check(
        _is_file_template,
        "a file name with one `{release}`",
        "Write the vendor's file name with `{release}` in the place of the release, without folders.",
    ),
    _TEXT,
]
"""A vendor's file name with `{release}` in it."""

FileName = Annotated[
    str,
    _check(
        lambda text: FILE_NAME.fullmatch(text) is not None,
        "a plain file name",
        "Use letters, digits, dots, hyphens, underscores, `+` and `~`; no folder.",
    ),
    _TEXT,
]
"""A name that may become a file in the cache or on the stick."""

Release = Annotated[
    str,
    _check(
        lambda text: RELEASE.fullmatch(text) is not None and ".." not in text,
        "a release",
        "Write it as the vendor does, such as 9.1-1 or 13.2.0.",
    ),
    _TEXT,
]
"""An exact release."""

Pattern = Annotated[
    str,
    _check(
        _is_pattern,
        "a regular expression without groups that needs at least one character",
        r"Write a Python regular expression such as `\d+\.\d+`; use `(?:...)` for groups.",
    ),
    _TEXT,
]
"""A regular expression, always matched against the whole text."""

Fingerprint = Annotated[
    str,
    _text_matching(
        r"[0-9A-F]{40}|[0-9A-F]{64}",
        "a full fingerprint of an OpenPGP key",
        "Write all 40 (or 64) hex digits in capitals, without blanks; a key id is too short to pin anything.",
    ),
    _TEXT,
]
"""The fingerprint of a primary key."""

Sha256 = Annotated[
    str, _text_matching(r"[0-9a-f]{64}", "a SHA-256 digest", "Write 64 hex digits in lower case."), _TEXT
]
Sha512 = Annotated[
    str, _text_matching(r"[0-9a-f]{128}", "a SHA-512 digest", "Write 128 hex digits in lower case."), _TEXT
]
