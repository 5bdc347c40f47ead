"""Plays all acts of one node's rehearsal, and looks at its disks before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ventoy_kit import __version__
from ventoy_kit.app.host import Host
from ventoy_kit.app.rehearse_act import Scene, play
from ventoy_kit.app.rehearse_disk import look_at_disks
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.rehearse_prepare import Prepared
from ventoy_kit.edge.emulator import Emulator, firmware_files
from ventoy_kit.edge.files import digests_of, exists
from ventoy_kit.edge.run_folder import make_sparse, run_folder, sparse_digest
from ventoy_kit.edge.workers import Stop
from ventoy_kit.errors import MachineError
from ventoy_kit.rehearse.acts import Act, acts_of, has_fired, network_of, read_mirror
from ventoy_kit.rehearse.case import Case
from ventoy_kit.rehearse.handed import check_hand_over
from ventoy_kit.rehearse.model import ActResult, End, RehearsalReport, SafetyCheck
from ventoy_kit.rehearse.verdict import Looks, judge_rehearsal, safety_checks
from ventoy_kit.stick.armed import expiry, new_id

LIFETIME = timedelta(hours=24)


def rehearse_node(
    case: Case,
    prepared: Prepared,
    options: RehearseOptions,
    host: Host,
    emulator: Emulator,
    *,
    stop: Stop,
    tell: Callable[[str], None],
    keep: Callable[[RehearsalReport], None],
) -> RehearsalReport:
    """Play all acts of one node. `keep` gets the report, also the one of a rehearsal that was cut short.

    Raises:
        MachineError: the machine failed, not the rehearsal.
        InterruptedRunError: it was asked to end.
    """
    started = host.clock()
    made = new_id(started, host.random_hex(8), ())
    acts = acts_of(case, (made, expiry(made, LIFETIME)), options.only, options.until)
    with run_folder() as folder:
        scene = Scene(case, prepared, options, host, emulator, folder, stop, tell)
        scene.network = network_of(case, read_mirror(options.mirror) if options.mirror else None)
        for disk in case.twin.disks:
            if disk.role != "stick":
                make_sparse(scene.image(disk), disk.size)
        before = _digests(scene)
        played: list[ActResult] = []
        try:
            checks = list(_play_all(scene, acts, played, made))
        except MachineError:
            if scene.cut is not None:
                keep(_report(scene, started, [*played, scene.cut], before, ()))
            raise
        report = _report(scene, started, played, before, checks)
        keep(report)
    return report


def _play_all(
    scene: Scene, acts: Sequence[Act], played: list[ActResult], arming: str
) -> Iterator[SafetyCheck]:
    """Play what is due, adding to `played`; checks over what came out of it."""
    for act in acts:
        if not _is_due(act, played, scene, arming):
            continue
        result = play(scene, act)
        played.append(result)
        if act.name == "install":
            yield from check_hand_over(scene.case, result.console)
        if result.verdict.end is End.WROTE:
            break
    yield from look_at_disks(scene, played)


def _report(
    scene: Scene,
    started: datetime,
    played: Sequence[ActResult],
    before: Mapping[str, str],
    checks: Sequence[SafetyCheck],
) -> RehearsalReport:
    case = scene.case
    looks = Looks(
        before,
        _digests(scene),
        scene.stick_written,
        tuple(sorted(scene.outside)),
        foreign=case.stick is not None,
        changed=scene.stick_changed,
    )
    safety = (*safety_checks(case.twin, played, looks, case.node.name), *checks)
    return RehearsalReport(
        fleet=case.fleet,
        generation=case.generation,
        node=case.node.name,
        title=case.node.title,
        image=case.direct.image.title if case.direct else str(case.stick),
        way="direct" if case.direct else "stick",
        started=started.isoformat(timespec="seconds"),
        engine=scene.emulator.title,
        twin=case.twin,
        acts=tuple(played),
        safety=safety,
        verdict=judge_rehearsal(played, safety),
        notes=case.notes,
        digests=case.digests,
        tools=tuple(_tools(case)),
    )


def _tools(case: Case) -> Iterator[tuple[str, str]]:
    yield "ventoy-kit", __version__
    if case.ventoy:
        yield "Ventoy on the stick", case.ventoy
    if case.twin.firmware == "uefi":
        code, _ = firmware_files()
        yield "firmware", f"{code} (SHA-256 {digests_of(code, 'sha256')[0]})"


def _digests(scene: Scene) -> dict[str, str]:
    return {d.name: sparse_digest(scene.image(d)) for d in scene.case.twin.untouchable}


def _is_due(act: Act, played: list[ActResult], scene: Scene, arming: str) -> bool:
    """Whether an act makes sense after those before it."""
    if act.name not in ("again", "installed"):
        return True
    install = next((a for a in played if a.act == "install"), None)
    if install is None:
        return False
    if act.name == "again":
        variables = scene.variables(act)
        return exists(variables) and has_fired(scene.host.files.read(variables), arming)
    direct = scene.case.direct
    return install.stages[-1].at is not None and direct is not None and not direct.stand_in
