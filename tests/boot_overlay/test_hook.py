"""The LiveInjection hook: what it does to the installer's init and to Debian's ticket."""

from __future__ import annotations

import shutil
import stat
import subprocess

import pytest

from tests.boot_overlay.scratch import (
    HOOK,
    OLD_PROXMOX_INIT,
    PROXMOX_INIT,
    STEP,
    UUID,
    Console,
    Scratch,
    ticket,
)

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot")]

SWITCH = "    if ! exec switch_root"


def with_init(root: Scratch, text: str = PROXMOX_INIT, mode: int = 0o751) -> None:
    root.usual()
    root.write("init", text, mode)
    # Nobody can be shown anything here; the message is tested where it is expected.
    root.write("proc/cmdline", "quiet\n")


@pytest.mark.parametrize("text", [PROXMOX_INIT, OLD_PROXMOX_INIT, PROXMOX_INIT.replace("--bind", "-o bind")])
def test_one_line_is_added_before_switch_root(root: Scratch, text: str):
    with_init(root, text)
    root.hook()
    lines = root.read("init").splitlines()
    at = next(n for n, line in enumerate(lines) if line.strip() == STEP)
    assert "exec switch_root" in lines[at + 1]
    assert not lines[at + 1].lstrip().startswith("#")
    del lines[at]
    assert "\n".join(lines) + "\n" == text
    assert stat.S_IMODE((root.path / "init").stat().st_mode) == 0o751
    assert not (root.path / "ventoy-kit/refused").exists()
    assert not (root.path / "init.ventoy-kit").exists()


def test_a_second_run_changes_nothing(root: Scratch):
    with_init(root)
    root.hook()
    first = root.read("init")
    assert "has the step already" in root.hook()
    assert root.read("init") == first


def test_the_step_cannot_break_init(root: Scratch):
    with_init(root, PROXMOX_INIT)
    root.hook()
    line = next(line for line in root.read("init").splitlines() if STEP in line)
    for broken in (
        "exit 3",
        "kill -9 $$",
        "syntax ( error",
        'echo "$unset_variable"; set -u; echo "$unset_variable"',
    ):
        root.write("ventoy-kit/proxmox.sh", broken + "\n")
        done = root.shell(f"set -eu\n{line}\necho goes on")
        assert done.stdout.endswith("goes on\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PROXMOX_INIT.replace("exec switch_root -c", "exec run-init -c"), "switch_root line"),
        (PROXMOX_INIT + PROXMOX_INIT[PROXMOX_INIT.index(SWITCH) :], "once"),
        (PROXMOX_INIT.replace("mount --bind /mnt /mnt/.installer-mp/cdrom", "true"), "bind mount"),
        (PROXMOX_INIT.replace("mount -t tmpfs tmpfs /mnt/.workdir", "true"), "tmpfs"),
        (PROXMOX_INIT.replace("exec switch_root -c", "echo; exec switch_root -c"), "switch_root line"),
        (PROXMOX_INIT.replace(SWITCH, f"    true && \\\n{SWITCH}"), "goes on"),
        (PROXMOX_INIT.replace(SWITCH, f"    true ||\n{SWITCH}"), "goes on"),
        (PROXMOX_INIT.replace(SWITCH, f"    sh /ventoy-kit/other.sh\n{SWITCH}"), "another place"),
        (OLD_PROXMOX_INIT.replace("mount --bind", "#"), "bind mount"),
        ("".join(reversed(PROXMOX_INIT.splitlines(keepends=True))), "another order"),
        (PROXMOX_INIT.rstrip("\n"), "did not pass"),
        ("#!/bin/sh\nexec /sbin/init\n", "once"),
        ("", "once"),
    ],
)
def test_an_unexpected_init_is_left_alone(root: Scratch, text: str, why: str):
    with_init(root, text)
    before = (root.path / "init").stat()
    output = root.hook()
    assert root.read("init") == text
    assert (root.path / "init").stat().st_ino == before.st_ino
    assert root.refusal() == "VK-B08"
    assert why in output


