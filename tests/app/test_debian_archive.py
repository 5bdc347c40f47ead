"""The real thing: Debian's archive through this machine's apt, and the ISO in a virtual machine until the installer asks.

Needs no vendor's server but the mirror that apt here has. Debian 13's package comes from Debian 13's archive, whatever
Debian this machine runs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app.workspaces import DEBIAN
from ventoy_kit.edge.apt import host_listing
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.images import apt, netboot
from ventoy_kit.images.apt import AptPackage, AptSource

OVMF = Path("/usr/share/OVMF")
SOAK = bool(os.environ.get("VENTOY_KIT_SOAK"))
SOURCE = AptSource(recipe="debian-netboot", series={"13": AptPackage(package="netboot", suite="trixie")})


def has_debian() -> bool:
    if shutil.which("apt-get") is None:
        return False
    return bool(apt.host_archives(host_listing(SystemProcess(), apt.LISTING_FORMAT), SOURCE))


pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),  # two machines at once on a busy host
    pytest.mark.needs_tool(*netboot.TOOLS, "qemu-system-x86_64"),
    pytest.mark.skipif(
        not Path(netboot.GRUB_MODULES).exists(), reason="needs GRUB's parts for BIOS (grub-pc-bin)"
    ),
    pytest.mark.skipif(not (OVMF / "OVMF_CODE_4M.fd").exists(), reason="needs UEFI for QEMU (ovmf)"),
    pytest.mark.skipif(
        not has_debian(), reason="needs a mirror of Debian in the sources of this machine's apt"
    ),
]


@contextmanager
def machine(iso: Path, firmware: str, folder: Path) -> Iterator[tuple[Path, socket.socket]]:
    """A machine that boots the ISO: what it says on the serial line, and QEMU's monitor."""
    serial, monitor = folder / f"{firmware}.serial", folder / f"{firmware}.monitor"
    uefi = []
    if firmware == "uefi":
        variables = folder / "variables.fd"
        shutil.copyfile(OVMF / "OVMF_VARS_4M.fd", variables)
        flash = "if=pflash,format=raw,unit="
        uefi = ["-machine", "q35", "-drive", f"{flash}0,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}"]
        uefi += ["-drive", f"{flash}1,file={variables}"]
    running = subprocess.Popen(
        ["qemu-system-x86_64", *uefi, "-m", "1024", "-display", "none", "-nic", "none", "-boot", "d", "-cdrom", str(iso),
         "-serial", f"file:{serial}", "-monitor", f"unix:{monitor},server,nowait"]
    )  # fmt: skip
    try:
        end = time.monotonic() + 20
        while not monitor.exists() and time.monotonic() < end:
            time.sleep(0.1)
        with socket.socket(socket.AF_UNIX) as keys:
            keys.connect(str(monitor))
            yield serial, keys
    finally:
        running.kill()
        running.wait()


NAMES = {" ": "spc", "=": "equal", ",": "comma"}


def press(keys: socket.socket, *names: str) -> None:
    for name in names:
        keys.sendall(f"sendkey {name} 20\n".encode())
        time.sleep(0.12)


def write(keys: socket.socket, text: str) -> None:
    press(keys, *(NAMES.get(c) or (f"shift-{c.lower()}" if c.isupper() else c) for c in text))


def boots_the_installer(iso: Path, firmware: str, folder: Path) -> None:
    """Edit the first entry, so that kernel and installer speak on the serial line, and wait for their first question."""
    with machine(iso, firmware, folder) as (serial, keys):
        # GRUB cannot be heard: it draws its menu, in a size that no firmware has here.
        screen, before = folder / "screen", b""
        end = time.monotonic() + 60
        while (now := dump(keys, screen)) != before or not now.startswith(b"P6\n800 600\n"):
            assert time.monotonic() < end, "GRUB's menu did not come"
            before = now
            time.sleep(1)
        press(keys, "e", "down", "down", "down", "ctrl-e")
        write(keys, " console=ttyS0")
        press(keys, "ctrl-x")
        said = wait_for(serial, "Choose the language", 90)
        assert "Choose the language" in said, said[-3000:]


def dump(keys: socket.socket, screen: Path) -> bytes:
    """What the screen shows, as a portable pixmap."""
    screen.unlink(missing_ok=True)
    keys.sendall(f"screendump {screen}\n".encode())
    time.sleep(1)
    return screen.read_bytes() if screen.exists() else b""


def wait_for(serial: Path, text: str, seconds: float) -> str:
    """What came over the serial line until it held a text, or the time was over."""
    end = time.monotonic() + seconds
    said = ""
    while text not in said and time.monotonic() < end:
        time.sleep(0.5)
        said = serial.read_bytes().decode("utf-8", "replace") if serial.exists() else ""
    return said


@pytest.mark.parametrize(
    ("series", "firmware"),
    [
        ("12", "uefi"),
        ("13", "bios"),
        *(
            pytest.param(*pair, marks=pytest.mark.skipif(not SOAK, reason="a long run: make soak"))
            for pair in (("12", "bios"), ("13", "uefi"))
        ),
    ],
)
def test_the_installer_of_debian_s_own_archive(series, firmware, tmp_path, monkeypatch, cli):
    images = f'debian: {{release: "{series}", catalog: debian-netboot}}'
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "fleet.yaml").write_text(
            DEBIAN.replace("debian: {path: iso/debian-12-netboot.iso}", images)
        )
        monkeypatch.chdir(folder)
        monkeypatch.setenv("VENTOY_KIT_CACHE", str(folder / "cache"))
        image = cli.json("fetch").result["images"]["debian"]
        assert image["source"] == "network"
        assert (image["origin"], image["verified"]) == ("assembled", "signature")
        assert image["release"].startswith(f"{series}-20")
        assert image["inputs"][0]["file"].startswith(f"debian-installer-{series}-netboot-amd64_20")
        found.append(image)
    assert found[0]["sha256"] == found[1]["sha256"]
    (iso,) = cli.json("build").result["isos"]  # the real menu can be derived from
    assert iso["sha256"] == found[1]["sha256"]
    (facts,) = cli.json("image", "inspect", found[1]["path"]).result["images"].values()
    assert (facts["product"], facts["release"], facts["boot"]) == ("debian", series, ["bios", "uefi"])
    boots_the_installer(Path(found[1]["path"]), firmware, tmp_path)
