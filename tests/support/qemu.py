"""A virtual machine as a person uses it: keys are pressed, the screen is looked at, the disks are compared.

Everything is done through QEMU's monitor (QMP). The machine's network is closed: it reaches one web server of the
test, at `http://10.0.2.100`; whatever else it sends is in `packets` and goes nowhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.debian_vm import Disk

FIRMWARE = Path("/usr/share/OVMF")
SERVER = "10.0.2.100"
"""Address of the test's web server in the machine's network."""

SYSTEM_MENU = """\
serial --unit=0 --speed=115200
terminal_output serial
echo "INSTALLED SYSTEM"
sleep 3600
"""
_KINDS = {
    "nvme": "nvme",
    "sata": "ide-hd,bus=ahci0.{}",
    "usb": "scsi-hd,bus=uas{}.0",
    "virtio": "virtio-blk-pci",
}
_KEYS = {" ": "spc", "-": "minus", ".": "dot", "/": "slash", "\n": "ret"}


@dataclass
class Machine:
    """What stays when the machine is off: its disks and the firmware's variables, in a folder of its own.

    Attributes:
        path: the folder; it is made.
        disks: its own disks, in the order in which Linux finds them; the firmware would start the last one first.
        serial: what SMBIOS reports.
        mac: address of the network interface.
        stick: an image to start from. Nothing that the machine writes to it is kept.
        uefi: OVMF, else SeaBIOS.
    """

    path: Path
    disks: tuple[Disk, ...]
    serial: str
    mac: str
    stick: Path
    uefi: bool = True

    def __post_init__(self) -> None:
        self.path.mkdir()
        shutil.copy(FIRMWARE / "OVMF_VARS_4M.fd", self.path / "vars.fd")
        for disk in self.disks:
            with self.image(disk.serial).open("wb") as file:
                file.write(f"precious data of {disk.serial}".encode())
                file.truncate(disk.size)

    def image(self, serial: str) -> Path:
        return self.path / f"{serial}.img"

    def install(self, serial: str) -> None:
        """Put something onto a disk that the firmware starts, and that says `INSTALLED SYSTEM` over the serial line."""
        menu, program, image = self.path / "system.cfg", self.path / "system.efi", self.image(serial)
        menu.write_text(SYSTEM_MENU)
        command: list[str | Path] = [
            "grub-mkstandalone",
            "-O",
            "x86_64-efi",
            "-o",
            program,
            "--locales=",
            "--fonts=",
        ]
        command += ["--themes=", "--install-modules=fat serial terminal normal echo sleep halt"]
        subprocess.run([*command, f"boot/grub/grub.cfg={menu}"], check=True, capture_output=True)
        subprocess.run(["mformat", "-i", image, "-F", "-T", str((64 << 20) // 512), "::"], check=True)
        subprocess.run(["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"], check=True)
        subprocess.run(["mcopy", "-i", image, program, "::/EFI/BOOT/BOOTX64.EFI"], check=True)

    def digests(self) -> dict[str, str]:
        """Digests of the disks and of the stick."""
        files = {disk.serial: self.image(disk.serial) for disk in self.disks} | {"stick": self.stick}
        return {name: _digest(file) for name, file in files.items()}

    def start(self, *, port: int | None = None) -> Running:
        """Switch on. Args: port: the web server's, on this computer."""
        return Running(self, port)

    def command(self, port: int | None) -> Iterator[str]:
        """QEMU's command line."""
        yield from (
            "qemu-system-x86_64",
            "-accel",
            "tcg,thread=multi",
            "-M",
            "q35",
            "-cpu",
            "max",
            "-m",
            "1536",
        )
        yield from ("-smp", "1", "-nodefaults", "-vga", "std", "-display", "none", "-rtc", "base=utc")
        yield from ("-smbios", f"type=1,manufacturer=Trial,product=Box,serial={self.serial}")
        yield from (
            "-serial",
            f"file:{self.path}/serial.log",
            "-qmp",
            f"unix:{self.path}/qmp,server=on,wait=off",
        )
        if self.uefi:
            yield from ("-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_4M.fd")
            yield from ("-drive", f"if=pflash,format=raw,file={self.path}/vars.fd")
        yield from ("-device", "qemu-xhci", "-device", "ahci,id=ahci0")
        yield from ("-drive", f"if=none,id=stick,format=raw,snapshot=on,file={self.stick}")
        yield from ("-device", "usb-storage,drive=stick,serial=USBSTICK0001,bootindex=0,removable=on")
        for number, disk in enumerate(self.disks):
            yield from ("-drive", f"if=none,id=d{number},format=raw,file={self.image(disk.serial)}")
            if disk.bus == "usb":  # UAS: Linux does not ask plain USB storage for its serial number
                yield from ("-device", f"usb-uas,id=uas{number}")
            kind = _KINDS[disk.bus].format(number)
            yield from (
                "-device",
                f"{kind},drive=d{number},serial={disk.serial},bootindex={len(self.disks) - number}",
            )
        forward = f",guestfwd=tcp:{SERVER}:80-cmd:busybox nc 127.0.0.1 {port}" if port else ""
        yield from ("-netdev", f"user,id=n,restrict=on{forward}", "-device", f"e1000,netdev=n,mac={self.mac}")
        yield from ("-object", f"filter-dump,id=f,netdev=n,file={self.path}/packets")


