"""Facts of this machine that `doctor` asks for, the clock, and the process environment. Reads only."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ventoy_kit.edge.process import search_path

FUSE_NODE = Path("/dev/fuse")


class OsEnvironment:
    """Implements `ports.Environment` with the variables of this process."""

    def get(self, name: str) -> str | None:
        """The value of a variable, or None."""
        return os.environ.get(name)


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def terminal_width() -> int:
    """Columns of the terminal, or what COLUMNS says; 80 where nobody knows."""
    return shutil.get_terminal_size((80, 24)).columns


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def is_linux() -> bool:
    """Whether this is Linux, which staging onto devices and images needs."""
    return sys.platform.startswith("linux")


def is_root() -> bool:
    """Whether this process may mount."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def has_module(name: str) -> bool:
    """Whether a Python module can be imported; it is not imported."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def has_distribution(name: str) -> bool:
    """Whether a Python distribution is installed."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def has_program(name: str) -> bool:
    """Whether a program is where `edge/process.py` looks for it."""
    return shutil.which(name, path=search_path()) is not None


def kernel_knows(filesystem: str) -> bool:
    """Whether the running Linux kernel has a file system, built in, loaded or as a module."""
    if any(line.split()[-1:] == [filesystem] for line in _lines(Path("/proc/filesystems"))):
        return True
    modules = Path("/lib/modules") / os.uname().release / "modules.dep"
    return any(f"/{filesystem}.ko" in line for line in _lines(modules))


def fuse_is_usable() -> bool:
    """Whether this user may start file systems through FUSE."""
    return os.access(FUSE_NODE, os.R_OK | os.W_OK)


def has_udev() -> bool:
    """Whether a udev daemon has looked at this machine's devices (it keeps its database there)."""
    return Path("/run/udev/data").is_dir()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def random_hex(digits: int) -> str:
    """Random hex digits in lower case, an even number of them."""
    return secrets.token_hex(digits // 2)
