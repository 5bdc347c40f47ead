"""What a person may choose of a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ventoy_kit.rehearse.model import FirmwareKind

Part = Literal["install", "again", "stranger", "auto", "installed"]


@dataclass(frozen=True, slots=True)
class RehearseOptions:
    """How to rehearse.

    Attributes:
        stick: image or device to start from; None boots directly.
        kernel: folder of an unpacked kernel package, for stand-ins.
        only: the acts that are played; all if empty.
        until: id of the stage after which the installation counts as rehearsed.
        timeout: seconds that an act may take at most; None for what the engine's speed allows.
        output: folder for the reports; None keeps them in the cache.
        mirror: URL of a mirror that is led into the twin's network.
        tpm: whether the twin has a TPM.
        firmware: what the twin has.
        words: more words for the installer's kernel.
        jobs: nodes at a time; 0 for what this machine allows.
    """

    stick: Path | None = None
    kernel: Path | None = None
    only: tuple[Part, ...] = ()
    until: str | None = None
    timeout: float | None = None
    output: Path | None = None
    mirror: str | None = None
    tpm: bool = False
    firmware: FirmwareKind = "uefi"
    words: tuple[str, ...] = ()
    jobs: int = 0
