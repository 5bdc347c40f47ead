"""`fleet.lock` beside the fleet file: read, and written so that a reader sees the old one or the new one."""

from __future__ import annotations

from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.edge.files import write_atomic
from ventoy_kit.images import fetch_codes
from ventoy_kit.images.lock import Lock, from_toml, to_toml
from ventoy_kit.report import Place, Report


def lock_path(fleet_file: Path) -> Path:
    """`fleet.lock` for `fleet.yaml`."""
    return fleet_file.with_name(fleet_file.name.removesuffix(".yaml").removesuffix(".yml") + ".lock")


def load_lock(fleet_file: Path, host: Host) -> tuple[Lock, Report]:
    """The lock, an empty one if there is none; findings if it cannot be used."""
    path = lock_path(fleet_file)
    try:
        text = host.files.read(path).decode()
    except FileNotFoundError:
        return Lock(), Report()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        finding = fetch_codes.LOCK_UNREADABLE.finding(
            f"{path} cannot be read: {reason}",
            "Restore it from version control; remove it only if every image may be chosen anew.",
            place=Place(str(path)),
        )
        return Lock(), Report([finding])
    lock, report = from_toml(text, str(path))
    return lock or Lock(), report


def save_lock(fleet_file: Path, before: Lock, after: Lock) -> bool:
    """Write the lock if it has changed; whether it has.

    Raises:
        StorageError: it cannot be written.
    """
    if to_toml(before) == to_toml(after):
        return False
    write_atomic(lock_path(fleet_file), to_toml(after).encode())
    return True
