"""An ISO that boots as the Proxmox VE installer's does, with a Debian kernel and nothing of Proxmox in it.

Folders, mounts and their order are those of the real one's init (docs of this project, and public copies of 8.x and
9.x); the file systems in it are ext2, since only that they are there matters. In the place of the installer a script
says over the serial line what the installer would find. What the console shows goes over the serial line, too, each
time that it changes, between `SCREEN` and `SHOWN`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULES = (
    *("usb_storage", "uas", "xhci_pci", "ahci", "sd_mod", "nvme", "virtio_pci", "virtio_blk", "e1000"),
    *("dm_mod", "loop", "isofs", "overlay", "efivarfs", "crc32c_generic", "ext4", "nls_cp437", "nls_utf8"),
)

_INFO = """\
RELEASE='9.1'
ISORELEASE='1'
ISONAME='proxmox-ve'
PRODUCT='pve'
PRODUCTLONG='Proxmox VE'
"""

_INIT = """\
#!/bin/sh
# Written for the tests of ventoy-kit: mounts what the Proxmox VE installer's init mounts. PVE
export PATH=/sbin:/bin
. /.cd-info
mount -nt proc proc /proc
mount -nt sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in {modules}; do modprobe "$module"; done
if [ -d /sys/firmware/efi ]; then
    mount -nt efivarfs efivarfs /sys/firmware/efi/efivars
fi
console=tty1
(
    while :; do
        cat /dev/vcs1 >/shown.new
        if ! cmp -s /shown.new /shown; then
            mv /shown.new /shown
            {{ echo SCREEN; fold -w "$(stty size </dev/tty1 | cut -d ' ' -f 2)" /shown; echo; echo SHOWN; }} >/dev/ttyS0
        fi
        sleep 1
    done
) 2>/dev/null &

cdrom=
for try in 1 2 3 4 5 6 7 8 9; do
    for i in /sys/block/hd* /sys/block/sr* /sys/block/scd* /sys/block/sd* /sys/block/nvme*; do
        [ -d "$i" ] && [ -z "$cdrom" ] || continue
        if mount -t iso9660 -o ro "/dev/${{i##*/}}" /mnt 2>/dev/null; then
            if cmp -s /mnt/.pve-cd-id.txt /.pve-cd-id.txt; then cdrom="/dev/${{i##*/}}"; else umount /mnt; fi
        fi
    done
    [ -z "$cdrom" ] || break
    sleep "$try"
done
if [ -f /mnt/pve-installer.squashfs ]; then
    mount -t ext2 -o ro,loop /mnt/pve-base.squashfs /mnt/.base
    mount -t ext2 -o ro,loop /mnt/pve-installer.squashfs /mnt/.installer
    mount -t tmpfs tmpfs /mnt/.workdir
    mkdir /mnt/.workdir/work
    mkdir /mnt/.workdir/upper
    mount -t overlay -o lowerdir=/mnt/.installer:/mnt/.base,upperdir=/mnt/.workdir/upper,workdir=/mnt/.workdir/work none /mnt/.installer-mp
    mount --bind /mnt /mnt/.installer-mp/cdrom
    mount -t devtmpfs devtmpfs /mnt/.installer-mp/dev
    mkdir /mnt/.installer-mp/found
    if ! exec switch_root -c /dev/console /mnt/.installer-mp /bin/setsid /bin/sh -c "exec /sbin/unconfigured.sh </dev/$console >/dev/$console 2>&1"; then
        echo 'no switch'
    fi
fi
echo 'NO MEDIUM' >/dev/ttyS0
poweroff -f
"""

_INSTALLER = """\
#!/bin/sh
# Written for the tests of ventoy-kit, in the place of the Proxmox VE installer: says what it would find.
export PATH=/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
{
    echo "COMMAND LINE $(cat /proc/cmdline)"
    for disk in /sys/block/sd*; do
        echo "DISK /dev/${disk##*/} $(tr -cd '!-~' <"$disk/device/vpd_pg80") $(readlink -f "$disk")"
    done
    for file in auto-installer-mode.toml answer.toml proxmox-first-boot; do
        if [ -e "/cdrom/$file" ]; then echo "FILE $file"; cat "/cdrom/$file"; echo; echo "END OF $file"; else echo "NO $file"; fi
    done
    echo 'INSTALLER READY'
} >/dev/ttyS0 2>&1
echo 'Here Proxmox VE would be installed. This medium was made for tests:'
echo 'it installs nothing, says over the serial line what it has found,'
echo 'and stays like this until the machine is switched off.'
sleep 100000
"""

_MENU = """\
insmod gzio
insmod all_video
if loadfont $prefix/fonts/unicode.pf2; then
    set gfxmode=1024x768
    insmod gfxterm
    terminal_output gfxterm
