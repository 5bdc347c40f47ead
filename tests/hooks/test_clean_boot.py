"""The hook `clean-boot` on settings as a leaking installation leaves them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hooks.scratch_root import ScratchRoot, shipped

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare", "chroot", "dash", "mawk")]

GRUB = """\
# GRUB_CMDLINE_LINUX="rdinit=/vtoy/vtoy" was here
GRUB_CMDLINE_LINUX_DEFAULT="quiet rdinit=/vtoy/vtoy splash"
GRUB_CMDLINE_LINUX='rdinit=/vtoy/vtoy iommu=pt'
GRUB_CMDLINE_XEN=rdinit=/vtoy/vtoy
GRUB_CMDLINE_LINUX_RECOVERY="xrdinit=/vtoy/vtoy rdinit=/bin/sh"
"""
CLEAN = """\
# GRUB_CMDLINE_LINUX="rdinit=/vtoy/vtoy" was here
GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"
GRUB_CMDLINE_LINUX='iommu=pt'
GRUB_CMDLINE_XEN=
GRUB_CMDLINE_LINUX_RECOVERY="xrdinit=/vtoy/vtoy rdinit=/bin/sh"
"""


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchRoot:
    scratch = ScratchRoot(tmp_path / "root")
    scratch.cover("proc@cmdline", "root=/dev/sda2 ro quiet\n")
    for name in ("update-grub", "proxmox-boot-tool", "kernel-install"):
        scratch.stub(name)
    scratch.stub("bootctl", "exit 1")
    return scratch


def run(scratch: ScratchRoot) -> dict[str, str]:
    scratch.place([shipped("clean-boot")])
    assert scratch.run("install").returncode == 0
    scratch.run("run")
    result: dict[str, str] = json.loads((scratch.root / "var/lib/ventoy-kit/report.json").read_text())[
        "hooks"
    ][0]
    return result


def leaked(scratch: ScratchRoot) -> None:
    scratch.write("etc/default/grub", GRUB, 0o640)
    scratch.write(
        "etc/default/grub.d/installer.cfg", 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX rdinit=/vtoy/vtoy"\n'
    )
    scratch.write("etc/kernel/cmdline", "root=ZFS=rpool/ROOT/pve-1 boot=zfs rdinit=/vtoy/vtoy\n")
    scratch.write("boot/grub/grub.cfg", "\tlinux /vmlinuz root=/dev/sda2 rdinit=/vtoy/vtoy ro\n")


def loader_calls(scratch: ScratchRoot) -> list[str]:
    return [
        c.strip()
        for c in scratch.calls()
        if c.split()[0] in ("update-grub", "proxmox-boot-tool", "kernel-install")
    ]


def test_a_clean_system_is_left_alone(scratch):
    scratch.write("etc/default/grub", CLEAN)
    scratch.write("boot/grub/grub.cfg", "linux /vmlinuz ro\n")
    assert run(scratch)["status"] == "unchanged"
    assert loader_calls(scratch) == []
    assert scratch.read("etc/default/grub") == CLEAN


def test_grub_is_cleaned_refreshed_and_proven_after_a_reboot(scratch):
    leaked(scratch)
    scratch.cover("proc@cmdline", "root=/dev/sda2 rdinit=/vtoy/vtoy ro\n")
    scratch.stub("update-grub", "echo 'linux /vmlinuz ro' >/boot/grub/grub.cfg")
    assert run(scratch)["status"] == "waiting"
    assert loader_calls(scratch) == ["update-grub"]
    assert scratch.read("etc/default/grub") == CLEAN
    assert (scratch.root / "etc/default/grub").stat().st_mode & 0o777 == 0o640
    assert scratch.read("etc/default/grub.d/installer.cfg") == 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX"\n'
    assert scratch.read("etc/kernel/cmdline") == "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n"
    assert scratch.calls()[-1] == "systemctl reboot"
    scratch.reboot(2)
    scratch.cover("proc@cmdline", "root=/dev/sda2 ro\n")
    scratch.run("run")
    assert json.loads(scratch.read("var/lib/ventoy-kit/report.json"))["state"] == "done"


@pytest.mark.parametrize(
    ("uuids", "grub", "bootctl", "calls"),
    [
        (
            True,
            True,
            False,
            ["proxmox-boot-tool refresh"],
        ),  # Proxmox on ZFS: the settings of both loaders exist
        (False, True, True, ["update-grub"]),
        (False, False, True, ["kernel-install add 6.1.0-9-amd64 /boot/vmlinuz-6.1.0-9-amd64"]),
        (False, False, False, []),
    ],
)
def test_the_loader_in_use_is_refreshed(scratch, uuids, grub, bootctl, calls):
    leaked(scratch)
    scratch.write("boot/vmlinuz-6.1.0-9-amd64", "")
    if uuids:
        scratch.write("etc/kernel/proxmox-boot-uuids", "ABCD-1234\n")
    if not grub:
        (scratch.root / "boot/grub/grub.cfg").unlink()
    if bootctl:
        scratch.stub("bootctl")
    result = run(scratch)
    assert loader_calls(scratch) == calls
    assert result["status"] == ("waiting" if calls else "failed")


def test_a_refresh_that_failed_is_owed_until_it_succeeds(scratch):
    leaked(scratch)
    scratch.stub("update-grub", "exit 1")
    assert "could not be refreshed" in run(scratch)["reason"]
    scratch.stub("update-grub", "echo 'linux /vmlinuz ro' >/boot/grub/grub.cfg")
    scratch.reboot(2)
    assert run(scratch)["status"] == "waiting"
    assert len(loader_calls(scratch)) == 2


def test_a_parameter_typed_at_the_boot_menu_is_reported(scratch):
    scratch.cover("proc@cmdline", "rdinit=/vtoy/vtoy ro\n")
    result = run(scratch)
    assert (result["status"], result["reason"]) == (
        "failed",
        "this boot's command line holds a parameter of Ventoy",
    )
