"""`ventoy-kit adopt`: recorded facts become nodes of the fleet file, as additions to its text."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Next, Outcome, counted
from ventoy_kit.app.workspace import load_library
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge.files import exists, make_folder, write_atomic
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.edit import insert, merged
from ventoy_kit.fleet.marks import Marked
from ventoy_kit.gather import codes as gather_codes
from ventoy_kit.gather.facts import FACTS_FOLDER
from ventoy_kit.hardware import inventory_codes as codes
from ventoy_kit.hardware.inventory import parse_inventory
from ventoy_kit.plan.adopt import Adoption, Recorded, as_additions
from ventoy_kit.plan.adopt import adopt as plan_adoption
from ventoy_kit.report import Place, Report

Confirm = Callable[[tuple[Block, ...], str], bool | None]
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What would be written: the fleet file's new bytes, and facts to keep beside it, by path."""

    adoptions: tuple[Adoption, ...]
    old: bytes
    new: bytes
    facts: dict[Path, bytes]

    @property
    def changes_nothing(self) -> bool:
        return self.old == self.new and not self.facts


def adopt(
    file: Path, facts: tuple[Path, ...], host: Host, confirm: Confirm, *, dry_run: bool = False
) -> Outcome:
    """Add what recorded facts tell to a fleet file; nothing that it says is changed.

    Args:
        file: the fleet file.
        facts: files that `hardware scan` wrote, or Proxmox's `device-info` printed.
        host: effects.
        confirm: shows the plan and asks; None if nobody can be asked.
        dry_run: show the plan alone.

    Raises:
        StorageError: the fleet file cannot be written.
    """
    plan, report = _plan(file, facts, host)
    if plan is None:
        return Outcome("adopt", report)
    result = {
        "fleet_file": str(file),
        "nodes": {a.node: {"new": a.new, "from": a.recorded.file, "adds": a.values} for a in plan.adoptions},
        "diff": _diff(file, plan),
        "facts": [str(path) for path in plan.facts],
    }
    shown = _shown(file, plan, result["diff"])
    if plan.changes_nothing or dry_run:
        return Outcome("adopt", report, result, shown)
    answer = confirm(shown, f"Write this into {file}?")
    if answer is not True:
        message = "nothing was written: the answer was no" if answer is False else "nobody can be asked here"
        report.add(app_codes.CHOICE.finding(message, "Run it again and answer yes, or give --yes."))
        return Outcome("adopt", report)
    problem = unwritable(file.resolve().parent)
    if problem.has_errors:
        return Outcome("adopt", problem)
    _write(file, plan, host)
    steps = (
        "Write `use: system` at the disk of each new node that may be wiped.",
        f"ventoy-kit check{'' if file == Path('fleet.yaml') else f' --fleet {file}'}",
    )
    return Outcome("adopt", report, result, [Lines((f"Wrote {file}.",)), Next(steps)])


def _write(file: Path, plan: _Plan, host: Host) -> None:
    for path, data in plan.facts.items():
        make_folder(path.parent)
        write_atomic(path, data)
    if plan.new != plan.old:
        target = file.resolve()  # a link stays one
        write_atomic(target, plan.new, mode=0o644 if host.files.stat(target).shared else 0o600)


def _plan(file: Path, facts: tuple[Path, ...], host: Host) -> tuple[_Plan | None, Report]:
    library, report = load_library(host, file.parent)
    try:
        old = host.files.read(file)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror or error}"
        remedy = "Name the fleet file with --fleet, or write one with `ventoy-kit init`."
        report.add(gather_codes.NO_FLEET_FILE.finding(message, remedy, place=Place(str(file))))
        return None, report
    fleet, marked, found = decode_fleet(old, str(file))
    report.extend(found)
    recorded, sources = _read(facts, report, host)
    if fleet is None or marked is None or report.has_errors:
        return None, report.located(marked.locate) if marked else report
    adoptions, found = plan_adoption(fleet, marked.value, recorded, library.profiles)
    report.extend(found)
    new = _edited(file, old, marked, adoptions, report)
    if new is None or report.has_errors:
        return None, report.located(marked.locate)
    folder = file.parent / FACTS_FOLDER
    kept = {folder / f"{a.node}.json": sources[a.recorded.file] for a in adoptions}
    kept = {path: data for path, data in kept.items() if not exists(path)}
    return _Plan(adoptions, old, new, kept), report.located(marked.locate)


def _read(facts: tuple[Path, ...], report: Report, host: Host) -> tuple[list[Recorded], dict[str, bytes]]:
    """The given files, each once; those in a folder `hardware` are named after their node."""
    recorded, sources = [], {}
    for path in dict.fromkeys(facts):
        try:
            data = host.files.read(path)
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror or error}"
            remedy = "Record the facts first: `ventoy-kit hardware scan NODE`."
            report.add(codes.FACTS_UNREADABLE.finding(message, remedy, place=Place(str(path))))
            continue
        inventory, found = parse_inventory(data.decode("utf-8", "replace"), str(path))
        report.extend(found)
        if inventory is not None:
            name = path.stem if path.resolve().parent.name == FACTS_FOLDER else None
            recorded.append(Recorded(str(path), name, inventory))
            sources[str(path)] = data
    return recorded, sources


def _edited(
    file: Path, old: bytes, marked: Marked, adoptions: tuple[Adoption, ...], report: Report
) -> bytes | None:
    """The file with the additions; None and VK-Q21 if reading it again gives anything else."""
    additions = as_additions(adoptions)
    if not additions.values:
        return old
    mark, text = old[: len(BOM)] == BOM, old.decode("utf-8-sig")
    new = insert(text, marked, additions).encode()
    new = BOM + new if mark else new
    fleet, again, found = decode_fleet(new, str(file))
    if fleet is None or again is None or again.value != merged(marked.value, additions.values):
        why = next((f": {f.message}" for f in found), "")
        report.add(
            codes.CANNOT_EDIT.finding(
                f"the additions cannot be put into {file} without touching anything else{why}",
                "Write aliases and merged maps of these nodes out, or add the lines of --dry-run by hand.",
                path=("nodes",),
                on_key=True,
            )
        )
        return None
    return new


def _diff(file: Path, plan: _Plan) -> str:
    old, new = (data.decode("utf-8-sig").splitlines(keepends=True) for data in (plan.old, plan.new))
    lines = difflib.unified_diff(old, new, str(file), f"{file} (adopted)", n=2)
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _shown(file: Path, plan: _Plan, diff: object) -> tuple[Block, ...]:
    if plan.changes_nothing:
        return (Lines((f"{file} says all of this already: nothing was written.",)),)
    new = sum(a.new for a in plan.adoptions)
    known = sum(bool(a.values) for a in plan.adoptions) - new
    head = f"Add {counted(new, 'node')} to {file}, and facts to {counted(known, 'known node')}"
    kept = tuple(f"Keep the facts in {path}." for path in plan.facts)
    return (Heading(head), Document(str(diff)), *((Lines(kept),) if kept else ()))
