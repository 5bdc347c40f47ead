"""Apply a stage plan. The order makes every moment safe: a stick that is pulled out holds the old set or the new one.

Intent (what will be owned), images, new generation, ventoy.json, manifest, and only then the old generation goes.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.ports import NewFile, Progress, StickFiles
from ventoy_kit.stick.locate import CHECKSUM, is_image, is_usable, own_name
from ventoy_kit.stick.reconcile import (
    ADOPTED,
    TEMPORARY,
    Action,
    Found,
    FoundFile,
    StagePlan,
    Step,
    before_path,
    manifest_path,
)
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

Source = Callable[[], Iterable[bytes]]
"""Opens a file's bytes anew, in blocks."""

MANIFEST_LIMIT = 16 * 1024 * 1024
"""Bytes; a fleet of a thousand nodes has a manifest of less than one MiB."""

_TEMPORARY_NAME = re.compile(r"(^|/)" + re.escape(TEMPORARY) + r"[0-9a-f]{12}\.part$")

OBSOLETE = "obsolete, to be removed"


def survey(
    files: StickFiles,
    wanted: Manifest,
    *,
    filesystem: str | None,
    recheck: bool,
    progress: Progress,
    ignore_manifest: bool = False,
) -> Found:
    """Look at a stick.

    Args:
        files: the stick.
        wanted: the manifest that is wanted there.
        filesystem: name of its file system, if known.
        recheck: read every file, instead of believing the digest that a complete manifest records for an ISO whose
            size is unchanged.
        progress: told about files that are read.
        ignore_manifest: look at the files alone, as if no earlier stage had recorded anything.

    Raises:
        StorageError: it cannot be read.
        ValueError: the manifest on it is none, or claims what a stage never writes.
    """
    manifest = None if ignore_manifest else read_manifest(files, manifest_path(wanted.fleet))
    recorded = {e.path: e for e in manifest.entries} if manifest and manifest.complete and not recheck else {}
    owned = {e.path: e for e in manifest.entries} if manifest else {}
    sizes = {e.path: e.size for e in wanted.entries}
    sizes |= {own_name(e): e.size for e in wanted.entries if is_image(e.path)}
    names = {path.casefold(): path for path in files.leftovers("", ("iso",))}
    found: dict[str, FoundFile] = {}

    def look(path: str, expected: int | None) -> None:
        """Note a file, with its digest if it is recorded or the size is the expected one."""
        size, known = files.size(path), recorded.get(path)
        name = names.get(path.casefold(), path)
        if size is None:
            return
        if name != path and path.startswith("iso/"):  # exFAT finds it by any case, Ventoy by its own alone
            found[path] = FoundFile(size, None)
            look(name, expected)
        elif known is not None and known.size == size and is_image(path):
            found[path] = FoundFile(size, known.sha256)
        elif size != expected:
            found[path] = FoundFile(size, None)
        else:
            progress.start(f"reading {path}", size)
            found[path] = FoundFile(size, files.sha256(path, progress))
            progress.done()

    for path in sorted({*sizes, *owned}):
        look(path, sizes[path] if path in sizes else owned[path].size if recheck else None)
    listing = _search(files, [e for e in wanted.entries if is_image(e.path)], found, look)
    for path in [p for p in found if is_image(p) and p.startswith("iso/")] + [*sizes]:
        if is_image(path) and path + CHECKSUM not in found:
            look(path + CHECKSUM, None)
    for path in [p for p in found if p.endswith(CHECKSUM) or p == before_path(wanted.fleet)]:
        look(path, found[path].size)  # small, so that they are read each time
    leftovers = [p for p in files.leftovers(TEMPORARY, ("iso", "ventoy")) if _TEMPORARY_NAME.search(p)]
    return Found(
        manifest=manifest,
        files=found,
        leftovers={path: files.size(path) or 0 for path in leftovers},
        config=files.read(CONFIG_PATH),
        free=files.free(),
        filesystem=filesystem,
        others=_others(files, wanted.fleet),
        before=files.read(before_path(wanted.fleet)),
        cluster=files.cluster(),
        listing=listing,
    )


def _search(
    files: StickFiles,
    images: Iterable[Entry],
    found: Mapping[str, FoundFile],
    look: Callable[[str, int | None], None],
) -> Mapping[str, int]:
    """Look for images that are at no known place among all files of their size; the files that were listed."""
    there = {(f.size, f.sha256) for f in found.values()}
    sizes = {e.size for e in images if (e.size, e.sha256) not in there}
    listing = files.listing() if sizes else {}
    for path, size in listing.items():
        unread = path not in found or found[path].sha256 is None
        if size in sizes and unread and is_image(path) and path.lower().endswith(".iso"):
            look(path, size)
    return listing


def read_manifest(files: StickFiles, path: str) -> Manifest | None:
    """A manifest, trusted no further than its fleet's own folder and the images reach.

    Raises:
        ValueError: it is none, or it claims what a stage never writes.
    """
    size = files.size(path)
    if size is None:
        return None
    if size > MANIFEST_LIMIT:
        raise ValueError(f"it has {size} bytes")
    try:
        manifest = Manifest.from_json(files.read(path) or b"")
        manifest.to_json()  # what cannot be written again is no text
    except (RecursionError, OverflowError) as error:
        raise ValueError("it is nested too deeply or holds a number without end") from error
    for entry in manifest.entries:
        adopted = entry.origin.startswith(ADOPTED) and is_usable(entry.path)
        if not adopted and not entry.path.startswith(("iso/", f"{path.rpartition('/')[0]}/")):
            raise ValueError(f"it claims `{entry.path}`, which no stage writes")
    for plugin, entries in manifest.config.items():
        if not isinstance(entries, list) or not all(_plain(e) for e in entries):
            raise ValueError(f"its entries of `{plugin}` are no configuration of Ventoy")
    return manifest


