"""A profile against a machine's facts: match, mismatch or unknown for each setting, with evidence. Pure.

An attribute that a driver shows is what the firmware itself says; indirect probes show what it did at this start.
One that differs from what is wanted makes a mismatch, whatever the others say. Without any that says so, it is a match
if all attributes agree or a probe does; otherwise the setting is unknown.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from ventoy_kit.hardware import firmware_codes as codes
from ventoy_kit.hardware.firmware import FirmwareFacts, Reading, read_attribute
from ventoy_kit.hardware.indirect import Evidence, State, probe
from ventoy_kit.hardware.profiles import Attribute, BiosProfile, Setting
from ventoy_kit.report import Finding, Report

CLASS = "/sys/class/firmware-attributes"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One setting of one machine.

    Attributes:
        setting: what is wanted.
        state: whether it is so.
        evidence: what was seen, all of it.
        commands: what a user could type on the machine to change it; never run by the kit. Only for a mismatch.
    """

    setting: Setting
    state: State
    evidence: tuple[Evidence, ...]
    commands: tuple[str, ...] = ()


def judge(profile: BiosProfile, facts: FirmwareFacts) -> tuple[Verdict, ...]:
    """Compare every setting of a profile with a machine's facts."""
    return tuple(_judge(setting, facts) for setting in profile.settings)


def _judge(setting: Setting, facts: FirmwareFacts) -> Verdict:
    readings = [(a, read_attribute(facts, a.driver, a.name)) for a in setting.attributes]
    there = [(a, reading) for a, reading in readings if reading is not None]
    compared = [(a, reading, compare(a, reading)) for a, reading in there]
    shown = tuple(probe(name, facts) for name in setting.probes)
    evidence = (*(e for _, _, e in compared), *shown)
    state = _together({e.state for _, _, e in compared}, {e.state for e in shown})
    commands: tuple[str, ...] = ()
    if state is State.MISMATCH:
        wrong = [(a, reading) for a, reading, e in compared if e.state is State.MISMATCH]
        commands = tuple(c for a, reading in wrong for c in change_commands(a, reading))
    if not evidence:
        evidence = (Evidence(State.UNKNOWN, "Linux", _nothing(setting, facts)),)
    return Verdict(setting, state, evidence, commands)


def _together(attributes: set[State], probes: set[State]) -> State:
    """Attributes of one setting must all be right; of probes one that sees it is enough."""
    if State.MISMATCH in attributes | probes:
        return State.MISMATCH
    return State.MATCH if attributes == {State.MATCH} or State.MATCH in probes else State.UNKNOWN


def _nothing(setting: Setting, facts: FirmwareFacts) -> str:
    if not setting.attributes:
        return "does not show this setting: look at the screen"
    drivers = ", ".join(i.driver for i in facts.attributes)
    return (
        f"{drivers} has no such attribute: look at the screen"
        if drivers
        else "no driver shows it: look at the screen"
    )


def compare(wanted: Attribute, reading: Reading) -> Evidence:
    """One attribute. A value that the profile does not name is wrong only if the firmware offers one that it names."""
    source = f"{reading.driver}/{reading.name}"
    accept = [value.casefold() for value in wanted.accept]
    if reading.current is None:
        return Evidence(State.UNKNOWN, source, f"the value is not readable: {reading.error}")
    if reading.current.casefold() in accept:
        return Evidence(State.MATCH, source, reading.current)
    if any(value.casefold() in accept for value in reading.possible):
        text = f"{reading.current} (possible: {', '.join(reading.possible)})"
        return Evidence(State.MISMATCH, source, text)
    known = f"of {', '.join(reading.possible)}" if reading.possible else "of a list that it does not tell"
    text = f"{reading.current}, {known}; the profile expects {' or '.join(wanted.accept)} and cannot tell what this means"
    return Evidence(State.UNKNOWN, source, text)


def best_value(wanted: Attribute, possible: tuple[str, ...]) -> str:
    """The value to write: the first accepted one that the firmware offers, as the firmware spells it."""
    spelled = {value.casefold(): value for value in possible}
    return next((spelled[v.casefold()] for v in wanted.accept if v.casefold() in spelled), wanted.accept[0])


def change_commands(wanted: Attribute, reading: Reading) -> tuple[str, ...]:
    """Commands for a root shell on the machine: the kernel's interface, and the tools that know it."""
    value = best_value(wanted, reading.possible)
    path = f"{CLASS}/{reading.driver}/attributes/{reading.name}/current_value"
    commands = [f"printf %s {shlex.quote(value)} > {shlex.quote(path)}"]
    if wanted.driver == "dell-wmi-sysman":
        commands.append(f"cctk {shlex.quote('--' + cctk_line(wanted, value))}" if wanted.tool is None else "")
    commands.append(f"fwupdmgr set-bios-setting {shlex.quote(reading.name)} {shlex.quote(value)}")
    return tuple(c for c in commands if c)


def cctk_line(wanted: Attribute, value: str | None = None) -> str:
    """A line for Dell's cctk."""
    return wanted.tool or f"{wanted.name}={value or wanted.accept[0]}"


