"""What a rehearsal is made of and what comes out of it, as frozen data. Pure.

A rehearsal of one node is a `Twin` and some acts. An `Act` is one start of the twin that is followed until it ended or was
ended; every act has stages and a verdict, and the safety checks are made over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Role = Literal["system", "data", "keep", "decoy", "stick"]
"""What a disk of the twin is: as in the fleet file; `decoy` is nobody's and must stay as it was; `stick` is Ventoy's."""

Bus = Literal["nvme", "sata", "usb", "scsi", "virtio"]
"""How a disk of the twin is connected."""

FirmwareKind = Literal["uefi", "bios"]

Way = Literal["direct", "stick"]
"""How the twin starts: kernel and initrd of the ISO with what Ventoy would add, or Ventoy itself from a stick."""

ActName = Literal["install", "again", "stranger", "auto", "installed", "stick"]
"""`install`: the node with an armed ticket. `again`: the same ticket, with the firmware variables that the first start
left. `stranger`: another machine with the node's disks. `auto`: the node with the ticket that names nobody. `installed`:
what was installed, from its own disk. `stick`: whatever the stick does."""


@dataclass(frozen=True, slots=True)
class TwinDisk:
    """A disk of the twin; `size` in bytes. `name` is the one in the fleet file, or `decoy` or `stick`."""

    name: str
    role: Role
    bus: Bus
    serial: str
    size: int
    wwn: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class TwinNic:
    """A network interface of the twin. `management` carries the node's address."""

    name: str
    mac: str
    management: bool


@dataclass(frozen=True, slots=True)
class Smbios:
    """What the twin's firmware says it is; None stays empty."""

    serial: str | None
    uuid: str | None
    manufacturer: str | None
    product: str | None


@dataclass(frozen=True, slots=True)
class Twin:
    """A node's virtual twin.

    Attributes:
        node: the node's name.
        firmware: UEFI with Secure Boot off, or SeaBIOS.
        smbios: its identity.
        disks: in the order in which they are connected; exactly one has the role `stick`.
        nics: all on one isolated network.
        memory: MiB.
        cpus: virtual processors; one where they are emulated.
        iommu: whether it has one.
        tpm: whether it has a TPM 2.0, simulated by swtpm.
    """

    node: str
    firmware: FirmwareKind
    smbios: Smbios
    disks: tuple[TwinDisk, ...]
    nics: tuple[TwinNic, ...]
    memory: int
    cpus: int
    iommu: bool = False
    tpm: bool = False

    @property
    def stick(self) -> TwinDisk:
        """The disk that stands for the stick."""
        return next(d for d in self.disks if d.role == "stick")

    @property
    def untouchable(self) -> tuple[TwinDisk, ...]:
        """The disks that must be the same afterwards: everything but system disks."""
        return tuple(d for d in self.disks if d.role not in ("system", "stick"))


@dataclass(frozen=True, slots=True)
class Stage:
    """A point that an act is expected to pass. `signs` are regular expressions over the console's text."""

    id: str
    title: str
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageResult:
    """A stage, and the seconds after power-on when it was passed; None if it was not."""

    id: str
    title: str
    at: float | None


class End(StrEnum):
    """How an act ended, as far as it can be told from outside."""

    REACHED = "reached"
    """The last stage that was asked for was passed."""
    REFUSED = "refused"
    """The boot overlay refused, with a code VK-B*."""
    CONSENT = "consent"
    """It waits for the node's name to be typed."""
    QUESTION = "question"
    """The installer asks something that nobody will answer."""
    LACKING = "lacking"
    """The medium or the mirror lacks a part of the installer."""
    SHELL = "shell"
    """It stands at a shell prompt."""
    PANIC = "panic"
    """The kernel stopped."""
    STALLED = "stalled"
    """Nothing happened any more, for longer than it ever should."""
    RESTARTED = "restarted"
    """It restarted."""
    OFF = "off"
    """It switched itself off."""
    WROTE = "wrote"
    """A disk was written to that nobody may write to."""
    LATE = "late"
    """The time was over."""
    CUT = "cut"
    """It was interrupted, or this machine failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an act, or a whole rehearsal, went as it should.

    Attributes:
        passed: whether it did.
        end: how it ended.
        text: one sentence.
        said: the words on the console that it rests on: a question, a refusal, the last lines.
        code: the refusal's code, VK-B*, if there is one.
        remedy: what to do; empty if it passed.
    """

    passed: bool
    end: End
    text: str
    said: str = ""
    code: str | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """The screen at a moment: seconds after power-on, why it was taken, and the PNG."""

    at: float
    title: str
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ActResult:
    """One act, ended.

    Attributes:
        act: which one.
        title: what it was to show.
        stages: those that were expected, in order.
        verdict: the verdict.
        seconds: from power-on to the end.
        console: the serial console's text; escape sequences are taken out.
        pictures: the last one is the last screen.
        written: bytes that were written, by disk.
    """

    act: ActName
    title: str
    stages: tuple[StageResult, ...]
    verdict: Verdict
    seconds: float
    console: str
    pictures: tuple[Picture, ...] = ()
    written: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SafetyCheck:
    """Something that must hold in every rehearsal; `held` is None where it could not be looked at, and `detail` says why."""

    id: str
    title: str
    held: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """All of one node's rehearsal.

    Attributes:
        fleet: name of the fleet.
        generation: of the payload that was rehearsed; empty for a stick of another making.
        node: the node's name.
        title: the node's name for people.
        image: the installer's title.
        way: direct or stick.
        started: when, as ISO 8601 in UTC.
        engine: the emulator, its version and whether the processor was emulated.
        twin: the twin.
        acts: in the order in which they were played.
        safety: the checks.
        verdict: over everything.
        notes: what this rehearsal does not prove.
        digests: SHA-256 of what was rehearsed, by what it is.
        tools: what it was rehearsed with besides the engine, with versions.
    """

    fleet: str
    generation: str
    node: str
    title: str
    image: str
    way: Way
    started: str
    engine: str
    twin: Twin
    acts: tuple[ActResult, ...]
    safety: tuple[SafetyCheck, ...]
    verdict: Verdict
    notes: tuple[str, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    tools: tuple[tuple[str, str], ...] = ()

    @property
    def seconds(self) -> float:
        """The time of all acts."""
        return sum(act.seconds for act in self.acts)
