"""`checklist` and `blueprint`, whole, through the command line: forms, files, evidence, armed sheets."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.app.workspaces import as_nobody

HARDWARE = Path(__file__).parent.parent / "cli" / "hardware.json"
FACTS = {
    "format": 1,
    "firmware": {
        "root": True,
        "uefi": True,
        "dmi": {"product_serial": "ABC1234", "product_name": "Some PC"},
        "efi_variables": {"SecureBoot": "0600000001", "SetupMode": "0600000000"},
    },
}


def record(fleet: Path, facts: object, node: str = "node1") -> None:
    (fleet / "hardware").mkdir(exist_ok=True)
    (fleet / "hardware" / f"{node}.json").write_text(facts if isinstance(facts, str) else json.dumps(facts))


class TestForms:
    @pytest.mark.parametrize(
        ("name", "begins"),
        [("a.txt", b"Checklist for node1"), ("a.md", b"# Checklist"), ("a.html", b"<!DOCTYPE html>")],
    )
    def test_the_ending_says_what_it_becomes(self, fleet, cli, name, begins):
        ran = cli.json("checklist", "--output", name)
        assert ran.result["files"] == [name]
        data = (fleet / name).read_bytes()
        assert data.startswith(begins)
        assert b"lock none" in data

    def test_pdf(self, fleet, cli):
        pytest.importorskip("weasyprint")
        assert cli("checklist", "-o", "a.pdf", "--paper", "letter").code == 0
        assert (fleet / "a.pdf").read_bytes().startswith(b"%PDF-")

    def test_pdf_without_the_extra_is_a_finding_with_the_command(self, fleet, cli, monkeypatch):
        monkeypatch.setitem(sys.modules, "weasyprint", None)
        ran = cli("checklist", "-o", "a.pdf")
        assert (ran.code, ran.out) == (1, "")
        assert "VK-U08" in ran.err
        assert "pip install 'ventoy-kit[pdf]'" in ran.err
        assert not (fleet / "a.pdf").exists()

    def test_a_folder_gets_a_file_per_node(self, fleet, cli):
        assert cli("checklist", "-o", "sheets/", "--format", "html").code == 0
        assert [p.name for p in (fleet / "sheets").iterdir()] == ["node1.html"]
        before = (fleet / "sheets/node1.html").read_bytes()
        assert cli("checklist", "-o", "sheets", "--format", "html").code == 0
        assert (fleet / "sheets/node1.html").read_bytes() == before
        assert list(fleet.rglob(".vk-*")) == []

    @pytest.mark.parametrize(
        "args",
        [
            ["checklist", "-o", "no/such/a.html"],
            ["checklist", "-o", "no/such/", "--format", "html"],
            ["blueprint", "-o", "no/a.svg"],
            ["blueprint", "-o", "fleet.yaml/a.svg"],
        ],
    )
    def test_a_mistyped_path_makes_no_folders(self, fleet, cli, args):
        ran = cli.json(*args)
        assert (ran.code, ran.rules) == (1, ["VK-U10"])
        assert not (fleet / "no").exists()

    @pytest.mark.parametrize("command", ["checklist", "blueprint"])
    def test_no_other_file_is_ever_overwritten(self, fleet, cli, command):
        before = (fleet / "fleet.yaml").read_bytes()
        ran = cli(command, "-o", "fleet.yaml", "--format", "html")
        assert ran.code == 1
        assert "VK-U07" in ran.err
        assert "fleet.html" in ran.err
        assert (fleet / "fleet.yaml").read_bytes() == before

    @pytest.mark.parametrize(
        "args",
        [
            ["checklist", "--format", "pdf"],
            ["checklist", "-o", "a.svg"],
            ["checklist", "--format", "svg"],
            ["blueprint", "-o", "a.pdf"],
            ["blueprint", "--paper", "a5"],
        ],
    )
    def test_wrong_usage_is_2(self, fleet, cli, args):
        assert cli(*args).code == 2

    @pytest.mark.needs_root
    @pytest.mark.parametrize("args", [["checklist", "-o", "a.html"], ["blueprint", "-o", "a.svg"]])
    def test_a_folder_that_cannot_be_written_is_a_finding(self, fleet, args):
        ran, written = as_nobody(fleet, args)
        assert (ran.code, ran.rules) == (1, ["VK-U04"]), ran.err + ran.out
        assert written == []

    def test_machines_get_items_with_marks(self, fleet, cli):
        sheet = cli.json("checklist").result["sheets"]["node1"]
        (doomed,) = (s for s in sheet["sections"] if s["title"] == "Disks that will be WIPED")
        assert doomed["items"] == [
            {"text": "disk0, serial S5GXNX0T100001, 1 TB", "mark": "open", "evidence": ""}
        ]

    def test_the_lock_has_an_id(self, fleet, cli):
        (fleet / "fleet.lock").write_text("version = 1\n")
        out = cli("checklist").out
        assert re.search(r"- lock [0-9a-f]{8}$", out.rstrip())


class TestEvidence:
    def test_recorded_firmware_is_judged(self, fleet, cli):
        record(fleet, FACTS)
        out = cli("checklist").out
        assert "[x] Serial number (service tag) on the label: ABC1234" in out
        assert "WRONG: EFI variable SecureBoot: 1: Secure Boot is on" in " ".join(out.split())
        assert "[?] " in out

    def test_a_record_of_another_machine_is_not_used(self, fleet, cli):
        firmware = {**FACTS["firmware"], "dmi": {"product_serial": "OTHER12"}}  # type: ignore[dict-item]
        record(fleet, {**FACTS, "firmware": firmware})
        out = cli("checklist").out
        assert "[!] Serial number" in out
        assert "Secure Boot is on" not in out

    def test_a_damaged_record_is_a_finding_and_one_of_something_else_is_not(self, fleet, cli):
        record(fleet, "{")
        ran = cli("checklist")
        assert (ran.code, ran.out) == (1, "")
        assert "VK-Q01" in ran.err
        record(fleet, {"disks": {}, "nics": {}})
        assert cli("checklist").code == 0

    def test_recorded_disks_and_interfaces_tick_their_boxes(self, fleet, cli):
        recorded = json.loads(HARDWARE.read_text())
        disk = recorded["hardware"]["disks"][0]
        disk["holds"] = ["nvme0n1p1: partition, ext4 `films`"]
        record(fleet, recorded)
        out = " ".join(cli("checklist").out.split())
        assert "[x] disk0, serial S5GXNX0T100001" in out
        assert "On it when it was recorded: nvme0n1p1: partition, ext4 `films`" in out
        assert "[x] Serial number (service tag) on the label: ABC1234" in out
        assert "[x] Cable in" in out
        disk["holds"] = ["unknown"]
        record(fleet, recorded)
        assert "On it when it was recorded" not in cli("checklist").out

    def test_what_lies_on_the_stick_does_not_depend_on_it(self, fleet, cli):
        cli("build")
        before = sorted(p.name for p in (fleet / "build/ventoy").rglob("*"))
        record(fleet, FACTS)
        cli("build")
        assert sorted(p.name for p in (fleet / "build/ventoy").rglob("*")) == before


class TestArmed:
    def test_the_code_is_that_of_the_last_arming(self, built, cli, tmp_path):
        stick = tmp_path / "stick"
        stick.mkdir()
        assert cli("stage", stick, "--yes", "-q").code == 0
        assert "_ _ _ _" in cli("checklist", "--armed").out
        code = cli.json("reimage", "node1", stick, "--yes", "node1").result["arming"]["code"]
        out = cli("checklist", "--armed").out
        assert f"The code is {code}, of the arming that is good until " in " ".join(out.split())
        assert code not in cli("checklist").out.split("lock")[0]

    def test_an_unreadable_memory_is_none(self, fleet, cli):
        (fleet / ".ventoy-kit").mkdir(exist_ok=True)
        (fleet / ".ventoy-kit/armings.json").write_text('{"last": "x", "arming": "{}"}')
        assert "_ _ _ _" in cli("checklist", "--armed").out


class TestBlueprint:
    def test_it_needs_no_image(self, fleet, cli):
        for iso in (fleet / "iso").iterdir():
            iso.unlink()
        for form, begins in (("text", "MY CLUSTER"), ("svg", "<svg "), ("html", "<!DOCTYPE html>")):
            ran = cli("blueprint", "--format", form)
            assert ran.code == 0
            assert ran.out.startswith(begins)
            assert "node1" in ran.out

    def test_tables_for_machines(self, fleet, cli):
        result = cli.json("blueprint").result
        assert result["nodes"]["node1"]["name"][0] == "node1"
        (lost,) = (t for t in result["tables"] if t["title"] == "If one node is lost")
        assert [row[0] for row in lost["rows"]] == ["node1"]

    def test_the_terminal_s_width_counts(self, fleet, cli, monkeypatch):
        for width in ("80", "120"):
            monkeypatch.setenv("COLUMNS", width)
            lines = cli("blueprint").out.splitlines()
            assert max(map(len, lines)) == int(width)

    def test_a_wrong_file_is_not_drawn(self, fleet, cli):
        text = (fleet / "fleet.yaml").read_text()
        (fleet / "fleet.yaml").write_text(text.replace("lan0", "lan1", 1))
        ran = cli("blueprint")
        assert (ran.code, ran.out) == (1, "")
