"""Stand-ins: tiny ISO files with the layout of the real installer images, for the demo and the tests.

They hold no kernel. Their volume identifier, a file in their root, their file name and the title of their product
say what they are, and `inspect.interpret` marks them by any of these. A BIOS that boots one shows a sentence and
stops; a UEFI finds no boot loader in the image that its entry names. The menus are written in the structure that
the real ones have (see `menu`), not copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from ventoy_kit.images.facts import GRUB_MENU, STAND_IN_FILE, STAND_IN_TITLE, STAND_IN_VOLUME

BIOS_IMAGE: Final = "/boot/grub/i386-pc/eltorito.img"
"""The El Torito boot image for BIOS in every stand-in."""

UEFI_IMAGE: Final = "/efi.img"
"""The El Torito boot image for UEFI in every stand-in."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a stand-in is made of.

    Attributes:
        volume_id: begins with `VK-STAND-IN`.
        file_name: begins with `STAND-IN-`.
        files: contents by absolute path; `BIOS_IMAGE` and `UEFI_IMAGE` are among them.
    """

    volume_id: str
    file_name: str
    files: Mapping[str, bytes]


def standin_files(kind: Literal["proxmox-ve", "debian"], release: str) -> StandIn:
    """The stand-in for one image.

    Args:
        kind: which image it stands for.
        release: as the vendor writes it, `9.1-1` for Proxmox VE and `12.11.0` for Debian.
    """
    own = _proxmox(release) if kind == "proxmox-ve" else _debian(release)
    what = f"{kind} {release}"
    files = {
        STAND_IN_FILE: (
            f"This is a STAND-IN for the installer image of {what}.\n"
            "ventoy-kit made it for its demo and its tests. It holds no kernel and no system,\n"
            "it cannot boot, and nothing can be installed from it.\n"
            "For a real stick, get the image from its vendor.\n"
        ).encode(),
        BIOS_IMAGE: _boot_sector(f"This is a STAND-IN for {what}, made by ventoy-kit. It cannot boot."),
        UEFI_IMAGE: _dummy("the UEFI boot loader", what),
        **own,
        **{
            path: _dummy(path, what)
            for path in (_PROXMOX_DUMMIES if kind == "proxmox-ve" else _DEBIAN_DUMMIES)
        },
    }
    return StandIn(
        volume_id=f"{STAND_IN_VOLUME} {'PVE' if kind == 'proxmox-ve' else 'DEB'}",
        file_name=f"STAND-IN-{kind}_{release}.iso",
        files=MappingProxyType(files),
    )


_PROXMOX_DUMMIES: Final = (
    "/boot/linux26",
    "/boot/initrd.img",
    "/pve-base.squashfs",
    "/pve-installer.squashfs",
)
_DEBIAN_DUMMIES: Final = ("/install.amd/vmlinuz", "/install.amd/initrd.gz")


def _proxmox(release: str) -> dict[str, bytes]:
    number, _, build = release.partition("-")
    info = (
        f"RELEASE='{number}'\nISORELEASE='{build or '1'}'\nISONAME='proxmox-ve'\n"
        f"PRODUCT='pve'\nPRODUCTLONG='Proxmox VE {STAND_IN_TITLE}'\n"
    ).encode()
    return {
        "/.cd-info": info,
        "/.disk/info": info,
        "/.pve-cd-id.txt": b"ventoy-kit stand-in\n",
        "/auto-installer-capable": b"",
        GRUB_MENU: _PROXMOX_MENU.encode(),
    }


def _debian(release: str) -> dict[str, bytes]:
    return {
        "/.disk/info": f'Debian GNU/Linux {release} "Stand-in" - {STAND_IN_TITLE} amd64 NETINST\n'.encode(),
        GRUB_MENU: _DEBIAN_MENU.encode(),
    }


def _dummy(part: str, what: str) -> bytes:
    return f"Stand-in for {part} of {what}, made by ventoy-kit. It cannot boot.\n".encode()


def _boot_sector(message: str) -> bytes:
    """A boot image of 2048 bytes that prints a message through the BIOS and halts."""
    code = bytes.fromhex(
        "31c0 8ed8 fc"  # xor ax, ax; mov ds, ax; cld
        "be 1a7c"  # mov si, 0x7c1a: the message, behind this code at 0x7c00
        "ac 84c0 7409"  # next: lodsb; test al, al; jz stop
        "b40e bb0700 cd10"  # mov ah, 0x0e; mov bx, 7; int 0x10
        "ebf2"  # jmp next
        "fa f4 ebfd"  # stop: cli; hlt; jmp stop + 1
    )
    return (code + message.encode("ascii") + b"\r\n\0").ljust(2048, b"\0")


_PROXMOX_MENU: Final = """\
insmod gzio
insmod iso9660

