"""`ventoy-kit reimage`: arm a stick, so that one node installs with no key pressed, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.arming import arming_line, arming_result
from ventoy_kit.app.built import built_manifest
from ventoy_kit.app.destroying import check_pools, data_pools, disk_words, dying_pools, pool_disks
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Next, Outcome, Table
from ventoy_kit.app.targets import choose_target
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.state import load_state, save_state
from ventoy_kit.edge.stick_files import ObstructedError, StickFolder
from ventoy_kit.edge.targets import OpenStick, open_stick
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.losses import Loss, losses
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet, Node
from ventoy_kit.gather import codes as gather_codes
from ventoy_kit.payload.model import Manifest, checklist_stem, checklist_tag
from ventoy_kit.payload.ticket import armed_ticket
from ventoy_kit.ports import StickFiles
from ventoy_kit.report import Finding, Place, Report
from ventoy_kit.stick import arm_codes as codes
from ventoy_kit.stick import reconcile_codes
from ventoy_kit.stick.arm import (
    Change,
    State,
    apply_change,
    manifest_of,
    plan_arm,
    survey_arming,
    toolbox_of,
)
from ventoy_kit.stick.armed import Arming, Delivery, delivery_of, expiry, new_id, set_aside, sha256, time_of
from ventoy_kit.stick.locate import holds, is_image
from ventoy_kit.stick.reconcile import TEMPORARY
from ventoy_kit.stick.target import Candidate
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, Obj, dump_config, parse_config
from ventoy_kit.stick.version import ARMING_VERSION, is_at_least

SKEW = timedelta(minutes=10)
"""How far a machine's clock may be behind an arming (boot_overlay/arming.sh)."""

AskName = Callable[[tuple[Block, ...], str], str | None]
"""Shows blocks and asks for the node's name: what was typed, or None when nobody can be asked."""


