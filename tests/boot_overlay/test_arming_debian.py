"""Armed tickets in the Debian installer: the same decisions, with a progress bar of debconf. A folder is efivarfs."""

from __future__ import annotations

import pytest

from tests.boot_overlay import debian_step
from tests.boot_overlay.scratch import UUID, Scratch
from tests.boot_overlay.test_arming import NEVER, A, arm

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]


class TestDebian:
    """The same decisions with a progress bar of debconf."""

    @pytest.fixture
    def machine(self, debian_root: Scratch) -> Scratch:
        debian_step.prepare(debian_root)
        arm(debian_root)
        return debian_root

    def run(self, root: Scratch, typed: str = "") -> tuple[int, str]:
        root.shell("rm -rf /screen /errors /power /selections /ventoy-kit/run")
        return debian_step.run(root, typed)

    def test_it_fires_without_a_key(self, machine: Scratch):
        code, screen = self.run(machine)
        assert code == 0
        assert "d-i partman-auto/disk string /dev/nvme0n1\n" in machine.read("selections")
        assert machine.guard() == f"VK1 {A} {NEVER}"
        assert "Type: string" not in screen
        assert "disks are wiped in 1 seconds (code AAAA)\n" in screen
        (text,) = (line for line in screen.splitlines() if line.startswith("Description: Press Enter"))
        assert (
            "Fleet alliance, node falcon: The falcon | These disks will be WIPED: | /dev/nvme0n1: Samsung"
            in text
        )
        assert screen.index("CAPB backup align progresscancel") < screen.index("PROGRESS START 0 1")
        assert screen.rstrip().endswith("PROGRESS SET 1\nPROGRESS STOP\nCAPB backup align")

    def test_the_second_start_restarts_and_the_third_switches_off(self, machine: Scratch):
        assert self.run(machine)[0] == 0
        code, screen = self.run(machine)
        assert (code, machine.power(), machine.boot_next()) == (0, "reboot", "0005")
        assert "(VK-B60)" in screen
        assert "Boot entry 0005." in screen
        assert not (machine.path / "selections").exists()
        code, screen = self.run(machine)
        assert machine.power() == "poweroff"
        assert "was led to its installed system once already" in screen
        assert not (machine.path / "selections").exists()

    def test_cancelling_asks_for_the_name(self, machine: Scratch):
        machine.write("cancel", "1")
        screen = debian_step.refused(machine, "")
        assert "(VK-B31)" in screen
        assert machine.guard() is None
        assert self.run(machine, "falcon\n")[0] == 0
        assert machine.guard() == f"VK1 {A} {NEVER}"

    def test_a_bar_that_cannot_be_shown_asks_for_the_name(self, machine: Scratch):
        text = machine.read("usr/share/debconf/confmodule")
        machine.write("usr/share/debconf/confmodule", text.replace("START) cat", "START) return 10; cat"))
        assert "(VK-B31)" in debian_step.refused(machine, "")
        assert machine.guard() is None

    def test_a_failing_write_asks_for_the_name(self, machine: Scratch):
        machine.append("ventoy-kit/guard.sh", "vk_guard_write() { vk_fail VK-B65 'no'; }\n")
        screen = debian_step.refused(machine, "")
        assert "(VK-B65)" in screen
        assert "unplug the stick" in screen
        assert self.run(machine, "falcon\n")[0] == 0

    def test_without_uefi_a_person_is_asked(self, machine: Scratch):
        machine.shell("rm -r /sys/firmware")
        screen = debian_step.refused(machine, "")
        assert "(VK-B63)" in screen
        assert "PROGRESS" not in screen
        assert self.run(machine, "falcon\n")[0] == 0

    def test_an_expired_arming_without_uefi_stays_at_its_message(self, machine: Scratch):
        machine.shell("rm -r /sys/firmware")
        machine.write("clock", "20270101T000000Z\n")
        assert "(VK-B61)" in debian_step.refused(machine, "falcon\n")
        assert machine.power() == ""

    def test_another_machine_refuses(self, machine: Scratch):
        machine.dmi("SN-9", UUID)
        assert "(VK-B10)" in debian_step.refused(machine, "falcon\n")
        assert machine.guard() is None
