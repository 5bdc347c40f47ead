"""Armed tickets that permit pools to be destroyed: what the screen says, and how the permission reaches the runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.boot_overlay.proxmox_step import Result
from tests.boot_overlay.scratch import Scratch
from tests.boot_overlay.test_arming import A, again, arm

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("busybox", "chroot", "unshare", "mount"),
    pytest.mark.skipif(
        "overlay" not in Path("/proc/filesystems").read_text(), reason="no overlay file system here"
    ),
]

OWN_AND_SHARED = ("#!/bin/sh\n# the runner\nVK_NODE=falcon\n", "main\n")
RUNNER = "".join(OWN_AND_SHARED)
DISKS = "system\tdisk0\tS5GXNX0T1\t-\t1000000000000\t-\ndata\tone\tOTHER\t-\t-\t-\nkeep\tvault\tWD-KEEP\t-\t-\t-\n"


@pytest.fixture
def falcon(root: Scratch) -> Scratch:
    """A node with a pool, and the stick armed for it."""
    root.usual()
    root.write("ventoy-kit/nodes/falcon/disks", DISKS)
    root.write("ventoy-kit/nodes/falcon/pools", "one\ttank\n")
    assert root.runner("falcon", *OWN_AND_SHARED) == RUNNER
    return root


def permit(root: Scratch, pools: str | None = "tank", **machine: Any) -> None:
    """Arm, with a permission."""
    arm(root, **machine)
    if pools is not None:
        (line,) = [n for n in root.read("ventoy/autoinstall").splitlines() if "ventoy-kit-ticket" in n]
        root.write(
            "ventoy/autoinstall", root.read("ventoy/autoinstall").replace(line, f"{line} destroy={pools}")
        )


def go(root: Scratch, name: str = "\x04") -> Result:
    return again(root, name=name)


def runner(result: Result) -> str:
    return (result.cdrom / "proxmox-first-boot").read_text()


def test_a_spent_arming_tells_the_runner_and_the_screen_shows_the_disk(falcon: Scratch):
    permit(falcon)
    result = go(falcon)
    generation = falcon.read("ventoy-kit/overlay.conf").split("generation=")[1][:8]
    assert runner(result) == RUNNER.replace(
        "#!/bin/sh\n", f"#!/bin/sh\nexport VK_GRANT='{A} falcon {generation} tank'\n"
    )
    lost, stays = result.screen.split("These disks stay as they are:")
    assert "lose everything after the installation, with their pool:\n  /dev/sdb" in lost
    assert "(pool tank)" in lost
    assert "/dev/sdb" not in stays.split("wiped in")[0]
    assert "/dev/sda" in stays
    assert A in (falcon.guard() or "")


def test_without_a_permission_nothing_is_added(falcon: Scratch):
    permit(falcon, None)
    result = go(falcon)
    assert runner(result) == RUNNER
    assert "lose everything" not in result.screen


def test_an_arming_that_cannot_be_recorded_permits_nothing(falcon: Scratch):
    permit(falcon, uefi=False)
    result = go(falcon, "falcon\n")
    assert runner(result) == RUNNER
    assert "These pools stay: tank." in result.screen
    assert "lose everything" not in result.screen


def test_a_record_that_fails_at_the_last_moment_takes_the_permission_back(falcon: Scratch):
    permit(falcon)
    falcon.append("ventoy-kit/guard.sh", "vk_guard_write() { vk_fail VK-B63 'full'; }\n")
    result = go(falcon, "falcon\n")
    assert runner(result) == RUNNER
    assert "These pools stay: tank." in result.screen


@pytest.mark.parametrize(
    "pools",
    [
        "",
        "tank,",
        ",tank",
        "tank,,x",
        "ta nk",
        "../x",
        "tank;id",
        "vault",
        "nothing",
        "tank,nothing",
        "$(id)",
    ],
)
def test_another_form_or_a_pool_of_nobody_refuses(falcon: Scratch, pools: str):
    permit(falcon, pools)
    result = go(falcon)
    assert result.nothing_handed_over
    assert "(VK-B01)" in result.screen
    assert falcon.guard() is None


def test_a_ticket_that_is_not_armed_permits_nothing(falcon: Scratch):
    falcon.overlay(arming="1")
    falcon.ticket(arming="none")
    text = falcon.read("ventoy/autoinstall")
    falcon.write("ventoy/autoinstall", text.replace("arming=none", "arming=none destroy=tank"))
    result = go(falcon, "falcon\n")
    assert result.nothing_handed_over
    assert "(VK-B01)" in result.screen
