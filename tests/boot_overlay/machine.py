"""A virtual machine with UEFI that starts the boot overlay from a stick, again and again, with one variable store.

The stick is a disk whose GRUB starts a Debian kernel with an initramfs that holds the scripts and busybox; the mounts
that they expect are made by a small /init. The system disk's GRUB says that it runs and restarts the machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.boot_overlay.scratch import SCRIPTS, Scratch, busybox

GRUB_MODULES = ["fat", "linux", "serial", "terminal", "search", "search_fs_file", "normal", "echo", "reboot"]
STICK_MENU = """\
search --file --set=root /vmlinuz
linux /vmlinuz console=ttyS0 quiet panic=-1 proxmox-start-auto-installer
initrd /initrd
boot
"""
SYSTEM_MENU = """\
serial --unit=0 --speed=115200
terminal_output serial
echo "INSTALLED SYSTEM"
reboot
"""
INIT = """\
#!/bin/sh
# Written for the tests: the mounts of the Proxmox VE installer's init.
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
modprobe overlay
mount -t tmpfs medium /mnt
mkdir -p /mnt/.workdir /mnt/.installer-mp
echo installer >/mnt/pve-installer.squashfs
mount -t tmpfs tmpfs /mnt/.workdir
mount -t tmpfs installer /mnt/.installer-mp
mkdir /mnt/.installer-mp/cdrom
mount -o bind /mnt /mnt/.installer-mp/cdrom
echo "START at $(date -u +%Y%m%dT%H%M%SZ)"
sh /ventoy-kit/proxmox.sh ttyS0
echo "HANDED OVER: $(grep disk-list /mnt/.installer-mp/cdrom/answer.toml)"
if [ -e /boot-entry ]; then  # as an installer does it
    for name in Boot0099 BootOrder; do
        variable="/sys/firmware/efi/efivars/$name-8be4df61-93ca-11d2-aa0d-00e098032b8c"
        if [ -e "$variable" ]; then
            chattr -i "$variable" || /ventoy/busybox/busybox chattr -i "$variable"
            cat "$variable" >/boot-order
            printf '\\231\\000' >>/boot-order
        else
            cp /boot-entry /boot-order
        fi
        dd if=/boot-order of="$variable" bs=4096 conv=notrunc
    done
