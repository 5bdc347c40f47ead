"""A TPM 2.0 beside a twin, simulated by swtpm. Its state is thrown away with the act."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ventoy_kit.edge.files import exists, make_folder, remove_file
from ventoy_kit.edge.machine import pause
from ventoy_kit.edge.process import Child
from ventoy_kit.errors import MachineError
from ventoy_kit.rehearse.model import Twin

_PATIENCE = 100
"""Tenths of a second that swtpm may take to open its socket."""


@contextlib.contextmanager
def tpm_of(twin: Twin, folder: Path) -> Iterator[None]:
    """The twin's TPM, if it has one, at `tpm.sock` in the run's folder. Raises MachineError."""
    if not twin.tpm:
        yield
        return
    door = folder / "tpm.sock"
    remove_file(door)
    make_folder(folder / "tpm")
    words = ("swtpm", "socket", "--tpm2", "--tpmstate", "dir=tpm", "--ctrl", f"type=unixio,path={door.name}")
    child = Child(words, folder=folder, log=folder / "swtpm.log")
    try:
        for _ in range(_PATIENCE):  # QEMU does not wait for it
            if exists(door):
                break
            if child.ended() is not None:
                raise MachineError("swtpm ended by itself", "Run `swtpm socket --tpm2` by hand to see why.")
            pause(0.1)
        yield
    finally:
        child.stop()
