"""The late command in the Debian installer: what reaches the installed system, and what a failure looks like."""

from __future__ import annotations

import pytest

from tests.boot_overlay.broken_runner import BREAK
from tests.boot_overlay.scratch import Scratch

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]

KEYS = "ssh-ed25519 AAAA one\nssh-rsa BBBB two\n"


@pytest.fixture
def root(debian_root: Scratch) -> Scratch:
    """The moment after the installation: a node was handed over, the system lies in /target."""
    debian_root.usual()
    debian_root.write("ventoy-kit/run/node", "falcon\n")
    debian_root.write("ventoy-kit/nodes/falcon/authorized_keys", KEYS)
    debian_root.write("target/root/.profile", "")
    debian_root.write(
        "bin/in-target", '#!/bin/sh\necho "$@" >>/in-target\nls -l "/target$2" >>/in-target\n', 0o755
    )
    return debian_root


def late(root: Scratch) -> int:
    return root.shell("/ventoy-kit/debian-late.sh").returncode


def test_keys_and_runner_reach_the_system(root: Scratch):
    assert late(root) == 0
    assert root.read("target/root/.ssh/authorized_keys") == KEYS
    assert (root.path / "target/root/.ssh").stat().st_mode & 0o777 == 0o700
    assert (root.path / "target/root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
    called = root.read("in-target").splitlines()
    assert called[0] == "sh /var/lib/ventoy-kit/first-boot.new install"
    assert called[1].startswith("-rw")
    assert not (root.path / "target/var/lib/ventoy-kit/first-boot.new").exists()


def test_the_log_of_the_boot_is_kept(root: Scratch):
    root.write("ventoy-kit/log", "node falcon is handed to the partitioner: /dev/sda\n")
    assert late(root) == 0
    assert root.read("target/var/log/ventoy-kit/overlay.log") == root.read("ventoy-kit/log")


def test_a_second_run_adds_nothing(root: Scratch):
    assert late(root) == late(root) == 0
    assert root.read("target/root/.ssh/authorized_keys") == KEYS


def test_keys_that_are_there_stay(root: Scratch):
    root.write("target/root/.ssh/authorized_keys", "ssh-ed25519 CCCC mine\n")
    assert late(root) == 0
    assert root.read("target/root/.ssh/authorized_keys") == "ssh-ed25519 CCCC mine\n" + KEYS


def test_without_keys_and_hooks_there_is_nothing_to_do(root: Scratch):
    root.write("ventoy-kit/nodes/falcon/authorized_keys", "")
    root.without_runner("falcon")
    assert late(root) == 0
    assert not (root.path / "target/root/.ssh").exists()
    assert not (root.path / "in-target").exists()


@pytest.mark.parametrize("node", ["", "../../etc", "unknown", "fal con"])
def test_a_node_that_was_not_handed_over_is_a_failure(root: Scratch, node: str):
    root.write("ventoy-kit/run/node", f"{node}\n")
    assert late(root) == 1
    assert not (root.path / "target/root/.ssh").exists()


def test_a_runner_that_fails_is_a_failure_and_the_keys_are_there(root: Scratch):
    root.write("bin/in-target", "#!/bin/sh\nexit 3\n", 0o755)
    assert late(root) == 1
    assert root.read("target/root/.ssh/authorized_keys") == KEYS
    assert "first-boot runner" in root.read("ventoy-kit/log")


def test_the_whole_runner_reaches_the_system(root: Scratch):
    whole = root.runner("falcon", "#!/bin/sh\nVK_NODE=falcon\n", "main\n")
    root.write("bin/in-target", '#!/bin/sh\ncat "/target$2" >>/runner\n', 0o755)
    assert late(root) == 0
    assert root.read("runner") == whole


@pytest.mark.parametrize("what", BREAK)
def test_a_runner_that_is_not_whole_never_runs(root: Scratch, what: str):
    BREAK[what](root)
    assert late(root) == 1
    assert not (root.path / "in-target").exists()
    assert "refused VK-B06: The first-boot runner of node falcon is missing or damaged." in root.read(
        "ventoy-kit/log"
    )
    assert root.read("target/root/.ssh/authorized_keys") == KEYS


UPDATE_GRUB = """#!/bin/sh
[ "$1" != update-grub ] || sed -i 's# rdinit=/vtoy/vtoy##' /target/boot/grub/grub.cfg
echo "$@" >>/in-target
"""


def leaked(root: Scratch) -> None:
    root.write("target/etc/default/grub", "A=\"quiet rdinit=/vtoy/vtoy\"\nB='rdinit=/vtoy/vtoy ro'\n")
    root.write("target/boot/grub/grub.cfg", "linux /vmlinuz ro rdinit=/vtoy/vtoy\n")


def test_ventoys_kernel_parameter_does_not_reach_the_first_boot(root: Scratch):
    leaked(root)
    root.write("bin/in-target", UPDATE_GRUB, 0o755)
    assert late(root) == 0
    assert root.read("target/etc/default/grub") == "A=\"quiet\"\nB=' ro'\n"
    assert root.read("target/boot/grub/grub.cfg") == "linux /vmlinuz ro\n"
    assert root.read("in-target").splitlines()[0] == "update-grub"


def test_a_kernel_parameter_that_stays_is_a_failure(root: Scratch):
    leaked(root)
    assert late(root) == 1
    assert "a clean kernel command line of falcon did not get into the system" in root.read("ventoy-kit/log")
    assert root.read("target/root/.ssh/authorized_keys") == KEYS


def test_what_the_arming_permits_reaches_the_runner(root: Scratch):
    root.write("ventoy-kit/run/grant", "export VK_GRANT='ID falcon 0a1b2c3d tank'\n")
    root.runner("falcon", "#!/bin/sh\nVK_NODE=falcon\n", "main\n")
    root.write(
        "bin/in-target", '#!/bin/sh\ncat "/target$2" >>/runner\nls -l "/target$2" >>/in-target\n', 0o755
    )
    assert late(root) == 0
    assert (
        root.read("runner") == "#!/bin/sh\nexport VK_GRANT='ID falcon 0a1b2c3d tank'\nVK_NODE=falcon\nmain\n"
    )
    assert root.read("in-target").startswith("-rw-------")
