"""A scratch root in which hooks and the first-boot runner really run: the host's /usr, everything else its own.

The host's /usr is bound read-only; /etc, /var, /root, /boot and /usr/local are folders of the test. All mounts live
in a private mount namespace and vanish with it. /usr/local/sbin comes first in the runner's PATH, so stubs of
systemctl and other programs that would touch a machine stand there and write down their arguments.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ventoy_kit.fleet.hooks import HookSpec, ParamValue, check_params, parse_hook
from ventoy_kit.payload.runner import RunnerHook, RunnerNode, RunnerTexts, render_runner

HOOKS = Path(__file__).resolve().parents[2] / "hooks"
NODE = RunnerNode("falcon", "alliance", "Millennium Falcon", "0a1b2c3d")
DEBIAN_12 = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'

_MOUNTS = """
set -eu
root=$1; shift
mount --make-rprivate /
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount --bind "$root/.local" "$root/usr/local"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
for pair in "$root"/.cover/*; do
    [ -e "$pair" ] || continue
    mount --bind "$pair" "$root/$(basename "$pair" | tr @ /)"
done
exec chroot "$root" "$@"
"""


def texts() -> RunnerTexts:
    return RunnerTexts(
        *((HOOKS / "_runner" / n).read_text() for n in ("runner.sh", "library.sh", "unit.service"))
    )


def shipped(name: str, /, **params: object) -> RunnerHook:
    """A hook of the kit with checked parameters."""
    folder = HOOKS / name
    spec, report = parse_hook(name, {p.name: p.read_text() for p in folder.iterdir()})
    assert spec is not None, list(report)
    return with_params(spec, params)


def hook(
    name: str, script: str, params: Mapping[str, object] | None = None, **declared: object
) -> RunnerHook:
    """A hook made up for a test; `script` is the text behind the shebang and the library."""
    spec = HookSpec.model_validate(
        {
            "name": name,
            "script": '#!/bin/sh\nset -eu\n. "$VK_LIB"\n' + script,
            "summary": "test",
            "verifies": "test",
            "systems": {"debian": ["12"]},
            "timeout": 20,
            **declared,
        }
    )
    return with_params(spec, params or {})


def with_params(spec: HookSpec, params: Mapping[str, object]) -> RunnerHook:
    checked: Mapping[str, ParamValue]
    checked, report = check_params(spec, params, ())
    assert not report.has_errors, list(report)
    return RunnerHook(spec, checked)


@dataclass
class ScratchRoot:
    """One root folder, and how to run things in it."""

    root: Path
    env: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin", "VK_NETWORK_WAIT": "0", "VK_RETRY_PAUSE": "0"}
    )

    def __post_init__(self) -> None:
        for name in [
            "usr",
            ".local/sbin",
            ".cover",
            "proc",
            "dev",
            "run",
            "etc/apt/sources.list.d",
            "etc/default/grub.d",
            "etc/kernel",
            "etc/ssh",
            "etc/systemd/system",
            "root",
            "var/lib/dpkg",
            "var/lib/apt/lists/partial",
            "var/log",
            "var/cache",
            "boot/grub",
            "calls",
        ]:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").mkdir(mode=0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        (self.root / "etc/alternatives").mkdir()
        (self.root / "etc/alternatives/awk").symlink_to("/usr/bin/mawk")  # Debian's default
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nhan:x:1000:1000::/home/han:/bin/sh\n")
        self.write("etc/group", "root:x:0:\nhan:x:1000:\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\n")
        self.write("etc/os-release", DEBIAN_12)
        self.write("calls/boot_id", "boot-1\n")
        self.cover("proc@sys@kernel@random@boot_id", "boot-1\n")
        self.stub("systemctl", '[ "$1" != is-enabled ] || exit 1')
        self.stub("dpkg-query", "exit 1")

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text()

    def cover(self, name: str, text: str) -> None:
        """Lay a text over a file that the mounts bring in; `@` stands for `/`."""
        self.write(f".cover/{name}", text)

    def reboot(self, number: int) -> None:
        """Make the next run believe that the machine was started anew."""
        self.cover("proc@sys@kernel@random@boot_id", f"boot-{number}\n")

    def stub(self, name: str, body: str = "") -> None:
        """A program that writes down its arguments and then runs `body`."""
        script = f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>/calls/log\n{body}\n'
        self.write(f".local/sbin/{name}", script, 0o755)

    def calls(self) -> list[str]:
        log = self.root / "calls/log"
        return log.read_text().splitlines() if log.exists() else []

    def place(self, hooks: Sequence[RunnerHook], node: RunnerNode = NODE) -> None:
        self.write("first-boot", render_runner(texts(), node, hooks).whole, 0o700)

    def run(self, *args: str, net: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run the placed script by dash, as Debian's late command does."""
        return self.execute("/bin/dash", "/first-boot", *args, net=net)

    def execute(self, *argv: str, net: bool = True) -> subprocess.CompletedProcess[bytes]:
        unshare = ["unshare", "--mount", "--pid", "--fork", *([] if net else ["--net"])]
        command = [*unshare, "sh", "-c", _MOUNTS, "sh", str(self.root), *argv]
        return subprocess.run(command, capture_output=True, env=self.env, timeout=120)

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """Mode, time of change and content of every file outside the mounts, except what the stubs wrote down."""
        out: dict[str, tuple[int, int, bytes]] = {}
        for folder, names, files in os.walk(self.root):
            at = Path(folder).relative_to(self.root)
            if folder == str(self.root):
                for skipped in ("usr", "proc", "dev", "calls", ".cover"):
                    names.remove(skipped)
            for name in files:
                path = Path(folder) / name
                info = path.lstat()
                content = os.readlink(path).encode() if stat.S_ISLNK(info.st_mode) else path.read_bytes()
                out[str(at / name)] = (info.st_mode, info.st_mtime_ns, content)
        return out
