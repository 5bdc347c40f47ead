"""Proxmox answers: whatever stands in base.toml, the disk is the boot hook's to choose, and the installer takes the keys."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from tests.support.fleets import BASE, READY_HASH, as_yaml, base_fleet, check, library, node, plan_of
from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER, check_answer, render_answer
from ventoy_kit.payload.overlay import nodes_in_clear, overlay_origin
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


TOKEN = "installer:0f1e2d3c-not-to-be-seen"


def render_for(release: str, secrets: dict[str, Any] | None = None, **install: Any):
    fleet = base_fleet({"alpha": node(2, install={"filesystem": "ext4", **install})})
    fleet["nodes"]["alpha"]["hardware"]["nics"]["lan0"]["pin"] = "lan0"
    fleet["secrets"] = fleet["secrets"] | (secrets or {})
    plan = plan_of(as_yaml(fleet).encode(), TOKEN)
    facts = replace(plan.image("proxmox-ve").facts, release=release)
    data, report = render_answer(plan.nodes[0], {"base.toml": SHIPPED}, facts)
    return plan, None if data is None else tomllib.loads(data.decode()), report


ALLOWED = {"token": {"env": "TOKEN", "allow_on_stick": True}}


def test_everything_that_the_newest_release_takes():
    plan, answer, report = render_for(
        "9.2",
        ALLOWED,
        reboot_on_error=True,
        webhook={"url": "https://hook.example.org/", "token": "token", "cert_fingerprint": "ab" * 32},
        subscription_key="token",
        answer={"first-boot": {"source": "from-iso", "ordering": "network-online"}},
    )
    assert not list(report)
    assert answer is not None
    assert answer["network"]["interface-name-pinning"] == {
        "enabled": True,
        "mapping": {"d8:43:ae:00:00:02": "lan0"},
    }
    assert answer["post-installation-webhook"]["auth-token"] == TOKEN
    assert answer["global"]["subscription-key"] == TOKEN
    assert answer["global"]["reboot-on-error"] is True
    assert answer["first-boot"]["ordering"] == "network-online"
    assert plan.nodes[0].travels_in_clear
    assert overlay_origin(plan.nodes).endswith(" of alpha")
    assert nodes_in_clear([overlay_origin(plan.nodes), "iso"]) == ("alpha",)
    assert TOKEN not in repr(plan)


@pytest.mark.parametrize(
    ("release", "refused"),
    [("9.1", ["subscription-key"]), ("9.0", ["interface-name-pinning", "subscription-key"])],
)
def test_an_older_release_gets_nothing_that_it_does_not_know(release, refused):
    _, answer, report = render_for(release, ALLOWED, subscription_key="token")
    assert answer is None
    assert {f.rule.code for f in report} == {"VK-E06"}
    assert all(any(name in f.message for f in report) for name in refused)
    assert TOKEN not in str(list(report))


@pytest.mark.parametrize(
    "answer",
    [
        {"disk-setup": {"disk-list": ["sda"]}},
        {"disk-setup": {"filter": {"ID_SERIAL": "*"}}},
        {"disk-setup": {"filter_match": "all"}},
        {"disk-setup": {"filesystem": "zfs"}},
        {"global": {"root-password": "in the clear"}},
        {"global": {"mailto2": "x"}},
        {"network": {"filter": {"ID_NET_DRIVER": "*"}}},
        {"global": {"keyboard": "german"}},
        {"global": {"fqdn": None}},
        {"extra": {}},
    ],
)
def test_extra_keys_choose_no_disk_and_are_known(answer):
    _, rendered, report = render_for("9.2", answer=answer)
    assert rendered is None
    assert {
        f.rule.code for f in report if f.path and f.path[:4] == ("nodes", "alpha", "install", "answer")
    } == {"VK-E30"}


def test_a_secret_in_clear_must_be_allowed():
    fleet = base_fleet({"alpha": node(2, install={"filesystem": "ext4", "subscription_key": "token"})})
    for secrets, rule in (({}, "VK-R04"), ({"token": {"env": "TOKEN"}}, "VK-E31"), (ALLOWED, None)):
        _, report = check(as_yaml(fleet | {"secrets": fleet["secrets"] | secrets}).encode())
        codes = {f.rule.code for f in report if f.severity == "error"}
        assert codes == ({rule} if rule else set())
