"""From what an `IsoReader` found on an image to what that image is.

Sources: the Proxmox installer's init and its assistant (`/.cd-info`, `/.disk/info`, `/auto-installer-capable`,
the pair of squashfs files), debian-cd and osinfo-db (`/.disk/info`, `/install.amd`, volume identifiers), Debian's
`debian-installer-*-netboot-amd64` packages (`/debian-installer/amd64`), Ventoy's `INSTALL/grub/grub.cfg` and
`ventoy_cmd.c` (size check, compatible mark).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ventoy_kit.images import codes
from ventoy_kit.images.facts import (
    GRUB_MENU,
    ISOLINUX_MENU,
    STAND_IN_FILE,
    STAND_IN_TITLE,
    STAND_IN_VOLUME,
    BootMenu,
    Family,
    Firmware,
    IsoFacts,
    Medium,
)
from ventoy_kit.ports import RawIso
from ventoy_kit.report import Path, Report, Severity

_PROXMOX: Final = {"pve": "proxmox-ve", "pbs": "proxmox-backup-server", "pmg": "proxmox-mail-gateway"}
_DISK_INFO: Final = "/.disk/info"
_CD_INFO: Final = "/.cd-info"
_CAPABLE: Final = "/auto-installer-capable"
_PREPARED: Final = ("/auto-installer-mode.toml", "/answer.toml")
_VENTOY_MARKS: Final = ("/ventoy.dat", "/VENTOY.DAT")
_PROXMOX_KERNEL: Final = ("/boot/linux26", "/boot/initrd.img")
_DEBIAN_DISC: Final = ("/install.amd/vmlinuz", "/install.amd/initrd.gz")
_DEBIAN_NETBOOT: Final = ("/debian-installer/amd64/linux", "/debian-installer/amd64/initrd.gz")


def _proxmox_medium(short: str) -> tuple[str, ...]:
    """The files by which the installer's init finds and mounts its own medium."""
    return (f"/.{short}-cd-id.txt", f"/{short}-base.squashfs", f"/{short}-installer.squashfs")


