"""Starts programs: argument lists only, in the C locale, with a deadline."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ventoy_kit.errors import MachineError, MissingToolError

# Debian keeps mkfs, losetup and blkid where an ordinary user's PATH does not look.
_SYSTEM_PATHS = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")


_TICK = 0.25
"""Seconds between two looks at a program that is watched."""


def search_path() -> str:
    """The user's PATH with the system's administration folders behind it."""
    own = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    return os.pathsep.join([*own, *(part for part in _SYSTEM_PATHS if part not in own)])


@dataclass(frozen=True, slots=True)
class SystemProcess:
    """Implements `ports.WatchedProcess` with the host's programs.

    Attributes:
        packages: the Debian package of each program, for the hint when it is missing.
    """

    packages: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        input: str | None = None,  # noqa: A002 (the name that subprocess uses)
    ) -> tuple[int, str, str]:
        """Run a program to its end; return exit code, stdout and stderr (UTF-8, undecodable bytes replaced).

        The program runs in a session of its own, so that a Ctrl-C at the terminal reaches this process alone and
        cannot cut, say, an unmount in half. A program that a signal ended has a negative exit code.

        Args:
            argv: program and arguments.
            timeout: seconds after which the program and its children are killed.
            input: text for its stdin; without it stdin is empty.

        Raises:
            MissingToolError: there is no such program.
            MachineError: it could not be started, or did not end in time.
        """
        return self._run(argv, timeout, None if input is None else input.encode(), None)

    def watch(self, argv: Sequence[str], *, timeout: float, tick: Callable[[], None]) -> tuple[int, str, str]:
        """Run a program as `run` does, and call `tick` several times a second.

        Args:
            argv: program and arguments.
            timeout: seconds after which the program and its children are killed.
            tick: what it raises kills them, too, and comes out.

        Raises:
            MissingToolError: there is no such program.
            MachineError: it could not be started, or did not end in time.
        """
        return self._run(argv, timeout, None, tick)

    def _run(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, tick: Callable[[], None] | None
    ) -> tuple[int, str, str]:
        path = search_path()
        program = shutil.which(argv[0], path=path)
        if program is None:
            raise MissingToolError(f"the program {argv[0]} is not installed", self._hint(argv[0]))
        settings = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
        settings |= {"LC_ALL": "C.UTF-8", "LANGUAGE": "", "PATH": path}
        try:
            process = subprocess.Popen(
                [program, *argv[1:]],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=settings,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineError(f"{argv[0]} could not be started: {error.strerror}") from error
        with process:
            try:
                out, err = _communicate(process, timeout, stdin, tick)
            except subprocess.TimeoutExpired as error:
                _kill(process)
                message = f"{Path(argv[0]).name} did not end within {timeout:g} seconds and was stopped"
                raise MachineError(message, f"Run it by hand to see why: {' '.join(argv)}") from error
            except BaseException:
                _kill(process)
                raise
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def _hint(self, program: str) -> str:
        package = self.packages.get(program)
        return f"Install the package {package}." if package else f"Install {program}."


def _communicate(
    process: subprocess.Popen[bytes],
    timeout: float,
    stdin: bytes | None,
    tick: Callable[[], None] | None,
) -> tuple[bytes, bytes]:
    if tick is None:
        return process.communicate(stdin, timeout)
    end = time.monotonic() + timeout
    while True:
        try:
            return process.communicate(timeout=min(_TICK, max(0.0, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                raise
            tick()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole session, since a child that keeps the pipes open would keep us waiting."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def unpack_zstd(data: bytes) -> bytes:
    """What zstd(1) unpacks, until what is no zstd any more. Raises MissingToolError, MachineError."""
    program = shutil.which("zstd", path=search_path())
    if program is None:
        raise MissingToolError("the program zstd is not installed", "Install the package zstd.")
    done = subprocess.run([program, "-dc"], input=data, capture_output=True, check=False, timeout=600)
    if not done.stdout:
        raise MachineError(f"zstd cannot unpack this: {done.stderr.decode(errors='replace').strip()[:200]}")
    return done.stdout


def bound_to(parent: int, argv: Sequence[str]) -> list[str]:
    """A command that is killed when its parent dies, and does not begin if the parent is dead already.

    setpriv(1) sets PR_SET_PDEATHSIG, which execve(2) keeps. A parent that died before that cannot be waited for any more,
    so the shell looks who its parent is.
    """
    look = 'test "${PPID}" = "$1" && shift && exec "$@"'
    return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", look, "sh", str(parent), *argv]


class Child:
    """A program that runs beside this one and dies with it, also when this one is killed by SIGKILL.

    Args:
        argv: program and arguments.
        folder: its working folder, and the one for its temporary files.
        log: file that gets what it prints.

    Raises:
        MissingToolError: there is no such program, or no setpriv.
        MachineError: it could not be started.
    """

    def __init__(self, argv: Sequence[str], *, folder: Path, log: Path) -> None:
        path = search_path()
        for program in ("setpriv", argv[0]):
            if shutil.which(program, path=path) is None:
                raise MissingToolError(f"the program {program} is not installed", f"Install {program}.")
        words = bound_to(os.getpid(), argv)
        settings = dict(os.environ) | {"LC_ALL": "C.UTF-8", "PATH": path, "TMPDIR": str(folder)}
        try:
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=folder,
                    env=settings,
                    start_new_session=True,
                )
        except OSError as error:
            raise MachineError(f"{argv[0]} could not be started: {error.strerror}") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Kill it and everything that it started."""
        if self._process.poll() is None:
            _kill(self._process)
        self._process.wait()
