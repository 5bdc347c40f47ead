"""The hook `microcode`: packages named as Debian names them, an initramfs that begins as initramfs-tools begins it."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.hardware import AMD, INTEL
from tests.hooks.scratch_root import shipped

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

EARLY = "printf '070701\\0kernel/x86/microcode/{}.bin\\0' >/boot/initrd.img-6.12.0-1"
PARTS = {INTEL: ("intel-microcode", "GenuineIntel"), AMD: ("amd64-microcode", "AuthenticAMD")}


def machine(root: DebianRoot, cpu: str) -> DebianRoot:
    package, part = PARTS[cpu]
    root.repository((package, "1", {f"opt/{package}": ""}))
    root.cover("proc@cpuinfo", cpu)
    root.write("boot/initrd.img-6.12.0-1", "070701 nothing early")
    root.stub("iucode_tool", "echo selected")
    root.stub("update-initramfs", EARLY.format(part))
    return root


@pytest.mark.parametrize("cpu", [INTEL, AMD])
def test_the_vendors_package_and_the_initramfs_twice(debian: DebianRoot, cpu: str) -> None:
    assert twice(machine(debian, cpu), shipped("microcode")) == [f"package {PARTS[cpu][0]}", "initramfs"]
    assert debian.calls("update-initramfs") == ["update-initramfs -u -k all"]


def test_nothing_for_this_processor_is_fine(trixie: DebianRoot) -> None:
    machine(trixie, INTEL)
    trixie.stub("iucode_tool")
    assert twice(trixie, shipped("microcode")) == ["package intel-microcode"]


@pytest.mark.parametrize(
    "cpu", [INTEL.replace("vmx", "vmx hypervisor"), INTEL.replace("GenuineIntel", "Other")]
)
def test_skipped_where_it_means_nothing(trixie: DebianRoot, cpu: str) -> None:
    trixie.cover("proc@cpuinfo", cpu)
    assert trixie.run(shipped("microcode"))["status"] == "skipped"


def test_without_the_component_the_reason_names_the_package(trixie: DebianRoot) -> None:
    trixie.cover("proc@cpuinfo", AMD)
    trixie.repository(("demo", "1", {}))
    result = trixie.run(shipped("microcode"))
    assert "cannot be installed: amd64-microcode" in str(result["reason"])
