"""ISO files written and read, with a real disk underneath and other programs as witnesses."""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycdlib import PyCdlib

from ventoy_kit.edge.iso import PycdlibIsoReader, write_iso
from ventoy_kit.errors import StorageError
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files
from ventoy_kit.ports import UnreadableIsoError

FILES = {
    "/.disk/info": b"hello\n",
    "/boot/grub/grub.cfg": b"set a=1\r\n",
    "/empty": b"",
    "/a name.with.dots and blanks.txt": b"1",
    "/a name.with.dots_and_blanks.txt": b"2",
    "/very-long-name-that-does-not-fit-the-plain-format-1.toml": b"3",
    "/very-long-name-that-does-not-fit-the-plain-format-2.toml": b"4",
    "/deep/er/and/deep/er/file": b"5",
    "/big": bytes(range(256)) * 64,
}


def read(path, wanted=tuple(FILES), *, limit=1 << 20):
    return PycdlibIsoReader().read(path, wanted, limit=limit)


@pytest.fixture
def iso(tmp_path):
    out = tmp_path / "x.iso"
    write_iso(FILES, "VOLUME 1.2", out)
    return out


def test_round_trip(iso):
    raw = read(iso, (*FILES, "/none", "/.disk", "/.disk/none", "/empty/x", "/DEEP/er/and/deep/er/file"))
    assert raw.files == FILES
    assert raw.present == set(FILES)
    assert raw.volume_id == "VOLUME 1.2"
    assert raw.size == raw.volume_size == iso.stat().st_size
    assert raw.eltorito == frozenset()


def test_large_files_are_found_but_not_read(iso):
    raw = read(iso, limit=6)
    assert "/big" in raw.present
    assert "/big" not in raw.files
    assert raw.files["/.disk/info"] == b"hello\n"


