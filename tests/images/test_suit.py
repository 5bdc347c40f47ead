"""Whether an image can do what the fleet asks of it."""

from dataclasses import replace

import pytest

from ventoy_kit.images import codes
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.suit import check_image
from ventoy_kit.report import Rule

PATH = ("images", "proxmox-ve", "path")
PVE = IsoFacts(
    size=1 << 20,
    volume_id="PVE",
    family="proxmox",
    product="proxmox-ve",
    title="Proxmox VE",
    release="9.1",
    build="1",
    automated=True,
    boot=frozenset({"bios", "uefi"}),
    menus=(),
    medium=None,
    stand_in=False,
)


def rules(facts, *, product="proxmox-ve"):
    report = check_image(facts, product=product, path=PATH)
    assert all(finding.path == PATH for finding in report)
    return [finding.rule for finding in report]


def test_the_right_image():
    assert rules(PVE) == []


def test_wrong_product_is_the_only_finding_on_it():
    assert rules(replace(PVE, release="1.0"), product="debian") == [codes.WRONG_PRODUCT]
    assert rules(replace(PVE, product=None, family=None)) == [codes.WRONG_PRODUCT]


@pytest.mark.parametrize(
    ("product", "release", "fine"),
    [
        ("proxmox-ve", "8.4", True),
        ("proxmox-ve", "8.10", True),
        ("proxmox-ve", "8.3", False),
        ("proxmox-ve", "7.4", False),
        ("proxmox-ve", "10.0", True),
        ("proxmox-ve", None, False),
        ("debian", "12", True),
        ("debian", "12.0.0", True),
        ("debian", "13.6.0", True),
        ("debian", "11.11.0", False),
    ],
)
def test_oldest_releases(product, release, fine):
    found = rules(replace(PVE, product=product, release=release), product=product)
    assert found == ([] if fine else [codes.TOO_OLD])


def test_no_automation():
    assert rules(replace(PVE, automated=False)) == [codes.NO_AUTOMATION]


def test_stand_ins_are_named_as_such():
    report = check_image(replace(PVE, stand_in=True), product="proxmox-ve", path=PATH)
    assert [finding.rule for finding in report] == [codes.STAND_IN_USED]
    assert not report.has_errors


def test_codes_are_distinct_and_explained():
    found = [value for value in vars(codes).values() if isinstance(value, Rule)]
    assert len({rule.code for rule in found}) == len(found) == 14
    assert all(rule.code.startswith("VK-I") and rule.explain.endswith(".") for rule in found)
