"""Rehearsals in a process of their own, which tests interrupt, kill and starve; and what of them is still there."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.app.workspaces import command, environment
from tests.conftest import PATH


class Running:
    """A rehearsal that runs; its output grows in files."""

    def __init__(self, folder: Path, temporary: Path, *words: str | Path) -> None:
        folder.mkdir()
        self._temporary = temporary
        self._files = {name: folder / name for name in ("out", "err")}
        with self._files["out"].open("wb") as out, self._files["err"].open("wb") as err:
            self.process = subprocess.Popen(
                command("rehearse", *words),
                env=environment(TMPDIR=str(temporary)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        return self._files["out"].read_text()

    @property
    def err(self) -> str:
        return self._files["err"].read_text()

    def wait_for(self, text: str, seconds: float = 150) -> None:
        """Until it has told so."""

        def told() -> bool:
            assert self.process.poll() is None or text in self.err, self.err
            return text in self.err

        until(told, seconds)


@contextmanager
def running(folder: Path, temporary: Path, *words: str | Path) -> Iterator[Running]:
    """A rehearsal that is killed at the end, if it still runs."""
    made = Running(folder, temporary, *words)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for something, not for ever."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def machines(folder: Path) -> list[str]:
    """Command lines of all processes that name a folder or stand in it, but for this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            inside = (entry / "cwd").readlink().is_relative_to(folder)
        except OSError:
            continue
        if int(entry.name) != os.getpid() and words and (inside or str(folder) in words):
            found.append(words)
    return found


def taken(folder: Path) -> list[str]:
    """The mounts and loop devices that have to do with a folder."""
    loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, env={"PATH": PATH})
    lines = [*Path("/proc/mounts").read_text().splitlines(), *loops.stdout.splitlines()]
    return [line for line in lines if str(folder) in line]
