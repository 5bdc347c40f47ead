"""The sheets for the rack say what a person needs there, in both forms the same."""

from __future__ import annotations

import re

from tests.support.fleets import BASE, READY_HASH, library, plan_of
from ventoy_kit.payload.checklist import render_armed_checklist, render_checklist


def sheets(text: str = BASE.read_text()):
    plan = plan_of(text.encode())
    return {
        n.name: {k: v.decode() for k, v in render_checklist(plan, n, library()).items()} for n in plan.nodes
    }


def words(text: str) -> list[str]:
    return re.sub(r"[#=-]+|\[ \]", " ", text).split()


def test_both_forms_say_the_same():
    for sheet in sheets().values():
        assert words(sheet["txt"]) == words(sheet["md"])


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
    doomed, kept = sheets(text)["alpha"]["txt"].split("Disks that stay")
    assert "KEEPME01" not in doomed
    assert "5000c500a1b2c3d4" not in doomed
    assert "KEEPME01 (keep)" in kept
    assert "naa.5000c500a1b2c3d4 (data)" in kept


def test_every_code_that_the_machine_can_show_is_explained():
    codes = re.findall(r"^(VK-B\d\d)\t", library().boot["codes.tsv"], re.MULTILINE)
    assert len(codes) > 20
    for sheet in sheets().values():
        assert all(f"{code}:" in sheet["txt"] for code in codes)


def test_lines_fit_a_page_and_no_secret_is_on_it():
    for sheet in sheets().values():
        assert max(len(line) for line in sheet["txt"].splitlines()) <= 78
        assert READY_HASH not in sheet["txt"] + sheet["md"]


def test_the_end_fits_what_the_installer_does():
    text = BASE.read_text().replace(
        "{filesystem: ext4}\n    network: {nic: lan0, address: 10.0.0.11",
        "{filesystem: ext4, reboot_mode: power-off}\n    network: {nic: lan0, address: 10.0.0.11",
    )
    off, on = sheets(text)["alpha"]["txt"], sheets()["alpha"]["txt"]
    assert "switches itself off" in off
    assert "then switch the machine on" in off
    assert "restarts by itself" in on


def test_an_armed_sheet_says_when_the_stick_must_be_out():
    plan = plan_of(BASE.read_text().encode())
    for node in plan.nodes:
        text = " ".join(render_armed_checklist(plan, node, library()).decode().split())
        assert "Unplug the stick after the first restart." in text
        assert "at the next restart it switches the machine off" in text
        assert "Unplug" not in sheets()[node.name]["txt"]
