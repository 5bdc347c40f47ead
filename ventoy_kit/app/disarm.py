"""`ventoy-kit disarm`: an armed stick becomes a toolbox again. Needs neither fleet file nor build."""

from __future__ import annotations

from ventoy_kit.app.arming import arming_line, arming_result
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome
from ventoy_kit.app.targets import choose_target
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.stick_files import ObstructedError, StickFolder
from ventoy_kit.edge.targets import OpenStick, open_stick
from ventoy_kit.report import Report
from ventoy_kit.stick import reconcile_codes
from ventoy_kit.stick.arm import apply_change, manifest_of, plan_disarm, survey_arming
from ventoy_kit.stick.reconcile import TEMPORARY


def disarm(target: str | None, host: Host, *, dry_run: bool = False) -> Outcome:
    """Put ventoy.json back as it was before arming; a second time there is nothing to do.

    It asks nothing: what it does takes a danger away.

    Args:
        target: directory, image file or block device; None finds the one stick that is plugged in.
        host: effects.
        dry_run: say what would be done.

    Raises:
        MachineError: mounting, reading or writing failed.
    """
    candidate, report = choose_target(target, host)
    if candidate is None or report.has_errors:
        return Outcome("disarm", report)
    with open_stick(host.process, Devices(host.process), candidate) as stick:
        return _disarm(stick, report, host, dry_run=dry_run)


def _disarm(stick: OpenStick, report: Report, host: Host, *, dry_run: bool) -> Outcome:
    files, now = StickFolder(stick.root, TEMPORARY), host.clock()
    with files.locked():
        try:
            state = survey_arming(files)
            arming = state.arming
            manifest = manifest_of(files, arming.fleet) if arming else None
        except ObstructedError as error:
            report.add(reconcile_codes.OBSTRUCTED.finding(error.message, error.hint))
            return Outcome("disarm", report)
        change, problems = plan_disarm(state, manifest)
        report.extend(problems)
        if not dry_run:
            apply_change(change, files)
    result = {
        "target": stick.title,
        "disarmed": arming_result(arming, now),
        "removed": list(change.remove),
    }
    if arming is not None:
        done = "would be a toolbox again" if dry_run else "is a toolbox again"
        lines = [f"Was: {arming_line(arming, now)}", "Nothing on it starts by itself."]
    else:
        done = "is a toolbox, armed for nobody"
        lines = ["What an interrupted arming left is removed."] if change.remove else []
    if stick.kind == "device" and not dry_run and not change.changes_nothing:
        lines.append("The stick is flushed. It is safe to unplug.")
    blocks: list[Block] = [Heading(f"{stick.title} {done}"), Lines(tuple(lines))]
    return Outcome("disarm", report, result, blocks)
