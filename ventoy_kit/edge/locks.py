"""Advisory locks: one run of the kit per stick, whatever name it was given. Nothing is opened for writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ventoy_kit.edge.files import storage_error
from ventoy_kit.errors import MachineError


@contextlib.contextmanager
def locked(path: Path, *, readable: bool = True) -> Iterator[None]:
    """Keep other runs away from a folder, a disk image or a device node; names of the same one share the lock.

    udev locks whole disks while it looks at them, so a partition's node is what to lock of a device.

    Args:
        path: what to lock.
        readable: it is an error if this user may not read it; else there is no lock then.

    Raises:
        MachineError: another run holds it.
        StorageError: it cannot be opened.
    """
    try:
        import fcntl
    except ImportError:  # not a Unix
        yield
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as error:
        if readable:
            raise storage_error("open", path, error) from error
        yield
        return
    except OSError as error:
        raise storage_error("open", path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MachineError(
                f"another run of ventoy-kit is writing to {path}", "Wait until it has ended."
            ) from error
        except OSError:  # the file system knows no locks
            pass
        yield
    finally:
        os.close(descriptor)
