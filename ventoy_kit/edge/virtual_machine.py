"""A running QEMU: its console, its monitor, its screen. Decides nothing.

The monitor speaks QMP (docs/interop/qmp-spec.txt of QEMU): JSON, one object a line. Four commands are sent, and each is
answered before the next one; the package `qemu.qmp` does the same with an event loop of its own, which nothing else here
needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import stat
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ventoy_kit.edge.process import Child
from ventoy_kit.errors import MachineError

_PATIENCE = 60.0
"""Seconds that QEMU may take to open its sockets or to answer; the machine may be busy."""

SMALLEST = (320, 200)
"""Width and height of the smallest screen that a PC has."""

_REPORT = "Run the command again; if it stays, report it with this line."


class VirtualMachine:
    """QEMU, started; to be used in a `with` statement, whose end switches it off.

    Args:
        argv: the command, whose sockets are `qmp` and `console` in `folder`.
        folder: its folder.

    Raises:
        MachineError: it did not start.
    """

    def __init__(self, argv: Sequence[str], folder: Path) -> None:
        self._folder = folder
        for name in ("qmp", "console"):
            (folder / name).unlink(missing_ok=True)
        self._started = time.monotonic()
        self._child = Child(argv, folder=folder, log=folder / "qemu.log")
        self._events: list[Mapping[str, Any]] = []
        self._rest = b""
        self._open = contextlib.ExitStack()
        self._open.callback(self._child.stop)
        try:
            self._qmp = self._open.enter_context(self._connect("qmp"))
            self._console = self._open.enter_context(self._connect("console"))
            self._console.setblocking(False)  # noqa: FBT003 - the interface of socket
            self._answer("QMP")
            self.command("qmp_capabilities")
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _connect(self, name: str) -> socket.socket:
        end = time.monotonic() + _PATIENCE
        # A path may be longer than a socket's address (108 bytes, unix(7)); through the folder's descriptor it is short.
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            while time.monotonic() < end and self._child.ended() is None:
                door = socket.socket(socket.AF_UNIX)
                try:
                    door.connect(f"/proc/self/fd/{folder}/{name}")
                except OSError:
                    door.close()
                    time.sleep(0.05)
                else:
                    return door
        finally:
            os.close(folder)
        raise MachineError(f"QEMU did not start: {self._said()}", _REPORT)

    def _said(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._folder / "qemu.log").read_text(errors="replace").strip().splitlines()
            return " ".join(line for line in lines[-3:] if "warning:" not in line)[-400:] or "it said nothing"
        return "it said nothing"

    @property
    def seconds(self) -> float:
        """Time since power-on."""
        return time.monotonic() - self._started

    @property
    def running(self) -> bool:
        """Whether QEMU itself still runs."""
        return self._child.ended() is None

    def console(self, wait: float) -> bytes:
        """What came on the serial console; waits up to so many seconds for something."""
        ready, _, _ = select.select([self._console], [], [], wait)
        if not ready:
            return b""
        try:
            data = self._console.recv(65536)
        except OSError:
            data = b""
        if not data:  # QEMU has closed it: do not spin
            time.sleep(wait)
        return data

    def type(self, text: str) -> None:
        """Type on the serial console."""
        self._console.send(text.encode())

    def press(self, *keys: str) -> None:
        """Press keys of the keyboard, one after the other, by QEMU's names for them (`ret`, `down`, `a`)."""
        for key in keys:
            self.command("send-key", keys=[{"type": "qcode", "data": key}])
            time.sleep(0.2)

    def command(self, name: str, **arguments: object) -> Any:
        """Send a command to the monitor; what it returns. Raises MachineError."""
        try:
            self._qmp.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        except OSError as error:
            raise MachineError(f"QEMU ended by itself: {self._said()}", _REPORT) from error
        return self._answer("return")

    def _answer(self, key: str) -> Any:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            found = self._take(0.5)
            for number, message in enumerate(found):
                if key in message or "error" in message:
                    self._events += [m for m in found[number + 1 :] if "event" in m]
                    if "error" in message:
                        raise MachineError(f"QEMU refused {key}: {message['error'].get('desc', '')}", _REPORT)
                    return message[key]
                if "event" in message:
                    self._events.append(message)
            if not found and not self.running:
                break
        raise MachineError(f"QEMU does not answer: {self._said()}", _REPORT)

    def _take(self, wait: float) -> list[Mapping[str, Any]]:
        ready, _, _ = select.select([self._qmp], [], [], wait)
        if ready:
            with contextlib.suppress(OSError):
                self._rest += self._qmp.recv(65536)
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]

    def events(self) -> list[Mapping[str, Any]]:
        """What the monitor told since the last time: objects with `event` and `data`."""
        self._events += [m for m in self._take(0) if "event" in m]
        found, self._events = self._events, []
        return found

    def traffic(self) -> dict[str, tuple[int, int]]:
        """Bytes that were read from and written to each drive, by its name."""
        return {
            str(one["device"]): (int(one["stats"]["rd_bytes"]), int(one["stats"]["wr_bytes"]))
            for one in self.command("query-blockstats")
            if one.get("device")
        }

    def busy(self) -> float:
        """Seconds in which its busiest thread ran, or waited for a processor of this machine (proc(5), `schedstat`)."""
        most = 0
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{self._child.pid}/task").iterdir():
                with contextlib.suppress(OSError, ValueError):
                    ran, waited, _ = (task / "schedstat").read_text().split()
                    most = max(most, int(ran) + int(waited))
        return most / 1e9

    def screen(self) -> bytes | None:
        """The screen in the form P6 (ppm(5)); None if there is no picture."""
        file = self._folder / "screen.ppm"
        try:
            self.command("screendump", filename=str(file))
            return file.read_bytes()
        except (MachineError, OSError):
            return None
        finally:
            file.unlink(missing_ok=True)

    def open_for_writing(self) -> tuple[str, ...]:
        """Paths of the ordinary files and block devices that QEMU holds open for writing, sorted."""
        base = Path(f"/proc/{self._child.pid}")
        found = set()
        with contextlib.suppress(OSError):
            for entry in (base / "fd").iterdir():
                with contextlib.suppress(OSError):
                    flags = (base / "fdinfo" / entry.name).read_text().split("flags:", 1)[1].split()[0]
                    mode = entry.stat().st_mode
                    if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY and (
                        stat.S_ISREG(mode) or stat.S_ISBLK(mode)
                    ):
                        found.add(str(entry.readlink()))
        return tuple(sorted(found))


def png_of(ppm: bytes) -> bytes | None:
    """A picture in the form P6 (ppm(5)), eight bits a colour, as PNG; None if it is none or too small for a screen.

    While its mode changes, a screen may be a few pixels wide.
    """
    parts = ppm.split(maxsplit=4)
    if len(parts) < 4 or parts[0] != b"P6" or parts[3] != b"255":
        return None
    width, height = int(parts[1]), int(parts[2])
    pixels = ppm[len(ppm) - 3 * width * height :]
    if width < SMALLEST[0] or height < SMALLEST[1] or len(pixels) != 3 * width * height:
        return None
    rows = b"".join(b"\0" + pixels[y * 3 * width : (y + 1) * 3 * width] for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows, 6)),
            chunk(b"IEND", b""),
        )
    )
