"""First-boot runners of which the boot overlay must not hand over anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.boot_overlay.scratch import Scratch, digest

OWN = "ventoy-kit/nodes/falcon/first-boot"


def shared_part(root: Scratch) -> Path:
    """What falcon's runner shares."""
    return root.path / "ventoy-kit/runners" / root.read(f"{OWN}.rest").split()[0]


BREAK: dict[str, Callable[[Scratch], object]] = {
    "own part missing": lambda root: (root.path / OWN).unlink(),
    "own part empty": lambda root: root.write(OWN, ""),
    "own part cut off": lambda root: root.write(OWN, root.read(OWN)[:-1]),
    "own part of another node": lambda root: root.write(OWN, "#!/bin/sh\nVK_NODE=xwing\n"),
    "name missing": lambda root: (root.path / f"{OWN}.rest").unlink(),
    "name empty": lambda root: root.write(f"{OWN}.rest", ""),
    "name without digest": lambda root: root.write(f"{OWN}.rest", root.read(f"{OWN}.rest").split()[0]),
    "name of a path": lambda root: root.write(f"{OWN}.rest", f"../nodes {digest('')}\n"),
    "shared part missing": lambda root: shared_part(root).unlink(),
    "shared part empty": lambda root: shared_part(root).write_text(""),
    "shared part cut off": lambda root: shared_part(root).write_text("exit"),
    "shared part changed": lambda root: shared_part(root).write_text("exit 1\n"),
}
"""Ways in which falcon's first-boot runner is not whole."""
