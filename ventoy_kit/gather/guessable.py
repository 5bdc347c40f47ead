"""Whether a password is one of those that are tried first. Pure; what it says holds no part of the password."""

from __future__ import annotations

import re
from collections.abc import Collection

_FIRST = frozenset((
    "admin", "administrator", "asdfghjkl", "azerty", "changeit", "changeme", "debian", "default", "dragon", "guest",
    "homelab", "hunter", "iloveyou", "letmein", "linux", "master", "monkey", "passphrase", "passw", "passwd",
    "password", "passwort", "proxmox", "qwerty", "qwertyui", "qwertyuiop", "qwertz", "root", "secret", "server",
    "test", "testing", "toor", "trustno", "ubuntu", "user", "ventoy", "welcome",
))  # fmt: skip
_RUNS = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz")
_LETTERS = str.maketrans("013457@$!", "oleastasi")
"""Signs that stand for letters."""

FEWEST = 4
"""Different characters that a password has at least."""
MANY = 16
"""Digits that nobody tries all of."""
ADDED = 8
"""Digits and signs beside a word, with fewer of which the word is all there is to guess."""


def why_guessable(password: str, names: Collection[str]) -> str | None:
    """Why it is tried first, as the end of a sentence about it; None if nothing is known against it.

    Args:
        password: the password.
        names: words that stand in the fleet file, such as names of nodes and accounts.
    """
    low = password.lower()
    if len(set(low)) < FEWEST:
        return f"it has fewer than {FEWEST} different characters"
    if low.isdecimal() and len(low) < MANY:
        return "it is made of digits alone"
    if any(low in run for run in _RUNS):
        return "its characters follow each other in the alphabet"
    core = re.sub(r"[^a-z]+$", "", low)
    for text in (low, low.translate(_LETTERS), core.translate(_LETTERS)):
        words = re.findall(r"[a-z]+", text)
        bare = "".join(words)
        if not bare or len(low) - len(bare) > ADDED:
            continue
        long = [word for word in words if len(word) > 2]
        is_common = long and all(word in _FIRST for word in long) and len(bare) - len("".join(long)) <= 2
        if bare in _FIRST or is_common:
            return "it is a common word with digits or signs at most"
        if bare in {re.sub(r"[^a-z]+", "", name.lower()) for name in names}:
            return "it is a name of this fleet with digits or signs at most"
    return None
