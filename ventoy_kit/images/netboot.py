"""The recipe that makes Debian's netboot package into an ISO for BIOS and UEFI. Pure: a layout and argument lists.

Kernel, initrd, menu, and for UEFI Debian's signed shim and GRUB come from the package as they are. For BIOS the package has
no loader that reads a CD, so GRUB is made from this machine's modules; therefore the ISO's digest depends on the
toolchain. Sources: the package `debian-installer-12-netboot-amd64`; grub-mkimage(1); xorrisofs(1), SOURCE_DATE_EPOCH;
mtools(1). Tried: the signed GRUB looks for `/debian-installer/amd64/grub/grub.cfg` on the medium that it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from ventoy_kit.images.facts import ASSEMBLED

RECIPE: Final = "debian-netboot-1"
"""Named in the lock. To be counted up whenever the same package would give other bytes."""

GRUB_MODULES: Final = "/usr/lib/grub/i386-pc"
"""Where GRUB's packages put the parts for BIOS."""

TOOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "apt-get": "apt",
        "apt-config": "apt",
        "dpkg-deb": "dpkg",
        "grub-mkimage": "grub-common",
        "mcopy": "mtools",
        "mformat": "mtools",
        "mmd": "mtools",
        "xorriso": "xorriso",
    }
)
"""The programs that fetching and assembling need, and their Debian packages."""

VERSIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "grub": ("grub-mkimage", "--version"),
        "mtools": ("mformat", "--version"),
        "xorriso": ("xorriso", "-version"),
    }
)
"""What tells the versions of the tools that shape the ISO's bytes."""

_BIOS_MODULES: Final = (
    *(
        "biosdisk",
        "iso9660",
        "part_msdos",
        "part_gpt",
        "normal",
        "configfile",
        "search",
        "search_fs_file",
        "test",
    ),
    *(
        "echo",
        "linux",
        "gzio",
        "font",
        "gfxterm",
        "gfxterm_background",
        "png",
        "video_bochs",
        "video_cirrus",
        "vbe",
    ),
    *(
        "vga",
        "all_video",
        "play",
        "serial",
        "terminal",
        "terminfo",
        "ls",
        "cat",
        "halt",
        "reboot",
        "sleep",
        "minicmd",
    ),
    *("help", "true"),
)
_STUB: Final = "debian-installer/amd64/grub/grub.cfg"
_EFI_SECTORS: Final = 16384
"""8 MiB for shim and GRUB, which have 5 in Debian 12."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What goes where; all paths are relative.

    Attributes:
        volume_id: the ISO's.
        dated: the file of the package whose time all dates of the ISO are.
        files: files of the package by their path in the ISO.
        trees: folders of the package, by their path in the ISO, without folders in them.
        texts: what is written here, by path in the ISO.
        efi: files of the package by their path in the EFI partition, which holds the stub menu of `texts`, too.
    """

    volume_id: str
    dated: str
    files: Mapping[str, str]
    trees: Mapping[str, str]
    texts: Mapping[str, str]
    efi: Mapping[str, str]


def layout(series: str, package: str, version: str, sha256: str) -> Layout:
    """The layout of one ISO.

    Args:
        series: Debian's, such as `13`.
        package: its name.
        version: its version.
        sha256: digest of the .deb file, by which the ISO is found when it boots.
    """
    base = f"usr/lib/debian-installer/images/{series}/amd64/text"
    inner = f"{base}/debian-installer/amd64"
    mark = f".disk/{sha256[:32]}"
    stub = (
        f"search --no-floppy --set=root --file /{mark}\n"
        "set prefix=($root)/boot/grub\nsource ($root)/boot/grub/grub.cfg\n"
    )
    return Layout(
        volume_id=f"Debian {series} netboot amd64",
        dated=f"{base}/version.info",
        files=MappingProxyType(
            {
                "debian-installer/amd64/linux": f"{inner}/linux",
                "debian-installer/amd64/initrd.gz": f"{inner}/initrd.gz",
                "boot/grub/grub.cfg": f"{inner}/grub/grub.cfg",
                "boot/grub/font.pf2": f"{inner}/grub/font.pf2",
                "boot/grub/fonts/unicode.pf2": f"{inner}/grub/font.pf2",
                "splash.png": f"{inner}/boot-screens/splash.png",
            }
        ),
        trees=MappingProxyType({"boot/grub/x86_64-efi": f"{inner}/grub/x86_64-efi"}),
        texts=MappingProxyType(
            {
                ".disk/info": f"Debian GNU/Linux {series} netboot, {ASSEMBLED} from {package} {version}\n",
                mark: f"{sha256}\n",
                _STUB: stub,
            }
        ),
        efi=MappingProxyType(
            {
                "EFI/BOOT/BOOTX64.EFI": f"{inner}/bootnetx64.efi",
                "EFI/BOOT/grubx64.efi": f"{inner}/grubx64.efi",
            }
        ),
    )


def commands(plan: Layout, epoch: int) -> Iterator[tuple[str, ...]]:
    """What makes `out.iso`, run in a folder with the ISO's tree in `iso/` and the EFI files in `efi/`.

    Args:
        plan: the layout.
        epoch: the time of all dates, in seconds since 1970.
    """
    efi = "iso/boot/grub/efi.img"
    yield (
        "mformat",
        "-C",
        "-i",
        efi,
        "-T",
        str(_EFI_SECTORS),
        "-h",
        "16",
        "-s",
        "32",
        "-N",
        "56544b31",
        "::",
    )
    paths = (*plan.efi, _STUB)
    folders = {path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)}
    yield ("mmd", "-i", efi, *(f"::{folder}" for folder in sorted(folders)))
    for path in paths:
        yield ("mcopy", "-i", efi, f"iso/{path}" if path == _STUB else f"efi/{path}", f"::{path}")
    bios = "iso/boot/grub/bios.img"
    yield (
        *("grub-mkimage", "-O", "i386-pc-eltorito", "-d", GRUB_MODULES, "-p", "/boot/grub", "-o", bios),
        *_BIOS_MODULES,
    )
    stamp = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%d%H%M%S00")
    yield (
        *("xorriso", "-no_rc", "-as", "mkisofs", "-quiet", "-r", "-iso-level", "3", "-V", plan.volume_id),
        *(f"--modification-date={stamp}", "--set_all_file_dates", stamp, "-o", "out.iso"),
        *("-b", "boot/grub/bios.img", "-c", "boot/boot.cat", "-no-emul-boot", "-boot-load-size", "4"),
        *("-boot-info-table", "--grub2-boot-info", "--grub2-mbr", f"{GRUB_MODULES}/boot_hybrid.img"),
        *(
            "--protective-msdos-label",
            "--efi-boot",
            "boot/grub/efi.img",
            "-efi-boot-part",
            "--efi-boot-image",
        ),
        "iso",
    )


def surroundings(epoch: int) -> tuple[str, ...]:
    """Variables for the commands, so that neither the clock, the time zone nor the user's settings reach the bytes."""
    return (f"SOURCE_DATE_EPOCH={epoch}", "TZ=UTC", "MTOOLSRC=/dev/null")


def version_in(output: str) -> str | None:
    """The version in what a tool printed of itself, such as `2.06-13+deb12u1`; None if there is none."""
    match = re.search(r"(?<![\w.])\d+\.\d+[\w.+~:-]*", output)
    return match[0].rstrip(".:-") if match is not None else None


def toolchain(versions: Sequence[tuple[str, str]]) -> str:
    """The name of a toolchain in the lock, from names and versions of its tools."""
    return ", ".join(f"{name} {version}" for name, version in sorted(versions))
