"""What the kit remembers beside a fleet file, in `.ventoy-kit/`: hashes and digests. Never a secret in clear."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ventoy_kit.edge.files import storage_error, write_atomic

STATE_FOLDER = ".ventoy-kit"


def load_state(base: Path, name: str) -> Mapping[str, Any]:
    """A remembered map, empty if there is none or it cannot be understood."""
    try:
        value = json.loads((base / STATE_FOLDER / f"{name}.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def save_state(base: Path, name: str, value: Mapping[str, Any]) -> None:
    """Remember a map; mode 0600 in a folder of mode 0700, since some hold password hashes.

    Raises:
        StorageError: it cannot be written.
    """
    folder = base / STATE_FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise storage_error("create", folder, error) from error
    data = json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
    write_atomic(folder / f"{name}.json", data, mode=0o600)
