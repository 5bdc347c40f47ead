"""Which disks are the node's: every kind of identifier, and every reason to refuse."""

from __future__ import annotations

import pytest

from tests.boot_overlay.scratch import GB, UUID, Scratch

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]


def declare(root: Scratch, *lines: str, stick: bool = True) -> None:
    """A machine that is the node; `lines` are `use name serial wwn bytes model`, with blanks."""
    rows = ["\t".join(line.split(maxsplit=5)) + "\n" for line in lines]
    root.node("falcon", {"serial": "SN-1", "uuid": UUID}, "".join(rows))
    root.dmi("SN-1", UUID)
    root.ticket(node="falcon")
    if stick:
        root.stick()


@pytest.mark.parametrize(
    ("name", "serial", "wwid", "declared"),
    [
        ("nvme0n1", "S5GXNX0T123", None, "S5GXNX0T123 -"),
        ("nvme1n1", "S5GXNX0T123", "eui.0025385B71B0A1C2", "S5GXNX0T123 eui.0025385b71b0a1c2"),
        ("sda", "WD-WX11", None, "WD-WX11 -"),
        ("sda", "     WD-WX11", None, "WD-WX11 -"),
        ("sdaa", "WD WX11", None, "WDWX11 -"),
        ("sda", None, "naa.5002538E40A1B2C3", "- 0x5002538e40a1b2c3"),
        ("sda", "X", "naa.5002538e40a1b2c3", "- NAA.5002538E40A1B2C3"),
        ("sda", None, "t10.ATA     QEMU HARDDISK    QM00005    ", "- ataqemuharddiskqm00005"),
        ("nvme0n1", None, "nvme.8086-50484d42-494e-00000001", "- nvme.8086-50484d42-494e-00000001"),
        ("vda", "virtio-01", None, "virtio-01 -"),
        ("mmcblk0", "0x1a2b3c4d", None, "0x1a2b3c4d -"),
    ],
)
def test_a_disk_is_found_by_what_is_declared(root: Scratch, name: str, serial, wwid, declared: str):
    root.disk("sdx", "DECOY1", wwid="naa.5000000000000001")
    root.disk("nvme7n1", "DECOY2", wwid="eui.0000000000000002")
    root.disk(name, serial, wwid=wwid)
    declare(root, f"system root {declared} {500 * GB} DISK")
    assert root.resolve() == ("", f"/dev/{name}")


def test_binary_pages_are_read_after_their_header(root: Scratch):
    root.disk("sda")
    root.write("sys/block/sda/device/vpd_pg80", b"\0\x80\0\x14" + b"  WD-WX11\0\0\xff\x01      ")
    declare(root, "system root WD-WX11 - - -")
    assert root.resolve() == ("", "/dev/sda")


def test_swapped_names_follow_the_serial_numbers(root: Scratch):
    root.disk("sda", "TWO")
    root.disk("sdb", "ONE")
    declare(root, "system first ONE - - -", "system second TWO - - -")
    assert root.resolve() == ("", "/dev/sdb /dev/sda")


def test_part_of_a_serial_number_is_not_enough(root: Scratch):
    root.disk("sda", "WD-WX11X")
    root.disk("sdb", "WD-WX1")
    declare(root, "system root WD-WX11 - - -")
    assert root.resolve()[0] == "VK-B21"


@pytest.mark.parametrize(
    "declared",
    [
        "GONE - -",
        "WD-WX11 0x5000000000000009 -",
        "wd-wx11 - -",
        "- naa.0000000000000000 -",
        "- - -",
        "* - -",
        "000000 - -",
    ],
)
def test_a_missing_disk_refuses_and_lists_what_is_there(root: Scratch, declared: str):
    root.disk("sda", "WD-WX11", wwid="naa.5000000000000001")
    root.disk("sdb", "000000", wwid="naa.0000000000000000")
    declare(root, f"system root {declared} -")
    code, detail = root.resolve()
    assert code == "VK-B21"
    assert "/dev/sda: DISK MODEL, 500 GB, serial WD-WX11, WWN 5000000000000001" in detail
    assert "/dev/sdb: DISK MODEL, 500 GB, serial -, WWN -" in detail


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("loop0", {}),
        ("ram0", {}),
        ("zram0", {}),
        ("md127", {}),
        ("sr0", {}),
        ("fd0", {}),
        ("dm-3", {}),
        ("nvme0c0n1", {}),
        ("mmcblk0boot0", {}),
        ("nvme0n1", {"hidden": "1"}),
        ("sda", {"device": False}),
        ("sda", {"size": 0}),
        ("sda", {"partition": "1"}),
    ],
)
def test_what_is_no_whole_disk_is_not_seen(root: Scratch, name: str, options):
    root.disk(name, **options)
    for file in ("serial", "device/serial"):
        if (root.path / f"sys/block/{name}/device").exists() or "/" not in file:
            root.write(f"sys/block/{name}/{file}", "THE-ONE\n")
    declare(root, "system root THE-ONE - - -")
    code, detail = root.resolve()
    assert code == "VK-B21"
    assert f"/dev/{name}:" not in detail