@pytest.mark.parametrize("info", ["PRODUCT='pdm'\n", "", "XPRODUCT='pve'\n", None])
def test_another_product_is_left_alone(root: Scratch, info: str | None):
    with_init(root)
    if info is None:
        (root.path / ".cd-info").unlink()
    else:
        root.write(".cd-info", info)
    root.hook()
    assert root.read("init") == PROXMOX_INIT
    assert root.refusal() == "VK-B08"


@pytest.mark.parametrize("info", ["PRODUCT=PVE\n", "A='b'\nPRODUCT='pbs'\n", 'PRODUCT="pmg"\n'])
def test_the_sister_products_have_the_same_init(root: Scratch, info: str):
    with_init(root)
    root.write(".cd-info", info)
    root.hook()
    assert STEP in root.read("init")


def test_an_init_that_is_a_link_is_left_alone(root: Scratch):
    with_init(root)
    (root.path / "init").rename(root.path / "real")
    (root.path / "init").symlink_to("real")
    root.hook()
    assert root.read("real") == PROXMOX_INIT
    assert root.refusal() == "VK-B08"


def test_without_a_ticket_nothing_happens(root: Scratch):
    with_init(root)
    (root.path / "ventoy/autoinstall").unlink()
    assert "nothing to do" in root.hook()
    assert root.read("init") == PROXMOX_INIT
    assert not (root.path / "ventoy-kit/refused").exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "VK-B01"),
        ("garbage\0\xff\n", "VK-B01"),
        (ticket() + ticket(), "VK-B01"),
        (ticket().replace("# ", "#"), "VK-B01"),
        (ticket().replace(" fleet", "  fleet"), "VK-B01"),
        (ticket().replace(" fleet", "\tfleet"), "VK-B01"),
        (ticket().rstrip("\n") + " more=1\n", "VK-B01"),
        (ticket().rstrip("\n") + "\r\n", "VK-B01"),
        (" " + ticket(), "VK-B01"),
        (ticket(format="2"), "VK-B01"),
        (ticket(node="../../etc"), "VK-B01"),
        (ticket(node=".."), "VK-B01"),
        (ticket(node="$(reboot)"), "VK-B01"),
        (ticket(node="`reboot`"), "VK-B01"),
        (ticket(node="a/b"), "VK-B01"),
        (ticket(node="-n"), "VK-B01"),
        (ticket(node="*"), "VK-B01"),
        (ticket(node=""), "VK-B01"),
        (ticket(node="n" * 65), "VK-B01"),
        (ticket(generation="0123ABCD"), "VK-B01"),
        (ticket(generation="0123abc"), "VK-B01"),
        (ticket(fleet="empire"), "VK-B02"),
        (ticket(generation="deadbeef"), "VK-B03"),
        (ticket(image="other"), "VK-B04"),
        (ticket(arming="20260101T000000Z-1234"), "VK-B05"),
        (ticket(node="tantive"), "VK-B07"),
    ],
)
def test_a_wrong_ticket_is_recorded_and_the_step_will_show_it(root: Scratch, text: str, code: str):
    with_init(root)
    root.ticket(text)
    root.hook()
    assert root.refusal() == code
    # The step is what shows the refusal; it hands nothing over while the file `refused` is there.
    assert root.read("init").count(STEP) == 1
    assert (root.path / "ventoy/autoinstall").read_bytes() == text.encode()


ARMING = "20261123T110000Z-0000aaaa-20261124T110000Z"


@pytest.mark.parametrize(("line", "added"), [("quiet proxmox-start-auto-installer\n", 1), ("quiet\n", 0)])
def test_an_armed_ticket_needs_the_automated_entry(root: Scratch, line: str, added: int):
    with_init(root)
    root.overlay(arming="1")
    root.ticket(arming=ARMING)
    root.write("proc/cmdline", line)
    root.hook()
    assert root.read("init").count(STEP) == added
    assert not (root.path / "ventoy-kit/refused").exists()


def test_an_armed_ticket_for_whatever_machine_it_is_refuses(root: Scratch):
    with_init(root)
    root.overlay(arming="1")
    root.ticket(arming=ARMING, node="auto")
    root.hook()
    assert root.refusal() == "VK-B01"


