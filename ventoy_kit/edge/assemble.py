"""Makes an ISO of a package's files with the system's tools. What goes where is decided in `images/netboot.py`."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.edge.files import make_folder, remove_tree, storage_error
from ventoy_kit.errors import MachineError
from ventoy_kit.images.netboot import Layout
from ventoy_kit.ports import WatchedProcess

STEP_SECONDS = 600.0


class BadPackageError(Exception):
    """The package lacks something; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How an ISO is made.

    Attributes:
        plan: what goes where.
        commands: what to run in the work folder, from the time of all dates, in seconds since 1970.
        variables: the environment of that, from the same.
    """

    plan: Layout
    commands: Callable[[int], Iterable[Sequence[str]]]
    variables: Callable[[int], Sequence[str]]


def assemble(
    process: WatchedProcess,
    package: Path,
    steps: Steps,
    out: Path,
    *,
    work: Path,
    tick: Callable[[], None],
) -> None:
    """Unpack a package, lay its files out, and make the ISO.

    Args:
        process: starts programs.
        package: the .deb file, verified.
        steps: how.
        out: where the ISO goes.
        work: a folder for this alone, on the file system of `out`; removed at the end.
        tick: called several times a second; what it raises breaks off.

    Raises:
        BadPackageError: a file is missing.
        MachineError: a tool failed.
        StorageError: reading or writing failed.
    """
    plan = steps.plan
    remove_tree(work)
    make_folder(work)
    try:
        unpacked = work / "package"
        _run(process, ("dpkg-deb", "-x", str(package), str(unpacked)), tick)
        epoch = int(_file(unpacked, plan.dated).stat().st_mtime)
        for target, source in plan.files.items():
            _copy(_file(unpacked, source), work / "iso" / target)
        for target, source in plan.trees.items():
            for file in _inside(unpacked, source):
                _copy(file, work / "iso" / target / file.name)
        for target, source in plan.efi.items():
            _copy(_file(unpacked, source), work / "efi" / target)
        _write(work / "iso", plan.texts)
        for argv in steps.commands(epoch):
            _run(process, argv, tick, ("env", "-C", str(work), *steps.variables(epoch)))
        (work / "out.iso").replace(out)
    except OSError as error:
        raise storage_error("assemble", out, error) from error
    finally:
        remove_tree(work)


def _run(
    process: WatchedProcess, argv: Sequence[str], tick: Callable[[], None], within: Sequence[str] = ()
) -> None:
    code, out, err = process.watch((*within, *argv), timeout=STEP_SECONDS, tick=tick)
    if code:
        told = [line.strip() for line in (err or out).splitlines() if line.strip()]
        raise MachineError(
            f"{argv[0]} failed with exit code {code}: {'; '.join(told[-3:])[:400] or 'it gave no reason'}",
            "Look at what it says; `ventoy-kit doctor` tells which tools are there.",
        )


def _file(root: Path, path: str) -> Path:
    """A regular file below a folder, with no link on the way to it."""
    here = root
    for part in path.split("/"):
        here /= part
        if not here.exists() or here.is_symlink():
            raise BadPackageError(f"it has no file {path}")
    if not stat.S_ISREG(here.lstat().st_mode):
        raise BadPackageError(f"{path} in it is no file")
    return here


def _inside(root: Path, path: str) -> list[Path]:
    folder = root / path
    if not folder.is_dir() or folder.is_symlink():
        raise BadPackageError(f"it has no folder {path}")
    return [_file(root, f"{path}/{name.name}") for name in sorted(folder.iterdir())]


def _copy(source: Path, target: Path) -> None:
    make_folder(target.parent)
    shutil.copyfile(source, target)


def _write(root: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        make_folder((root / path).parent)
        (root / path).write_text(text, encoding="utf-8")