@pytest.mark.needs_tool("xorriso")
def test_another_program_reads_the_same(iso, tmp_path):
    out = tmp_path / "out"
    subprocess.run(
        ["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", "/", str(out)],
        check=True,
        capture_output=True,
    )
    found = {f"/{path.relative_to(out)}": path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert found == FILES


@pytest.mark.needs_tool("xorriso")
@pytest.mark.parametrize("boot", [{"bios"}, {"uefi"}, {"bios", "uefi"}])
def test_boot_entries(boot, tmp_path):
    made = standin_files("proxmox-ve", "9.1-1")
    out = tmp_path / "x.iso"
    images = {"bios": BIOS_IMAGE, "uefi": UEFI_IMAGE}
    write_iso(made.files, "X", out, **{name: images[name] for name in boot})
    assert read(out, ()).eltorito == boot
    told = subprocess.run(
        ["xorriso", "-indev", str(out), "-report_el_torito", "plain"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line.split() for line in told.splitlines() if line.startswith("El Torito boot img")]
    assert {line[6].lower() for line in lines} == boot
    assert {images[name] in told for name in boot} == {True}


MAKE = """
import sys
from pathlib import Path
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import *
made = standin_files("proxmox-ve", "9.1-1")
files = dict(made.files if sys.argv[2] == "1" else reversed(made.files.items()))
write_iso(files, made.volume_id, Path(sys.argv[1]), bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
"""


def test_same_bytes_wherever_and_whenever(tmp_path, monkeypatch):
    digests = set()
    for number, (zone, locale) in enumerate(
        (("UTC", "C"), ("Pacific/Chatham", "C.UTF-8"), ("XYZ-13:45", "tr_TR"))
    ):
        out = tmp_path / f"{number}.iso"
        env = {
            **os.environ,
            "TZ": zone,
            "LC_ALL": locale,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        env["PYTHONHASHSEED"] = str(number)
        subprocess.run([sys.executable, "-c", MAKE, str(out), str(number)], check=True, env=env)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    made = standin_files("proxmox-ve", "9.1-1")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    write_iso(made.files, made.volume_id, tmp_path / "later.iso", bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    digests.add(hashlib.sha256((tmp_path / "later.iso").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_clock_of_pycdlib_is_given_back(tmp_path):
    from pycdlib import dates, headervd, pycdlib, utils

    with pytest.raises(ValueError, match="long"):
        write_iso({"/x": b""}, "far too long for a volume", tmp_path / "x.iso")
    assert {module.time for module in (dates, headervd, pycdlib, utils)} == {time}
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_and_nothing_else_left(iso):
    write_iso({"/new": b"new"}, "NEW", iso)
    assert read(iso, ("/new",)).files == {"/new": b"new"}
    assert [path.name for path in iso.parent.iterdir()] == ["x.iso"]


def test_a_full_disk_leaves_the_old_file(iso, monkeypatch):
    before = iso.read_bytes()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*x\.iso: No space left") as caught:
        write_iso({"/new": b"new"}, "NEW", iso)
    assert caught.value.hint
    assert iso.read_bytes() == before
    assert [path.name for path in iso.parent.iterdir()] == ["x.iso"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match=r"cannot write .*x\.iso: No such file"):
        write_iso({"/x": b""}, "X", tmp_path / "none" / "x.iso")


def authored(path, *, joliet):
    iso = PyCdlib()
    if joliet:
        iso.new(interchange_level=3, joliet=3, vol_ident="JOLIET")
        iso.add_directory("/_DISK", joliet_path="/.Disk")
        iso.add_fp(io.BytesIO(b"x"), 1, "/_DISK/INFO.;1", joliet_path="/.Disk/Info")
    else:
        iso.new(interchange_level=3, vol_ident="PLAIN")
        iso.add_directory("/BOOT")
        iso.add_fp(io.BytesIO(b"x"), 1, "/BOOT/LINUX26.;1")
    iso.write(str(path))
    iso.close()
    return path


def test_joliet_without_rock_ridge(tmp_path):
    raw = read(authored(tmp_path / "j.iso", joliet=True), ("/.disk/info", "/_DISK/INFO"))
    assert raw.files == {"/.disk/info": b"x"}


def test_plain_names_alone(tmp_path):
    raw = read(authored(tmp_path / "p.iso", joliet=False), ("/boot/linux26", "/boot/linux2"))
    assert raw.files == {"/boot/linux26": b"x"}
    assert raw.volume_id == "PLAIN"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html>not found</html>\n" * 9, "no ISO image"),
        (bytes(40000), "no ISO image"),
        (b"\0" * 32768 + b"\x01CD001", "no ISO image"),
        (b"\0" * 32768 + b"\x01CD001" + b"\0" * 9000, "cannot be read as an ISO"),
    ],
)
def test_what_is_no_iso(content, message, tmp_path):
    path = tmp_path / "x.iso"
    path.write_bytes(content)
    with pytest.raises(UnreadableIsoError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_what_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.iso")
    os.mkfifo(tmp_path / "fifo.iso")
    with pytest.raises(UnreadableIsoError, match="no ordinary file"):
        read(tmp_path / "fifo.iso")


def test_a_file_of_another_user(iso, monkeypatch):
    if os.geteuid() != 0:
        iso.chmod(0)
    else:
        # root reads everything, so the refusal of the kernel is played here
        def refused(*_args, **_kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(iso), "open", refused)
    with pytest.raises(PermissionError):
        read(iso)


def test_a_read_error_of_the_disk_is_no_finding_on_the_image(iso, monkeypatch):
    def broken(*_args, **_kwargs):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(PyCdlib, "open_fp", broken)
    with pytest.raises(OSError, match="Input/output error"):
        read(iso)


def test_of_a_truncated_image_only_the_descriptor_counts(iso):
    whole = iso.read_bytes()
    for length in (34 << 10, 48 << 10, len(whole) - 2048, len(whole) - 1):
        iso.write_bytes(whole[:length])
        raw = read(iso)
        assert (raw.size, raw.volume_size, raw.volume_id) == (length, len(whole), "VOLUME 1.2")
        assert (raw.files, raw.present, raw.eltorito) == ({}, frozenset(), frozenset())


def test_a_file_that_lies_beyond_the_end(iso):
    content = iso.read_bytes()
    (short := bytearray(content[:-2048]))[32768 + 80 : 32768 + 84] = (len(content) // 2048 - 1).to_bytes(
        4, "little"
    )
    iso.write_bytes(short)
    with pytest.raises(UnreadableIsoError, match="cannot be read as an ISO"):
        read(iso)


def _open_files():
    return {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _alive(name)}


def _alive(name):
    return os.path.exists(f"/proc/self/fd/{name}")


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="open files are counted in /proc, which is Linux"
)
def test_the_file_is_closed_in_any_case(iso):
    read(iso)
    assert str(iso) not in _open_files()
    content = bytearray(iso.read_bytes())
    content[32768 + 158] = 255  # the place of the root folder
    iso.write_bytes(content)
    with pytest.raises(UnreadableIsoError):
        read(iso)
    assert str(iso) not in _open_files()


STAND_IN = standin_files("proxmox-ve", "9.1-1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    damage=st.lists(st.tuples(st.integers(32768, 100_000), st.integers(0, 255)), min_size=1, max_size=40),
    cut=st.integers(0, 80_000),
)
def test_a_damaged_image_is_read_or_refused(damage, cut, tmp_path):
    path = tmp_path / "x.iso"
    if not (tmp_path / "whole").exists():
        write_iso(STAND_IN.files, STAND_IN.volume_id, tmp_path / "whole", bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
    content = bytearray((tmp_path / "whole").read_bytes())
    for offset, value in damage:
        content[offset] = value
    path.write_bytes(bytes(content[: len(content) - cut]))
    with contextlib.suppress(UnreadableIsoError):
        read(path, tuple(STAND_IN.files))