@pytest.mark.parametrize(
    "conf",
    [
        "",
        "format=1\n",
        "format=2",
        "fleet=alliance\nfleet=alliance\n",
        "generation=../../x\n",
        "family=proxmox\n",
    ],
)
def test_a_damaged_overlay_refuses(root: Scratch, conf: str):
    with_init(root)
    root.write("ventoy-kit/overlay.conf", conf)
    root.hook()
    assert root.refusal() == "VK-B06"


def run_private(code: str, root: Scratch) -> None:
    subprocess.run(
        ["unshare", "-m", "sh", "-c", code, str(root.path), HOOK], check=True, timeout=30, capture_output=True
    )


def test_a_refusal_that_no_later_step_can_show_goes_to_the_console(root: Scratch):
    with_init(root, "#!/bin/sh\n")
    root.write("proc/cmdline", "quiet proxmox-start-auto-installer\n")
    console = Console("\n")
    code = f'mount --make-rprivate / && mount --bind {console.device} "$0/dev/console" && exec chroot "$0" sh "$1" debian'
    run_private(code, root)
    shown = console.close()
    assert "VK-B08" in shown
    assert "What to do: Use a release" in shown


class TestDebian:
    def machines(self, root: Scratch) -> None:
        root.node("falcon", {"serial": "SN-1", "uuid": UUID, "mac": "52:54:00:00:00:01"})
        root.node("xwing", {"serial": "SN-2"})
        root.ticket(node="auto")

    def test_auto_becomes_the_ticket_of_this_machine(self, debian_root: Scratch):
        self.machines(debian_root)
        debian_root.dmi("SN-2  ")
        debian_root.hook()
        assert debian_root.read("ventoy/autoinstall") == debian_root.read(
            "ventoy-kit/nodes/xwing/preseed.cfg"
        )

    @pytest.mark.parametrize("serial", ["SN-3", "Default string", None])
    def test_auto_stays_without_a_match(self, debian_root: Scratch, serial: str | None):
        self.machines(debian_root)
        debian_root.dmi(serial)
        assert "VK-B11" in debian_root.hook()
        assert debian_root.read("ventoy/autoinstall") == ticket(node="auto")

    def test_auto_stays_when_two_match(self, debian_root: Scratch):
        self.machines(debian_root)
        debian_root.node("twin", {"serial": "SN-2"})
        debian_root.dmi("SN-2")
        output = debian_root.hook()
        assert "VK-B12" in output
        assert "twin xwing" in output
        assert debian_root.read("ventoy/autoinstall") == ticket(node="auto")

    @pytest.mark.parametrize("changes", [{"generation": "deadbeef"}, {"node": "falcon"}])
    def test_auto_stays_when_the_nodes_own_ticket_is_not_consistent(
        self, debian_root: Scratch, changes: dict[str, str]
    ):
        self.machines(debian_root)
        debian_root.write("ventoy-kit/nodes/xwing/preseed.cfg", ticket(**({"node": "xwing"} | changes)))
        debian_root.dmi("SN-2")
        debian_root.hook()
        assert debian_root.read("ventoy/autoinstall") == ticket(node="auto")

    def test_a_named_ticket_stays(self, debian_root: Scratch):
        self.machines(debian_root)
        debian_root.ticket(node="falcon")
        debian_root.dmi("SN-2")
        debian_root.hook()
        assert debian_root.read("ventoy/autoinstall") == ticket(node="falcon")

    def test_init_is_not_touched(self, debian_root: Scratch):
        self.machines(debian_root)
        debian_root.write("init", PROXMOX_INIT, 0o755)
        debian_root.dmi("SN-2")
        debian_root.hook()
        assert debian_root.read("init") == PROXMOX_INIT

    def test_sysfs_is_mounted_for_a_moment_only(self, debian_root: Scratch):
        self.machines(debian_root)
        shutil.rmtree(debian_root.path / "sys")
        assert "VK-B11" in debian_root.hook()
        assert list((debian_root.path / "sys").iterdir()) == []
