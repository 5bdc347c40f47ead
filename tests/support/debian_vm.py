"""The real Debian installer in a virtual machine with UEFI, and our files in it as Ventoy would put them there.

Ventoy itself is not in the loop: what it adds to the installer's RAM disk (ticket, injected archive, `vtoydump`) and to
its command line (hook/debian/ventoy-hook.sh: `file=... auto=true priority=critical`) is added here in the same form.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import re
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FIRMWARE = Path("/usr/share/OVMF")
IMAGES = "usr/lib/debian-installer/images"

# The stick is the disk on USB; Ventoy's own tool tells it by what the boot loader left in memory.
VTOYDUMP = """\
#!/bin/sh
for disk in /sys/block/sd*; do
    case "$(readlink -f "$disk")" in */usb*) echo "/dev/${disk##*/}#exfat#/debian.iso" ;; esac
done
"""


def pack(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A cpio archive (newc) of files by path below `/`, with their folders."""
    folders = sorted({str(p) for name in files for p in Path(name).parents} - {"."})
    out = io.BytesIO()

    def member(name: str, mode: int, data: bytes) -> None:
        path = name.encode() + b"\0"
        numbers = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        out.write(b"070701" + b"".join(b"%08x" % n for n in numbers) + path)
        out.write(b"\0" * (-out.tell() % 4) + data)
        out.write(b"\0" * (-out.tell() % 4))

    for folder in folders:
        member(folder, 0o040755, b"")
    for name, (data, mode) in files.items():
        member(name, mode | (0o120000 if mode == 0o777 else 0o100000), data)
    member("TRAILER!!!", 0, b"")
    return out.getvalue()


def _aligned(data: bytes) -> bytes:
    """Padded as the kernel wants it before a cpio archive that is not compressed."""
    return data + b"\0" * (-len(data) % 4)


def injected(overlay: bytes, ticket: bytes) -> dict[str, tuple[bytes, int]]:
    """What Ventoy unpacks over the RAM disk: the overlay's files, and the chosen template."""
    files = {"ventoy/autoinstall": (ticket, 0o644), "ventoy/tool/vtoydump": (VTOYDUMP.encode(), 0o755)}
    with tarfile.open(fileobj=io.BytesIO(bz2.decompress(overlay))) as tar:
        for entry in tar:
            data = tar.extractfile(entry)
            if data is not None:
                files[entry.name] = (data.read(), entry.mode)
    return files


