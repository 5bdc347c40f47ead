"""`ventoy-kit doctor`: which programs and rights are there, what each is for, and how to get the missing ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ventoy_kit.app.host import PACKAGES
from ventoy_kit.app.outcome import Next, Outcome, Table
from ventoy_kit.edge.process import search_path
from ventoy_kit.report import Report


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: `state` is `ok`, `missing` or `unusable`; `fix` is empty where nothing is to be done."""

    name: str
    purpose: str
    state: str
    fix: str = ""


PROGRAMS = {
    "blkid": "tell what is on a stick's partitions",
    "losetup": "stage onto a disk image file",
    "mount": "stage onto a stick that is not mounted yet",
    "umount": "release a stick",
    "mount.exfat-fuse": "mount exFAT where the kernel has no driver for it",
    "mkfs.exfat": "make a disk image file (`stage FILE --create SIZE`)",
    "mkfs.fat": "make a disk image file (`stage FILE --create SIZE`)",
}

MODULES = {
    "click": "the command line",
    "jinja2": "templates of answers",
    "passlib": "password hashes",
    "pycdlib": "looking into ISO files",
    "pydantic": "checking the fleet file",
    "pyudev": "finding the stick",
    "rich": "tables and progress",
    "ruamel.yaml": "reading the fleet file",
    "tomli_w": "writing answer files",
}


def doctor() -> Outcome:
    """Look around. What is missing is no finding: each thing says what cannot be done without it."""
    checks = [*_python(), *_programs(), *_rights()]
    rows = tuple((c.state, c.name, c.purpose, c.fix) for c in checks)
    fixes = tuple(dict.fromkeys(c.fix for c in checks if c.fix))
    result = {
        "checks": [{"name": c.name, "purpose": c.purpose, "state": c.state, "fix": c.fix} for c in checks]
    }
    ending = Next(fixes or ("Nothing is missing.",))
    return Outcome(
        "doctor", Report(), result, [Table(("state", "what", "needed to", "how to get it"), rows), ending]
    )


def _python() -> Iterator[Check]:
    version = ".".join(str(n) for n in sys.version_info[:3])
    yield Check(f"Python {version}", "run at all", "ok")
    for module, purpose in MODULES.items():
        if module == "pyudev" and not sys.platform.startswith("linux"):
            continue
        there = find_spec(module) is not None
        yield Check(
            module,
            purpose,
            "ok" if there else "missing",
            "" if there else "Install ventoy-kit again with pip.",
        )
    try:
        metadata.version("ruamel.yaml.clib")
    except metadata.PackageNotFoundError:
        yield Check(
            "ruamel.yaml.clib",
            "read large fleet files three times faster",
            "missing",
            "pip install ruamel.yaml.clib",
        )


def _programs() -> Iterator[Check]:
    import shutil

    if not sys.platform.startswith("linux"):
        return
    for program, purpose in PROGRAMS.items():
        there = shutil.which(program, path=search_path()) is not None
        fix = "" if there else f"apt install {PACKAGES[program]}"
        yield Check(program, purpose, "ok" if there else "missing", fix)


def _rights() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        yield Check(
            "Linux",
            "stage onto a device or a disk image; a folder works here",
            "missing",
            "Use a Linux machine.",
        )
        return
    root = os.geteuid() == 0
    yield Check(
        "root rights",
        "mount a stick or a disk image; a stick that the desktop mounted needs none",
        "ok" if root else "missing",
        "" if root else "Run `sudo ventoy-kit stage ...`, or mount the stick with the desktop first.",
    )
    kernel = any(line.split()[-1:] == ["exfat"] for line in _lines("/proc/filesystems"))
    kernel = kernel or any(
        "/exfat.ko" in line for line in _lines(f"/lib/modules/{os.uname().release}/modules.dep")
    )
    fuse = Path("/dev/fuse").exists() and os.access("/dev/fuse", os.R_OK | os.W_OK)
    yield Check(
        "exFAT",
        "read and write Ventoy's data partition",
        "ok" if kernel else "ok (through FUSE, if exfat-fuse is there)" if fuse else "missing",
        "" if kernel or fuse else "Load the kernel module: modprobe exfat",
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
