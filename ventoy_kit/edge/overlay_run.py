"""Runs the boot hook's own scripts over machines made of recorded facts, in a scratch folder that stands for `/`.

One shell resolves many machines. The scripts are the bytes that the stick carries; only what asks for a real device
is answered by the driver: Ventoy's tool that names the stick, and whether a device node is there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.errors import MachineError
from ventoy_kit.ports import FedProcess

TOOLS = ("sh", "tr", "sed", "grep", "dd", "cut")
"""Programs that the scripts need."""

DRIVER = """\
set -u
VK_TAB='' VK_NEWLINE=''
. "$1/scripts/lib.sh"
. "$1/scripts/identity.sh"
. "$1/scripts/disks.sh"
vk_vtoydump() { VK_REPLY=''; [ "$1" != -f ] || read -r VK_REPLY <"${VK_ROOT}/vtoydump"; }
vk_make_run() { [ -d "${VK_RUN}" ]; }
vk_is_device_node() { [ -d "${VK_ROOT}/sys/block/${1#/dev/}" ]; }
for machine in "$1"/machines/*; do
    (
        vk_use_root "${machine}"
        read -r family <"${machine}/family"
        if vk_load "${family}" && vk_identify && vk_resolve_disks "${VK_NODE}"; then
            printf 'ok\\n%s\\n' "${VK_DISKS}" >"${machine}/result"
            cat "${VK_RUN}/notes" >>"${machine}/result"
        else
            printf '%s\\n%s\\n' "${VK_CODE}" "${VK_DETAIL}" >"${machine}/result"
        fi
    ) </dev/null
done
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine: its files by path below `/`, the answer family, and the kernel name of the stick."""

    name: str
    family: str
    stick: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the scripts said: device names in declared order, or the code of a refusal with its details."""

    disks: tuple[str, ...]
    code: str
    detail: str


def missing_tools() -> tuple[str, ...]:
    """Programs that are needed and not there."""
    return tuple(tool for tool in TOOLS if shutil.which(tool) is None)


def run_overlays(
    scripts: Mapping[str, str], machines: Sequence[Machine], process: FedProcess
) -> tuple[Resolved, ...]:
    """Resolve the system disks of each machine.

    Args:
        scripts: `lib.sh`, `identity.sh` and `disks.sh` as the stick carries them.
        machines: their files, with the overlay's data.
        process: starts the shell.

    Raises:
        MachineError: the shell failed, or the scratch folder cannot be written.
    """
    if not machines:
        return ()
    try:
        with tempfile.TemporaryDirectory(prefix="ventoy-kit-") as scratch:
            root = Path(scratch)
            for name in ("lib.sh", "identity.sh", "disks.sh"):
                _write(root / "scripts" / name, scripts[name].encode())
            for number, machine in enumerate(machines):
                _place(root / "machines" / f"{number:06}", machine)
            argv = ("sh", "-c", DRIVER, "sh", scratch)
            code, _, err = process.run(argv, timeout=60 + 2.0 * len(machines))
            return tuple(
                _result(root / "machines" / f"{n:06}" / "result", code, err) for n in range(len(machines))
            )
    except OSError as error:
        raise MachineError(
            f"the scratch folder for the simulation cannot be used: {error.strerror or error}",
            "Make room in the folder for temporary files, or name another one in TMPDIR.",
        ) from error


def _place(folder: Path, machine: Machine) -> None:
    for path, data in machine.files.items():
        _write(folder / path, data)
    (folder / "ventoy-kit/run").mkdir()
    _write(folder / "family", machine.family.encode())
    _write(folder / "vtoydump", f"/dev/{machine.stick}#exfat#/installer.iso\n".encode())


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _result(file: Path, code: int, err: str) -> Resolved:
    try:
        first, *rest = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, ValueError) as error:
        said = (err.strip().splitlines() or [f"exit code {code}"])[-1]
        raise MachineError(f"the boot hook's scripts failed in the simulation: {said}") from error
    if first == "ok":
        disks = tuple(word.removeprefix("/dev/") for word in rest[0].split())
        return Resolved(disks, "", "\n".join(rest[1:]))
    return Resolved((), first, "\n".join(rest))
