"""A scratch root in which the scripts of the boot overlay run by chroot, with busybox as the only program.

It looks like the initramfs of an installer under Ventoy: sysfs is a folder of files, the ticket is at
/ventoy/autoinstall, the overlay's data at /ventoy-kit. VENTOY_KIT_TEST_BUSYBOX names another static busybox, such as
Ventoy's own.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pty
import shutil
import stat
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "boot_overlay"
HOOK = "/live_injection_7ed136ec_7a61_4b54_adc3_ae494d5106ea/hook.sh"
GENERATION = "0123abcd"
UUID = "4c4c4544-0031-3510-8057-b4c04f4d3533"
GB = 10**9
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""GUID of the variables that UEFI itself defines (UEFI 2.10, section 3.3)."""
EFI = "sys/firmware/efi/efivars"


def on_partition(guid: bytes, form: bytes = b"\2\2") -> bytes:
    """The hard drive's node of a boot entry (UEFI 2.10, 10.3.5.1): number, start, size, GUID, GPT, a GUID."""
    return bytes.fromhex("04012a00") + bytes([1, 0, 0, 0]) + bytes(16) + guid + form


PARTITION = bytes(range(0x10, 0x20))
"""GUID of a partition of the system disk, whose table holds nothing else."""
ON_DISK = on_partition(PARTITION)
ON_USB = bytes.fromhex("030506000100")
WHOLE_DISK = {
    "SATA": bytes.fromhex("03120a000000ffff0000"),
    "NVMe": bytes.fromhex("0317100001000000") + bytes(8),
    "SCSI": bytes.fromhex("0302080000000000"),
}
"""Nodes of entries that name no partition."""

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

NO_POWER = """
# For the tests: written down instead of done.
vk_power() {
    echo "$1" >>/power
    exit 0
}
"""

FOLDER_FOR_EFIVARFS = """
# For the tests: a folder stands for efivarfs, and a stop is written down instead of lasting for ever.
vk_efivarfs_is_mounted() { [ -d "${VK_VARIABLES}" ]; }
vk_variable_lock() { echo "$1" >>/locks; }
vk_read_table() { cat "/tables/$1"; }
sleep() {
    if [ "$1" = 300 ]; then vk_power stop; fi
    busybox sleep "$1"
}
date() { cat /clock; }
VK_COUNTDOWN=1
VK_BEFORE_RESTART=1
VK_BEFORE_OFF=1
"""

STEP = 'sh /ventoy-kit/proxmox.sh "${console:-}" || true'


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
            # A test must never end the machine that it runs on.
            if applet not in ("busybox", "reboot", "poweroff", "halt", "init"):
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
        self.append("ventoy-kit/guard.sh", NO_POWER)
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
        self.runner(name)
        self.write(f"{base}/preseed.cfg", f"#_preseed_V1\n{ticket(node=name)}d-i time/zone string UTC\n")

    def runner(self, name: str, own: str = "#!/bin/sh\n", shared: str = "exit 0\n") -> str:
        """The first-boot runner in its two parts; returns the whole."""
        base, shared_name = f"ventoy-kit/nodes/{name}/first-boot", digest(shared)[:16]
        self.write(base, own, 0o600)
        self.write(f"{base}.rest", f"{shared_name} {digest(own + shared)}\n", 0o600)
        self.write(f"ventoy-kit/runners/{shared_name}", shared)
        return own + shared

    def without_runner(self, name: str) -> None:
        """The node has no hooks."""
        for part in ("first-boot", "first-boot.rest"):
            (self.path / f"ventoy-kit/nodes/{name}/{part}").unlink()

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
            self.write(f"{base}/{part}/start", f"{number * 2048}\n")
            self.write(f"{base}/{part}/size", "2048\n")
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

    # The firmware

    def armed(self, arming: str, *, clock: str = "20261123T120000Z", uefi: bool = True) -> None:
        """The chosen ticket is armed; BootOrder is the stick (1), the firmware's setup (0), the system (5), a CD (2)."""
        self.overlay(arming="1")
        self.ticket(arming=arming)
        self.write("clock", f"{clock}\n")
        self.append("ventoy-kit/guard.sh", FOLDER_FOR_EFIVARFS)
        self.write("tables/nvme0n1", bytes(512) + b"EFI PART" + bytes(1032) + PARTITION + bytes(256))
        if uefi:
            self.entry("0000", b"\x09\x01\0\0")
            self.entry("0001", path=ON_USB + ON_DISK)
            self.entry("0002")
            self.entry("0005", path=ON_DISK)
            self.boot_order("0001", "0000", "0002", "0005")
            self.variable("BootCurrent", b"\x01\0", attributes=6)

    def variable(self, name: str, value: bytes, *, guid: str = GLOBAL, attributes: int = 7) -> None:
        self.write(f"{EFI}/{name}-{guid}", attributes.to_bytes(4, "little") + value)

    def entry(self, number: str, attributes: bytes = b"\x01\0\0\0", path: bytes = b"") -> None:
        """A boot option: attributes, length of the path, description, path (UEFI 2.10, section 3.1.3)."""
        description = "Entry\0".encode("utf-16-le")
        value = attributes + len(path).to_bytes(2, "little") + description + path
        self.variable(f"Boot{number}", value)

    def boot_order(self, *numbers: str) -> None:
        self.variable("BootOrder", b"".join(int(n, 16).to_bytes(2, "little") for n in numbers))

    def guard(self) -> str | None:
        """The text of the guard variable."""
        files = list((self.path / EFI).glob("VentoyKitArming-*"))
        if not files:
            return None
        (file,) = files
        data = file.read_bytes()
        assert data[:4] == b"\x07\0\0\0"
        assert len(data) <= 64
        return data[4:].decode("ascii")

    def boot_next(self) -> str | None:
        file = self.path / EFI / f"BootNext-{GLOBAL}"
        if not file.exists():
            return None
        data = file.read_bytes()
        assert len(data) == 6
        assert data[:4] == b"\x07\0\0\0"
        return f"{int.from_bytes(data[4:], 'little'):04X}"

    def power(self) -> str:
        """What was done to the machine: reboot, poweroff, or stop for a message that stays."""
        file = self.path / "power"
        return file.read_text().strip() if file.exists() else ""

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
    """A pseudo terminal that stands for the machine's console.

    What is typed waits in it; an answer is typed each time its question comes onto the screen.
    """

    typed: str
    answers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def __post_init__(self):
        self.master, self.slave = pty.openpty()
        self.device = os.ttyname(self.slave)
        os.write(self.master, self.typed.encode())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        # Linux answers EIO once the last writer has closed the terminal.
        seen = dict.fromkeys(self.answers, 0)
        try:
            while data := os.read(self.master, 4096):
                self.text += data.decode(errors="replace").replace("\r\n", "\n")
                for question, answer in self.answers.items():
                    while seen[question] < self.text.count(question):
                        seen[question] += 1
                        os.write(self.master, answer.encode())
        except OSError:
            return

    def close(self) -> str:
        os.close(self.slave)
        self.reader.join(timeout=10)
        os.close(self.master)
        return self.text
