"""A stick with a real Ventoy and both installers, machines to start from it, and a folder for their pictures."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.app.workspaces import separate
from tests.conftest import CACHE, _package
from tests.support import pve_medium, ventoy_stick
from tests.support.debian_archive import private_package, receive, served
from tests.support.debian_vm import Disk
from tests.support.netboot import build_netboot_iso
from tests.support.qemu import SERVER, Machine

SHOTS = "VENTOY_KIT_SCREENSHOTS"
RELEASE, KERNEL = "13", "6.12"
DEBIAN, PROXMOX = "debian-13-netboot-amd64.iso", "proxmox-ve_9.1-1.iso"
# The mirror that tests have lacks the kernel's modules and libraries, and its index is not the signed one; so the
# disks of the Debian machine are on USB, for which the medium itself has drivers. What it logs is sent to the test.
WORDS = f"debian-installer/allow_unauthenticated=true anna/no_kernel_modules=true log_host={SERVER}"
# What the partitioner needs to list disks; each takes time to load.
COMPONENTS = (
    *("partman-base", "partman-utils", "disk-detect", "libparted2-udeb", "libparted-fs-resize0-udeb"),
    *("dmidecode-udeb", "libdevmapper1.02.1-udeb"),
)

FLEET = f"""\
version: 1
fleet: trial
title: Trial cluster
contact: {{email: ops@example.org}}
secrets: {{root: {{env: ROOT_PASSWORD}}}}
networks: {{lan: {{cidr: 10.0.2.0/24, gateway: 10.0.2.2, dns: [10.0.2.3]}}}}
images:
  debian: {{path: iso/{DEBIAN}}}
  proxmox-ve: {{path: iso/{PROXMOX}}}
defaults:
  image: proxmox-ve
  network: lan
  domain: example.org
  root_password: root
  debian_mirror: "http://{SERVER}/debian"
nodes:
  alpha:
    title: First
    model: generic-uefi
    identity: {{serial: ALPHA01}}
    hardware: {{nics: {{lan0: {{mac: "d8:43:ae:00:0a:01"}}}}}}
    disks: {{disk0: {{use: system, serial: S7ALPHA0001, size: 20 GB}}}}
    install: {{filesystem: ext4}}
    network: {{nic: lan0, address: 10.0.2.11/24}}
  gamma:
    title: Third
    model: generic-uefi
    identity: {{serial: GAMMA03}}
    hardware: {{nics: {{lan0: {{mac: "d8:43:ae:00:0c:01"}}}}}}
    disks: {{disk0: {{use: system, serial: S7GAMMA0001, size: 20 GB}}}}
    install: {{filesystem: ext4}}
    network: {{nic: lan0, address: 10.0.2.13/24}}
  beta:
    title: Second
    model: generic-uefi
    identity: {{serial: BETA002}}
    hardware: {{nics: {{lan0: {{mac: "d8:43:ae:00:0b:01"}}}}}}
    disks: {{disk0: {{use: system, serial: S7BETA00001, size: 20 GB}}}}
    install: {{image: debian, filesystem: ext4, swap: 512 MB}}
    network: {{nic: lan0, address: 10.0.2.12/24}}
