"""`ventoy-kit what-if`: the fleet without some of its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ventoy_kit.app import codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Outcome, Table
from ventoy_kit.app.workspace import load_fleet
from ventoy_kit.blueprint.codes import SWITCHABLE
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.outlook import Outlook, Reimage, outlook
from ventoy_kit.blueprint.quorum import Standing, seconds, standing_in_words
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.report import Report


def what_if(file: Path, down: Sequence[str], host: Host) -> Outcome:
    """Say what stops and what stays when nodes are down. Needs the fleet file alone, no image and no network.

    Args:
        file: the fleet file.
        down: names of nodes; one that stands twice counts once.
        host: effects.
    """
    workspace = load_fleet(file, host)
    if workspace.fleet is None or workspace.blueprint is None:
        return Outcome("what-if", workspace.located())
    nodes = workspace.fleet.nodes
    found = [unknown(codes.NO_SUCH_NODE, "node", n, nodes, ("nodes",)) for n in down if n not in nodes]
    # Judgement, however it is weighed, is for `check`; only a file that is wrong gets no answer.
    located = workspace.located(Report(found))
    report = Report([f for f in located if f.severity == "error" and f.rule.code not in SWITCHABLE])
    if report.has_errors:
        return Outcome("what-if", report)
    seen = outlook(workspace.blueprint, tuple(dict.fromkeys(down)))
    return Outcome("what-if", report, _result(workspace.blueprint, seen), _blocks(workspace.blueprint, seen))


def _blocks(blueprint: Blueprint, seen: Outlook) -> list[Block]:
    titles = " and ".join(f"{n} ({blueprint.fleet.nodes[n].title})" for n in seen.loss.nodes)
    blocks: list[Block] = [Heading(f"Without {titles}")]
    if seen.fates:
        rows = tuple((role, fate, _who(blueprint, seen, role)) for role, fate in _ordered(seen))
        blocks.append(Table(("what for", "without it", "services"), rows))
    stopped = tuple(_stop_row(blueprint, seen, number) for number in sorted(seen.loss.stopped))
    blocks.append(Heading("What stops"))
    if stopped:
        blocks.append(Table(("service", "where", "because"), stopped))
    else:
        blocks.append(Lines(("No service that the fleet file names.",)))
    blocks += [Heading("What stays"), *_staying(blueprint, seen)]
    if seen.standing is not None:
        blocks += [Heading("Quorum"), Lines(standing_in_words(seen.standing))]
    blocks += [Heading("How soon it is noticed"), Lines(_timeline(seen))]
    for each in seen.reimages:
        blocks += [Heading(f"Re-image {each.node} now?"), Lines(_verdict(each))]
    return blocks


def _ordered(seen: Outlook) -> list[tuple[str, str]]:
    """What stops first, then what goes on in part, then the rest."""
    order = ["stops", "continues in part", "continues"]
    return sorted(seen.fates.items(), key=lambda item: order.index(item[1]))


def _who(blueprint: Blueprint, seen: Outlook, role: str) -> str:
    """The services that go on with a role, or those that stopped with it."""
    numbers = blueprint.by_role[role]
    up = [n for n in numbers if n not in seen.loss.stopped] or list(numbers)
    return ", ".join(f"{blueprint.services[n].name} on {blueprint.services[n].node}" for n in up)


def _stop_row(blueprint: Blueprint, seen: Outlook, number: int) -> tuple[str, str, str]:
    placed, need = blueprint.services[number], seen.loss.stopped[number]
    why = f"{placed.node} is down" if need is None else f"it needs {need}"
    title = f" ({placed.service.title})" if placed.service.title else ""
    return placed.name + title, placed.where, why


def _staying(blueprint: Blueprint, seen: Outlook) -> list[Block]:
    rows = []
    for node, numbers in blueprint.on_node.items():
        up = [blueprint.services[n].name for n in numbers if n not in seen.loss.stopped]
        if node not in seen.loss.nodes and up:
            rows.append((node, blueprint.fleet.nodes[node].title, ", ".join(up)))
    if rows:
        return [Table(("node", "title", "services"), tuple(rows))]
    return [Lines(("No service that the fleet file names.",))]


def _timeline(seen: Outlook) -> tuple[str, ...]:
    lines = []
    timers = seen.timing
    if timers is not None and seen.standing is not None and seen.standing.lost_members:
        early, late = timers.link_down
        lines += [
            f"after {seconds(early)} to {seconds(late)}: corosync's link watch (knet) logs `has no active links`",
            (
                f"after {seconds(timers.token)}: the token is declared lost; "
                f"by {seconds(timers.membership)} the nodes that are left agree that it is gone"
            ),
        ]
    for watch in seen.watches:
        service = watch.placed.service
        every = f"{watch.placed.name} on {watch.placed.node} samples {watch.node} every {service.interval} s"
        every += f", sent within {service.flush} s" if service.flush else ""
        if watch.gap is None:
            lines.append(f"{every}.")
            continue
        lines.append(
            f"{every}: its last stored sample lies {seconds(watch.gap.least)} to {seconds(watch.gap.most)} "
            f"before knet's line; more than {seconds(watch.gap.stored)} means that a sample was lost unsent."
        )
    if seen.unwatched:
        lines.append(f"Nothing that goes on is declared to observe {', '.join(seen.unwatched)}.")
    return tuple(lines) or ("No cluster, and nothing that takes samples, is declared.",)


def _verdict(each: Reimage) -> tuple[str, ...]:
    head = "Yes: nothing in the fleet file speaks against it." if each.safe else "No:"
    return (
        head,
        *(f"- {reason}." for reason in each.against),
        *(f"- Mind: {note}." for note in (*each.mind, each.wiped)),
    )


def _result(blueprint: Blueprint, seen: Outlook) -> dict[str, Any]:
    return {
        "down": list(seen.loss.nodes),
        "roles": dict(seen.fates),
        "stops": [
            {
                "service": blueprint.services[number].name,
                "node": blueprint.services[number].node,
                "guest": blueprint.services[number].guest,
                "needs": need,
            }
            for number, need in sorted(seen.loss.stopped.items())
        ],
        "stays": [
            {"service": p.name, "node": p.node, "guest": p.guest}
            for p in blueprint.services
            if p.number not in seen.loss.stopped
        ],
        "quorum": _quorum_result(seen.standing),
        "noticed": _noticed(seen),
        "reimage": {
            each.node: {"safe": each.safe, "against": list(each.against), "mind": [*each.mind, each.wiped]}
            for each in seen.reimages
        },
    }


def _quorum_result(stands: Standing | None) -> dict[str, Any] | None:
    if stands is None:
        return None
    return {
        "holds": stands.holds,
        "votes": stands.left,
        "of": stands.votes.total,
        "needed": stands.votes.needed,
        "more_may_be_lost": stands.more if stands.holds else 0,
    }


def _noticed(seen: Outlook) -> dict[str, Any]:
    timers = seen.timing
    clustered = timers is not None and seen.standing is not None and seen.standing.lost_members
    return {
        "link_down_ms": list(timers.link_down) if timers is not None and clustered else None,
        "token_ms": timers.token if timers is not None and clustered else None,
        "membership_ms": timers.membership if timers is not None and clustered else None,
        "samples": [
            {
                "service": w.placed.name,
                "node": w.node,
                "interval_s": w.placed.service.interval,
                "flush_s": w.placed.service.flush,
                "gap_ms": None if w.gap is None else [w.gap.least, w.gap.most],
            }
            for w in seen.watches
        ],
        "unwatched": list(seen.unwatched),
    }
