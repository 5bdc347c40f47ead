"""A scratch root in which the scripts of the boot overlay run by chroot, with busybox as the only program.

It looks like the initramfs of an installer under Ventoy: sysfs is a folder of files, the ticket is at
/ventoy/autoinstall, the overlay's data at /ventoy-kit. VENTOY_KIT_TEST_BUSYBOX names another static busybox, such as
Ventoy's own.
"""

from __future__ import annotations

import functools
import os
import pty
import shutil
import stat
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "boot_overlay"
HOOK = "/live_injection_7ed136ec_7a61_4b54_adc3_ae494d5106ea/hook.sh"
GENERATION = "0123abcd"
UUID = "4c4c4544-0031-3510-8057-b4c04f4d3533"
GB = 10**9

PROXMOX_INIT = """\
#!/bin/sh
# Written for the tests; follows the order of the Proxmox VE installer's init.
PRODUCT=PVE
console=tty1
mount -nt proc proc /proc
for i in /sys/block/dm* /sys/block/hd* /sys/block/sd*; do
    echo "$i"
done
if [ -f /mnt/pve-installer.squashfs ]; then
    if ! mount -t tmpfs tmpfs /mnt/.workdir; then
        echo 'no workdir'
    fi
    mkdir /mnt/.workdir/work /mnt/.workdir/upper
    if ! mount --bind /mnt /mnt/.installer-mp/cdrom; then
        echo 'no cdrom'
    fi
    cp /.cd-info /mnt/.installer-mp/ || true
    # here comes exec switch_root -c /dev/console /mnt/.installer-mp
    if ! exec switch_root -c /dev/console /mnt/.installer-mp /bin/setsid /bin/sh -c "exec /sbin/unconfigured.sh"; then
        echo 'no switch'
    fi
    umount /mnt/.installer-mp/cdrom
    umount /mnt/.workdir/
else
    exec /sbin/switch_root -c /dev/console /mnt sbin/init
fi
"""
"""As of 9.x; 8.4 is alike."""

OLD_PROXMOX_INIT = """\
#!/bin/sh
console=tty1
mount -t tmpfs tmpfs /mnt/.workdir || echo 'no workdir'
mount --bind /mnt /mnt/.installer-mp/cdrom
exec switch_root -c /dev/console /mnt/.installer-mp /sbin/unconfigured.sh </dev/$console >/dev/$console 2>&1
"""
"""The plain form without `if`."""

STEP = 'sh /ventoy-kit/proxmox.sh "${console:-}" || true'


@functools.cache
def busybox() -> tuple[Path, tuple[str, ...]]:
    """The busybox under test and its applets."""
    program = Path(os.environ.get("VENTOY_KIT_TEST_BUSYBOX") or shutil.which("busybox") or "/bin/busybox")
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return program, tuple(applets)


