"""Looks at installed disks from outside, read-only: with e2fsprogs' debugfs, so without a mount."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ventoy_kit.app.rehearse_act import Scene
from ventoy_kit.edge.machine import has_program
from ventoy_kit.edge.run_folder import read_at
from ventoy_kit.ports import Process
from ventoy_kit.rehearse.installed import FILES, HEAD, check_files, is_ext, partitions
from ventoy_kit.rehearse.model import ActResult, SafetyCheck

TITLE = "The installed system is what the fleet file says"


def look_at_disks(scene: Scene, played: Sequence[ActResult]) -> list[SafetyCheck]:
    """The checks over what was installed; none if nothing was."""
    if not any(a.act == "installed" for a in played):
        return []
    if not has_program("debugfs"):
        return [SafetyCheck("after", TITLE, None, "debugfs is not installed (package e2fsprogs)")]
    files: dict[str, str] = {}
    for disk in scene.case.twin.disks:
        if disk.role == "system":
            files |= read_installed(scene.image(disk), scene.host.process)
    if not files:
        return [SafetyCheck("after", TITLE, None, "no file system of the kind ext4 was found in a partition")]
    return list(check_files(scene.case.node, files))


def read_installed(image: Path, process: Process) -> dict[str, str]:
    """The files of `installed.FILES` that the partitions of a disk image hold.

    Raises:
        StorageError: the image cannot be read.
        MachineError: debugfs could not be run.
    """
    found: dict[str, str] = {}
    for offset, _ in partitions(read_at(image, 0, HEAD)):
        if not is_ext(read_at(image, offset + 1024, 1024)):
            continue
        for path in FILES:
            code, out, err = process.run(
                ("debugfs", "-R", f"cat {path}", f"{image}?offset={offset}"), timeout=120
            )
            if code == 0 and "File not found" not in err:
                found.setdefault(path, out)
    return found
