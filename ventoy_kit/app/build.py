"""`ventoy-kit build`: render the payload into the folder `build/` beside the fleet file."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ventoy_kit import __version__
from ventoy_kit.app.build_simulation import simulate_fleet
from ventoy_kit.app.built import BUILD_FOLDER, INDEX, INDEX_FORMAT
from ventoy_kit.app.check import wipe_table
from ventoy_kit.app.host import Host
from ventoy_kit.app.known_files import Remembered
from ventoy_kit.app.local_proof import prove_local
from ventoy_kit.app.outcome import Block, Heading, Next, Outcome
from ventoy_kit.app.stage_view import plan_result, plan_table
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge.files import make_folder
from ventoy_kit.edge.state import load_state, save_state
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.edge.workers import beside
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.gather.isos import digest_isos
from ventoy_kit.gather.secrets import SecretSources, gather_clear, gather_hashes
from ventoy_kit.gather.wanted import origin_of
from ventoy_kit.payload.model import Payload
from ventoy_kit.payload.render import Answers, render_payload
from ventoy_kit.plan.compose import compose
from ventoy_kit.plan.inputs import Inputs, IsoFile
from ventoy_kit.plan.model import Plan
from ventoy_kit.report import Report
from ventoy_kit.stick.apply import apply_plan, survey
from ventoy_kit.stick.menu import Menu
from ventoy_kit.stick.reconcile import TEMPORARY, Found, StagePlan, reconcile
from ventoy_kit.stick.ventoy_text import Obj


@dataclass(frozen=True, slots=True)
class Rendered:
    """A payload with what it was made from."""

    plan: Plan
    payload: Payload
    isos: Mapping[str, IsoFile]


def build(file: Path, host: Host, *, dry_run: bool = False, offline: bool = False) -> Outcome:
    """Check, fetch what is missing, render, show the plan, write.

    Args:
        file: the fleet file.
        host: effects.
        dry_run: show the same plan and write nothing; images that are missing are refused.
        offline: do not fetch what is missing, and refuse.

    Raises:
        MachineError: reading an ISO or writing the build failed.
    """
    workspace = load_workspace(file, host)
    told = Report()
    if workspace.images.missing and not (workspace.report.has_errors or dry_run or offline):
        from ventoy_kit.app.fetch import fetch_images

        told = fetch_images(workspace, host, workspace.images.missing).report
        workspace = load_workspace(file, host)
    workspace = workspace.demanding_images()
    if workspace.fleet is None or workspace.report.has_errors or told.has_errors:
        return Outcome("build", workspace.located(told, workspace.hardware))
    problem = unwritable(workspace.base)
    problem.extend(unwritable(workspace.base / BUILD_FOLDER) if not problem.has_errors else ())
    if problem.has_errors:
        return Outcome("build", workspace.located(problem))
    rendered, found = render(workspace, workspace.fleet, host, remember=not dry_run)
    if rendered is None:
        return Outcome("build", workspace.located(told, found))
    report = workspace.located(told, found)
    folder = StickFolder(workspace.base / BUILD_FOLDER, TEMPORARY, private=True)
    stage_plan, found = _write(rendered, folder, workspace, dry_run=dry_run)
    report.extend(found)
    if stage_plan is None:
        return Outcome("build", report)
    return Outcome(
        "build", report, _result(rendered, stage_plan), _blocks(workspace, rendered, stage_plan, dry_run)
    )


def render(
    workspace: Workspace, fleet: Fleet, host: Host, *, remember: bool
) -> tuple[Rendered | None, Report]:
    """Gather the inputs, make the plan, render the payload."""
    known = load_state(workspace.base, "hashes")
    sources = SecretSources(workspace.base, host.files, host.environment, host.process, host.ask_secret)
    hashes, report = gather_hashes(fleet, sources, {k: v for k, v in known.items() if isinstance(v, str)})
    clear, found = gather_clear(fleet, sources)
    report.extend(found)
    if report.has_errors:
        return None, report
    if remember and dict(known) != dict(hashes):
        save_state(workspace.base, "hashes", hashes)
    known_files = Remembered(workspace.base, host.progress, _with_sha512(workspace, fleet))
    isos = dict(digest_isos(fleet, workspace.base, workspace.isos, known_files.sha256))
    for image, entry in workspace.images.pinned.items():
        facts = workspace.isos[image]
        path = workspace.images.files[image]
        isos[image] = IsoFile(path, facts, entry.sha256, origin_of(entry), entry.file)
    proofs, found = prove_local(workspace, host, known_files=known_files)
    report = Report([*report, *found])
    for image, proof in proofs.items():
        isos[image] = replace(isos[image], origin=proof.origin)
    if remember:
        known_files.save()
    if report.has_errors:
        return None, report
    plan = compose(fleet, Inputs(workspace.library, isos, hashes, clear))
    answers: Answers = {}
    with beside(functools.partial(render_payload, plan, workspace.library, answers)) as rendering:
        simulated = simulate_fleet(plan, workspace, host, answers, remember=remember)
        payload, found = rendering.result()
    report.extend(found)
    if payload is not None:
        found = Report([*workspace.hardware, *simulated])
        report.extend(found)
        payload = None if found.has_errors else payload
    return (None, report) if payload is None else (Rendered(plan, payload, isos), report)


def _with_sha512(workspace: Workspace, fleet: Fleet) -> frozenset[Path]:
    """The local files whose vendors state SHA-512."""
    found = set()
    for name, image in fleet.images.items():
        entry = workspace.library.catalog.get(image.catalog or name)
        sums = None if entry is None else entry.checksums
        if image.path is not None and sums is not None and sums.algorithm == "sha512":
            found |= {path for image_name, path in workspace.images.files.items() if image_name == name}
    return frozenset(found)


def _write(
    rendered: Rendered, folder: StickFolder, workspace: Workspace, *, dry_run: bool
) -> tuple[StagePlan | None, Report]:
    """Bring the build folder up to date, with the code that brings a stick up to date."""
    payload = rendered.payload
    report = Report()
    if dry_run:
        plan, _, problems = _compare(payload, folder)
        report.extend(problems)
        return plan, report
    make_folder(folder.root, mode=0o700)
    with folder.locked():
        plan, found, problems = _compare(payload, folder)
        report.extend(problems)
        if plan is not None:
            sources = {f.path: functools.partial(_blocks_of, f.data) for f in payload.files}
            apply_plan(plan, found, folder, sources, Host().progress)
            _write_index(rendered, folder, workspace)
    return plan, report


def _compare(payload: Payload, folder: StickFolder) -> tuple[StagePlan | None, Found, Report]:
    """What the build folder holds against what it shall hold: everything but the ISOs."""
    manifest = payload.manifest()
    iso_paths = {i.path for i in payload.isos}
    entries = tuple(e for e in manifest.entries if e.path not in iso_paths)
    own = replace(manifest, entries=entries)
    silent = Host().progress
    try:
        found = survey(folder, own, filesystem=None, recheck=True, progress=silent)
    except ValueError:  # a build of another version: it is ours, so it is simply made anew
        found = survey(folder, own, filesystem=None, recheck=True, progress=silent, ignore_manifest=True)
    # The folder is the kit's alone, so its ventoy.json is made anew whatever somebody has put there.
    plan, report = reconcile(own, found, Menu(None, Obj(), {}, None))
    return plan, found, report


def _blocks_of(data: bytes) -> list[bytes]:
    return [data]


def _write_index(rendered: Rendered, folder: StickFolder, workspace: Workspace) -> None:
    """The build's own index, which `stage` starts from: the manifest with ISOs, their sources, the fleet's digest."""
    payload = rendered.payload
    index = {
        "format": INDEX_FORMAT,
        "kit": __version__,
        "fleet_file": workspace.file.name,
        "fleet_sha256": workspace.digest,
        "isos": {i.path: str(rendered.isos[i.image].path) for i in payload.isos},
        "stand_ins": sorted(i.path for i in payload.isos if rendered.isos[i.image].facts.stand_in),
        "manifest": json.loads(payload.manifest().to_json()),
    }
    data = (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode()
    if folder.read(INDEX) != data:
        folder.write(INDEX, [data], sha256=hashlib.sha256(data).hexdigest(), private=True)


def _result(rendered: Rendered, plan: StagePlan) -> dict[str, Any]:
    payload = rendered.payload
    return {
        "fleet": payload.fleet,
        "generation": payload.generation,
        "nodes": {
            n.name: {"image": n.image, "wipes": [d.serial or d.wwn for d in n.disks_for("system")]}
            for n in rendered.plan.nodes
        },
        "isos": [
            {"path": i.path, "size": i.size, "sha256": i.sha256, "origin": i.origin} for i in payload.isos
        ],
        **plan_result(plan),
    }


def _blocks(workspace: Workspace, rendered: Rendered, plan: StagePlan, dry_run: bool) -> list[Block]:  # noqa: FBT001
    payload = rendered.payload
    assert workspace.fleet is not None  # noqa: S101 - render() was called with it
    folder = workspace.base / BUILD_FOLDER
    verb = "would be written to" if dry_run else "is in"
    return [
        Heading(f"{rendered.plan.title}: generation {payload.generation} {verb} {folder}"),
        wipe_table(workspace.fleet),
        *plan_table(plan, "The build folder is up to date."),
        Next(
            (
                "ventoy-kit checklist            what to compare and press at each machine",
                "ventoy-kit stage /dev/sdX       onto the Ventoy stick (a folder or an image file works too)",
            )
            if not dry_run
            else ("ventoy-kit build                to write it",)
        ),
    ]
