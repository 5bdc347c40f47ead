"""`ventoy-kit fetch`: bring what the fleet needs into the shared cache, verified, and pin it in fleet.lock."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes
from ventoy_kit.app.apt_archive import AptArchive
from ventoy_kit.app.certificates import Certificates
from ventoy_kit.app.fetch_assembled import AssembledFetcher
from ventoy_kit.app.fetch_image import Got, ImageFetcher
from ventoy_kit.app.host import Host
from ventoy_kit.app.lockfile import load_lock, lock_path, save_lock
from ventoy_kit.app.outcome import Block, Heading, Lines, Next, Outcome, Table
from ventoy_kit.app.vendor import Vendor, finding_of, is_answer
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge.net import Downloader
from ventoy_kit.edge.transfer import Patience
from ventoy_kit.errors import InterruptedRunError, MachineError
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.gather.wanted import Want, origin_of
from ventoy_kit.images import fetch_codes
from ventoy_kit.images.lock import Change, Lock, LockInput, changes
from ventoy_kit.images.recognise import release_of
from ventoy_kit.report import Finding, Report

PATIENCE = Patience()
"""How long servers are waited for."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch has done: images that are there now, the lock before and after, findings of the refused."""

    got: tuple[Got, ...]
    before: Lock
    after: Lock
    report: Report


def fetch(
    file: Path, host: Host, images: Sequence[str] = (), update: Sequence[str] = (), *, offline: bool = False
) -> Outcome:
    """Bring images into the cache and write the lock.

    Args:
        file: the fleet file.
        host: effects.
        images: names; none means all.
        update: names of those whose lock shall move to what the vendor offers now.
        offline: never touch the network, and say what is missing.

    Raises:
        MachineError: network, server or disk failed, and nothing was refused.
    """
    workspace = load_workspace(file, host)
    fleet = workspace.fleet
    if fleet is None:
        return Outcome("fetch", workspace.located())
    report = Report([f for f in workspace.images.report if not _is_missing(f)])
    report.extend(f for f in workspace.report if f.severity == "error" and _of_catalog(f))
    for name in (*images, *update):
        if name not in fleet.images:
            report.add(unknown(codes.NO_SUCH_IMAGE, "image", name, fleet.images, ("images",)))
    chosen = set(fleet.images) if not images and not update else {*images, *update}
    wants = tuple(w for w in workspace.images.wants if w.image in chosen)
    if offline:
        report.extend(f for f in workspace.images.blocking if f.path and f.path[1] in chosen)
    elif not report.has_errors:
        report.extend(unwritable(workspace.base))
    report = _located(workspace, report)
    if report.has_errors:
        return Outcome("fetch", report)
    if offline:
        got = tuple(_there(workspace, want) for want in wants)
        done = Fetched(got, workspace.images.lock, workspace.images.lock, Report())
    else:
        known = fleet.images.keys() if not images and not update else None
        done = fetch_images(workspace, host, wants, update=update, known=known)
    report = Report([*report, *_located(workspace, done.report)])
    difference = changes(done.before, done.after)
    if report.has_errors:
        return Outcome("fetch", report)
    return Outcome("fetch", report, _result(done, difference), _blocks(file, done, difference))


def fetch_images(
    workspace: Workspace,
    host: Host,
    wants: Sequence[Want],
    *,
    update: Collection[str] = (),
    known: Collection[str] | None = None,
) -> Fetched:
    """Fetch several at a time, and write the lock for those that succeeded.

    Args:
        workspace: the fleet.
        host: effects.
        wants: what to fetch.
        update: names of images whose lock shall move.
        known: the lock forgets all images but these; None forgets nothing.

    Raises:
        MachineError: network, server or disk failed, and nothing was refused.
    """
    cache = host.cache
    with Downloader(PATIENCE) as downloader:
        vendor = Vendor(downloader, certificates(workspace, host))
        fetcher = ImageFetcher(host, cache, downloader, vendor)
        archive = AptArchive(host, cache, vendor.certificates, downloader.check)
        assembler = AssembledFetcher(host, cache, archive)
        jobs = [
            functools.partial(
                fetcher.fetch if want.entry.apt is None else assembler.fetch,
                want,
                updating=want.image in update,
            )
            for want in wants
        ]
        results = downloader.download_all(jobs)
        report = _certificates_of_local_files(workspace, vendor)
    failed: list[MachineError] = []
    for want, result in zip(wants, results, strict=True):
        if isinstance(result, Got):
            report.extend(result.report)
        elif isinstance(result, InterruptedRunError):
            raise result
        else:
            report.add(finding_of(result, want.path))
            failed += [] if is_answer(result) else [result]
    got = tuple(r for r in results if isinstance(r, Got) and r.entry is not None)
    before, after = _write_lock(workspace, host, got, known)
    if failed and all(f.rule is fetch_codes.BROKE_OFF for f in report if f.severity == "error"):
        raise failed[0] if len(failed) == 1 else _several(failed)
    return Fetched(got, before, after, report)


