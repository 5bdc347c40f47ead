"""The hook `kernel` with the real apt and small packages that are named as the vendors name theirs."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

PIN = """
case "$1 $2" in "kernel pin") echo "$3" >/etc/kernel/proxmox-boot-pin ;; esac
"""


def running(root: DebianRoot, kernel: str) -> DebianRoot:
    root.stub("uname", f'case $1 in -r) echo {kernel} ;; *) exec /usr/bin/uname "$@" ;; esac')
    return root


def image(version: str) -> dict[str, str]:
    return {f"boot/vmlinuz-{version}": "kernel"}


def proxmox(root: DebianRoot) -> DebianRoot:
    root.proxmox()
    root.stub("proxmox-boot-tool", PIN)
    root.write("boot/vmlinuz-7.0.1-1-pve", "kernel")
    root.write("etc/kernel/keep", "")
    root.repository(
        ("proxmox-kernel-6.17", "6.17.2-1", image("6.17.2-1-pve")),
        ("proxmox-headers-6.17", "6.17.2-1", {"opt/h": ""}),
    )
    return root


def test_a_series_of_proxmox_is_installed_and_pinned(trixie: DebianRoot) -> None:
    running(proxmox(trixie), "6.17.2-1-pve")
    changes = twice(trixie, shipped("kernel", series="6.17", headers=True))
    assert changes == ["package proxmox-kernel-6.17", "package proxmox-headers-6.17", "pinned 6.17.2-1-pve"]
    assert trixie.calls("proxmox-boot-tool") == ["proxmox-boot-tool kernel pin 6.17.2-1-pve"]


def test_another_kernel_that_still_runs_is_drift(trixie: DebianRoot) -> None:
    running(proxmox(trixie), "7.0.1-1-pve")
    assert trixie.run(shipped("kernel", series="6.17"))["status"] == "waiting"
    assert "the running kernel is 7.0.1-1-pve, not 6.17" in str(trixie.go_on(2)["reason"])
    running(trixie, "6.17.2-1-pve")
    trixie.go_on(3)
    assert trixie.go_on(4)["status"] == "changed"


def test_a_series_that_proxmox_does_not_offer(trixie: DebianRoot) -> None:
    result = running(proxmox(trixie), "7.0.1-1-pve").run(shipped("kernel", series="6.99"))
    assert "Unable to locate package proxmox-kernel-6.99" in str(result["reason"])
    assert trixie.calls("proxmox-boot-tool") == []


def debian_kernels(root: DebianRoot) -> DebianRoot:
    root.repository(
        ("linux-image-amd64", "6.1.140-1", image("6.1.0-37-amd64")),
        ("linux-image-amd64", "6.12.41-1", image("6.12.41-amd64")),
        ("linux-headers-amd64", "6.1.140-1", {}),
        ("linux-headers-amd64", "6.12.41-1", {}),
    )
    return root


def test_debian_prefers_the_series_twice(debian: DebianRoot) -> None:
    running(debian_kernels(debian), "6.1.0-37-amd64")
    twice(debian, shipped("kernel", series="6.1", headers=True))
    policy = debian.execute("apt-cache", "policy", "linux-image-amd64").stdout.decode()
    assert "Installed: 6.1.140-1\n  Candidate: 6.1.140-1\n" in policy
    assert debian.exists("boot/vmlinuz-6.1.0-37-amd64")
    assert not debian.exists("boot/vmlinuz-6.12.41-amd64")


def test_to_a_newer_series_but_not_below_an_installed_one(trixie: DebianRoot) -> None:
    running(debian_kernels(trixie), "6.12.41-amd64")
    twice(trixie, shipped("kernel", series="6.12"))
    result = trixie.run(shipped("kernel", series="6.1"))
    assert "kernel 6.12.41-amd64 is newer than 6.1 and would be booted" in str(result["reason"])


def test_a_series_that_debian_does_not_offer(trixie: DebianRoot) -> None:
    result = running(debian_kernels(trixie), "6.12.41-amd64").run(shipped("kernel", series="6.99"))
    assert "no repository offers linux-image-amd64 6.99, but 6.1.140-1 6.12.41-1" in str(result["reason"])
    assert not trixie.exists("etc/apt/preferences.d/ventoy-kit-kernel.pref")


@pytest.mark.parametrize("series", ["6", "6.17.2", "$(id)", "6.17\n", "x" * 65536, ".*", "6.1 "])
def test_what_is_no_series_does_not_travel(series: str) -> None:
    _, report = check_params(SPEC, {"series": series}, ())
    assert report.has_errors


SPEC = shipped("kernel", series="6.17").spec
