"""Which node a machine is: what decides, what only warns, what never counts."""

from __future__ import annotations

import pytest

from tests.boot_overlay.scratch import DISKS, UUID, Scratch

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]

MAC = "52:54:00:aa:bb:01"


def machine(
    root: Scratch, serial: str | None = "SN-1", uuid: str | None = UUID, mac: str | None = MAC
) -> None:
    """A machine whose disks agree, so that only its identity can refuse."""
    root.usual()
    root.write("ventoy-kit/identity", "")
    (root.path / "sys/class/dmi/id/product_serial").unlink()
    (root.path / "sys/class/dmi/id/product_uuid").unlink()
    root.dmi(serial, uuid)
    if mac:
        root.nic("enp1s0", mac)


@pytest.mark.parametrize(
    ("reported", "declared"),
    [
        (("SN-1", UUID), {"serial": "SN-1", "uuid": UUID}),
        (("  SN-1 ", UUID.upper()), {"serial": "SN-1", "uuid": UUID}),
        (("SN 1", None), {"serial": "SN1"}),
        (("Default string", UUID), {"uuid": UUID}),
        (("SN-1", "03000200-0400-0500-0006-000700080009"), {"serial": "SN-1"}),
        ((None, None), {"mac": MAC}),
        ((None, None), {"mac": ["52:54:00:00:00:99", MAC]}),
        (("SN-1", None), {"serial": "SN-1", "mac": "52:54:00:00:00:99"}),
    ],
)
def test_a_machine_is_the_node_that_is_declared(root: Scratch, reported, declared):
    machine(root, *reported)
    root.node("falcon", declared, DISKS)
    for node in ("falcon", "auto"):
        root.ticket(node=node)
        assert root.resolve() == ("", "/dev/nvme0n1")


@pytest.mark.parametrize(
    ("reported", "declared", "why"),
    [
        (("SN-2", UUID), {"serial": "SN-1", "uuid": UUID}, "serial SN-1"),
        (("SN-1", "4c4c4544-0031-3510-8057-b4c04f4d3534"), {"serial": "SN-1", "uuid": UUID}, f"UUID {UUID}"),
        (("sn-1", None), {"serial": "SN-1"}, "serial SN-1"),
        (("SN-1", None), {"serial": ["SN-1", "SN-2"]}, "serial SN-2"),
        (("Default string", UUID), {"serial": "SN-1", "uuid": UUID}, "serial SN-1"),
        (("Default string", None), {"serial": "Defaultstring"}, "serial Defaultstring"),
        (("To Be Filled By O.E.M.", None), {"serial": "SN-1"}, "serial SN-1"),
        (
            (None, "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            {"uuid": "ffffffff-ffff-ffff-ffff-ffffffffffff"},
            "UUID ffff",
        ),
        ((None, None), {"serial": "SN-1", "mac": MAC}, "serial SN-1"),
        (("SN-1", UUID), {"mac": "52:54:00:00:00:99"}, "network addresses 52:54:00:00:00:99"),
        (("SN-1", UUID), {}, "none declared"),
    ],
)
def test_a_contradiction_is_no_match(root: Scratch, reported, declared, why: str):
    machine(root, *reported)
    root.node("falcon", declared, DISKS)
    root.ticket(node="falcon")
    code, detail = root.resolve()
    assert code == "VK-B10"
    assert why in detail
    root.ticket(node="auto")
    assert root.resolve()[0] == "VK-B11"


@pytest.mark.parametrize(
    ("mac", "options"),
    [
        (MAC, {"device": False}),
        (MAC, {"assigned": "1"}),
        ("00:00:00:00:00:00", {}),
        ("", {}),
        ("80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1", {}),
    ],
)
def test_only_permanent_addresses_of_real_cards_count(root: Scratch, mac: str, options):
    machine(root, None, None, None)
    root.nic("enp1s0", mac, **options)
    root.node("falcon", {"mac": mac or MAC}, DISKS)
    assert root.resolve()[0] == "VK-B10"


def test_a_missing_address_is_shown_as_a_note(root: Scratch):
    machine(root)
    root.node("falcon", {"serial": "SN-1", "mac": [MAC, "52:54:00:00:00:99"]}, DISKS)
    root.resolve()
    assert "Note: Declared network addresses not found: 52:54:00:00:00:99." in root.read("tmp/plan")


def test_auto_refuses_when_two_nodes_match_and_names_them(root: Scratch):
    machine(root)
    root.node("falcon", {"serial": "SN-1"}, DISKS)
    root.node("tantive", {"mac": MAC}, DISKS)
    root.node("xwing", {"serial": "SN-9"}, DISKS)
    root.ticket(node="auto")
    code, detail = root.resolve()
    assert code == "VK-B12"
    assert "Nodes that match: falcon tantive." in detail


def test_auto_tells_what_the_machine_reports_when_nothing_matches(root: Scratch):
    machine(root, "Default string")
    root.node("falcon", {"serial": "SN-1"}, DISKS)
    root.ticket(node="auto")
    code, detail = root.resolve()
    assert code == "VK-B11"
    assert f"serial Defaultstring (no identity), UUID {UUID}, network addresses {MAC}." in detail


@pytest.mark.parametrize(
    "line", ["falcon\tasset\t1\n", "falcon\tserial\n", "../x\tserial\t1\n", "falcon\tmac\ta\tb\n"]
)
def test_a_damaged_identity_file_refuses(root: Scratch, line: str):
    machine(root)
    root.node("falcon", {"serial": "SN-1"}, DISKS)
    root.append("ventoy-kit/identity", line)
    assert root.resolve()[0] == "VK-B06"


def test_a_missing_identity_file_refuses(root: Scratch):
    machine(root)
    (root.path / "ventoy-kit/identity").unlink()
    assert root.resolve()[0] == "VK-B06"
