"""Releases: how they are ordered, how they are found in a listing, and which one a request means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.catalog import CatalogEntry, is_release
from ventoy_kit.report import Path, Report

LATEST = "latest"
"""The request for the newest release."""

VersionKey = tuple[tuple[int, int, str], ...]

_PART = re.compile(r"[0-9]+|[A-Za-z]+")
_SHOWN = 8


def version_key(release: str) -> VersionKey:
    """A key that sorts releases: numbers as numbers, so that 3.3.3-9 < 3.3.3-37, 8.9 < 8.10 and s4 < s10.

    Letters come before numbers in the same position; separators do not count; a release comes before those that
    continue it (13.1 < 13.1.1, 2.06 < 2.06s4).
    """
    return tuple(
        (1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in _PART.findall(release)
    )


def is_newer(release: str, than: str) -> bool:
    """Whether one release comes after another."""
    return version_key(release) > version_key(than)


def matches(request: str, release: str) -> bool:
    """Whether a release is what was asked for: `latest`, itself, or a series it belongs to.

    `9` and `9.1` are series of `9.1-1`; `8.1` is none of `8.10`.
    """
    if request in (LATEST, release):
        return True
    wanted = version_key(request)
    return bool(wanted) and version_key(release)[: len(wanted)] == wanted


def is_before(request: str, release: str) -> bool:
    """Whether all that a request can give comes before a release: `8.3-1` and `8.3` before 8.4-1, but not `8`."""
    wanted = version_key(request)
    return request != LATEST and wanted < version_key(release)[: len(wanted)]


def releases_in_names(entry: CatalogEntry, names: Iterable[str]) -> tuple[str, ...]:
    """The releases among file names, newest first, each once. Other names are passed over."""
    return _sorted(release for name in names if (release := entry.release_of(name)) is not None)


def releases_in_text(entry: CatalogEntry, text: str) -> tuple[str, ...]:
    """The releases whose file names occur in a page or a checksum file, newest first, each once.

    Nothing else is taken from the text, and nothing is believed: the file that is fetched for a release is proved
    by itself. A listing can at worst hide a release.
    """
    found = (match["release"] for match in entry.pattern(anchored=False).finditer(text))
    return _sorted(release for release in found if is_release(release))


def _sorted(releases: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(releases), key=lambda release: (version_key(release), release), reverse=True))


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen release, and those newer ones that the request left out."""

    release: str
    newer: tuple[str, ...]


def choose(
    entry: CatalogEntry, request: str, available: Iterable[str], *, path: Path
) -> tuple[Choice | None, Report]:
    """Find the newest release that fits a request.

    Args:
        entry: the image.
        request: `latest`, a series such as `9.1`, or an exact release.
        available: releases that were found; their order does not matter.
        path: the request's place in the fleet file.

    Returns:
        The choice, or None and a finding (VK-J41, VK-J42) that lists what there was.
    """
    there = _sorted(available)
    report = Report()
    if request != LATEST and not (is_release(request) and any(c.isdigit() for c in request)):
        report.add(
            codes.BAD_REQUEST.finding(
                f"`{request}` is neither a release of {entry.title} nor `latest`",
                "Write `latest`, a series such as 13, or an exact release.",
                path=path,
            )
        )
        return None, report
    fitting = [request] if request in there else [r for r in there if matches(request, r)]
    if not fitting:
        wanted = f"{entry.title} {request}" if request != LATEST else f"any release of {entry.title}"
        report.add(
            codes.NO_RELEASE.finding(
                f"{wanted} was not found; there was {_listed(there)}",
                "Ask for one of these, or for an exact release that the vendor still keeps."
                if there
                else f"Look at {entry.homepage}; if names have changed there, correct the catalog entry.",
                path=path,
            )
        )
        return None, report
    return Choice(fitting[0], tuple(r for r in there if is_newer(r, fitting[0]))), report


def _listed(releases: tuple[str, ...]) -> str:
    if not releases:
        return "none that fits the catalog's file name"
    more = len(releases) - _SHOWN
    return ", ".join(releases[:_SHOWN]) + (f" and {more} older" if more > 0 else "")
