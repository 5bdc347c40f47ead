"""Hooks in virtual machines: a real kernel, systemd and udev, an IOMMU and network cards that QEMU makes.

The machine is started without a boot loader, so the words that a hook gives to GRUB are read from its drop-in file and
put on the command line by the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.scratch_root import NODE, shipped, texts
from tests.support.guest import BOOTS, TOOLS, Guest, base_image, guest
from ventoy_kit.payload.runner import RunnerHook, render_runner

PACKAGES = (
    "ifupdown",
    "iproute2",
    "ethtool",
    "netbase",
    "systemd-timesyncd",
    "systemd-journal-remote",
    "perl",
)

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool(*TOOLS),
    pytest.mark.timeout(6 * BOOTS),
    pytest.mark.skipif(
        "VENTOY_KIT_SOAK" not in os.environ,
        reason="two boots and four initramfs in an emulated machine: soak",
    ),
]

PATIENCE = 900
"""Seconds for one step: the machine has a large kernel and an emulated IOMMU, and other tests run beside it."""

# What the machine needs to find its disk, instead of every driver: an initramfs takes a minute less to make.
QUICK = "mkdir -p /etc/initramfs-tools/conf.d; printf 'MODULES=list\\nCOMPRESS=gzip\\n' >/etc/initramfs-tools/conf.d/quick; "
QUICK += "printf '%s\\n' virtio_pci virtio_blk ext4 >>/etc/initramfs-tools/modules"

MAC = "52:54:00:00:0c:25"
RNG = "1af4:1044"
INTERFACES = """\
auto lo
iface lo inet loopback
auto {name}
iface {name} inet manual
auto vmbr0
iface vmbr0 inet static
    address 10.0.2.15/24
    gateway 10.0.2.2
    pre-up ip link add vmbr0 type bridge
    pre-up ip link set {name} up
    pre-up ip link set {name} master vmbr0
"""


def place(vm: Guest, *hooks: RunnerHook) -> None:
    vm.put("/root/first-boot", render_runner(texts(), NODE, hooks).whole, 0o700)
    vm.ask("sh /root/first-boot install")


def report(vm: Guest) -> dict[str, dict[str, Any]]:
    hooks = json.loads(vm.ask("cat /var/lib/ventoy-kit/report.json"))["hooks"]
    return {hook["name"]: hook for hook in hooks}


def test_vfio_nic_and_blackbox(tmp_path: Path) -> None:
    """One machine, two boots: a device bound, a bridged card renamed, and a kernel message at the peer."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE)
        _two_boots(tmp_path, peer)


def _two_boots(tmp_path: Path, peer: socket.socket) -> None:
    port = peer.getsockname()[1]
    # Without KVM a timer interrupt does not find its way through the emulated remapping.
    extra = [
        *("-device", "intel-iommu,intremap=off", "-object", "rng-random,filename=/dev/urandom,id=rng"),
        *(
            "-device",
            "pcie-root-port,id=port1,chassis=1",
            "-device",
            "virtio-rng-pci-non-transitional,rng=rng,bus=port1",
        ),
        *("-netdev", "user,id=lan", "-device", f"virtio-net-pci,netdev=lan,mac={MAC}"),
        *("-netdev", "user,id=other", "-device", "virtio-net-pci,netdev=other,mac=52:54:00:00:0c:01"),
    ]
    with guest(tmp_path / "vm", base_image("trixie", PACKAGES), extra=extra, memory=1024) as vm:
        vm.boot(timeout=PATIENCE)
        name = vm.ask(f"cd /sys/class/net && dirname $(grep -l {MAC} */address) | head -n 1").strip()
        vm.ask("mkdir -p /boot/grub /etc/default/grub.d; : >/boot/grub/grub.cfg")
        vm.put("/usr/local/sbin/update-grub", "#!/bin/sh\necho refreshed >>/root/grub\n", 0o755)
        vm.put("/etc/network/interfaces", INTERFACES.format(name=name))
        vm.ask(QUICK)
        place(
            vm,
            shipped("vfio", devices=[RNG]),
            shipped("nic", mac=MAC, name="lan25", offloads_off=["tso"]),
            shipped("blackbox", netconsole_peer=f"10.0.2.2:{port}", watchdog=0),
        )
        vm.run("sh /root/first-boot run", timeout=2 * PATIENCE)
        vm.wait_off()
        words = re.findall(r"_DEFAULT ([^\"]*)\"", vm.on_disk("cat /etc/default/grub.d/ventoy-kit-vfio.cfg"))[
            0
        ]
        assert words == "intel_iommu=on iommu=pt"
        vm.boot(parameters=words, timeout=PATIENCE)
        vm.run("systemctl start --wait ventoy-kit-first-boot.service", timeout=PATIENCE)
        results = report(vm)
        log = vm.ask("cat /var/log/ventoy-kit/*.log")
        assert {n: r["status"] for n, r in results.items()} == dict.fromkeys(
            ("vfio", "nic", "blackbox"), "changed"
        ), (
            results,
            log,
        )
        # vfio: the real driver, the real group.
        assert f"{RNG}: driver vfio-pci, group " in log
        # nic: the name, the bridge on it, and the address that answers through it.
        assert vm.ask("cat /sys/class/net/lan25/address").strip() == MAC
        assert vm.ask("ls /sys/class/net/vmbr0/brif").split() == ["lan25"]
        assert "10.0.2.15/24" in vm.ask("ip -4 -o addr show vmbr0")
        assert "lladdr" in vm.ask("bash -c 'echo >/dev/udp/10.0.2.2/9'; ip neigh show 10.0.2.2 dev vmbr0")
        assert "tcp-segmentation-offload: off" in vm.ask("ethtool -k lan25")
        # blackbox: what the kernel says arrives.
        vm.ask("echo '<2>ventoy-kit: the last words' >/dev/kmsg")
        heard = b""
        while b"the last words" not in heard:
            heard += peer.recv(65536)
        assert vm.ask("cat /proc/sys/kernel/panic").strip() == "30"
        # A second run of all of them changes nothing.
        vm.run("sh /usr/local/lib/ventoy-kit/first-boot run vfio nic blackbox", timeout=PATIENCE)
        assert {r["status"] for r in report(vm).values()} == {"unchanged"}, report(vm)