"""
SERIALS = {"alpha": "ALPHA01", "gamma": "GAMMA03", "beta": "BETA002"}
DISKS = {"alpha": "S7ALPHA0001", "gamma": "S7GAMMA0001", "beta": "S7BETA00001"}
MACS = {"alpha": "d8:43:ae:00:0a:01", "gamma": "d8:43:ae:00:0c:01", "beta": "d8:43:ae:00:0b:01"}
DECOY = "DECOY000001"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.timeout(7200))
        if ventoy_stick.source() is None:
            reason = (
                "not run: booting a stick with a real Ventoy; to run it, name Ventoy's source tree, an unpacked "
                f"release or a stick image in {ventoy_stick.VARIABLE} (docs/how-to.md, Tests with a real Ventoy)"
            )
            item.add_marker(pytest.mark.skip(reason))


@dataclass(frozen=True)
class Sticks:
    """A workspace with a build, and the stick that was staged from it.

    Attributes:
        path: the workspace, with the fleet file.
        toolbox: the staged stick image.
    """

    path: Path
    toolbox: Path

    def kit(self, *arguments: str | Path) -> str:
        """Run the kit in the workspace; what it printed."""
        ran = separate(arguments, self.path)
        assert ran.code == 0, ran.err + ran.out
        return ran.out + ran.err

    def copy(self, name: str) -> Path:
        """Another stick with the same bytes."""
        target = self.path / f"{name}.img"
        subprocess.run(["cp", "--sparse=always", self.toolbox, target], check=True)
        return target

    def armed(self, node: str) -> Path:
        """A copy that is armed for a node."""
        stick = self.copy(f"armed-{node}")
        self.kit("reimage", node, stick, "--yes", node)
        return stick


@pytest.fixture(scope="session")
def isos() -> Path:
    """Both ISO files, kept between runs."""
    package = private_package(f"debian-installer-{RELEASE}-netboot-amd64", RELEASE, CACHE)
    listed = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True)
    named = re.search(r"Depends: (linux-image-\S+-amd64)$", listed.stdout, re.MULTILINE)
    kernel = _package(named[1]) if named else None
    if package is None or kernel is None:
        pytest.skip("needs Debian's packages of its installer and of a kernel, from apt")
    # Another recipe or another package makes another ISO.
    recipe = (
        Path(pve_medium.__file__).read_bytes(),
        WORDS.encode(),
        *map(str.encode, map(str, (package, kernel))),
    )
    folder = CACHE / f"ventoy-isos-{hashlib.sha256(b'|'.join(recipe)).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (
        (DEBIAN, lambda out: build_netboot_iso(package, out, words=WORDS)),
        (PROXMOX, lambda out: pve_medium.build_pve_medium(kernel, out)),
    ):
        if not (folder / name).exists():
            scratch = folder / f"{os.getpid()}.tmp"
            make(scratch)
            scratch.rename(folder / name)
    return folder


@pytest.fixture(scope="session")
def sticks(isos: Path, tmp_path_factory: pytest.TempPathFactory) -> Sticks:
    """Ventoy, and what `build` and `stage` make of the fleet."""
    source = ventoy_stick.source()
    assert source is not None
    path = tmp_path_factory.mktemp("sticks")
    (path / "fleet.yaml").write_text(FLEET)
    (path / "iso").mkdir()
    for name in (DEBIAN, PROXMOX):
        (path / "iso" / name).symlink_to(isos / name)
    made = Sticks(path, path / "stick.img")
    subprocess.run(
        ["cp", "--sparse=always", ventoy_stick.base_image(source, CACHE), made.toolbox], check=True
    )
    made.kit("build")
    made.kit("stage", made.toolbox, "--yes")
    return made


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    """Makes a machine: a node's, or one with another serial number."""

    def make(node: str, stick: Path, *, serial: str = "", uefi: bool = True) -> Machine:
        bus = "usb" if node == "beta" else "sata"
        # The decoy comes first: an installer that guesses takes it.
        disks = (Disk(bus, DECOY, 20 * 10**9), Disk(bus, DISKS[node], 20 * 10**9))
        return Machine(tmp_path / "vm", disks, serial or SERIALS[node], MACS[node], stick, uefi)

    return make


@pytest.fixture
def mirror() -> Iterator[int]:
    """The port of a web server with the Debian installer's components."""
    archive = receive(RELEASE, KERNEL, CACHE)
    if archive is None:
        pytest.skip("needs a mirror that apt knows")
    with served(archive, COMPONENTS) as (port, _):
        yield port


@pytest.fixture
def shots(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures of this test go: below the folder that the environment names, else below the test's own."""
    kept = os.environ.get(SHOTS)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    folder = Path(kept) / name if kept else tmp_path / "shots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
