"""A rehearsal's report as text and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.rehearse.model import ActResult, RehearsalReport, SafetyCheck, Twin, TwinDisk

RESULT_FORMAT = 1
"""Version of the JSON form."""

SAID = 20
"""Lines of a console that are shown at once."""

HELD = {True: "held", False: "BROKEN", None: "open"}
"""Words for a check; never colour alone."""


def minutes(seconds: float) -> str:
    """A time for people: `42 s`, `3 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60:02d} s"


def machine_lines(twin: Twin) -> Iterator[tuple[str, str]]:
    """The twin, as pairs of what and how."""
    yield "firmware", "UEFI, Secure Boot off" if twin.firmware == "uefi" else "BIOS (SeaBIOS)"
    yield "serial number", twin.smbios.serial or "none"
    yield "UUID", twin.smbios.uuid or "none"
    extras = [text for there, text in ((twin.iommu, "IOMMU"), (twin.tpm, "TPM 2.0")) if there]
    yield "hardware", ", ".join([f"{twin.cpus} processors (one if emulated)", f"{twin.memory} MiB", *extras])
    for nic in twin.nics:
        yield "network", nic.mac + (" (management)" if nic.management else "")


def disk_cells(disk: TwinDisk) -> tuple[str, str, str, str, str]:
    """Name, role, bus, size, serial number."""
    size = "made to fit" if disk.size < 1 << 20 else format_size(disk.size)
    return disk.name, disk.role, disk.bus, size, disk.serial


def as_text(report: RehearsalReport) -> str:
    """The whole report as text, with the last lines of each act's console."""
    verdict = "PASSED" if report.verdict.passed else "FAILED"
    lines = [f"Rehearsal of {report.node} ({report.title}): {verdict}", report.verdict.text]
    if report.verdict.remedy:
        lines.append(f"What to do: {report.verdict.remedy}")
    lines += ["", *(f"{what}: {how}" for what, how in about(report)), ""]
    for act in report.acts:
        lines += [*_act(act), ""]
    lines += ["SAFETY", *(f"  {HELD[c.held]:7} {c.title} - {c.detail}" for c in report.safety), ""]
    if report.notes:
        lines += ["WHAT THIS DOES NOT PROVE", *(f"  {note}" for note in report.notes), ""]
    lines += ["TWIN", *(f"  {what}: {how}" for what, how in machine_lines(report.twin))]
    lines += [f"  disk {' '.join(disk_cells(d))}" for d in report.twin.disks]
    lines += [
        "",
        "WHAT WAS REHEARSED",
        *(f"  {what}: {how}" for what, how in (*report.tools, *report.digests)),
    ]
    return "\n".join(lines) + "\n"


def about(report: RehearsalReport) -> Iterator[tuple[str, str]]:
    """What was rehearsed, when and with what."""
    yield "fleet", f"{report.fleet}, generation {report.generation}" if report.generation else report.fleet
    yield "image" if report.way == "direct" else "stick", report.image
    direct = "kernel and RAM disk of the image, with what Ventoy would add"
    yield "way", direct if report.way == "direct" else "from the stick"
    yield "started", report.started.replace("T", " ").replace("+00:00", " UTC")
    yield "took", minutes(report.seconds)
    yield "engine", report.engine


def stage_lines(act: ActResult) -> Iterator[tuple[str, str]]:
    """The stages that were passed, with their times, and the others in one line."""
    rest = [s.title[:1].lower() + s.title[1:] for s in act.stages if s.at is None]
    yield from ((minutes(s.at), s.title) for s in act.stages if s.at is not None)
    if rest:
        yield "not reached", "; ".join(rest)


def words_of_failures(report: RehearsalReport) -> Iterator[str]:
    """What the consoles of acts that failed said, such as an open question: the first `SAID` lines of each."""
    for act in report.acts:
        lines = [] if act.verdict.passed else act.verdict.said.splitlines()
        if lines:
            yield f"What the console said ({act.act}):"
            yield from (f"| {line}" for line in lines[:SAID])
            if len(lines) > SAID:
                yield f"| ({len(lines) - SAID} more lines are in the report: --report FOLDER)"


def _act(act: ActResult) -> Iterator[str]:
    yield f"{'ok' if act.verdict.passed else 'FAILED':6} {act.title} ({minutes(act.seconds)})"
    yield from (f"  {at:>11}  {title}" for at, title in stage_lines(act))
    yield f"  {act.verdict.text}"
    if act.verdict.said:
        yield from (f"    | {line}" for line in act.verdict.said.splitlines())
    if act.verdict.remedy:
        yield f"  What to do: {act.verdict.remedy}"


def as_data(report: RehearsalReport) -> dict[str, Any]:
    """The report as plain data, without consoles and pictures."""
    return {
        "format": RESULT_FORMAT,
        "fleet": report.fleet,
        "generation": report.generation,
        "node": report.node,
        "image": report.image,
        "way": report.way,
        "started": report.started,
        "seconds": round(report.seconds, 1),
        "engine": report.engine,
        "verdict": _verdict(report),
        "acts": [
            {
                "act": a.act,
                "title": a.title,
                "seconds": round(a.seconds, 1),
                "passed": a.verdict.passed,
                "end": str(a.verdict.end),
                "text": a.verdict.text,
                "said": a.verdict.said,
                "code": a.verdict.code,
                "remedy": a.verdict.remedy,
                "stages": [
                    {"id": s.id, "title": s.title, "at": None if s.at is None else round(s.at, 1)}
                    for s in a.stages
                ],
                "written": dict(a.written),
            }
            for a in report.acts
        ],
        "safety": [_check(c) for c in report.safety],
        "twin": {
            "firmware": report.twin.firmware,
            "memory": report.twin.memory,
            "cpus": report.twin.cpus,
            "iommu": report.twin.iommu,
            "tpm": report.twin.tpm,
            "serial": report.twin.smbios.serial,
            "uuid": report.twin.smbios.uuid,
            "disks": [
                {"name": d.name, "role": d.role, "bus": d.bus, "serial": d.serial, "size": d.size}
                for d in report.twin.disks
            ],
            "nics": [{"mac": n.mac, "management": n.management} for n in report.twin.nics],
        },
        "notes": list(report.notes),
        "tools": dict(report.tools),
        "sha256": dict(report.digests),
    }


def _verdict(report: RehearsalReport) -> dict[str, Any]:
    v = report.verdict
    return {"passed": v.passed, "end": str(v.end), "text": v.text, "code": v.code, "remedy": v.remedy}


def _check(check: SafetyCheck) -> dict[str, Any]:
    return {"id": check.id, "title": check.title, "held": check.held, "detail": check.detail}
