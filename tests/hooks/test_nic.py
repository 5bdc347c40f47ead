"""The hook `nic`: two cards of a fake sysfs, the real systemd and apt, a bridge in the files of ifupdown."""

from __future__ import annotations

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.hardware import nic, pci
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

MAC, OTHER = "00:e0:4c:00:0c:25", "d8:9e:f3:00:0c:01"
LINK = "etc/systemd/network/10-ventoy-kit-{}.link"
INTERFACES = """\
# enp3s0 is the mod
auto lo
iface lo inet loopback

iface eno1 inet manual
iface enp3s0 inet manual
iface enp3s0.66 inet manual
iface enp3s01 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress 10.66.0.13/24
\tgateway 10.66.0.1
\tbridge-ports enp3s0  eno1
\tbridge-stp off
source /etc/network/interfaces.d/*
"""
# ethtool by the fake hardware: the permanent address is the one of the card, also in a bridge.
ETHTOOL = f"""
case "$1 $2" in
"-P enp3s0" | "-P lan25") echo "Permanent address: {MAC}" ;;
"-P eno1") echo "Permanent address: {OTHER}" ;;
--show-eee*) printf 'EEE settings:\\n\\tEEE status: disabled\\n' ;;
*) exit 1 ;;
esac
"""
KERNEL = "6.12.0-fake"


def machine(
    root: DebianRoot, name: str = "enp3s0", driver: str = "r8169", ids: str = "10ec:8125"
) -> DebianRoot:
    root.stub("ethtool", ETHTOOL)
    root.stub("update-initramfs")
    root.stub("udevadm")
    root.stub("uname", f'case $1 in -r) echo {KERNEL} ;; *) exec /usr/bin/uname "$@" ;; esac')
    root.stub("modinfo", "[ -e /opt/r8125.ko ]")
    root.write("etc/network/interfaces", INTERFACES)
    root.repository(
        ("firmware-realtek", "1", {"opt/firmware": ""}),
        ("r8125-dkms", "1", {"opt/r8125.ko": ""}),
    )
    pci(root, "0000:03:00.0", ids, kind="020000", driver=driver)
    pci(root, "0000:00:1f.6", "8086:15e3", kind="020000", driver="e1000e")
    nic(root, name, MAC, "0000:03:00.0", speed="2500")
    nic(root, "eno1", OTHER, "0000:00:1f.6")
    root.write("sys/class/net/vmbr0/address", f"{MAC}\n")
    return root


def reboot(root: DebianRoot) -> None:
    """The card comes back under its new name."""
    (root.upper / "sys/class/net/enp3s0").rename(root.upper / "sys/class/net/lan25")


def test_name_bridge_settings_and_speed_twice(debian: DebianRoot) -> None:
    hook = shipped("nic", mac=MAC, name="lan25", eee="off", offloads_off=["tso", "gso"], speed=2500)
    assert machine(debian).run(hook)["status"] == "waiting", debian.output
    reboot(debian)
    assert twice_after_reboot(debian, hook) == "changed"
    assert debian.read(LINK.format("lan25")).splitlines()[1:] == [
        *("[Match]", f"PermanentMACAddress={MAC}", "", "[Link]", "Name=lan25"),
    ]
    wanted = INTERFACES.replace("enp3s0 inet", "lan25 inet").replace("enp3s0.66", "lan25.66")
    assert debian.read("etc/network/interfaces") == wanted.replace("ports enp3s0  eno1", "ports lan25  eno1")
    unit = debian.read("etc/systemd/system/ventoy-kit-nic.service")
    assert "ExecStart=/usr/sbin/ethtool --set-eee lan25 eee off\n" in unit
    assert (
        "ExecStart=/usr/sbin/ethtool -K lan25 tso off\nExecStart=/usr/sbin/ethtool -K lan25 gso off\n" in unit
    )
    # The link goes on under its old name until the reboot.
    assert not [c for c in debian.calls() if c.startswith(("ip ", "ifdown", "ifup"))]
    check = debian.execute("systemd-analyze", "verify", "/etc/systemd/system/ventoy-kit-nic.service")
    assert b"ventoy-kit-nic.service:" not in check.stdout, check.stdout


