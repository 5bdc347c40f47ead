"""`ventoy-kit bios show|check|export|probe`: what a machine's firmware must be set to, and what it is set to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Outcome, Table
from ventoy_kit.app.workspace import load_library
from ventoy_kit.edge.node_probe import run_probe
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.marks import Marked
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.gather import codes as gather_codes
from ventoy_kit.hardware import firmware_codes as codes
from ventoy_kit.hardware.bios_verdict import (
    Verdict,
    cctk_ini,
    check_identity,
    findings,
    judge,
    remedy_of,
    where_of,
)
from ventoy_kit.hardware.firmware import FirmwareFacts, parse_facts
from ventoy_kit.hardware.indirect import State
from ventoy_kit.hardware.probe_text import FIRMWARE, joined_probe
from ventoy_kit.hardware.profiles import BiosProfile, Setting
from ventoy_kit.report import Place, Report


@dataclass(frozen=True, slots=True)
class Source:
    """Where facts come from: a file, this machine, or a node over SSH (its own address if no other is named)."""

    file: Path | None = None
    local: bool = False
    ssh: str | None = None
    sudo: bool = False


@dataclass(frozen=True, slots=True)
class _Desk:
    """A fleet file, if there is one, and the profiles. `report` holds what is wrong with the fleet file."""

    fleet: Fleet | None
    marked: Marked | None
    profiles: dict[str, BiosProfile]
    notes: Report
    report: Report

    def located(self, report: Report) -> Report:
        """Notes about the data folders and these findings, with places in the fleet file."""
        whole = Report([*self.notes, *report])
        return whole.located(self.marked.locate) if self.marked else whole


def _open(file: Path, host: Host) -> _Desk:
    library, notes = load_library(host, file.parent)
    profiles = dict(library.profiles)
    try:
        data = host.files.read(file)
    except OSError as error:
        finding = gather_codes.NO_FLEET_FILE.finding(
            f"{file} cannot be read: {error.strerror or error}",
            "Name the fleet file with --fleet, or write one with `ventoy-kit init`.",
            place=Place(str(file)),
        )
        return _Desk(None, None, profiles, notes, Report([finding]))
    fleet, marked, report = decode_fleet(data, str(file))
    return _Desk(fleet, marked, profiles, notes, report)


def _named(name: str, desk: _Desk) -> tuple[str, BiosProfile] | None:
    """The profile of a node, or the profile of that name."""
    node = desk.fleet.nodes.get(name) if desk.fleet else None
    profile = node.model if node else name
    return (profile, desk.profiles[profile]) if profile in desk.profiles else None


def _no_such(name: str, desk: _Desk) -> Report:
    if desk.fleet is None and desk.report.has_errors:
        return desk.report
    known = [*(desk.fleet.nodes if desk.fleet else ()), *desk.profiles]
    return Report([unknown(codes.NO_SUCH_PROFILE, "node or BIOS profile", name, known, ("nodes",))])


def show(file: Path, name: str, host: Host) -> Outcome:
    """The settings of a node or profile, as a person sets them at the machine."""
    desk = _open(file, host)
    found = _named(name, desk)
    if found is None:
        return Outcome("bios show", desk.located(_no_such(name, desk)))
    profile_name, profile = found
    blocks: list[Block] = [Heading(f"{profile.title} ({profile_name})")]
    if profile.keys:
        keys = profile.keys
        line = f"At power-on: {keys.setup} opens the setup menu, {keys.boot_menu} the boot menu."
        blocks.append(Lines((line + ("" if keys.source != "unconfirmed" else " [unconfirmed]"),)))
    for setting in profile.settings:
        blocks += [Heading(f"{setting.title} ({setting.severity})"), Lines(tuple(_setting_lines(setting)))]
    if profile.notes:
        blocks += [Heading("About this model"), Lines(profile.notes)]
    result = {"profile": profile_name, **profile.model_dump(mode="json")}
    return Outcome("bios show", desk.located(Report()), result, blocks)


def _setting_lines(setting: Setting) -> Sequence[str]:
    where = setting.where if setting.menu else "unconfirmed"
    read = f"[read in: {setting.source}]" if setting.confirmed else "[unconfirmed]" if setting.menu else ""
    lines = [f"menu: {where} {read}".rstrip(), f"set to: {setting.want}", f"why: {setting.why}"]
    for a in setting.attributes:
        doubt = " [unconfirmed]" if a.source == "unconfirmed" else ""
        lines.append(f"{a.driver}: {a.name} = {' or '.join(a.accept)}{doubt}")
    if setting.probes:
        lines.append(f"also seen by: {', '.join(setting.probes)}")
    return lines


def export(file: Path, name: str, host: Host) -> Outcome:
    """A file for Dell's cctk with the settings of a node or profile."""
    desk = _open(file, host)
    found = _named(name, desk)
    if found is None:
        return Outcome("bios export", desk.located(_no_such(name, desk)))
    text = cctk_ini(*found)
    if text is None:
        finding = codes.NOTHING_TO_EXPORT.finding(
            f"the profile `{found[0]}` names no attribute that Dell's cctk knows",
            "Choose the profile of a Dell.",
        )
        return Outcome("bios export", desk.located(Report([finding])))
    result = {"profile": found[0], "format": "cctk", "text": text}
    return Outcome("bios export", desk.located(Report()), result, [Document(text)])


