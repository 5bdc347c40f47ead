"""`unstage` through the command line: folders, disk images, and sticks whose manifest is broken."""

import json
from pathlib import Path

import pytest

from tests.app.test_stage import MANIFEST, image_tools, opened
from tests.app.workspaces import ISO, contents, tree

MINE = {
    "ventoy/ventoy.json": b'{ "theme": {"file": "/ventoy/theme/theme.txt"} }\r\n',
    "ventoy/theme/theme.txt": b"theme",
    "iso/mine.iso": b"mine",
}


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    for path, data in MINE.items():
        (tmp_path / "stick" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stick" / path).write_bytes(data)
    return tmp_path / "stick"


def test_everything_is_as_it_was_and_the_second_time_nothing_is_done(built, stick, cli):
    assert cli("stage", stick, "--yes").code == 0
    staged = tree(stick)
    dry = cli.json("unstage", stick, "--dry-run").result
    assert tree(stick) == staged
    assert cli.json("unstage", stick, "--yes").result == dry
    assert contents(stick) == MINE
    assert cli.json("unstage", stick).result["steps"] == []
    assert "nothing was changed" in cli("unstage", stick).out


def test_it_says_what_it_did(built, stick, cli):
    files = len(cli.json("stage", stick, "--yes").result["steps"])
    said = cli("unstage", stick, "--yes").out
    assert (
        f"mycluster was taken off directory {stick}: 1 file written, read back and compared; {files - 1} files removed."
        in said
    )


def test_nobody_is_asked_where_there_is_no_terminal(built, stick, cli):
    cli("stage", stick, "--yes")
    before = tree(stick)
    ran = cli.json("unstage", stick)
    assert (ran.code, ran.rules) == (1, ["VK-U05"])
    assert tree(stick) == before


def test_the_fleet_may_be_named_where_its_file_is_gone(built, stick, cli, tmp_path, monkeypatch):
    cli("stage", stick, "--yes")
    monkeypatch.chdir(tmp_path)
    assert cli.json("unstage", stick, "--yes").code != 0
    assert cli("unstage", stick, "--name", "mycluster", "--yes").code == 0
    assert contents(stick) == MINE


def test_after_a_broken_manifest_it_is_the_way_out(built, stick, cli):
    cli("stage", stick, "--yes")
    (stick / MANIFEST).write_bytes(b"{")
    ran = cli.json("stage", stick, "--yes")
    assert ran.rules == ["VK-Z05"]
    assert "ventoy-kit unstage" in ran.envelope["findings"][0]["remedy"]
    ran = cli.json("unstage", stick, "--yes")
    assert ran.code == 0
    assert [f["rule"] for f in ran.envelope["findings"]] == ["VK-Z12"]
    assert contents(stick).keys() == {*MINE, ISO, f"{ISO}.sha256"}
    assert contents(stick)["ventoy/ventoy.json"] == MINE["ventoy/ventoy.json"]
    assert cli("stage", stick, "--yes").code == 0
    assert json.loads((stick / MANIFEST).read_bytes())["complete"] is True


def test_a_broken_menu_of_the_user_is_pointed_at(built, stick, cli):
    cli("stage", stick, "--yes")
    (stick / "ventoy/ventoy.json").write_text("{,}")
    before = tree(stick)
    assert cli.json("unstage", stick, "--yes").rules == ["VK-V01"]
    assert tree(stick) == before


@image_tools
@pytest.mark.needs_root
def test_off_a_disk_image(built, tmp_path, cli):
    image = tmp_path / "stick.img"
    assert cli("stage", image, "--create", "128M", "--yes").code == 0
    assert cli("unstage", image, "--yes").code == 0
    with opened(image) as root:
        assert contents(root) == {}