def test_two_disks_with_one_serial_number_refuse(root: Scratch):
    root.disk("sda", "SAME", wwid="naa.5000000000000001")
    root.disk("sdb", "SAME", wwid="naa.5000000000000002")
    declare(root, "system root SAME - - -")
    assert root.resolve()[0] == "VK-B22"
    declare(root, "system root SAME 5000000000000002 - -", stick=False)
    assert root.resolve() == ("", "/dev/sdb")


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("system one A1 - - -", "system two - 5000000000000001 - -"), "VK-B23"),
        (("system one A1 - - -", "keep two - 5000000000000001 - -"), "VK-B24"),
        (("data one A1 - - -", "system two - 5000000000000001 - -"), "VK-B24"),
        (("system one A1 - - -", "system one A1 - - -", "keep x A1 - - -"), "VK-B24"),
    ],
)
def test_one_disk_declared_twice_refuses(root: Scratch, lines: tuple[str, ...], code: str):
    root.disk("sda", "A1", wwid="naa.5000000000000001")
    declare(root, *lines)
    assert root.resolve()[0] == code


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (500 * GB, ""),
        (455 * GB, ""),
        (555 * GB, ""),
        (450 * GB, "VK-B28"),
        (560 * GB, "VK-B28"),
        (1, "VK-B28"),
        (10**17 - 1, "VK-B28"),
    ],
)
def test_the_size_cross_checks(root: Scratch, declared: int, code: str):
    root.disk("sda", "A1", size=500 * GB)
    declare(root, f"system root A1 - {declared} -")
    assert root.resolve()[0] == code


@pytest.mark.parametrize(
    "line", ["system root A1 - 08 -", "system root A1 - 5x -", "system ../x A1 - - -", "swap x A1 - - -"]
)
def test_a_damaged_list_refuses(root: Scratch, line: str):
    root.disk("sda", "A1")
    declare(root, line)
    assert root.resolve()[0] == "VK-B06"


@pytest.mark.parametrize("lines", [(), ("keep vault A1 - - -",)])
def test_a_list_without_a_system_disk_refuses(root: Scratch, lines: tuple[str, ...]):
    root.disk("sda", "A1")
    declare(root, *lines)
    assert root.resolve()[0] == "VK-B06"


def test_the_stick_is_never_a_system_disk(root: Scratch):
    root.disk("sda", "A1")
    declare(root, "system root STICK0001 - - -")
    assert root.resolve()[0] == "VK-B25"


@pytest.mark.parametrize(
    ("label", "over", "code"),
    [
        ("ventoy", "sda", "VK-B25"),
        ("ventoy", "sda/sda1", "VK-B25"),
        ("VentoyPart", "sda/sda1", "VK-B25"),
        ("sda1", "sda/sda1", "VK-B25"),
        ("vtoy_persistent", "sda/sda1", "VK-B25"),
        ("pve-root", "sda/sda1", ""),
    ],
)
def test_what_ventoy_maps_is_the_stick(root: Scratch, label: str, over: str, code: str):
    root.disk("sda", "A1", partitions=2)
    root.mapper("dm-0", label, over)
    declare(root, "system root A1 - - -")
    assert root.resolve()[0] == code


@pytest.mark.parametrize(
    "output", ["", "unknown", "/dev/sdq#exfat#/x.iso", "/dev/#x", "/dev/../sda#x", "sda"]
)
def test_an_unknown_stick_refuses(root: Scratch, output: str):
    root.disk("sda", "A1")
    declare(root, "system root A1 - - -")
    root.vtoydump(output)
    assert root.resolve()[0] == "VK-B20"


