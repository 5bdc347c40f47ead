"""The manifest wanted against what is found on a stick: a plan of steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ventoy_kit.fleet.values import format_size
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.report import Finding, Place, Report
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.ventoy_config import CONFIG_PATH

ADOPTED = "adopted: "
"""Beginning of the origin of a file that the user put there; such a file is never removed."""

TEMPORARY = ".vk-"
"""Beginning of the names under which files are written before they are whole."""

FAT32_LIMIT = 4 * 1024**3 - 1


class Action(StrEnum):
    """What happens to a file."""

    WRITE = "write"
    REPLACE = "replace"
    ADOPT = "adopt"
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file on the stick: size in bytes, SHA-256 where it was read (64 hex digits, else None)."""

    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What is on a stick.

    Attributes:
        manifest: what an earlier stage of this fleet recorded there, if anything.
        files: the files at the places that the wanted and the found manifest name, by path.
        leftovers: temporary files of an interrupted stage.
        config: bytes of ventoy.json, None if there is none.
        free: bytes that can be written.
        filesystem: name of the file system as mounted (`exfat`, `vfat`, `ext4`, ...), if known.
    """

    manifest: Manifest | None
    files: Mapping[str, FoundFile]
    leftovers: tuple[str, ...]
    config: bytes | None
    free: int
    filesystem: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a stage does. `why` is one phrase for people."""

    action: Action
    path: str
    size: int
    sha256: str | None
    origin: str
    why: str


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage will do. `steps` holds what changes the stick; `kept` what stays.

    Attributes:
        wanted: the manifest that will lie on the stick, adopted files marked as such.
        steps: changes in the order in which they are applied.
        kept: files that are already right.
        config: new bytes of ventoy.json, or None if it stays as it is.
        write_bytes: bytes that are written.
    """

    wanted: Manifest
    steps: tuple[Step, ...]
    kept: tuple[Step, ...]
    config: bytes | None
    write_bytes: int

    @property
    def changes_nothing(self) -> bool:
        """Whether the stick is already as it should be."""
        return not self.steps


def reconcile(wanted: Manifest, found: Found, config: bytes) -> tuple[StagePlan | None, Report]:
    """Decide what to do.

    Args:
        wanted: the payload's manifest.
        found: the stick.
        config: ventoy.json as it shall be.

    Returns:
        The plan, or None with findings VK-Z*.
    """
    report = Report()
    owned = {e.path: e for e in found.manifest.entries} if found.manifest else {}
    steps: list[Step] = []
    kept: list[Step] = []
    entries: list[Entry] = []
    for entry in wanted.entries:
        step = _step_for(entry, found.files.get(entry.path), owned.get(entry.path), report)
        adopted = step.action is Action.ADOPT or (
            step.action is Action.KEEP and step.origin.startswith(ADOPTED)
        )
        entries.append(
            Entry(entry.path, entry.size, entry.sha256, ADOPTED + entry.origin) if adopted else entry
        )
        (kept if step.action is Action.KEEP else steps).append(step)
        if found.filesystem in ("vfat", "msdos", "fat") and entry.size > FAT32_LIMIT:
            report.add(
                codes.FILE_TOO_LARGE.finding(
                    f"{entry.path} has {format_size(entry.size)}",
                    "Format the stick's data partition as exFAT with Ventoy's own tool.",
                    place=Place(entry.path),
                )
            )
    final = Manifest(wanted.fleet, wanted.generation, tuple(entries), wanted.config)
    new_config = None if found.config == config else config
    if new_config is not None:
        action = Action.WRITE if found.config is None else Action.REPLACE
        steps.append(Step(action, CONFIG_PATH, len(config), None, "merged", "Ventoy's menu"))
    if found.manifest is None or not found.manifest.complete or final.to_json() != found.manifest.to_json():
        data = final.to_json()
        action = Action.WRITE if found.manifest is None else Action.REPLACE
        steps.append(
            Step(action, manifest_path(wanted.fleet), len(data), None, "manifest", "what the kit owns here")
        )
    steps += _removals(final, owned, found)
    write = sum(s.size for s in steps if s.action in (Action.WRITE, Action.REPLACE))
    if write + SLACK > found.free and write:
        report.add(_no_space(write, found, steps))
    return (
        None if report.has_errors else StagePlan(final, tuple(steps), tuple(kept), new_config, write)
    ), report


SLACK = 4 * 1024 * 1024
"""Bytes kept free for directory entries, cluster rounding and the intent."""


def manifest_path(fleet: str) -> str:
    """Where a fleet's manifest lies."""
    return f"ventoy/{fleet}/manifest.json"


def _step_for(entry: Entry, found: FoundFile | None, owned: Entry | None, report: Report) -> Step:
    def step(action: Action, why: str, origin: str = entry.origin) -> Step:
        return Step(action, entry.path, entry.size, entry.sha256, origin, why)

    if found is None:
        return step(Action.WRITE, "new" if owned is None else "missing")
    if found.size == entry.size and found.sha256 == entry.sha256:
        if owned is None and _is_iso(entry):
            return step(Action.ADOPT, "it is there already, put there by you")
        return step(Action.KEEP, "same bytes", owned.origin if owned else entry.origin)
    if owned is None and _is_iso(entry):
        report.add(
            codes.IN_THE_WAY.finding(
                f"{entry.path} is there already, with other bytes, and the kit did not put it there",
                "Rename or remove it, or rename your ISO.",
                place=Place(entry.path),
            )
        )
    return step(Action.REPLACE, "other bytes")


def _is_iso(entry: Entry) -> bool:
    return entry.path.startswith("iso/")


def _removals(final: Manifest, owned: Mapping[str, Entry], found: Found) -> list[Step]:
    wanted = {e.path for e in final.entries}
    gone = [
        Step(Action.REMOVE, e.path, found.files[e.path].size, None, e.origin, "no longer in the fleet")
        for e in owned.values()
        if e.path not in wanted and e.path in found.files and not e.origin.startswith(ADOPTED)
    ]
    left = [
        Step(Action.REMOVE, path, 0, None, "temporary", "left by an interrupted run")
        for path in found.leftovers
    ]
    return gone + left


def _no_space(write: int, found: Found, steps: list[Step]) -> Finding:
    freed = sum(s.size for s in steps if s.action is Action.REMOVE)
    more = f" Afterwards {format_size(freed)} would be freed." if freed else ""
    return codes.NO_SPACE.finding(
        f"{format_size(write + SLACK)} are needed, {format_size(found.free)} are free",
        f"Remove files of yours from the stick, or use a larger one.{more}",
    )
