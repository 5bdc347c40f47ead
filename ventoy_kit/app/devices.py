"""`ventoy-kit status` without a target: every disk, and what speaks for and against writing to it."""

from __future__ import annotations

from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Next, Outcome
from ventoy_kit.edge.devices import Devices
from ventoy_kit.report import Finding, Report
from ventoy_kit.stick.hints import warnings_for
from ventoy_kit.stick.identify import judge


def list_disks(host: Host) -> Outcome:
    """Judge every disk of this machine without touching it.

    Raises:
        StorageError: the devices cannot be listed.
    """
    blocks: list[Block] = []
    result = []
    disks = Devices(host.process).snapshot()
    for disk in disks:
        verdict = judge(disk, named=False)
        warnings = list(warnings_for(disk, disks)) if verdict.ok else []
        blocks.append(Heading(f"{disk.title}: {'may be staged to' if verdict.ok else 'refused'}"))
        lines = [f"for: {reason}" for reason in verdict.reasons_for]
        lines += [f"against: {f.message} ({f.rule.code})" for f in verdict.reasons_against]
        lines += [f"mind: {f.message} ({f.rule.code})" for f in warnings]
        blocks.append(Lines(tuple(lines)))
        result.append(
            {
                "path": disk.path,
                "title": disk.title,
                "ok": verdict.ok,
                "for": list(verdict.reasons_for),
                "against": [_shown(f) for f in verdict.reasons_against],
                "mind": [_shown(f) for f in warnings],
                "ventoy_version": disk.ventoy_version or None,
            }
        )
    good = [str(d["path"]) for d in result if d["ok"]]
    if not blocks:
        blocks.append(Lines(("This machine shows no disks.",)))
    blocks.append(
        Next(tuple(f"ventoy-kit stage {path}" for path in good))
        if good
        else Next(("Plug in a stick with Ventoy on it, or stage into an empty folder.",))
    )
    return Outcome("status", Report(), {"disks": result}, blocks)


def _shown(finding: Finding) -> dict[str, str]:
    return {"rule": finding.rule.code, "message": finding.message}
