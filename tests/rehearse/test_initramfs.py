"""The second archive of a direct boot: unpacked by a real cpio, and found again by the kit's own reader."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from pathlib import Path

import pytest

from ventoy_kit.images.initrd import files_in_initrd
from ventoy_kit.payload.archive import pack
from ventoy_kit.rehearse.initramfs import (
    Injection,
    Member,
    cpio,
    injected,
    is_static,
    own_init,
    readdressed,
    unpack_archive,
)

SCRIPTS = {"start.sh": b"#!start", "vtoydump.sh": b"#!dump"}


@pytest.mark.needs_tool("cpio")
def test_a_real_cpio_unpacks_it(tmp_path: Path):
    files = {
        "a/b/c": Member(b"12345"),
        "bin/sh": Member(b"/x/busybox", 0o777, link=True),
        "run": Member(b"#!", 0o755),
    }
    done = subprocess.run(["cpio", "-idm", "--quiet"], input=cpio(files), cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a/b/c").read_bytes() == b"12345"
    assert (tmp_path / "bin/sh").readlink() == Path("/x/busybox")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755


def test_the_isos_own_init_waits_beside_ours():
    inside = cpio({"init": Member(b"#!/bin/sh of the ISO"), "etc/x": Member(b"")})
    for initrd in (
        inside,
        gzip.compress(inside, mtime=0),
        lzma.compress(inside),
        cpio({"kernel/ucode": Member(b"x")}) + gzip.compress(inside, mtime=0),
    ):
        assert own_init(initrd) == b"#!/bin/sh of the ISO"
    ours = cpio(
        injected(Injection("debian", b"ticket", b"archive", b"#!/bin/sh of the ISO", b"box", SCRIPTS))
    )
    found = files_in_initrd(
        gzip.compress(inside, mtime=0) + ours, ("init", "ventoy/init", "ventoy/autoinstall"), 99
    )
    assert found == {
        "init": b"#!start",
        "ventoy/init": b"#!/bin/sh of the ISO",
        "ventoy/autoinstall": b"ticket",
    }


@pytest.mark.parametrize(
    "data", [b"", b"no archive", gzip.compress(cpio({"etc/x": Member(b"")}), mtime=0), b"\xfd7zXZ\x00broken"]
)
def test_what_holds_no_init_has_none(data: bytes):
    assert own_init(data) is None


@pytest.mark.needs_tool("busybox")
def test_static_programs_are_known_by_what_they_need():
    assert is_static(Path("/bin/busybox").resolve().read_bytes())
    assert not is_static(Path("/bin/sh").resolve().read_bytes())
    assert not is_static(b"#!/bin/sh\n")


def test_the_mirror_changes_in_tickets_and_nowhere_else():
    line = b"d-i mirror/http/hostname string mirror.example:8080\n"
    archive = pack(
        {
            "ventoy-kit/nodes/a/preseed.cfg": (line + b"d-i x string mirror.example:8080\n", 0o600),
            "ventoy-kit/nodes/a/first-boot": (line, 0o755),
        }
    )
    changed, ticket = readdressed(archive, line, "mirror.example:8080", "10.0.0.254")
    files = unpack_archive(changed)
    assert ticket == b"d-i mirror/http/hostname string 10.0.0.254\n"
    assert files["ventoy-kit/nodes/a/preseed.cfg"] == (ticket + b"d-i x string mirror.example:8080\n", 0o600)
    assert files["ventoy-kit/nodes/a/first-boot"] == (line, 0o755)


def test_a_damaged_archive_is_no_archive():
    with pytest.raises(ValueError, match="no injection archive"):
        unpack_archive(b"BZh9 broken")