@dataclass
class Running:
    """A machine that is on; leaving the context switches it off."""

    machine: Machine
    port: int | None
    _process: subprocess.Popen[str] = field(init=False)
    _lines: Any = field(init=False)

    def __enter__(self) -> Self:
        path = self.machine.path
        for name in ("qmp", "serial.log", "packets"):
            (path / name).unlink(missing_ok=True)
        self._process = subprocess.Popen(
            list(self.machine.command(self.port)), stderr=subprocess.PIPE, text=True
        )
        door = socket.socket(socket.AF_UNIX)
        while True:
            try:
                door.connect(str(path / "qmp"))
                break
            except OSError:
                if self._process.poll() is not None:
                    raise AssertionError(self._process.communicate()[1]) from None
                time.sleep(0.1)
        self._lines = door.makefile("rw")
        door.close()
        self._lines.readline()
        self.ask("qmp_capabilities")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._lines.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        """One command of QMP and what it returns."""
        self._lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._lines.flush()
        while True:
            answer = json.loads(self._lines.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def press(self, *keys: str) -> None:
        """Press and release keys, by QEMU's names for them."""
        for key in keys:
            named = [{"type": "qcode", "data": part} for part in key.split("+")]
            self.ask("send-key", keys=named, **{"hold-time": 80})
            time.sleep(0.4)  # emulated firmware looks seldom

    def type(self, text: str) -> None:
        self.press(*(_KEYS.get(c, f"shift+{c.lower()}" if c.isupper() else c) for c in text))

    def shot(self, path: Path) -> None:
        """Keep what the screen shows, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.ask("screendump", filename=str(path), format="png")

    def screen(self) -> bytes:
        path = self.machine.path / "screen.ppm"
        self.ask("screendump", filename=str(path))
        return path.read_bytes()

    def read_from_stick(self) -> int:
        """Bytes since it was switched on."""
        for device in self.ask("query-blockstats"):
            if device.get("device") == "stick":
                return int(device["stats"]["rd_bytes"])
        raise AssertionError("no stick")

    def wait(self, what: Callable[[], Any], *, timeout: float, why: str) -> Any:
        """Until `what` is true. While it lasts, `now.png` in the machine's folder shows the screen."""
        end = time.monotonic() + timeout
        turns, now = 0, self.machine.path / "now.png"
        while True:
            found = what()
            if found:
                return found
            assert not self.is_off(), f"it is off: {why}\n{self._said()}"
            if time.monotonic() > end:
                raise AssertionError(f"{why}: not within {timeout} s, see {now}\n{self._said()}")
            if turns % 40 == 0:
                self.shot(now)
            turns += 1
            time.sleep(0.5)

    def wait_off(self, *, timeout: float) -> None:
        """Until it has switched itself off."""
        end = time.monotonic() + timeout
        while not self.is_off():
            assert time.monotonic() < end, f"it is still on\n{self._said()}"
            time.sleep(0.5)

    def _said(self) -> str:
        return f"{self.text()[-4000:]}\n{self.log()[-4000:]}"

    def settle(
        self,
        *,
        still: float = 3,
        after: int = 0,
        other_than: bytes = b"",
        patience: float = math.inf,
        blank: bool = True,
        timeout: float = 300,
    ) -> bytes:
        """Wait until the screen has stood still and the stick was not read for a while; what it shows then.

        Args:
            still: for how many seconds.
            after: not before that much was read from the stick.
            other_than: not while the screen shows this,
            patience: but for no longer than that; seconds.
            blank: whether there may be (nearly) nothing on it.
            timeout: seconds.
        """
        start = time.monotonic()
        last, read, since = b"", -1, start

        def stands() -> bytes | None:
            nonlocal last, read, since
            shown, now = self.screen(), self.read_from_stick()
            if now != read or not alike(shown, last):
                last, read, since = shown, now, time.monotonic()
            ready = now > after and time.monotonic() - since >= still
            same = other_than and time.monotonic() - start < patience and alike(shown, other_than)
            wrong = same or (not blank and is_blank(shown))
            return shown if ready and not wrong else None

        shown = self.wait(stands, timeout=timeout, why="the screen does not come to rest")
        assert isinstance(shown, bytes)
        return shown

    def enter(self) -> None:
        """Press Enter and wait for what comes of it: another screen with something on it, or the same one."""
        shown = self.screen()
        self.press("ret")
        self.settle(still=4, other_than=shown, patience=15, blank=False, timeout=300)

    def text(self) -> str:
        """What came over the serial line."""
        file = self.machine.path / "serial.log"
        return file.read_text(errors="replace").replace("\r", "") if file.exists() else ""

    def log(self) -> str:
        """What the installer sent to the log server in its network."""
        return "\n".join(_syslog(self.machine.path / "packets"))

    def is_off(self) -> bool:
        return self._process.poll() is not None


def is_blank(picture: bytes) -> bool:
    """Whether a picture is black but for a line or two."""
    return sum(map(bool, picture[16::3])) < 2000


def alike(one: bytes, other: bytes) -> bool:
    """Whether two pictures are the same but for a blinking cursor."""
    if len(one) != len(other):
        return False
    step = 3  # of the colours one is enough
    a, b = one[::step], other[::step]
    return a == b or sum(x != y for x, y in zip(a, b, strict=True)) < 400


def _digest(path: Path) -> str:
    """Of a file's data; holes and zeros are the same, and are not read."""
    seen = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size, at = os.fstat(descriptor).st_size, 0
        while at < size:
            try:
                at = os.lseek(descriptor, at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(descriptor, at, os.SEEK_HOLE)
            # By blocks of a fixed size, so that it does not matter where holes begin.
            for start in range(at - at % 4096, end, 4096):
                block = os.pread(descriptor, 4096, start)
                if any(block):
                    seen.update(start.to_bytes(8, "big") + block)
            at = end
    finally:
        os.close(descriptor)
    return seen.hexdigest()


def _syslog(packets: Path) -> Iterator[str]:
    """Messages in UDP datagrams to port 514 in a capture file (libpcap's format, Ethernet)."""
    data = packets.read_bytes() if packets.exists() else b""
    at = 24
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("=I", data, at + 8)
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        start = 14 + (frame[14] & 15) * 4
        if frame[start + 2 : start + 4] == (514).to_bytes(2, "big"):
            yield frame[start + 8 :].decode(errors="replace").rstrip("\n\0 ")
