"""The hook `blackbox` in Debian roots: files, packages, kernel settings and watchdogs of a fake machine."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.hardware import AMD, INTEL
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]


def machine(root: DebianRoot, cpu: str = INTEL) -> DebianRoot:
    root.cover("proc@cpuinfo", cpu)
    root.cover(
        "proc@cmdline", "root=/dev/sda2 ro reserve_mem=2M:4096:oops ramoops.mem_name=oops ramoops.ecc=1\n"
    )
    root.stub("modinfo", '[ "$1" != no_wdt ]')
    root.stub("update-grub")
    root.write("boot/grub/grub.cfg", "linux /vmlinuz\n")
    root.repository(
        (
            "systemd-journal-remote",
            "1",
            {"usr/lib/systemd/system/systemd-journal-upload.service": UNIT, SOCKET: UNIT},
        )
    )
    return root


UNIT = "[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\n"
SOCKET = "usr/lib/systemd/system/systemd-journal-remote.socket"


def test_everything_twice(debian: DebianRoot) -> None:
    hook = shipped(
        "blackbox", journal_peer="http://10.66.0.13:19532", netconsole_peer="10.66.0.13:6667", receive=True
    )
    twice(machine(debian), hook)
    assert "Storage=persistent\nSystemMaxUse=1G\n" in debian.read(
        "etc/systemd/journald.conf.d/50-ventoy-kit.conf"
    )
    assert "URL=http://10.66.0.13:19532\n" in debian.read(
        "etc/systemd/journal-upload.conf.d/50-ventoy-kit.conf"
    )
    assert debian.read("etc/sysctl.d/90-ventoy-kit-blackbox.conf").splitlines()[1:] == [
        "-kernel.panic = 30",
        "-kernel.panic_on_oops = 1",
        "-kernel.nmi_watchdog = 1",
        "-kernel.hardlockup_panic = 1",
        "-kernel.softlockup_panic = 0",
        "-kernel.printk = 7 4 1 7",
    ]
    assert "RuntimeWatchdogSec=60\n" in debian.read("etc/systemd/system.conf.d/50-ventoy-kit.conf")
    assert "iTCO_wdt\n" in debian.read("etc/modules-load.d/ventoy-kit-blackbox.conf")
    assert "peer=10.66.0.13 port=6667 " in debian.read("usr/local/sbin/ventoy-kit-netconsole")
    for command in (
        "bash -n /usr/local/sbin/ventoy-kit-netconsole",
        "perl -c /usr/local/sbin/ventoy-kit-netconsole-receiver",
        "systemd-analyze verify /etc/systemd/system/ventoy-kit-netconsole.service",
    ):
        assert debian.execute("sh", "-c", command).returncode == 0, command
    twice(debian, shipped("blackbox"))
    left = {
        k for k in debian.tree() if "netconsole" in k or "journal-upload.conf" in k or "journal-remote" in k
    }
    assert not {k for k in left if debian.exists(k) and k.startswith(("etc/systemd/journal", "usr/local"))}


def test_proxmox_names_the_hardware_to_its_own_watchdog(trixie: DebianRoot) -> None:
    machine(trixie, AMD).proxmox()
    trixie.write("etc/default/pve-ha-manager", "# select watchdog module\n#WATCHDOG_MODULE=iTCO_wdt\n")
    twice(trixie, shipped("blackbox"))
    assert (
        trixie.read("etc/default/pve-ha-manager") == "# select watchdog module\nWATCHDOG_MODULE=sp5100_tco\n"
    )
    assert not trixie.exists("etc/systemd/system.conf.d/50-ventoy-kit.conf")


def test_ramoops_needs_a_kernel_that_finds_the_memory(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.stub("uname", 'case $1 in -r) echo 6.1.0-37-amd64 ;; *) exec /usr/bin/uname "$@" ;; esac')
    assert "needs Linux 6.12 or newer" in str(trixie.run(shipped("blackbox", pstore="ramoops"))["reason"])
    trixie.stub("uname", 'case $1 in -r) echo 6.17.2-1-pve ;; *) exec /usr/bin/uname "$@" ;; esac')
    twice(trixie, shipped("blackbox", pstore="ramoops"))
    assert "reserve_mem=2M:4096:oops" in trixie.read("etc/default/grub.d/ventoy-kit-blackbox.cfg")


def test_a_watchdog_that_the_kernel_lacks_is_said_first(trixie: DebianRoot) -> None:
    result = machine(trixie).run(shipped("blackbox", watchdog_module="no_wdt"))
    assert "this kernel has no watchdog driver no_wdt" in str(result["reason"])
    assert not trixie.exists("etc/sysctl.d/90-ventoy-kit-blackbox.conf")


def test_a_journal_in_memory_is_drift(trixie: DebianRoot) -> None:
    result = machine(trixie).run(shipped("blackbox"))
    trixie.reboot(2)
    done = trixie.execute("sh", "-c", "mount -t tmpfs t /var/log/journal && dash /first-boot run")
    result = trixie.report()
    assert result["status"] == "failed", done.stdout
    assert "is kept in memory" in str(result["reason"])


@pytest.mark.parametrize(
    "params",
    [
        {"netconsole_peer": "10.0.0.1;id"},
        {"netconsole_peer": "$(id)"},
        {"journal_peer": "http://a\nTrustedCertificateFile=x"},
        {"journal_peer": "file:///etc/shadow"},
        {"journal_size": "1G\nStorage=none"},
        {"watchdog_module": "x y"},
        {"watchdog_module": "x" * 65536},
    ],
)
def test_what_means_something_else_does_not_travel(params: dict[str, object]) -> None:
    _, report = check_params(shipped("blackbox").spec, params, ())
    assert report.has_errors
