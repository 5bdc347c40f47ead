"""Models of the fleet file that rules of the blueprint need: pools, the QDevice, waivers and switches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.values import Address, Name, NodeName, Reason, bad

Raid = Literal["raid0", "raid1", "raid10", "raidz-1", "raidz-2", "raidz-3"]

RuleCode = Annotated[str, Field(pattern=r"^VK-[A-Z][0-9]{2}$")]


class Pool(Model):
    """A pool of data disks."""

    raid: Raid = Field(description="How its disks are joined; `raid0` for one disk.")


class QDevice(Model):
    """A vote from outside of the cluster (corosync-qnetd)."""

    address: Address = Field(
        description="Address of the host that runs corosync-qnetd; no host of the cluster."
    )


class Switch(Model):
    """How much the findings of one rule weigh in this fleet, and why."""

    severity: Literal["off", "note", "warning", "error"] = Field(description="What its findings are.")
    reason: Reason = Field(description="Why, for whoever reads this in a year.")


class Waiver(Model):
    """A finding that is known and accepted."""

    rule: RuleCode = Field(description="Code of the rule.")
    node: NodeName | None = Field(None, description="Node that it is accepted for; any by default.")
    service: Name | None = Field(
        None, description="Service or guest that it is accepted for; any by default."
    )
    reason: Reason = Field(description="Why it is accepted, for whoever reads this in a year.")

    @model_validator(mode="after")
    def _narrow(self) -> Waiver:
        if self.rule.startswith("VK-F") and self.node is None and self.service is None:
            raise bad(
                "a waiver names the node or the service that it is for",
                f"Add `node:` or `service:`, or switch the rule under `rules: {{{self.rule}: ...}}`.",
            )
        return self
