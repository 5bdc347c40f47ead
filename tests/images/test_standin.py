"""Stand-ins look like the real images to the boot layout's readers and to nobody else."""

import pytest

from ventoy_kit.edge.iso import PycdlibIsoReader, write_iso
from ventoy_kit.images.inspect import WANTED, interpret
from ventoy_kit.images.menu import derive_toolbox_menu
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

KINDS = [("proxmox-ve", "9.1-1"), ("proxmox-ve", "8.4-1"), ("debian", "12.11.0"), ("debian", "13.6.0")]


def written(kind, release, folder):
    made = standin_files(kind, release)
    out = folder / made.file_name
    write_iso(made.files, made.volume_id, out, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    return made, out


@pytest.mark.parametrize(("kind", "release"), KINDS)
def test_round_trip(kind, release, tmp_path):
    made, out = written(kind, release, tmp_path)
    raw = PycdlibIsoReader().read(out, WANTED, limit=1 << 20)
    facts, report = interpret(raw, path=("images", kind))
    assert len(report) == 0
    assert facts is not None
    assert facts.stand_in
    assert facts.product == kind
    assert facts.release == release.split("-")[0]
    assert facts.build == ("1" if kind == "proxmox-ve" else None)
    assert facts.family == kind.split("-")[0]
    assert facts.automated
    assert facts.boot == {"bios", "uefi"}
    assert raw.files["/boot/grub/grub.cfg"] == made.files["/boot/grub/grub.cfg"]
    assert derive_toolbox_menu(facts)[0] is not None
    assert 32 << 10 <= out.stat().st_size < 1 << 20  # Ventoy shows no smaller image
    assert out.stat().st_size == raw.volume_size


@pytest.mark.parametrize(("kind", "release"), KINDS)
def test_says_everywhere_what_it_is(kind, release, tmp_path):
    made, out = written(kind, release, tmp_path)
    assert made.volume_id.startswith("VK-STAND-IN")
    assert out.name.startswith("STAND-IN-")
    assert b"cannot boot" in made.files["/VENTOY-KIT-STAND-IN.TXT"]
    assert b"(stand-in, cannot boot)" in made.files["/.disk/info"]
    for path, content in made.files.items():
        if path != "/auto-installer-capable":  # empty, as on the vendor's image
            assert b"stand-in" in content.lower(), path


@pytest.mark.parametrize("kept", ["file", "volume", "title"])
def test_each_mark_is_enough(kept, tmp_path):
    made = standin_files("proxmox-ve", "9.1-1")
    files = dict(made.files)
    if kept != "file":
        del files["/VENTOY-KIT-STAND-IN.TXT"]
    if kept != "title":
        for path in ("/.disk/info", "/.cd-info"):
            files[path] = files[path].replace(b" (stand-in, cannot boot)", b"")
    out = tmp_path / "proxmox-ve_9.1-1.iso"
    write_iso(files, made.volume_id if kept == "volume" else "PVE", out, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    facts, _ = interpret(PycdlibIsoReader().read(out, WANTED, limit=1 << 20), path=())
    assert facts is not None
    assert facts.stand_in


def test_boot_sector_is_code_that_halts():
    sector = standin_files("debian", "12.11.0").files[BIOS_IMAGE]
    assert len(sector) == 2048
    assert sector[26:].startswith(b"This is a STAND-IN for debian 12.11.0")  # where the code's mov si points
    assert sector[5:8] == b"\xbe\x1a\x7c"
    assert sector[22:26] == b"\xfa\xf4\xeb\xfd"