fi
echo "GUARD: $(dd if=$(echo /sys/firmware/efi/efivars/VentoyKitArming-*) bs=4 skip=1 2>/dev/null)"
cat /ventoy-kit/log
reboot -f
"""
FIRMWARE = Path("/usr/share/OVMF")


@dataclass
class Machine:
    """One machine: its folder holds the variable store and both disks."""

    path: Path
    kernel: Path
    disks: tuple[str, ...] = ("stick", "system")

    def __post_init__(self):
        self.path.mkdir()
        shutil.copy(FIRMWARE / "OVMF_VARS_4M.fd", self.path / "vars.fd")
        for name in self.disks[1:]:
            self._disk(name, self._grub(name, SYSTEM_MENU.replace("SYSTEM", name.upper())), {})

    def partitioned(self, name: str) -> bytes:
        """Put a disk's files into a partition; its boot entry, as an installer makes it in efivarfs."""
        image, moved = self.path / f"{name}.img", self.path / f"{name}.part"
        image.rename(moved)
        with image.open("wb") as file:
            file.truncate((64 << 20) + (4 << 20))
        table = "label: gpt\nfirst-lba: 34\nstart=2048, size=131072, type=U\n"
        subprocess.run(["sfdisk", "-q", image], input=table.encode(), check=True)
        with image.open("r+b") as file:
            file.seek(2048 * 512)
            file.write(moved.read_bytes())
            file.seek(2 * 512 + 16)
            guid = file.read(16)
        program = "\\EFI\\BOOT\\BOOTX64.EFI\0".encode("utf-16-le")
        place = (1).to_bytes(4, "little") + (2048).to_bytes(8, "little") + (131072).to_bytes(8, "little")
        path = bytes.fromhex("04012a00") + place + guid + b"\2\2"
        path += b"\4\4" + (4 + len(program)).to_bytes(2, "little") + program + bytes.fromhex("7fff0400")
        title = "Installed\0".encode("utf-16-le")
        return b"\7\0\0\0\1\0\0\0" + len(path).to_bytes(2, "little") + title + path

    def _grub(self, name: str, menu: str) -> Path:
        config, program = self.path / f"{name}.cfg", self.path / f"{name}.efi"
        config.write_text(menu)
        command: list[str | Path] = ["grub-mkstandalone", "-O", "x86_64-efi", "-o", program]
        command += ["--install-modules=" + " ".join(GRUB_MODULES), "--locales=", "--fonts=", "--themes="]
        subprocess.run([*command, f"boot/grub/grub.cfg={config}"], check=True, capture_output=True)
        return program

    def _disk(self, name: str, program: Path, files: dict[str, Path]) -> None:
        image = self.path / f"{name}.img"
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mformat", "-i", image, "-F", "::"], check=True)
        subprocess.run(["mmd", "-i", image, "::/EFI", "::/EFI/BOOT"], check=True)
        for target, source in {"EFI/BOOT/BOOTX64.EFI": program, **files}.items():
            subprocess.run(["mcopy", "-i", image, source, f"::/{target}"], check=True)

    def stick(self, root: Scratch, *, chattr: bool = True, before: str = "") -> None:
        """Make the stick from a scratch root.

        Args:
            root: what the initramfs holds.
            chattr: without it no program can clear an immutable flag.
            before: shell code that runs before the step, when efivarfs is mounted.
        """
        guard = (SCRIPTS / "guard.sh").read_text() + "VK_COUNTDOWN=2 VK_BEFORE_RESTART=1 VK_BEFORE_OFF=1\n"
        root.write("ventoy-kit/guard.sh", guard)
        mounted = (
            f"modprobe efivarfs\nmount -t efivarfs efivarfs /sys/firmware/efi/efivars\n{before}\n"
            if before
            else ""
        )
        root.write("init", INIT.replace("sh /ventoy-kit/", f"{mounted}sh /ventoy-kit/"), 0o755)
        for name in ("reboot", "poweroff"):
            (root.path / "bin" / name).symlink_to("busybox")
        for name in ("proc", "sys", "dev"):
            shutil.rmtree(root.path / name)
            (root.path / name).mkdir()
        (root.path / "mnt").mkdir()
        self._modules(root)
        if chattr:
            self._chattr(root)
        elif (root.path / "bin/chattr").is_symlink():
            (root.path / "bin/chattr").unlink()
        initrd = self.path / "initrd"
        with initrd.open("wb") as file:
            pack = "find . | cpio -o -H newc --quiet"
            subprocess.run(["sh", "-c", pack], cwd=root.path, check=True, stdout=file)
        self._disk("stick", self._grub("stick", STICK_MENU), {"vmlinuz": self.vmlinuz, "initrd": initrd})

    @property
    def vmlinuz(self) -> Path:
        (found,) = (self.kernel / "boot").glob("vmlinuz-*-cloud-amd64")
        return found

    def _modules(self, root: Scratch) -> None:
        (folder,) = (self.kernel / "lib/modules").glob("*-cloud-amd64")
        names = ("kernel/fs/efivarfs/efivarfs.ko", "kernel/fs/overlayfs/overlay.ko")
        for name in names:
            root.write(f"lib/modules/{folder.name}/{name}", (folder / name).read_bytes())
        root.write(f"lib/modules/{folder.name}/modules.dep", "".join(f"{name}:\n" for name in names))

    def _chattr(self, root: Scratch) -> None:
        """Where Ventoy has its own; the system's, if the busybox under test has none."""
        if "chattr" in busybox()[1]:
            return
        program = shutil.which("chattr")
        assert program is not None
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for file in re.findall(r"(/\S+) \(0x", listed):
            root.write(file, Path(file).read_bytes(), 0o755)
        root.write("ventoy/busybox/chattr", Path(program).read_bytes(), 0o755)

    def run(
        self, *, until: str = "", clock: str = "2026-11-23T12:00:00", uefi: bool = True, timeout: float = 170
    ) -> str:
        """Switch on, until the machine switches itself off or shows `until`; what the serial console showed.

        Without `uefi` the kernel is started by SeaBIOS, with QEMU in the place of the stick's GRUB.
        """
        serial = self.path / "serial.log"
        serial.unlink(missing_ok=True)
        command: list[str] = ["qemu-system-x86_64", "-accel", "tcg,thread=multi"]
        command += ["-M", "q35", "-cpu", "max", "-m", "512", "-smp", "1", "-display", "none", "-nodefaults"]
        command += ["-rtc", f"base={clock}", "-smbios", "type=1,serial=SN-1", "-serial", f"file:{serial}"]
        if uefi:
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}/OVMF_CODE_4M.fd"]
            command += ["-drive", f"if=pflash,format=raw,file={self.path}/vars.fd"]
        else:
            command += ["-kernel", str(self.vmlinuz), "-initrd", f"{self.path}/initrd"]
            command += ["-append", "console=ttyS0 quiet panic=-1 proxmox-start-auto-installer"]
        for index, name in enumerate(self.disks):
            command += ["-drive", f"if=none,id={name},format=raw,file={self.path}/{name}.img"]
            order = f",bootindex={index}" if uefi else ""
            command += ["-device", f"nvme,drive={name},serial={name.upper()}{order}"]
        machine = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + timeout
        try:
            while machine.poll() is None and time.monotonic() < end:
                if until and serial.exists() and until in serial.read_text(errors="replace"):
                    break
                time.sleep(0.2)
            ended = machine.poll()
        finally:
            machine.kill()
            errors = machine.communicate()[1]
        screen = serial.read_text(errors="replace").replace("\r", "")
        assert until or ended == 0, f"{errors}{screen}"
        assert until in screen, screen
        return screen
