"""Apply a stage plan. The order makes every moment safe: a stick that is pulled out holds the old set or the new one.

Intent (what will be owned), images, new generation, ventoy.json, manifest, and only then the old generation goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.ports import Progress, StickFiles
from ventoy_kit.stick.reconcile import TEMPORARY, Action, Found, FoundFile, StagePlan, Step, manifest_path
from ventoy_kit.stick.ventoy_config import CONFIG_PATH

Source = Callable[[], Iterable[bytes]]
"""Opens a file's bytes anew, in blocks."""

OBSOLETE = "obsolete, to be removed"


def survey(
    files: StickFiles,
    wanted: Manifest,
    *,
    filesystem: str | None,
    recheck: bool,
    progress: Progress,
) -> Found:
    """Look at a stick.

    Args:
        files: the stick.
        wanted: the manifest that is wanted there.
        filesystem: name of its file system, if known.
        recheck: read every file, instead of believing the digest that a complete manifest records for an ISO whose
            size is unchanged.
        progress: told about files that are read.

    Raises:
        StorageError: it cannot be read.
        ValueError: the manifest on it is none.
    """
    data = files.read(manifest_path(wanted.fleet))
    manifest = None if data is None else Manifest.from_json(data)
    recorded = {e.path: e for e in manifest.entries} if manifest and manifest.complete and not recheck else {}
    sizes = {e.path: e.size for e in wanted.entries}
    paths = sorted({*sizes, *(e.path for e in manifest.entries)} if manifest else sizes)
    found: dict[str, FoundFile] = {}
    for path in paths:
        size = files.size(path)
        if size is None:
            continue
        known = recorded.get(path)
        if known is not None and known.size == size and path.startswith("iso/"):
            found[path] = FoundFile(size, known.sha256)
        elif sizes.get(path) != size:
            found[path] = FoundFile(size, None)
        else:
            progress.start(f"reading {path}", size)
            found[path] = FoundFile(size, files.sha256(path, progress))
            progress.done()
    return Found(
        manifest=manifest,
        files=found,
        leftovers=files.leftovers(TEMPORARY, ("iso", "ventoy")),
        config=files.read(CONFIG_PATH),
        free=files.free(),
        filesystem=filesystem,
    )


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
    _write_manifest(files, manifest_at, _intent(plan.wanted, found.manifest))
    for step in plan.steps:
        if step.action is Action.REMOVE and step.origin == "temporary":
            files.remove(step.path)
    writes = [s for s in plan.steps if s.action in (Action.WRITE, Action.REPLACE) and s.path in sources]
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
        k: [*before.config.get(k, []), *wanted.config.get(k, [])] for k in {**before.config, **wanted.config}
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
    import hashlib

    files.write(path, [data], sha256=hashlib.sha256(data).hexdigest(), private=False)
