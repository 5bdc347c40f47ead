"""The fleet's ISO files: found, looked into, hashed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fleets import BASE, put_isos
from ventoy_kit.app.host import Host
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.gather.isos import digest_isos, inspect_isos


def fleet_with(path: str):
    text = BASE.read_text().replace("iso/debian-12.11.0-amd64-netinst.iso", path)
    fleet, _, _ = decode_fleet(text.encode(), "f")
    assert fleet is not None
    return fleet


def test_a_link_keeps_the_name_that_was_checked(tmp_path):
    """Whatever the file is called that it points to: that name was never checked."""
    put_isos(tmp_path)
    (tmp_path / "iso" / "debian.iso").symlink_to(tmp_path / "iso" / "debian with blanks.iso")
    fleet = fleet_with("iso/debian.iso")
    facts, report = inspect_isos(fleet, tmp_path, files=Host().files, reader=Host().isos)
    assert not list(report)
    isos = digest_isos(fleet, tmp_path, facts, lambda path: path.name)
    assert isos["debian"].path.name == isos["debian"].sha256 == "debian.iso"
    assert isos["debian"].facts.release == "12.11.0"


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("iso/none.iso", "VK-I02"),
        ("iso", "VK-I02"),
        ("/dev/null", "VK-I02"),
        ("~nobody-of-that-name/a.iso", "VK-I02"),
        ('"iso/a\\0.iso"', "VK-I02"),
        ("iso/" + "a" * 300 + ".iso", "VK-I02"),
        ("iso/web-page.iso", "VK-I01"),
        ("iso/empty.iso", "VK-I01"),
        ("iso/truncated.iso", "VK-I03"),
    ],
)
def test_what_is_no_iso_is_a_finding_and_the_others_are_read(path, rule, tmp_path):
    put_isos(tmp_path)
    fleet = fleet_with(path)
    facts, report = inspect_isos(fleet, tmp_path, files=Host().files, reader=Host().isos)
    assert [f.rule.code for f in report] == [rule]
    assert next(iter(report)).path == ("images", "debian", "path")
    assert set(facts) == {"proxmox-ve"}


def test_a_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put_isos(tmp_path)
    fleet = fleet_with("~/iso/debian-13.1.0-amd64-netinst.iso")
    facts, report = inspect_isos(fleet, Path("/nowhere"), files=Host().files, reader=Host().isos)
    assert facts["debian"].release == "13.1.0"
    assert [f.path for f in report] == [("images", "proxmox-ve", "path")]
