"""Data folders: the kit's, and the user's laid over them."""

from __future__ import annotations

from ventoy_kit.app.host import Host
from ventoy_kit.edge.files import read_tree
from ventoy_kit.gather.library import OVERRIDABLE, Tree, make_library

SHIPPED = {name: read_tree(Host().data / name) for name in (*OVERRIDABLE, "boot_overlay")}


def test_the_shipped_folders_have_no_findings():
    library, report = make_library(SHIPPED, {})
    assert not list(report)
    assert set(library.families) == {"proxmox", "debian"}
    assert {"generic-uefi", "dell-qcm1255"} <= set(library.profiles)
    assert {"repos", "ssh", "clean-boot"} <= set(library.hooks)
    assert {"hook.sh", "lib.sh", "codes.tsv"} <= set(library.boot)
    assert {"runner.sh", "library.sh", "unit.service"} <= set(library.runner)


def test_a_folder_takes_the_place_of_the_whole_shipped_one_with_a_note():
    own: dict[str, Tree] = {"answer_files": {"debian": {"ticket.cfg.j2": b"x"}}, "hooks": {"mine": {}}}
    library, report = make_library(SHIPPED, own)
    assert library.families["debian"] == {"ticket.cfg.j2": "x"}
    assert "base.toml" in library.families["proxmox"]
    assert [(f.rule.code, f.place and f.place.file) for f in report if f.severity == "note"] == [
        ("VK-G02", "answer_files/debian")
    ]


def test_a_file_in_the_root_takes_the_place_of_that_file_with_a_note():
    own = {"bios_profiles": {"": {"intel-nuc.yaml": b"title: Mine\n", "new.yaml": b"title: New\n"}}}
    library, report = make_library(SHIPPED, own)
    assert library.profiles["intel-nuc"].title == "Mine"
    assert library.profiles["new"].title == "New"
    assert [(f.rule.code, f.place and f.place.file) for f in report] == [
        ("VK-G02", "bios_profiles/intel-nuc.yaml")
    ]


def test_nothing_of_the_user_replaces_runner_or_boot_overlay():
    own = {"hooks": {"_runner": {"runner.sh": b"evil"}}, "answer_files": {"_x": {"a": b""}}}
    library, _ = make_library(SHIPPED, own)
    assert library.runner["runner.sh"] == SHIPPED["hooks"]["_runner"]["runner.sh"].decode()
    assert "_x" not in library.families
    assert "boot_overlay" not in OVERRIDABLE