@dataclass
class Scratch:
    """One root folder and what was put into it."""

    path: Path
    family: str = "proxmox"
    minor: int = 0

    def __post_init__(self):
        program, applets = busybox()
        for folder in ("bin", "proc/self", "dev", "tmp", "sys/block", "sys/class/dmi/id", "sys/class/net"):
            (self.path / folder).mkdir(parents=True)
        shutil.copy(program, self.path / "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                (self.path / "bin" / applet).symlink_to("busybox")
        # A console on which nobody answers; tests that need one bind a pseudo terminal over it.
        os.mknod(self.path / "dev/console", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        self.write("proc/cmdline", "BOOT_IMAGE=/boot/linux26 ro quiet proxmox-start-auto-installer\n")
        self.write("proc/self/mountinfo", "21 1 0:19 / /proc rw - proc proc rw\n")
        self.write(HOOK, (SCRIPTS / "hook.sh").read_text())
        for script in SCRIPTS.iterdir():
            if script.name not in ("hook.sh", "README.md"):
                target = "codes" if script.name == "codes.tsv" else script.name
                self.write(f"ventoy-kit/{target}", script.read_text(), 0o755)
        self.write("ventoy-kit/identity", "")
        self.write(".cd-info", "RELEASE='9.1'\nPRODUCT='pve'\n")
        self.overlay()

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> Path:
        file = self.path / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)
        return file

    def read(self, name: str) -> str:
        return (self.path / name.lstrip("/")).read_text()

    def append(self, name: str, text: str) -> None:
        self.write(name, self.read(name) + text)

    # The overlay's data

    def overlay(self, **changes: str) -> None:
        values = {"format": "1", "fleet": "alliance", "generation": GENERATION, "image": "installer"}
        values |= {"family": self.family, "arming": "none"} | changes
        self.write("ventoy-kit/overlay.conf", "".join(f"{k}={v}\n" for k, v in values.items()))

    def node(self, name: str, identity: dict[str, str | list[str]] | None = None, disks: str = "") -> None:
        for kind, given in (identity or {}).items():
            for value in [given] if isinstance(given, str) else given:
                self.append("ventoy-kit/identity", f"{name}\t{kind}\t{value}\n")
        base = f"ventoy-kit/nodes/{name}"
        self.write(f"{base}/title", f"The {name}\n")
        self.write(f"{base}/disks", disks)
        self.write(
            f"{base}/answer.toml", '[disk-setup]\nfilesystem = "ext4"\ndisk-list = ["@VENTOY_KIT_DISKS@"]\n'
        )
        self.write(f"{base}/first-boot", "#!/bin/sh\nexit 0\n", 0o755)
        self.write(f"{base}/preseed.cfg", f"#_preseed_V1\n{ticket(node=name)}d-i time/zone string UTC\n")

    def ticket(self, text: str | None = None, **changes: str) -> None:
        self.write("ventoy/autoinstall", ticket(**changes) if text is None else text)

    # The machine

    def dmi(self, serial: str | None = None, uuid: str | None = None) -> None:
        for name, value in (("product_serial", serial), ("product_uuid", uuid)):
            if value is not None:
                self.write(f"sys/class/dmi/id/{name}", f"{value}\n")

    def nic(self, name: str, mac: str, *, device: bool = True, assigned: str = "0") -> None:
        self.write(f"sys/class/net/{name}/address", f"{mac}\n")
        self.write(f"sys/class/net/{name}/addr_assign_type", f"{assigned}\n")
        if device:
            (self.path / f"sys/class/net/{name}/device").mkdir()

    def disk(
        self,
        name: str,
        serial: str | None = None,
        *,
        wwid: str | None = None,
        size: int = 500 * GB,
        model: str | None = "DISK MODEL",
        partitions: int = 0,
        device: bool = True,
        node: bool = True,
        **attributes: str,
    ) -> None:
        """A block device as sysfs shows one of its kind: nvme*, sd* and vd* keep their serial in other places."""
        base = f"sys/block/{name}"
        self.minor += 16
        self.write(f"{base}/size", f"{size // 512}\n")
        self.write(f"{base}/ro", "0\n")
        self.write(f"{base}/dev", f"240:{self.minor}\n")
        if device:
            (self.path / base / "device").mkdir()
            if model is not None:
                self.write(f"{base}/device/model", f"{model}            \n")
        if serial is not None and name.startswith("nvme"):
            self.write(f"{base}/device/serial", f"{serial}       \n")
        elif serial is not None and name.startswith("sd"):
            page = serial.encode()
            self.write(f"{base}/device/vpd_pg80", b"\0\x80\0" + bytes([len(page)]) + page)
        elif serial is not None:
            self.write(f"{base}/serial", serial)
        if wwid is not None:
            self.write(f"{base}/wwid" if name.startswith("nvme") else f"{base}/device/wwid", f"{wwid}\n")
        for number in range(1, partitions + 1):
            part = f"{name}p{number}" if name.startswith("nvme") else f"{name}{number}"
            self.write(f"{base}/{part}/partition", f"{number}\n")
            self.write(f"{base}/{part}/dev", f"240:{self.minor + number}\n")
        for attribute, value in attributes.items():
            self.write(f"{base}/{attribute}", f"{value}\n")
        if node:
            os.mknod(self.path / "dev" / name, stat.S_IFBLK | 0o600, os.makedev(240, self.minor))

    def stick(self, name: str = "sdz", output: str | None = None) -> None:
        """The Ventoy stick, with what Ventoy's own tool prints of it."""
        self.disk(name, "STICK0001", size=32 * GB, model="USB STICK", partitions=2)
        self.vtoydump(f"/dev/{name}#exfat#/proxmox.iso" if output is None else output)

    def vtoydump(self, output: str) -> None:
        self.write("ventoy/tool/vtoydump", f"#!/bin/sh\n[ \"$1\" = -f ] && echo '{output}'\n", 0o755)

    def mapper(self, name: str, label: str, over: str) -> None:
        """A device-mapper device `label` that stands on the disk or partition `over`, a folder below /sys/block."""
        self.minor += 16
        self.write(f"sys/block/{name}/size", "1000000\n")
        self.write(f"sys/block/{name}/dev", f"241:{self.minor}\n")
        self.write(f"sys/block/{name}/dm/name", f"{label}\n")
        (self.path / f"sys/block/{over}/holders/{name}").mkdir(parents=True)

    def usual(self, node: str = "falcon", **changes: str) -> None:
        """A machine that everything agrees with: one node, its disk, a disk to keep, the stick."""
        self.node(node, {"serial": "SN-1", "uuid": UUID}, DISKS)
        self.dmi("SN-1", UUID.upper())
        self.disk("nvme0n1", "S5GXNX0T1", model="Samsung SSD 980 PRO 1TB", size=1000 * GB, partitions=3)
        self.disk("sda", "WD-KEEP", size=4000 * GB, model="WDC WD40EFRX")
        self.disk("sdb", "OTHER", size=2000 * GB)
        self.stick()
        self.ticket(node=node, **changes)

    # Running

    def shell(self, code: str, *, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run shell code in the root, in its own mount namespace; its output, and its exit code."""
        return subprocess.run(
            ["unshare", "-m", "chroot", self.path, "/bin/busybox", "sh", "-c", code],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={"PATH": "/sbin:/bin"},
            stdin=subprocess.DEVNULL,
        )

    def hook(self) -> str:
        done = self.shell(f"sh {HOOK} debian")
        assert done.returncode == 0
        return done.stdout + done.stderr

    def resolve(self) -> tuple[str, str]:
        """(code, detail) of the refusal, or ("", the device paths)."""
        done = self.shell(
            "set -u; . /ventoy-kit/lib.sh; . /ventoy-kit/identity.sh; . /ventoy-kit/disks.sh\n"
            f'if vk_load {self.family} && vk_identify && vk_resolve_disks "$VK_NODE"; then\n'
            '    vk_plan_text "$VK_NODE" >/tmp/plan; printf "ok\\n%s" "$VK_DISKS"\n'
            'else printf "%s\\n%s" "$VK_CODE" "$VK_DETAIL"; fi'
        )
        assert done.stderr == ""
        code, _, rest = done.stdout.partition("\n")
        return ("" if code == "ok" else code), rest

    def refusal(self) -> str:
        return self.read("ventoy-kit/refused").splitlines()[0]


DISKS = (
    "system\troot\tS5GXNX0T1\t-\t1000000000000\tSamsung SSD 980 PRO\n"
    "keep\tvault\tWD-KEEP\t-\t-\tWDC WD40EFRX\n"
)


def ticket(**changes: str) -> str:
    """A ticket line, with some of its values changed."""
    values = {"format": "1", "fleet": "alliance", "generation": GENERATION, "image": "installer"}
    values |= {"node": "falcon", "arming": "none"} | changes
    return "# ventoy-kit-ticket " + " ".join(f"{k}={v}" for k, v in values.items()) + "\n"


@dataclass
class Console:
    """A pseudo terminal that stands for the machine's console; what is typed waits in it."""

    typed: str
    text: str = ""

    def __post_init__(self):
        self.master, self.slave = pty.openpty()
        self.device = os.ttyname(self.slave)
        os.write(self.master, self.typed.encode())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        # Linux answers EIO once the last writer has closed the terminal.
        try:
            while data := os.read(self.master, 4096):
                self.text += data.decode(errors="replace").replace("\r\n", "\n")
        except OSError:
            return

    def close(self) -> str:
        os.close(self.slave)
        self.reader.join(timeout=10)
        os.close(self.master)
        return self.text
