"""The hardware probe: it sees what the boot hook will see, says what disks hold, and only reads."""

from __future__ import annotations

import ast
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.boot_overlay.scratch import GB, Scratch
from tests.support import machines
from ventoy_kit.fleet.placeholders import PLACEHOLDER_TEXTS
from ventoy_kit.hardware.firmware import parse_facts
from ventoy_kit.hardware.inventory import Inventory, parse_inventory
from ventoy_kit.hardware.probe_text import WHOLE


def load() -> ModuleType:
    module = ModuleType("probe")
    exec(compile(machines.PROBE, "probe", "exec"), vars(module))
    return module


def look(root: Path) -> Inventory:
    done = subprocess.run(
        [sys.executable, "-I", "-", "--root", str(root)], input=machines.PROBE, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found, report = parse_inventory(done.stdout, "facts.json")
    assert found is not None, list(report)
    return found


def as_the_boot_hook_sees(root: Scratch) -> list[tuple[str, ...]]:
    """Lines of VK_RUN/devices."""
    done = root.shell(
        "set -u; . /ventoy-kit/lib.sh; . /ventoy-kit/disks.sh; mkdir -p /ventoy-kit/run\n"
        'vk_scan_disks; cat "${VK_RUN}/devices"'
    )
    assert done.stderr == ""
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def as_the_probe_sees(root: Path) -> list[tuple[str, ...]]:
    return [(d.name, d.serial or "-", d.wwn or "-", str(d.size), d.model or "-") for d in look(root).disks]


# The probe itself


def test_it_is_old_python_and_only_reads():
    tree = ast.parse(machines.PROBE, feature_version=(3, 7))
    called = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    opened = [n for n in called if isinstance(n.func, ast.Name) and n.func.id == "open"]
    assert [arg.value for n in opened for arg in n.args[1:] if isinstance(arg, ast.Constant)] == ["rb"]
    of_os = {
        n.func.attr for n in called if isinstance(n.func, ast.Attribute) and ast.unparse(n.func.value) == "os"
    }
    assert of_os == {"listdir", "readlink", "geteuid", "access"}
    programs = [n for n in called if isinstance(n.func, ast.Attribute) and n.func.attr == "run"]
    started = {n.args[0].value for n in programs if n.args and isinstance(n.args[0], ast.Constant)}
    assert started == {"udevadm", "lsblk", "blkid", "ip"}


def test_parts_fit_into_one_file():
    def names(text: str) -> list[str]:
        body = ast.parse(text).body
        targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        named = [n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        assigned = [n.id for n in named if isinstance(n.ctx, ast.Store)]
        return assigned + [n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)]

    assert set(WHOLE) == machines.PARTS.keys()
    for joined in (machines.FIRMWARE_PROBE, machines.PROBE):
        assert len(names(joined)) == len(set(names(joined)))
        assert not [n for n in ast.walk(ast.parse(joined)) if isinstance(n, ast.ImportFrom)]


def test_one_run_gives_both_sections(tmp_path):
    root = machines.machine(tmp_path, driver="dell-wmi-sysman", attributes=machines.OPTIPLEX_7090)
    done = subprocess.run(
        [sys.executable, "-I", "-", "--root", str(root)], input=machines.PROBE, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "hunter2" not in done.stdout  # of the kernel's command line
    firmware, _ = parse_facts(done.stdout, "facts.json")
    assert firmware is not None
    own = json.loads(machines.probed(root))["firmware"]
    both = json.loads(done.stdout)["firmware"]
    assert own | {"clock": 0} == both | {"clock": 0}
    inventory, _ = parse_inventory(done.stdout, "facts.json")
    assert inventory is not None
    assert (inventory.boot_mode, inventory.secure_boot) == ("uefi", False)
    assert inventory.dmi["product_serial"] == "ABC1234"
    assert [d.id for d in inventory.pci or ()] == ["144d:a80a"]
    assert inventory.pci is not None
    assert inventory.pci[0].kind == "010802"


def test_it_holds_the_same_list_of_placeholders():
    assert load().PLACEHOLDERS - {""} == PLACEHOLDER_TEXTS


def test_this_machine_can_be_looked_at():
    done = subprocess.run([sys.executable, "-I", "-"], input=machines.PROBE, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found, report = parse_inventory(done.stdout, "this machine")
    assert found is not None, list(report)
    assert found.hostname


def test_an_empty_machine_gives_facts_too(tmp_path):
    assert look(tmp_path) == Inventory(root=look(tmp_path).root)


# The same disks as the boot hook


def fill(root: Scratch, disks: list[dict[str, Any]]) -> None:
    for disk in disks:
        given = dict(disk)
        root.disk(given.pop("name"), given.pop("serial", None), node=False, **given)


KINDS: list[dict[str, Any]] = [
    {"name": "nvme0n1", "serial": "S5GXNX0T123", "wwid": "eui.0025385B71B0A1C2"},
    {"name": "nvme1n1", "serial": "S5 GX", "wwid": "nvme.8086-50484d42-494e-00000001", "model": None},
    {"name": "nvme0c0n1", "serial": "PATH"},
    {"name": "nvme2n1", "serial": "HIDDEN", "hidden": "1"},
    {"name": "sda", "serial": "     WD-WX11", "wwid": "naa.5002538E40A1B2C3", "partitions": 2},
    {"name": "sdb", "serial": "0000000000", "wwid": "naa.0000000000000000"},
    {"name": "sdc", "wwid": "t10.ATA     QEMU HARDDISK    QM00005    ", "model": "  QEMU   HARDDISK  "},
    {"name": "sdd", "serial": "To be filled by O.E.M.", "size": 0},
    {"name": "sde", "device": False},
    {"name": "vda", "serial": "virtio-01"},
    {"name": "mmcblk0", "serial": "0x1a2b3c4d"},
    {"name": "mmcblk0boot0", "serial": "0x1a2b3c4d"},
    {"name": "dm-0", "serial": "X1"},
    {"name": "md127", "serial": "X2"},
    {"name": "zd16", "serial": "X3"},
    {"name": "sr0", "serial": "X4"},
]

needs_a_scratch_root = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("busybox", "chroot", "unshare"),
]


class TestLikeTheBootHook:
    pytestmark = needs_a_scratch_root

    def test_every_kind_of_disk(self, tmp_path):
        root = Scratch(tmp_path / "root")
        fill(root, KINDS)
        seen = as_the_boot_hook_sees(root)
        assert [line[0] for line in seen] == ["mmcblk0", "nvme0n1", "nvme1n1", "sda", "sdb", "sdc", "vda"]
        assert sorted(as_the_probe_sees(root.path)) == sorted(seen)

    def test_binary_pages_and_odd_characters(self, tmp_path):
        root = Scratch(tmp_path / "root")
        fill(root, [{"name": "sda"}, {"name": "sdb", "serial": "x"}])
        root.write("sys/block/sda/device/vpd_pg80", b"\0\x80\0\x14" + b"  WD-WX11\0\0\xff\x01      ")
        root.write("sys/block/sdb/device/model", "Gr\u00f6\u00dfe\t8 TB\x01\n".encode())
        root.write("sys/block/sdb/device/vpd_pg80", b"\0\x80")
        seen = as_the_boot_hook_sees(root)
        assert [line[1:2] for line in seen] == [("WD-WX11",), ("-",)]
        assert as_the_probe_sees(root.path) == seen

    @settings(deadline=None, max_examples=15)
    @given(st.data())
    def test_any_attributes(self, data):
        text = st.text(st.sampled_from("0F1aZ .-_/\u00e9"), max_size=20)
        register = st.sampled_from(["", "naa.", "eui.", "t10.", "nvme.", "uuid.", "0x", "NAA."])
        wwid = st.one_of(st.none(), st.tuples(register, text).map("".join))
        name = st.sampled_from(["sda", "sdb", "vda", "nvme0n1", "mmcblk0", "nvme0c1n1", "loop0", "sda-x"])
        disks = data.draw(
            st.dictionaries(name, st.tuples(st.none() | text, wwid, st.none() | text), max_size=5)
        )
        with tempfile.TemporaryDirectory() as folder:
            root = Scratch(Path(folder) / "root")
            for number, (disk, (serial, wwn, model)) in enumerate(disks.items()):
                fill(root, [{"name": disk, "wwid": wwn, "model": model, "size": number * GB}])
                if serial is not None:
                    place = data.draw(st.sampled_from(["serial", "device/serial", "device/vpd_pg80"]))
                    head = b"\0\x80\0\x10" if place.endswith("80") else b""
                    root.write(f"sys/block/{disk}/{place}", head + serial.encode())
            assert sorted(as_the_probe_sees(root.path)) == sorted(as_the_boot_hook_sees(root))

    def test_permanent_addresses(self, tmp_path):
        root = Scratch(tmp_path / "root")
        root.nic("eno1", "D8:43:AE:00:0A:01")
        root.nic("eno2", "d8:43:ae:00:0a:02", assigned="3")
        root.nic("eno3", "00:00:00:00:00:00")
        root.nic("vmbr0", "d8:43:ae:00:0a:01", device=False)
        root.nic("ib0", "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:0b:bc:e1")
        done = root.shell(
            '. /ventoy-kit/lib.sh; . /ventoy-kit/identity.sh; vk_read_machine; printf %s "${VK_MACS}"'
        )
        nics = look(root.path).nics
        assert [n.name for n in nics] == ["eno1", "eno2", "eno3", "ib0"]
        assert done.stdout.split() == [n.permanent_mac for n in nics if n.permanent_mac]
        assert done.stdout.split() == ["d8:43:ae:00:0a:01"]


# What disks hold, and udev


def tree_of(root: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


SDA: dict[str, str | bytes] = {
    "sys/block/sda/device/model": "WDC\n",
    "sys/block/sda/size": "2048\n",
    "sys/block/sda/dev": "8:0\n",
    "sys/block/sda/removable": "1\n",
    "sys/block/sda/queue/logical_block_size": "4096\n",
    "sys/block/sda/uevent": "MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n",
    "sys/block/sda/sda1/partition": "1\n",
    "sys/block/sda/sda1/dev": "8:1\n",
    "sys/block/sda/sda2/partition": "2\n",
    "sys/block/sda/sda2/dev": "8:2\n",
    "sys/block/sda/sda2/holders/dm-0/x": "",
    "sys/block/dm-0/dm/name": "pve-root\n",
    "sys/block/dm-0/dev": "253:0\n",
    "sys/block/dm-0/size": "8\n",
    "proc/self/mountinfo": "30 1 253:0 / / rw - ext4 /dev/mapper/pve-root rw\n",
    "proc/swaps": "Filename Type Size Used Priority\n/dev/sda1 partition 1 0 -2\n",
}


def test_without_udev_the_kernel_tells_something_and_the_rest_is_unknown(tmp_path):
    (disk,) = look(tree_of(tmp_path, SDA)).disks
    assert disk.holds == (
        "sda1: partition, used as swap",
        "sda2: partition",
        "pve-root: device mapper, mounted at /",
        "unknown",
    )
    assert (disk.size, disk.logical_block, disk.removable) == (1048576, 4096, True)
    assert disk.properties == {
        "DEVPATH": "/block/sda",
        "DEVNAME": "/dev/sda",
        "MAJOR": "8",
        "MINOR": "0",
        "DEVTYPE": "disk",
    }


def test_udev_tells_file_systems_pools_and_properties(tmp_path):
    data = "run/udev/data"
    more: dict[str, str | bytes] = {
        f"{data}/b8:0": "S:disk/by-id/ata-WDC\nI:123\nE:ID_BUS=ata\nE:ID_PART_TABLE_TYPE=gpt\nE:ID_MODEL=WDC=X\n",
        f"{data}/b8:1": "E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=rpool\n",
        f"{data}/b8:2": "E:ID_FS_TYPE=LVM2_member\n",
        f"{data}/b253:0": "E:ID_FS_TYPE=ext4\n",
    }
    (disk,) = look(tree_of(tmp_path, SDA | more)).disks
    assert disk.holds == (
        "sda: partition table gpt",
        "sda1: partition, zfs_member `rpool`, used as swap",
        "sda2: partition, LVM2_member",
        "pve-root: device mapper, ext4, mounted at /",
    )
    assert disk.properties["DEVLINKS"] == "/dev/disk/by-id/ata-WDC"
    assert (disk.properties["ID_MODEL"], disk.transport) == ("WDC=X", "ata")


def test_a_blank_disk_holds_nothing_where_udev_can_tell(tmp_path):
    files = {k: v for k, v in SDA.items() if "/sda/" in k and "/sda1/" not in k and "/sda2/" not in k}
    (disk,) = look(tree_of(tmp_path, {**files, "run/udev/data/b8:0": "I:1\n"})).disks
    assert disk.holds == ()


def test_an_array_is_named_by_its_level(tmp_path):
    more: dict[str, str | bytes] = {
        "sys/block/sda/sda1/holders/md127/x": "",
        "sys/block/md127/dev": "9:127\n",
        "sys/block/md127/md/level": "raid1\n",
        "proc/mdstat": "Personalities : [raid1]\nmd127 : active raid1 sdb1[1] sda1[0]\n      1 blocks\n",
    }
    (disk,) = look(tree_of(tmp_path, SDA | more)).disks
    assert "md127: array raid1" in disk.holds


@pytest.mark.parametrize(
    ("place", "transport"),
    [
        ("devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0", "usb"),
        ("devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0", "ata"),
        ("devices/pci0000:00/0000:01:00.0/host0/port-0:0/end_device-0:0/target0:0:0/0:0:0:0", "sas"),
        ("devices/pci0000:00/0000:00:02.0/host0/target0:0:0/0:0:0:0", None),
    ],
)
def test_how_a_disk_is_connected_is_read_from_its_place(tmp_path, place, transport):
    (tmp_path / "sys/block").mkdir(parents=True)
    tree_of(tmp_path, {f"sys/{place}/block/sda/size": "2048\n", f"sys/{place}/model": "Bridge\n"})
    (tmp_path / "sys/block/sda").symlink_to(tmp_path / f"sys/{place}/block/sda")
    (tmp_path / f"sys/{place}/block/sda/device").symlink_to(tmp_path / f"sys/{place}")
    (disk,) = look(tmp_path).disks
    assert (disk.transport, disk.model) == (transport, "Bridge")
    assert disk.properties["DEVPATH"] == f"/{place}/block/sda"


LSBLK = {
    "blockdevices": [
        {
            "kname": "sda",
            "fstype": None,
            "label": None,
            "pttype": "gpt",
            "children": [{"kname": "sda1", "fstype": "vfat", "label": "EFI", "pttype": "gpt"}],
        }
    ]
}


def test_programs_are_asked_on_a_running_machine(tmp_path, monkeypatch):
    module = load()
    answers = {
        "lsblk": json.dumps(LSBLK),
        "udevadm": "P: /block/sda\nE: DEVPATH=/block/sda\nE: ID_BUS=usb\nE: A=b=c\n\nP: /x\n",
        "ip": json.dumps(
            [
                {"ifname": "eno1", "master": "vmbr0", "addr_info": []},
                {"ifname": "vmbr0", "addr_info": [{"local": "10.0.0.9", "prefixlen": 24, "scope": "global"}]},
                {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
            ]
        ),
    }
    monkeypatch.setattr(module.Tree, "run", lambda self, *argv: answers.get(argv[0]))
    more: dict[str, str | bytes] = {
        "run/udev/data/b8:0": "",
        "sys/class/net/eno1/device/x": "",
        "sys/class/net/eno1/address": "d8:43:ae:00:0a:01\n",
    }
    tree_of(tmp_path, SDA | more)
    found = module.collect_hardware(str(tmp_path))
    assert found["disks"][0]["properties"] == {"DEVPATH": "/block/sda", "ID_BUS": "usb", "A": "b=c"}
    assert found["disks"][0]["holds"][:2] == [
        "sda: partition table gpt",
        "sda1: partition, vfat `EFI`, used as swap",
    ]
    assert found["nics"][0]["addresses"] == ["10.0.0.9/24"]
    monkeypatch.setattr(
        module.Tree,
        "run",
        lambda self, *argv: "DEVNAME=/dev/sda1\nTYPE=ext4\n" if argv[0] == "blkid" else "{",
    )
    if module.os.geteuid() == 0:
        found = module.collect_hardware(str(tmp_path))
        assert "sda1: partition, ext4, used as swap" in found["disks"][0]["holds"]
        assert found["nics"][0]["addresses"] == []


def test_a_program_that_is_missing_fails_or_hangs_tells_nothing(monkeypatch):
    module = load()
    monkeypatch.setattr(module, "SECONDS", 0.2)
    tree = module.Tree("/")
    assert tree.run("no-such-program-at-all") is None
    assert tree.run("false") is None
    assert tree.run("sleep", "5") is None
    assert tree.run("echo", "x") == "x\n"
    assert module.Tree("/tmp").run("echo", "x") is None


def test_memory_modules_are_read_as_smbios_says(tmp_path):
    def module(size: int, extended: int = 0) -> bytes:
        return struct.pack("<BBH8xH14xI", 17, 0x28, 0, size, extended)

    entries: dict[str, str | bytes] = {
        "17-0": module(16384),
        "17-1": module(0),
        "17-2": module(0x7FFF, 32768),
        "17-3": module(0x8000 | 512),
        "17-4": module(0xFFFF),
        "17-5": b"short",
        "16-0": bytes([16, 23, 0, 0, 3, 3, 6]),
    }
    base = "sys/firmware/dmi/entries"
    found = look(tree_of(tmp_path, {f"{base}/{name}/raw": raw for name, raw in entries.items()}))
    assert found.modules == (16 << 30, 32 << 30, 512 << 10)
    assert found.ecc is True


def test_nobody_may_run_it_too(tmp_path):
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-I", "-"],
        input=machines.PROBE,
        capture_output=True,
        text=True,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("needs root to become nobody")
    assert (done.returncode, done.stderr) == (0, "")
    found, _ = parse_inventory(done.stdout, "x")
    assert found is not None
    assert found.root is False
