"""Runs the boot hook's own scripts over machines made of recorded facts, in a scratch folder that stands for `/`.

One shell resolves many machines. The scripts are the bytes that the stick carries; only what asks for a real device is
answered by the driver: Ventoy's tool that names the stick, and whether a device node is there. The empty folder for
results is there already, so that no program is started to make it.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.errors import MachineError
from ventoy_kit.ports import FedProcess

TOOLS = ("sh", "tr", "dd", "cut")
"""Programs that the scripts need."""

SCRIPTS = ("lib.sh", "identity.sh", "disks.sh")

BATCH = 50
"""Machines in one shell: few enough for a small folder, enough that starting the shell costs nothing."""

MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
ENOUGH = 256 << 20
"""Bytes that must be free there; a machine takes about 100 KiB, more with many disks."""

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
    """Resolve the system disks of each machine, several machines in one shell and several shells at once.

    Args:
        scripts: `lib.sh`, `identity.sh` and `disks.sh` as the stick carries them.
        machines: their files, with the overlay's data.
        process: starts the shells, from several threads.

    Raises:
        MachineError: a shell failed, or the scratch folder cannot be written.
    """
    batches = [machines[start : start + BATCH] for start in range(0, len(machines), BATCH)]
    if not batches:
        return ()
    with ThreadPoolExecutor(min(len(batches), os.cpu_count() or 1)) as pool:
        try:
            found = list(pool.map(functools.partial(_run_batch, scripts, process), batches))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(one for batch in found for one in batch)


def _run_batch(
    scripts: Mapping[str, str], process: FedProcess, machines: Sequence[Machine]
) -> tuple[Resolved, ...]:
    try:
        with tempfile.TemporaryDirectory(prefix="ventoy-kit-", dir=_scratch_parent()) as scratch:
            _place(f"{scratch}/scripts", {name: scripts[name].encode() for name in SCRIPTS})
            folders = [f"{scratch}/machines/{number:06}" for number in range(len(machines))]
            for folder, machine in zip(folders, machines, strict=True):
                _place(folder, machine.files)
                os.mkdir(f"{folder}/ventoy-kit/run")  # noqa: PTH102 - twenty paths a machine: plain calls
                dumped = f"/dev/{machine.stick}#exfat#/installer.iso\n".encode()
                _place(folder, {"family": f"{machine.family}\n".encode(), "vtoydump": dumped})
            code, _, err = process.run(("sh", "-c", DRIVER, "sh", scratch), timeout=60 + 2.0 * len(machines))
            return tuple(_result(Path(folder), code, err) for folder in folders)
    except OSError as error:
        raise MachineError(
            f"the scratch folder for the simulation cannot be used: {error.strerror or error}",
            "Make room in the folder for temporary files, or name another one in TMPDIR.",
        ) from error


def _scratch_parent() -> str | None:
    """Memory, where there is enough of it; None for the usual folder, as for a user who names one."""
    try:
        space = os.statvfs(MEMORY)
    except (OSError, AttributeError):
        return None
    if os.environ.get("TMPDIR") or not os.access(MEMORY, os.W_OK | os.X_OK):
        return None
    return MEMORY if space.f_bavail * space.f_frsize >= ENOUGH else None


def _place(folder: str, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        file = f"{folder}/{path}"
        try:
            _write(file, data)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120 - as above
            _write(file, data)


def _write(file: str, data: bytes) -> None:
    with open(file, "wb", buffering=0) as out:  # noqa: PTH123 - as above
        out.write(data)


def _result(machine: Path, code: int, err: str) -> Resolved:
    try:
        first, *rest = _text(machine / "result").splitlines()
    except (FileNotFoundError, ValueError) as error:
        said = (err.strip().splitlines() or [f"exit code {code}"])[-1]
        raise MachineError(f"the boot hook's scripts failed in the simulation: {said}") from error
    if first == "ok":
        disks = tuple(word.removeprefix("/dev/") for word in rest[0].split())
        return Resolved(disks, "", "\n".join(_text(machine / "ventoy-kit/run/notes").splitlines()))
    return Resolved((), first, "\n".join(rest))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
