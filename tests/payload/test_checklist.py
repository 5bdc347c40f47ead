"""The sheets for the rack say what a person needs there; what a machine has recorded is ticked or crossed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.support.fleets import BASE, READY_HASH, library, plan_of
from ventoy_kit.hardware.firmware import FirmwareFacts
from ventoy_kit.payload.checklist import booklet_of, sheet_of, staged_checklists
from ventoy_kit.payload.evidence import Evidence, SeenDisk
from ventoy_kit.payload.screen_items import CODES_TITLE, ArmingNote
from ventoy_kit.plan.model import DiskPlan
from ventoy_kit.sheets.model import Item, Mark, Section, Sheet
from ventoy_kit.sheets.text import as_text

ALLIANCE = BASE.parents[2] / "examples" / "alliance" / "fleet.yaml"
STEPS = ("At the machine", "At the machine, with an armed stick")


def sheets(text: str = BASE.read_text()):
    plan = plan_of(text.encode())
    return {
        n.name: {k: v.decode() for k, v in staged_checklists(plan, n, library())[1].items()}
        for n in plan.nodes
    }


def sheet(name: str, text: str = BASE.read_text(), **more) -> Sheet:
    plan = plan_of(text.encode())
    (node,) = (n for n in plan.nodes if n.name == name)
    return sheet_of(plan, node, library(), **more)


def section(of: Sheet, title: str) -> Section:
    (found,) = (s for s in of.sections if s.title == title)
    return found


def item(of: Section, part: str) -> Item:
    (found,) = (i for i in of.items if part in i.text)
    return found


def test_a_sheet_names_the_doomed_disk_the_machine_and_the_way_back_in():
    alpha = sheets()["alpha"]["txt"]
    doomed = alpha.split("Disks that will be WIPED")[1].split("Disks that stay")[0]
    assert "S7ALPHA0001" in doomed
    assert "1 TB" in doomed
    assert "ALPHA01" in alpha
    assert "d8:43:ae:00:0a:01" in alpha
    assert "ssh root@10.0.0.11" in alpha
    assert "BETA" not in alpha
    assert "S7BETA" not in alpha


def test_a_disk_to_keep_is_never_among_the_doomed():
    text = BASE.read_text().replace(
        "      disk0: {use: system, serial: S7ALPHA0001, size: 1 TB}\n",
        "      disk0: {use: system, serial: S7ALPHA0001, size: 1 TB}\n      old: {use: keep, serial: KEEPME01}\n"
        "      pool0: {use: data, wwn: naa.5000c500a1b2c3d4, pool: tank}\n",
    )
    found = sheet("alpha", text)
    doomed, kept = section(found, "Disks that will be WIPED"), section(found, "Disks that stay")
    assert doomed.danger
    assert [i.text for i in doomed.items] == ["disk0, serial S7ALPHA0001, 1 TB"]
    assert [i.text for i in kept.items] == [
        "old, serial KEEPME01 (keep)",
        "pool0, WWN naa.5000c500a1b2c3d4 (data, pool tank)",
    ]


def test_every_code_that_the_machine_can_show_is_explained():
    codes = re.findall(r"^(VK-B\d\d)\t", library().boot["codes.tsv"], re.MULTILINE)
    assert len(codes) > 20
    for found in sheets().values():
        for text in found.values():
            assert CODES_TITLE in text
            assert all(f"{code}:" in text for code in codes)


def test_lines_fit_a_page_and_no_secret_is_on_it():
    for found in sheets().values():
        assert max(len(line) for line in found["txt"].splitlines()) <= 78
        assert READY_HASH not in "".join(found.values())


def test_the_end_fits_what_the_installer_does():
    text = BASE.read_text().replace(
        "{filesystem: ext4}\n    network: {nic: lan0, address: 10.0.0.11",
        "{filesystem: ext4, reboot_mode: power-off}\n    network: {nic: lan0, address: 10.0.0.11",
    )
    off, on = sheets(text)["alpha"]["txt"], sheets()["alpha"]["txt"]
    assert "switches itself off" in off
    assert "then switch the machine on" in off
    assert "restarts by itself" in on


def test_the_issue_s_list_is_on_every_sheet():
    wanted = {
        "The machine", "Disks that will be WIPED", "Disks that stay", "While this node is down", "Backups to confirm",
        "Cables and network", "Firmware settings", "How long it takes", "Success", "How to stop",
    }  # fmt: skip
    plan = plan_of(ALLIANCE.read_bytes())
    for node in plan.nodes:
        for armed in (False, True):
            titles = [s.title for s in sheet_of(plan, node, library(), armed=armed).sections]
            assert wanted <= set(titles)
            assert [t for t in STEPS if t in titles] == [STEPS[armed]]
            assert len(titles) == len(set(titles))


def test_what_stops_and_whether_quorum_holds():
    down = section(sheet("falcon", ALLIANCE.read_text()), "While this node is down")
    assert "ollama, openwebui, comfyui, anythingllm" in item(down, "Stops here").text
    assert item(down, "without").text == "The fleet is without: inference"
    quorum = item(down, "Quorum holds: 2 of 3 votes")
    assert (quorum.mark, quorum.judged) == (
        Mark.RIGHT,
        "Checked: by the fleet file, if the other nodes are up",
    )
    assert item(down, "pvecm delnode falcon").mark is Mark.OPEN
    data = section(sheet("corvette", ALLIANCE.read_text()), "While this node is down")
    against = item(data, "Against a re-image now")
    assert against.mark is Mark.WRONG
    assert against.judged.startswith("WRONG: ")


def test_a_cluster_without_a_spare_vote_crosses_the_quorum():
    text = re.sub(r"  gozanti:\n.*", "", ALLIANCE.read_text(), flags=re.DOTALL)
    text = re.sub(r"waivers:\n.*?\nnodes:", "nodes:", text, flags=re.DOTALL)
    text = text.replace("expected_votes: 3", "expected_votes: 2").replace(
        "observes: [falcon, corvette, gozanti]", "observes: [falcon]"
    )
    down = section(sheet("falcon", text), "While this node is down")
    assert item(down, "Quorum is lost: 1 of 2 votes").mark is Mark.WRONG


def test_what_must_be_saved_is_named_with_its_keeper():
    text = ALLIANCE.read_text().replace(
        "grafana: {title: Grafana, stateful: true,",
        "grafana: {title: Grafana, stateful: true, backed_up_by: wazuh,",
    )
    saved = section(sheet("corvette", text), "Backups to confirm")
    assert item(saved, "data/grafana").text.endswith("is saved; wazuh keeps copies: look at the last one")
    assert item(saved, "data/influxdb").text.endswith("is saved; name where its copy is")
    assert item(saved, "Made anew").mark is Mark.FACT


def test_a_guest_s_keeper_counts_for_its_services():
    text = ALLIANCE.read_text().replace(
        "      data:\n        kind: container\n",
        "      data:\n        kind: container\n        backed_up_by: wazuh\n",
    )
    saved = section(sheet("corvette", text), "Backups to confirm")
    assert "wazuh keeps copies" in item(saved, "data (container)").text
    assert "wazuh keeps copies" in item(saved, "data/influxdb").text
    assert "wazuh" not in item(saved, "identity (container)").text


class TestArmed:
    def test_the_code_of_the_countdown(self):
        steps = section(
            sheet("alpha", armed=True, arming=ArmingNote("7F3A", "until 2026-12-01 10:00 UTC")), STEPS[1]
        )
        assert item(steps, "7F3A").text == (
            "The code is 7F3A, of the arming that is good until 2026-12-01 10:00 UTC."
        )

    def test_without_the_code_there_is_room_to_write_it(self):
        code = item(section(sheet("alpha", armed=True), STEPS[1]), "reimage` printed")
        assert code.text.endswith(": _ _ _ _")


FACTS = FirmwareFacts.model_validate(
    {
        "root": True,
        "uefi": True,
        "dmi": {"product_name": "Some PC"},
        "efi_variables": {"SecureBoot": "0600000001", "SetupMode": "0600000000"},
    }
)
EVIDENCE = Evidence(
    source="hardware/alpha.json",
    serial="ALPHA01",
    firmware=FACTS,
    disks=(
        SeenDisk("nvme0n1", "S7ALPHA0001", None, "Fast One", 1_000_000_000_000, ("partition 1: ext4",)),
        SeenDisk("sda", "OTHER", None, "Old One", 2_000_000_000_000, ()),
    ),
    macs=frozenset({"d8:43:ae:00:0a:01"}),
)


class TestEvidence:
    def test_right_things_are_ticked_with_what_was_seen(self):
        found = sheet("alpha", evidence=EVIDENCE)
        serial = item(section(found, "The machine"), "ALPHA01")
        assert serial.mark is Mark.RIGHT
        disk = item(section(found, "Disks that will be WIPED"), "S7ALPHA0001")
        assert disk.mark is Mark.RIGHT
        assert disk.evidence == (
            "/dev/nvme0n1, Fast One, 1 TB, serial S7ALPHA0001. On it when it was recorded: partition 1: ext4 "
            "(hardware/alpha.json)"
        )
        assert item(section(found, "Cables and network"), "d8:43:ae:00:0a:01").mark is Mark.RIGHT
        assert found.is_judged

    def test_firmware_is_judged_as_bios_check_does(self):
        settings = section(sheet("alpha", evidence=EVIDENCE), "Firmware settings")
        secure = item(settings, "Secure Boot")
        assert secure.mark is Mark.WRONG
        assert "Secure Boot is on" in secure.judged
        marks = {i.mark for i in settings.items}
        assert {Mark.RIGHT, Mark.WRONG, Mark.UNSEEN} <= marks

    def test_a_disk_that_nobody_declared_is_told_and_stays(self):
        other = item(section(sheet("alpha", evidence=EVIDENCE), "Disks that stay"), "/dev/sda")
        assert other == Item(
            "/dev/sda, Old One, 2 TB, serial OTHER: not declared, so it is not touched", Mark.FACT
        )

    def test_a_missing_disk_and_a_doubled_one_and_one_of_another_size_are_crossed(self):
        one = EVIDENCE.disks[0] if EVIDENCE.disks else SeenDisk("x")
        for disks, said in (
            ((), "holds no such disk"),
            ((one, replace(one, name="nvme1n1")), "holds 2 disks that report this"),
            ((replace(one, size=500_000_000_000),), "which is another size"),
        ):
            found = sheet("alpha", evidence=replace(EVIDENCE, disks=disks))
            disk = item(section(found, "Disks that will be WIPED"), "S7ALPHA0001")
            assert disk.mark is Mark.WRONG
            assert said in disk.evidence

    def test_what_is_on_a_disk_is_not_guessed(self):
        one = EVIDENCE.disks[0] if EVIDENCE.disks else SeenDisk("x")
        for holds, said in ((None, "was not recorded"), ((), "It was blank")):
            found = sheet("alpha", evidence=replace(EVIDENCE, disks=(replace(one, holds=holds),)))
            assert said in item(section(found, "Disks that will be WIPED"), "S7ALPHA0001").evidence

    def test_facts_of_another_machine_are_told_and_not_used(self):
        found = sheet("alpha", evidence=replace(EVIDENCE, serial="BETA02"))
        serial = item(section(found, "The machine"), "ALPHA01")
        assert serial.mark is Mark.WRONG
        assert "BETA02" in serial.evidence
        for title in (
            "Disks that will be WIPED",
            "Disks that stay",
            "Cables and network",
            "Firmware settings",
        ):
            assert {i.mark for i in section(found, title).items} <= {Mark.OPEN, Mark.FACT}

    def test_a_nic_that_is_not_there_is_crossed(self):
        found = sheet("alpha", evidence=replace(EVIDENCE, macs=frozenset()))
        assert item(section(found, "Cables and network"), "d8:43:ae:00:0a:01").mark is Mark.WRONG

    def test_what_was_not_recorded_stays_open(self):
        bare = sheet("alpha", evidence=Evidence("hardware/alpha.json"))
        assert [s for s in bare.sections if s.title != "While this node is down"] == [
            s for s in sheet("alpha").sections if s.title != "While this node is down"
        ]


@pytest.mark.parametrize(
    ("serial", "wwn", "fits"),
    [
        ("S7", None, True),
        ("s-7", None, True),
        ("S8", None, False),
        ("S7", "naa.5000c500a1b2c3d4", True),
        ("S7", "0x5000C500A1B2C3D4", True),
        ("S7", "naa.5000c500a1b2c3d5", False),
        (None, "5000c500a1b2c3d4", True),
        (None, None, False),
    ],
)
def test_a_disk_fits_by_all_that_is_declared(serial, wwn, fits):
    seen = SeenDisk("sda", "S7", "naa.5000c500a1b2c3d4")
    assert seen.fits(DiskPlan("d", "system", serial, wwn, None, None, None)) == fits
    assert not SeenDisk("sda").fits(DiskPlan("d", "system", serial, wwn, None, None, None))


def test_codes_stand_once_behind_all_sheets():
    plan = plan_of(BASE.read_bytes())
    all_of = tuple(sheet_of(plan, n, library()) for n in plan.nodes)
    text = as_text(booklet_of("All", all_of, library(), ("foot",)))
    assert text.count(CODES_TITLE) == 1
    assert text.count("\f") == len(all_of) - 1
    assert text.split("\f")[-1].rstrip().endswith("foot")


def test_an_armed_sheet_says_when_the_stick_must_be_out():
    plan = plan_of(BASE.read_text().encode())
    for node in plan.nodes:
        armed = as_text(booklet_of("x", (sheet_of(plan, node, library(), armed=True),), library(), ()))
        text = " ".join(armed.split())
        assert "Unplug the stick after the first restart." in text
        assert "at the next restart it switches the machine off" in text
        toolbox = as_text(booklet_of("x", (sheet_of(plan, node, library()),), library(), ()))
        assert "Unplug the stick after" not in toolbox
