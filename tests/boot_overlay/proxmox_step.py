"""Runs the step before switch_root with the mounts that the Proxmox VE installer's init makes, in a private namespace."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.boot_overlay.scratch import Console, Scratch

MOUNTS = """
set -eu
root=$0
cd /
mount --make-rprivate /
mount --bind "$root/iso" "$root/mnt"
mount -t tmpfs tmpfs "$root/mnt/.workdir"
mount --bind "$root/installer" "$root/mnt/.installer-mp"
mount --bind "$root/mnt" "$root/mnt/.installer-mp/cdrom"
mount -t proc proc "$root/proc"
mount --bind "$root/cmdline" "$root/proc/cmdline"
[ "$1" = none ] || mount --bind "$1" "$root/dev/tty1"
cdrom=$root/mnt/.installer-mp/cdrom
eval "$2"
chroot "$root" /bin/busybox sh -c 'sh /ventoy-kit/proxmox.sh "tty1"; echo "$?"'
eval "${3:-}"
cp -a "$cdrom" "$root/seen"
grep -c "$cdrom " /proc/mounts >"$root/mounts" || true
cat "$root/mnt/.workdir"/*/upper/* >"$root/left" 2>/dev/null || true
"""
"""$0 is the root, $1 the terminal or `none`, $2 what goes wrong before, $3 how that ends."""

SEEN_WHEN_NOTHING_IS_HANDED_OVER = {".installer-mp", ".workdir", "boot", "pve-installer.squashfs"}
HANDED_OVER = {"auto-installer-mode.toml", "answer.toml", "proxmox-first-boot"}


@dataclass(frozen=True)
class Result:
    """What a person saw, and what the installer would see on /cdrom."""

    screen: str
    names: set[str]
    mounts: int
    left: str
    cdrom: Path

    @property
    def nothing_handed_over(self) -> bool:
        """The medium is bound once, as before, and no secret stays on the tmpfs."""
        return self.names == SEEN_WHEN_NOTHING_IS_HANDED_OVER and self.mounts == 1 and self.left == ""


def boot(
    root: Scratch,
    typed: str = "falcon\n",
    *,
    answers: Mapping[str, str] | None = None,
    before: str = "",
    after: str = "",
    screen: bool = True,
    timeout: float = 50,
) -> Result:
    """Run the step; without `answers`, `typed` is followed by the Enter that leaves a refusal."""
    for folder in ("mnt", "iso/.workdir", "iso/.installer-mp", "iso/boot", "installer/cdrom"):
        (root.path / folder).mkdir(parents=True, exist_ok=True)
    root.write("iso/pve-installer.squashfs", "installer")
    root.write("cmdline", root.read("proc/cmdline"))
    root.write("dev/tty1", "")
    console = Console(typed + "\n") if answers is None else Console(typed, answers)
    command: list[str | Path] = [
        "unshare",
        "-m",
        "sh",
        "-c",
        MOUNTS,
        root.path,
        console.device if screen else "none",
        before,
        after,
    ]
    # A session of its own, so that nothing outlives a test that ends by time.
    step = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = step.communicate(timeout=timeout)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(step.pid, signal.SIGKILL)
        step.communicate()
        text = console.close()
    assert step.returncode == 0, errors
    assert output == "0\n"
    seen = root.path / "seen"
    return Result(text, set(os.listdir(seen)), int(root.read("mounts")), root.read("left"), seen)
