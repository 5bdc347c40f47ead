"""A real exFAT file system whose driver's writes and flushes are recorded, so that a power cut can be played afterwards.

strace follows the FUSE driver and writes down every pwrite64 (with its bytes) and fsync on the block device. What a
stick holds after a cut is modelled as: everything before the last fsync, and of the writes after it any part, in any
order, sector by sector. Not modelled: a stick that lies about fsync, or that damages sectors which were not written.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
SIZE = 16 << 20


@dataclass(frozen=True)
class Write:
    """Bytes that the driver has written to the device."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Flush:
    """The driver has waited until everything before is on the device."""


Event = Write | Flush


def run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "PATH": PATH}, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def new_exfat(image: Path) -> None:
    """An empty exFAT file system in a file."""
    with image.open("wb") as file:
        file.truncate(SIZE)
    run("mkfs.exfat", "-c", "4K", image)


@contextlib.contextmanager
def mounted(image: Path, point: Path, log: Path | None = None) -> Iterator[Path]:
    """The file system below `point`; with `log` its driver is traced into that file."""
    loop = run("losetup", "--find", "--show", image).strip()
    traced = (
        "strace",
        "-f",
        "-qq",
        "-xx",
        "-s",
        "1048576",
        "-e",
        "trace=pwrite64,fsync",
        "-e",
        "signal=none",
    )
    argv = [*traced, "-o", str(log)] if log else []
    point.mkdir(exist_ok=True)
    driver = subprocess.Popen(
        [*argv, "mount.exfat-fuse", "-d", loop, str(point)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": PATH},
    )
    try:
        end = time.monotonic() + 20
        while not os.path.ismount(point):
            if driver.poll() is not None or time.monotonic() > end:
                raise MountError
            time.sleep(0.005)
        try:
            yield point
        finally:
            run("umount", point)
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            driver.wait(20)
        driver.kill()
        driver.wait()
        subprocess.run(["losetup", "--detach", loop], check=True, capture_output=True)


class MountError(Exception):
    """The driver refused the file system."""


_WRITE = re.compile(r'pwrite64\(\d+, "((?:\\x[0-9a-f]{2})*)", (\d+), (\d+)\) += (\d+)')


def events(log: Path) -> list[Event]:
    """What the driver did to the device, in order."""
    out: list[Event] = []
    for line in log.read_text().splitlines():
        if " fsync(" in line or line.startswith("fsync("):
            out.append(Flush())
        elif match := _WRITE.search(line):
            data = bytes.fromhex(match[1].replace("\\x", ""))
            assert len(data) == int(match[2]) == int(match[4]), "strace has cut the data off"
            out.append(Write(int(match[3]), data))
        else:
            assert "pwrite64" not in line, line[:200]
    return out


def after_cut(base: Path, history: Sequence[Event], at: int, chance: random.Random, image: Path) -> None:
    """The device after the power went at an event: a part of what was not flushed is lost, the rest reordered."""
    flushed = max((i for i, e in enumerate(history[:at]) if isinstance(e, Flush)), default=-1)
    shutil.copyfile(base, image)
    pending = [
        Write(e.offset + i, e.data[i : i + SECTOR])
        for e in history[flushed + 1 : at]
        if isinstance(e, Write)
        for i in range(0, len(e.data), SECTOR)
    ]
    survivors = [w for w in pending if chance.random() < chance.choice([0.1, 0.5, 0.9])]
    chance.shuffle(survivors)
    with image.open("r+b") as file:
        for event in (*(e for e in history[: flushed + 1] if isinstance(e, Write)), *survivors):
            file.seek(event.offset)
            file.write(event.data)
