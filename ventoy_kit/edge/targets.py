"""From the TARGET that a user names to a directory that files can be written to, and back to a clean stick.

`examine_target` looks and lets the pure rules of `ventoy_kit.stick` decide: refusals are findings. `open_stick` then
mounts, and raises if the machine fails or the device is not the one that was examined any more.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.disk_image import examine_image
from ventoy_kit.edge.locks import locked
from ventoy_kit.edge.mounts import mounted_image, mounted_partition
from ventoy_kit.edge.page_cache import forget
from ventoy_kit.errors import StorageError
from ventoy_kit.ports import Process
from ventoy_kit.report import Finding, Report
from ventoy_kit.stick import codes
from ventoy_kit.stick.hints import warnings_for
from ventoy_kit.stick.identify import DiskFacts, changes_since, choose, judge
from ventoy_kit.stick.image import ImageFacts, judge_image
from ventoy_kit.stick.layout import Layout
from ventoy_kit.stick.target import (
    Candidate,
    FileKind,
    PathFacts,
    Target,
    TargetKind,
    classify,
    judge_directory,
)
from ventoy_kit.stick.version import version_warnings


@dataclass(frozen=True, slots=True)
class OpenStick:
    """A stick whose data partition can be written as ordinary files below `root`.

    Attributes:
        root: the directory; valid until `open_stick` is left.
        kind: what stands behind it.
        title: the target for people.
        filesystem: of the data partition by blkid's name; None for a directory.
        ventoy_version: of the Ventoy on partition 2; None where it could not be read or there is none.
    """

    root: Path
    kind: TargetKind
    title: str
    filesystem: str | None
    ventoy_version: str | None = None


def find_stick(process: Process, devices: Devices) -> tuple[Candidate | None, Report]:
    """The one Ventoy stick that is plugged in, or a report that lists each disk and what speaks against it.

    Raises:
        StorageError: the devices cannot be listed.
    """
    found = choose(devices.snapshot())
    if isinstance(found, Finding):
        return None, Report([found])
    return examine_target(process, devices, found.path)


def examine_target(process: Process, devices: Devices, target: str) -> tuple[Candidate | None, Report]:
    """Look at a target without changing anything: what it is, and whether it may be used.

    Returns:
        The candidate, or None if it is refused; and all reasons against it, or warnings, as findings.

    Raises:
        StorageError: the device went away, or a file could not be read.
        MachineError: a program did not end in time.
    """
    facts = path_facts(target)
    found = classify(facts)
    if isinstance(found, Finding):
        return None, Report([found])
    if found.kind == "directory":
        return _examine_directory(devices, facts, found)
    if found.kind == "device":
        return _examine_device(devices, devices.facts(Path(found.path)), found)
    image = examine_image(process, Path(found.path))
    verdict = judge_image(image)
    if not verdict.ok:
        return None, Report(list(verdict.reasons_against))
    title = f"disk image {found.shown} ({image.size_bytes / 1e9:.1f} GB)"
    version = image.ventoy_version or None
    report = Report(list(version_warnings(image.path, version)) if version else [])
    return Candidate(found, image, image.data_fs_type, title, version), report


def path_facts(target: str) -> PathFacts:
    """What stands at a path, symbolic links followed. Raises nothing: what cannot be looked at is `unreadable`."""
    resolved = os.path.realpath(target)
    entries: frozenset[str] = frozenset()
    try:
        kind = _file_kind(Path(resolved).stat().st_mode)
        if kind == "directory":
            entries = frozenset(entry.name for entry in Path(resolved).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        kind = "missing"
    except OSError:
        kind = "unreadable"
    return PathFacts(
        named=target,
        resolved=resolved,
        kind=kind,
        entries=entries,
        has_manifest="ventoy" in entries and _has_manifest(Path(resolved) / "ventoy"),
        homes=_homes(),
        writable=os.access(resolved, os.W_OK),
    )


@contextmanager
def open_stick(process: Process, devices: Devices, candidate: Candidate) -> Iterator[OpenStick]:
    """Mount what was examined and give its directory; flush, unmount and detach on leaving, whatever happened.

    Raises:
        StorageError: the device is not the one that was examined, or mounting or releasing it failed.
        MissingToolError: a driver or program is missing.
    """
    facts = candidate.facts
    kind, title, filesystem = candidate.target.kind, candidate.title, candidate.filesystem
    if isinstance(facts, PathFacts):
        if not Path(facts.resolved).is_dir():
            raise StorageError(f"the directory {facts.resolved} has gone away")
        yield OpenStick(Path(facts.resolved), kind, title, filesystem)
        return
    if isinstance(facts, ImageFacts):
        opened = _opened_image(process, facts)
    else:
        opened = _opened_device(process, devices, facts)
    with opened as root:
        yield OpenStick(root, kind, title, filesystem, candidate.ventoy_version)


@contextmanager
def _opened_image(process: Process, facts: ImageFacts) -> Iterator[Path]:
    path = Path(facts.path)
    with locked(path):
        now = examine_image(process, path)
        verdict = judge_image(now)
        if now.layout != facts.layout or not isinstance(now.layout, Layout) or not verdict.ok:
            raise StorageError(
                f"the disk image {path} has changed since it was examined", "Run the command again."
            )
        with mounted_image(process, path, now.layout, now.data_fs_type or "") as root:
            yield root


@contextmanager
def _opened_device(process: Process, devices: Devices, facts: DiskFacts) -> Iterator[Path]:
    """Check before mounting that it is still the device that was judged, and after mounting that this was mounted."""
    data = _same_device(devices, facts).partition(1)
    if data is None:
        raise StorageError(f"{facts.path} has no partition 1 any more", "Run the command again.")
    node = Path(data.path)
    # Whom the desktop lets mount may not be let read the node; then the lock on the mounted folder has to do.
    with (
        locked(node, readable=False),
        mounted_partition(process, node, data.fs_type or "") as root,
    ):
        mounted = _same_device(devices, facts).mounts
        if not any(m.point == str(root) and m.source == data.path for m in mounted):
            raise StorageError(
                f"{root} does not show {data.path}", "Unplug the stick, plug it in, and run this again."
            )
        yield root
        _still_whole(devices, facts)


def _still_whole(devices: Devices, facts: DiskFacts) -> None:
    """Look at the disk's first sectors again, from the device: one of false capacity writes over them."""
    forget((Path(facts.path),))
    changes = changes_since(facts, devices.facts(Path(facts.path)))
    if changes:
        raise StorageError(
            f"{facts.path} is not what it was before it was written to: {', '.join(changes)}",
            "Do not trust this stick: it is failing or of false capacity.",
        )


