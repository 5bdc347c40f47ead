"""`ventoy-kit image verify`: prove at any time what lies in the cache, beside the fleet file, or on a stick."""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.known_files import ReadAnew
from ventoy_kit.app.local_proof import LocalProof, prove_local
from ventoy_kit.app.outcome import Block, Heading, Outcome, Table
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.edge.cache import Content
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.edge.targets import OpenStick, examine_target, open_stick
from ventoy_kit.gather.wanted import origin_of
from ventoy_kit.images import fetch_codes
from ventoy_kit.images.lock import LockEntry
from ventoy_kit.payload.model import Manifest
from ventoy_kit.report import Finding, Place, Report, Severity
from ventoy_kit.stick.locate import is_image
from ventoy_kit.stick.reconcile import TEMPORARY, manifest_path

Row = tuple[str, str, str, str]
"""Name, file, state, and where the bytes come from."""


def verify_images(file: Path, host: Host) -> Outcome:
    """Read the fleet's images in the cache and its local files again, whole, and compare.

    Raises:
        MachineError: reading failed.
    """
    workspace = load_workspace(file, host)
    if workspace.fleet is None or workspace.images.report.has_errors:
        return Outcome("image verify", workspace.located())
    report, rows = Report(), []
    for want in workspace.images.wants:
        pinned = want.pinned
        content = Content.MISSING if pinned is None else _content(pinned, host)
        state = str(content)
        if pinned is not None and content is Content.RIGHT:
            rows.append((want.image, pinned.file, state, origin_of(pinned)))
            continue
        if pinned is not None and content is Content.WRONG:
            report.add(
                fetch_codes.DAMAGED.finding(
                    f"{pinned.file} in the cache no longer has the SHA-256 {' or '.join(pinned.results)}",
                    "Check the disk; `ventoy-kit fetch` brings the image again.",
                    path=want.path,
                )
            )
        rows.append((want.image, pinned.file if pinned else want.request, state, ""))
    report.extend(f for f in workspace.images.blocking if not _told(report, f.path))
    proofs, found = prove_local(workspace, host, known_files=ReadAnew(host.progress))
    report.extend(found)
    report.extend(
        f for f in workspace.report if f.rule.code.startswith("VK-I") and f.severity is Severity.ERROR
    )
    bad = {f.path[1] for f in found if f.severity is Severity.ERROR and f.path and len(f.path) > 1}
    rows += [
        (name, workspace.images.files[name].name, "wrong" if name in bad else _proved(proof), proof.origin)
        for name, proof in sorted(proofs.items())
    ]
    rows += [
        (name, workspace.images.files[name].name, "nothing to verify", "stand-in, cannot boot")
        for name, facts in sorted(workspace.isos.items())
        if facts.stand_in and name not in {row[0] for row in rows}
    ]
    return _outcome(workspace, report, "Images of the fleet", rows)


def _content(pinned: LockEntry, host: Host) -> Content:
    """What lies in the cache of an image; of an assembled one, any of the recorded results is right."""
    found = {host.cache.verify(sha256, host.progress) for sha256 in pinned.results}
    return next(c for c in (Content.RIGHT, Content.WRONG, Content.MISSING) if c in found)


def _proved(proof: LocalProof) -> str:
    return "not verified" if proof.state == "none" else "right"


def _told(report: Report, path: object) -> bool:
    return any(f.path == path for f in report)


def verify_target(file: Path, target: str, host: Host) -> Outcome:
    """Read the ISO files that were staged onto a target and compare them with its manifest and the lock.

    Raises:
        MachineError: mounting or reading failed.
    """
    workspace = load_workspace(file, host)
    if workspace.fleet is None or workspace.images.report.has_errors:
        return Outcome("image verify", workspace.located())
    devices = Devices(host.process)
    candidate, report = examine_target(host.process, devices, target)
    if candidate is None or report.has_errors:
        return Outcome("image verify", report)
    with open_stick(host.process, devices, candidate) as stick:
        rows, found = _staged(workspace, stick, workspace.fleet.fleet, host)
    report.extend(found)
    return _outcome(workspace, report, f"Images on {candidate.title}", rows)


def _staged(workspace: Workspace, stick: OpenStick, fleet: str, host: Host) -> tuple[list[Row], Report]:
    report = Report()
    rows: list[Row] = []
    files = StickFolder(stick.root, TEMPORARY)
    where = manifest_path(fleet)
    data = files.read(where)
    try:
        manifest = None if data is None else Manifest.from_json(data)
    except ValueError as error:
        manifest = None
        reason = f"its manifest cannot be read: {error}"
    else:
        reason = f"it holds no manifest of {fleet}"
    if manifest is None:
        report.add(
            fetch_codes.STICK_DIFFERS.finding(
                f"nothing on {stick.title} can be compared: {reason}",
                "Stage onto it with `ventoy-kit stage`.",
                place=Place(where),
            )
        )
        return rows, report
    locked = {entry.file: entry.results for entry in workspace.images.lock.images.values()}
    for entry in manifest.entries:
        if not is_image(entry.path):
            continue
        size = files.size(entry.path)
        if size is None:
            report.add(_differs(entry.path, "it is not there", "Stage again."))
            rows.append((entry.path, entry.path, "missing", entry.origin))
            continue
        host.progress.start(f"reading {entry.path}", size)
        actual = files.sha256(entry.path, host.progress)
        host.progress.done()
        name = entry.path.rpartition("/")[2]
        # An image may lie under another name on a stick: the digest decides, the name only where nothing else helps.
        known_as = next((results for results in locked.values() if entry.sha256 in results), None)
        pinned = known_as or locked.get(name, (entry.sha256,))
        wrong = [
            f"{' or '.join(k for k in known if k)} {what}"
            for known, what in (((entry.sha256,), "stands in the stick's manifest"), (pinned, "is locked"))
            if actual not in known and any(known)
        ]
        if wrong:
            remedy = (
                "Do not boot it; run `ventoy-kit stage --recheck`, and replace the stick if it happens again."
            )
            report.add(_differs(entry.path, f"it has SHA-256 {actual}, but {' and '.join(wrong)}", remedy))
        rows.append((entry.path, entry.path, "wrong" if wrong else "right", entry.origin))
    return rows, report


def _differs(path: str, what: str, remedy: str) -> Finding:
    return fetch_codes.STICK_DIFFERS.finding(f"{path}: {what}", remedy, place=Place(path))


def _outcome(workspace: Workspace, report: Report, title: str, rows: list[Row]) -> Outcome:
    located = report.located(workspace.marked.locate) if workspace.marked is not None else report
    result = {"images": [dict(zip(("name", "file", "state", "origin"), row, strict=True)) for row in rows]}
    table = Table(("image", "file", "state", "where from"), tuple(rows))
    blocks: list[Block] = [] if located.has_errors else [Heading(title), table]
    return Outcome("image verify", located, result, blocks)
