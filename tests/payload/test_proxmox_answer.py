"""Proxmox answers: whatever stands in base.toml, the disk is the boot hook's to choose, and the installer takes the keys."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.support.fleets import BASE, READY_HASH, as_yaml, base_fleet, library, node, plan_of
from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER, check_answer, render_answer
from ventoy_kit.report import Report

SHIPPED = library().families["proxmox"]["base.toml"]


def render(base: str, **more: Any) -> tuple[dict[str, Any] | None, Report]:
    plan = plan_of(as_yaml(base_fleet({"alpha": node(2, **more)})).encode())
    data, report = render_answer(plan.nodes[0], {"base.toml": base}, plan.image("proxmox-ve").facts)
    return None if data is None else tomllib.loads(data.decode()), report


def test_the_shipped_base_changes_nothing_but_what_it_says():
    answer, report = render(SHIPPED)
    assert not list(report)
    assert answer is not None
    assert answer["global"]["reboot-on-error"] is False
    assert answer["global"]["root-password-hashed"] == READY_HASH
    assert answer["disk-setup"] == {"filesystem": "ext4", "disk-list": [DISK_PLACEHOLDER]}
    assert set(answer) == {"global", "network", "disk-setup"}


@pytest.mark.parametrize(
    "base",
    [
        '[disk-setup]\ndisk_list = ["sda"]\n',
        '[disk-setup]\nfilter.ID_SERIAL = "*"\n',
        "[disk-setup]\nfilter = {}\n",
        '[disk-setup]\nfilter-match = "all"\n',
        '[disk-setup]\nfilter_match = "all"\n',
        '[disk-setup]\n"disk-lis\\u0074s" = ["sda"]\n',
        '[disk-setup.lvm]\ndisk-list = ["@VENTOY_KIT_DISKS@"]\n',
        '[disk-setup.zfs]\nraid = "raid0"\n',
        '[disk_setup]\ndisk-list = ["sda"]\n',
        '[global]\nmailto2 = "@VENTOY_KIT_DISKS@"\n',
        '[global]\nroot-password = "in the clear"\n',
        '[global]\nroot_password_hashed = "x"\n',
        '[post-installation-webhook]\nurl = "http://x/@VENTOY_KIT_DISKS@"\n',
        "[first_boot]\nsource = 1\n",
        "[extra]\n",
        "extra = 1\n",
        "disk-setup = 1\n",
        "[[disk-setup]]\n",
        "global = []\n",
        "not toml",
    ],
)
def test_no_answer_is_rendered_over_such_a_base(base):
    answer, report = render(base)
    assert answer is None
    assert {f.rule.code for f in report} <= {"VK-W01", "VK-W02"}


def test_what_the_fleet_file_says_is_laid_over_the_base():
    answer, report = render(
        '[global]\nfqdn = "other.example"\nreboot-on-error = true\n'
        '[network]\nsource = "from-dhcp"\n'
        '[disk-setup]\nfilesystem = "xfs"\ndisk-list = ["sda"]\n'
        '[post-installation-webhook]\nurl = "https://hook.example.org/"\n'
    )
    assert not list(report)
    assert answer is not None
    assert answer["global"]["fqdn"] == "alpha.example.org"
    assert answer["global"]["reboot-on-error"] is True
    assert answer["network"]["source"] == "from-answer"
    assert answer["disk-setup"]["filesystem"] == "ext4"
    assert answer["disk-setup"]["disk-list"] == [DISK_PLACEHOLDER]
    assert answer["post-installation-webhook"] == {"url": "https://hook.example.org/"}


def test_a_base_that_is_missing_is_a_finding():
    plan = plan_of(BASE.read_bytes())
    data, report = render_answer(plan.nodes[0], {}, plan.image("proxmox-ve").facts)
    assert data is None
    assert [f.rule.code for f in report] == ["VK-W03"]


def test_sizes_are_in_gib_and_never_rounded_up():
    answer, _ = render(
        SHIPPED,
        install={"filesystem": "ext4", "lvm": {"hdsize": "1 TB", "swapsize": "8 GiB", "maxroot": "96.5 GiB"}},
    )
    assert answer is not None
    lvm = answer["disk-setup"]["lvm"]
    assert lvm == {"hdsize": 931.322, "swapsize": 8, "maxroot": 96.5}
    assert isinstance(lvm["swapsize"], int)
    assert lvm["hdsize"] * 1024**3 <= 10**12


def test_the_nic_is_named_by_its_own_address():
    answer, _ = render(SHIPPED)
    assert answer is not None
    assert answer["network"]["filter"] == {"ID_NET_NAME_MAC": "enxd843ae000002"}


def test_the_check_looks_at_bytes():
    good = b'[disk-setup]\nfilesystem = "ext4"\ndisk-list = ["@VENTOY_KIT_DISKS@"]\n'
    assert not list(check_answer(good, "f"))
    assert list(check_answer(good + b"# @VENTOY_KIT_DISKS@\n", "f"))
    assert list(check_answer(good.replace(b"@VENTOY", b"@@VENTOY"), "f"))
