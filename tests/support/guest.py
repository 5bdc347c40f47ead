"""Real Debian systems for tests: roots made by debootstrap, and virtual machines that boot them, with real systemd.

A root or disk image is made once per release and set of packages and kept in the cache of the tests. A machine is
started by QEMU without KVM, with the kernel and the initramfs that its disk holds at that moment, and without a
network unless a test asks for one. What it shows on its console is kept as text. A second serial port carries commands:
a small service in the machine runs them as root. A reboot ends QEMU, so a test counts boots by starting it again.

Nothing here mounts anything on this machine. Making a root needs root (debootstrap), booting an image does not.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import CACHE, PATH

TOOLS = ("debootstrap", "unshare", "mkfs.ext4", "debugfs", "qemu-system-x86_64")
"""For `@pytest.mark.needs_tool(*TOOLS)`."""

BOOTS = 900
"""Seconds for `@pytest.mark.timeout(BOOTS)`: two boots take about two minutes, making the image once two more, and
twice that on a busy machine."""

MINIMUM = ("systemd-sysv", "udev", "dbus", "login", "kmod", "initramfs-tools", "linux-image-cloud-amd64")
"""What a machine needs to boot and to take commands. The kernel is the small one for virtual machines: a test of
hardware that it lacks asks for linux-image-amd64, whose initramfs is then the one that boots."""

SIZE = 3 << 30

_AGENT = """\
#!/bin/sh
# Runs what the other end sends: a line with a number of bytes, then a command of that size. Answers "base64 code".
exec </dev/ttyS1 >/dev/ttyS1
stty raw -echo
echo ready
while IFS= read -r size; do
    head -c "$size" >/run/agent-command
    code=0
    sh /run/agent-command </dev/null >/run/agent-output 2>&1 || code=$?
    printf '%s %s\\n' "$(base64 -w 0 /run/agent-output)" "$code"
done
"""
_AGENT_UNIT = """\
[Unit]
Description=Commands of the test
DefaultDependencies=no
After=systemd-remount-fs.service systemd-tmpfiles-setup.service dbus.socket
ConditionPathExists=/dev/ttyS1
[Service]
ExecStart=/bin/sh /usr/local/sbin/agent
StandardInput=null
[Install]
WantedBy=basic.target
"""
_AUTOLOGIN = """\
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear %I 115200 vt220
"""


def debian_root(suite: str, packages: Sequence[str] = ()) -> Path:
    """A root folder of a minimal Debian, made by debootstrap once. Copy it before you change anything in it.

    Args:
        suite: `bookworm` or `trixie`.
        packages: what it holds besides the essential packages and apt.
    """
    return _cached(f"root-{suite}-{_key(packages)}", lambda place: _debootstrap(suite, packages, place))


def base_image(suite: str, packages: Sequence[str] = ()) -> Path:
    """A disk image with a Debian that boots: ext4 without a partition table. Copy it before you boot it."""
    every = (*MINIMUM, *packages)

    def make(place: Path) -> None:
        root = place.with_name(place.name + ".root")
        try:
            _debootstrap(suite, every, root)
            _prepare(root)
            with place.open("wb") as file:
                file.truncate(SIZE)
            _checked("mkfs.ext4", "-q", "-F", "-d", str(root), str(place))
        finally:
            shutil.rmtree(root, ignore_errors=True)

    recipe = (*every, _AGENT, _AGENT_UNIT, _AUTOLOGIN)
    return _cached(f"guest-{suite}-{_key(recipe)}.img", make)


def _key(words: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """Make a file or folder of the cache under a temporary name, once, whatever other workers do."""
    CACHE.mkdir(exist_ok=True)
    place, scratch = CACHE / name, CACHE / f"{name}.new"
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.unlink(missing_ok=True)
            make(scratch)
            scratch.rename(place)
    return place


def _debootstrap(suite: str, packages: Sequence[str], place: Path) -> None:
    """From the mirror that apt uses for Debian here, else from debootstrap's own default."""
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    mirrors = subprocess.run(asked, capture_output=True, text=True).stdout.split()
    # The mounts that it makes end with it, however it ends: nobody's rmtree meets them.
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase"]
    if packages:
        command.append("--include=" + ",".join(packages))
    done = subprocess.run(
        [*command, suite, str(place), *mirrors[:1]],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": PATH},
    )
    if done.returncode:
        shutil.rmtree(place, ignore_errors=True)
        pytest.skip(f"needs debootstrap and a mirror: {(done.stderr or done.stdout).strip()[-200:]}")
    for archive in (place / "var/cache/apt/archives").glob("*.deb"):
        archive.unlink()


