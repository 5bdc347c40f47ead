"""A twin as the arguments of QEMU, and what of them could write to anything. Pure.

Sources: qemu-system-x86_64(1); docs/system/devices of QEMU 7.2 (nvme, usb); for `guestfwd` and `restrict` the section on
user mode networking. Nothing but files of the run's own folder is opened for writing; everything else carries
`readonly=on` or `snapshot=on`, and `writable_outside` says so of the finished arguments.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from ventoy_kit.rehearse.model import Smbios, Twin, TwinDisk
from ventoy_kit.rehearse.twin import wwn_number

PROGRAM: Final = "qemu-system-x86_64"

_PORTS: Final = 6
"""Disks on one AHCI controller."""

_DEVICE: Final = {
    "nvme": "nvme",
    "sata": "ide-hd,bus=sata{controller}.{port}",
    "usb": "usb-storage,removable=on",
    "scsi": "scsi-hd,bus=scsi0.0",
    "virtio": "virtio-blk-pci",
}


@dataclass(frozen=True, slots=True)
class Network:
    """The isolated network of a twin.

    Attributes:
        cidr: the node's network; None lets QEMU choose, and the node asks by DHCP.
        gateway: the address that answers as the gateway.
        mirror: the address in the network that leads to the mirror; None without one.
        forward: the command that is started for each connection to the mirror.
    """

    cidr: str | None = None
    gateway: str | None = None
    mirror: str | None = None
    forward: str | None = None


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a start of a twin has its files.

    Attributes:
        folder: the run's own folder; the only place that is written to.
        disks: a disk's image by its name; below `folder`, but for the stick.
        foreign_stick: the stick is somebody's image or device, and changes to it are thrown away.
        firmware: OVMF's code.
        variables: OVMF's variables, below `folder`.
        medium: the ISO, as a CD in a drive; None for a start from the stick.
        kernel: kernel, RAM disk and words, where the firmware cannot start them from the stick (SeaBIOS).
        tpm: socket of swtpm, below `folder`.
    """

    folder: PurePath
    disks: Mapping[str, PurePath]
    foreign_stick: bool = False
    firmware: PurePath | None = None
    variables: PurePath | None = None
    medium: PurePath | None = None
    kernel: tuple[PurePath, PurePath, str] | None = None
    tpm: PurePath | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """How a twin is started: the accelerator's arguments and the first device to boot from."""

    kvm: bool
    boot: str
    clock: str | None = None


