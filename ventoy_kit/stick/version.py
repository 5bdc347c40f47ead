"""Which Ventoy is on a stick, and what that allows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ventoy_kit.report import Finding
from ventoy_kit.stick import codes

VERSION_FILE = ("grub", "grub.cfg")
"""Where Ventoy writes down its version, on partition 2 (vtoycli/vtoyfat.c, get_ventoy_version)."""

ARMING_VERSION = "1.1.17"
"""The oldest Ventoy that may be armed: the one that was tried, and the first that leaks no kernel parameter."""

_VERSION = re.compile(rb'VENTOY_VERSION="?([^"\r\n\0]{1,32})')


def version_in(config: bytes) -> str:
    """The version that Ventoy's grub.cfg names; empty if it names none."""
    found = _VERSION.search(config)
    return "" if found is None else found[1].decode("ascii", errors="replace").strip()


def is_at_least(version: str, other: str) -> bool:
    """Whether a version is not older than another; a version without any number is older than all."""
    return _numbers(version) >= _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def version_warnings(path: str, version: str) -> Iterator[Finding]:
    """What a stick's version means; empty where partition 2 was read and names none."""
    if not version:
        yield codes.NO_VENTOY_FILES.finding(
            f"partition 2 of {path} holds no Ventoy (no grub/grub.cfg that names a version)",
            "Install Ventoy with its own installer (update), or no machine will start from this stick.",
        )
    elif not is_at_least(version, ARMING_VERSION):
        yield codes.OLD_VENTOY.finding(
            f"{path} has Ventoy {version}: it cannot be armed",
            f"Update it with Ventoy's own installer to {ARMING_VERSION} or newer.",
        )
