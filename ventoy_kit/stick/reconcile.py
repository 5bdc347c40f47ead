"""The manifest wanted against what is found on a stick: a plan of steps. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import PurePosixPath

from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.report import Finding, Place, Report
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.locate import CHECKSUM, checksum_file, is_image, locate, relocated
from ventoy_kit.stick.menu import Menu
from ventoy_kit.stick.parts import part_path
from ventoy_kit.stick.ventoy_limits import limit_findings
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

ADOPTED = "adopted: "
"""Beginning of the origin of a file that the user put there; such a file is never removed."""

TEMPORARY = ".vk-"
"""Beginning of the names under which files are written before they are whole."""

FAT32_LIMIT = 4 * 1024**3 - 1

CLUSTER = 128 * 1024
"""Bytes that the smallest file takes where that is not known: Ventoy's choice for large sticks (VentoyWorker.sh)."""


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
        files: the files at the places that the wanted and the found manifest name, by path, and those elsewhere that
            have the size of a wanted image that was missing.
        leftovers: temporary files of an interrupted stage, with their sizes; they go before anything is written, except
            the part of an image that is written on.
        others: files that the manifests of other fleets on the same stick name, with the fleet's name.
        before: the user's own ventoy.json as an earlier stage has kept it.
        cluster: bytes that the smallest file takes.
        listing: all files with their sizes, if an image was looked for under other names; else empty.
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
    before: bytes | None = None
    cluster: int = CLUSTER
    listing: Mapping[str, int] = field(default_factory=dict)


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
        extra: bytes of the files that no build holds: checksum files, the user's own ventoy.json.
        places: paths on the stick of the images that the build knows under another path, by that path.
    """

    wanted: Manifest
    steps: tuple[Step, ...]
    kept: tuple[Step, ...]
    config: bytes | None
    write_bytes: int
    extra: Mapping[str, bytes] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes_nothing(self) -> bool:
        """Whether the stick is already as it should be."""
        return not self.steps


def reconcile(
    wanted: Manifest, found: Found, menu: Menu, held: Collection[str] = ()
) -> tuple[StagePlan | None, Report]:
    """Decide what to do.

    Args:
        wanted: the payload's manifest.
        found: the stick.
        menu: its ventoy.json.
        held: paths of the found manifest that stay although they are wanted no more, as long as they are undamaged.

    Returns:
        The plan, or None with findings VK-Z* and VK-V*.
    """
    report = Report()
    final, extra, places = _final(wanted, found, menu, held)
    owned = {e.path: e for e in found.manifest.entries} if found.manifest else {}
    steps: list[Step] = []
    kept: list[Step] = []
    entries: list[Entry] = []
    names = {place: name for name, place in places.items()}
    for entry in final.entries:
        step = _step_for(entry, found, owned.get(entry.path), names.get(entry.path, entry.path), report)
        adopted = step.action is Action.ADOPT or (
            step.action is Action.KEEP and step.origin.startswith(ADOPTED)
        )
        origin = entry.origin.removeprefix(ADOPTED)
        entries.append(Entry(entry.path, entry.size, entry.sha256, ADOPTED + origin) if adopted else entry)
        (kept if step.action is Action.KEEP else steps).append(step)
        if found.filesystem in ("vfat", "msdos", "fat") and entry.size > FAT32_LIMIT:
            report.add(
                codes.FILE_TOO_LARGE.finding(
                    f"{entry.path} has {format_size(entry.size)}",
                    "Format the stick's data partition as exFAT with Ventoy's own tool.",
                    place=Place(entry.path),
                )
            )
    # A generation's name is a digest: were it sorted among its neighbours, each build would show another order.
    steps.sort(key=lambda s: s.path.startswith(f"ventoy/{wanted.fleet}/{wanted.generation}/"))
    final = replace(final, entries=tuple(entries))
    report.extend(limit_findings(final.config, final.entries))
    config, problems = menu.merged(final.config)
    report.extend(problems)
    new_config = None if found.config == config else config
    if new_config is not None:
        action = Action.WRITE if found.config is None else Action.REPLACE
        steps.append(Step(action, CONFIG_PATH, len(new_config), None, "merged", "Ventoy's menu"))
    if found.manifest is None or not found.manifest.complete or final.to_json() != found.manifest.to_json():
        data = final.to_json()
        action = Action.WRITE if found.manifest is None else Action.REPLACE
        steps.append(
            Step(action, manifest_path(wanted.fleet), len(data), None, "manifest", "what the kit owns here")
        )
    begun = {_part(s) for s in steps if is_image(s.path)}
    steps += removals({e.path for e in final.entries}, found, report, begun)
    written = [s for s in steps if s.action in (Action.WRITE, Action.REPLACE)]
    room = room_for([(s.path, s.size) for s in written], found.cluster)
    if written and room > found.free + sum(found.leftovers.values()):
        report.add(_no_space(room, found, steps))
    write = sum(s.size for s in written)
    return (
        None
        if report.has_errors
        else StagePlan(final, tuple(steps), tuple(kept), new_config, write, extra, places)
    ), report


def _final(
    wanted: Manifest, found: Found, menu: Menu, held: Collection[str]
) -> tuple[Manifest, dict[str, bytes], dict[str, str]]:
    """What the stick shall hold: images where they are found, checksum files, the user's own ventoy.json, what is held.

    Also the bytes of the files that are made here and not by a build, and the images' paths where they differ.
    """
    owned = {e.path: e for e in found.manifest.entries} if found.manifest else {}
    images = [e for e in wanted.entries if is_image(e.path)]
    digests = {path: (f.size, f.sha256) for path, f in found.files.items()}
    places = locate(images, digests, owned, [p for p in found.files if _is_bound(p, owned, found, images)])
    manifest = relocated(wanted, places)
    extra: dict[str, bytes] = {}
    made: list[Entry] = []
    for entry in (e for e in manifest.entries if is_image(e.path) and e.path.startswith("iso/")):
        beside = entry.path + CHECKSUM
        if beside in owned or beside not in found.files:  # else it is the user's
            extra[beside] = checksum_file(entry)
            made.append(_made(beside, extra[beside], "checksum for Ventoy's menu"))
    if (before := menu.to_keep()) is not None:
        path = before_path(wanted.fleet)
        extra[path] = before
        made.append(_made(path, before, "your ventoy.json"))
    entries = {e.path: e for e in (*manifest.entries, *made)}
    stay = {p: e for p, e in owned.items() if p in held and p not in entries and is_as_recorded(e, found)}
    everything = entries | stay
    return replace(manifest, entries=tuple(everything[p] for p in sorted(everything))), extra, places


def is_as_recorded(entry: Entry, found: Found) -> bool:
    """Whether a file is there as the manifest has it, as far as it was read; nobody could write it again."""
    there = found.files.get(entry.path)
    return there is not None and there.size == entry.size and there.sha256 in (None, entry.sha256)


def _made(path: str, data: bytes, origin: str) -> Entry:
    return Entry(path, len(data), hashlib.sha256(data).hexdigest(), origin)


def _is_bound(path: str, owned: Mapping[str, Entry], found: Found, images: Sequence[Entry]) -> bool:
    """Whether an image's bytes must stay under their name, since a menu names them: the kit's own, another fleet's."""
    if path in found.others:
        return True
    there = found.files[path]
    # exFAT takes names that differ in case only for one file.
    entry = owned.get(path) or next((e for p, e in owned.items() if p.casefold() == path.casefold()), None)
    if entry is None or entry.origin.startswith(ADOPTED) or there.size != entry.size:
        return False
    return (entry.size, entry.sha256) not in [(e.size, e.sha256) for e in images if e.path == path]


