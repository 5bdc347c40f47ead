"""`check`, `build` and `checklist`, whole, through the command line."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.app.workspaces import HASH, ISO, as_nobody, command, contents, environment, tree
from ventoy_kit.app.build import render
from ventoy_kit.app.host import Host
from ventoy_kit.app.rulebook import RULES
from ventoy_kit.app.workspace import load_workspace
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.errors import StorageError


def steps(result) -> list[tuple[str, str, int, str]]:
    return [(s["action"], s["path"], s["size"], s["sha256"]) for s in result["steps"]]


class TestBuild:
    def test_a_dry_run_writes_nothing_and_shows_what_the_build_then_does(self, fleet, cli):
        before = tree(fleet)
        dry = cli.json("build", "--dry-run").result
        assert tree(fleet) == before
        real = cli.json("build").result
        assert steps(dry) == steps(real)
        assert dry == real
        assert contents(fleet / "build").keys() == {*(s["path"] for s in real["steps"]), "payload.json"}

    def test_a_dry_run_after_a_change_shows_what_the_build_then_does(self, built, cli):
        file = built / "fleet.yaml"
        file.write_text(file.read_text().replace("First node", "Another title"))
        before = tree(built)
        dry = cli.json("build", "--dry-run").result
        assert tree(built) == before
        assert {s["action"] for s in dry["steps"]} == {"write", "replace", "remove"}
        assert cli.json("build").result == dry

    def test_a_clear_password_is_hashed_once_and_the_second_build_writes_nothing(
        self, fleet, cli, monkeypatch
    ):
        monkeypatch.setenv("ROOT_PASSWORD", "correct horse battery")
        first = cli.json("build").result
        before = tree(fleet)
        second = cli.json("build").result
        assert second["generation"] == first["generation"]
        assert second["steps"] == []
        assert tree(fleet) == before
        text = b"".join(data for path, data in contents(fleet).items() if not path.startswith("iso/"))
        assert b"correct horse" not in text

    def test_nobody_else_can_read_what_was_built(self, built):
        for folder in (built / "build", built / ".ventoy-kit"):
            assert folder.is_dir()
            for path in (folder, *folder.rglob("*")):
                assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path

    def test_the_password_hash_is_in_the_archive_alone(self, built):
        for path, data in contents(built / "build").items():
            assert HASH.encode() not in data, path

    def test_the_index_names_isos_and_the_manifest(self, built):
        index = json.loads((built / "build/payload.json").read_bytes())
        assert index["isos"] == {ISO: str(built / ISO)}
        assert index["stand_ins"] == [ISO]
        paths = [e["path"] for e in index["manifest"]["files"]]
        assert paths == sorted(paths)
        assert ISO in paths
        assert not (built / "build" / ISO).exists()

    def test_a_node_that_is_gone_leaves_nothing_in_the_build(self, built, cli):
        file = built / "fleet.yaml"
        file.write_text(file.read_text().replace("node1:", "other1:"))
        cli.json("build").result  # noqa: B018 - it must succeed
        assert [p for p in contents(built / "build") if "node1" in p] == []

    @pytest.mark.parametrize("data", [b"{", b"[]", b'{"format": 99}', b"[" * 100_000])
    def test_a_build_of_another_version_is_made_anew(self, built, cli, data):
        manifest = built / "build/ventoy/mycluster/manifest.json"
        manifest.write_bytes(data)
        before = tree(built)
        dry = cli.json("build", "--dry-run").result
        assert tree(built) == before
        assert cli.json("build").result == dry
        assert [s["path"] for s in dry["steps"]] == ["ventoy/mycluster/manifest.json"]
        assert cli.json("build").result["steps"] == []

    def test_a_file_in_the_place_of_the_build_folder_is_a_finding(self, fleet, cli):
        (fleet / "build").touch()
        assert (cli.json("build").code, cli.json("build").rules) == (1, ["VK-U04"])

    def test_an_iso_that_vanishes_after_it_was_looked_at_is_a_machine_failure(self, fleet, cli):
        loaded = load_workspace(fleet / "fleet.yaml", Host())
        (fleet / ISO).unlink()
        assert loaded.fleet is not None
        with pytest.raises(StorageError, match=r"STAND-IN.*No such file"):
            render(loaded, loaded.fleet, Host(), remember=False)

    def test_two_builds_at_once_one_is_refused(self, built, cli):
        file = built / "fleet.yaml"
        file.write_text(file.read_text().replace("First node", "Another title"))
        with StickFolder(built / "build", ".vk-").locked():
            ran = cli.json("build")
        assert (ran.code, ran.rules) == (3, ["machine"])
        assert cli("build").code == 0


class TestCheck:
    def test_the_doomed_disks_are_named(self, fleet, cli):
        result = cli.json("check").result
        assert result["nodes"]["node1"]["wipes"][0]["serial"] == "S5GXNX0T100001"
        assert "S5GXNX0T100001" in cli("check").out

    def test_a_mistake_is_pointed_at_and_nothing_is_built(self, fleet, cli):
        file = fleet / "fleet.yaml"
        file.write_text(file.read_text().replace("filesystem: ext4", "filesystm: ext4"))
        for command_name in ("check", "build", "checklist"):
            ran = cli.json(command_name)
            assert ran.code == 1
            by_path = {f["path"]: f for f in ran.envelope["findings"]}
            finding = by_path["nodes.node1.install.filesystm"]
            assert finding["file"] == "fleet.yaml"
            line = file.read_text().splitlines()[finding["line"] - 1]
            assert line[finding["column"] - 1 :].startswith("filesystm")
        assert not (fleet / "build").exists()

    @pytest.mark.parametrize("name", ["absent.yaml", ".", "fleet.yaml/x"])
    def test_no_fleet_file_is_a_finding(self, fleet, cli, name):
        ran = cli.json("check", "--fleet", name)
        assert ran.code == 1
        assert len(ran.rules) == 1

    def test_every_rule_can_be_explained(self, cli):
        for code in RULES:
            assert cli.json("check", "--explain", code.lower()).result["code"] == code
        ran = cli("check", "--explain", "VK-D99")
        assert ran.code == 1
        assert "Did you mean VK-" in ran.err


class TestChecklist:
    def test_without_a_password_and_for_one_node(self, fleet, cli, monkeypatch):
        monkeypatch.delenv("ROOT_PASSWORD")
        ran = cli("checklist", "node1")
        assert ran.code == 0
        assert "S5GXNX0T100001" in ran.out
        assert cli("checklist", "--format", "md").out.startswith("#")
        assert cli.json("checklist").result["checklists"].keys() == {"node1"}

    def test_an_unknown_node_is_a_finding_with_the_near_name(self, fleet, cli):
        ran = cli("checklist", "nodel")
        assert ran.code == 1
        assert "VK-U02" in ran.err
        assert "node1" in ran.err
        assert ran.out == ""


def open_files(number: int) -> str:
    """Names of the files that a process has open, as far as it lives."""
    names = []
    for link in Path(f"/proc/{number}/fd").glob("*"):
        with contextlib.suppress(OSError):  # closed meanwhile
            names.append(str(link.readlink()))
    return "\n".join(names)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_stopped_ends_with_3_and_the_next_one_finishes(fleet, cli, number):
    os.truncate(fleet / ISO, 1 << 30)  # sparse, and half a second to hash
    process = subprocess.Popen(
        command("build"), env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    while process.poll() is None and ISO not in open_files(process.pid):
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert list(fleet.rglob(".vk-*")) == []
    os.truncate(fleet / ISO, 1 << 20)
    assert cli("build").code == 0


@pytest.mark.needs_root
@pytest.mark.parametrize("args", [["build"], ["init", "sub"], ["demo", "sub"]])
def test_a_folder_that_cannot_be_written_is_a_finding(fleet, args):
    """As an ordinary user, since root may write anywhere."""
    ran, written = as_nobody(fleet, args)
    assert (ran.code, ran.rules) == (1, ["VK-U04"]), ran.err + ran.out
    assert written == []
