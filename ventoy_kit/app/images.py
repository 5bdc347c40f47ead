"""The fleet's images as they are on this machine: which are at hand, what the lock says of them, what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.lockfile import load_lock
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.gather.isos import local_file
from ventoy_kit.gather.wanted import Want, wanted
from ventoy_kit.images import fetch_codes
from ventoy_kit.images.lock import Digests, Lock, LockEntry
from ventoy_kit.plan.inputs import Library
from ventoy_kit.report import Report, Severity


@dataclass(frozen=True, slots=True)
class Images:
    """What is known of the images of a fleet.

    Attributes:
        lock: the whole lock.
        wants: images with a release.
        files: where the images at hand lie, by name; local files whether they exist or not.
        pinned: what the lock says of those images that it answers, by name.
        report: what is wrong with catalog references and lock, and a note (VK-J54) for each missing image.
    """

    lock: Lock = field(default_factory=Lock)
    wants: tuple[Want, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    pinned: Mapping[str, LockEntry] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    @property
    def names(self) -> Mapping[str, str]:
        """Names that fetched images have on the stick."""
        return {image: entry.file for image, entry in self.pinned.items()}

    @property
    def missing(self) -> tuple[Want, ...]:
        """Images that must be fetched first."""
        return tuple(want for want in self.wants if want.image not in self.files)

    @property
    def blocking(self) -> Report:
        """The notes of missing images as errors, for a command that cannot do without them."""
        return Report(
            [
                replace(finding, severity=Severity.ERROR)
                for finding in self.report
                if finding.rule is fetch_codes.NOT_FETCHED
            ]
        )


def look_at_images(fleet: Fleet, file: Path, library: Library, host: Host) -> Images:
    """Find the images of a fleet; never touches the network.

    Raises:
        StorageError: the cache cannot be read.
    """
    lock, report = load_lock(file, host)
    wants, found = wanted(fleet, library.catalog, lock)
    if report.has_errors:
        return Images(report=Report([*report, *found]))
    report.extend(found)
    files: dict[str, Path] = {}
    for name, image in fleet.images.items():
        if image.path is not None:
            with contextlib.suppress(RuntimeError, ValueError):  # no such user, a NUL: inspecting tells it
                files[name] = local_file(file.parent, image.path)
    pinned = {want.image: want.pinned for want in wants if want.pinned is not None}
    for want in wants:
        entry = pinned.get(want.image)
        found_here = None if entry is None else find_result(entry, host)
        if found_here is not None:
            files[want.image], pinned[want.image] = found_here
            continue
        why = (
            f"its release `{want.request}` is not chosen: {want.misfit}"
            if entry is None
            else f"{entry.file} ({entry.size:,} bytes) is not in the cache {host.cache.root}"
        )
        report.add(
            fetch_codes.NOT_FETCHED.finding(
                f"{want.image} is missing: {why}", "Run `ventoy-kit fetch`.", path=want.path
            )
        )
    return Images(lock, wants, files, pinned, report)


def find_result(entry: LockEntry, host: Host) -> tuple[Path, LockEntry] | None:
    """The image in the cache, and its entry with the digest that it has there: one of several if it is assembled.

    Raises:
        StorageError: the cache cannot be read.
    """
    for sha256 in entry.results:
        path = host.cache.find(sha256, host.progress)
        if path is not None:
            return path, entry.as_made(Digests(host.files.stat(path).size, sha256))
    return None


def image_names(file: Path, host: Host) -> tuple[str, ...]:
    """The image names of a fleet file, for completion in a shell; none if it cannot be read."""
    try:
        marked, _ = read_marked(host.files.read(file), str(file))
    except OSError:
        return ()
    images = marked.value.get("images") if marked is not None and isinstance(marked.value, dict) else None
    return tuple(sorted(str(name) for name in images)) if isinstance(images, dict) else ()
