"""The first-boot runner under the real systemd of a real Debian, in a virtual machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.hooks.scratch_root import NODE, hook, texts
from tests.support.guest import BOOTS, TOOLS, Guest, base_image, guest
from ventoy_kit.payload.runner import render_runner

SOAK = bool(os.environ.get("VENTOY_KIT_SOAK"))
UNIT = "ventoy-kit-first-boot.service"
REPORT = "/var/lib/ventoy-kit/report.json"
BOTH = {"systems": {"debian": ["12", "13"]}}

LOADER = """
case $1 in
apply)
    [ -e /etc/loader ] || { cp /proc/sys/kernel/random/boot_id /etc/loader; vk_changed /etc/loader; } ;;
verify)
    if cmp -s /etc/loader /proc/sys/kernel/random/boot_id; then vk_fail "not rebooted"; fi
    vk_note "booted anew" ;;
esac
"""
COUNT = 'case $1 in apply) echo x >>/etc/count; vk_changed /etc/count; echo "counted aloud" ;; esac\n'
FAILS = 'case $1 in apply) vk_fail "no such device" ;; esac\n'


def boot_and_wait(vm: Guest) -> None:
    """Start the machine and wait until the runner is through with this boot."""
    vm.boot()
    vm.run(f"while systemctl is-active {UNIT} | grep -q activating; do sleep 0.5; done", timeout=400)


@pytest.mark.needs_root
@pytest.mark.needs_tool(*TOOLS)
@pytest.mark.timeout(BOOTS)
@pytest.mark.parametrize("suite", ["trixie", *(["bookworm"] if SOAK else [])])
def test_first_boot_reboots_once_comes_back_and_reports(tmp_path: Path, suite: str) -> None:
    hooks = [
        hook("loader", LOADER, needs_reboot=True, **BOTH),
        hook("count", COUNT, **BOTH),
        hook("fails", FAILS, destructive=True, **BOTH),
        hook("needy", COUNT, requires=["fails"], **BOTH),
    ]
    with guest(tmp_path / "vm", base_image(suite)) as vm:
        vm.put("/root/first-boot", render_runner(texts(), NODE, hooks).whole, 0o700)
        vm.boot()
        # As Proxmox VE's own first-boot service does it: the script ends at once, the unit works on.
        assert "installed for falcon" in vm.ask("sh /root/first-boot fully-up")
        vm.wait_off()  # the runner asked for a reboot

        boot_and_wait(vm)
        report = json.loads(vm.ask(f"cat {REPORT}"))
        by_name = {h["name"]: h for h in report["hooks"]}
        assert {n: h["status"] for n, h in by_name.items()} == {
            "loader": "changed", "count": "changed", "fails": "failed", "needy": "skipped",
        }  # fmt: skip
        assert (report["state"], report["reboots"]) == ("failed", 1)
        assert by_name["loader"]["notes"] == ["booted anew"]
        assert by_name["fails"]["reason"] == "no such device"
        assert vm.ask("cat /etc/count") == "x\n"
        _, state = vm.run(f"systemctl is-enabled {UNIT}; systemctl is-failed {UNIT}")
        assert state == "disabled\nfailed\n"  # a failure is one for systemd too
        assert "count| counted aloud" in vm.ask("journalctl --no-pager -t ventoy-kit")
        assert "counted aloud" in vm.ask("cat /var/log/ventoy-kit/count.log")

        # The report at login: a person sees it on the console, where the test's getty logs in by itself.
        vm.ask("systemctl restart serial-getty@ttyS0 && sleep 5")
        assert "Millennium Falcon" in vm.console
        assert "failed     fails - no such device" in vm.console

        # Once more, by hand: the report and the stamps stay, the destructive hook is not tried, no file changes.
        vm.ask("touch /run/mark")
        vm.run("sh /usr/local/lib/ventoy-kit/first-boot run")
        assert vm.ask("find /etc /var/lib/ventoy-kit -xdev -type f -newer /run/mark") == ""
        if SOAK:
            vm.shut_down()
            vm.boot()
            vm.run("systemctl is-system-running --wait")
            assert vm.run(f"journalctl -b --no-pager -u {UNIT}")[1].strip() == "-- No entries --"
            assert json.loads(vm.ask(f"cat {REPORT}")) == report
