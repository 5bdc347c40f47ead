"""Stick images that hold a real Ventoy, from files of Ventoy that the person who runs the tests has. None is committed.

The variable `VENTOY_KIT_VENTOY` names one of these:

- Ventoy's source tree, or a clone of it (also a bare one): its prebuilt boot files are put together as its
  `INSTALL/ventoy_pack.sh` does, and its RAM disks are packed anew by its own `IMG/mkcpio.sh`, since those in the tree
  are older than their sources;
- an unpacked release (`ventoy-x.y.z/` with `boot/` and `ventoy/`): written as its `VentoyWorker.sh` does;
- an image or a device that has Ventoy: its boot code and its partition 2 are taken.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.edge.disk_image import create_image, new_ids
from ventoy_kit.edge.probe import ventoy_version
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.stick.layout import BOOT_SECTORS, SECTOR, Layout, Style, plan_layout, read_layout

VARIABLE = "VENTOY_KIT_VENTOY"
SIZE = 1 << 30
# What the boot files are made of, besides INSTALL: the parts that IMG/mkcpio.sh packs.
_PARTS = ("INSTALL", "IMG", "DMSETUP", "FUSEISO", "LZIP", "SQUASHFS", "VBLADE", "VtoyTool", "cryptsetup")
_OTHER_MACHINES = shutil.ignore_patterns(
    "*arm64*", "*mips64*", "*aa64*", "imdisk", "7z", "i386-*", "help", "menu"
)
_CODE, _TABLE = 0x180, 0x1B8  # boot code ends before Ventoy's id; the disk's signature and table stay
_FORMAT = 2
"""Counted up when the same source gives another stick."""


@dataclass(frozen=True)
class Ventoy:
    """What makes a disk with Ventoy's layout boot.

    Attributes:
        boot: the first sector, of which the code is used; empty if it does not boot by BIOS.
        core: what lies behind it, as GRUB's `core.img` for an MBR.
        files: a folder with the files of partition 2; or
        partition: the whole of partition 2.
    """

    boot: bytes
    core: bytes
    files: Path | None = None
    partition: bytes | None = None


def source() -> Path | None:
    """What the environment names; None if it names nothing."""
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


def boots_bios() -> bool:
    """Whether what the environment names starts without UEFI, too."""
    path = source()
    return path is not None and (not path.is_dir() or _is_release(path))


def base_image(path: Path, cache: Path, style: Style = "mbr") -> Path:
    """A stick image that holds Ventoy and nothing else, made once for each state of the source and kept in `cache`.

    Raises:
        ValueError: `path` is none of the forms that are known.
    """
    image = cache / f"ventoy-{style}-{_digest(path)[:16]}.img"
    if image.exists():
        return image
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder, _opened(path, Path(folder)) as ventoy:
        made = Path(folder) / "stick.img"
        layout = plan_layout(SIZE, style)
        assert isinstance(layout, Layout)
        create_image(SystemProcess(), made, layout, new_ids())
        _install(ventoy, made, layout)
        assert ventoy_version(made, layout.boot.offset), f"{path} holds no Ventoy that names its version"
        made.rename(image)
    return image


def version_of(image: Path) -> str:
    """The version of Ventoy on an image."""
    found = ventoy_version(image, layout_of(image).boot.offset)
    assert found
    return found


def layout_of(image: Path) -> Layout:
    """Where the partitions of a stick or an image lie."""
    with image.open("rb") as file:
        file.seek(0, os.SEEK_END)
        size = file.tell()
        file.seek(0)
        layout = read_layout(file.read(34 * SECTOR), size)
    if not isinstance(layout, Layout):
        raise ValueError(f"{image} has no Ventoy: {', '.join(layout.reasons)}")  # noqa: TRY004 - the file is wrong, not the call
    return layout


def _install(ventoy: Ventoy, image: Path, layout: Layout) -> None:
    with image.open("r+b") as file:
        head = file.read(SECTOR)
        gpt = layout.style == "gpt"
        code = bytearray(ventoy.boot[:_CODE] + head[_CODE:0x190] + ventoy.boot[0x190:_TABLE] + head[_TABLE:])
        core = bytearray(ventoy.core)
        if gpt:
            # The table takes sectors 1 to 33, so GRUB's core begins at 34, and its list of itself at 35.
            code[0x5C], core[500] = 34, 35
        if ventoy.boot:
            file.seek(0)
            file.write(code)
            start = (34 if gpt else 1) * SECTOR
            file.seek(start)
            file.write(core[: layout.data.offset - start])
        if ventoy.partition is not None:
            file.seek(layout.boot.offset)
            file.write(ventoy.partition)
    if ventoy.files is not None:
        place = f"{image}@@{layout.boot.offset}"
        # grub.cfg first: Ventoy keeps it at the front of the partition.
        for name in ("grub", "EFI", "ventoy", "tool"):
            subprocess.run(
                ["mcopy", "-s", "-i", place, ventoy.files / name, "::/"],
                check=True,
                env=os.environ | {"MTOOLS_SKIP_CHECK": "1"},
            )


@contextmanager
def _opened(path: Path, scratch: Path) -> Iterator[Ventoy]:
    if _is_release(path):
        yield _release(path)
    elif path.is_dir() and (path / "INSTALL/grub/grub.cfg").exists():
        for name in _PARTS:
            shutil.copytree(path / name, scratch / "src" / name, symlinks=True)
        yield _tree(scratch / "src", scratch / "boot")
    elif path.is_dir() and _head(path) is not None:
        _extract(path, scratch / "src")
        yield _tree(scratch / "src", scratch / "boot")
    elif path.exists() and not path.is_dir():
        yield _disk(path)
    else:
        raise ValueError(f"{VARIABLE}={path} is no source tree, no unpacked release and no disk with Ventoy")


def _head(path: Path) -> str | None:
    """The commit of a clone of Ventoy; None if it is none."""
    named = "HEAD:INSTALL/grub/grub.cfg"
    done = subprocess.run(["git", "-C", path, "rev-parse", "HEAD", named], capture_output=True, text=True)
    return done.stdout.split()[0] if done.returncode == 0 else None


def _extract(repository: Path, target: Path) -> None:
    target.mkdir()
    archive = target.with_suffix(".tar")
    command: list[str | Path] = [
        "git",
        "-C",
        repository,
        "archive",
        "--format=tar",
        "-o",
        archive,
        "HEAD",
        *_PARTS,
    ]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(["tar", "-xf", archive, "-C", target], check=True)


def _tree(source: Path, target: Path) -> Ventoy:
    """The boot files of a source tree, for x86-64 UEFI."""
    subprocess.run(["bash", "mkcpio.sh"], cwd=source / "IMG", check=True, capture_output=True)
    install = source / "INSTALL"
    shutil.copytree(install / "grub", target / "grub", ignore=_OTHER_MACHINES)
    for name in ("help", "menu"):
        with tarfile.open(target / f"grub/{name}.tar.gz", "w:gz") as tar:
            tar.add(install / "grub" / name, f"./{name}")
    shutil.copytree(install / "ventoy", target / "ventoy", ignore=_OTHER_MACHINES)
    (target / "EFI/BOOT").mkdir(parents=True)
    # Without the shim: the machine has no Secure Boot. The file by its own name tells Ventoy that there could be.
    for name in ("BOOTX64.EFI", "grubx64_real.efi"):
        shutil.copy(install / "EFI/BOOT/grubx64_real.efi", target / "EFI/BOOT" / name)
    (target / "tool").mkdir()
    for machine in ("i386", "x86_64", "aarch64"):
        # At boot Ventoy looks only whether they are there; its releases hold the first 16 KiB of another program.
        program = (install / "tool" / machine / "vtoycli").read_bytes()
        (target / f"tool/mount.exfat-fuse_{machine}").write_bytes(program[: 16 << 10])
    shutil.copy(install / "tool/create_ventoy_iso_part_dm.sh", target / "tool")
    return Ventoy(b"", b"", files=target)


def _is_release(path: Path) -> bool:
    return (path / "ventoy/ventoy.disk.img.xz").exists()


def _release(path: Path) -> Ventoy:
    return Ventoy(
        (path / "boot/boot.img").read_bytes(),
        lzma.decompress((path / "boot/core.img.xz").read_bytes()),
        partition=lzma.decompress((path / "ventoy/ventoy.disk.img.xz").read_bytes()),
    )


def _disk(path: Path) -> Ventoy:
    layout = layout_of(path)
    start = (34 if layout.style == "gpt" else 1) * SECTOR
    with path.open("rb") as file:
        boot = file.read(SECTOR)
        file.seek(start)
        core = bytearray(file.read(layout.data.offset - start))
        file.seek(layout.boot.offset)
        partition = file.read(BOOT_SECTORS * SECTOR)
    # As in a release, where they are meant for the MBR.
    core[500] = 2
    return Ventoy(boot[:0x5C] + b"\1" + boot[0x5D:], bytes(core), partition=partition)


def _digest(path: Path) -> str:
    """Tells whether a source is the one that an image was made from."""
    seen = hashlib.sha256(f"{_FORMAT} {path.resolve()}".encode())
    if path.is_dir():
        head = _head(path)
        seen.update(str(head).encode())
        found = [path / "ventoy/ventoy.disk.img.xz", path / "INSTALL/grub/grub.cfg"]
        for file in (f for f in found if f.exists()):
            seen.update(file.read_bytes())
    elif path.exists() and stat.S_ISBLK(path.stat().st_mode):
        disk = _disk(path)
        seen.update(disk.boot + (disk.partition or b""))
    elif path.exists():
        status = path.stat()
        seen.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return seen.hexdigest()