def test_a_missing_ventoy_tool_refuses(root: Scratch):
    root.disk("sda", "A1")
    declare(root, "system root A1 - - -")
    (root.path / "ventoy/tool/vtoydump").unlink()
    assert root.resolve()[0] == "VK-B20"


@pytest.mark.parametrize("number", ["240:16", "240:17", "241:48"])
def test_a_disk_that_is_mounted_refuses(root: Scratch, number: str):
    root.disk("sda", "A1", partitions=1)
    root.mapper("dm-0", "crypt", "sda/sda1")
    root.mapper("dm-1", "pve-root", "dm-0")
    declare(root, "system root A1 - - -")
    assert root.resolve()[0] == ""
    root.append("proc/self/mountinfo", f"40 21 {number} / /media rw - ext4 /dev/x rw\n")
    assert root.resolve()[0] == "VK-B26"


def test_a_neighbour_that_is_mounted_does_not_matter(root: Scratch):
    root.disk("sda", "A1", partitions=1)
    declare(root, "system root A1 - - -")
    root.append(
        "proc/self/mountinfo",
        "40 21 240:1 / /a rw - ext4 /dev/x rw\n41 21 240:160 / /b rw - ext4 /dev/y rw\n",
    )
    assert root.resolve()[0] == ""


@pytest.mark.parametrize(("line", "code"), [("/dev/sda1", "VK-B26"), ("/dev/sdaa1", ""), ("/dev/sda10", "")])
def test_a_disk_that_holds_swap_refuses(root: Scratch, line: str, code: str):
    root.disk("sda", "A1", partitions=2)
    declare(root, "system root A1 - - -")
    root.write("proc/swaps", f"Filename Type Size Used Priority\n{line}    partition 1 0 -2\n")
    assert root.resolve()[0] == code


def test_use_that_cannot_be_told_refuses(root: Scratch):
    root.disk("sda", "A1")
    declare(root, "system root A1 - - -")
    (root.path / "proc/self/mountinfo").unlink()
    assert root.resolve()[0] == "VK-B26"


@pytest.mark.parametrize("value", ["1", ""])
def test_a_read_only_disk_refuses(root: Scratch, value: str):
    root.disk("sda", "A1", ro=value)
    declare(root, "system root A1 - - -")
    assert root.resolve()[0] == "VK-B27"


def test_a_disk_without_its_device_node_refuses(root: Scratch):
    root.disk("sda", "A1", node=False)
    declare(root, "system root A1 - - -")
    assert root.resolve()[0] == "VK-B29"


def test_the_plan_names_every_disk_and_why(root: Scratch):
    root.disk("nvme0n1", "S5GX", model="Samsung SSD 980", size=1000204886016)
    root.disk("sda", "KEEP", size=4000787030016, model="WDC WD40EFRX-68N")
    root.disk("sdb", "STRANGER", size=250 * 10**6, model=None)
    declare(root, "system root S5GX - - Samsung 990", "keep vault KEEP - - -", "data tank GONE - - -")
    assert root.resolve()[0] == ""
    assert root.read("tmp/plan").splitlines() == [
        "Fleet alliance, node falcon: The falcon",
        "",
        "These disks will be WIPED:",
        "  /dev/nvme0n1: Samsung SSD 980, 1.0 TB, serial S5GX",
        "These disks stay as they are:",
        "  /dev/sda: WDC WD40EFRX-68N, 4.0 TB, serial KEEP (declared as vault, keep)",
        "  /dev/sdb: -, 249 MB, serial STRANGER (not declared)",
        "  /dev/sdz: USB STICK, 32 GB, serial STICK0001 (the Ventoy stick)",
        "Note: The data disk tank was found 0 times.",
        "Note: System disk root (/dev/nvme0n1) is declared as Samsung 990, the device says Samsung SSD 980.",
    ]


@pytest.mark.parametrize("declared", ["WDC WD40EFRX-68N", "wdc_wd40efrx", "-", "The WDC WD40EFRX-68N32"])
def test_a_model_that_was_cut_or_spelt_otherwise_is_no_difference(root: Scratch, declared: str):
    root.disk("sda", "A1", model="WDC WD40EFRX-68N")
    declare(root, f"system root A1 - - {declared}")
    assert root.resolve()[0] == ""
    assert "Note:" not in root.read("tmp/plan")