def _same_device(devices: Devices, facts: DiskFacts) -> DiskFacts:
    now = devices.facts(Path(facts.path))
    changes = changes_since(facts, now)
    if changes:
        raise StorageError(
            f"{facts.path} is not the device that was examined: {', '.join(changes)}",
            "Run the command again.",
        )
    against = judge(now, named=True).reasons_against
    if against:
        raise StorageError(f"{facts.path} may not be used any more: {against[0].message}", against[0].remedy)
    return now


def _examine_device(devices: Devices, disk: DiskFacts, target: Target) -> tuple[Candidate | None, Report]:
    verdict = judge(disk, named=True)
    data = disk.partition(1)
    if not verdict.ok or data is None:
        return None, Report(list(verdict.reasons_against))
    linked = "" if target.shown == disk.path else f", named as {target.shown}"
    candidate = Candidate(target, disk, data.fs_type, disk.title + linked, disk.ventoy_version or None)
    return candidate, Report(list(warnings_for(disk, devices.snapshot())))


def _examine_directory(devices: Devices, facts: PathFacts, target: Target) -> tuple[Candidate | None, Report]:
    report = Report()
    behind = devices.disk_mounted_at(Path(facts.resolved))
    if behind is not None:
        disk, number = behind
        verdict = judge(disk, named=True)
        if verdict.ok and number == 1:
            report.extend(judge_directory(facts, is_data_partition=True))
            device = Target("device", disk.path, f"{target.shown} (partition 1 of {disk.path})")
            if report.has_errors:
                return None, report
            candidate, more = _examine_device(devices, disk, device)
            report.extend(more)
            return candidate, report
        why = verdict.reasons_against[0].message if verdict.reasons_against else f"it is partition {number}"
        report.add(
            codes.FOREIGN_MOUNT.finding(
                f"{target.shown} is the root of a file system on {disk.path}, which is no usable Ventoy stick: {why}",
                "Name a Ventoy stick if a machine shall start from it.",
            )
        )
    report.extend(judge_directory(facts, is_data_partition=False))
    if report.has_errors:
        return None, report
    return Candidate(target, facts, None, f"directory {target.shown}"), report


def _file_kind(mode: int) -> FileKind:
    tests: tuple[tuple[FileKind, bool], ...] = (
        ("directory", stat.S_ISDIR(mode)),
        ("file", stat.S_ISREG(mode)),
        ("block", stat.S_ISBLK(mode)),
        ("char", stat.S_ISCHR(mode)),
        ("fifo", stat.S_ISFIFO(mode)),
    )
    return next((kind for kind, holds in tests if holds), "socket")


def _has_manifest(folder: Path) -> bool:
    return (folder / "ventoy.json").is_file() or any(folder.glob("*/manifest*"))


def _homes() -> frozenset[str]:
    """Home directories of all accounts and of this user, links resolved."""
    homes = {str(Path("~").expanduser())}
    try:
        import pwd

        homes |= {account.pw_dir for account in pwd.getpwall()}
    except ImportError:  # not a Unix
        pass
    return frozenset(os.path.realpath(home) for home in homes)