WANTED: Final[tuple[str, ...]] = (
    _DISK_INFO,
    _CD_INFO,
    _CAPABLE,
    *_PREPARED,
    *_VENTOY_MARKS,
    GRUB_MENU,
    ISOLINUX_MENU,
    *_PROXMOX_KERNEL,
    *(file for short in _PROXMOX for file in _proxmox_medium(short)),
    *_DEBIAN_DISC,
    *_DEBIAN_NETBOOT,
    STAND_IN_FILE,
)
"""The paths that `interpret` looks at. Only the information files and the menus need their contents."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """What an image says it is."""

    family: Family | None = None
    product: str | None = None
    title: str = ""
    release: str | None = None
    build: str | None = None
    automated: bool = False
    medium: Medium | None = None


PACKAGE_LISTS: Final = tuple(
    f"/dists/{codename}/main/binary-amd64/Packages.gz" for codename in ("bookworm", "trixie")
)
"""Where a Debian disc of each release lists its packages (debian-cd)."""

PACKAGE_LIST_LIMIT: Final = 64 << 20
"""Bytes of such a list, packed and unpacked; that of the whole archive has 50 MiB."""


def packages_on_disc(lists: Mapping[str, bytes]) -> frozenset[str] | None:
    """The names of the packages that the lists of a disc name; None if no list can be read."""
    found: set[str] = set()
    for packed in lists.values():
        unpacker = zlib.decompressobj(wbits=31)
        try:
            text = unpacker.decompress(packed, PACKAGE_LIST_LIMIT)
        except zlib.error:
            return None
        if not unpacker.eof:
            return None
        found.update(
            name.decode("ascii", "replace") for name in re.findall(rb"^Package: (\S+)$", text, re.MULTILINE)
        )
    return frozenset(found) or None


def interpret(raw: RawIso, *, path: Path, looking: bool = False) -> tuple[IsoFacts | None, Report]:
    """Say what an image is and what is wrong with it.

    Args:
        raw: what was read, with `WANTED` as the wanted paths.
        path: the image's place in the fleet file, to which findings point.
        looking: the image is looked at and nothing is built on it: that it was prepared is a warning.

    Returns:
        The facts, or None when a finding is an error: nothing may be built on such an image.
    """
    report = Report()
    _check_size(raw, path, report)
    if raw.volume_size > raw.size:
        return None, report  # whatever else seems to be wrong may be in the part that is missing
    _check_marks(raw, path, report, Severity.WARNING if looking else Severity.ERROR)
    identity = _proxmox(raw, path, report) or _debian(raw, path, report) or _Identity(title=_title(raw))
    if report.has_errors:
        return None, report
    boot: set[Firmware] = set()
    if "bios" in raw.eltorito:
        boot.add("bios")
    if "uefi" in raw.eltorito:
        boot.add("uefi")
    facts = IsoFacts(
        size=raw.size,
        volume_id=printable(raw.volume_id),
        family=identity.family,
        product=identity.product,
        title=identity.title,
        release=identity.release,
        build=identity.build,
        automated=identity.automated,
        boot=frozenset(boot),
        menus=_menus(raw),
        medium=identity.medium,
        stand_in=_is_stand_in(raw, identity),
    )
    return facts, report


def _check_size(raw: RawIso, path: Path, report: Report) -> None:
    if raw.volume_size > raw.size:
        report.add(
            codes.TRUNCATED.finding(
                f"the volume claims {raw.volume_size} bytes, but the file has {raw.size}",
                "Download or copy the image again and compare its SHA-256 with the vendor's.",
                path=path,
            )
        )
    elif raw.size != raw.volume_size and raw.size % 2048:
        report.add(
            codes.ODD_SIZE.finding(
                f"the file has {raw.size} bytes, {raw.size - raw.volume_size} more than its volume, "
                "and is no multiple of 2048: Ventoy would stop and wait for ENTER",
                "Use the file as the vendor published it.",
                path=path,
            )
        )


def _check_marks(raw: RawIso, path: Path, report: Report, prepared: Severity) -> None:
    for file in _PREPARED:
        if file in raw.present:
            finding = codes.PREPARED.finding(
                f"the image holds {file}: it was prepared to install by itself",
                "Use the image as the vendor published it; ventoy-kit hands over the answer at boot.",
                path=path,
            )
            report.add(replace(finding, severity=prepared))
    if not raw.present.isdisjoint(_VENTOY_MARKS):
        report.add(
            codes.VENTOY_COMPATIBLE.finding(
                "the image holds a file ventoy.dat, which makes Ventoy leave its initramfs alone",
                "Use the image as the vendor published it.",
                path=path,
            )
        )
    if not raw.eltorito:
        report.add(
            codes.NOT_BOOTABLE.finding(
                "the image has no El Torito entry for BIOS or UEFI", "Name a bootable image.", path=path
            )
        )


def _proxmox(raw: RawIso, path: Path, report: Report) -> _Identity | None:
    """What a Proxmox image says it is, or None for any other image."""
    told = [_key_values(raw.files[file]) for file in (_CD_INFO, _DISK_INFO) if file in raw.files]
    told = [values for values in told if values.get("PRODUCT") in _PROXMOX]
    if not told:
        return None
    info = told[0]
    for key in ("PRODUCT", "RELEASE", "ISORELEASE"):
        values = sorted({other.get(key, "") for other in told})
        if len(values) > 1:
            report.add(
                codes.CONTRADICTION.finding(
                    f"{_CD_INFO} and {_DISK_INFO} disagree on {key}: "
                    + " and ".join(repr(value) for value in values),
                    "Use the image as the vendor published it.",
                    path=path,
                )
            )
    short = info["PRODUCT"]
    missing = [file for file in (*_PROXMOX_KERNEL, *_proxmox_medium(short)) if file not in raw.present]
    if missing:
        report.add(
            codes.CONTRADICTION.finding(
                f"the image calls itself {_PROXMOX[short]}, but lacks {', '.join(missing)}",
                "Use the image as the vendor published it.",
                path=path,
            )
        )
    return _Identity(
        family="proxmox",
        product=_PROXMOX[short],
        title=printable(info.get("PRODUCTLONG", "")) or _PROXMOX[short],
        release=_matching(r"\d{1,3}\.\d{1,3}", info.get("RELEASE")),
        build=_matching(r"\d{1,5}", info.get("ISORELEASE")),
        automated=_CAPABLE in raw.present,
    )


_DEBIAN_INFO: Final = re.compile(r"Debian GNU/Linux (\d{1,3}(?:\.\d{1,3}){0,2})(?=[\s,]|$)", re.ASCII)
_DEBIAN_VOLUME: Final = re.compile(r"Debian (\d{1,3}(?:\.\d{1,3}){1,2}) ", re.ASCII)


def _debian(raw: RawIso, path: Path, report: Report) -> _Identity | None:
    """What a Debian installer image says it is, or None for any other image, live systems among them."""
    info = _text(raw.files.get(_DISK_INFO, b""))
    match = _DEBIAN_INFO.match(info)
    disc = raw.present.issuperset(_DEBIAN_DISC)
    netboot = raw.present.issuperset(_DEBIAN_NETBOOT)
    if match is None or not (disc or netboot):
        return None
    release = match[1]
    volume = _DEBIAN_VOLUME.match(raw.volume_id)
    if volume is not None and volume[1] != release:
        report.add(
            codes.CONTRADICTION.finding(
                f"{_DISK_INFO} says Debian {release}, the volume identifier {printable(raw.volume_id)!r}",
                "Use the image as the vendor published it.",
                path=path,
            )
        )
    medium: Medium | None = None
    if not disc:
        medium = "netboot"
    elif re.search(r"\bNETINST\b", info):
        medium = "netinst"
    elif re.search(r"\bDVD\b", info):
        medium = "dvd"
    return _Identity(
        family="debian",
        product="debian",
        title=printable(info),
        release=release,
        automated=True,
        medium=medium,
    )


def _title(raw: RawIso) -> str:
    """A name for an image that the kit does not know: what it says of itself, or its volume identifier."""
    values = _key_values(raw.files.get(_CD_INFO, b""))
    return (
        printable(values.get("PRODUCTLONG", ""))
        or printable(_text(raw.files.get(_DISK_INFO, b"")))
        or printable(raw.volume_id)
        or "an image without a name"
    )


def _menus(raw: RawIso) -> tuple[BootMenu, ...]:
    found = []
    for file in (GRUB_MENU, ISOLINUX_MENU):
        try:
            found.append(BootMenu(file, raw.files[file].decode("utf-8")))
        except (KeyError, UnicodeDecodeError):
            continue  # whoever needs this menu finds it missing and refuses
    return tuple(found)


def _is_stand_in(raw: RawIso, identity: _Identity) -> bool:
    return (
        STAND_IN_FILE in raw.present
        or raw.volume_id.upper().startswith(STAND_IN_VOLUME)
        or STAND_IN_TITLE in identity.title
    )


def _key_values(data: bytes) -> dict[str, str]:
    """The KEY='value' lines of an information file; other lines are passed over, as the installer does."""
    values: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"\s*([A-Z_]+)=(?:'([^']*)'|\"([^\"]*)\"|(\S*))\s*", line)
        if match:
            values.setdefault(match[1], next((part for part in match.groups()[1:] if part is not None), ""))
    return values


def _text(data: bytes) -> str:
    """The first line of an information file."""
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else ""


def _matching(pattern: str, value: str | None) -> str | None:
    return value if value is not None and re.fullmatch(pattern, value, re.ASCII) else None


def printable(text: str, limit: int = 120) -> str:
    """Text from an image made fit for a terminal: one line, no control characters, not too long."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:limit].rstrip()