def _certificates_of_local_files(workspace: Workspace, vendor: Vendor) -> Report:
    """Bring the certificates that local files of the fleet are proved with, as far as they can be had."""
    report = Report()
    for name, image in workspace.fleet.images.items() if workspace.fleet is not None else ():
        entry = workspace.library.catalog.get(image.catalog or name)
        facts = workspace.isos.get(name)
        if image.path is None or entry is None or facts is None:
            continue
        if release_of(entry, facts, Path(image.path).name) is None:
            continue
        if len(vendor.certificates.at_hand(entry)) < len(entry.keys):
            report.extend(vendor.certificates_of(entry, ("images", name, "path"))[1])
    return report


def certificates(workspace: Workspace, host: Host) -> Certificates:
    """The certificates that this machine has."""
    return Certificates(workspace.library.certificates, host.cache.root / "certificates", host.files)


def _several(failed: Sequence[MachineError]) -> MachineError:
    message = "; ".join(error.message for error in failed)
    hints = tuple(dict.fromkeys(error.hint for error in failed if error.hint))
    return MachineError(message, " ".join(hints))


def _write_lock(
    workspace: Workspace, host: Host, got: Sequence[Got], known: Collection[str] | None
) -> tuple[Lock, Lock]:
    """Read the lock again, since another run may have written it meanwhile, and lay the new entries over it."""
    file = workspace.file
    if not got and not workspace.images.lock.images:
        return workspace.images.lock, workspace.images.lock
    with host.cache.part(f"lock of {lock_path(file).resolve()}"):
        before, problems = load_lock(file, host)
        if problems.has_errors:
            raise MachineError(
                f"{lock_path(file)} was damaged while images were fetched",
                "Restore it and run the command again.",
            )
        after = before
        for one in got:
            if one.entry is not None:
                after = after.with_entry(one.image, one.entry)
        for name in tuple(after.images) if known is not None else ():
            if name not in (known or ()) or workspace_path(workspace, name):
                after = after.without(name)
        save_lock(file, before, after)
    return before, after


def workspace_path(workspace: Workspace, name: str) -> bool:
    """Whether an image is a local file now, which no lock pins."""
    return workspace.fleet is not None and workspace.fleet.images[name].path is not None


def _is_missing(finding: Finding) -> bool:
    return finding.rule is fetch_codes.NOT_FETCHED


def _of_catalog(finding: Finding) -> bool:
    return finding.place is not None and finding.place.file.startswith("catalog/")


def _located(workspace: Workspace, report: Report) -> Report:
    return report.located(workspace.marked.locate) if workspace.marked is not None else report


def _there(workspace: Workspace, want: Want) -> Got:
    entry = workspace.images.pinned[want.image]
    return Got(want.image, entry, workspace.images.files[want.image], "cache", Report())


def _result(done: Fetched, difference: Sequence[Change]) -> dict[str, Any]:
    return {
        "images": {
            g.image: g.shown.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            | {"path": str(g.path), "source": g.source}
            for g in done.got
            if g.shown is not None
        },
        "changes": {
            c.image: {
                "old": None if c.old is None else c.old.release,
                "new": None if c.new is None else c.new.release,
                "fields": [f.name for f in c.fields],
            }
            for c in difference
        },
    }


def _blocks(file: Path, done: Fetched, difference: Sequence[Change]) -> list[Block]:
    rows = tuple(
        (
            g.image,
            g.shown.release,
            g.shown.file,
            format_size(g.shown.size),
            origin_of(g.shown),
            "was in the cache" if g.source == "cache" else "fetched",
        )
        for g in done.got
        if g.shown is not None
    )
    told = tuple(line for change in difference for line in change_lines(change))
    option = "" if file.name == "fleet.yaml" else f" --fleet {file}"
    return [
        Heading(f"{len(rows)} {'image' if len(rows) == 1 else 'images'} verified and in the cache"),
        Table(("image", "release", "file", "size", "where from", ""), rows),
        Lines(told or (f"{lock_path(file).name} is unchanged.",)),
        Next((f"ventoy-kit build{option}",)),
    ]


def change_lines(change: Change) -> tuple[str, ...]:
    """A change of the lock for people."""
    if change.old is None and change.new is not None:
        return (f"locked {change.image}: {change.new.release}, SHA-256 {change.new.sha256}",)
    if change.new is None:
        return (f"removed {change.image} from the lock",)
    lines = [f"moved {change.image}:"]
    lines += [f"  {f.name}: {_plain(f.old)} -> {_plain(f.new)}" for f in change.fields]
    return tuple(lines)


def _plain(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{digest} with {tools}" for tools, digest in sorted(value.items())) or "none"
    if isinstance(value, LockInput):
        return f"{value.file}, SHA-256 {value.sha256}"
    return "none" if value is None else str(value)
