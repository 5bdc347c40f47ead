"""Everything that one node's rehearsal needs, read and judged; nothing is started yet. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ventoy_kit.plan.model import ImagePlan, NodePlan
from ventoy_kit.rehearse.boot_entry import BootEntry
from ventoy_kit.rehearse.expect import Expectations
from ventoy_kit.rehearse.initramfs import Member
from ventoy_kit.rehearse.model import Twin


@dataclass(frozen=True, slots=True)
class Direct:
    """What a direct boot is made of.

    Attributes:
        image: the image.
        iso: the ISO, which is in the twin's drive.
        entry: what its boot loader would start.
        kernel: the kernel.
        initrd: the ISO's RAM disk; empty for a stand-in.
        init: the init in it.
        extra: files of a stand-in.
        ticket: the node's own ticket, not armed.
        auto: the ticket `auto`.
        archive: the injection archive.
        runner_sha256: digest of the node's first-boot runner; None if it has none.
        answer: the node's answer with the placeholder for its disks, for Proxmox.
    """

    image: ImagePlan
    iso: Path
    entry: BootEntry
    kernel: bytes = field(repr=False)
    initrd: bytes = field(repr=False)
    init: bytes = field(repr=False)
    extra: Mapping[str, Member] = field(repr=False)
    ticket: bytes = field(repr=False)
    auto: bytes = field(repr=False)
    archive: bytes = field(repr=False)
    runner_sha256: str | None = None
    answer: bytes | None = field(default=None, repr=False)

    @property
    def family(self) -> str:
        """The answer family."""
        return self.image.facts.family or ""

    @property
    def stand_in(self) -> bool:
        """Whether the image is a stand-in."""
        return self.image.facts.stand_in


@dataclass(frozen=True, slots=True)
class Case:
    """One node.

    Attributes:
        fleet: name of the fleet.
        generation: of the payload; empty for a stick, which may hold another one.
        node: the node.
        twin: its twin.
        direct: what a direct boot is made of; None for a start from a stick.
        stick: the stick, for a start from it.
        expected: by `install` (the family's, or the stick's) and `installed`.
        notes: what the rehearsal does not prove.
        digests: SHA-256 of what is rehearsed, by what it is.
        ventoy: the version of Ventoy on the stick; empty without one.
    """

    fleet: str
    generation: str
    node: NodePlan
    twin: Twin
    direct: Direct | None
    stick: Path | None
    expected: Mapping[str, Expectations]
    notes: tuple[str, ...]
    digests: tuple[tuple[str, str], ...] = ()
    ventoy: str = ""
