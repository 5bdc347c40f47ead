"""The step before switch_root, with the mounts that the Proxmox VE installer's init makes, in a private namespace."""

from __future__ import annotations

import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.boot_overlay.broken_runner import BREAK
from tests.boot_overlay.proxmox_step import HANDED_OVER, SEEN_WHEN_NOTHING_IS_HANDED_OVER, boot
from tests.boot_overlay.scratch import DISKS, UUID, Scratch, ticket

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("busybox", "chroot", "unshare", "mount"),
    pytest.mark.skipif(
        "overlay" not in Path("/proc/filesystems").read_text(), reason="no overlay file system here"
    ),
]


def test_the_typed_name_hands_over_the_answer(root: Scratch):
    root.usual()
    result = boot(root, "falcon\n")
    assert result.names == SEEN_WHEN_NOTHING_IS_HANDED_OVER | HANDED_OVER
    assert result.mounts == 1
    assert tomllib.loads((result.cdrom / "auto-installer-mode.toml").read_text()) == {"mode": "iso"}
    answer = tomllib.loads((result.cdrom / "answer.toml").read_text())
    assert answer == {"disk-setup": {"filesystem": "ext4", "disk-list": ["/dev/nvme0n1"]}}
    assert stat.S_IMODE((result.cdrom / "answer.toml").stat().st_mode) == 0o600
    assert (result.cdrom / "proxmox-first-boot").read_text() == "#!/bin/sh\nexit 0\n"
    assert stat.S_IMODE((result.cdrom / "proxmox-first-boot").stat().st_mode) == 0o755
    # The ISO itself is not written to.
    assert {p.name for p in (root.path / "iso").iterdir()} == SEEN_WHEN_NOTHING_IS_HANDED_OVER


def test_the_screen_says_what_will_be_wiped(root: Scratch):
    root.usual()
    screen = boot(root).screen
    assert "Fleet alliance, node falcon: The falcon" in screen
    wiped, stays = screen.split("These disks stay as they are:")
    assert "  /dev/nvme0n1: Samsung SSD 980 PRO 1TB, 1.0 TB, serial S5GXNX0T1\n" in wiped
    assert "/dev/sda: WDC WD40EFRX, 4.0 TB, serial WD-KEEP (declared as vault, keep)" in stays
    assert "/dev/sdz: USB STICK, 32 GB, serial STICK0001 (the Ventoy stick)" in stays
    assert "(falcon)" in stays


@pytest.mark.parametrize("typed", ["falcon\n", "  falcon \n", "\n\nfalcon\n", "no\nfalco\nfalcon\n"])
def test_the_name_may_come_late(root: Scratch, typed: str):
    root.usual()
    assert boot(root, typed).names >= HANDED_OVER


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("no\nFALCON\nfalcon1\nfalcon\n", "VK-B31"),
        ("\n" * 20 + "falcon\n", "VK-B31"),
        ("\x04", "VK-B32"),
        ("y\n\x04", "VK-B32"),
        ("*\n.*\n$VK_NODE\n", "VK-B31"),
    ],
)
def test_without_the_name_nothing_is_handed_over(root: Scratch, typed: str, code: str):
    root.usual()
    result = boot(root, typed)
    assert result.nothing_handed_over
    assert f"({code})" in result.screen
    assert "Press Enter to go on" in result.screen


def test_without_a_console_nothing_is_handed_over(root: Scratch):
    root.usual()
    (root.path / "dev/console").unlink()
    root.write("dev/null", "")
    assert boot(root, screen=False).nothing_handed_over
    assert "VK-B30" in root.read("ventoy-kit/log")


def test_the_system_console_is_used_when_init_names_another(root: Scratch):
    root.usual()
    result = boot(root, screen=False)
    # Nobody is there: the scratch console is at its end at once.
    assert result.nothing_handed_over
    assert "VK-B32" in root.read("ventoy-kit/log")


def test_another_entry_of_the_menu_asks_nothing(root: Scratch):
    root.usual()
    for line in (
        "quiet splash=silent\n",
        "quiet xproxmox-start-auto-installer\n",
        "proxmox-start-auto-installer=0\n",
    ):
        root.write("proc/cmdline", line)
        result = boot(root)
        assert result.nothing_handed_over
        assert "falcon" not in result.screen.replace("falcon\n", "", 1)
        subprocess.run(["rm", "-r", root.path / "seen"], check=True)


