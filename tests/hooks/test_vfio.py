"""The hook `vfio` on the PCI devices of a fake sysfs: the seed's GPU with its audio function, behind a root port."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.hooks.debian_root import TOOLS, DebianRoot, twice
from tests.hooks.hardware import AMD, INTEL, bind, pci
from tests.hooks.scratch_root import shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool(*TOOLS)]

GPU, AUDIO = "0000:01:00.0", "0000:01:00.1"
CONF = "etc/modprobe.d/ventoy-kit-vfio.conf"
SCRIPT = "etc/initramfs-tools/scripts/init-top/ventoy-kit-vfio"
MODPROBE = """
case $2 in
*v000010DE*bc03*) printf '%s\\n' nouveau nvidiafb ;;
*v000010DE*bc04*) echo snd_hda_intel ;;
*v00008086*) echo e1000e ;;
esac
"""
# A resource mapping as Proxmox VE keeps it: one argument --map per entry, given back as a list.
PVESH = """
store=/srv/mapping
case $1 in
get) [ -f "$store" ] || exit 2
    perl -MJSON::PP -e 'open my $f, "<", shift; chomp(my @l = <$f>); print encode_json({id => "gpu", map => \\@l})' "$store" ;;
*) : >"$store.new"; while [ $# -gt 0 ]; do [ "$1" != --map ] || printf '%s\\n' "$2" >>"$store.new"; shift; done
    mv "$store.new" "$store" ;;
esac
"""


def machine(root: DebianRoot, *, bound: bool = True, cpu: str = INTEL) -> DebianRoot:
    """A machine with the GPU in group 14. The reboot binds it: the test does not wait for one."""
    root.stub("modprobe", MODPROBE)
    root.stub("update-initramfs")
    root.stub("update-grub")
    root.stub("pvesh", PVESH)
    root.stub("proxmox-boot-tool", "exit 1")
    root.write("srv/empty", "")
    root.cover("proc@cpuinfo", cpu)
    root.cover(
        "proc@cmdline", "root=/dev/sda2 ro quiet intel_iommu=on iommu=pt initcall_blacklist=sysfb_init\n"
    )
    root.write("boot/grub/grub.cfg", "linux /vmlinuz\n")
    root.write(f"sys/firmware/acpi/tables/{'DMAR' if cpu == INTEL else 'IVRS'}", "table")
    pci(root, "0000:00:01.0", "8086:a70d", kind="060400", driver="pcieport", group=14)
    pci(
        root,
        GPU,
        "10de:27b0",
        kind="030000",
        driver="vfio-pci" if bound else "nouveau",
        group=14,
        boot_vga="1",
    )
    pci(root, AUDIO, "10de:22bc", kind="040300", driver="vfio-pci" if bound else "snd_hda_intel", group=14)
    pci(root, "0000:00:1f.6", "8086:15e3", kind="020000", driver="e1000e", group=9)
    return root


@pytest.mark.parametrize("wanted", ["10de:27b0", "01:00", "01:00.1", "0000:01:00", "0000:01:00.0"])
def test_the_gpu_and_all_functions_of_its_slot(trixie: DebianRoot, wanted: str) -> None:
    twice(machine(trixie), shipped("vfio", devices=[wanted]))
    assert "options vfio-pci ids=10de:22bc,10de:27b0 disable_vga=1\n" in trixie.read(CONF)


def test_everything_twice(debian: DebianRoot) -> None:
    changes = twice(machine(debian), shipped("vfio", devices=["10de:27b0"], disable_idle_d3=True))
    assert debian.read(CONF) == (
        "# Written by ventoy-kit (hook vfio).\n"
        "options vfio-pci ids=10de:22bc,10de:27b0 disable_vga=1 disable_idle_d3=1\n"
        "softdep nouveau pre: vfio-pci\nsoftdep nvidia pre: vfio-pci\nsoftdep nvidia_drm pre: vfio-pci\n"
        "softdep nvidiafb pre: vfio-pci\nsoftdep snd_hda_intel pre: vfio-pci\n"
    )
    assert debian.read("etc/initramfs-tools/modules").endswith("vfio\nvfio_iommu_type1\nvfio_pci\n")
    assert debian.read("etc/default/grub.d/ventoy-kit-vfio.cfg").splitlines()[1] == (
        'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT intel_iommu=on iommu=pt initcall_blacklist=sysfb_init"'
    )
    assert debian.calls("update-") == ["update-initramfs -u -k all", "update-grub"]
    assert not debian.exists(SCRIPT)
    assert {"initramfs", "boot loader refreshed"} < set(changes)
    assert "0000:01:00.0 10de:27b0: driver vfio-pci, group 14, reset methods: flr bus" in debian.output


def test_unbound_it_fails_after_the_reboot(trixie: DebianRoot) -> None:
    machine(trixie, bound=False)
    assert trixie.run(shipped("vfio", devices=["10de:27b0"]))["status"] == "waiting"
    result = trixie.go_on(2)
    assert result["status"] == "failed"
    assert "0000:01:00.0 is bound to nouveau, not to vfio-pci" in str(result["reason"])
    bind(trixie, GPU, "vfio-pci")
    bind(trixie, AUDIO, "vfio-pci")
    assert trixie.go_on(3)["status"] == "waiting"  # tried again, and a failed attempt owes a reboot too
    assert trixie.go_on(4)["status"] == "changed"


def test_a_second_card_of_the_kind_keeps_its_driver(trixie: DebianRoot) -> None:
    machine(trixie)
    pci(trixie, "0000:02:00.0", "10de:27b0", kind="030000", driver="nouveau", group=15)
    twice(trixie, shipped("vfio", devices=["01:00"]))
    assert "ids=" not in trixie.read(CONF)
    script = trixie.read(SCRIPT)
    assert "take 0000:01:00.0 0x10de 0x27b0\ntake 0000:01:00.1 0x10de 0x22bc\n" in script
    assert "0000:02:00.0" not in script
    assert trixie.execute("sh", "-n", f"/{SCRIPT}").returncode == 0


def test_a_driver_inside_the_kernel_is_forestalled_by_address(trixie: DebianRoot) -> None:
    machine(trixie, bound=False)
    (trixie.upper / "sys/module/snd_hda_intel/initstate").unlink()
    assert trixie.run(shipped("vfio", devices=["10de:27b0"]))["status"] == "waiting"
    assert "ids=" not in trixie.read(CONF)
    assert "take 0000:01:00.1 0x10de 0x22bc\n" in trixie.read(SCRIPT)


def test_amd_and_no_boot_display(trixie: DebianRoot) -> None:
    machine(trixie, cpu=AMD)
    trixie.write(f"sys/bus/pci/devices/{GPU}/boot_vga", "0\n")
    twice(trixie, shipped("vfio", devices=["10de:27b0"]))
    assert (
        trixie.read("etc/default/grub.d/ventoy-kit-vfio.cfg").splitlines()[1].endswith('_DEFAULT iommu=pt"')
    )


STATUS = "System currently booted with uefi\nA1B2-C3D4 is configured with: {} (versions: 6.17.2-1-pve, 7.0.1-1-pve)"


@pytest.mark.parametrize(
    ("said", "loaders"), [("uefi", {"cmdline"}), ("grub", {"grub"}), ("uefi, grub", {"cmdline", "grub"})]
)
def test_the_loader_is_asked_of_proxmox(trixie: DebianRoot, said: str, loaders: set[str]) -> None:
    machine(trixie)
    trixie.proxmox()
    trixie.stub("proxmox-boot-tool", f'[ "$1" != status ] || echo "{STATUS.format(said)}"')
    trixie.write("etc/kernel/proxmox-boot-uuids", "A1B2-C3D4\n")
    before = "root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\n"
    trixie.write("etc/kernel/cmdline", before)
    twice(trixie, shipped("vfio", devices=["10de:27b0"]))
    assert trixie.exists("etc/default/grub.d/ventoy-kit-vfio.cfg") == ("grub" in loaders)
    after = before.strip() + " intel_iommu=on initcall_blacklist=sysfb_init\n"
    assert trixie.read("etc/kernel/cmdline") == (after if "cmdline" in loaders else before)
    assert trixie.calls("proxmox-boot-tool refresh") == ["proxmox-boot-tool refresh"]
    assert trixie.calls("update-grub") == []


ENTRY = "id=10de:27b0,iommugroup=14,node={},path=0000:01:00,subsystem-id=1028:16fa"


def test_the_resource_mapping_keeps_the_entries_of_other_nodes(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.proxmox()
    trixie.stub("uname", 'case $1 in -n) echo falcon.alliance.example ;; *) exec /usr/bin/uname "$@" ;; esac')
    hook = shipped("vfio", devices=["10de:27b0"], mapping="gpu")
    twice(trixie, hook)
    assert sorted(trixie.read("srv/mapping").strip().split(",")) == ENTRY.format("falcon").split(",")
    trixie.write(
        "srv/mapping", ENTRY.format("corvette") + "\n" + ENTRY.format("falcon").replace("=14", "=3") + "\n"
    )
    code, said = trixie.verify()
    assert code == 1
    assert "the resource mapping gpu lacks these devices" in said
    trixie.run(hook)
    assert trixie.go_on(4)["status"] == "changed", trixie.output
    assert {tuple(sorted(line.split(","))) for line in trixie.read("srv/mapping").split()} == {
        tuple(ENTRY.format(node).split(",")) for node in ("corvette", "falcon")
    }


def unchanged_files(root: DebianRoot) -> Mapping[str, object]:
    return {k: v for k, v in root.tree().items() if k.startswith(("etc/mod", "etc/default", "etc/initramfs"))}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("device", "this machine has no PCI device 10de:ffff"),
        ("iommu", "switch on VT-d or AMD-Vi"),
        ("group", "the IOMMU group is shared with 0000:01:00.5 (144d:a80a) in group 14"),
        ("loader", "set these by hand: intel_iommu=on"),
    ],
)
def test_what_is_missing_is_said(trixie: DebianRoot, spoil: str, said: str) -> None:
    machine(trixie, bound=False)
    if spoil == "iommu":
        (trixie.upper / "sys/firmware/acpi/tables/DMAR").unlink()
    if spoil == "group":
        pci(trixie, "0000:03:00.0", "144d:a80a", kind="010802", driver="nvme", group=14)
        said = said.replace("0000:01:00.5", "0000:03:00.0")
    if spoil == "loader":
        (trixie.upper / "boot/grub/grub.cfg").unlink()
    result = trixie.run(shipped("vfio", devices=["10de:ffff" if spoil == "device" else "10de:27b0"]))
    assert result["status"] == "failed"
    assert said in str(result["reason"])
    if spoil != "loader":
        assert unchanged_files(trixie) == {}


def test_an_initramfs_that_failed_is_made_by_the_next_attempt(trixie: DebianRoot) -> None:
    machine(trixie)
    trixie.stub("update-initramfs", "exit 1")
    assert "is there room in /boot" in str(trixie.run(shipped("vfio", devices=["10de:27b0"]))["reason"])
    trixie.stub("update-initramfs")
    assert trixie.go_on(2)["status"] == "waiting"
    assert trixie.go_on(3)["status"] == "changed"


@pytest.mark.parametrize(
    "value", ["10DE:27b0", "$(id)", "01:00\n02:00", "*", "10de:27b0;id", "", "-x", "01:00.8", "x" * 65536]
)
def test_what_is_no_device_does_not_travel(value: str) -> None:
    _, report = check_params(SPEC, {"devices": [value]}, ())
    assert report.has_errors


SPEC = shipped("vfio", devices=["01:00"]).spec
