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
from ventoy_kit.ports import Progress, StickFiles
from ventoy_kit.stick.reconcile import TEMPORARY, Action, Found, FoundFile, StagePlan, Step, manifest_path
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
    sizes = {e.path: e.size for e in wanted.entries}
    owned = {e.path: e for e in manifest.entries} if manifest else {}
    found: dict[str, FoundFile] = {}
    for path in sorted({*sizes, *owned}):
        size = files.size(path)
        if size is None:
            continue
        known = recorded.get(path)
        expected = sizes[path] if path in sizes else owned[path].size if recheck else None
        if known is not None and known.size == size and path.startswith("iso/"):
            found[path] = FoundFile(size, known.sha256)
        elif size != expected:
            found[path] = FoundFile(size, None)
        else:
            progress.start(f"reading {path}", size)
            found[path] = FoundFile(size, files.sha256(path, progress))
            progress.done()
    return Found(
        manifest=manifest,
        files=found,
        leftovers={
            path: files.size(path) or 0
            for path in files.leftovers(TEMPORARY, ("iso", "ventoy"))
            if _TEMPORARY_NAME.search(path)
        },
        config=files.read(CONFIG_PATH),
        free=files.free(),
        filesystem=filesystem,
        others=_others(files, wanted.fleet),
    )


def read_manifest(files: StickFiles, path: str) -> Manifest | None:
    """A manifest on a stick, None if there is none; trusted no further than its fleet's folder and the images reach.

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
        if not entry.path.startswith(("iso/", f"{path.rpartition('/')[0]}/")):
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
    writes = [s for s in plan.steps if s.action in (Action.WRITE, Action.REPLACE) and s.path in ours]
    for step in sorted(writes, key=lambda s: (not s.path.startswith("iso/"), s.path)):
        _write(step, files, sources[step.path], progress)
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
    entries = {e.path: e for e in wanted.entries} | {e.path: e for e in before.entries}
    config = {
        k: [*(old := before.config.get(k, [])), *(e for e in wanted.config.get(k, []) if e not in old)]
        for k in {**before.config, **wanted.config}
    }
    ordered = tuple(entries[p] for p in sorted(entries))
    return Manifest(wanted.fleet, wanted.generation, ordered, config, complete=False)


def _write(step: Step, files: StickFiles, source: Source, progress: Progress) -> None:
    progress.start(f"writing {step.path}", 2 * step.size)
    files.write(
        step.path,
        source(),
        sha256=step.sha256 or "",
        private=not step.path.startswith("iso/"),
        progress=progress,
    )
    progress.done()


def _write_manifest(files: StickFiles, path: str, manifest: Manifest) -> None:
    _put(files, path, manifest.to_json())


def _put(files: StickFiles, path: str, data: bytes) -> None:
    files.write(path, [data], sha256=hashlib.sha256(data).hexdigest(), private=False)