def test_auto_takes_the_answer_of_this_machine(root: Scratch):
    root.usual()
    root.node("tantive", {"serial": "SN-2"}, DISKS)
    root.ticket(node="auto")
    assert boot(root, "tantive\nfalcon\n").names >= HANDED_OVER


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ticket(generation="deadbeef"), "VK-B03"),
        (ticket(fleet="empire"), "VK-B02"),
        (ticket() + ticket(), "VK-B01"),
        (ticket(node="../nodes/falcon"), "VK-B01"),
        (ticket(node="tantive"), "VK-B10"),
        ("d-i partman/confirm boolean true\n", "VK-B01"),
    ],
)
def test_the_ticket_is_checked_again(root: Scratch, text: str, code: str):
    root.usual()
    root.node("tantive", {"serial": "SN-2"}, DISKS)
    root.ticket(text)
    result = boot(root)
    assert result.nothing_handed_over
    assert f"({code})" in result.screen


@pytest.mark.parametrize(
    ("recorded", "code"), [("VK-B08\nwhy\n", "VK-B08"), ("", "VK-B99"), ("VK-Bxy", "VK-B99")]
)
def test_what_the_hook_refused_stays_refused(root: Scratch, recorded: str, code: str):
    root.usual()
    root.write("ventoy-kit/refused", recorded)
    result = boot(root)
    assert result.nothing_handed_over
    assert f"({code})" in result.screen


def test_a_node_without_its_answer_refuses(root: Scratch):
    root.usual()
    (root.path / "ventoy-kit/nodes/falcon/answer.toml").unlink()
    result = boot(root)
    assert result.nothing_handed_over
    assert "(VK-B06)" in result.screen


@pytest.mark.parametrize("what", [*BREAK, "both"])
def test_a_runner_that_is_not_whole_refuses(root: Scratch, what: str):
    root.usual()
    BREAK.get(what, lambda root: root.without_runner("falcon"))(root)
    result = boot(root)
    assert result.nothing_handed_over
    assert "(VK-B06)" in result.screen
    assert "The first-boot runner of node falcon is missing or damaged." in result.screen


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ('umount "$cdrom"', "VK-B41"),
        ('mount --bind "$root/mnt" "$cdrom"', "VK-B41"),
        ('umount "$root/mnt/.workdir"', "VK-B41"),
        ('rm "$root/iso/pve-installer.squashfs"', "VK-B41"),
        ('echo >"$root/iso/answer.toml"', "VK-B41"),
        ('mount -o remount,ro "$root/mnt/.workdir"', "VK-B42"),
    ],
)
def test_folders_that_are_not_as_expected_refuse(root: Scratch, before: str, code: str):
    root.usual()
    result = boot(root, before=before)
    assert f"({code})" in result.screen
    assert not result.names & {"auto-installer-mode.toml", "proxmox-first-boot"}
    assert result.left == ""


def test_a_medium_that_cannot_be_unmounted_stays(root: Scratch):
    root.usual()
    result = boot(root, before='(cd "$cdrom" && exec sleep 40 >/dev/null 2>&1) & sleep 0.3', after="kill $!")
    assert result.nothing_handed_over
    assert "cannot be unmounted" in result.screen


def test_an_overlay_that_cannot_be_mounted_restores_the_medium(root: Scratch):
    root.usual()
    # The kernel stacks two file systems, not three: an ISO that is an overlay of an overlay takes no further one.
    before = """
    umount "$cdrom" "$root/mnt/.installer-mp" "$root/mnt/.workdir" "$root/mnt"
    mkdir "$root/low" "$root/low2"
    mount -t overlay -o "lowerdir=$root/iso:$root/low" x "$root/low2"
    mount -t overlay -o "lowerdir=$root/low2:$root/low" x "$root/mnt"
    mount -t tmpfs tmpfs "$root/mnt/.workdir"
    mount --bind "$root/installer" "$root/mnt/.installer-mp"
    mount --bind "$root/mnt" "$cdrom"
    """
    result = boot(root, before=before)
    assert result.nothing_handed_over
    assert "The overlay cannot be mounted." in result.screen
    assert "the medium is shown as it was" in result.screen