def twice_after_reboot(root: DebianRoot, hook: object) -> str:
    first = root.go_on(2)
    before = root.tree()
    second = root.run(hook)  # type: ignore[arg-type]
    assert second["status"] == "unchanged", root.output
    assert root.tree() == before
    return str(first["status"])


def test_the_vendors_driver_and_back(trixie: DebianRoot) -> None:
    machine(trixie, driver="r8125")
    trixie.write(f"usr/lib/modules/{KERNEL}/build/Makefile", "")
    twice(trixie, shipped("nic", mac=MAC, driver="vendor"))
    assert trixie.read("etc/modprobe.d/ventoy-kit-nic.conf").endswith("softdep r8169 pre: r8125\n")
    trixie.run(shipped("nic", mac=MAC))
    (trixie.upper / "sys/bus/pci/devices/0000:03:00.0/driver").unlink()
    pci_driver = trixie.upper / "sys/bus/pci/devices/0000:03:00.0/driver"
    (trixie.upper / "sys/bus/pci/drivers/r8169").mkdir(parents=True)
    pci_driver.symlink_to("../../drivers/r8169")
    assert trixie.go_on(5)["status"] == "changed", trixie.output
    assert not trixie.exists("etc/modprobe.d/ventoy-kit-nic.conf")
    assert not trixie.exists("opt/r8125.ko")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mac": "00:00:00:00:00:01"}, "this machine has no network card 00:00:00:00:00:01"),
        ({"driver": "vendor"}, f"cannot be installed: linux-headers-{KERNEL}"),
        ({"mac": OTHER, "driver": "vendor"}, "there is no vendor driver for 8086:15e3"),
        ({"name": "eno1"}, "the name eno1 belongs to another interface now"),
        ({"name": "lan1", "also_pin": [f"{OTHER}=lan1"]}, "two cards are to have the same name"),
    ],
)
def test_what_cannot_be_is_said_before_anything_changes(
    trixie: DebianRoot, params: dict[str, object], said: str
) -> None:
    machine(trixie)
    result = trixie.run(shipped("nic", **{"mac": MAC, **params}))
    assert result["status"] == "failed"
    assert said in str(result["reason"])
    assert trixie.read("etc/network/interfaces") == INTERFACES
    assert not (trixie.upper / "etc/modprobe.d/ventoy-kit-nic.conf").exists()


def test_secure_boot_and_an_own_driver_do_not_go_together(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.write(
        "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x06\0\0\0\x01"
    )
    result = trixie.run(shipped("nic", mac=MAC, driver="vendor"))
    assert "Secure Boot is on" in str(result["reason"])


def test_another_link_file_that_wins_is_refused(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.stub("udevadm", "echo ID_NET_LINK_FILE=/etc/systemd/network/05-mine.link")
    result = trixie.run(shipped("nic", mac=MAC, name="lan25"))
    assert "/etc/systemd/network/05-mine.link names 00:e0:4c:00:0c:25 before this hook does" in str(
        result["reason"]
    )
    assert trixie.read("etc/network/interfaces") == INTERFACES


def test_a_slow_link_is_drift(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.write("sys/class/net/enp3s0/speed", "1000\n")
    trixie.run(shipped("nic", mac=MAC, speed=2500))
    result = trixie.go_on(2)
    assert (result["status"], result["reason"]) == ("failed", "enp3s0 has 1000 Mb/s, less than 2500")


@pytest.mark.parametrize("name", ["eth0", "a b", "$(id)", "lan25\n", "x" * 16, "-x", "lo", "../x", "Lan"])
def test_what_is_no_name_does_not_travel(name: str) -> None:
    for params in ({"mac": MAC, "name": name}, {"mac": MAC, "also_pin": [f"{OTHER}={name}"]}):
        _, report = check_params(SPEC, params, ())
        assert report.has_errors


SPEC = shipped("nic", mac=MAC).spec
