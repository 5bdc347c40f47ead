"""What the fleet's ISO files are, and their digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.images import codes
from ventoy_kit.images.added import INITRD_LIMIT, INITRDS, Added, find_added, paths_to_read
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.inspect import PACKAGE_LIST_LIMIT, PACKAGE_LISTS, WANTED, interpret, packages_on_disc
from ventoy_kit.plan.inputs import IsoFile
from ventoy_kit.ports import Files, IsoReader, UnreadableIsoError
from ventoy_kit.report import Finding, Report
from ventoy_kit.report import Path as DocPath

TEXT_LIMIT = 1024 * 1024
"""Ventoy's conf_replace takes at most 1 MiB (ventoy_def.h); no text file that matters here is larger."""


def inspect_isos(
    fleet: Fleet,
    base: Path,
    *,
    files: Files,
    reader: IsoReader,
    cached: Mapping[str, Path] | None = None,
) -> tuple[Mapping[str, IsoFacts], Report]:
    """Look into every ISO of the fleet, without reading it whole.

    Args:
        fleet: the fleet.
        base: the folder that relative paths start from.
        files: the host's files.
        reader: opens ISO files.
        cached: where fetched images lie, by id; those that are not there yet are passed over.

    Returns:
        Facts by image id for those that could be read, and findings VK-I* for the others.
    """
    report = Report()
    facts: dict[str, IsoFacts] = {}
    for name, image in sorted(fleet.images.items()):
        path: DocPath = ("images", name, image.source)
        try:
            file = (cached or {}).get(name) if image.path is None else base / Path(image.path).expanduser()
        except RuntimeError:
            message = f"{image.path} cannot be read: there is no such user"
            report.add(codes.UNREADABLE.finding(message, "Correct the path.", path=path))
            continue
        if file is None:
            continue
        found, problems = inspect_iso(file, path, files=files, reader=reader)
        report.extend(problems)
        if found is not None:
            facts[name] = found
    return facts, report


def inspect_iso(
    file: Path, path: DocPath | None, *, files: Files, reader: IsoReader, looking: bool = False
) -> tuple[IsoFacts | None, Report]:
    """Look into one ISO.

    Args:
        file: the ISO.
        path: where the fleet file names it, None if it does not.
        files: the host's files.
        reader: opens ISO files.
        looking: nothing is built on it: that it was prepared to install by itself is a warning.
    """
    report = Report()
    try:
        files.stat(file)
        raw = reader.read(file, WANTED, limit=TEXT_LIMIT)
    except (OSError, ValueError, UnreadableIsoError) as error:
        report.add(_unreadable(file, error, path))
        return None, report
    facts, found = interpret(raw, path=path or (), looking=looking)
    report.extend(found)
    if facts is not None and facts.medium == "dvd":
        # Only a DVD is installed from without a mirror.
        try:
            lists = reader.read(file, PACKAGE_LISTS, limit=PACKAGE_LIST_LIMIT).files
        except (OSError, ValueError, UnreadableIsoError) as error:
            report.add(_unreadable(file, error, path))
            return None, report
        facts = replace(facts, packages=packages_on_disc(lists))
    return (None if report.has_errors else facts), report


def additions(file: Path, facts: IsoFacts, reader: IsoReader) -> tuple[tuple[Added, ...], Report]:
    """What was put into an ISO that `inspect_iso` could read."""
    try:
        names = reader.names(file)
        wanted = paths_to_read(names)
        small = [name for name in wanted if name not in INITRDS]
        contents = dict(reader.read(file, small, limit=TEXT_LIMIT).files)
        large = [name for name in wanted if name in INITRDS]
        contents |= reader.read(file, large, limit=INITRD_LIMIT).files if large else {}
    except (OSError, ValueError, UnreadableIsoError) as error:
        return (), Report([_unreadable(file, error, None)])
    return find_added(facts, names, contents), Report()


def _unreadable(file: Path, error: Exception, path: DocPath | None) -> Finding:
    if isinstance(error, UnreadableIsoError):
        remedy = "Fetch the ISO from its vendor again."
        return codes.NOT_AN_ISO.finding(str(error).rstrip("."), remedy, path=path)
    if not isinstance(error, OSError):  # a NUL
        message = f"{file} cannot be read: that is no path"
        return codes.UNREADABLE.finding(message, "Correct the path.", path=path)
    remedy = "Put the ISO there, or correct the path (relative paths start at the fleet file)."
    reason = (
        "it is a folder or device"
        if isinstance(error, IsADirectoryError)
        else "there is no such file"
        if isinstance(error, FileNotFoundError)
        else error.strerror or str(error)
    )
    return codes.UNREADABLE.finding(f"{file} cannot be read: {reason}", remedy, path=path)


def digest_isos(
    fleet: Fleet, base: Path, facts: Mapping[str, IsoFacts], digest: Callable[[Path], str]
) -> Mapping[str, IsoFile]:
    """Facts and SHA-256 of every ISO that is a file of the user.

    `digest` may answer from a cache; OSError if a file vanished meanwhile.
    """
    out = {}
    for name, fact in facts.items():
        path = fleet.images[name].path
        if path is not None:
            file = local_file(base, path)
            out[name] = IsoFile(file, fact, digest(file))
    return out


def local_file(base: Path, path: str) -> Path:
    """Where a file that the fleet file names lies; it keeps that name even if it is a link to one of another name."""
    file = base / Path(path).expanduser()
    return file.parent.resolve() / file.name
