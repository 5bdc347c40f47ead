"""QEMU's arguments, and that none of them writes to anything but the run's own folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from tests.rehearse.twins import TWIN
from ventoy_kit.rehearse.qemu import Network, Paths, Start, arguments, free_address, writable_outside

FOLDER = PurePosixPath("/run/here")
FIRMWARE = PurePosixPath("/usr/share/OVMF/OVMF_CODE_4M.fd")


def paths(stick: str | None = None) -> Paths:
    disks = {d.name: FOLDER / f"{d.name}.img" for d in TWIN.disks}
    if stick is not None:
        disks["stick"] = PurePosixPath(stick)
    return Paths(
        FOLDER,
        disks,
        foreign_stick=stick is not None,
        firmware=FIRMWARE,
        variables=FOLDER / "vars.fd",
        medium=PurePosixPath("/iso/a,b.iso"),
        tpm=FOLDER / "tpm.sock",
    )


def words(stick: str | None = None, network: Network | None = None) -> tuple[str, ...]:
    twin = replace(TWIN, iommu=True, tpm=True)
    return arguments(twin, paths(stick), network or Network(), Start(kvm=False, boot="stick"))


@pytest.mark.parametrize("stick", [None, "/dev/sdb", "/home/me/stick.img", "/run/here/../other.img"])
def test_nothing_outside_is_writable(stick: str | None):
    assert writable_outside(words(stick), FOLDER) == ()


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("if=none,id=x,format=raw,file=/dev/sda", "/dev/sda"),
        ("if=none,id=x,format=raw,file=/run/here/../../dev/sda", "/run/here/../../dev/sda"),
        ("if=none,file=/run/hereafter/x", "/run/hereafter/x"),
        ("if=none,readonly=off,file=/dev/sda", "/dev/sda"),
        ("if=none,file=/dev/sda,,readonly=on", "/dev/sda,readonly=on"),
    ],
)
def test_what_would_write_outside_is_seen(word: str, path: str):
    assert writable_outside(("qemu", "-drive", word), FOLDER) == (path,)
    assert writable_outside(("qemu", "-hda", "/dev/sda"), FOLDER) == ("/dev/sda",)


def test_the_network_leads_nowhere_but_to_the_mirror():
    network = Network("192.168.1.11/24", "192.168.1.1", "192.168.1.254", "busybox nc mirror.example 80")
    nets = [w for o, w in zip(words(), words()[1:], strict=False) if o == "-netdev"]
    assert nets == ["user,id=net0,restrict=on"]
    (net,) = (
        w for o, w in zip(words(network=network), words(network=network)[1:], strict=False) if o == "-netdev"
    )
    assert "restrict=on" in net.split(",")
    assert "hostfwd" not in net
    assert "guestfwd=tcp:192.168.1.254:80-cmd:busybox nc mirror.example 80" in net
    assert "host=192.168.1.1" in net


def test_identity_and_disks_are_as_declared():
    given = " ".join(words())
    assert "type=1,manufacturer=ventoy-kit,product=Box,, large,serial=SN-1,uuid=4c4c4544" in given
    assert "nvme-ns,bus=ctrl1,drive=disk1,eui64=0x0025385b11b1d2f3" in given
    assert "serial=SA1,wwn=0x5002538e40a1b2c3" in given
    assert "usb-storage,removable=on,drive=disk3,serial=VKSTICK,bootindex=0" in given
    assert "e1000,netdev=net0,mac=d8:43:ae:00:0a:01" in given
    assert "intel-iommu" in given
    assert "tpm-crb" in given
    assert "file=/iso/a,,b.iso" in given


def test_an_address_for_the_mirror_is_nobodys():
    assert free_address("10.0.0.11/24", {"10.0.0.254"}) == "10.0.0.253"
    with pytest.raises(ValueError, match="no room"):
        free_address("10.0.0.1/32", set())
