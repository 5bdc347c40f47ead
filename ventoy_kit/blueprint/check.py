"""All rules of the blueprint, weighed as the fleet file wants. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ventoy_kit.blueprint.domain_rules import domain_violations
from ventoy_kit.blueprint.fleet_rules import fleet_violations
from ventoy_kit.blueprint.losses import Losses
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.node_rules import Firmware, node_violations
from ventoy_kit.blueprint.waivers import Violation, judge
from ventoy_kit.report import Report


def check_blueprint(blueprint: Blueprint, firmware: Firmware | None = None) -> Report:
    """Check a fleet's roles, fault domains, capacity, network, quorum and names.

    Args:
        blueprint: the model of the fleet.
        firmware: what each BIOS profile asks for; None if the profiles are not at hand.
    """
    return judge(blueprint.fleet, _violations(blueprint, firmware))


def _violations(blueprint: Blueprint, firmware: Firmware | None) -> Iterator[Violation]:
    yield from domain_violations(blueprint, Losses(blueprint))
    yield from node_violations(blueprint, firmware)
    yield from fleet_violations(blueprint)
