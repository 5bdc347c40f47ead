"""What the shell takes apart by itself, beside a plain description of it in Python: any bytes, any shell, any locale."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.boot_overlay.scratch import SCRIPTS, busybox
from ventoy_kit.fleet.placeholders import is_placeholder_serial

pytestmark = pytest.mark.needs_tool("busybox", "dash")

PRINTABLE = bytes(range(0x21, 0x7F))
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
FUNCTIONS = ("attribute", "lower", "plain", "serial", "model", "wwn", "page", "shown")
DRIVER = """\
set -eu
. "$1/lib.sh"
. "$1/disks.sh"
tell() { printf '%s\\n' "${VK_REPLY}" >"${case}/$1.out"; }
set +e
cd "$2" || exit 1
for case in *; do
    vk_read_attribute "${case}/bytes"; tell attribute
    vk_content "${case}/bytes"; text=${VK_REPLY}
    vk_lower "${text}"; tell lower
    vk_plain "${text}"; tell plain
    vk_wwn "${text}"; tell wwn
    vk_show "${text}" >"${case}/shown.out"
    vk_disk_serial "${case}/nvme"; tell serial
    vk_disk_model "${case}/nvme"; tell model
    vk_disk_serial "${case}/sata"; tell page
done
"""


def squeezed(data: bytes) -> bytes:
    return bytes(b for b in data if b in PRINTABLE)


def usable(data: bytes) -> bytes:
    """An identifier, unless it is a placeholder."""
    return b"" if is_placeholder_serial(data.decode("ascii")) else data


def content(data: bytes) -> bytes:
    """What the shell reads: without zero bytes, blanks for line ends, none at the ends but what a line itself has."""
    lines = data.replace(b"\0", b"").split(b"\n")
    if not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return b" ".join(lines)


def lower(data: bytes) -> bytes:
    return bytes(b + 32 if 0x41 <= b <= 0x5A else b for b in data)


def wwn(data: bytes) -> bytes:
    return usable(re.sub(rb"^(naa\.|eui\.|t10\.|nvme\.|uuid\.|0x)", b"", lower(squeezed(data))))


def expected(data: bytes) -> dict[str, bytes]:
    text = content(data)
    spaced = bytes(b if b in PRINTABLE else 0x20 for b in data.replace(b"\0", b""))
    return {
        "attribute": squeezed(data),
        "lower": lower(text),
        "plain": lower(bytes(b for b in text if b in LETTERS)),
        "serial": usable(squeezed(data)),
        "model": b" ".join(spaced.split()),
        "wwn": wwn(text),
        "page": usable(squeezed(data[:255])),
        "shown": bytes(b if 0x20 <= b < 0x7F else 0x3F for b in text)[:120],
    }


def seen(shell: tuple[str, ...], locale: str, cases: list[bytes], folder: Path) -> list[dict[str, bytes]]:
    """What the functions say of each case."""
    shutil.rmtree(folder, ignore_errors=True)
    for number, data in enumerate(cases):
        case = folder / f"{number:05}"
        (case / "nvme/device").mkdir(parents=True)
        (case / "sata/device").mkdir(parents=True)
        (case / "bytes").write_bytes(data)
        (case / "nvme/device/serial").write_bytes(data)
        (case / "nvme/device/model").write_bytes(data)
        page = data[:255]
        (case / "sata/device/vpd_pg80").write_bytes(b"\0\x80\0" + bytes([len(page)]) + page)
    done = subprocess.run(
        [*shell, "-c", DRIVER, "sh", SCRIPTS, folder],
        capture_output=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": locale},
        timeout=170,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return [
        {name: (folder / f"{number:05}/{name}.out").read_bytes().removesuffix(b"\n") for name in FUNCTIONS}
        for number in range(len(cases))
    ]


def shells() -> list[tuple[str, ...]]:
    return [("dash",), (str(busybox()[0]), "sh")]


EDGES = [
    b"",
    b"\n",
    b"\n\n",
    b" ",
    b"A",
    b"A\n",
    b"A\n\nB",
    b"\nA",
    b"A\nB\nC",
    b"-n",
    b"-e\n",
    b"--",
    b"*",
    b"/*/../*",
    b"[a-z]?",
    b"~",
    b"$(reboot) `reboot` ${PATH} $$",
    b"\"'\\",
    b"\\",
    b"a\\",
    b"\\n\\t\\0",
    b"%s%d%%",
    b"\tS1 \t 2\t",
    b"S1            \n",
    b"            S1",
    b"S\0001\0\0\n",
    b"\0",
    b"\0\0\xff\0",
    bytes(range(256)),
    bytes(range(255, -1, -1)),
    b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89",
    b"caf\xc3\xa9 1",
    b"caf\xe9 1",
    b"\xc3",
    b"1\xe2\x82",
    b"\xff\xff\xff\xff",
    b"0000\xff",
    b"0000\xc3\xa9 ",
    b"Default string",
    b"To Be Filled By O.E.M.\0",
    b"naa.5002538E40A1B2C3\n",
    b"0X5002538E40A1B2C3",
    b"t10.ATA     QEMU HARDDISK    QM00005    ",
    b"eui.0000000000000000",
    b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    b"x" * 4096,
    b"Ab " * 1365,
    b"\x80 Z" * 1365,
    b"y" * 120,
    b"y" * 121,
]
PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [*[bytes([b]) for b in b" \\$`'\"*?[]~-\t\n\r\0\x80\x81\x88\xff"], b"  ", b"naa.", b"0x"]
    ),
    st.text("0fFaZz19 ", max_size=12).map(str.encode),
)
DATA = st.lists(PIECES, max_size=12).map(b"".join)
LONG = [random.Random(seed).randbytes(4096) for seed in range(2)]


def compare(cases: list[bytes], folder: Path) -> None:
    wanted = [expected(data) for data in cases]
    for shell in shells():
        for locale in ("C", "C.UTF-8"):
            for data, got, want in zip(cases, seen(shell, locale, cases, folder), wanted, strict=True):
                assert got == want, (shell, locale, data)


def test_edges(tmp_path: Path):
    compare(
        [*EDGES, *LONG, *(b"a%cb" % b for b in range(256))],
        tmp_path / "cases",
    )


# Each example is a folder of cases for six shells, so the profile's counts would take a day.
@settings(max_examples=100 if os.environ.get("VENTOY_KIT_SOAK") else 3, phases=[Phase.generate])
@given(st.lists(DATA, min_size=30, max_size=60))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, cases: list[bytes]):
    compare(cases, tmp_path_factory.mktemp("texts") / "cases")


def test_a_function_that_leaves_its_answer_is_never_asked_to_print():
    """`$(vk_x)` would be empty, which nothing notices."""
    texts = {file.name: file.read_text() for file in SCRIPTS.glob("*.sh")}
    whole = "\n".join(texts.values())
    answering = set(re.findall(r"^# (vk_\w+)[^\n]*: VK_REPLY becomes", whole, re.MULTILINE))
    assert {"vk_squeeze", "vk_lower", "vk_disk_serial", "vk_describe_device"} <= answering
    asked = set(re.findall(r"\$\((vk_\w+)", whole)) | set(
        re.findall(r"(vk_\w+)[^\n|&;]*(?<!\|)\|(?!\|)", whole)
    )
    assert not answering & asked
