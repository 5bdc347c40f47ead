"""The real Debian 12 and 13 installers take our files, and the one of 13 installs by them as far as the mirror lets it.

No question is asked before our early command. Another machine than the node that was chosen is refused there, before
any disk is written to. The right one has three disks and gets its partitions on the right one by our recipe.

Ventoy is not in the loop (tests/support/debian_vm.py). The installer's components come from the mirror that apt uses,
at the address that the node's ticket names. What is not Debian's own:
- the index of components, which leaves out what the mirror lacks and is signed by the tests (`debian_archive.trust`);
- where disks are needed the kernel's modules, which are those of the same kernel's package, since the mirror lacks the
  components that hold them; so the installer is told to do without those (`anna/no_kernel_modules`).
The mirror lacks mkfs.ext4 (e2fsprogs-udeb) and mkfs.xfs (xfsprogs-udeb), so the root file system is btrfs.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.support.debian_archive import Archive, private_package, receive, served, trust
from tests.support.debian_templates import initrd
from tests.support.debian_vm import Disk, InstallerVm, injected, modules
from tests.support.fleets import payload_of

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("qemu-system-x86_64", "dpkg-deb", "apt-get", "cpio", "sfdisk", "blkid"),
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="a long run: make soak"),
]

MAC = "d8:43:ae:00:0a:01"
ARMING = b"20261123T110000Z-0000aaaa-20261124T110000Z"
EARLY = ("partman-base", "disk-detect", "user-setup-udeb", "clock-setup", "tzsetup-udeb")
"""Components that lead to our early command."""

INSTALLING = (
    *EARLY,
    *("partman-auto", "partman-btrfs", "partman-efi", "partman-partitioning", "partman-target"),
    *("partman-basicmethods", "base-installer", "bootstrap-base", "grub-installer"),
    *("apt-setup-udeb", "apt-mirror-setup", "pkgsel", "finish-install"),
)
"""Components that install a system on one btrfs partition."""

MODULES = (
    *(
        "nvme",
        "ahci",
        "sd_mod",
        "usb_storage",
        "uas",
        "xhci_pci",
        "e1000",
        "btrfs",
        "vfat",
        "ext4",
        "efivarfs",
    ),
    *("nls_ascii", "nls_cp437", "nls_utf8", "loop", "evdev"),
)
ISOS = {"12": "debian-12.11.0-amd64-netinst.iso", "13": "debian-13.1.0-amd64-netinst.iso"}
WORDS = "anna/no_kernel_modules=true"
ESP, SWAP, LINUX = (
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
)
"""Types of partitions (UEFI 2.10, table 5.7; Discoverable Partitions Specification)."""


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
    install: {{filesystem: btrfs, swap: 512 MB}}
    network: {{nic: lan0, address: 10.0.2.15/24}}
""".encode()


def real_installer(release: str, scratch: Path) -> tuple[Path, Path, str, Archive]:
    """The netboot package, its RAM disk unpacked, its kernel's release, and the components that the mirror has."""
    package = private_package(f"debian-installer-{release}-netboot-amd64", release, CACHE)
    if package is None:
        pytest.skip("needs Debian's netboot packages and a mirror that apt knows")
    ramdisk = initrd(package, release, scratch)
    kernel = next((ramdisk / "lib/modules").iterdir()).name
    archive = receive(release, kernel, CACHE)
    if archive is None:
        pytest.skip("needs a mirror that apt knows")
    return package, ramdisk, kernel, archive


