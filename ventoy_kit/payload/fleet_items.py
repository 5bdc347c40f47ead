"""The part of a checklist that is about the fleet: what stops meanwhile, whether quorum holds, what to save. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ventoy_kit.blueprint.losses import Loss, dark_roles, lose
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.outlook import reimage_of
from ventoy_kit.blueprint.quorum import Standing, standing, standing_in_words
from ventoy_kit.fleet.losses import losses
from ventoy_kit.plan.model import NodePlan
from ventoy_kit.sheets.model import Item, Mark, Section

FROM_THE_FILE = "by the fleet file"


def absence(blueprint: Blueprint, node: NodePlan) -> Section:
    """What the fleet does without the node."""
    loss = lose(blueprint, (node.name,))
    stands = standing(blueprint, loss.nodes)
    items = [Item(text, Mark.FACT) for text in _stopping(blueprint, loss)]
    if stands is not None and stands.lost_members:
        items += _quorum(stands)
    verdict = reimage_of(blueprint, loss, stands, node.name)
    if verdict.safe:
        items.append(
            Item("Nothing is declared that speaks against a re-image now", Mark.RIGHT, FROM_THE_FILE)
        )
    items += [
        Item(f"Against a re-image now: {reason}", Mark.WRONG, FROM_THE_FILE) for reason in verdict.against
    ]
    items += [Item(f"{note[0].upper()}{note[1:]}") for note in verdict.mind]
    return Section("While this node is down", tuple(items))


def _stopping(blueprint: Blueprint, loss: Loss) -> Iterator[str]:
    services = blueprint.services
    here = [services[n].name for n, need in loss.stopped.items() if need is None]
    yield f"Stops here: {', '.join(here)}" if here else "The fleet file names no service that runs here."
    elsewhere = [
        f"{services[n].name} on {services[n].node} (needs {need})" for n, need in loss.stopped.items() if need
    ]
    if elsewhere:
        yield f"Stops elsewhere: {', '.join(elsewhere)}"
    dark = dark_roles(blueprint, loss)
    if dark:
        yield f"The fleet is without: {', '.join(dark)}"
    touched = dict.fromkeys(role for n in loss.stopped for role in services[n].service.provides)
    partly = [role for role in touched if role not in dark]
    if partly:
        yield f"Goes on elsewhere: {', '.join(partly)}"


def _quorum(stands: Standing) -> Iterator[Item]:
    told = " ".join(standing_in_words(stands)).rstrip(".")
    mark = Mark.RIGHT if stands.holds else Mark.WRONG
    yield Item(told, mark, f"{FROM_THE_FILE}, if the other nodes are up")
    yield Item("The other nodes are up and quorate now: `pvecm status` on one of them")


def backups(blueprint: Blueprint, node: NodePlan) -> Section | None:
    """What dies with the disks, and where its copies are; None if the fleet file names nothing there."""
    spec = blueprint.fleet.nodes[node.name]
    doomed = losses(spec)
    if not doomed:
        return None
    items = []
    for loss in doomed:
        if loss.to_name:
            guest = spec.guests.get(loss.name)
            inner = spec.guests.get(loss.name.partition("/")[0])
            service = (inner.services if inner else spec.services).get(loss.name.rpartition("/")[2])
            keeper = (guest.backed_up_by if guest else None) or (
                (service.backed_up_by if service and not guest else None)
                or (inner.backed_up_by if inner else None)
            )
            where = f"{keeper} keeps copies: look at the last one" if keeper else "name where its copy is"
            items.append(Item(f"{loss.name} ({loss.what}) is saved; {where}"))
    anew = [loss.name for loss in doomed if not loss.to_name]
    if anew:
        items.append(Item(f"Made anew afterwards, nothing to save: {', '.join(anew)}", Mark.FACT))
    return Section("Backups to confirm", tuple(items), "These live on the disks that are wiped.")