def probe_text(host: Host) -> Outcome:
    """The probe itself, to be run on a machine by hand."""
    text = _probe(host)
    return Outcome("bios probe", Report(), {"probe": text}, [Document(text)])


def _probe(host: Host) -> str:
    parts = {name: host.files.read(host.data / "probes" / name).decode() for name in FIRMWARE}
    return joined_probe(parts, FIRMWARE)


def check(file: Path, name: str, source: Source, host: Host) -> Outcome:
    """Compare a node's firmware with its profile. Reads only.

    Raises:
        MachineError: the node cannot be reached or looked at.
    """
    desk = _open(file, host)
    if desk.fleet is None:
        return Outcome("bios check", desk.located(desk.report))
    node = desk.fleet.nodes.get(name)
    if node is None:
        finding = unknown(app_codes.NO_SUCH_NODE, "node", name, desk.fleet.nodes, ("nodes",))
        return Outcome("bios check", desk.located(Report([finding])))
    profile = desk.profiles.get(node.model)
    if profile is None:
        return Outcome("bios check", desk.located(_no_such(node.model, desk)))
    address = node.network.address
    login = f"{name}.{desk.fleet.defaults.domain}" if address is None else address.ip
    facts, report = _facts(source, f"root@{login}", host)
    if facts is None:
        return Outcome("bios check", desk.located(report))
    report.extend(check_identity(name, node.identity.serial, node.identity.uuid, facts))
    if report.has_errors:  # another machine's settings say nothing of this node
        return Outcome("bios check", desk.located(report))
    verdicts = judge(profile, facts)
    report.extend(findings(node.model, profile, facts, verdicts))
    result = {
        "node": name,
        "profile": node.model,
        "settings": [_data(v, profile) for v in verdicts],
        "count": {s.value: sum(v.state is s for v in verdicts) for s in State},
    }
    return Outcome("bios check", desk.located(report), result, _blocks(name, profile, facts, verdicts))


def _facts(source: Source, address: str, host: Host) -> tuple[FirmwareFacts | None, Report]:
    if source.file is not None:
        place = str(source.file)
        try:
            text = host.files.read(source.file).decode("utf-8", "replace")
        except OSError as error:
            finding = codes.FACTS_UNREADABLE.finding(
                f"{place} cannot be read: {error.strerror or error}",
                "Name the file that holds what `ventoy-kit bios probe` printed.",
                place=Place(place),
            )
            return None, Report([finding])
        return parse_facts(text, place)
    destination = None if source.local else source.ssh or address
    out = run_probe(host.fed_process, _probe(host), destination, sudo=source.sudo)
    return parse_facts(out, f"what {destination or 'this machine'} answered")


def _data(verdict: Verdict, profile: BiosProfile) -> dict[str, Any]:
    setting = verdict.setting
    return {
        "id": setting.id,
        "title": setting.title,
        "state": str(verdict.state),
        "severity": setting.severity,
        "want": setting.want,
        "menu": setting.where if setting.menu else None,
        "confirmed": setting.confirmed,
        "evidence": [{"state": str(e.state), "source": e.source, "text": e.text} for e in verdict.evidence],
        "remedy": remedy_of(setting, profile) if verdict.state is not State.MATCH else None,
        "commands": list(verdict.commands),
    }


def _blocks(
    name: str, profile: BiosProfile, facts: FirmwareFacts, verdicts: Sequence[Verdict]
) -> Sequence[Block]:
    machine = " ".join(t for t in (facts.dmi_text("product_name"), facts.dmi_text("bios_version")) if t)
    blocks: list[Block] = [Heading(f"{name}: {profile.title}{f' (it says {machine})' if machine else ''}")]
    rows = tuple(
        (
            str(v.state),
            v.setting.title,
            v.setting.severity,
            "; ".join(f"{e.source}: {e.text}" for e in v.evidence),
        )
        for v in verdicts
    )
    blocks.append(Table(("state", "setting", "weight", "evidence"), rows))
    look = [v.setting for v in verdicts if v.state is State.UNKNOWN]
    if look:
        lines = [f"Press {profile.keys.setup} at power-on."] if profile.keys else []
        lines += [f"{where_of(s)}: {s.want}" for s in look]
        blocks += [Heading("Unknown: look at the screen"), Lines(tuple(lines))]
    commands = [c for v in verdicts for c in v.commands]
    if commands:
        told = [
            *commands,
            "",
            "Several lines for a setting are several tools. A change takes effect at the next start.",
        ]
        if locked := [f"{i.driver}: {', '.join(i.passwords)}" for i in facts.attributes if i.passwords]:
            told.append(
                f"A firmware password is set ({'; '.join(locked)}): fwupdmgr and the screen ask for it."
            )
        blocks += [Heading("To change it from Linux, as root on the machine"), Lines(tuple(told))]
    return blocks


def completions(file: Path, host: Host) -> tuple[str, ...]:
    """Nodes and profiles, for completion in a shell."""
    desk = _open(file, host)
    return tuple(sorted({*(desk.fleet.nodes if desk.fleet else ()), *desk.profiles}))
