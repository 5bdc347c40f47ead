"""A build as it lies in its folder: read back and compared before anything is staged from it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ventoy_kit.edge.files import source_chunks
from ventoy_kit.payload.model import Manifest
from ventoy_kit.ports import Files
from ventoy_kit.report import Place, Report
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.apply import Source

BUILD_FOLDER = "build"
"""Beside the fleet file."""
INDEX = "payload.json"
INDEX_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Built:
    """A build that is as it was made: the manifest to stage, and where each file's bytes are.

    `base` is the folder of the fleet file; `isos` says where the ISO files lie, by their path on the stick.
    """

    manifest: Manifest
    sources: Mapping[str, Source]
    stand_ins: tuple[str, ...]
    base: Path
    isos: Mapping[str, Path] = field(default_factory=dict)


def load_built(fleet_file: Path, files: Files) -> tuple[Built | None, Report]:
    """Read the build folder beside a fleet file.

    Args:
        fleet_file: the fleet file.
        files: the host's files.

    Returns:
        The build, or None with findings VK-Z06 to VK-Z08: no build, an older fleet file, changed files.
    """
    index, report = _load_index(fleet_file, files)
    if index is None:
        return None, report
    folder = fleet_file.parent / BUILD_FOLDER
    sources: dict[str, Source] = {}
    for entry in index.manifest.entries:
        path = index.isos.get(entry.path, folder / entry.path)
        found = _check(path, entry.size, None if entry.path in index.isos else entry.sha256, files)
        if found is not None:
            report.add(
                codes.BUILD_CHANGED.finding(
                    f"{path} {found} since it was built", index.remedy, place=Place(str(path))
                )
            )
        sources[entry.path] = functools.partial(source_chunks, path)
    built = Built(index.manifest, sources, index.stand_ins, fleet_file.parent, index.isos)
    return (None if report.has_errors else built), report


def built_manifest(fleet_file: Path, files: Files) -> tuple[Manifest | None, Report]:
    """The manifest of the build beside a fleet file, for those who need no file of it; None with findings."""
    index, report = _load_index(fleet_file, files)
    return (None if index is None or report.has_errors else index.manifest), report


@dataclass(frozen=True, slots=True)
class _Index:
    """The build's index: its manifest, where its ISOs lie, which are stand-ins, and how to build anew."""

    manifest: Manifest
    isos: Mapping[str, Path]
    stand_ins: tuple[str, ...]
    remedy: str


def _load_index(fleet_file: Path, files: Files) -> tuple[_Index | None, Report]:
    report = Report()
    folder = fleet_file.parent / BUILD_FOLDER
    remedy = f"Run `ventoy-kit build{'' if fleet_file.name == 'fleet.yaml' else f' --fleet {fleet_file}'}`."
    try:
        index = _read_index(files.read(folder / INDEX))
        manifest = Manifest.from_json(json.dumps(index["manifest"]).encode())
        isos = {str(k): Path(v) for k, v in index["isos"].items()}
        fleet_digest, stand_ins = str(index["fleet_sha256"]), tuple(index["stand_ins"])
    except FileNotFoundError:
        report.add(codes.NO_BUILD.finding(f"{folder} holds no build", remedy, place=Place(str(folder))))
        return None, report
    except PermissionError as error:
        message = f"whether {folder} holds a build cannot be seen: {error.strerror}"
        remedy = "Run it as the user who built, who alone may read that folder."
        report.add(codes.NO_BUILD.finding(message, remedy, place=Place(str(folder))))
        return None, report
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        report.add(
            codes.NO_BUILD.finding(
                f"{folder} holds no build that can be read", remedy, place=Place(str(folder))
            )
        )
        return None, report
    report.extend(_stale(fleet_file, fleet_digest, remedy, files))
    return _Index(manifest, isos, stand_ins, remedy), report


def _read_index(data: bytes) -> dict[str, Any]:
    index = json.loads(data)
    if index["format"] != INDEX_FORMAT:
        raise ValueError("another format")
    return dict(index)


def _stale(fleet_file: Path, digest: str, remedy: str, files: Files) -> Report:
    report = Report()
    try:
        now = hashlib.sha256(files.read(fleet_file)).hexdigest()
    except OSError:
        now = ""
    if now != digest:
        what = "changed" if now else "cannot be read"
        report.add(
            codes.STALE_BUILD.finding(
                f"{fleet_file} {what} since the build", remedy, place=Place(str(fleet_file))
            )
        )
    return report


def _check(path: Path, size: int, sha256: str | None, files: Files) -> str | None:
    """What is wrong with a file of the build. An ISO's digest is compared while it is copied, not here."""
    try:
        if files.stat(path).size != size:
            return "has another size"
        if sha256 is not None and hashlib.sha256(files.read(path)).hexdigest() != sha256:
            return "has other bytes"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return None
