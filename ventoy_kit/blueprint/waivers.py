"""From violations to findings: waivers and switches applied, violations of one cause joined. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ventoy_kit.blueprint import codes
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.report import Finding, Path, Report, Rule, Severity


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that breaks one rule, before waivers.

    Attributes:
        rule: the rule.
        path: where it stands in the fleet file.
        why: what is wrong; follows `subjects`, if there are any, after a colon.
        remedy: what to do.
        node: node that it is about, None if it is about the fleet.
        subject: service or guest that it is about. Violations that differ in the subject alone become one finding.
        on_key: underline the key at `path`.
    """

    rule: Rule
    path: Path
    why: str
    remedy: str
    node: str | None = None
    subject: str | None = None
    on_key: bool = True


def judge(fleet: Fleet, violations: Iterable[Violation]) -> Report:
    """Findings of the violations as the fleet file wants them weighed, and findings about its waivers.

    A waived violation stays visible as a note with the reason.
    """
    report = Report()
    used: set[int] = set()
    kept: list[tuple[Violation, int | None]] = []
    by_rule: dict[str, list[int]] = {}
    for index, waiver in enumerate(fleet.waivers):
        by_rule.setdefault(waiver.rule, []).append(index)
    for violation in violations:
        fitting = None
        if violation.rule.code in codes.SWITCHABLE:
            hits = [i for i in by_rule.get(violation.rule.code, ()) if _fits(fleet, i, violation)]
            used.update(hits)
            fitting = hits[0] if hits else None
        kept.append((violation, fitting))
    report.extend(_joined(fleet, kept))
    report.extend(_about_waivers(fleet, used))
    return report


def _fits(fleet: Fleet, index: int, violation: Violation) -> bool:
    waiver = fleet.waivers[index]
    return waiver.node in (None, violation.node) and waiver.service in (None, violation.subject)


def _joined(fleet: Fleet, kept: Iterable[tuple[Violation, int | None]]) -> Iterator[Finding]:
    """One finding for violations that differ in their subject alone, at the place of the first."""
    groups: dict[tuple[object, ...], tuple[Violation, int | None, list[str]]] = {}
    for violation, waiver in kept:
        place = violation.path if violation.subject is None else ()
        key = (violation.rule.code, violation.node, violation.why, violation.remedy, waiver, place)
        _, _, subjects = groups.setdefault(key, (violation, waiver, []))
        if violation.subject is not None and violation.subject not in subjects:
            subjects.append(violation.subject)
    for violation, waiver, subjects in groups.values():
        message = f"{', '.join(f'`{s}`' for s in subjects)}: {violation.why}" if subjects else violation.why
        finding = violation.rule.finding(
            message, violation.remedy, path=violation.path, on_key=violation.on_key
        )
        if waiver is not None:
            reason = fleet.waivers[waiver].reason
            remedy = "Nothing; remove the waiver when the reason is gone."
            yield replace(
                finding, severity=Severity.NOTE, message=f"waived: {message}. Reason: {reason}", remedy=remedy
            )
            continue
        switch = fleet.rules.get(violation.rule.code)
        if switch is None or violation.rule.code not in codes.SWITCHABLE:
            yield finding
        elif switch.severity != "off":
            yield replace(finding, severity=Severity(switch.severity))


def _about_waivers(fleet: Fleet, used: set[int]) -> Iterator[Finding]:
    for code in fleet.rules:
        if code not in codes.SWITCHABLE:
            yield _not_switchable(code, ("rules", code))
    for index, waiver in enumerate(fleet.waivers):
        path: Path = ("waivers", index)
        if waiver.rule not in codes.SWITCHABLE:
            yield _not_switchable(waiver.rule, (*path, "rule"))
        elif index not in used:
            about = " ".join(
                f"{word} `{value}`"
                for word, value in (("node", waiver.node), ("service", waiver.service))
                if value
            )
            yield codes.IDLE_WAIVER.finding(
                f"{waiver.rule} finds nothing about {about or 'this fleet'}",
                "Remove the waiver, or correct what it names.",
                path=path,
            )


def _not_switchable(code: str, path: Path) -> Finding:
    return codes.NO_WAIVER.finding(
        f"{code} cannot be waived or switched",
        f"Correct what it finds instead. Rules that can be: {', '.join(sorted(codes.SWITCHABLE))}.",
        path=path,
        on_key=path[0] == "rules",
    )
