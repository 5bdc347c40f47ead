"""`reimage`, `disarm`, and what `stage` and `status` make of an armed stick, through the command line."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.app.killing import killed_at
from tests.app.test_stage import MANIFEST, expected, image_tools, nothing_is_left, on_terminal, opened
from tests.app.workspaces import ISO, contents, separate, tree
from tests.support.fleets import BASE, put_isos
from ventoy_kit.app import reimage as use_case
from ventoy_kit.app.host import Host
from ventoy_kit.stick.armed import is_id, referred_to
from ventoy_kit.stick.target import Candidate, PathFacts, Target

CONFIG = "ventoy/ventoy.json"
HISTORY = "ventoy/mycluster/armings.json"
MINE = b"""{
  "control_uefi": [ {"VTOY_DEFAULT_IMAGE": "/mine.iso"}, {"VTOY_MENU_LANGUAGE": "de_DE"} ],
  "image_blacklist": ["/iso/x.iso"],
  "theme": {"file": "/ventoy/theme/theme.txt"} }
"""
GUESTS = """\
    guests:
      shop: {kind: vm, title: The shop, services: {db: {stateful: true}, web: {}}}
      lab: {kind: container, expendable: true}
"""


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick/ventoy").mkdir(parents=True)
    (tmp_path / "stick" / CONFIG).write_bytes(MINE)
    return tmp_path / "stick"


@pytest.fixture
def staged(built: Path, stick: Path, cli) -> Path:
    """A stick with the build and with settings of the user that would disturb."""
    assert cli("stage", stick, "--yes", "--quiet").code == 0
    return stick


def arm(cli, stick, *more: str):
    return cli.json("reimage", "node1", stick, "--yes", "node1", *more)


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "fleet.yaml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


class TestArm:
    def test_the_stick_starts_that_node_and_nothing_else(self, staged, cli):
        before = contents(staged)
        arming = arm(cli, staged).result["arming"]
        files = contents(staged)
        folder = f"ventoy/mycluster/armed-{arming['id']}"
        assert is_id(arming["id"])
        assert arming["code"] == arming["id"][-4:].upper()
        assert (arming["node"], arming["image"], arming["expired"]) == ("node1", "proxmox-ve", False)
        assert arming["wipes"] == ["disk0 serial S5GXNX0T100001 1 TB"]
        assert {p for p in files if p not in before} == {
            HISTORY,
            *(f"{folder}/{n}" for n in ("arming.json", "toolbox.json", "node1")),
        }
        assert {p for p in before if files[p] != before[p]} == {CONFIG}
        assert files[f"{folder}/toolbox.json"] == before[CONFIG]
        config = json.loads(files[CONFIG])
        assert config["image_list"] == [f"/{ISO}"]
        assert config["auto_install"][0]["template"] == [f"/{folder}/node1"]
        assert config["control_uefi"][0] == {"VTOY_MENU_LANGUAGE": "de_DE"}
        named = [w for w in files[CONFIG].decode().split('"') if w.startswith(("/iso/", "/ventoy/mycluster"))]
        assert named
        assert [w for w in named if w[1:] not in files] == []
        expiry = re.sub("[-:]|[+]0000", "", arming["expires"].replace("+00:00", "Z"))
        ticket = files[f"{folder}/node1"].decode()
        generation = json.loads(files[MANIFEST])["generation"]
        assert ticket.splitlines()[-1] == (
            f"# ventoy-kit-ticket format=1 fleet=mycluster generation={generation} image=proxmox-ve node=node1 "
            f"arming={arming['id']}-{expiry}"
        )

    def test_the_armed_menu_starts_the_automated_entry_by_itself(self, staged, cli):
        arm(cli, staged)
        files = contents(staged)
        menu = files[json.loads(files[CONFIG])["conf_replace"][0]["new"][1:]].decode()
        assert menu.endswith("set default=0\nset timeout_style=menu\nset timeout=5\n")
        assert "armed, starts by itself'" in menu

    def test_a_dry_run_shows_it_all_and_writes_nothing(self, staged, cli):
        before = tree(staged)
        ran = cli("reimage", "node1", staged, "--dry-run")
        assert ran.code == 0
        for words in (
            "S5GXNX0T100001",
            "code ",
            "Checklist for node1",
            "VTOY_DEFAULT_IMAGE, image_blacklist",
        ):
            assert words in ran.out
        result = cli.json("reimage", "node1", staged, "--dry-run").result
        assert result["set_aside"] == ["VTOY_DEFAULT_IMAGE", "image_blacklist"]
        assert result["checklist"].startswith("Checklist for node1 - First node, with an armed stick")
        assert tree(staged) == before

    def test_again_takes_the_place_and_is_newer(self, staged, cli):
        before = contents(staged)[CONFIG]
        first = arm(cli, staged).result["arming"]
        ran = arm(cli, staged, "--expires", "2d").result
        assert ran["replaces"]["id"] == first["id"]
        second = ran["arming"]
        assert second["id"] > first["id"]
        assert [p for p in contents(staged) if first["id"] in p] == []
        made = datetime.strptime(second["id"][:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert datetime.fromisoformat(second["expires"]) - made == timedelta(days=2)
        assert cli("disarm", staged).code == 0
        assert contents(staged)[CONFIG] == before
        assert arm(cli, staged).result["arming"]["id"] > second["id"]

    def test_ids_grow_from_stick_to_stick_even_if_the_clock_goes_back(
        self, staged, cli, tmp_path, monkeypatch
    ):
        other = tmp_path / "other"
        shutil.copytree(staged, other)
        now = datetime.now(UTC)
        ids = []
        for target, clock in (
            (staged, now),
            (other, now - timedelta(minutes=5)),
            (staged, now - timedelta(days=1)),
        ):
            monkeypatch.setattr(Host, "__init__", _host_with(clock))
            ran = arm(cli, target)
            ids.append(ran.result["arming"]["id"])
            rules = [f["rule"] for f in ran.envelope["findings"]]
            assert ("VK-K14" in rules) == (clock < now - timedelta(hours=1))
        assert ids == sorted(ids)

    def test_a_debian_ticket_stays_the_preseed(self, tmp_path, stick, cli, monkeypatch):
        folder = tmp_path / "base"
        folder.mkdir()
        (folder / "fleet.yaml").write_text(BASE.read_text())
        put_isos(folder)
        monkeypatch.chdir(folder)
        assert cli("build", "--quiet").code == 0
        assert cli("stage", stick, "--yes", "--quiet").code == 0
        result = cli.json("reimage", "beta", stick, "--yes", "beta").result
        files = contents(stick)
        arming = result["arming"]
        armed = files[f"ventoy/demo/armed-{arming['id']}/beta"].decode().splitlines()
        own = files[f"ventoy/demo/{arming['generation']}/debian/beta"].decode().splitlines()
        assert len(armed) == len(own) > 20
        assert [a for a, o in zip(armed, own, strict=True) if a != o] == [armed[1]]
        assert f"arming={arming['id']}-" in armed[1]


def _host_with(clock: datetime):
    made = Host.__init__

    def init(self, **more) -> None:
        made(self, **{"clock": lambda: clock, **more})

    return init


class TestRefusals:
    @pytest.mark.parametrize(
        "damage",
        ["empty", "generation", "incomplete", "ticket", "archive", "menu", "iso", "checklist", "manifest"],
    )
    def test_a_stick_that_does_not_hold_what_was_built(self, staged, built, cli, damage):
        base = next((staged / "ventoy/mycluster").glob("*/proxmox-ve"))
        files = {
            "ticket": base / "node1",
            "archive": base / "overlay.tar.bz2",
            "menu": base / "grub-armed.cfg",
        }
        if damage == "empty":
            shutil.rmtree(staged / "ventoy/mycluster")
        elif damage == "generation":
            edit(built, "title: First node", "title: Another")
            assert cli("build").code == 0
        elif damage == "incomplete":
            text = (staged / MANIFEST).read_text()
            (staged / MANIFEST).write_text(text.replace('"complete": true', '"complete": false'))
        elif damage == "manifest":
            text = (staged / MANIFEST).read_text()
            (staged / MANIFEST).write_text(text.replace('"autosel": 0', '"autosel": 1'))
        elif damage == "iso":
            os.truncate(staged / ISO, 100)
        elif damage == "checklist":
            next(staged.rglob("node1.*.armed.txt")).unlink()
        else:
            data = files[damage].read_bytes()
            files[damage].write_bytes(data[:-1] + b"!")
        before = tree(staged)
        ran = arm(cli, staged)
        assert (ran.code, set(ran.rules)) == (1, {"VK-K01"})
        assert "ventoy-kit stage" in ran.envelope["findings"][-1]["remedy"]
        assert tree(staged) == before

    def test_the_build_and_the_fleet_file_must_agree(self, staged, built, cli):
        with (built / "fleet.yaml").open("a") as file:
            file.write("# a comment\n")
        assert arm(cli, staged).rules == ["VK-Z06"]

    def test_the_isos_need_not_be_on_this_machine(self, staged, built, cli):
        (built / ISO).unlink()
        assert arm(cli, staged).code == 0

    def test_an_unknown_node(self, staged, cli):
        ran = cli.json("reimage", "node2", staged, "--yes", "node2")
        assert (ran.code, ran.rules) == (1, ["VK-U02"])
        assert "node1" in ran.envelope["findings"][0]["remedy"]

    def test_no_fleet_file(self, staged, cli):
        assert cli.json("reimage", "node1", staged, "-f", "absent.yaml").rules == ["VK-G03"]

    def test_a_node_without_a_ticket(self, staged, cli, monkeypatch):
        monkeypatch.setattr(use_case, "delivery_of", lambda _manifest, _node: None)
        assert arm(cli, staged).rules == ["VK-K05"]

    def test_a_script_of_the_user_that_starts_the_image(self, staged, cli):
        (staged / f"{ISO}.vcfg").touch()
        assert arm(cli, staged).rules == ["VK-K15"]

    def test_a_ventoy_json_that_ventoy_cannot_read(self, staged, cli):
        (staged / CONFIG).write_bytes(b"{,}")
        assert arm(cli, staged).rules == ["VK-V01"]

    @pytest.mark.parametrize(
        ("kind", "version", "rule"),
        [
            ("device", "1.1.17", None),
            ("device", "1.1.18", None),
            ("device", "1.2", None),
            ("device", "1.1.16", "VK-K02"),
            ("image", "1.0.99", "VK-K02"),
            ("device", None, "VK-K03"),
            ("device", "?", "VK-K03"),
            ("image", None, "VK-K04"),
            ("directory", None, "VK-K04"),
        ],
    )
    def test_the_version_of_ventoy(self, kind, version, rule):
        candidate = Candidate(Target(kind, "/x", "/x"), PathFacts("/x", "/x", "block"), "exfat", "x")
        found = list(use_case._ventoy(replace(candidate, ventoy_version=version)))
        assert [f.rule.code for f in found] == ([rule] if rule else [])

    @pytest.mark.parametrize(
        "text", ["", "24", "0h", "59m", "8d", "169h", "-1h", "1 h", "1w", "999999h", "h"]
    )
    def test_a_lifetime_that_is_none(self, staged, cli, text):
        assert cli("reimage", "node1", staged, "--yes", "node1", "--expires", text).code == 2

    @pytest.mark.parametrize("text", ["1h", "24h", "168h", "1d", "7d"])
    def test_lifetimes(self, staged, cli, text):
        assert arm(cli, staged, "--expires", text).code == 0


class TestLosses:
    @pytest.fixture
    def with_guests(self, built: Path, stick: Path, cli) -> Path:
        with (built / "fleet.yaml").open("a") as file:
            file.write(GUESTS)
        assert cli("build", "--quiet").code == 0
        assert cli("stage", stick, "--yes", "--quiet").code == 0
        return stick

    def test_each_is_named_or_nothing_is_armed(self, with_guests, cli):
        before = tree(with_guests)
        for named in ([], ["--lose", "shop"], ["--lose", "shop/db"]):
            ran = arm(cli, with_guests, *named)
            assert (ran.code, ran.rules) == (1, ["VK-K06"])
            (finding,) = ran.envelope["findings"]
            assert finding["path"] == "nodes.node1"
            left = {"shop", "shop/db"} - {n for n in named if n != "--lose"}
            assert set(re.findall(r"--lose (\S+)", finding["remedy"])) == left
        assert tree(with_guests) == before
        result = arm(cli, with_guests, "--lose", "shop", "--lose", "shop/db").result
        assert {n["name"]: n["named"] for n in result["losses"]} == {
            "shop": True,
            "shop/db": True,
            "shop/web": False,
            "lab": False,
        }

    def test_a_name_that_is_no_loss(self, with_guests, cli):
        ran = arm(cli, with_guests, "--lose", "shop", "--lose", "shop/db", "--lose", "shap")
        assert ran.rules == ["VK-K07"]
        assert "shop" in ran.envelope["findings"][0]["remedy"]


class TestTheName:
    def test_nobody_is_asked_where_there_is_no_terminal(self, staged, built):
        before = tree(staged)
        for options in ([], ["--json"]):
            ran = separate(["reimage", "node1", staged, *options], built, stdin=subprocess.DEVNULL)
            assert ran.code == 1
            assert "VK-U05" in ran.err + ran.out
        assert tree(staged) == before

    def test_another_name_beforehand(self, staged, cli):
        before = tree(staged)
        ran = cli.json("reimage", "node1", staged, "--yes", "node2")
        assert (ran.code, ran.rules) == (1, ["VK-U05"])
        assert tree(staged) == before

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (b"node1\n", 0),
            (b"  node1 \n", 0),
            (b"node2\n", 1),
            (b"y\n", 1),
            (b"\n", 1),
            (b"\x03", 3),
            (b"\x04", 3),
        ],
    )
    def test_on_a_terminal_it_must_be_typed(self, staged, built, answer, code):
        said, exit_code = on_terminal(["reimage", "node1", staged], built, answer, b"to arm directory")
        assert exit_code == code
        assert "S5GXNX0T100001" in said.split("Type the node's name")[0]
        assert (referred_to(contents(staged)[CONFIG]) is not None) == (code == 0)


class TestDisarm:
    def test_it_needs_no_fleet_file_and_does_nothing_twice(self, staged, cli, tmp_path, monkeypatch):
        before = contents(staged)
        arming = arm(cli, staged).result["arming"]
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        dry = cli.json("disarm", staged, "--dry-run").result
        assert referred_to(contents(staged)[CONFIG]) is not None
        assert cli.json("disarm", staged).result == dry
        assert dry["disarmed"]["id"] == arming["id"]
        after = tree(staged)
        assert {p: d for p, d in contents(staged).items() if p != HISTORY} == before
        assert cli.json("disarm", staged).result["disarmed"] is None
        assert tree(staged) == after

    def test_a_link_in_the_place_of_a_file_is_refused(self, staged, cli, tmp_path):
        arm(cli, staged)
        (staged / HISTORY).unlink()
        (staged / HISTORY).symlink_to(tmp_path / "thesis.tex")
        for command in (
            ["disarm", staged],
            ["reimage", "node1", staged, "--yes", "node1"],
            ["stage", staged],
        ):
            assert cli.json(*command).rules == ["VK-Z11"]

    def test_what_was_edited_meanwhile_is_kept(self, staged, cli):
        arm(cli, staged)
        edited = (staged / CONFIG).read_bytes().replace(b'"10"', b'"20"')
        (staged / CONFIG).write_bytes(edited)
        ran = cli.json("disarm", staged)
        assert [f["rule"] for f in ran.envelope["findings"]] == ["VK-K09"]
        assert edited in contents(staged).values()

    def test_lost_settings_are_said(self, staged, cli):
        arm(cli, staged)
        next(staged.rglob("toolbox.json")).unlink()
        ran = cli.json("disarm", staged)
        assert [f["rule"] for f in ran.envelope["findings"]] == ["VK-K10"]
        assert referred_to(contents(staged)[CONFIG]) is None


class TestStageAndStatus:
    def test_status_says_for_whom_and_until_when(self, staged, cli, monkeypatch):
        assert cli.json("status", staged).result["armed"] is None
        arming = arm(cli, staged).result["arming"]
        assert cli.json("status", staged).result["armed"] == arming
        said = cli("status", staged).out
        assert f"Armed for node1 of mycluster: code {arming['code']}, id {arming['id']}, until" in said
        monkeypatch.setattr(Host, "__init__", _host_with(datetime.now(UTC) + timedelta(days=1)))
        assert cli.json("status", staged).result["armed"]["expired"] is True
        assert ", expired at " in cli("status", staged).out

    def test_a_stage_disarms_says_so_and_asks(self, staged, built, cli):
        toolbox = contents(staged)[CONFIG]
        arm(cli, staged)
        before = tree(staged)
        dry = cli.json("stage", staged, "--dry-run").result
        assert dry["disarms"]["node"] == "node1"
        assert dry["steps"] == []
        assert "It is disarmed first." in cli("stage", staged, "--dry-run").out
        assert cli.json("stage", staged).rules == ["VK-U05"]
        assert tree(staged) == before
        ran = cli("stage", staged, "--yes")
        assert ran.code == 0
        assert "armed for nobody any more" in ran.out
        assert "All files were there already." in ran.out
        assert contents(staged)[CONFIG] == toolbox
        assert cli.json("stage", staged).result["disarms"] is None

    def test_another_fleet_does_not_stage_onto_it(self, staged, built, cli):
        arm(cli, staged)
        edit(built, "fleet: mycluster", "fleet: other")
        assert cli("build").code == 0
        before = tree(staged)
        assert cli.json("stage", staged, "--yes").rules == ["VK-K08"]
        assert tree(staged) == before
        assert cli.json("status", staged).result["armed"]["fleet"] == "mycluster"
        assert cli("disarm", staged).code == 0
        assert cli("stage", staged, "--yes").code == 0

    def test_what_a_node_was_armed_with_stays_until_it_is_let_go(self, staged, built, cli):
        arm(cli, staged)
        old = contents(staged)
        generation = json.loads(old[MANIFEST])["generation"]
        edit(built, "title: First node", "title: Another")
        assert cli("build").code == 0
        result = cli.json("stage", staged, "--yes").result
        assert result["held"] == {"node1": generation}
        held = {p for p in old if f"/{generation}/proxmox-ve/" in p or "/checklists/node1." in p}
        assert len(held) == 8
        assert {p: d for p, d in contents(staged).items() if p in held} == {p: old[p] for p in held}
        assert cli.json("stage", staged).result["steps"] == []
        status = cli.json("status", staged).result
        assert (status["held"], status["steps"]) == ({"node1": generation}, [])
        assert cli("image", "verify", staged).code == 0
        assert arm(cli, staged).code == 0  # the new generation, which is then the one to keep
        assert cli("stage", staged, "--yes").code == 0
        assert not held & contents(staged).keys()

    def test_letting_go(self, staged, built, cli):
        arm(cli, staged)
        edit(built, "title: First node", "title: Another")
        assert cli("build").code == 0
        assert cli("stage", staged, "--yes").code == 0
        assert cli.json("stage", staged, "--let-go", "nobody").rules == ["VK-K13"]
        assert cli.json("stage", staged, "--yes", "--let-go", "node1").result["held"] == {}
        assert contents(staged).keys() == {
            *expected(built),
            CONFIG,
            MANIFEST,
            HISTORY,
            f"{ISO}.sha256",
            "ventoy/mycluster/before.json",
        }

    def test_an_iso_of_the_same_name_lies_beside_the_held_one_and_can_be_armed(self, staged, built, cli):
        arm(cli, staged)
        old = contents(staged)[ISO]
        with (built / ISO).open("r+b") as file:
            file.truncate(1 << 21)
        new = (built / ISO).read_bytes()
        assert cli("build").code == 0
        assert cli("stage", staged, "--yes").code == 0
        beside = f"{ISO.removesuffix('.iso')}.{hashlib.sha256(new).hexdigest()[:8]}.iso"
        assert (contents(staged)[ISO], contents(staged)[beside]) == (old, new)
        assert cli("image", "verify", staged).code == 0
        assert arm(cli, staged).code == 0
        assert json.loads(contents(staged)[CONFIG])["image_list"] == [f"/{beside}"]
        assert cli("stage", staged, "--yes").code == 0  # nothing holds the old one any more
        assert ISO not in contents(staged)
        assert cli.json("stage", staged).result["steps"] == []

    def test_an_image_of_the_user_under_another_name_is_armed_where_it_lies(self, built, stick, cli):
        (stick / "mine").mkdir()
        (stick / "mine/pve.iso").write_bytes((built / ISO).read_bytes())
        assert cli("stage", stick, "--yes").code == 0
        assert arm(cli, stick).code == 0
        assert json.loads(contents(stick)[CONFIG])["image_list"] == ["/mine/pve.iso"]
        assert cli("disarm", stick).code == 0
        assert cli("unstage", stick, "--yes").code == 0
        assert contents(stick).keys() == {CONFIG, "mine/pve.iso"}
        assert contents(stick)[CONFIG] == MINE

    def test_held_files_that_are_damaged_are_given_up_with_a_word(self, staged, built, cli):
        arm(cli, staged)
        next(staged.rglob("grub-armed.cfg")).write_bytes(b"?")
        edit(built, "title: First node", "title: Another")
        assert cli("build").code == 0
        ran = cli.json("stage", staged, "--yes")
        assert ran.code == 0
        assert "VK-K12" in [f["rule"] for f in ran.envelope["findings"]]
        assert cli.json("stage", staged).result["steps"] == []


class TestUnstage:
    def test_an_armed_stick_is_disarmed_first_and_everything_goes(self, staged, cli):
        armed = arm(cli, staged).result["arming"]
        before = tree(staged)
        dry = cli.json("unstage", staged, "--dry-run").result
        assert dry["disarms"] == armed
        assert HISTORY in [s["path"] for s in dry["steps"]]
        assert "It is disarmed first." in cli("unstage", staged, "--dry-run").out
        assert cli.json("unstage", staged).rules == ["VK-U05"]
        assert tree(staged) == before
        assert cli("unstage", staged, "--yes").code == 0
        assert contents(staged) == {CONFIG: MINE}
        assert cli.json("unstage", staged).result["steps"] == []

    def test_what_is_held_goes_too(self, staged, built, cli):
        arm(cli, staged)
        edit(built, "title: First node", "title: Another")
        assert cli("build").code == 0
        assert cli("stage", staged, "--yes").code == 0
        assert cli("unstage", staged, "--yes").code == 0
        assert contents(staged) == {CONFIG: MINE}

    def test_armed_for_another_fleet_it_is_refused(self, staged, built, cli):
        arm(cli, staged)
        before = tree(staged)
        assert cli.json("unstage", staged, "--name", "other", "--yes").rules == ["VK-K08"]
        assert tree(staged) == before

    def test_with_a_manifest_that_cannot_be_read(self, staged, cli):
        arm(cli, staged)
        (staged / MANIFEST).write_bytes(b"{")
        notes = {"ventoy/mycluster/checklists/notes.txt", "ventoy/mycluster/checklists/node1.of.mine.txt"}
        for path in notes:
            (staged / path).write_bytes(b"mine")
        assert cli("unstage", staged, "--yes").code == 0
        assert contents(staged).keys() == {CONFIG, ISO, f"{ISO}.sha256", *notes}
        assert contents(staged)[CONFIG] == MINE

    def test_the_users_changes_to_an_armed_menu_are_kept_beside(self, staged, cli):
        armed = arm(cli, staged).result["arming"]
        (staged / CONFIG).write_bytes(contents(staged)[CONFIG].replace(b"{", b'{"theme": {},', 1))
        edited = contents(staged)[CONFIG]
        assert cli("unstage", staged, "--yes").code == 0
        assert contents(staged) == {CONFIG: MINE, f"ventoy/mycluster/edited-{armed['id']}.json": edited}


@image_tools
@pytest.mark.needs_root
def test_on_a_real_exfat(built, tmp_path, cli):
    image = tmp_path / "stick.img"
    assert cli("stage", image, "--create", "128M", "--yes").code == 0
    with opened(image) as root:
        before = contents(root)
    arming = arm(cli, image).result["arming"]
    with opened(image) as root:
        files = contents(root)
        assert referred_to(files[CONFIG]) == ("mycluster", arming["id"], "node1")
        assert {p for p in before if files[p] != before[p]} == {CONFIG}
    assert cli.json("status", image).result["armed"]["id"] == arming["id"]
    assert arm(cli, image).result["replaces"]["id"] == arming["id"]
    assert cli("disarm", image).code == 0
    with opened(image) as root:
        assert {p: d for p, d in contents(root).items() if p != HISTORY} == before
    nothing_is_left()


@pytest.mark.slow
def test_killed_at_any_moment_it_is_a_toolbox_or_armed(staged, built, cli):
    """SIGKILL, which nothing can catch, while it is armed, armed anew, disarmed, and staged while it is armed."""
    toolbox = contents(staged)[CONFIG]
    moments = random.Random(7)
    for args in (
        ["reimage", "node1", str(staged), "--yes", "node1"],
        ["reimage", "node1", str(staged), "--yes", "node1"],
        ["disarm", str(staged)],
    ):
        start = staged.parent / "start"
        shutil.copytree(staged, start)
        whole = killed_at(-1, built, staged, *args)
        assert whole.returncode == 0, whole.stderr
        for moment in moments.sample(range(int(whole.stderr.split()[-1])), 6):
            shutil.rmtree(staged)
            shutil.copytree(start, staged)
            assert killed_at(moment, built, staged, *args).returncode == -signal.SIGKILL
            files = contents(staged)
            reference = referred_to(files[CONFIG])
            if reference is None:
                assert files[CONFIG] == toolbox
            else:
                folder = f"ventoy/mycluster/armed-{reference[1]}"
                assert files[f"{folder}/toolbox.json"] == toolbox
                assert f"arming={reference[1]}".encode() in files[f"{folder}/node1"]
        shutil.rmtree(start)
        assert killed_at(-1, built, staged, *args).returncode == 0
    assert cli("stage", staged, "--yes").code == 0
    (staged / HISTORY).unlink()
    files = contents(staged)
    assert files[CONFIG] == toolbox
    assert [p for p in files if "/armed-" in p or "/.vk-" in p] == []
