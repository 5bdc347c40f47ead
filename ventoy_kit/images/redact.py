"""Showing what somebody else wrote without the secrets in it. What is not known to be harmless is not shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

REDACTED: Final = "<redacted>"

_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|secret|token|credential|authorization|bearer|private|(?:^|[-_/.])keys?(?:$|[-_/.])|crypted|\bauth\b",
    re.IGNORECASE,
)
_HASH: Final = re.compile(r"\$[0-9a-z]{1,8}\$[^\s\"']*")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
_SSH_KEY: Final = re.compile(r"((?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+)\s+[A-Za-z0-9+/=]{16,}")
_OPAQUE: Final = re.compile(r"(?<![\w/+.-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{24,}(?![\w+/=-])")
"""A long run of letters and digits: a key or a token, or something that nobody misses."""


def is_secret_name(name: str) -> bool:
    """Whether a key or a question is called like something secret."""
    return _SECRET_NAME.search(name) is not None


def redacted_url(url: str) -> str:
    """An address without user, password, query and fragment: each of them may hold a token."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return REDACTED
    user = f"{REDACTED}@" if "@" in parts.netloc else ""
    query = REDACTED if parts.query else ""
    return urlunsplit((parts.scheme, user + host, parts.path, query, REDACTED if parts.fragment else ""))


def redacted_text(text: str) -> str:
    """One value that is not called a secret, without what looks like one all the same."""
    text = _HASH.sub(REDACTED, text)
    text = _SSH_KEY.sub(rf"\1 {REDACTED}", text)
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(redacted_url(match[0]))
        return f"\0{len(kept) - 1}\0"

    text = _OPAQUE.sub(_unless_path, _URL.sub(keep, text.replace("\0", "")))
    return re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], text)


def _unless_path(match: re.Match[str]) -> str:
    """A disk or a file on the medium is what a person looks for."""
    return match[0] if match[0].startswith(("/dev/", "/cdrom/", "/hd-media/")) else REDACTED


def redacted_tree(value: Any, name: str = "") -> Any:
    """A parsed TOML document without its secrets; whatever stands under a secret's name goes as a whole.

    A fingerprint of a certificate and public SSH keys are no secrets; of the latter kind and comment are left.
    """
    if is_secret_name(name) and "ssh-key" not in name.replace("_", "-"):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): redacted_tree(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted_tree(item, "") for item in value]
    if isinstance(value, str):
        return value if "fingerprint" in name else redacted_text(value)
    return value
