"""The scripts as text: shellcheck, the codes, the list of placeholders."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.boot_overlay.scratch import SCRIPTS, Scratch
from ventoy_kit.fleet.placeholders import PLACEHOLDER_TEXTS, is_placeholder_serial

INSTALLED = {"esp-sync.sh"}
"""Scripts that run in the installed system, which has more programs than the installer."""

ALL = sorted(SCRIPTS.glob("*.sh"))


@pytest.mark.needs_tool("shellcheck")
def test_shellcheck_has_nothing_to_say():
    # SC2310 and SC2312 warn about `set -e` and about $(...) inside arguments; neither matters here (README).
    command = ["shellcheck", "-s", "sh", "-x", "-o", "all", "-e", "SC2310,SC2312", "-S", "style"]
    done = subprocess.run([*command, *(s.name for s in ALL)], cwd=SCRIPTS, capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0


def test_codes_are_complete_sentences_and_each_is_used():
    lines = [line.split("\t") for line in (SCRIPTS / "codes.tsv").read_text().splitlines()]
    assert all(len(line) == 3 and line[1].endswith(".") and line[2].endswith(".") for line in lines)
    known = [line[0] for line in lines]
    assert known == sorted(set(known))
    assert set(known) == set(re.findall(r"VK-B\d\d", "".join(s.read_text() for s in ALL)))


def test_scripts_use_no_applet_that_the_debian_installer_lacks():
    lines = [
        re.sub(r"#.*", "", line)
        for script in ALL
        if script.name not in INSTALLED
        for line in script.read_text().splitlines()
    ]
    words = set(re.findall(r"[a-z_]+", " ".join(line for line in lines if " hexdump " not in line)))
    assert not words & {"lsblk", "xargs", "tee", "timeout", "od", "perl", "hexdump", "xxd", "mountpoint"}
    assert all("|| /ventoy/busybox/busybox hexdump " in line for line in lines if " hexdump " in line)
    assert "[:upper:]" not in "".join(s.read_text() for s in ALL)


@pytest.mark.needs_root
@pytest.mark.needs_tool("busybox", "chroot")
def test_placeholders_are_those_of_the_fleet_file(root: Scratch):
    body = (
        (SCRIPTS / "lib.sh")
        .read_text()
        .split("vk_placeholder() {")[1]
        .split('case "${VK_REPLY}" in')[1]
        .split("esac")[0]
    )
    listed = {
        word
        for line in re.findall(r"^ +([a-z0-9 |]+)\) return 0 ;;", body, re.MULTILINE)
        for word in line.split(" | ")
    }
    assert listed == PLACEHOLDER_TEXTS
    values = [
        *PLACEHOLDER_TEXTS,
        "Default string",
        "To Be Filled By O.E.M.",
        "0",
        "",
        "0000-0000",
        "None",
        "....",
        "xxxxxxx",
    ]
    values += [
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "Not Specified",
    ]
    values += ["SN-1", "7QK9F53", "4c4c4544-0031-3510-8057-b4c04f4d3533", "VMware-56 4d", "01", "none1"]
    script = '. /ventoy-kit/lib.sh; while IFS= read -r v; do vk_placeholder "$v" && echo yes || echo no; done </tmp/v'
    root.write("tmp/v", "".join(f"{v}\n" for v in values))
    expected = ["yes" if is_placeholder_serial(v) else "no" for v in values]
    assert root.shell(script).stdout.split() == expected
    assert expected[-6:] == ["no"] * 6
