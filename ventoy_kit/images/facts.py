"""What is known of an installer image, as frozen data. Nothing here trusts a file name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["proxmox", "debian"]
"""The kind of answer that an installer takes."""

Medium = Literal["netinst", "dvd", "netboot"]
"""How much of the system a Debian medium brings along: a base, everything on the disc, or nothing at all."""

Firmware = Literal["bios", "uefi"]
"""The firmware that finds a boot entry on the image."""

STAND_IN_FILE = "/VENTOY-KIT-STAND-IN.TXT"
"""A file with this name makes an image a stand-in, whatever else it holds."""

STAND_IN_VOLUME = "VK-STAND-IN"
"""A volume identifier with this beginning makes an image a stand-in, whatever else it holds."""

STAND_IN_TITLE = "(stand-in, cannot boot)"
"""Stand-ins carry this in the title of their product."""

ASSEMBLED = "assembled by ventoy-kit"
"""What an image that is made of a package says of itself in its title."""

GRUB_MENU = "/boot/grub/grub.cfg"
"""The menu that both installers' GRUB reads (Proxmox: BIOS and UEFI; Debian's own ISOs: UEFI)."""

ISOLINUX_MENU = "/isolinux/isolinux.cfg"
"""The menu that Debian's own ISOs read in BIOS mode."""


@dataclass(frozen=True, slots=True)
class BootMenu:
    """A boot loader's script on the image. `text` encodes to UTF-8 as the very bytes of the file."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class IsoFacts:
    """What an ISO file holds.

    Attributes:
        size: bytes of the file.
        volume_id: ISO 9660 volume identifier.
        family: the kind of answer its installer takes, or None if it is no installer that the kit knows.
        product: `proxmox-ve`, `proxmox-backup-server`, `proxmox-mail-gateway`, `debian`, or None.
        title: the image's name for people, safe to print.
        release: `9.1`, `12.11.0`, `12`, or None where the image does not say.
        build: the vendor's build of a release (`1` of Proxmox VE 9.1-1), or None.
        automated: whether the installer can run unattended.
        boot: the firmware kinds with an El Torito entry.
        menus: the boot loaders' scripts that were found and are valid UTF-8.
        medium: for Debian, how much the medium brings along; None where that is not known.
        stand_in: a stand-in made by ventoy-kit, never a vendor's image.
        packages: for a Debian DVD, the packages that lie on it; None where nobody looked.
    """

    size: int
    volume_id: str
    family: Family | None
    product: str | None
    title: str
    release: str | None
    build: str | None
    automated: bool
    boot: frozenset[Firmware]
    menus: tuple[BootMenu, ...]
    medium: Medium | None
    stand_in: bool
    packages: frozenset[str] | None = None

    @property
    def assembled(self) -> bool:
        """Whether the image says that ventoy-kit made it of a package; stand-ins aside, that is its origin."""
        return ASSEMBLED in self.title

    def menu(self, path: str) -> BootMenu | None:
        """The boot menu at this path of the image, if there is one."""
        return next((menu for menu in self.menus if menu.path == path), None)
