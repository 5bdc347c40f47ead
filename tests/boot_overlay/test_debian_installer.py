"""The real Debian 12 and 13 installers take our files: no question is asked before our early command.

The machine is another one than the node that was chosen, so the installer stops at our refusal, before any disk is
written to. Ventoy is not in the loop (tests/support/debian_vm.py). The installer's components come from the mirror that
apt uses, at the address that the node's ticket names. The mirror has no kernel modules for it, so it is told to do
without (`anna/no_kernel_modules`), and its index is not the signed one (`allow_unauthenticated`).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.support.debian_archive import private_package, receive, served
from tests.support.debian_vm import Disk, InstallerVm, injected
from tests.support.fleets import payload_of

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("qemu-system-x86_64", "dpkg-deb", "apt-get"),
    pytest.mark.slow,
    pytest.mark.timeout(400),
]

MAC = "d8:43:ae:00:0a:01"
ARMING = b"20261123T110000Z-0000aaaa-20261124T110000Z"
COMPONENTS = ("partman-base", "disk-detect", "user-setup-udeb", "clock-setup", "tzsetup-udeb")
ISOS = {"12": "debian-12.11.0-amd64-netinst.iso", "13": "debian-13.1.0-amd64-netinst.iso"}
KERNELS = {"12": "6.1.0-50-amd64", "13": "6.12.107+deb13-amd64"}
WORDS = "debian-installer/allow_unauthenticated=true anna/no_kernel_modules=true"


def fleet(release: str, port: int) -> bytes:
    return f"""\
version: 1
fleet: vm
contact: {{email: root@localhost}}
secrets: {{root: {{env: ROOT_PASSWORD}}}}
networks: {{lan: {{cidr: 10.0.2.0/24, gateway: 10.0.2.2, dns: [10.0.2.3]}}}}
images: {{debian: {{path: iso/{ISOS[release]}}}}}
defaults: {{image: debian, network: lan, root_password: root, debian_mirror: "http://10.0.2.2:{port}/debian"}}
nodes:
  alpha:
    title: Alpha
    model: generic-uefi
    identity: {{serial: SN-1}}
    hardware: {{nics: {{lan0: {{mac: "{MAC}"}}}}}}
    disks: {{a: {{use: system, serial: SYSTEM}}, b: {{use: keep, serial: KEEP}}}}
    install: {{filesystem: ext4, swap: 512 MB}}
    network: {{nic: lan0, address: 10.0.2.15/24}}
""".encode()


@pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="a long run: make soak")
@pytest.mark.parametrize("release", ["12", "13"])
def test_another_machine_is_refused_and_nothing_is_asked_before(release: str, tmp_path: Path):
    package = private_package(f"debian-installer-{release}-netboot-amd64", release, CACHE)
    archive = receive(release, KERNELS[release], CACHE)
    if package is None or archive is None:
        pytest.skip("needs Debian's netboot packages and a mirror that apt knows")
    disks = tuple(Disk("usb", name, 1 << 26) for name in ("STICK", "KEEP", "SYSTEM"))
    machine = InstallerVm(tmp_path / "vm", package, disks, serial="OTHER")
    before = [machine.digest(d.serial) for d in disks]
    with served(archive, COMPONENTS) as (port, asked):
        files = {f.path.rsplit("/", 1)[1]: f.data for f in payload_of(fleet(release, port)).files}
        ticket = files["alpha"].replace(b"arming=none", b"arming=" + ARMING)
        machine.load(injected(files["overlay.tar.bz2"], ticket), WORDS)
        screen = machine.run(r"\[Press enter to continue\]|Prompt:|password:", mac=MAC, timeout=380)
    assert "ventoy-kit: nothing is installed (VK-B10)" in screen
    assert "Prompt:" not in screen
    assert any("partman-base" in path for path in asked)
    assert [machine.digest(d.serial) for d in disks] == before
