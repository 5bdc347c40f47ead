"""The kernel and RAM disk that a direct boot starts: the image's own, or a borrowed kernel for a stand-in."""

from __future__ import annotations

import lzma
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.edge.files import listing
from ventoy_kit.edge.process import unpack_zstd
from ventoy_kit.errors import MachineError
from ventoy_kit.ports import UnreadableIsoError
from ventoy_kit.rehearse import codes
from ventoy_kit.rehearse.boot_entry import BootEntry
from ventoy_kit.rehearse.initramfs import ZSTD, Member, own_init
from ventoy_kit.rehearse.standin import MODULES, module_name, needs_of, plain, stand_in_files
from ventoy_kit.report import Finding, Place

KERNEL_LIMIT = 1 << 30
"""Bytes of a kernel or RAM disk that are read from an ISO."""

CD_INFO = "/.cd-info"


@dataclass(frozen=True, slots=True)
class Start:
    """Kernel, RAM disk (empty for a stand-in), the init in it, and a stand-in's files."""

    kernel: bytes = field(repr=False)
    initrd: bytes = field(repr=False)
    init: bytes = field(repr=False)
    extra: Mapping[str, Member] = field(default_factory=dict, repr=False)


def own_start(iso: Path, entry: BootEntry, host: Host) -> Start | Finding:
    """What the image itself starts, or why that cannot be told. Raises MachineError where zstd is missing."""
    try:
        files = host.isos.read(iso, (entry.kernel, entry.initrd), limit=KERNEL_LIMIT).files
        kernel, initrd = files[entry.kernel], files[entry.initrd]
    except (OSError, UnreadableIsoError, KeyError) as error:
        message = f"{iso} does not hold what its menu starts ({entry.kernel}, {entry.initrd}): {error}"
        return codes.NO_ENTRY.finding(
            message, "Use the image as its vendor published it.", place=Place(str(iso))
        )
    init = own_init(_unpacked(initrd))
    if init is None:
        message = f"{entry.initrd} of {iso} holds no init that can be read"
        return codes.NO_ENTRY.finding(
            message, "Rehearse with the stick itself: `--stick`.", place=Place(str(iso))
        )
    return Start(kernel, initrd, init)


def _unpacked(initrd: bytes) -> bytes:
    """A RAM disk that is compressed with zstd, which Python 3.11 cannot unpack; others stay as they are."""
    if not initrd.startswith(ZSTD):
        return initrd
    return unpack_zstd(initrd)


def borrowed_start(
    iso: Path, folder: Path | None, scripts: Mapping[str, bytes], host: Host
) -> Start | Finding:
    """What a stand-in of Proxmox is started with.

    Args:
        iso: the stand-in.
        folder: an unpacked kernel package, or the root of a system.
        scripts: the rehearsal's own files.
        host: effects.

    Raises:
        MachineError: the folder or the image cannot be read.
    """
    if folder is None:
        return codes.STAND_IN.finding(
            f"{iso.name} is a stand-in without a kernel",
            "Name a kernel for it with `--kernel FOLDER`, or the vendor's image in the fleet file.",
            place=Place(str(iso)),
        )
    names = {path for root in ("boot", "lib/modules", "usr/lib/modules") for path in _below(folder, root)}
    kernels = sorted(n for n in names if re.fullmatch(r"boot/vmlinuz-[^/]+", n))
    if not kernels:
        message = f"{folder} holds no boot/vmlinuz-*"
        remedy = "Name the folder of an unpacked linux-image package, or `/`."
        return codes.STAND_IN.finding(message, remedy, place=Place(str(folder)))
    version = kernels[-1].removeprefix("boot/vmlinuz-")
    there = {module_name(n): n for n in sorted(names) if f"modules/{version}/kernel/" in n and ".ko" in n}
    try:
        modules = _with_needs(folder, there, host)
        info = host.isos.read(iso, (CD_INFO,), limit=1 << 16).files.get(CD_INFO, b"")
        return Start(
            host.files.read(folder / kernels[-1]),
            b"",
            scripts["stand-in-init.sh"],
            stand_in_files(modules, scripts, info),
        )
    except (OSError, lzma.LZMAError, UnreadableIsoError) as error:
        raise MachineError(
            f"the kernel in {folder} cannot be read: {error}", "Unpack the package anew."
        ) from error


def _below(folder: Path, root: str) -> list[str]:
    try:
        return [f"{root}/{path}" for path, _ in listing(folder / root)]
    except OSError:
        return []


def _with_needs(folder: Path, there: Mapping[str, str], host: Host) -> dict[str, bytes]:
    """The modules that are wanted and there, each behind those that it needs."""
    out: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in out or name not in there:
            return
        data = plain(there[name], host.files.read(folder / there[name]))
        for need in needs_of(data):
            add(need)
        out[name] = data

    for name in MODULES:
        add(name)
    return out