def arguments(twin: Twin, paths: Paths, network: Network, start: Start) -> tuple[str, ...]:
    """The whole command.

    Args:
        twin: the machine.
        paths: its files.
        network: its network.
        start: `boot` names the disk that comes first in the firmware's order.
    """
    chip = ",kernel-irqchip=split" if twin.iommu and start.kvm else ""
    words = [PROGRAM, "-name", f"rehearsal-{twin.node}", "-no-user-config", "-nodefaults"]
    words += ["-machine", f"q35{chip}", "-accel", "kvm" if start.kvm else "tcg,thread=multi"]
    words += ["-cpu", "host" if start.kvm else "max", "-m", str(twin.memory)]
    # Emulated processors wait for one another where this machine is busy, and an installer needs but one.
    words += ["-smp", str(twin.cpus) if start.kvm else "1"]
    words += ["-display", "none", "-vga", "std", "-rtc", f"base={start.clock or 'utc'}"]
    # Sockets by names alone: their addresses may be no longer than 107 characters, and the folder is QEMU's own.
    # A restart ends the act; the machine stays as it was, so that its last screen can be looked at.
    words += ["-action", "reboot=shutdown,shutdown=pause"]
    words += ["-qmp", "unix:qmp,server=on,wait=off"]
    words += ["-chardev", "socket,id=console,path=console,server=on,wait=off"]
    words += ["-serial", "chardev:console", "-smbios", _smbios(twin.smbios)]
    if paths.firmware is not None and paths.variables is not None:
        words += ["-drive", f"if=pflash,format=raw,readonly=on,file={_plain(paths.firmware)}"]
        words += ["-drive", f"if=pflash,format=raw,file={_plain(paths.variables)}"]
    if paths.kernel is not None:
        kernel, initrd, line = paths.kernel
        words += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", line]
    if twin.iommu:
        words += ["-device", f"intel-iommu,caching-mode=on{',intremap=on' if chip else ''}"]
    # Ports enough: behind a hub, firmware does not always see every disk in time.
    words += [
        "-device",
        "qemu-xhci,p2=15,p3=15",
        "-device",
        "virtio-scsi-pci,id=scsi0",
    ]
    words += ["-device", "usb-kbd"]
    if paths.tpm is not None:
        words += [
            "-chardev",
            f"socket,id=tpm,path={_plain(PurePath(paths.tpm.name))}",
            "-tpmdev",
            "emulator,id=tpm0,chardev=tpm",
        ]
        words += ["-device", "tpm-crb,tpmdev=tpm0"]
    # QEMU starts a kernel of ours before any disk, and takes the first place for it.
    boot = start.boot if paths.kernel is None else None
    sata = [d.name for d in twin.disks if d.bus == "sata"]
    for controller in range(-(-len(sata) // _PORTS)):
        words += ["-device", f"ahci,id=sata{controller}"]
    for number, disk in enumerate(twin.disks):
        port = sata.index(disk.name) if disk.name in sata else 0
        words += _disk(disk, (number, port), paths, first=disk.name == boot)
    if paths.medium is not None:
        words += [
            "-drive",
            f"if=none,id=medium,format=raw,media=cdrom,readonly=on,file={_plain(paths.medium)}",
        ]
        words += ["-device", "ide-cd,bus=ide.0,drive=medium"]
    for number, nic in enumerate(twin.nics):
        words += ["-netdev", _netdev(number, network, management=nic.management)]
        words += ["-device", f"e1000,netdev=net{number},mac={nic.mac}"]
    return tuple(words)


def _plain(path: PurePath) -> str:
    """A path inside an option, where a comma is written twice (qemu-system-x86_64(1))."""
    return str(path).replace(",", ",,")


def _smbios(identity: Smbios) -> str:
    given = {
        "manufacturer": identity.manufacturer or "ventoy-kit",
        "product": identity.product or "virtual twin",
        "serial": identity.serial,
        "uuid": identity.uuid,
    }
    return ",".join(("type=1", *(f"{k}={v.replace(',', ',,')}" for k, v in given.items() if v)))


def _disk(disk: TwinDisk, place: tuple[int, int], paths: Paths, *, first: bool) -> Iterator[str]:
    """A disk. `place` is its number, by which its traffic is known, and its number among those on SATA."""
    number, port = place
    mode = "snapshot=on" if disk.role == "stick" and paths.foreign_stick else "cache=unsafe"
    name = f"disk{number}"
    yield from ("-drive", f"if=none,id={name},format=raw,{mode},file={_plain(paths.disks[disk.name])}")
    serial = f"serial={disk.serial.replace(',', ',,')}"
    order = ",bootindex=0" if first else ""
    wwn = wwn_number(disk)
    if disk.bus == "nvme" and wwn is not None:
        yield from ("-device", f"nvme,id=ctrl{number},{serial}")
        yield from ("-device", f"nvme-ns,bus=ctrl{number},drive={name},eui64={wwn}{order}")
        return
    more = f",wwn={wwn}" if wwn is not None else ""
    if disk.bus == "sata" and disk.model:
        more += f",model={disk.model[:40].replace(',', ',,')}"
    device = _DEVICE[disk.bus].format(controller=port // _PORTS, port=port % _PORTS)
    yield from ("-device", f"{device},drive={name},{serial}{more}{order}")


def _netdev(number: int, network: Network, *, management: bool) -> str:
    parts = ["user", f"id=net{number}", "restrict=on"]
    if management and network.cidr is not None:
        inside = ipaddress.ip_interface(network.cidr).network
        parts.append(f"net={inside}")
        if network.gateway is not None:
            parts.append(f"host={network.gateway}")
            parts.append(f"dns={free_address(network.cidr, {network.gateway, network.mirror or ''})}")
    if management and network.mirror is not None and network.forward is not None:
        parts.append(f"guestfwd=tcp:{network.mirror}:80-cmd:{network.forward.replace(',', ',,')}")
    return ",".join(parts)


def free_address(cidr: str | None, taken: set[str]) -> str:
    """An address of a network that is nobody's, from its end: the node has the one in `cidr`, others stand in `taken`."""
    interface = ipaddress.ip_interface(cidr or "10.0.2.15/24")
    used = {str(interface.ip), *taken}
    last = int(interface.network.broadcast_address) - 1
    candidates = (str(ipaddress.ip_address(n)) for n in range(last, last - 8, -1) if n > 0)
    found = next((ip for ip in candidates if ip not in used), None)
    if found is None or ipaddress.ip_address(found) not in interface.network:
        raise ValueError(f"{cidr} has no room for a mirror")
    return found


_OPENING: Final = (
    "-drive",
    "-chardev",
    "-blockdev",
    "-hda",
    "-hdb",
    "-hdc",
    "-hdd",
    "-cdrom",
    "-fda",
    "-fdb",
    "-pflash",
)


def writable_outside(words: Sequence[str], folder: PurePath) -> tuple[str, ...]:
    """The files and devices outside of the run's folder that these arguments would open for writing."""
    out = []
    for option, word in itertools.pairwise(words):
        if option not in _OPENING:
            continue
        # A comma that is written twice belongs to a name.
        parts = [part.replace("\0", ",") for part in word.replace(",,", "\0").split(",")]
        named = [
            p.partition("=")[2]
            for p in parts
            if p.startswith(("file=", "path=", "filename=", "file.filename="))
        ]
        if option not in ("-drive", "-chardev", "-blockdev"):
            named = [word]
        if "readonly=on" in parts or "snapshot=on" in parts:
            continue
        for name in named:
            path = folder / name
            if not path.is_relative_to(folder) or ".." in path.parts:
                out.append(name)
    return tuple(out)