def test_an_end_in_the_middle_restores_the_medium(root: Scratch):
    root.usual()
    # An unset variable ends the shell right after the bind mount is gone.
    text = root.read("ventoy-kit/proxmox.sh")
    broken = text.replace(
        "    if ! mount -t overlay", '    : "${no_such_variable}"\n    if ! mount -t overlay'
    )
    assert broken != text
    root.write("ventoy-kit/proxmox.sh", broken)
    assert boot(root).nothing_handed_over


def test_a_medium_with_an_answer_of_its_own_stops_for_ever(root: Scratch):
    root.usual()
    root.write("iso/auto-installer-mode.toml", 'mode = "iso"\n')
    with pytest.raises(subprocess.TimeoutExpired):
        boot(root, "\n\n\n", timeout=3)
    assert "VK-B43" in root.read("ventoy-kit/log")


ANSWER = """\
[global]
keyboard = "en-us"
root-password-hashed = "$6$a\\\\b"

[disk-setup]
filesystem = "zfs"
{disks}
zfs.raid = "raid1"
"""


@pytest.mark.parametrize(
    "disks", ['disk-list = ["@VENTOY_KIT_DISKS@"]', 'disk-list = [\n    "@VENTOY_KIT_DISKS@",\n]']
)
def test_two_disks_take_the_place_of_the_placeholder(root: Scratch, disks: str):
    root.usual()
    root.node("falcon", {}, DISKS.replace("keep\tvault", "system\tmirror"))
    root.write("ventoy-kit/nodes/falcon/answer.toml", ANSWER.format(disks=disks))
    answer = (boot(root).cdrom / "answer.toml").read_text()
    assert answer == ANSWER.format(disks=disks).replace('"@VENTOY_KIT_DISKS@"', '"/dev/nvme0n1", "/dev/sda"')
    assert tomllib.loads(answer)["disk-setup"]["disk-list"] == ["/dev/nvme0n1", "/dev/sda"]


@pytest.mark.parametrize(
    "disks",
    [
        "",
        'disk-list = ["sda"]',
        'disk-list = ["@VENTOY_KIT_DISKS@"]\nfilter.ID = "@VENTOY_KIT_DISKS@"',
        'disk-list = ["@VENTOY_KIT_DISKS@", "@VENTOY_KIT_DISKS@"]',
        'disk-list = ["sda", "@VENTOY_KIT_DISKS@"]',
        'disk-list = ["@VENTOY_KIT_DISKS@", "sda"]',
        'disk-list = [\n    "sda",\n    "@VENTOY_KIT_DISKS@",\n]',
        "disk-list = [ @VENTOY_KIT_DISKS@ ]",
        'disk-list = ["x@VENTOY_KIT_DISKS@"]',
        '# disk-list = ["@VENTOY_KIT_DISKS@"]',
        'filter.ID_SERIAL = "@VENTOY_KIT_DISKS@"',
    ],
)
def test_another_place_for_disks_refuses(root: Scratch, disks: str):
    root.usual()
    root.write("ventoy-kit/nodes/falcon/answer.toml", ANSWER.format(disks=disks))
    result = boot(root)
    assert result.nothing_handed_over
    assert "(VK-B40)" in result.screen


def test_identity_and_disks_refuse_before_the_question(root: Scratch):
    root.usual()
    root.dmi("SN-9", UUID)
    result = boot(root)
    assert result.nothing_handed_over
    assert "(VK-B10)" in result.screen
    assert "Type the node's name" not in result.screen


LEAK = "BOOT_IMAGE=/boot/linux26 ro rdinit=/vtoy/vtoy quiet proxmox-start-auto-installer\n"


def test_a_parameter_that_would_leak_into_the_new_system_is_a_refusal(root: Scratch):
    root.usual()
    root.write("proc/cmdline", LEAK)
    root.write("installer/sbin/unconfigured.sh", "#!/bin/bash\nmount -n -t proc proc /proc\n")
    result = boot(root)
    assert result.nothing_handed_over
    assert "(VK-B48)" in result.screen
    assert "normal mode" in result.screen


def test_a_parameter_that_ventoy_hides_is_no_refusal(root: Scratch):
    root.usual()
    root.write("proc/cmdline", LEAK)
    hides = (
        "sed 's#rdinit=/vtoy/vtoy##g' /proc/cmdline >/etc/cmdline\nmount --bind /etc/cmdline /proc/cmdline\n"
    )
    root.write("installer/sbin/unconfigured.sh", "#!/bin/bash\n" + hides)
    assert boot(root).names >= HANDED_OVER