def _plain(value: Any) -> bool:
    """Whether a value is of the kinds that Ventoy's configuration has."""
    if isinstance(value, Mapping):
        return all(_plain(v) for v in value.values())
    if isinstance(value, list):
        return all(_plain(v) for v in value)
    return value is None or isinstance(value, str | int)


def _others(files: StickFiles, fleet: str) -> dict[str, str]:
    """Files that other fleets on the same stick count on; a manifest that cannot be read protects nothing."""
    out: dict[str, str] = {}
    for path in files.leftovers("manifest.json", ("ventoy",)):
        parts = path.split("/")
        if len(parts) != 3 or parts[2] != "manifest.json" or parts[1] == fleet:
            continue
        with contextlib.suppress(ValueError):
            manifest = read_manifest(files, path)
            out |= {e.path: parts[1] for e in manifest.entries} if manifest else {}
    return out


def apply_plan(
    plan: StagePlan, found: Found, files: StickFiles, sources: Mapping[str, Source], progress: Progress
) -> None:
    """Carry a plan out; what it writes is read back and compared, one file after the other.

    Args:
        plan: from `reconcile`.
        found: the survey it was made from.
        files: the stick.
        sources: bytes of every wanted file by path.
        progress: told about bytes written and read back.

    Raises:
        StorageError: writing or reading back failed; the stick holds the old set or the new one.
    """
    if plan.changes_nothing:
        return
    fleet = plan.wanted.fleet
    manifest_at = manifest_path(fleet)
    owned = {e.path: e for e in found.manifest.entries} if found.manifest else {}
    gone = [s for s in plan.steps if s.action is Action.REMOVE and s.origin != "temporary"]
    for step in plan.steps:  # first, since an interrupted run may have filled the stick
        if step.action is Action.REMOVE and step.origin == "temporary":
            files.remove(step.path)
    _write_manifest(files, manifest_at, _intent(plan.wanted, found.manifest))
    ours = {e.path for e in plan.wanted.entries}
    built_as = {place: name for name, place in plan.places.items()}
    writes = [s for s in plan.steps if s.action in (Action.WRITE, Action.REPLACE) and s.path in ours]
    images = [s for s in writes if is_image(s.path)]
    for step in images:
        _write(step, files, sources[built_as.get(step.path, step.path)], progress)
    small = [s for s in writes if not is_image(s.path)]
    total = sum(s.size for s in small)
    progress.start(f"writing {len(small)} small files", 2 * total)
    files.write_all([_new_file(s, plan.extra.get(s.path), sources) for s in small], progress)
    progress.done()
    files.flush()
    if plan.config is not None:
        _put(files, CONFIG_PATH, plan.config)
    if gone:
        # Until they are removed, the old files stay on record, so that the next run finds them if this one ends here.
        left = tuple(Entry(s.path, s.size, owned[s.path].sha256, OBSOLETE) for s in gone)
        entries = tuple(sorted((*plan.wanted.entries, *left), key=lambda e: e.path))
        _write_manifest(
            files,
            manifest_at,
            Manifest(fleet, plan.wanted.generation, entries, plan.wanted.config, complete=True),
        )
        for step in gone:
            files.remove(step.path)
    _write_manifest(files, manifest_at, plan.wanted)
    files.flush()


def _intent(wanted: Manifest, before: Manifest | None) -> Manifest:
    """Everything that is or will be ours: files and configuration entries of the old set and of the new one."""
    if before is None:
        return Manifest(wanted.fleet, wanted.generation, wanted.entries, wanted.config, complete=False)
    # An image's path never gets other bytes, so where both name a file the new entry is true of it at any moment.
    entries = {e.path: e for e in (*before.entries, *wanted.entries)}
    config = {
        k: [*(old := before.config.get(k, [])), *(e for e in wanted.config.get(k, []) if e not in old)]
        for k in {**before.config, **wanted.config}
    }
    ordered = tuple(entries[p] for p in sorted(entries))
    return Manifest(wanted.fleet, wanted.generation, ordered, config, complete=False)


def _new_file(step: Step, made: bytes | None, sources: Mapping[str, Source]) -> NewFile:
    chunks = sources[step.path]() if made is None else [made]
    return NewFile(step.path, chunks, step.sha256 or "", private=not step.path.startswith("iso/"))


def _write(step: Step, files: StickFiles, source: Source, progress: Progress) -> None:
    progress.start(f"writing {step.path}", 2 * step.size)
    files.write(
        step.path,
        source(),
        sha256=step.sha256 or "",
        private=False,
        progress=progress,
    )
    progress.done()


def _write_manifest(files: StickFiles, path: str, manifest: Manifest) -> None:
    _put(files, path, manifest.to_json())


def _put(files: StickFiles, path: str, data: bytes) -> None:
    files.write(path, [data], sha256=hashlib.sha256(data).hexdigest(), private=False)