def _prepare(root: Path) -> None:
    """What makes the root a machine: its disk, its name, a console that logs in by itself, the service for commands."""
    files = {
        "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 0\n",
        "etc/hostname": "guest\n",
        "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 guest\n",
        "usr/local/sbin/agent": _AGENT,
        "etc/systemd/system/agent.service": _AGENT_UNIT,
        "etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf": _AUTOLOGIN,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wants = root / "etc/systemd/system/basic.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "agent.service").symlink_to("../agent.service")


def _checked(*command: str) -> bytes:
    env = {**os.environ, "PATH": PATH}
    done = subprocess.run(command, capture_output=True, env=env)
    assert done.returncode == 0, f"{command[0]}: {done.stderr.decode(errors='replace')}"
    return done.stdout


@dataclass
class Guest:
    """A virtual machine with one disk of its own.

    Attributes:
        folder: an empty or new folder for its files.
        base: the image that its disk is a copy of.
        extra: more arguments for QEMU, such as a second disk or a NIC.
        memory: MiB.
        boots: how often it was started.
    """

    folder: Path
    base: Path
    extra: Sequence[str] = ()
    memory: int = 768
    boots: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _agent: socket.socket | None = field(default=None, repr=False)
    _rest: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _checked("cp", "--sparse=always", str(self.base), str(self.disk))

    @property
    def disk(self) -> Path:
        """The machine's disk, /dev/vda, a file system without partitions; to be touched while it is off."""
        return self.folder / "disk.img"

    @property
    def console(self) -> str:
        """What the machine has shown since it was started last."""
        return (self.folder / "console.log").read_bytes().decode(errors="replace")

    def _newest(self, prefix: str) -> Path:
        """Copy the newest /boot file with this prefix out of the disk."""
        names = [n for n in self.on_disk("ls -p /boot").split("/") if n.startswith(prefix)]
        assert names, f"the disk holds no /boot/{prefix}*"
        out = self.folder / prefix.rstrip("-")
        newest = max(
            names, key=lambda n: [int(d) if d.isdigit() else 0 for d in n.replace("-", ".").split(".")]
        )
        self.on_disk(f"dump /boot/{newest} {out}")
        return out

    def on_disk(self, request: str) -> str:
        """What debugfs answers about the disk of a machine that is off."""
        return _checked("debugfs", "-R", request, str(self.disk)).decode(errors="replace")

    def boot(self, *, parameters: str = "", timeout: float = 400) -> None:
        """Switch the machine on and wait until it takes commands.

        Args:
            parameters: more words of the kernel's command line.
            timeout: seconds.
        """
        assert self._process is None, "the machine runs already"
        kernel, initrd = self._newest("vmlinuz-"), self._newest("initrd.img-")
        # A socket's path is short, and the folders of tests are not.
        self._sockets = tempfile.TemporaryDirectory(prefix="vk-guest-")
        port = f"{self._sockets.name}/agent"
        command = [
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "Nehalem", "-smp", "2"),
            *("-m", str(self.memory), "-kernel", str(kernel), "-initrd", str(initrd)),
            *("-append", f"root=/dev/vda rw console=ttyS0 panic=-1 {parameters}".strip()),
            *("-drive", f"file={self.disk},if=virtio,format=raw,cache=unsafe"),
            *("-serial", f"file:{self.folder / 'console.log'}"),
            *("-serial", f"unix:{port},server=on,wait=off", *self.extra),
        ]
        with (self.folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.boots += 1
        deadline = time.monotonic() + timeout
        while not Path(port).exists():
            self._must_run(deadline)
            time.sleep(0.05)
        self._agent = socket.socket(socket.AF_UNIX)
        self._agent.connect(port)
        self._rest = b""
        while self._line(deadline).strip() != b"ready":
            pass

    def _must_run(self, deadline: float) -> None:
        assert self._process is not None, "the machine is off"
        said = (self.folder / "qemu.log").read_text(errors="replace")
        tail = self.console[-3000:] if (self.folder / "console.log").exists() else ""
        assert self._process.poll() is None, f"the machine went off\n{said}\n{tail}"
        assert time.monotonic() < deadline, f"the machine does not answer\n{said}\n{tail}"

    def _line(self, deadline: float) -> bytes:
        assert self._agent is not None, "the machine is off"
        while b"\n" not in self._rest:
            self._must_run(deadline)
            self._agent.settimeout(1)
            with contextlib.suppress(TimeoutError):
                self._rest += self._agent.recv(65536)
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def run(self, command: str, *, timeout: float = 180) -> tuple[int, str]:
        """Run a shell command as root in the machine; its exit code and all that it printed."""
        assert self._agent is not None, "the machine is off"
        self._agent.settimeout(timeout)
        data = command.encode()
        self._agent.sendall(b"%d\n" % len(data) + data)
        text, _, code = self._line(time.monotonic() + timeout).rpartition(b" ")
        return int(code), base64.b64decode(text).decode(errors="replace")

    def ask(self, command: str, *, timeout: float = 180) -> str:
        """What a command that must succeed prints."""
        code, out = self.run(command, timeout=timeout)
        assert code == 0, f"{command}\n{out}"
        return out

    def put(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        """Write a file, in the running machine or on the disk of one that is off; its folder must exist."""
        data = content.encode() if isinstance(content, str) else content
        if self._process is None:
            self._put_on_disk(path, data, mode)
            return
        name = shlex.quote(path)
        text = base64.b64encode(data).decode()
        self.ask(f"base64 -d >{name} <<'END'\n{text}\nEND\nchmod {mode:o} {name}")

    def _put_on_disk(self, path: str, data: bytes, mode: int) -> None:
        local = self.folder / "put"
        local.write_bytes(data)
        for request in (f"rm {path}", f"write {local} {path}", f"sif {path} mode 0{0o100000 | mode:o}"):
            _checked("debugfs", "-w", "-R", request, str(self.disk))
        back = self.folder / "back"
        self.on_disk(f"dump {path} {back}")
        assert back.read_bytes() == data, f"{path} could not be written"

    def wait_off(self, *, timeout: float = 300) -> None:
        """Wait until the machine switched itself off or asked to be started anew."""
        assert self._process is not None, "the machine is off"
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine did not go off\n{self.console[-3000:]}") from None
        self._release()

    def shut_down(self, *, timeout: float = 180) -> None:
        """Switch off as a person would, so that everything is on the disk."""
        self.run("systemctl --no-block poweroff")
        self.wait_off(timeout=timeout)

    def kill(self) -> None:
        """Cut the power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._release()

    def _release(self) -> None:
        if self._agent is not None:
            self._agent.close()
        self._sockets.cleanup()
        self._process = self._agent = None


@contextlib.contextmanager
def guest(folder: Path, base: Path, *, extra: Sequence[str] = (), memory: int = 768) -> Iterator[Guest]:
    """A machine that is off, whose power is cut at the end; `with guest(tmp_path / "vm", base_image("trixie")) as vm:`."""
    machine = Guest(folder, base, extra, memory)
    try:
        yield machine
    finally:
        machine.kill()
        machine.disk.unlink(missing_ok=True)
