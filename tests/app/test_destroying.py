"""`reimage --destroy-pool`: a permission that lies in the armed ticket alone, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.test_reimage import edit
from tests.app.workspaces import contents, tree

DATA = """\
      one: {use: data, serial: D1, pool: tank}
      two: {use: data, serial: D2, wwn: "0x5000c500a1b2c3d4", size: 4 TB, pool: tank}
      old: {use: keep, serial: K1}
      cold: {use: data, serial: D3, pool: vault}
    hooks: [{name: zfs}]
    guests:
      shop: {kind: vm, title: The shop, storage: tank}
      attic: {kind: vm, storage: vault}
"""


@pytest.fixture
def staged(fleet: Path, tmp_path: Path, cli) -> Path:
    """A stick with a build of a node that has two pools."""
    file = fleet / "fleet.yaml"
    text = file.read_text()
    (line,) = [line for line in text.splitlines(keepends=True) if "S5GXNX0T100001" in line]
    edit(fleet, line, line + DATA)
    stick = tmp_path / "stick"
    (stick / "ventoy").mkdir(parents=True)
    assert cli("build", "--quiet").code == 0
    assert cli("stage", stick, "--yes", "--quiet").code == 0
    return stick


def test_the_permission_is_in_the_armed_ticket_and_nowhere_else(staged, cli):
    before = contents(staged)
    ran = cli.json("reimage", "node1", staged, "--yes", "node1", "--destroy-pool", "tank", "--lose", "shop")
    assert ran.code == 0
    arming = ran.result["arming"]
    assert arming["destroys"] == ["tank"]
    assert arming["wipes"][1:] == [
        "one serial D1 (pool tank, after the installation)",
        "two serial D2 WWN 0x5000c500a1b2c3d4 4 TB (pool tank, after the installation)",
    ]
    files = contents(staged)
    folder = f"ventoy/mycluster/armed-{arming['id']}"
    assert files[f"{folder}/node1"].decode().rstrip().endswith(" destroy=tank")
    assert "pool tank" in files["ventoy/ventoy.json"].decode()
    new = {path for path, data in files.items() if before.get(path) != data}
    named = {path for path in new if b"destroy" in files[path]}
    assert named == {f"{folder}/node1", f"{folder}/arming.json"}
    assert cli("disarm", staged).code == 0
    assert not [p for p, data in contents(staged).items() if b"destroy=" in data]


def test_the_next_arming_has_no_permission_of_the_last_one(staged, cli):
    cli("reimage", "node1", staged, "--yes", "node1", "--destroy-pool", "tank", "--lose", "shop")
    arming = cli.json("reimage", "node1", staged, "--yes", "node1").result["arming"]
    assert arming["destroys"] == []
    ticket = contents(staged)[f"ventoy/mycluster/armed-{arming['id']}/node1"]
    assert b"destroy" not in ticket
    assert len([p for p in contents(staged) if p.endswith("/node1") and "armed-" in p]) == 1


def test_a_dry_run_lists_what_dies(staged, cli):
    before = tree(staged)
    ran = cli("reimage", "node1", staged, "--dry-run", "--destroy-pool", "tank", "--lose", "shop")
    assert ran.code == 0
    assert "Wipes two serial D2 WWN 0x5000c500a1b2c3d4 4 TB (pool tank, after the installation)" in ran.out
    assert "shop" in ran.out
    assert "D3 (pool" not in ran.out
    assert tree(staged) == before


def test_the_checklist_names_the_pools_that_die(staged, cli):
    flags = ("--destroy-pool", "tank", "--lose", "shop")
    ran = cli.json("reimage", "node1", staged, "--yes", "node1", *flags)
    before, sheet = ran.result["checklist"].split("Checklist for node1", 1)
    assert before.startswith("Pools that this arming lets DIE: tank\n")
    assert "two serial D2" in before
    assert "--destroy-pool" in sheet  # the sheet of every installation says that it cannot know
    sections = cli.json("checklist", "node1", "--armed").result["sheets"]["node1"]["sections"]
    disks = {s["title"]: [i["text"] for i in s["items"]] for s in sections}
    dying = disks["Pools that this arming lets DIE: tank"]
    assert [text.split(",")[0] for text in dying] == ["one", "two"]
    assert [text.split(",")[0] for text in disks["Disks that stay"]] == ["cold", "old"]
    cli("reimage", "node1", staged, "--yes", "node1")
    assert "lets DIE" not in cli("checklist", "node1", "--armed").out
    assert "--destroy-pool" not in cli("checklist", "node1").out
    assert "lets DIE" not in cli.json("reimage", "node1", staged, "--dry-run").result["checklist"]


@pytest.mark.parametrize(
    ("flags", "rule", "words"),
    [
        (["--destroy-pool", "tnak"], "VK-K16", "Did you mean `tank`?"),
        (["--destroy-pool", "old"], "VK-K16", "tank, vault"),
        (["--destroy-pool", "one"], "VK-K16", "one"),
        (["--destroy-pool", "tank"], "VK-K06", "--lose shop"),
        (["--destroy-pool", "vault", "--lose", "shop"], "VK-K07", "shop"),
    ],
)
def test_what_is_not_declared_or_not_named_is_refused(staged, cli, flags, rule, words):
    before = tree(staged)
    ran = cli.json("reimage", "node1", staged, "--yes", "node1", *flags)
    assert ran.code == 1
    found = [f for f in ran.envelope["findings"] if f["rule"] == rule]
    assert found
    assert words in json.dumps(found)
    assert tree(staged) == before


def test_without_the_hook_nothing_would_destroy_it(staged, fleet, cli):
    edit(fleet, "    hooks: [{name: zfs}]\n", "")
    ran = cli.json("reimage", "node1", staged, "--yes", "node1", "--destroy-pool", "tank", "--lose", "shop")
    assert ran.code == 1
    assert "VK-K17" in {f["rule"] for f in ran.envelope["findings"]}


def test_nobody_to_ask_means_no(staged, cli):
    before = tree(staged)
    ran = cli("reimage", "node1", staged, "--destroy-pool", "tank", "--lose", "shop")
    assert ran.code == 1
    assert "Give --yes node1" in ran.err
    assert tree(staged) == before
