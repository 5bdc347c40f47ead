"""Looks at a file system before it is mounted for writing: what was not released properly is checked, never repaired.

The check reads only. A repair would write to the device past the mounted file system, which the kit never does.
"""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.edge.probe import read_at
from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.ports import Process
from ventoy_kit.stick.unclean import CHECKS, HEAD, REPAIRS, is_unclean

_TIMEOUT = 1800.0


def insist_on_health(process: Process, device: Path, fs_type: str, repair: str = "sudo {} {}") -> None:
    """Refuse a damaged file system. One that is marked but whole is mounted: releasing it takes the mark away.

    Args:
        process: starts the program that checks.
        device: where it lies; one that this user may not read is left to whoever mounts it.
        fs_type: by blkid's name.
        repair: how a person repairs it, with places for the program and the device.

    Raises:
        StorageError: it is damaged, or it is marked and there is no program to check it.
        MachineError: the check did not end in time.
    """
    head = read_at(device, 0, HEAD)
    if head is None or not is_unclean(fs_type, head):
        return
    remedy = f"Repair it, and run this again: {repair.format(REPAIRS[fs_type], device)}"
    try:
        code, out, why = process.run([*CHECKS[fs_type], str(device)], timeout=_TIMEOUT)
    except MissingToolError as missing:
        raise MissingToolError(
            f"{device} ({fs_type}) was not unmounted properly, and {CHECKS[fs_type][0]} is not there to check it",
            missing.hint,
        ) from missing
    if code != 0:
        said = [line.strip() for line in (out + why).splitlines() if line.strip()]
        raise StorageError(
            f"{device} ({fs_type}) was not unmounted properly and is damaged: "
            f"{said[-1] if said else 'no reason given'}",
            remedy,
        )
