"""What was recorded of a machine, as far as its checklist can use it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from ventoy_kit.fleet.placeholders import plain_wwn
from ventoy_kit.hardware.firmware import FirmwareFacts
from ventoy_kit.plan.model import DiskPlan, IdentityPlan


@dataclass(frozen=True, slots=True)
class SeenDisk:
    """A whole disk that was in the machine.

    Attributes:
        name: the kernel's name, such as `nvme0n1`.
        serial: serial number, None if it reports none.
        wwn: world wide name, None likewise.
        model: empty if it reports none.
        size: bytes, 0 if not recorded.
        holds: what is on it, in words; empty for a blank disk, None if nobody could tell.
    """

    name: str
    serial: str | None = None
    wwn: str | None = None
    model: str = ""
    size: int = 0
    holds: tuple[str, ...] | None = None

    def fits(self, declared: DiskPlan) -> bool:
        """Whether it reports everything by which a disk is declared, letter case and punctuation aside."""
        pairs = [(declared.serial, self.serial), (declared.wwn, self.wwn)]
        asked = [(ours, theirs) for ours, theirs in pairs if ours is not None]
        return bool(asked) and all(
            theirs is not None and _key(ours) == _key(theirs) for ours, theirs in asked
        )


def _key(text: str) -> str:
    return "".join(c for c in plain_wwn(text.lower()) if c.isalnum())


@dataclass(frozen=True, slots=True)
class Evidence:
    """Recorded facts of one machine. None is for what was not recorded.

    Attributes:
        source: how the record is named to people, such as its path.
        serial: DMI product serial.
        uuid: DMI product UUID.
        firmware: what its firmware is set to.
        disks: all whole disks.
        macs: permanent MAC addresses, lower case.
    """

    source: str
    serial: str | None = None
    uuid: str | None = None
    firmware: FirmwareFacts | None = None
    disks: tuple[SeenDisk, ...] | None = None
    macs: frozenset[str] | None = None

    def contradicts(self, identity: IdentityPlan) -> bool:
        """Whether it is the record of another machine: then nothing in it says anything about this one."""
        pairs = [(identity.serial, self.serial), (identity.uuid, self.uuid)]
        return any(ours and theirs and ours.casefold() != theirs.casefold() for ours, theirs in pairs)