@dataclass(frozen=True, slots=True)
class ArmOptions:
    """How to arm.

    Attributes:
        lifetime: how long the arming is good for.
        lose: names of guests and services that may die.
        destroy: pools of data disks that this installation may destroy.
        dry_run: show everything and write nothing.
    """

    lifetime: timedelta = timedelta(hours=24)
    lose: tuple[str, ...] = ()
    destroy: tuple[str, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for, resolved: the node as the fleet file has it, what dies, and what was built."""

    name: str
    node: Node
    losses: tuple[Loss, ...]
    destroys: tuple[str, ...]
    built: Manifest
    base: Path


@dataclass(frozen=True, slots=True)
class _Armable:
    """Everything that an arming is made of, read from a stick and compared."""

    state: State
    manifest: Manifest
    delivery: Delivery
    toolbox: bytes
    root: Obj
    ticket: bytes
    checklist: str


def reimage(
    file: Path, name: str, target: str | None, host: Host, *, options: ArmOptions, ask: AskName
) -> Outcome:
    """Arm a stick for a node.

    Args:
        file: the fleet file, beside which the build lies; no other file of this machine is needed.
        name: the node.
        target: directory, image file or block device; None finds the one stick that is plugged in.
        host: effects.
        options: how.
        ask: asks for the node's name before anything is written.

    Raises:
        MachineError: mounting, reading or writing failed.
    """
    wish, report = _wish(file, name, options, host)
    if wish is None:
        return Outcome("reimage", report)
    candidate, found = choose_target(target, host)
    report.extend(found)
    if candidate is None:
        return Outcome("reimage", report)
    report.extend(_ventoy(candidate))
    with open_stick(host.process, Devices(host.process), candidate) as stick:
        files = StickFolder(stick.root, TEMPORARY)
        with files.locked():
            return _arm(stick, files, wish, report, host, options=options, ask=ask)


def _wish(file: Path, name: str, options: ArmOptions, host: Host) -> tuple[_Wish | None, Report]:
    try:
        data = host.files.read(file)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror or error}"
        remedy = "Name the fleet file with --fleet."
        return None, Report([gather_codes.NO_FLEET_FILE.finding(message, remedy, place=Place(str(file)))])
    fleet, marked, report = decode_fleet(data, str(file))
    built = None
    if fleet is not None:
        report.extend(_node_and_losses(fleet, name, options))
        built, found = built_manifest(file, host.files)
        report.extend(found)
    located = report.located(marked.locate) if marked is not None else report
    if fleet is None or built is None or located.has_errors:
        return None, located
    node = fleet.nodes[name]
    destroys = tuple(sorted(set(options.destroy)))
    return _Wish(name, node, losses(node, destroys), destroys, built, file.parent), located


def _node_and_losses(fleet: Fleet, name: str, options: ArmOptions) -> Iterator[Finding]:
    node = fleet.nodes.get(name)
    if node is None:
        yield unknown(app_codes.NO_SUCH_NODE, "node", name, fleet.nodes, ("nodes",))
        return
    yield from check_pools(fleet, name, options.destroy)
    dying = {loss.name: loss for loss in losses(node, options.destroy)}
    for named in options.lose:
        if named not in dying:
            yield unknown(codes.NO_LOSS, "guest or service that dies", named, dying, ("nodes", name))
    unnamed = [loss for loss in dying.values() if loss.to_name and loss.name not in options.lose]
    if unnamed:
        words = "; ".join(f"{loss.name} ({loss.what})" for loss in unnamed)
        flags = " ".join(f"--lose {loss.name}" for loss in unnamed)
        yield codes.UNNAMED_LOSS.finding(
            f"with {_what_goes(name, options.destroy)} these die: {words}",
            f"Back them up, then add: {flags}",
            path=("nodes", name),
            on_key=True,
        )


def _what_goes(name: str, pools: Sequence[str]) -> str:
    return f"the system disks of {name}" + "".join(f" and its pool {pool}" for pool in pools)


def _ventoy(candidate: Candidate) -> Iterator[Finding]:
    """Whether the Ventoy on the target is one with which arming was tried."""
    version = candidate.ventoy_version
    update = "Update Ventoy on the stick with its own tool; the files on it stay."
    if version and any(c.isdigit() for c in version):
        if not is_at_least(version, ARMING_VERSION):
            yield codes.OLD_VENTOY.finding(f"{candidate.title} carries Ventoy {version}", update)
    elif candidate.target.kind == "device":
        yield codes.UNKNOWN_VENTOY.finding(f"which Ventoy is on {candidate.title} cannot be read", update)
    else:
        yield codes.UNSEEN_VENTOY.finding(
            f"{candidate.title} does not show which Ventoy will start it", "Use Ventoy 1.1.17 or newer."
        )


def _arm(
    stick: OpenStick,
    files: StickFiles,
    wish: _Wish,
    report: Report,
    host: Host,
    *,
    options: ArmOptions,
    ask: AskName,
) -> Outcome:
    try:
        armable, problems = _look(stick, files, wish)
    except ObstructedError as error:
        armable, problems = None, Report([reconcile_codes.OBSTRUCTED.finding(error.message, error.hint)])
    report.extend(problems)
    if armable is None or report.has_errors:
        return Outcome("reimage", report)
    arming, problems = _new_arming(wish, armable, host, options.lifetime)
    report.extend(problems)
    try:
        armed = armed_ticket(armable.ticket, arming.id, arming.expires, arming.destroys)
    except ValueError as error:
        report.add(_no_ticket(stick, wish, f"{armable.delivery.ticket}: {error}"))
        return Outcome("reimage", report)
    change, arming, problems = plan_arm(
        armable.state, (armable.toolbox, armable.root), arming, armable.delivery, armed
    )
    report.extend(problems)
    result, shown = _view(stick, wish, armable, arming, host)
    if options.dry_run:
        return Outcome("reimage", report, result, shown)
    typed = ask(tuple(shown), f"Type the node's name to arm {stick.title} for it")
    if typed != wish.name:
        report.extend(_not_typed(typed, wish.name))
        return Outcome("reimage", report)
    _apply(wish, change, arming, files)
    return Outcome("reimage", report, result, _done(stick, arming, host))


def _look(stick: OpenStick, files: StickFiles, wish: _Wish) -> tuple[_Armable | None, Report]:
    """Read what an arming needs, and refuse a stick that holds something else than was built."""
    report, state = Report(), survey_arming(files)
    manifest = manifest_of(files, wish.built.fleet)
    lack = _lack(manifest, wish.built)
    delivery = delivery_of(manifest, wish.name) if manifest and lack is None else None
    if manifest is not None and lack is None and delivery is None:
        report.add(_no_ticket(stick, wish, "there is none"))
    if manifest is None or lack is not None or delivery is None:
        if lack is not None:
            report.add(_not_staged(stick, lack))
        return None, report
    tag = checklist_tag(wish.built, wish.name)
    checklist = f"{checklist_stem(manifest.fleet, wish.name, tag)}armed.txt"
    known = {e.path: e for e in manifest.entries}
    read: dict[str, bytes] = {}
    for path in (*delivery.files, checklist):
        entry = known.get(path)
        if entry is None or files.size(path) != entry.size:
            report.add(_not_staged(stick, f"{path} is missing or has another size"))
        elif not is_image(path):
            read[path] = files.read(path) or b""
            if sha256(read[path]) != entry.sha256:
                report.add(_not_staged(stick, f"{path} has other bytes"))
    takes_over = f"{delivery.iso}.vcfg"
    if files.size(takes_over) is not None:
        report.add(
            codes.TAKEN_OVER.finding(
                f"{takes_over} starts the image in Ventoy's place", "Move it away.", place=Place(takes_over)
            )
        )
    toolbox = toolbox_of(state, manifest) or dump_config(Obj())
    root, problems = parse_config(toolbox, CONFIG_PATH)
    report.extend(problems)
    if root is None or report.has_errors:
        return None, report
    ticket, text = read[delivery.ticket], read[checklist].decode()
    return _Armable(state, manifest, delivery, toolbox, root, ticket, text), report


def _no_ticket(stick: OpenStick, wish: _Wish, why: str) -> Finding:
    return codes.NOT_UNATTENDED.finding(
        f"{wish.name} has no ticket on {stick.title} that can be armed ({why})",
        "Install it from an image that can install unattended, build, and stage again.",
    )


def _lack(manifest: Manifest | None, built: Manifest) -> str | None:
    """Why a stick's manifest is not that of the build, None if it is."""
    if manifest is None:
        return f"it holds no manifest of {built.fleet} that can be read"
    if not manifest.complete:
        return f"generation {manifest.generation} on it is not complete"
    if manifest.generation != built.generation:
        return f"it holds generation {manifest.generation}, and {built.generation} is built"
    if not holds(manifest, built):
        return "its manifest is not that of the build"
    return None


def _not_staged(stick: OpenStick, lack: str) -> Finding:
    return codes.NOT_STAGED.finding(f"{stick.title}: {lack}", "Run `ventoy-kit stage` onto it first.")


def _new_arming(wish: _Wish, armable: _Armable, host: Host, lifetime: timedelta) -> tuple[Arming, Report]:
    """An arming that is newer than all of this stick, and all that were made from this folder."""
    report, now = Report(), host.clock()
    earlier = load_state(wish.base, "armings").get("last", "")
    arming_id = new_id(now, host.random_hex(8), {*armable.state.ids, str(earlier)})
    ahead = time_of(arming_id) - now
    if ahead > SKEW:
        report.add(
            codes.CLOCK.finding(
                f"an earlier arming is {int(ahead.total_seconds() // 60)} minutes ahead of this machine's clock",
                "Compare this machine's clock, and that of the node, with a right one.",
            )
        )
    doomed = tuple(disk_words(n, d) for n, d in sorted(wish.node.disks.items()) if d.use == "system")
    return (
        Arming(
            id=arming_id,
            expires=expiry(arming_id, lifetime),
            fleet=wish.built.fleet,
            generation=armable.manifest.generation,
            node=wish.name,
            title=wish.node.title,
            image=armable.delivery.image,
            doomed=(*doomed, *pool_disks(wish.node, wish.destroys)),
            checklist=checklist_tag(wish.built, wish.name),
            destroys=wish.destroys,
        ),
        report,
    )


def _view(
    stick: OpenStick, wish: _Wish, armable: _Armable, arming: Arming, host: Host
) -> tuple[dict[str, Any], list[Block]]:
    """The arming, for machines and for people."""
    now, before = host.clock(), armable.state.arming
    aside = set_aside(armable.root, armable.manifest)
    checklist = dying_pools(wish.node, arming.destroys) + armable.checklist
    lines = [f"Wipes {disk}" for disk in arming.doomed]
    lines.append(arming_line(arming, now))
    if before is not None:
        lines.append(f"In the place of: {arming_line(before, now)}")
    if aside:
        lines.append(
            f"Set aside until `ventoy-kit disarm` or the next stage: {', '.join(aside)} of ventoy.json."
        )
    blocks: list[Block] = [
        Document(checklist),
        Heading(f"Arm {stick.title} for {wish.name} ({wish.node.title})"),
        Lines(tuple(lines)),
    ]
    if wish.losses:
        rows = tuple((loss.name, loss.what, "named" if loss.to_name else "made anew") for loss in wish.losses)
        blocks += [Heading("Dies with the disks"), Table(("name", "what", ""), rows)]
    result = {
        "target": stick.title,
        "kind": stick.kind,
        "arming": arming_result(arming, now),
        "replaces": arming_result(before, now),
        "losses": [{"name": loss.name, "what": loss.what, "named": loss.to_name} for loss in wish.losses],
        "set_aside": list(aside),
        "checklist": checklist,
    }
    return result, blocks


def _not_typed(typed: str | None, name: str) -> Report:
    if typed is None:
        message, remedy = "nobody can be asked here", f"Give --yes {name} if all of this may happen."
    else:
        message = f"nothing was written: `{typed}` was typed, and the node is called `{name}`"
        remedy = "Run it again and type the node's name."
    return Report([app_codes.CHOICE.finding(message, remedy)])


def _apply(wish: _Wish, change: Change, arming: Arming, files: StickFiles) -> None:
    """Remember the id first: an id that was lost could come again."""
    save_state(wish.base, "armings", {"last": arming.id, "arming": arming.to_json().decode()})
    apply_change(change, files)


def _done(stick: OpenStick, arming: Arming, host: Host) -> list[Block]:
    safe = ("The stick is flushed. It is safe to unplug.",) if stick.kind == "device" else ()
    return [
        Heading(f"{stick.title} is armed"),
        Lines((arming_line(arming, host.clock()), *safe)),
        Next(
            (
                f"Start {arming.node} from the stick; no key is needed. Its screen shows the code {arming.code}.",
                "ventoy-kit disarm               if you changed your mind",
            )
        ),
    ]


def completions(file: Path, name: str, host: Host) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What `--lose` and `--destroy-pool` take for a node, for a shell; nothing if the fleet file cannot be read."""
    try:
        fleet, _, _ = decode_fleet(host.files.read(file), str(file))
    except OSError:
        return (), ()
    node = fleet.nodes.get(name) if fleet is not None else None
    if node is None:
        return (), ()
    pools = data_pools(node)
    return tuple(loss.name for loss in losses(node, pools)), pools