SLACK = 1024 * 1024
"""Bytes kept free for what the file system itself writes down, and for the manifests on the way."""


def room_for(files: Sequence[tuple[str, int]], cluster: int) -> int:
    """Bytes that a file system needs to take files beside all that it holds: whole clusters, folders, and the slack.

    What is replaced stays until its successor is whole, and what is obsolete until everything is there.
    """
    folders = {str(folder) for path, _ in files for folder in PurePosixPath(path).parents}
    return sum(-(-max(size, 1) // cluster) * cluster for _, size in files) + len(folders) * cluster + SLACK


def before_path(fleet: str) -> str:
    """Where the user's own ventoy.json is kept while the kit's entries are merged into it."""
    return f"ventoy/{fleet}/before.json"


def manifest_path(fleet: str) -> str:
    """Where a fleet's manifest lies."""
    return f"ventoy/{fleet}/manifest.json"


def _step_for(entry: Entry, found: Found, owned: Entry | None, name: str, report: Report) -> Step:
    """What happens to one file; `name` is the path under which the build knows an image."""
    there = found.files.get(entry.path)
    adopted = owned is not None and owned.origin.startswith(ADOPTED)

    def step(action: Action, why: str) -> Step:
        origin = entry.origin.removeprefix(ADOPTED)
        origin = ADOPTED + origin if adopted and action is Action.KEEP else origin
        return Step(action, entry.path, entry.size, entry.sha256, origin, why)

    if there is None and is_image(entry.path) and _part(entry) in found.leftovers:
        return step(Action.WRITE, "begun by an interrupted run, goes on from there")
    if there is None:
        return step(Action.WRITE, "new" if owned is None else "missing")
    unread = there.sha256 is None and owned == entry  # what is held is not read again
    if there.size == entry.size and (there.sha256 == entry.sha256 or unread):
        known = "" if name == entry.path else f", {name} by its digest"
        if owned is None and is_image(entry.path):
            return step(Action.ADOPT, f"it is there already, put there by you{known}")
        return step(Action.KEEP, f"same bytes{known}")
    # After a power cut the name may be there and its bytes not; an empty file of ours has nothing to lose.
    emptied = there.size == 0 and owned is not None and not adopted
    if is_image(entry.path) and not emptied and (owned is None or adopted or there.size != owned.size):
        report.add(
            codes.IN_THE_WAY.finding(
                f"{entry.path} is there already, with other bytes, and the kit did not put it there",
                "Rename or remove it, or rename your ISO.",
                place=Place(entry.path),
            )
        )
    return step(Action.REPLACE, "other bytes")


def _part(file: Entry | Step) -> str:
    """Where an interrupted run left what it had written of a file."""
    return part_path(file.path, file.sha256 or "", TEMPORARY)


def removals(
    staying: Collection[str], found: Found, report: Report, begun: Collection[str] = ()
) -> list[Step]:
    """What goes: the kit's own files that are not among those that stay, and temporary files but those `begun`.

    The part of an image that is still to be written is no rubbish: writing goes on from there.
    """
    owned = found.manifest.entries if found.manifest else ()
    # exFAT takes names that differ in case only for one file.
    names = {path.casefold() for path in staying}
    gone = []
    for entry in owned:
        there = found.files.get(entry.path)
        if there is None or entry.path.casefold() in names or entry.origin.startswith(ADOPTED):
            continue
        if entry.path in found.others:
            report.add(
                codes.OTHER_FLEET.finding(
                    f"{entry.path} stays: the fleet {found.others[entry.path]} on this stick uses it",
                    "Remove it by hand when no fleet needs it any more.",
                    place=Place(entry.path),
                )
            )
        elif is_image(entry.path) and not is_as_recorded(entry, found):
            report.add(
                codes.CHANGED.finding(
                    f"{entry.path} stays: it has other bytes than the kit put there",
                    "Remove it by hand if you do not need it.",
                    place=Place(entry.path),
                )
            )
        else:
            gone.append(Step(Action.REMOVE, entry.path, there.size, None, entry.origin, _why_gone(entry)))
    left = [
        Step(Action.REMOVE, path, size, None, "temporary", "left by an interrupted run")
        for path, size in sorted(found.leftovers.items())
        if path not in begun
    ]
    return gone + left


def _no_space(room: int, found: Found, steps: list[Step]) -> Finding:
    obsolete = [s for s in steps if s.action is Action.REMOVE and s.origin != "temporary"]
    freed = sum(s.size for s in obsolete)
    fits = room <= found.free + sum(found.leftovers.values()) + freed
    first = ""
    if freed:
        more = ", after which the new ones fit" if fits else ""
        first = f"`ventoy-kit unstage` removes {format_size(freed)} that only the old set needs{more}. "
    ours = {e.path for e in found.manifest.entries} if found.manifest else set()
    own = sorted((-size, path) for path, size in found.listing.items() if path not in ours)[:3]
    largest = ", ".join(f"{path} ({format_size(-size)})" for size, path in own)
    return codes.NO_SPACE.finding(
        f"{format_size(room)} are needed, {format_size(found.free)} are free",
        f"{first}Use a larger stick, or remove files of yours"
        + (f"; the largest are {largest}." if largest else "."),
    )


def _why_gone(entry: Entry) -> str:
    return "no longer in the fleet" if is_image(entry.path) else "of the generation before"