def load(machine: InstallerVm, release: str, port: int, more: dict[str, tuple[bytes, int]]) -> None:
    """The node's files in the installer, the stick armed."""
    files = {f.path.rsplit("/", 1)[1]: f.data for f in payload_of(fleet(release, port)).files}
    ticket = files["alpha"].replace(b"arming=none", b"arming=" + ARMING)
    machine.load(more | injected(files["overlay.tar.bz2"], ticket), WORDS)


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("release", ["12", "13"])
def test_another_machine_is_refused_and_nothing_is_asked_before(release: str, tmp_path: Path):
    package, ramdisk, _, archive = real_installer(release, tmp_path / "ramdisk")
    disks = tuple(Disk("usb", name, 1 << 26) for name in ("STICK", "KEEP", "SYSTEM"))
    machine = InstallerVm(tmp_path / "vm", package, disks, serial="OTHER")
    before = [machine.digest(d.serial) for d in disks]
    with served(archive, EARLY) as (port, asked):
        load(machine, release, port, trust(ramdisk))
        screen = machine.run(r"\[Press enter to continue\]|Prompt:|password:", mac=MAC, timeout=900)
    assert "ventoy-kit: nothing is installed (VK-B10)" in screen
    assert "Prompt:" not in screen
    assert any("partman-base" in path for path in asked)
    assert [machine.digest(d.serial) for d in disks] == before


def partitions(image: Path) -> list[tuple[str, int, str]]:
    """Type, megabytes and file system of each partition."""
    done = subprocess.run(["sfdisk", "--json", image], capture_output=True, text=True, check=True)
    table = json.loads(done.stdout)["partitiontable"]
    assert (table["label"], table["unit"]) == ("gpt", "sectors")
    found = []
    for part in table["partitions"]:
        place = [f"--offset={part['start'] * 512}", f"--size={part['size'] * 512}"]
        probe = subprocess.run(
            ["blkid", "--probe", "--match-tag", "TYPE", "--output", "value", *place, image],
            capture_output=True,
            text=True,
        )
        found.append((part["type"], part["size"] * 512 // 10**6, probe.stdout.strip()))
    return found


@pytest.mark.timeout(2500)
def test_the_right_one_of_three_disks_gets_our_partitions_and_a_system_begins(tmp_path: Path, capsys):
    package, ramdisk, kernel, archive = real_installer("13", tmp_path / "ramdisk")
    image = private_package(f"linux-image-{kernel}", "13", CACHE)
    if image is None:
        pytest.skip(f"the mirror has no linux-image-{kernel}, whose modules the disks need")
    with capsys.disabled():
        print(f"\nDebian 13, components that the mirror lists and lacks: {', '.join(archive.missing)}")
    disks = (Disk("usb", "STICK", 1 << 28), Disk("sata", "KEEP", 12 << 30), Disk("nvme", "SYSTEM", 12 << 30))
    machine = InstallerVm(tmp_path / "vm", package, disks, memory=2048)
    for disk in disks:  # what is there must go from one of them, and stay on the others
        subprocess.run(
            ["sfdisk", "--quiet", machine.image(disk.serial)],
            input="label: dos\n,,7\n",
            text=True,
            check=True,
        )
    kept = [machine.digest(name) for name in ("STICK", "KEEP")]
    with served(archive, INSTALLING, packages=True) as (port, asked):
        load(machine, "13", port, modules(image, MODULES, ramdisk) | trust(ramdisk))
        screen = machine.run(
            r"Installing the base system[^\n]*\.\.\. [12]\d%|nothing is installed|Go Back|Failed to",
            mac=MAC,
            answers={"Type alpha to wipe": "alpha\n"},
            timeout=2400,
        )
    # A kernel that the firmware did not start from an entry has no BootCurrent, so the armed stick asks for the name.
    assert screen.count("Prompt:") == 1
    assert "/dev/nvme0n1: QEMU NVMe Ctrl, 12 GB, serial SYSTEM" in screen
    assert "serial KEEP (declared as b, keep)" in screen
    assert "(the Ventoy stick)" in screen
    assert "Installing the base system" in screen
    (esp, swap, root) = partitions(machine.image("SYSTEM"))
    assert esp[0::2] == (ESP, "vfat")
    assert swap == (SWAP, 511, "swap")
    assert root[0::2] == (LINUX, "btrfs")
    assert 768 <= esp[1] <= 1024
    assert root[1] > 11000
    assert [machine.digest(name) for name in ("STICK", "KEEP")] == kept
    # Debian's own signed list of packages: debootstrap has verified it, since nothing tells it not to.
    assert "/debian/dists/trixie/InRelease" in asked
