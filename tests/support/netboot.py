"""A bootable ISO from Debian's own netboot package: a real installer as input of the tests."""

import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

_PICTURES = "usr/lib/debian-installer/images"


def kernel_release(package_root: Path) -> str:
    """The release of the kernel in an unpacked `debian-installer-*-netboot-amd64`, which the components must be for.

    `kernel_version` of the setup header, less 0x200, points at it (Linux, Documentation/arch/x86/boot.rst).
    """
    kernel = next((package_root / _PICTURES).glob("*/amd64/text/debian-installer/amd64/linux")).read_bytes()
    (offset,) = struct.unpack_from("<H", kernel, 0x20E)
    return kernel[offset + 0x200 :].split(b" ", 1)[0].decode()


def build_netboot_iso(package_root: Path, out: Path, *, words: str = "", more: bytes = b"") -> None:
    """Put kernel, initrd and menu of an unpacked `debian-installer-*-netboot-amd64` into an ISO.

    grub-mkrescue gives it GRUB for BIOS and UEFI. Nothing of the package is changed, but for `words` that are put on
    the kernel lines of its menu, and for `more`, a cpio archive that is put behind the initrd.
    """
    text = next((package_root / _PICTURES).glob("*/amd64/text"))
    release = text.parent.parent.name
    build = re.search(r"Installer build: (\S+)", (text / "version.info").read_text())
    assert build is not None
    package = f"debian-installer-{release}-netboot-amd64 {build[1]}"
    installer = text / "debian-installer" / "amd64"
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        root = Path(folder)
        kernel = root / "debian-installer" / "amd64"
        kernel.mkdir(parents=True)
        for name in ("linux", "initrd.gz"):
            shutil.copyfile(installer / name, kernel / name)
        with (kernel / "initrd.gz").open("ab") as initrd:
            initrd.write(b"\0" * (-initrd.tell() % 4) + more if more else b"")
        (root / "boot" / "grub").mkdir(parents=True)
        for name in ("grub.cfg", "font.pf2"):
            shutil.copyfile(installer / "grub" / name, root / "boot" / "grub" / name)
        if words:
            menu = root / "boot" / "grub" / "grub.cfg"
            menu.write_text(
                re.sub(r"^(\s*linux .*) ---", rf"\1 {words} ---", menu.read_text(), flags=re.MULTILINE)
            )
        (root / ".disk").mkdir()
        (root / ".disk" / "info").write_text(
            f"Debian GNU/Linux {release} netboot, assembled by ventoy-kit from {package}\n"
        )
        made = subprocess.run(
            ["grub-mkrescue", "-o", str(out), folder, "--", "-volid", f"Debian {release} netboot amd64"],
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise RuntimeError(f"grub-mkrescue failed: {made.stderr}")
