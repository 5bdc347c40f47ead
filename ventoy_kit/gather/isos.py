"""What the fleet's ISO files are, and their digests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.images import codes
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.inspect import WANTED, interpret
from ventoy_kit.plan.inputs import IsoFile
from ventoy_kit.ports import Files, IsoReader, UnreadableIsoError
from ventoy_kit.report import Path as DocPath
from ventoy_kit.report import Report

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
    file: Path, path: DocPath | None, *, files: Files, reader: IsoReader
) -> tuple[IsoFacts | None, Report]:
    """Look into one ISO; `path` is where the fleet file names it, None if it does not."""
    report = Report()
    try:
        files.stat(file)
        raw = reader.read(file, WANTED, limit=TEXT_LIMIT)
    except OSError as error:
        remedy = "Put the ISO there, or correct the path (relative paths start at the fleet file)."
        reason = (
            "it is a folder or device"
            if isinstance(error, IsADirectoryError)
            else "there is no such file"
            if isinstance(error, FileNotFoundError)
            else error.strerror or str(error)
        )
        report.add(codes.UNREADABLE.finding(f"{file} cannot be read: {reason}", remedy, path=path))
        return None, report
    except ValueError:  # a NUL
        message = f"{file} cannot be read: that is no path"
        report.add(codes.UNREADABLE.finding(message, "Correct the path.", path=path))
        return None, report
    except UnreadableIsoError as error:
        report.add(
            codes.NOT_AN_ISO.finding(
                str(error).rstrip("."), "Fetch the ISO from its vendor again.", path=path
            )
        )
        return None, report
    facts, found = interpret(raw, path=path or ())
    report.extend(found)
    return (None if report.has_errors else facts), report


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
