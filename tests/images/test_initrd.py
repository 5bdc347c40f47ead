"""Files inside an initramfs, as the kernel would unpack it."""

import gzip
import random
import subprocess
from pathlib import Path

import pytest

from ventoy_kit.images.initrd import files_in_initrd

NAMES = ("preseed.cfg",)


def cpio(files: dict[str, bytes]) -> bytes:
    """A "newc" archive (cpio(5)) that ends as cpio ends it."""
    out = b""
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        fields = [number, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return out + b"\0" * (-len(out) % 512)


PLAIN = cpio({"init": b"#!/bin/sh\n", "big": random.Random(1).randbytes(3 << 20)})
ANSWERS = cpio({"preseed.cfg": b"d-i a string b\n"})


@pytest.mark.parametrize(
    "data",
    [
        ANSWERS,
        gzip.compress(ANSWERS, mtime=0),
        gzip.compress(PLAIN, mtime=0) + gzip.compress(ANSWERS, mtime=0),
        gzip.compress(PLAIN, mtime=0) + ANSWERS,
        PLAIN + gzip.compress(ANSWERS, mtime=0),
        PLAIN + b"\0" * 512 + gzip.compress(PLAIN, mtime=0) + b"\0" * 4 + gzip.compress(ANSWERS, mtime=0),
        cpio({"./preseed.cfg": b"d-i a string b\n"}),
    ],
    ids=range(7),
)
def test_it_is_found_wherever_it_was_put(data):
    assert files_in_initrd(data, NAMES, 1 << 20) == {"preseed.cfg": b"d-i a string b\n"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 5000,
        b"\x1f\x8b" + b"x" * 99,
        PLAIN,
        gzip.compress(PLAIN, mtime=0)[:5000],
        b"070701" + b"z" * 200,
    ],
    ids=range(6),
)
def test_what_holds_none_or_is_damaged_gives_none(data):
    assert files_in_initrd(data, NAMES, 1 << 20) == {}


def test_a_large_one_is_cut():
    data = gzip.compress(cpio({"preseed.cfg": b"a" * 5000, "late": b"x"}) + ANSWERS)
    assert files_in_initrd(data, ("late",), 10) == {"late": b"x"}
    assert files_in_initrd(gzip.compress(cpio({"preseed.cfg": b"a" * 5000})), NAMES, 100) == {
        "preseed.cfg": b"a" * 100
    }


def test_random_damage_never_raises():
    chance = random.Random(3)
    whole = gzip.compress(PLAIN[:5000]) + gzip.compress(ANSWERS, mtime=0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        files_in_initrd(bytes(data), NAMES, 1 << 20)


@pytest.mark.needs_package("debian-installer-12-netboot-amd64")
@pytest.mark.needs_tool("cpio")
def test_the_real_debian_installer_holds_none_until_one_is_appended(netboot_package, tmp_path):
    (initrd,) = netboot_package.glob(
        "usr/lib/debian-installer/images/*/amd64/text/debian-installer/amd64/initrd.gz"
    )
    data = initrd.read_bytes()
    assert files_in_initrd(data, (*NAMES, "init"), 1 << 20).keys() == {"init"}
    (tmp_path / "preseed.cfg").write_bytes(b"d-i a string b\n")
    made = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc"], input=b"preseed.cfg\n", cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )  # fmt: skip
    found = files_in_initrd(data + gzip.compress(made.stdout), NAMES, 1 << 20)
    assert found == {"preseed.cfg": b"d-i a string b\n"}
    assert Path(initrd).read_bytes() == data