def cctk_ini(name: str, profile: BiosProfile) -> str | None:
    """A file for `cctk --infile=`, with the settings of a profile that Dell's tool knows; None if there are none.

    Its form is that of files that `cctk --outfile=` writes: a section, then sorted lines `Name=Value`; lines that
    begin with `;` are comments. Identity (service tag, asset tag) never stands in it.
    """
    lines = {
        cctk_line(attribute): attribute.source
        for setting in profile.settings
        for attribute in setting.attributes
        if attribute.driver == "dell-wmi-sysman"
    }
    if not lines:
        return None
    head = [
        "[cctk]",
        f"; BIOS profile {name} ({profile.title}), for: cctk --infile=FILE",
        "; Where names and values were read:",
    ]
    origin = [f"; {line.partition('=')[0]}: {source}" for line, source in sorted(lines.items())]
    return "\n".join([*head, *origin, *sorted(lines)]) + "\n"


def check_identity(
    node: str, serial: str | None, uuid: str | None, facts: FirmwareFacts
) -> Iterator[Finding]:
    """Whether the facts are those of the node: by serial number and UUID, as firmware tells them to root."""
    pairs = [
        ("serial number", serial, facts.dmi_text("product_serial")),
        ("UUID", uuid, facts.dmi_text("product_uuid")),
    ]
    compared = [(what, ours, theirs) for what, ours, theirs in pairs if ours and theirs]
    for what, ours, theirs in compared:
        if ours.casefold() != theirs.casefold():
            yield codes.OTHER_MACHINE.finding(
                f"the machine's {what} is {theirs}, that of node `{node}` is {ours}",
                "Look at the right machine, or correct `identity` in the fleet file.",
                path=("nodes", node, "identity"),
            )
    if not compared:
        missing = any(ours for _, ours, _ in pairs)
        why = "the facts hold neither serial number nor UUID" if missing else "the fleet file names neither"
        remedy = (
            "Run the probe as root." if missing else "Write `identity: {serial: ...}` into the fleet file."
        )
        yield codes.IDENTITY_UNREAD.finding(
            f"whether this machine is node `{node}` is not known: {why}",
            remedy,
            path=("nodes", node, "identity"),
        )


def findings(name: str, profile: BiosProfile, facts: FirmwareFacts, verdicts: tuple[Verdict, ...]) -> Report:
    """What a user has to know of a check, besides the table: wrong settings, and what could not be seen."""
    report = Report(list(_about_the_facts(name, profile, facts)))
    required = [v for v in verdicts if v.setting.severity == "required"]
    if unseen := [v.setting.title for v in required if v.state is State.UNKNOWN]:
        report.add(
            codes.SETTING_UNKNOWN.finding(
                f"{len(unseen)} of {len(required)} required settings are unknown: {', '.join(unseen)}",
                "Look at them on the machine's screen.",
            )
        )
    for verdict in verdicts:
        if verdict.state is not State.MISMATCH:
            continue
        setting = verdict.setting
        rule = codes.SETTING_WRONG if setting.severity == "required" else codes.SETTING_POOR
        seen = "; ".join(f"{e.source}: {e.text}" for e in verdict.evidence if e.state is State.MISMATCH)
        report.add(rule.finding(f"{setting.title}: {seen}", remedy_of(setting, profile)))
    return report


def where_of(setting: Setting) -> str:
    """The way to a setting, with a mark if nobody has read it on the model's screen."""
    if setting.menu is None:
        return f"`{setting.title}` or the like (its place in the menu is unconfirmed)"
    return setting.where if setting.confirmed else f"{setting.where} (unconfirmed)"


def remedy_of(setting: Setting, profile: BiosProfile) -> str:
    """What to do at the machine's screen."""
    key = f"Press {profile.keys.setup} at power-on" if profile.keys else "Open the setup menu"
    return f"{key} and set {where_of(setting)} to: {setting.want}."


def _about_the_facts(name: str, profile: BiosProfile, facts: FirmwareFacts) -> Iterator[Finding]:
    # Lenovo writes the machine type into the name, and the model into the version.
    product = " ".join(filter(None, (facts.dmi_text("product_name"), facts.dmi_text("product_version"))))
    if (
        profile.product
        and product
        and not any(n.casefold() in product.casefold() for n in profile.product.names)
    ):
        yield codes.OTHER_MODEL.finding(
            f"the machine calls itself `{product}`, the profile `{name}` is for {profile.title}",
            "Name the right profile in `model`, or add the product's name to the profile.",
        )
    for interface in facts.attributes:
        if not interface.settings:
            yield codes.NO_ATTRIBUTES.finding(
                f"the driver {interface.driver} is there and shows no attribute",
                "Look at the settings on the screen; a BIOS update may bring them back.",
            )
        elif not any(s.current for s in interface.settings.values()):
            remedy = "Run the check as root." if not facts.root else "Look at the settings on the screen."
            count = len(interface.settings)
            yield codes.VALUES_UNREAD.finding(
                f"none of the {count} values of {interface.driver} can be read", remedy
            )
        if interface.pending == "1":
            yield codes.CHANGE_PENDING.finding(
                f"{interface.driver} says that a change waits for a restart",
                "Restart the machine and check again.",
            )
