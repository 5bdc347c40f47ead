"""`ventoy-kit stage` and `status`: bring a stick to what was built, or say what is on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.arming import ArmedSide, arming_line, arming_result, look_at_arming
from ventoy_kit.app.built import Built, load_built
from ventoy_kit.app.host import Host
from ventoy_kit.app.image_file import create_stick_image
from ventoy_kit.app.outcome import Block, Heading, Lines, Next, Outcome
from ventoy_kit.app.stage_view import done_text, plan_result, plan_table, time_needed
from ventoy_kit.app.targets import choose_target
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.files import remove_file
from ventoy_kit.edge.state import load_state, save_state
from ventoy_kit.edge.stick_files import ObstructedError, StickFolder
from ventoy_kit.edge.targets import OpenStick, open_stick
from ventoy_kit.errors import StorageError
from ventoy_kit.payload.overlay import nodes_in_clear
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Place, Report
from ventoy_kit.stick import reconcile_codes as codes
from ventoy_kit.stick.apply import apply_plan, survey
from ventoy_kit.stick.layout import Style
from ventoy_kit.stick.menu import Menu, read_menu
from ventoy_kit.stick.reconcile import TEMPORARY, Found, StagePlan, manifest_path, reconcile
from ventoy_kit.stick.target import Candidate

RATES = "rates"
"""Name of the state that holds the bytes per second, written and read back, of the last stage by kind of target."""
MEASURED = 64 * 1024 * 1024
"""Bytes that a stage must write for its speed to say something about the stick."""

Confirm = Callable[[tuple[Block, ...], str], bool | None]
"""Shows blocks and asks a question: True, False, or None when nobody can be asked."""


@dataclass(frozen=True, slots=True)
class StageOptions:
    """How to stage.

    Attributes:
        dry_run: show the plan and write nothing.
        recheck: read every file on the stick instead of believing its manifest.
        let_go: nodes for which nothing of older generations is kept any more.
        create: make the target a new disk image of this size in bytes, with this partition table; it is removed again
            if staging onto it is refused.
    """

    dry_run: bool = False
    recheck: bool = False
    let_go: tuple[str, ...] = ()
    create: tuple[int, Style] | None = None


def stage(file: Path, target: str | None, host: Host, options: StageOptions, confirm: Confirm) -> Outcome:
    """Stage what was built.

    Args:
        file: the fleet file, beside which the build lies.
        target: directory, image file or block device; None finds the one stick that is plugged in.
        host: effects.
        options: how.
        confirm: asks before anything is written.

    Raises:
        MachineError: mounting, reading or writing failed.
    """
    built, report = load_built(file, host.files)
    if built is None:
        return Outcome("stage", report)
    if options.create is None or target is None:
        return _stage(built, report, target, host, options=options, confirm=confirm)
    report.extend(create_stick_image(Path(target), *options.create, host))
    if report.has_errors:
        return Outcome("stage", report)
    outcome = _stage(built, report, target, host, options=options, confirm=confirm)
    if not outcome.ok:
        remove_file(Path(target))
    return outcome


def _stage(
    built: Built,
    report: Report,
    target: str | None,
    host: Host,
    *,
    options: StageOptions,
    confirm: Confirm,
) -> Outcome:
    candidate, found = choose_target(target, host)
    report.extend(found)
    if candidate is not None:
        report.extend(_stand_ins(built, candidate))
    if candidate is None or report.has_errors:
        return Outcome("stage", report)
    with open_stick(host.process, Devices(host.process), candidate) as stick:
        return _stage_onto(stick, built, report, host, options=options, confirm=confirm)


def _stand_ins(built: Built, candidate: Candidate) -> Report:
    report = Report()
    if candidate.target.kind == "device" and built.stand_ins:
        report.add(
            codes.STAND_IN.finding(
                f"the build holds stand-ins ({', '.join(built.stand_ins)}), and {candidate.title} is a real device",
                "Name the vendor's ISO files in the fleet file and build again.",
            )
        )
    return report


def _stage_onto(
    stick: OpenStick, built: Built, report: Report, host: Host, *, options: StageOptions, confirm: Confirm
) -> Outcome:
    files = StickFolder(stick.root, TEMPORARY)
    with files.locked():
        look, problems = _look(files, stick, built, host, recheck=options.recheck, let_go=options.let_go)
        report.extend(problems)
        report.extend(look.armed.refusal() if look is not None else ())
        if look is None or report.has_errors:
            return Outcome("stage", report)
        plan, problems = reconcile(built.manifest, look.found, look.menu, look.armed.paths)
        report.extend(problems)
        if plan is None:
            return Outcome("stage", report)
        shown: tuple[Block, ...] = (
            Heading(
                f"Stage generation {built.manifest.generation} of {built.manifest.fleet} onto {stick.title}"
            ),
            *look.armed.blocks(host.clock()),
            *plan_table(plan, _nothing(look.armed)),
            *time_needed(plan, load_state(built.base, RATES).get(stick.kind)),
        )
        result = {
            "target": stick.title,
            "kind": stick.kind,
            "generation": built.manifest.generation,
            **look.armed.result(host.clock()),
        }
        if options.dry_run or (plan.changes_nothing and look.armed.changes_nothing):
            return Outcome("stage", report, result | plan_result(plan), shown)
        answer = confirm(shown, f"Write this onto {stick.title}?")
        if answer is not True:
            report.extend(no_answer(answer))
            return Outcome("stage", report)
        began = host.clock()
        look.armed.apply(files)
        apply_plan(plan, look.found, files, built.sources, host.progress)
        seconds = (host.clock() - began).total_seconds()
    if plan.write_bytes >= MEASURED and seconds > 0:
        rates = {**load_state(built.base, RATES), stick.kind: int(plan.write_bytes / seconds)}
        with contextlib.suppress(StorageError):  # the stick is right; only the next estimate is poorer
            save_state(built.base, RATES, rates)
    was_armed = [Lines(("It is armed for nobody any more.",))] if look.armed.state.arming else []
    return Outcome("stage", report, result | plan_result(plan), [*was_armed, *_done(stick, plan)])


def _nothing(armed: ArmedSide) -> str:
    """What is said when no file has to be written."""
    if armed.changes_nothing:
        return "Everything is already there: nothing was written."
    return "Everything else is there already."


def no_answer(answer: bool | None) -> Report:  # noqa: FBT001 - three states
    """The finding of a run that did nothing."""
    message = "nothing was written: the answer was no" if answer is False else "nobody can be asked here"
    return Report([app_codes.CHOICE.finding(message, "Run it again and answer yes, or give --yes.")])


@dataclass(frozen=True, slots=True)
class _Look:
    """A stick as a stage sees it: what was found, as if it were a toolbox, its ventoy.json, and its armed side."""

    found: Found
    menu: Menu
    armed: ArmedSide


def _look(
    files: StickFiles,
    stick: OpenStick,
    built: Built,
    host: Host,
    *,
    recheck: bool,
    let_go: tuple[str, ...] = (),
) -> tuple[_Look | None, Report]:
    """Survey a stick, and read its ventoy.json."""
    report = Report()
    fleet = built.manifest.fleet
    try:
        armed, problems = look_at_arming(files, built.manifest, let_go)
        report.extend(problems)
        seen = survey(
            files, built.manifest, filesystem=stick.filesystem, recheck=recheck, progress=host.progress
        )
    except ObstructedError as error:
        report.add(codes.OBSTRUCTED.finding(error.message, error.hint))
        return None, report
    except ValueError as error:
        where = manifest_path(fleet)
        report.add(
            codes.FOREIGN_MANIFEST.finding(
                f"the manifest on {stick.title} cannot be used: {error}",
                "Run `ventoy-kit unstage` on it, which takes out what is the kit's beyond doubt; then stage again.",
                place=Place(where),
            )
        )
        return None, report
    found, problems = armed.seen(seen)
    report.extend(problems)
    recorded = found.manifest.config if found.manifest else None
    menu, problems = read_menu(found.config, recorded, found.before, fleet)
    report.extend(problems)
    return (None if menu is None else _Look(found, menu, armed)), report


def _done(stick: OpenStick, plan: StagePlan) -> list[Block]:
    written = done_text(plan.steps)
    if stick.kind == "device":
        return [Lines((written, "The stick is flushed. It is safe to unplug."))]
    if stick.kind == "image":
        return [
            Lines((written, "The image holds Ventoy's layout; it boots only if Ventoy was installed on it."))
        ]
    return [
        Lines(
            (
                written,
                f"{stick.title} stands for a stick: it holds what the stick's first partition would hold.",
            )
        ),
        Next(
            (
                "Install Ventoy 1.1.17 or newer on a USB stick (www.ventoy.net), plug it in, and run:",
                "ventoy-kit status                which disk is the stick, and why others are not",
                "ventoy-kit stage /dev/sdX",
            )
        ),
    ]


def status(file: Path | None, target: str, host: Host) -> Outcome:
    """Say what of a build is on a target, without writing.

    Raises:
        MachineError: mounting or reading failed.
    """
    candidate, report = choose_target(target, host)
    if candidate is None:
        return Outcome("status", report)
    built = None
    if file is not None:
        built, found = load_built(file, host.files)
        report.extend(found)
    if built is None:
        return Outcome("status", report)
    with open_stick(host.process, Devices(host.process), candidate) as stick:
        files = StickFolder(stick.root, TEMPORARY)
        look, problems = _look(files, stick, built, host, recheck=True)
        report.extend(problems)
        if look is None:
            return Outcome("status", report)
        plan, problems = reconcile(built.manifest, look.found, look.menu, look.armed.paths)
        report.extend(problems)
    if plan is None:
        return Outcome("status", report)
    manifest, arming = look.found.manifest, look.armed.state.arming
    state = "nothing of this fleet" if manifest is None else f"generation {manifest.generation}"
    state += "" if manifest is None or manifest.complete else ", interrupted before it was complete"
    clear = nodes_in_clear(e.origin for e in manifest.entries) if manifest else ()
    result: dict[str, Any] = {
        "target": stick.title,
        "generation": manifest.generation if manifest else None,
        "complete": manifest.complete if manifest else False,
        "wanted": built.manifest.generation,
        "armed": arming_result(arming, host.clock()),
        "held": look.armed.held,
        "secrets_in_clear": list(clear),
        **plan_result(plan),
    }
    blocks: list[Block] = [
        Heading(f"{stick.title} holds {state}; built is {built.manifest.generation}"),
        *([Lines((arming_line(arming, host.clock()),))] if arming else []),
        *plan_table(plan, "Every file was read and is as it should be."),
    ]
    if clear:
        blocks.append(Lines((f"It holds secrets in clear of {', '.join(clear)}.",)))
    return Outcome("status", report, result, blocks)
