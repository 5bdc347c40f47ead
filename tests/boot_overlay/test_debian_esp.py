"""The second EFI partition of a mirrored Debian node: two real disks of loop devices, real FAT, the real lsblk and blkid.

This kernel can neither mount FAT nor have an array in a test, so three programs have stand-ins: `findmnt` and the
question of what the root file system stands on are answered for an array of both disks, and `mount` and `umount` bring
a partition's files into a folder and back, with mtools.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot_overlay.scratch import SCRIPTS, Scratch

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("losetup", "partx", "sfdisk", "lsblk", "blkid", "mkfs.vfat", "mcopy", "findmnt"),
]

TABLE = "label: gpt\nsize=40MiB,type=U\ntype=R\n"
STUBS = {
    "findmnt": """\
case "$*" in
    */boot/efi) [ -s {home}/esp ] || exit 1; cat {home}/esp ;;
    *) echo /dev/md0 ;;
esac
""",
    "lsblk": """\
case "$*" in
    *--inverse*) echo "/dev/md0 raid1"; for d in {disks}; do echo "${{d}}p2 part"; echo "$d disk"; done ;;
    *) exec {lsblk} "$@" ;;
esac
""",
    "mount": """\
for a; do device=$folder; folder=$a; done
echo "mount $*" >>{home}/called
mcopy -s -n -m -Q -i "$device" :: "$folder" 2>/dev/null || true
mv "$folder"/?*/* "$folder" 2>/dev/null || true
echo "$device" >{home}/mounted
""",
    "umount": """\
echo "umount" >>{home}/called
cd "$1"
for entry in *; do [ ! -e "$entry" ] || mcopy -s -D o -Q -i "$(cat {home}/mounted)" "$entry" ::; done
rm -rf "$1"/*
rm {home}/mounted
""",
    "efibootmgr": 'echo "efibootmgr $*" >>{home}/called\n{boot_manager}\n',
}


@dataclass
class Mirror:
    """Two disks with an EFI partition each; the first one's is mounted on a folder that stands for /boot/efi."""

    home: Path
    disks: tuple[str, str]

    @property
    def esp(self) -> Path:
        return self.home / "efi"

    def stubs(self, boot_manager: str = "true") -> Path:
        folder = self.home / "bin"
        folder.mkdir(exist_ok=True)
        for name, text in STUBS.items():
            filled = text.format(
                home=self.home,
                disks=" ".join(self.disks),
                lsblk=shutil.which("lsblk"),
                boot_manager=boot_manager,
            )
            (folder / name).write_text(f"#!/bin/sh\n{filled}")
            (folder / name).chmod(0o755)
        return folder

    def sync(self, *arguments: str, boot_manager: str = "true") -> subprocess.CompletedProcess[str]:
        script = self.home / "ventoy-kit-esp-sync"
        text = (SCRIPTS / "esp-sync.sh").read_text()
        assert text.count("/boot/efi/EFI") == 1
        # /boot/efi of the machine that runs the tests is not touched.
        text = text.replace("/boot/efi/EFI", f"{self.esp}/EFI").replace("/sys/firmware/efi", str(self.home))
        script.write_text(text)
        (self.home / "called").unlink(missing_ok=True)
        return subprocess.run(
            ["sh", script, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={
                "PATH": f"{self.stubs(boot_manager)}:/usr/sbin:/usr/bin:/sbin:/bin",
                "TMPDIR": str(self.home),
            },
        )

    def called(self, program: str) -> list[str]:
        lines = (self.home / "called").read_text().splitlines()
        return [line for line in lines if line.startswith(program)]

    def file(self, path: str) -> bytes | None:
        """A file on the second EFI partition."""
        done = subprocess.run(
            ["mcopy", "-n", "-i", f"{self.disks[1]}p1", f"::{path}", "-"], capture_output=True
        )
        return None if done.returncode else done.stdout

    def write(self, path: str, data: bytes) -> None:
        (self.esp / path).parent.mkdir(parents=True, exist_ok=True)
        (self.esp / path).write_bytes(data)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    loops = []
    try:
        for number in (0, 1):
            image = tmp_path / f"disk{number}.img"
            with image.open("wb") as file:
                file.truncate(64 << 20)
            subprocess.run(["sfdisk", "--quiet", image], input=TABLE, text=True, check=True)
            done = subprocess.run(
                ["losetup", "--find", "--show", image], capture_output=True, text=True, check=True
            )
            loops.append(done.stdout.strip())
            subprocess.run(["partx", "--update", loops[-1]], check=True, capture_output=True)
        subprocess.run(["mkfs.vfat", f"{loops[0]}p1"], check=True, capture_output=True)
        (tmp_path / "esp").write_text(f"{loops[0]}p1\n")
        made = Mirror(tmp_path, (loops[0], loops[1]))
        for name in ("grubx64.efi", "shimx64.efi", "grub.cfg"):
            made.write(f"EFI/debian/{name}", name.encode())
        made.write("EFI/BOOT/BOOTX64.EFI", b"removable")
        yield made
    finally:
        for loop in loops:
            subprocess.run(["partx", "--delete", loop], capture_output=True)
            subprocess.run(["losetup", "--detach", loop], capture_output=True)


def left(mirror: Mirror) -> list[str]:
    """Temporary folders that the script left behind."""
    return [p.name for p in mirror.home.iterdir() if p.name.startswith("tmp.")]


def test_the_second_disk_gets_a_file_system_the_files_and_a_boot_entry(mirror: Mirror):
    done = mirror.sync("--new")
    assert (done.returncode, done.stderr) == (0, "")
    assert mirror.file("EFI/debian/shimx64.efi") == b"shimx64.efi"
    assert mirror.file("EFI/BOOT/BOOTX64.EFI") == b"removable"
    (entry,) = mirror.called("efibootmgr")
    assert f"--create-only --disk {mirror.disks[1]} --part 1 " in entry
    assert entry.endswith(r"--label debian (second disk) --loader \EFI\debian\shimx64.efi")
    assert not left(mirror)


def test_without_shim_the_entry_starts_grub(mirror: Mirror):
    (mirror.esp / "EFI/debian/shimx64.efi").unlink()
    assert mirror.sync("--new").returncode == 0
    assert mirror.called("efibootmgr")[0].endswith(r"\EFI\debian\grubx64.efi")


def test_after_packages_changed_new_files_follow_and_no_entry_is_added(mirror: Mirror):
    assert mirror.sync("--new").returncode == 0
    mirror.write("EFI/debian/grubx64.efi", b"newer" * 999)
    mirror.write("EFI/debian/fbx64.efi", b"another")
    done = mirror.sync()
    assert (done.returncode, done.stderr) == (0, "")
    assert mirror.file("EFI/debian/grubx64.efi") == b"newer" * 999
    assert mirror.file("EFI/debian/fbx64.efi") == b"another"
    assert not mirror.called("efibootmgr")


def test_a_file_system_that_is_there_keeps_its_files(mirror: Mirror):
    second = f"{mirror.disks[1]}p1"
    subprocess.run(["mkfs.vfat", second], check=True, capture_output=True)
    (mirror.home / "NOTE.TXT").write_text("mine")
    subprocess.run(["mcopy", "-i", second, mirror.home / "NOTE.TXT", "::"], check=True)
    assert mirror.sync().returncode == 0
    assert mirror.file("NOTE.TXT") == b"mine"
    assert mirror.file("EFI/BOOT/BOOTX64.EFI") == b"removable"


def test_the_first_one_is_only_read(mirror: Mirror):
    before = (mirror.home / "disk0.img").read_bytes()
    assert mirror.sync("--new").returncode == 0
    assert (mirror.home / "disk0.img").read_bytes() == before


def test_nothing_is_touched_unless_the_first_one_is_mounted(mirror: Mirror):
    (mirror.home / "esp").write_text("")
    before = (mirror.home / "disk1.img").read_bytes()
    done = mirror.sync("--new")
    assert done.returncode == 1
    assert "nothing is mounted on /boot/efi" in done.stderr
    assert (mirror.home / "disk1.img").read_bytes() == before


def test_a_disk_without_an_efi_partition_is_a_failure(mirror: Mirror):
    subprocess.run(
        ["sfdisk", "--quiet", "--no-reread", "--part-type", mirror.disks[1], "1", "linux"],
        check=True,
        capture_output=True,
    )
    done = mirror.sync("--new")
    assert done.returncode == 1
    assert "no second EFI partition" in done.stderr


def test_a_firmware_that_takes_no_entry_is_said_and_the_files_are_there(mirror: Mirror):
    done = mirror.sync("--new", boot_manager="exit 5")
    assert done.returncode == 1
    assert "EFI/BOOT/BOOTX64.EFI still starts" in done.stderr
    assert mirror.file("EFI/BOOT/BOOTX64.EFI") == b"removable"
    assert not left(mirror)


# What the late command puts into the installed system for it.


@pytest.fixture
def installed(debian_root: Scratch) -> Scratch:
    debian_root.usual()
    debian_root.write("ventoy-kit/run/node", "falcon\n")
    debian_root.without_runner("falcon")
    debian_root.write("ventoy-kit/nodes/falcon/esp", "2\n")
    debian_root.write("target/boot/efi/EFI/debian/grubx64.efi", "grub")
    debian_root.write("bin/in-target", '#!/bin/sh\necho "$@" >>/in-target\n', 0o755)
    return debian_root


def late(root: Scratch) -> int:
    return root.shell("/ventoy-kit/debian-late.sh").returncode


def test_the_program_and_its_hook_of_apt_reach_the_system(installed: Scratch):
    assert late(installed) == late(installed) == 0
    assert installed.read("in-target") == "/usr/local/sbin/ventoy-kit-esp-sync --new\n" * 2
    program = installed.path / "target/usr/local/sbin/ventoy-kit-esp-sync"
    assert program.read_text() == (SCRIPTS / "esp-sync.sh").read_text()
    assert program.stat().st_mode & 0o777 == 0o755
    hook = installed.path / "target/etc/apt/apt.conf.d/90ventoy-kit-esp"
    # apt must not fail because a disk of the mirror is gone.
    assert hook.read_text() == 'DPkg::Post-Invoke { "/usr/local/sbin/ventoy-kit-esp-sync || true"; };\n'


@pytest.mark.needs_tool("apt-config")
def test_apt_reads_the_hook(installed: Scratch):
    assert late(installed) == 0
    folder = installed.path / "target/etc/apt/apt.conf.d"
    done = subprocess.run(
        ["apt-config", "dump", "DPkg::Post-Invoke"],
        capture_output=True,
        text=True,
        env={"APT_CONFIG": str(folder / "90ventoy-kit-esp"), "PATH": "/usr/bin"},
    )
    assert 'DPkg::Post-Invoke:: "/usr/local/sbin/ventoy-kit-esp-sync || true";' in done.stdout


@pytest.mark.parametrize("lacking", ["ventoy-kit/nodes/falcon/esp", "target/boot/efi/EFI"])
def test_one_disk_or_bios_mode_needs_none_of_it(installed: Scratch, lacking: str):
    path = installed.path / lacking
    shutil.rmtree(path) if path.is_dir() else path.write_text("")
    assert late(installed) == 0
    assert not (installed.path / "in-target").exists()
    assert not (installed.path / "target/etc/apt").exists()


def test_a_failure_is_one(installed: Scratch):
    installed.write("bin/in-target", "#!/bin/sh\nexit 3\n", 0o755)
    assert late(installed) == 1
    assert "the second EFI partition of falcon did not get into the system" in installed.read(
        "ventoy-kit/log"
    )
