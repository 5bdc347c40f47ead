"""What Ventoy would cut off or misread is refused before a byte is written."""

import pytest

from tests.stick.staging import make_wanted, plan_of
from tests.support.fakes import MemoryStick
from ventoy_kit.payload.model import Entry, Manifest
from ventoy_kit.stick import config_codes as codes
from ventoy_kit.stick.ventoy_limits import REPLACED_BYTES, limit_findings


def test_a_common_build_keeps_to_them():
    manifest = make_wanted({"a.iso": b"one"}, ("n1",)).manifest
    assert list(limit_findings(manifest.config, manifest.entries)) == []


@pytest.mark.parametrize(
    ("plugin", "entry", "said"),
    [
        ("menu_alias", {"image": "/iso/a.iso", "alias": 'say "hi"'}, "holds"),
        ("menu_alias", {"image": "/iso/a.iso", "alias": "costs $5"}, "holds '$'"),
        ("menu_alias", {"image": "/iso/a.iso", "alias": "\u00e9" * 128}, "has 256 bytes, more than 255"),
        ("menu_tip", {"image": "/iso/a.iso", "tip1": "back\\slash"}, "holds"),
        ("menu_tip", {"image": "/iso/a.iso", "tip2": "x" * 1000}, "has 1000 bytes, more than 999"),
        ("menu_tip", {"image": "/iso/a.iso", "tip": "two\nlines"}, "holds"),
        ("injection", {"image": "/iso/a.iso", "archive": "/" + "x" * 240}, "has 241 bytes"),
        ("injection", {"image": "/iso/*.iso", "archive": "/x"}, "no plain path"),
        ("auto_install", {"image": "/iso/a.iso", "template": ["/a", "/b/../c"]}, "no plain path"),
        ("conf_replace", {"iso": "/iso/a.iso", "org": "/a", "new": "/ventoy/big"}, "more than 1 MiB"),
    ],
)
def test_what_is_beyond_them_is_a_finding(plugin, entry, said):
    big = Entry("ventoy/big", REPLACED_BYTES + 1, "0" * 64, "x")
    (finding,) = limit_findings({plugin: [entry]}, (big,))
    assert finding.rule is codes.LIMIT
    assert said in finding.message


def test_then_nothing_is_planned():
    wanted = make_wanted({"a.iso": b"one"}, ()).manifest
    config = {**wanted.config, "menu_alias": [{"image": "/iso/a.iso", "alias": '"'}]}
    bad = Manifest(wanted.fleet, wanted.generation, wanted.entries, config)
    plan, _, report = plan_of(MemoryStick(), type(make_wanted({}, ()))(bad, {}))
    assert plan is None
    assert [f.rule for f in report] == [codes.LIMIT]
