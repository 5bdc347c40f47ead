"""The manifest wanted against what is found on a stick: a plan of steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ventoy_kit.fleet.values import format_size
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.report import Finding, Place, Report
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.parts import part_path
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

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
        leftovers: temporary files of an interrupted stage, with their sizes; they go before anything is written, except
            the part of an image that is written on.
        others: files that the manifests of other fleets on the same stick name, with the fleet's name.
        config: bytes of ventoy.json, None if there is none.
        free: bytes that can be written.
        filesystem: name of the file system as mounted (`exfat`, `vfat`, `ext4`, ...), if known.
    """

    manifest: Manifest | None
    files: Mapping[str, FoundFile]
    leftovers: Mapping[str, int]
    config: bytes | None
    free: int
    filesystem: str | None
    others: Mapping[str, str] = field(default_factory=dict)


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
    # exFAT takes names that differ in case only for one file.
    owned = {e.path.casefold(): e for e in found.manifest.entries} if found.manifest else {}
    steps: list[Step] = []
    kept: list[Step] = []
    entries: list[Entry] = []
    for entry in wanted.entries:
        step = _step_for(entry, found, owned.get(entry.path.casefold()), report)
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
    steps += _removals(final, owned, found, report)
    written = [s.size for s in steps if s.action in (Action.WRITE, Action.REPLACE)]
    write, room = sum(written), sum(-(-size // CLUSTER) * CLUSTER for size in written) + SLACK
    if written and room > found.free + sum(found.leftovers.values()):
        report.add(_no_space(room, found, steps))
    return (
        None if report.has_errors else StagePlan(final, tuple(steps), tuple(kept), new_config, write)
    ), report


SLACK = 2 * 1024 * 1024
"""Bytes kept free for directories and the intent."""

CLUSTER = 128 * 1024
"""Bytes that the smallest file takes: Ventoy's cluster size on large sticks (VentoyWorker.sh)."""


def manifest_path(fleet: str) -> str:
    """Where a fleet's manifest lies."""
    return f"ventoy/{fleet}/manifest.json"


def _step_for(entry: Entry, found: Found, owned: Entry | None, report: Report) -> Step:
    there = found.files.get(entry.path)
    adopted = owned is not None and owned.origin.startswith(ADOPTED)

    def step(action: Action, why: str) -> Step:
        origin = ADOPTED + entry.origin if adopted and action is Action.KEEP else entry.origin
        return Step(action, entry.path, entry.size, entry.sha256, origin, why)

    if there is None and part_path(entry.path, entry.sha256, TEMPORARY) in found.leftovers and _is_iso(entry):
        return step(Action.WRITE, "begun by an interrupted run, goes on from there")
    if there is None:
        return step(Action.WRITE, "new" if owned is None else "missing")
    if there.size == entry.size and there.sha256 == entry.sha256:
        if owned is None and _is_iso(entry):
            return step(Action.ADOPT, "it is there already, put there by you")
        return step(Action.KEEP, "same bytes")
    if _is_iso(entry) and (owned is None or adopted or there.size != owned.size):
        report.add(
            codes.IN_THE_WAY.finding(
                f"{entry.path} is there already, with other bytes, and the kit did not put it there",
                "Rename or remove it, or rename your ISO.",
                place=Place(entry.path),
            )
        )
    elif entry.path in found.others:
        report.add(
            codes.IN_THE_WAY.finding(
                f"{entry.path} is there with other bytes, and the fleet {found.others[entry.path]} uses it",
                "Rename your ISO.",
                place=Place(entry.path),
            )
        )
    return step(Action.REPLACE, "other bytes")


def _is_whole(entry: Entry, found: Found) -> bool:
    there = found.files.get(entry.path)
    return there is not None and there.size == entry.size and there.sha256 == entry.sha256


def _is_iso(entry: Entry) -> bool:
    return entry.path.startswith("iso/")


def _removals(final: Manifest, owned: Mapping[str, Entry], found: Found, report: Report) -> list[Step]:
    wanted = {e.path.casefold() for e in final.entries}
    gone = []
    for entry in owned.values():
        there = found.files.get(entry.path)
        if there is None or entry.path.casefold() in wanted or entry.origin.startswith(ADOPTED):
            continue
        if entry.path in found.others:
            report.add(
                codes.OTHER_FLEET.finding(
                    f"{entry.path} stays: the fleet {found.others[entry.path]} on this stick uses it",
                    "Remove it by hand when no fleet needs it any more.",
                    place=Place(entry.path),
                )
            )
        elif _is_iso(entry) and not (there.size == entry.size and there.sha256 in (None, entry.sha256)):
            report.add(
                codes.CHANGED.finding(
                    f"{entry.path} stays: it has other bytes than the kit put there",
                    "Remove it by hand if you do not need it.",
                    place=Place(entry.path),
                )
            )
        else:
            gone.append(Step(Action.REMOVE, entry.path, there.size, None, entry.origin, _why_gone(entry)))
    # The part of an image that is still to be written is no rubbish: writing goes on from there.
    begun = {
        part_path(e.path, e.sha256, TEMPORARY)
        for e in final.entries
        if _is_iso(e) and not _is_whole(e, found)
    }
    left = [
        Step(Action.REMOVE, path, size, None, "temporary", "left by an interrupted run")
        for path, size in sorted(found.leftovers.items())
        if path not in begun
    ]
    return gone + left


def _no_space(room: int, found: Found, steps: list[Step]) -> Finding:
    freed = sum(s.size for s in steps if s.action is Action.REMOVE and s.origin != "temporary")
    more = f" Afterwards {format_size(freed)} would be freed." if freed else ""
    return codes.NO_SPACE.finding(
        f"{format_size(room)} are needed, {format_size(found.free)} are free",
        f"Remove files of yours from the stick, or use a larger one.{more}",
    )


def _why_gone(entry: Entry) -> str:
    return "no longer in the fleet" if _is_iso(entry) else "of the generation before"