if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
   font=$prefix/unicode.pf2
fi

if loadfont $font; then
    set gfxmode=1024x768,640x480
    insmod all_video
    insmod gfxterm
    terminal_output gfxterm
fi

# a serial terminal, where the machine has one
insmod serial
if serial --unit=0 --speed=115200; then
    terminal_input --append serial
    terminal_output --append serial
    set show_serial_entry=y
fi

if [ -f auto-installer-mode.toml ]; then
    set timeout-style=menu
    set timeout=10

    menuentry 'Install Proxmox VE (Automated)' --class debian --class os {
        echo    'STAND-IN: this image cannot boot'
        linux   /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent proxmox-start-auto-installer
        initrd  /boot/initrd.img
     }
fi

menuentry 'Install Proxmox VE (Graphical)' --class debian --class os {
    echo    'STAND-IN: this image cannot boot'
    linux   /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent
    initrd  /boot/initrd.img
}

menuentry 'Install Proxmox VE (Terminal UI)' --class debian --class os {
    set background_color=black
    linux   /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent proxtui vga=788
    initrd  /boot/initrd.img
}

if [ x"${show_serial_entry}" == 'xy' ]; then
    menuentry 'Install Proxmox VE (Terminal UI, Serial Console)' --class debian --class os {
        linux   /boot/linux26 ro ramdisk_size=16777216 rw splash=verbose proxtui console=ttyS0,115200
        initrd  /boot/initrd.img
    }
fi

submenu 'Advanced Options' {
    menuentry 'Install Proxmox VE (Graphical, Debug Mode)' --class debian --class os {
        linux   /boot/linux26 ro ramdisk_size=16777216 rw splash=verbose proxdebug vga=788
        initrd  /boot/initrd.img
    }

    if [ ! -f auto-installer-mode.toml ]; then
        menuentry 'Install Proxmox VE (Automated)' --class debian --class os {
            linux   /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent proxmox-start-auto-installer
            initrd  /boot/initrd.img
         }
    fi

    menuentry 'UEFI Firmware Settings' --id 'uefi-firmware' {
        fwsetup
    }
}
"""

_DEBIAN_MENU: Final = """\
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
   font=$prefix/font.pf2
fi

if loadfont $font ; then
  set gfxmode=800x600
  set gfxpayload=keep
  insmod gfxterm
  terminal_output gfxterm
fi

set menu_color_normal=cyan/blue
set menu_color_highlight=white/blue

menuentry --hotkey=i 'Install' {
    set background_color=black
    echo     'STAND-IN: this image cannot boot'
    linux    /install.amd/vmlinuz vga=788 --- quiet
    initrd   /install.amd/initrd.gz
}
submenu --hotkey=a 'Advanced options ...' {
    menuentry --hotkey=x '... Expert install' {
        set background_color=black
        linux    /install.amd/vmlinuz priority=low vga=788 ---
        initrd   /install.amd/initrd.gz
    }
    menuentry --hotkey=r '... Rescue mode' {
        set background_color=black
        linux    /install.amd/vmlinuz vga=788 rescue/enable=true --- quiet
        initrd   /install.amd/initrd.gz
    }
    menuentry --hotkey=a '... Automated install' {
        set background_color=black
        linux    /install.amd/vmlinuz auto=true priority=critical vga=788 --- quiet
        initrd   /install.amd/initrd.gz
    }
}
"""
