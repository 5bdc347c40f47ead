"""`init`, `demo`, `schema`, `doctor`, `hooks list`, `image inspect`: the commands that need no fleet of one's own."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.app.workspaces import ISO, ROOT, contents, tree
from ventoy_kit.edge import machine


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class TestDemo:
    def test_it_does_the_main_job_and_a_second_run_writes_nothing(self, cli):
        first = cli.json("demo", "d").result
        assert set(first["build"]["nodes"]) == {"corvette", "falcon", "gozanti"}
        assert first["stage"]["kind"] == "directory"
        staged = contents(Path("d/stick"))
        assert {"ventoy/ventoy.json", "ventoy/alliance/manifest.json"} <= staged.keys()
        before = tree(Path("d"))
        second = cli.json("demo", "d").result
        assert (second["build"]["steps"], second["stage"]["steps"]) == ([], [])
        assert tree(Path("d")) == before

    def test_it_says_that_its_images_are_stand_ins(self, cli):
        said = cli("demo", "d")
        assert "STAND-INS" in said.out
        assert all(p.name.startswith("STAND-IN-") for p in Path("d/iso").iterdir())

    @pytest.mark.parametrize(
        "gone", ["fleet.yaml", "iso", "build", "stick", ".ventoy-kit", "fleet.schema.json"]
    )
    def test_what_is_missing_is_made_again(self, cli, gone):
        assert cli("demo", "d").code == 0
        path = Path("d") / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert cli("demo", "d").code == 0
        assert cli.json("demo", "d").result["stage"]["steps"] == []

    def test_a_fleet_of_somebody_is_left_alone(self, cli):
        cli("init", "d")
        before = tree(Path("d"))
        ran = cli.json("demo", "d")
        assert (ran.code, ran.rules) == (1, ["VK-U03"])
        assert tree(Path("d")) == before

    def test_a_password_that_is_set_is_used(self, cli, monkeypatch):
        monkeypatch.setenv("ALLIANCE_ROOT_PASSWORD", "short")
        assert cli.json("demo", "d").rules == ["VK-X02"]


class TestInit:
    @pytest.mark.parametrize("example", ["starter", "alliance"])
    def test_it_writes_a_fleet_file_that_the_schema_accepts(self, cli, example):
        result = cli.json("init", "f", "--example", example).result
        assert result == {"file": "f/fleet.yaml", "example": example}
        schema = json.loads(Path("f/fleet.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(YAML(typ="safe", pure=True).load(Path("f/fleet.yaml").read_text()), schema)
        assert Path("f/.gitignore").read_text().split() == ["/build/", "/.ventoy-kit/", "/iso/"]

    def test_it_never_writes_over_a_fleet_file_or_a_gitignore(self, cli):
        Path(".gitignore").write_text("mine\n")
        assert cli("init").code == 0
        assert Path(".gitignore").read_text() == "mine\n"
        Path("fleet.yaml").write_text("mine\n")
        before = tree(Path())
        ran = cli.json("init")
        assert (ran.code, ran.rules) == (1, ["VK-U03"])
        assert tree(Path()) == before

    def test_the_starter_lacks_nothing_but_its_image_and_its_password(self, cli, monkeypatch):
        cli("init")
        assert cli.json("check").rules == ["VK-I02"]


def test_the_schema_is_that_of_the_fleet_file(cli):
    ran = cli("schema")
    assert json.loads(ran.out) == cli.json("schema").result
    schema = json.loads(ran.out)
    validator = jsonschema.Draft202012Validator(schema)
    for example in (ROOT / "examples").glob("*/fleet.yaml"):
        document = YAML(typ="safe", pure=True).load(example.read_text())
        assert list(validator.iter_errors(document)) == []
        assert list(validator.iter_errors(document | {"nodez": {}}))


class TestDoctor:
    def test_everything_is_said_with_its_purpose(self, cli):
        checks = {c["name"]: c for c in cli.json("doctor").result["checks"]}
        assert {"click", "pydantic", "mkfs.exfat", "losetup", "root rights", "exFAT"} <= checks.keys()
        assert all(c["purpose"] for c in checks.values())
        assert all(bool(c["fix"]) == (c["state"] == "missing") for c in checks.values())

    def test_what_is_missing_is_said_with_a_way_to_get_it_and_is_no_failure(self, cli, monkeypatch):
        monkeypatch.setattr(machine, "has_program", lambda name: name not in ("mkfs.exfat", "udisksctl"))
        monkeypatch.setattr(machine, "has_module", lambda name: name != "pycdlib")
        monkeypatch.setattr(machine, "is_root", lambda: False)
        ran = cli.json("doctor")
        assert ran.code == 0
        missing = {c["name"]: c["fix"] for c in ran.result["checks"] if c["state"] == "missing"}
        assert {"mkfs.exfat", "pycdlib", "root rights"} <= missing.keys()
        assert missing["mkfs.exfat"] == "apt install exfatprogs"

    @pytest.mark.parametrize(
        ("kernel", "fuse", "driver", "state", "fix"),
        [
            (True, False, False, "ok (in the kernel)", ""),
            (False, True, True, "ok (through FUSE)", ""),
            (False, True, False, "missing", "exfat-fuse"),
            (False, False, True, "missing", "/dev/fuse"),
            (False, False, False, "missing", "modprobe exfat"),
        ],
    )
    def test_it_says_how_exfat_can_be_mounted(self, cli, monkeypatch, kernel, fuse, driver, state, fix):
        monkeypatch.setattr(machine, "kernel_knows", lambda _name: kernel)
        monkeypatch.setattr(machine, "fuse_is_usable", lambda: fuse)
        monkeypatch.setattr(machine, "has_program", lambda name: driver or name != "mount.exfat-fuse")
        checks = {c["name"]: c for c in cli.json("doctor").result["checks"]}
        assert checks["exFAT"]["state"] == state
        assert fix in checks["exFAT"]["fix"]

    def test_an_ordinary_user_needs_udisks_and_udev(self, cli, monkeypatch):
        monkeypatch.setattr(machine, "is_root", lambda: False)
        for there in (True, False):
            monkeypatch.setattr(machine, "has_program", lambda _name, there=there: there)
            monkeypatch.setattr(machine, "has_udev", lambda there=there: there)
            checks = {c["name"]: c for c in cli.json("doctor").result["checks"]}
            assert ("udev" in checks) is not there
            assert checks["root rights"]["state"] == (
                "ok for sticks (through udisks)" if there else "missing"
            )
            assert there or "udisks2" in checks["root rights"]["fix"]

    def test_elsewhere_it_says_that_linux_is_the_full_host(self, cli, monkeypatch):
        monkeypatch.setattr(machine, "is_linux", lambda: False)
        checks = {c["name"]: c for c in cli.json("doctor").result["checks"]}
        assert checks["Linux"]["state"] == "missing"
        assert "pyudev" not in checks


class TestHooks:
    def test_the_kits_own_are_listed(self, cli):
        hooks = cli.json("hooks", "list").result["hooks"]
        assert hooks.keys() == {p.name for p in (ROOT / "hooks").iterdir() if (p / "hook.yaml").exists()}
        assert all(name in cli("hooks", "list").out for name in hooks)

    def test_one_beside_the_fleet_file_is_listed_too(self, fleet, cli):
        shutil.copytree(ROOT / "hooks/ssh", fleet / "hooks/mine")
        assert "mine" in cli.json("hooks", "list").result["hooks"]
        (fleet / "hooks/mine/hook.yaml").write_text("{")
        ran = cli.json("hooks", "list")
        assert ran.code == 1
        assert ran.rules


class TestImageInspect:
    def test_what_an_iso_is(self, fleet, cli):
        result = cli.json("image", "inspect", ISO).result["images"][ISO]
        assert (result["product"], result["release"], result["stand_in"]) == ("proxmox-ve", "9.1", True)
        assert result["boot"] == ["bios", "uefi"]
        assert "stand-in" in cli("image", "inspect", ISO).out

    def test_one_that_is_none_does_not_hide_another(self, fleet, cli):
        (fleet / "x.iso").write_bytes(b"<html>" * 20_000)
        ran = cli.json("image", "inspect", "x.iso", "absent.iso", ISO)
        assert ran.code == 1
        assert sorted(ran.rules) == ["VK-I01", "VK-I02"]
        assert ran.envelope["result"]["images"].keys() == {ISO}

    @pytest.mark.needs_package("debian-installer-12-netboot-amd64")
    @pytest.mark.needs_tool("grub-mkrescue", "xorriso", "mformat")
    def test_the_real_debian_installer(self, debian, cli):
        result = cli.json("image", "inspect", "iso/debian-12-netboot.iso").result["images"]
        facts = result["iso/debian-12-netboot.iso"]
        assert (facts["product"], facts["medium"], facts["automated"]) == ("debian", "netboot", True)
