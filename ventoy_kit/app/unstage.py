"""`ventoy-kit unstage`: take what a fleet staged off a stick, and give the user's ventoy.json back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ventoy_kit.app.arming import ArmedSide, arming_result, look_at_arming
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.stage import Confirm, no_answer
from ventoy_kit.app.stage_view import SIGN, done_text, step_result
from ventoy_kit.app.targets import choose_target
from ventoy_kit.app.workspace import load_workspace
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.stick_files import ObstructedError, StickFolder
from ventoy_kit.edge.targets import OpenStick, open_stick
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.payload.model import Manifest
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Report
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.apply import survey
from ventoy_kit.stick.arm import history_path
from ventoy_kit.stick.menu import Menu, read_menu
from ventoy_kit.stick.reconcile import TEMPORARY, Found, manifest_path
from ventoy_kit.stick.unstage import UnstagePlan, apply_unstage, plan_unstage, salvaged


def unstage(
    file: Path, target: str | None, host: Host, confirm: Confirm, *, name: str | None, dry_run: bool
) -> Outcome:
    """Remove what the kit owns on a target.

    Args:
        file: the fleet file, which names the fleet.
        target: directory, image file or block device; None finds the one stick that is plugged in.
        host: effects.
        confirm: asks before anything is changed.
        name: the fleet's name, instead of the one in the fleet file.
        dry_run: show the plan and change nothing.

    Raises:
        MachineError: mounting, reading or writing failed.
    """
    fleet, report = (name, Report()) if name is not None else _fleet_name(file, host)
    if fleet is None:
        return Outcome("unstage", report)
    candidate, found = choose_target(target, host)
    report.extend(found)
    if candidate is None or report.has_errors:
        return Outcome("unstage", report)
    with open_stick(host.process, Devices(host.process), candidate) as stick:
        return _unstage_from(stick, fleet, report, host, confirm, dry_run=dry_run)


def _fleet_name(file: Path, host: Host) -> tuple[str | None, Report]:
    workspace = load_workspace(file, host)
    if workspace.fleet is None:
        return None, workspace.located()
    return workspace.fleet.fleet, Report()


def _unstage_from(
    stick: OpenStick, fleet: str, report: Report, host: Host, confirm: Confirm, *, dry_run: bool
) -> Outcome:
    files = StickFolder(stick.root, TEMPORARY)
    with files.locked():
        look, problems = _plan(files, fleet, host)
        report.extend(problems)
        if look is None or report.has_errors:
            return Outcome("unstage", report)
        plan, armed = look
        result = {
            "target": stick.title,
            "fleet": fleet,
            "steps": [step_result(s) for s in plan.steps],
            "stays": dict(plan.stays),
            "disarms": arming_result(armed.state.arming, host.clock()),
        }
        shown = (
            Heading(f"Take {fleet} off {stick.title}"),
            *armed.blocks(host.clock()),
            *_table(plan, fleet),
        )
        if dry_run or (plan.changes_nothing and armed.changes_nothing):
            return Outcome("unstage", report, result, shown)
        answer = confirm(shown, f"Remove this from {stick.title}?")
        if answer is not True:
            report.extend(no_answer(answer))
            return Outcome("unstage", report)
        armed.apply(files)
        apply_unstage(plan, files)
    told = f": {done_text(plan.steps)}" if plan.steps else "."
    done = f"{fleet} was taken off {stick.title}{told} What is left there is yours."
    safe = ("The stick is flushed. It is safe to unplug.",) if stick.kind == "device" else ()
    return Outcome("unstage", report, result, [Lines((done, *safe))])


def _plan(files: StickFiles, fleet: str, host: Host) -> tuple[tuple[UnstagePlan, ArmedSide] | None, Report]:
    nothing = Manifest(fleet, "", (), {})
    report = Report()
    try:
        armed, problems = look_at_arming(files, nothing)
        armed = replace(armed, held={}, paths=frozenset())  # whoever takes a fleet off lets everything go
        report.extend(problems)
        report.extend(armed.refusal())
        found, menu, problems = _look(files, nothing, armed, host)
    except ObstructedError as error:
        report.add(codes.OBSTRUCTED.finding(error.message, error.hint))
        return None, report
    report.extend(problems)
    if menu is None:
        return None, report
    last = {
        p: size for p in (history_path(fleet), manifest_path(fleet)) if (size := files.size(p)) is not None
    }
    plan, problems = plan_unstage(found, menu, fleet, last)
    report.extend(problems)
    return (plan, armed), report


def _look(
    files: StickFiles, nothing: Manifest, armed: ArmedSide, host: Host
) -> tuple[Found, Menu | None, Report]:
    """Survey; without a manifest that can be read, by what nobody but the kit writes."""
    report = Report()
    try:
        found = survey(files, nothing, filesystem=None, recheck=False, progress=host.progress)
    except ValueError as error:
        found = survey(
            files, nothing, filesystem=None, recheck=False, progress=host.progress, ignore_manifest=True
        )
        report.add(
            codes.RECOGNISED.finding(
                f"the manifest {manifest_path(nothing.fleet)} cannot be used: {error}",
                "Look through iso/ for images that you do not need; none of them is removed.",
            )
        )
    recorded = found.manifest.config if found.manifest else None
    if found.manifest is None:
        found = salvaged(found, nothing.fleet, files.listing())
    found, _ = armed.seen(found)
    menu, problems = read_menu(found.config, recorded, found.before, nothing.fleet)
    report.extend(problems)
    return found, menu, report


def _table(plan: UnstagePlan, fleet: str) -> list[Block]:
    if plan.changes_nothing:
        return [Lines((f"Nothing of {fleet} is there: nothing was changed.",))]
    rows = tuple((f"{SIGN[s.action]} {s.action}", s.path, format_size(s.size), s.why) for s in plan.steps)
    rows += tuple(("  stays", path, "", why) for path, why in plan.stays.items())
    return [Table(("", "file", "size", "why"), rows, path=1)]
