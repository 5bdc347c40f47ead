"""What identifies nothing: the same here and on the machine, which decides with boot_overlay/lib.sh."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleets import BASE
from ventoy_kit.fleet.placeholders import (
    PLACEHOLDER_TEXTS,
    is_placeholder_serial,
    is_placeholder_uuid,
    is_placeholder_wwn,
    plain_wwn,
)

BOOT = BASE.parents[2] / "boot_overlay"


def shell(script: str, values: list[str]) -> list[str]:
    """Run the machine's functions over values, one a line; its answer for each."""
    program = shutil.which("busybox")
    assert program is not None
    text = f". {BOOT / 'lib.sh'}; . {BOOT / 'disks.sh'}; while IFS= read -r value; do {script}; done"
    done = subprocess.run(
        [program, "sh", "-c", text],
        input="\n".join(values) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def on_the_machine(values: list[str]) -> list[bool]:
    script = 'if vk_placeholder "${value}"; then echo yes; else echo no; fi'
    return [answer == "yes" for answer in shell(script, values)]


KNOWN = [
    *sorted(PLACEHOLDER_TEXTS),
    *(
        "Default string",
        "To be filled by O.E.M.",
        "System Serial Number",
        "N/A",
        "None",
        "0",
        "FFFFFFFF",
        "........",
    ),
    *("03000200-0400-0500-0006-000700080009", "00000000-0000-0000-0000-000000000000", "0123456789ABCDEF"),
]
REAL = ["FALC0N1", "S7FALC0N0001", "4c4c4544-0031-3510-8057-b4c04f4d3533", "none-1", "01", "oem2", "12345678"]


@pytest.mark.needs_tool("busybox")
def test_kit_and_machine_hold_the_same_list():
    assert all(is_placeholder_serial(value) for value in KNOWN)
    assert not any(is_placeholder_serial(value) for value in REAL)
    assert on_the_machine([*KNOWN, *REAL]) == [True] * len(KNOWN) + [False] * len(REAL)


NEAR = st.one_of(
    st.text(st.sampled_from("0Ff1-. aZ"), min_size=1, max_size=12),
    st.sampled_from(KNOWN),
    st.tuples(st.sampled_from(KNOWN), st.sampled_from(["", "-", " ", "0", "x"])).map("".join),
)


@pytest.mark.needs_tool("busybox")
@settings(deadline=None, max_examples=10)
@given(st.lists(NEAR, min_size=1, max_size=60))
def test_kit_and_machine_agree_on_what_looks_like_one(values):
    assert on_the_machine(values) == [is_placeholder_serial(value) for value in values]


WWN = st.tuples(
    st.sampled_from(["", "0x", "naa.", "eui.", "t10.", "nvme.", "NAA.", "0X"]),
    st.text(st.sampled_from("0123456789abcdefABCDEF.-_"), min_size=8, max_size=20),
).map("".join)


@pytest.mark.needs_tool("busybox")
@settings(deadline=None, max_examples=10)
@given(st.lists(WWN, min_size=1, max_size=60))
def test_kit_and_machine_compare_wwns_in_one_form(values):
    seen = shell('vk_wwn "${value}"; printf "%s\\n" "${VK_REPLY}"', values)
    assert seen == ["" if is_placeholder_wwn(value) else plain_wwn(value) for value in values]


def test_uuids_shared_by_series():
    assert is_placeholder_uuid("03000200-0400-0500-0006-000700080009")
    assert is_placeholder_uuid("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")
    assert not is_placeholder_uuid("03000200-0400-0500-0006-000700080008")
