"""The judgement of disk images."""

from dataclasses import replace

import pytest

from ventoy_kit.stick import codes
from ventoy_kit.stick.image import ImageFacts, judge_image
from ventoy_kit.stick.layout import Layout, NoLayout, plan_layout

LAYOUT = plan_layout(1 << 30, "gpt")
assert isinstance(LAYOUT, Layout)
IMAGE = ImageFacts("/s.img", 1 << 30, LAYOUT, True, (), True, "exfat", "vfat", "VTOYEFI")


def test_a_good_image_is_accepted():
    verdict = judge_image(IMAGE)
    assert verdict.ok
    assert "its partitions lie as Ventoy's do (GPT)" in verdict.reasons_for


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"layout": NoLayout(("it has no partition 2",))}, codes.NOT_VENTOY),
        ({"boot_label": "OTHER"}, codes.WRONG_BOOT_LABEL),
        ({"boot_label": None, "boot_fs_type": None}, codes.UNREAD_LABEL),
        ({"data_fs_type": ""}, codes.NO_FILESYSTEM),
        ({"ventoy_mark": False}, codes.NO_MARK),
        ({"writable": False}, codes.READ_ONLY),
        ({"attached": ("/dev/loop3",)}, codes.IMAGE_ATTACHED),
    ],
)
def test_anything_else_is_refused(changes, rule):
    verdict = judge_image(replace(IMAGE, **changes))
    assert [f.rule for f in verdict.reasons_against] == [rule]
    assert "/s.img" in verdict.reasons_against[0].message
