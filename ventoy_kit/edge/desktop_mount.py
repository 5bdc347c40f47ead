"""Mounts a stick's partition without the rights of root, through udisks: it asks polkit whether this user may.

Source: udisksctl(1) of udisks2.
"""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.errors import MissingToolError, StorageError
from ventoy_kit.ports import Process

_TIMEOUT = 120.0


def desktop_mount(process: Process, device: Path) -> None:
    """Have udisks mount a partition where it likes.

    Raises:
        StorageError: there is no udisksctl, or udisks refused.
    """
    by_hand = "Mount it with the desktop, or run this with sudo."
    argv = ["udisksctl", "mount", "--no-user-interaction", "--block-device", str(device)]
    try:
        code, out, why = process.run(argv, timeout=_TIMEOUT)
    except MissingToolError as missing:
        raise StorageError(
            f"mounting {device} needs the rights of root, or udisks, which is not installed", by_hand
        ) from missing
    if code != 0:
        raise StorageError(f"udisks did not mount {device}: {_reason(why or out)}", by_hand)


def desktop_unmount_argv(device: Path) -> list[str]:
    """The command that releases what `desktop_mount` mounted."""
    return ["udisksctl", "unmount", "--no-user-interaction", "--block-device", str(device)]


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
