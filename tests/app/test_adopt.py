"""`adopt` as a user types it: the plan, the question, what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import Cli, as_nobody, tree
from ventoy_kit.edge import files
from ventoy_kit.errors import StorageError


def facts(serial: str = "GAMMA03", mac: str = "d8:43:ae:00:0c:01", **more: Any) -> str:
    disk = {"name": "nvme0n1", "size": 2000398934016, "model": "Samsung", "serial": f"S7{serial}"}
    stick = {"name": "sda", "size": 1, "removable": True, "transport": "usb", "serial": "ST1"}
    nic = {"name": "eno1", "mac": mac, "permanent_mac": mac}
    hardware = {"root": True, "dmi": {"product_serial": serial}, "disks": [disk, stick], "nics": [nic]}
    return json.dumps({"format": 1, "hardware": hardware | more})


@pytest.fixture
def gamma(fleet: Path) -> Path:
    """Recorded facts of a machine that is not in the fleet."""
    file = fleet / "hardware/gamma.json"
    file.parent.mkdir()
    file.write_text(facts())
    return Path("hardware/gamma.json")


def test_the_plan_is_shown_and_written_once(fleet, cli: Cli, gamma):
    before = tree(fleet)
    old = (fleet / "fleet.yaml").read_text()
    plan = cli.json("adopt", gamma, "--dry-run")
    assert tree(fleet) == before
    assert [f["rule"] for f in plan.envelope["findings"]] == ["VK-Q19"]
    assert plan.result["nodes"]["gamma"]["new"] is True
    assert (
        "+      nvme0n1: {use: keep, serial: S7GAMMA03, model: Samsung, size: 2 TB}\n" in plan.result["diff"]
    )
    assert plan.result["diff"] in cli("adopt", gamma, "-n").out
    done = cli("adopt", gamma, "--yes")
    assert done.code == 0
    assert "use: system" in done.err + done.out
    assert (fleet / "fleet.yaml").read_text().startswith(old)
    after = tree(fleet)
    assert cli.json("adopt", gamma).result["diff"] == ""  # nothing to ask
    assert tree(fleet) == after
    check = cli.json("check")
    assert check.rules == ["VK-D03"]  # says to choose
    assert "system" in next(f["remedy"] for f in check.envelope["findings"] if f["rule"] == "VK-D03")


def test_nobody_can_be_asked(fleet, cli, gamma):
    before = tree(fleet)
    assert cli.json("adopt", gamma).rules[-1] == "VK-U05"
    assert tree(fleet) == before


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 1)])
def test_a_person_is_asked(fleet, cli, gamma, monkeypatch, answer, code):
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        return bool(answer)

    monkeypatch.setattr("click.confirm", confirm)
    before = tree(fleet)
    assert cli("adopt", gamma).code == code
    assert asked == ["Write this into fleet.yaml?"]
    assert (tree(fleet) == before) is not answer


def test_facts_from_elsewhere_are_kept_beside_the_fleet_file(fleet, cli, tmp_path):
    (tmp_path / "usb.json").write_text(facts(hostname="gamma"))
    plan = cli.json("adopt", tmp_path / "usb.json", "-n").result
    assert plan["facts"] == ["hardware/gamma.json"]
    assert not (fleet / "hardware").exists()
    assert cli("adopt", tmp_path / "usb.json", "--yes").code == 0
    assert (fleet / "hardware/gamma.json").read_text() == (tmp_path / "usb.json").read_text()
    after = tree(fleet)
    assert cli("adopt", tmp_path / "usb.json", "--yes").code == 0
    assert tree(fleet) == after


def test_the_files_mode_mark_and_line_ends_stay(fleet, cli, gamma):
    file = fleet / "fleet.yaml"
    old = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(old)
    file.chmod(0o600)
    real = fleet / "real.yaml"
    file.rename(real)
    file.symlink_to("real.yaml")
    assert cli("adopt", gamma, "--yes").code == 0
    assert file.is_symlink()
    new = real.read_bytes()
    assert new.startswith(old)
    assert b"\n" not in new.replace(b"\r\n", b"")
    assert real.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("x.json", "{}", "VK-Q01"),
        ("absent.json", None, "VK-Q01"),
        ("hardware/Bad_Name.json", facts(), "VK-Q17"),
        ("x.json", facts(hostname="localhost"), "VK-Q17"),
        ("hardware/node1.json", facts(), "VK-Q04"),
        ("hardware/gamma.json", facts(nics=[]), "VK-Q20"),
    ],
)
def test_what_cannot_be_adopted_is_1_and_nothing_is_written(fleet, cli, name, text, rule):
    if text is not None:
        (fleet / name).parent.mkdir(exist_ok=True)
        (fleet / name).write_text(text)
    before = tree(fleet)
    ran = cli.json("adopt", name, "--yes")
    assert (ran.code, rule in ran.rules) == (1, True)
    assert tree(fleet) == before


def test_two_files_of_one_machine_are_refused(fleet, cli, gamma):
    (fleet / "again.json").write_text(facts(hostname="gamma"))
    assert cli.json("adopt", gamma, gamma, "-n").code == 0
    assert "VK-Q18" in cli.json("adopt", gamma, "again.json", "--yes").rules


def test_a_file_that_cannot_be_edited_alone_stays(fleet, cli):
    file = fleet / "fleet.yaml"
    text = file.read_text()
    anchored = text.replace("    disks:\n", "    disks: &d\n", 1)
    twin = (
        "  twin:\n    title: Twin\n    model: generic-uefi\n    identity: {serial: TWIN001}\n"
        '    hardware: {nics: {lan0: {mac: "a8:a1:59:00:00:99"}}}\n    disks: *d\n'
        "    install: {filesystem: ext4}\n    network: {nic: lan0, address: 192.168.1.99/24}\n"
    )
    file.write_text(anchored.rstrip() + "\n" + twin)
    (fleet / "twin.json").write_text(facts("TWIN001", "a8:a1:59:00:00:99"))
    before = tree(fleet)
    ran = cli.json("adopt", "twin.json", "--yes")
    assert "VK-Q21" in ran.rules
    assert tree(fleet) == before


@pytest.mark.parametrize("text", ["", "nodes: [", "version: 1\n"])
def test_a_broken_fleet_file_is_refused(fleet, cli, gamma, text):
    (fleet / "fleet.yaml").write_text(text)
    assert cli.json("adopt", gamma, "--yes").code == 1
    assert (fleet / "fleet.yaml").read_text() == text


def test_no_space_is_3_and_the_file_stays(fleet, cli, gamma, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise StorageError("no space")

    before = tree(fleet)
    monkeypatch.setattr("ventoy_kit.app.adopt.write_atomic", full)
    assert cli("adopt", gamma, "--yes").code == 3
    assert tree(fleet) == before
    assert files.exists(fleet / "fleet.yaml")


@pytest.mark.needs_root
def test_a_folder_that_may_not_be_written_to_is_said(fleet, cli, gamma):
    ran, written = as_nobody(fleet, ["adopt", str(gamma), "--yes"])
    assert (ran.code, ran.rules[-1:], written) == (1, ["VK-U04"], [])


@pytest.mark.parametrize("args", [[], ["--fleet"], ["x", "--frobnicate"]])
def test_wrong_usage_is_2(fleet, cli, args):
    assert cli("adopt", *args).code == 2