def modules(kernel_package: Path, wanted: tuple[str, ...], root: Path) -> dict[str, tuple[bytes, int]]:
    """Kernel modules of the same build as the installer's kernel with whatever they need, and fresh dependencies.

    Args:
        kernel_package: the unpacked linux-image package.
        wanted: names of modules.
        root: an unpacked RAM disk of the installer, whose own depmod is run; its modules are replaced.
    """
    (tree,) = (p for p in kernel_package.glob("*/lib/modules/*") if p.is_dir())
    base = root / "lib/modules" / tree.name
    shutil.rmtree(base)
    shutil.copytree(tree, base)
    subprocess.run(["chroot", root, "depmod", tree.name], check=True)
    needs = {}
    for line in (base / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {re.sub(r"\.ko.*", "", p.rsplit("/", 1)[1]).replace("-", "_"): p for p in needs}
    taken: set[str] = set()
    for name in wanted:
        if name in by_name:  # else it is built in
            taken |= {by_name[name], *needs[by_name[name]]}
    lib = "usr/lib" if (root / "lib").is_symlink() else "lib"
    lists = [p.name for p in base.glob("modules.*")]
    return {
        f"{lib}/modules/{tree.name}/{p}": ((base / p).read_bytes(), 0o644) for p in sorted([*taken, *lists])
    }


@dataclass
class Disk:
    """A disk of the machine: how it is connected (nvme, sata, usb, virtio), its serial number and size in bytes."""

    bus: str
    serial: str
    size: int


@dataclass
class InstallerVm:
    """A machine in `path`; `package` is the unpacked netboot package of one release."""

    path: Path
    package: Path
    disks: tuple[Disk, ...]
    serial: str = "SN-1"
    memory: int = 1024
    _command: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.path.mkdir()
        shutil.copy(FIRMWARE / "OVMF_VARS_4M.fd", self.path / "vars.fd")
        for disk in self.disks:
            with self.image(disk.serial).open("wb") as file:
                file.truncate(disk.size)

    def image(self, serial: str) -> Path:
        return self.path / f"{serial}.img"

    def digest(self, serial: str) -> str:
        with self.image(serial).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def _text(self) -> Path:
        (found,) = (self.package / IMAGES).glob("*/amd64/text/debian-installer/amd64")
        return found

    def load(self, files: Mapping[str, tuple[bytes, int]], words: str) -> None:
        """Put files over the installer's RAM disk, and words on its command line."""
        (self.path / "initrd").write_bytes(_aligned((self._text / "initrd.gz").read_bytes()) + pack(files))
        self._command = ["-kernel", str(self._text / "linux"), "-initrd", str(self.path / "initrd")]
        ventoy = "file=/ventoy/autoinstall auto=true priority=critical"
        self._command += ["-append", f"{ventoy} DEBIAN_FRONTEND=text TERM=dumb console=ttyS0 {words} ---"]

    def _devices(self) -> Iterator[str]:
        yield from ("-device", "qemu-xhci", "-device", "ahci,id=ahci0")
        for disk in self.disks:
            yield from ("-drive", f"if=none,id={disk.serial},format=raw,file={self.image(disk.serial)}")
            kind = {
                "nvme": "nvme",
                "sata": "ide-hd,bus=ahci0.0",
                "usb": "usb-storage",
                "virtio": "virtio-blk-pci",
            }
            removable = ",removable=on" if disk.bus == "usb" else ""
            yield from ("-device", f"{kind[disk.bus]},drive={disk.serial},serial={disk.serial}{removable}")

    def run(
        self,
        until: str,
        *,
        mac: str,
        answers: Mapping[str, str] | None = None,
        clock: str = "2026-11-23T12:00:00",
        timeout: float = 170,
    ) -> str:
        """Switch on, until the serial console shows what matches `until` or the time is over; what it showed.

        Args:
            until: a regular expression.
            mac: address of the network interface.
            answers: what to type, by a text that is waited for; each is typed once.
            clock: the machine's clock, UTC.
            timeout: seconds.
        """
        log, door = self.path / "serial.log", self.path / "serial"
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max"]
        command += ["-m", str(self.memory), "-smp", "2", "-display", "none", "-nodefaults", "-no-reboot"]
        command += ["-rtc", f"base={clock}", "-smbios", f"type=1,serial={self.serial}"]
        command += [
            "-chardev",
            f"socket,id=c,path={door},server=on,wait=off,logfile={log}",
            "-serial",
            "chardev:c",
        ]
        command += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_4M.fd"]
        command += ["-drive", f"if=pflash,format=raw,file={self.path}/vars.fd"]
        command += ["-netdev", "user,id=n", "-device", f"e1000,netdev=n,mac={mac}"]
        log.unlink(missing_ok=True)
        machine = subprocess.Popen(
            [*command, *self._command, *self._devices()], stderr=subprocess.PIPE, text=True
        )
        waiting = dict(answers or {})
        end = time.monotonic() + timeout
        screen = ""
        keyboard = socket.socket(socket.AF_UNIX)
        try:
            while not door.exists() and machine.poll() is None:
                time.sleep(0.1)
            keyboard.connect(str(door))
            keyboard.setblocking(False)
            while machine.poll() is None and time.monotonic() < end:
                try:
                    while keyboard.recv(65536):
                        pass
                except BlockingIOError:
                    pass
                screen = log.read_text(errors="replace").replace("\r", "") if log.exists() else ""
                for text in [t for t in waiting if t in screen]:
                    keyboard.send(waiting.pop(text).encode())
                if re.search(until, screen):
                    break
                time.sleep(0.3)
        finally:
            machine.kill()
            errors = machine.communicate()[1]
            keyboard.close()
        screen = log.read_text(errors="replace").replace("\r", "")
        assert re.search(until, screen), f"{errors}{screen[-6000:]}"
        return screen