fi
insmod serial
if serial --unit=0 --speed=115200; then
    terminal_input --append serial
    terminal_output --append serial
fi
if [ -f auto-installer-mode.toml ]; then
    set timeout-style=menu
    set timeout=10
    menuentry 'Install Proxmox VE (Automated)' --class debian {
        linux /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent proxmox-start-auto-installer
        initrd /boot/initrd.img
    }
fi
menuentry 'Install Proxmox VE (Graphical)' --class debian {
    linux /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent
    initrd /boot/initrd.img
}
menuentry 'Install Proxmox VE (Terminal UI)' --class debian {
    linux /boot/linux26 ro ramdisk_size=16777216 rw quiet splash=silent proxtui vga=788
    initrd /boot/initrd.img
}
"""


def build_pve_medium(kernel_package: Path, out: Path) -> None:
    """Make the ISO.

    Args:
        kernel_package: an unpacked linux-image package.
        out: the file to make.
    """
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        iso, initrd = Path(folder) / "iso", Path(folder) / "initrd"
        (iso / "boot/grub").mkdir(parents=True)
        for name in (".base", ".installer", ".workdir", ".installer-mp", ".disk"):
            (iso / name).mkdir()
        _root(initrd)
        _modules(kernel_package, initrd)
        _program(initrd / "init", _INIT.format(modules=" ".join(MODULES)))
        for root in (initrd, iso):
            (root / ".cd-info").write_text(_INFO)
            (root / ".pve-cd-id.txt").write_text("medium of the tests\n")
        (iso / ".disk/info").write_text(_INFO)
        (iso / "auto-installer-capable").touch()
        (iso / "boot/grub/grub.cfg").write_text(_MENU)
        (kernel,) = (kernel_package / "boot").glob("vmlinuz-*")
        shutil.copyfile(kernel, iso / "boot/linux26")
        with (iso / "boot/initrd.img").open("wb") as file:
            pack = "find . | cpio -o -H newc --quiet | gzip -1"
            subprocess.run(["sh", "-c", pack], cwd=initrd, check=True, stdout=file)
        base, installer = Path(folder) / "base", Path(folder) / "installer"
        _root(base)
        (installer / "sbin").mkdir(parents=True)
        _program(installer / "sbin/unconfigured.sh", _INSTALLER)
        for root in (base, installer):
            image = iso / f"pve-{root.name}.squashfs"
            subprocess.run(["mkfs.ext2", "-q", "-d", root, image, "8M"], check=True)
        made = subprocess.run(
            ["grub-mkrescue", "-o", out, iso, "--", "-volid", "PVE"], capture_output=True, text=True
        )
        assert made.returncode == 0, made.stderr


def _root(path: Path) -> None:
    for name in ("bin", "sbin", "etc", "proc", "sys", "dev", "mnt", "tmp", "run", "cdrom"):
        (path / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, path / "bin/busybox")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for name in listed.split():
        if name not in ("busybox", "init", "linuxrc"):
            (path / "bin" / name).symlink_to("busybox")
    for name in ("modprobe", "switch_root"):
        (path / "sbin" / name).symlink_to("../bin/busybox")


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _modules(kernel_package: Path, root: Path) -> None:
    """The kernel's modules that the medium loads, and what they need."""
    tree = next(p for p in (*kernel_package.glob("lib/modules/*"), *kernel_package.glob("usr/lib/modules/*")))
    whole = root.with_name("modules") / "lib/modules" / tree.name
    shutil.copytree(tree, whole, ignore=shutil.ignore_patterns("build", "source"))
    subprocess.run(["busybox", "depmod", "-b", whole.parents[2], tree.name], check=True)
    needs = dict(line.split(":") for line in (whole / "modules.dep").read_text().splitlines())
    by_name = {re.sub(r"\.ko.*", "", p.rsplit("/", 1)[1]).replace("-", "_"): p for p in needs}
    target = root / "lib/modules" / tree.name
    for name in (n for n in MODULES if n in by_name):  # else it is built in
        for path in (by_name[name], *needs[by_name[name]].split()):
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(whole / path, target / path)
    for file in tree.glob("modules.*"):
        shutil.copyfile(file, target / file.name)
    subprocess.run(["busybox", "depmod", "-b", root, tree.name], check=True)
