"""A disk with a Debian that debootstrap made and that starts by UEFI: what an installer would leave, without one.

The kernel is the one for virtual machines, which has NVMe and ext4 built in, so it needs no RAM disk.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ESP = (2048, 131072)
ROOT_START = ESP[0] + ESP[1]
MENU = """\
menuentry 'Debian GNU/Linux' {
\tlinux /vmlinuz root=/dev/nvme0n1p2 rw quiet console=tty0 console=ttyS0
}
"""
LOADER = (
    "search --file --set=root /vmlinuz\nlinux /vmlinuz root=%s rw quiet console=tty0 console=ttyS0\nboot\n"
)
MODULES = ("part_gpt", "ext2", "search", "search_fs_file", "linux", "normal")


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)


def debian_root(cache: Path, mirror: str) -> Path:
    """The files of a small Debian with systemd, kept between runs."""
    root = cache / "rehearsed-root-trixie"
    if not root.exists():
        scratch = cache / "rehearsed-root-trixie.new"
        shutil.rmtree(scratch, ignore_errors=True)
        run(
            "debootstrap",
            "--variant=minbase",
            "--include=systemd-sysv,ifupdown,iproute2",
            "trixie",
            scratch,
            mirror,
        )
        scratch.rename(root)
    return root


def make_disk(
    folder: Path, root: Path, kernel: Path, *, host: str, address: str, device: str = "/dev/nvme1n1p2"
) -> Path:
    """The disk's image.

    Args:
        folder: for files on the way.
        root: a Debian's files.
        kernel: an unpacked kernel package for virtual machines.
        host: the name that it says at its login.
        address: in /etc/network/interfaces.
        device: where the root file system will be.
    """
    tree, part, esp, disk = folder / "tree", folder / "part", folder / "esp", folder / "installed.img"
    run("cp", "-a", root, tree)
    (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
    shutil.copy(vmlinuz, tree / "vmlinuz")
    files = {
        "etc/hostname": f"{host}\n",
        "etc/fstab": f"{device} / ext4 errors=remount-ro 0 1\n",
        "etc/network/interfaces": f"auto lo\niface lo inet loopback\n# iface eth0: address {address}\n",
        "boot/grub/grub.cfg": MENU,
    }
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    with part.open("wb") as file:
        file.truncate(900 << 20)
    run("mkfs.ext4", "-q", "-d", tree, part)
    (folder / "grub.cfg").write_text(LOADER % device)
    run(
        "grub-mkimage",
        "-O",
        "x86_64-efi",
        "-p",
        "/",
        "-o",
        folder / "boot.efi",
        "-c",
        folder / "grub.cfg",
        *MODULES,
    )
    with esp.open("wb") as file:
        file.truncate(ESP[1] * 512)
    run("mformat", "-i", esp, "-F", "::")
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", esp, folder / "boot.efi", "::/EFI/BOOT/BOOTX64.EFI")
    size = ROOT_START * 512 + part.stat().st_size + (1 << 20)
    with disk.open("wb") as file:
        file.truncate(size)
    script = f"label: gpt\nstart={ESP[0]}, size={ESP[1]}, type=uefi\nstart={ROOT_START}, size={part.stat().st_size // 512}\n"
    subprocess.run(["sfdisk", "-q", disk], input=script.encode(), check=True)
    run("dd", f"if={esp}", f"of={disk}", "bs=1M", f"seek={ESP[0] // 2048}", "conv=notrunc,sparse")
    run("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={ROOT_START // 2048}", "conv=notrunc,sparse")
    shutil.rmtree(tree)
    part.unlink()
    return disk
