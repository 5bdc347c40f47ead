"""The early command in the Debian installer, with a debconf that writes down what it is told."""

from __future__ import annotations

import pytest

from tests.boot_overlay.debian_step import PARTMAN, prepare, refused, run
from tests.boot_overlay.scratch import DISKS, GB, UUID, Scratch, ticket

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]


@pytest.fixture
def root(debian_root: Scratch) -> Scratch:
    """A machine in the Debian installer that everything agrees with."""
    prepare(debian_root)
    return debian_root


def test_the_typed_name_sets_the_answers(root: Scratch):
    code, screen = run(root)
    assert code == 0
    assert root.read("selections") == PARTMAN.replace("@VENTOY_KIT_DISKS@", "/dev/nvme0n1")
    assert root.read("modes").startswith("-rw-------")
    assert not (root.path / "ventoy-kit/run/partman.cfg").exists()
    assert "Type: string\nDescription: Type falcon to wipe these disks and install:\n" in screen
    assert (
        "  These disks will be WIPED:\n    /dev/nvme0n1: Samsung SSD 980 PRO 1TB, 1.0 TB, serial S5GXNX0T1\n"
        in screen
    )
    assert "INPUT critical" in screen


def test_partman_sees_the_nodes_disks_only(root: Scratch):
    run(root)
    assert root.shell("parted_devices").stdout == "/dev/nvme0n1\t500\tmodel\tgpt\n"
    assert root.shell("list-devices disk").stdout == "/dev/nvme0n1\n"
    assert root.shell("list-devices cd").stdout == "/dev/sr0\n"


def test_a_second_run_wraps_nothing_twice(root: Scratch):
    run(root)
    original = root.read("bin/parted_devices.ventoy-kit")
    assert run(root)[0] == 0
    assert root.read("bin/parted_devices.ventoy-kit") == original
    assert root.shell("parted_devices").stdout == "/dev/nvme0n1\t500\tmodel\tgpt\n"


def test_two_system_disks(root: Scratch):
    root.node("falcon", {}, DISKS.replace("keep\tvault", "system\tmirror"))
    run(root)
    assert "d-i partman-auto/disk string /dev/nvme0n1 /dev/sda\n" in root.read("selections")
    assert root.shell("parted_devices | cut -f 1").stdout.split() == ["/dev/nvme0n1", "/dev/sda"]


def test_the_name_may_come_at_the_third_try(root: Scratch):
    code, screen = run(root, "no\nFalcon\nfalcon\n")
    assert code == 0
    assert "That was not falcon (try 2 of 3)." in screen


@pytest.mark.parametrize("typed", ["no\nno\nno\nfalcon\n", "", "\n\n\n"])
def test_without_the_name_it_never_returns(root: Scratch, typed: str):
    screen = refused(root, typed)
    assert "Description: ventoy-kit: nothing is installed (VK-B31)" in screen
    assert "What to do:" in screen


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ticket(generation="deadbeef"), "VK-B03"),
        (ticket(fleet="empire"), "VK-B02"),
        (ticket(image="other"), "VK-B04"),
        (ticket(node="../../etc"), "VK-B01"),
        (ticket() + ticket(), "VK-B01"),
        ("d-i partman-auto/method string regular\n", "VK-B01"),
        (ticket(node="tantive"), "VK-B10"),
    ],
)
def test_the_ticket_and_the_machine_are_checked_here_too(root: Scratch, text: str, code: str):
    root.node("tantive", {"serial": "SN-2"}, DISKS)
    root.ticket(text)
    assert f"({code})" in refused(root)


def test_a_missing_ticket_refuses(root: Scratch):
    (root.path / "ventoy/autoinstall").unlink()
    assert "(VK-B01)" in refused(root)


def test_an_unresolved_auto_refuses_and_names_the_nodes_ticket(root: Scratch):
    root.ticket(node="auto")
    screen = refused(root)
    assert "(VK-B13)" in screen
    assert "This machine is node falcon: choose its ticket." in screen


def test_an_auto_that_matches_nothing_says_so(root: Scratch):
    root.ticket(node="auto")
    root.dmi("SN-7", UUID)
    assert "(VK-B11)" in refused(root)


def test_a_missing_disk_refuses(root: Scratch):
    root.node("falcon", {}, DISKS.replace("S5GXNX0T1", "GONE"))
    assert "(VK-B21)" in refused(root)


@pytest.mark.parametrize(
    "answers",
    [
        PARTMAN.replace("partman-auto/disk string @VENTOY_KIT_DISKS@", "partman-auto/disk string /dev/sda"),
        PARTMAN.replace("partman-auto/disk string ", "partman-auto/disk string /dev/sda "),
        "d-i partman-auto/method string lvm\n",
        "",
    ],
)
def test_answers_without_the_place_for_disks_refuse(root: Scratch, answers: str):
    root.write("ventoy-kit/nodes/falcon/partman.cfg", answers)
    assert "(VK-B40)" in refused(root)


def test_answers_that_debconf_does_not_hold_afterwards_refuse(root: Scratch):
    root.write("bin/debconf-set-selections", "#!/bin/sh\ntrue\n", 0o755)
    assert "(VK-B51)" in refused(root)


def test_answers_that_debconf_refuses_refuse(root: Scratch):
    root.write("bin/debconf-set-selections", "#!/bin/sh\nfalse\n", 0o755)
    assert "(VK-B51)" in refused(root)


@pytest.mark.parametrize(
    "program", ["#!/bin/sh\nprintf '/dev/sda\\t1\\tm\\n'\n", "#!/bin/sh\nexit 1\n", None]
)
def test_a_partitioner_that_does_not_see_the_disk_refuses(root: Scratch, program: str | None):
    (root.path / "bin/parted_devices").unlink()
    if program is not None:
        root.write("bin/parted_devices", program, 0o755)
    assert "(VK-B50)" in refused(root)


def test_an_end_that_was_not_planned_is_a_refusal(root: Scratch):
    root.append("ventoy-kit/disks.sh", 'vk_plan_text() { printf %s "${no_such_variable}"; }\n')
    root.append("ventoy-kit/lib.sh", 'vk_name_is_typed() { printf %s "${no_such_variable}"; }\n')
    assert "(VK-B99)" in refused(root)


def test_text_that_debconf_would_expand_is_made_harmless(root: Scratch):
    root.disk("sdd", "X${DB}\\n", size=500 * GB)
    screen = run(root)[1]
    assert "serial X?{DB}?n" in screen
