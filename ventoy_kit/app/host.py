"""The effects that use cases work with, in one bundle: the real host's, or a test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ventoy_kit.edge import disk_image, mounts
from ventoy_kit.edge.cache import Cache, cache_folder
from ventoy_kit.edge.files import HostFiles
from ventoy_kit.edge.iso import PycdlibIsoReader
from ventoy_kit.edge.machine import OsEnvironment, pause, random_hex, utc_now
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.edge.shipped import data_root
from ventoy_kit.images import netboot
from ventoy_kit.ports import (
    Environment,
    FedProcess,
    Files,
    IsoReader,
    Progress,
    ProgressBoard,
    WatchedProcess,
)

DEFAULT_FLEET = "fleet.yaml"
"""The fleet file where none is named. Here, since every command needs it and few need what reads fleet files."""

PACKAGES = (
    mounts.PACKAGES
    | disk_image.PACKAGES
    | dict(netboot.TOOLS)
    | {"ssh": "openssh-client", "qemu-system-x86_64": "qemu-system-x86", "setpriv": "util-linux"}
    | {"busybox": "busybox-static", "zstd": "zstd", "debugfs": "e2fsprogs", "swtpm": "swtpm"}
)
"""The Debian package of each program that a command may need."""


class _Silent:
    def start(self, title: str, total: int) -> None:
        """Nothing to tell."""

    def advance(self, count: int) -> None:
        """Nothing to tell."""

    def done(self) -> None:
        """Nothing to tell."""


class _SilentBoard:
    def line(self) -> Progress:
        """Nothing to tell."""
        return _Silent()


@dataclass(frozen=True, slots=True)
class Host:
    """Ports, wired to this machine by default."""

    files: Files = field(default_factory=HostFiles)
    isos: IsoReader = field(default_factory=PycdlibIsoReader)
    process: WatchedProcess = field(default_factory=lambda: SystemProcess(PACKAGES))
    fed_process: FedProcess = field(default_factory=lambda: SystemProcess(PACKAGES))
    environment: Environment = field(default_factory=OsEnvironment)
    progress: Progress = field(default_factory=_Silent)
    board: ProgressBoard = field(default_factory=_SilentBoard)
    data: Path = field(default_factory=data_root)
    clock: Callable[[], datetime] = utc_now
    random_hex: Callable[[int], str] = random_hex
    ask_secret: Callable[[str], str | None] = lambda _question: None
    pause: Callable[[float], None] = pause
    tell: Callable[[str], None] = lambda _line: None

    @property
    def cache(self) -> Cache:
        """The cache of verified images."""
        return Cache(cache_folder(self.environment))
