"""A real QEMU: what it shows and tells, and that it never outlives whoever started it."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from tests.app.workspaces import ROOT
from ventoy_kit.edge.virtual_machine import SMALLEST, VirtualMachine, png_of
from ventoy_kit.errors import MachineError

qemu = pytest.mark.needs_tool("qemu-system-x86_64", "setpriv")


def argv(folder: Path, *more: str) -> list[str]:
    words = [
        "qemu-system-x86_64",
        "-nodefaults",
        "-display",
        "none",
        "-vga",
        "std",
        "-m",
        "64",
        "-accel",
        "tcg",
    ]
    words += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off", "-action", "reboot=shutdown,shutdown=pause"]
    words += ["-chardev", f"socket,id=c,path={folder}/console,server=on,wait=off", "-serial", "chardev:c"]
    return [*words, *more]


# Says `hi` on the first serial port, waits for a character, writes a sector to the disk and switches off... by ACPI of
# QEMU's isa-debug-exit there would be no event, so it restarts through the keyboard controller.
BOOT = bytes.fromhex(
    "fa 31c0 8ed8 8ec0"  # cli; xor ax, ax; mov ds, ax; mov es, ax
    "baf803 b068 ee b069 ee b00a ee"  # mov dx, 0x3f8; out 'h', 'i', newline
    "bafd03 ec a801 74fb"  # mov dx, 0x3fd; wait: in al, dx; test al, 1; jz wait
    "b401 b001 b80103 b90200 ba8000 bb007c cd13"  # int 13h: write sector 2 of the first disk
    "b0fe e664"  # out 0x64, 0xfe: reset
    "f4 ebfd"
)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    image = tmp_path / "disk.img"
    image.write_bytes(BOOT.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    return image


@qemu
def test_console_power_disks_and_screen(tmp_path: Path, disk: Path):
    other = tmp_path / "other.img"
    other.write_bytes(bytes(1 << 20))
    drives = [
        "-drive",
        f"if=ide,format=raw,file={disk}",
        "-drive",
        f"if=ide,format=raw,readonly=off,snapshot=on,file={other}",
    ]
    with VirtualMachine(argv(tmp_path, *drives), tmp_path) as machine:
        said = b""
        while b"hi\n" not in said and machine.seconds < 60:
            said += machine.console(0.5)
        assert b"hi\n" in said
        screen = machine.screen()
        assert screen is not None
        png = png_of(screen)
        assert png is not None
        assert png.startswith(b"\x89PNG")
        assert str(disk) in machine.open_for_writing()
        assert str(other) not in machine.open_for_writing()
        machine.type("x")
        events: list[str] = []
        while "SHUTDOWN" not in events and machine.seconds < 60:
            machine.console(0.2)
            events += [f"{e['event']}" for e in machine.events()]
        assert "SHUTDOWN" in events
        assert any(wrote for _, wrote in machine.traffic().values())
        assert machine.running  # it is paused, so that its last screen can be looked at
    assert not machine.running


@qemu
def test_what_qemu_does_not_take_is_said(tmp_path: Path):
    with pytest.raises(MachineError, match="no-such-thing"):
        VirtualMachine(argv(tmp_path, "-device", "no-such-thing"), tmp_path)


@qemu
def test_a_killed_parent_takes_it_along(tmp_path: Path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom ventoy_kit.edge.virtual_machine import VirtualMachine\n"
        f"m = VirtualMachine({argv(tmp_path)!r}, Path({str(tmp_path)!r}))\nprint(m._child.pid, flush=True)\ntime.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert "qemu" in Path(f"/proc/{pid}/cmdline").read_text()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_picture_becomes_a_png_with_the_same_pixels():
    width, height = SMALLEST
    pixels = bytes(number % 251 for number in range(width * height * 3))
    png = png_of(b"P6\n%d %d\n255\n" % SMALLEST + pixels)
    assert png is not None
    assert struct.unpack(">II", png[16:24]) == SMALLEST
    length = int.from_bytes(png[33:37], "big")
    rows = zlib.decompress(png[41 : 41 + length])
    assert rows == b"".join(b"\0" + pixels[at : at + 3 * width] for at in range(0, len(pixels), 3 * width))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P6\n640 480\n255\n",
        b"P5\n1 1\n255\nx",
        b"P6\n0 0\n255\n",
        b"P6 3",
        pytest.param(b"P6\n160 640\n255\n" + bytes(160 * 640 * 3), id="while the mode changes"),
    ],
)
def test_what_is_no_screen_is_none(data: bytes):
    assert png_of(data) is None
