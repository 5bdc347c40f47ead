"""Real Debian 12 and 13 roots, made by debootstrap, in which hooks run with the real apt, dpkg and systemd tools.

A root is laid as an overlay over the cached one in a private mount namespace, so that what a hook changes is exactly
what lies in the upper folder. /sys is a folder of the test: hardware is what it writes there, and stubs in
/usr/local/sbin stand for programs that talk to hardware (or to Proxmox VE). systemd is not running, as in an
installer's chroot; what it does under a running one is proven in virtual machines.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hooks.scratch_root import NODE, texts
from tests.support.guest import debian_root
from ventoy_kit.payload.runner import RunnerHook, render_runner

PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "kmod", "initramfs-tools", "ifupdown", "iproute2", "ethtool"),
    *("efibootmgr", "openssh-server", "ca-certificates", "perl", "zstd"),
)
SUITES = {"bookworm": "12", "trixie": "13"}
TOOLS = ("debootstrap", "unshare", "chroot", "dpkg-deb", "dpkg-scanpackages")

_MOUNTS = """
set -eu
place=$1 lower=$2; shift 2
mount --make-rprivate /
mount -t overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" overlay "$place/root"
mount -t proc proc "$place/root/proc"
mount --bind /dev "$place/root/dev"
mount -t tmpfs tmpfs "$place/root/run"
mount -t tmpfs tmpfs "$place/root/tmp"
for pair in "$place"/cover/*; do
    [ -e "$pair" ] || continue
    mount --bind "$pair" "$place/root/$(basename "$pair" | tr @ /)"
done
exec chroot "$place/root" "$@"
"""

# Places in which programs keep what they can make anew, and what the runner records of its runs.
_UNSTABLE = (
    *("var/lib/ventoy-kit", "var/log/ventoy-kit", "etc/motd.d", "var/cache/apt", "calls", "first-boot"),
    "etc/systemd/system/multi-user.target.wants/ventoy-kit-first-boot.service",
)


@dataclass
class DebianRoot:
    """One root: `place` is an empty folder for it, `layers` lie between it and the cached root, and
    `around` are shell commands that come before every run, in the same mount namespace."""

    place: Path
    suite: str
    layers: Sequence[Path] = ()
    around: str = ""

    def __post_init__(self) -> None:
        base = debian_root(self.suite, PACKAGES)
        self.lower = ":".join(str(p) for p in (*self.layers, base))
        self.upper = self.place / "upper"
        for name in ("upper/usr/local/sbin", "upper/calls", "upper/sys", "work", "root", "cover"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        shutil.copy("/etc/resolv.conf", self.write("etc/resolv.conf", ""))
        self.reboot(1)
        self.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> Path:
        path = self.upper / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def read(self, name: str) -> str:
        """A file that was changed, else the one of the cached root."""
        changed = self.upper / name
        return (changed if changed.exists() else debian_root(self.suite, PACKAGES) / name).read_text()

    def exists(self, name: str) -> bool:
        """Whether something was written there."""
        path = self.upper / name
        return path.exists() and not stat.S_ISCHR(path.lstat().st_mode)

    def cover(self, name: str, text: str) -> None:
        """Lay a text over a file of /proc; `@` stands for `/`."""
        (self.place / "cover" / name).write_text(text)

    def reboot(self, number: int) -> None:
        """Make the next run believe that the machine was started anew."""
        self.boots = number
        self.cover("proc@sys@kernel@random@boot_id", f"boot-{number}\n")

    def stub(self, name: str, body: str = "") -> None:
        """A program that writes down its arguments and then runs `body`."""
        script = f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>/calls/log\n{body}\n'
        self.write(f"usr/local/sbin/{name}", script, 0o755)

    def calls(self, name: str = "") -> list[str]:
        log = self.upper / "calls/log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.rstrip() for line in lines if line.startswith(name)]

    def proxmox(self) -> None:
        """Make the root say that it is Proxmox VE 9."""
        self.stub(
            "dpkg-query",
            'for a; do [ "$a" != pve-manager ] || { printf 9.1.2; exit 0; }; done\nexec /usr/bin/dpkg-query "$@"',
        )

    def execute(
        self, *argv: str, net: bool = True, timeout: float = 170
    ) -> subprocess.CompletedProcess[bytes]:
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *([] if net else ["--net"])]
        command = [*unshare, "sh", "-c", _MOUNTS, "sh", str(self.place), self.lower, *argv]
        env = {
            "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "VK_NETWORK_WAIT": "0",
            "VK_RETRY_PAUSE": "0",
        }
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=timeout
        )

    def run(self, hook: RunnerHook, *, net: bool = True, around: str = "") -> dict[str, object]:
        """Install the runner with this one hook and run it; the hook's part of the report.

        Args:
            hook: the hook.
            net: whether it has a network.
            around: shell commands that come right before, in the same mount namespace.
        """
        self.write("first-boot", render_runner(texts(), NODE, [hook]).whole, 0o700)
        done = self.execute("/bin/dash", "/first-boot", "install", net=net)
        assert done.returncode == 0, done.stdout.decode()
        command = f"{self.around}\n{around}\nexec /bin/dash /first-boot run {hook.spec.name}"
        self.output = self.execute("/bin/sh", "-c", command, net=net).stdout.decode()
        return self.report()

    def go_on(self, boot: int) -> dict[str, object]:
        """What the runner does after a reboot."""
        self.reboot(boot)
        self.output = self.execute(
            "/bin/sh", "-c", f"{self.around}\nexec /bin/dash /first-boot run"
        ).stdout.decode()
        return self.report()

    def verify(self) -> tuple[int, str]:
        done = self.execute("/bin/sh", "-c", f"{self.around}\nexec /bin/dash /first-boot verify")
        return done.returncode, done.stdout.decode()

    def report(self) -> dict[str, object]:
        text = (self.upper / "var/lib/ventoy-kit/report.json").read_text()
        result: dict[str, object] = json.loads(text)["hooks"][0]
        return result

    def tree(self) -> dict[str, tuple[int, int, bytes]]:
        """Mode, time of change and content of all that differs from the cached root, without what is unstable."""
        out: dict[str, tuple[int, int, bytes]] = {}
        for folder, _, files in os.walk(self.upper):
            for name in files:
                path = Path(folder) / name
                at = str(path.relative_to(self.upper))
                if at.startswith(_UNSTABLE):
                    continue
                info = path.lstat()
                content = b""
                if stat.S_ISLNK(info.st_mode):
                    content = os.readlink(path).encode()
                elif stat.S_ISREG(info.st_mode):
                    content = path.read_bytes()
                out[at] = (info.st_mode, info.st_mtime_ns, content)
        return out

    def repository(self, *packages: tuple[str, str, dict[str, str]]) -> None:
        """A repository of packages with (name, version, files) in the root, and apt's knowledge of it."""
        pool = self.upper / "srv/repo"
        pool.mkdir(parents=True, exist_ok=True)
        for name, version, files in packages:
            build = self.place / "build"
            shutil.rmtree(build, ignore_errors=True)
            for file, text in files.items():
                (build / file).parent.mkdir(parents=True, exist_ok=True)
                (build / file).write_text(text)
            (build / "DEBIAN").mkdir(parents=True)
            (build / "DEBIAN/control").write_text(
                f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: t <t@example.org>\nDescription: test\n"
            )
            subprocess.run(
                ["dpkg-deb", "-Znone", "-b", build, pool / f"{name}_{version}.deb"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        index = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=pool, capture_output=True, check=True)
        (pool / "Packages").write_bytes(index.stdout)
        self.write("etc/apt/sources.list", "deb [trusted=yes] file:/srv/repo ./\n")
        done = self.execute("apt-get", "-q", "update", net=False)
        assert done.returncode == 0, done.stdout.decode()


def twice(root: DebianRoot, hook: RunnerHook) -> list[str]:
    """Run a hook until it is proven, then again: the second run changes nothing. What the first one changed."""
    first = root.run(hook)
    if first["status"] == "waiting":
        first = root.go_on(root.boots + 1)
    assert first["status"] == "changed", root.output
    before = root.tree()
    second = root.run(hook)
    assert second["status"] == "unchanged", root.output
    after = root.tree()
    differ = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
    assert differ == set()
    code, said = root.verify()
    assert code == 0, said
    assert root.tree() == after
    changes = first["changes"]
    assert isinstance(changes, list)
    return [str(change) for change in changes]
