"""What scripts count on: exit codes, the JSON envelope, what goes to stdout and what to stderr."""

import json
import os
import subprocess
from pathlib import Path

import click
import pytest

from tests.app.workspaces import ISO, Cli, command, environment, separate
from tests.cluster.simulation import SimNode, Simulation
from ventoy_kit import __version__
from ventoy_kit.cli import COMMANDS, run
from ventoy_kit.cli import cli as group
from ventoy_kit.cli.console import CHANGING
from ventoy_kit.errors import StorageError

ANSWER = Path(__file__).parents[1] / "answers" / "cases" / "ext4-by-serial" / "answer.toml"
FINDING = {"rule", "severity", "message", "remedy", "file", "line", "column", "path"}

ALLIANCE = Path(__file__).parents[2] / "examples" / "alliance" / "fleet.yaml"

# One call that succeeds for every command; `{stick}` is an empty folder.
CALLS = {
    "answer render": ["answer", "render", "node1"],
    "answer simulate": [
        *("answer", "simulate", "node1", "--hardware", str(Path(__file__).parent / "hardware.json")),
    ],
    "answer validate": ["answer", "validate", str(ANSWER)],
    "adopt": ["adopt", str(Path(__file__).parent / "hardware.json"), "--yes"],
    "bios check": ["bios", "check", "node1", "--facts", str(Path(__file__).parent / "facts.json")],
    "bios export": ["bios", "export", "dell-fcm2250"],
    "bios probe": ["bios", "probe"],
    "bios show": ["bios", "show", "node1"],
    "blueprint": ["blueprint"],
    "build": ["build"],
    "check": ["check"],
    "checklist": ["checklist"],
    "cluster converge": ["cluster", "converge", "--dry-run", "-f", str(ALLIANCE)],
    "demo": ["demo", "{stick}/demo"],
    "disarm": ["disarm", "{stick}"],
    "doctor": ["doctor"],
    "fetch": ["fetch", "--offline"],
    "hardware probe": ["hardware", "probe"],
    "hardware scan": ["hardware", "scan", "here", "--local"],
    "hardware show": ["hardware", "show", str(Path(__file__).parent / "hardware.json")],
    "hooks list": ["hooks", "list"],
    "hooks show": ["hooks", "show", "ssh"],
    "hooks verify": [
        "hooks",
        "verify",
        "-f",
        str(Path(__file__).parents[1] / "cases" / "base.yaml"),
    ],  # without hooks
    "image inspect": ["image", "inspect", ISO],
    "image list": ["image", "list"],
    "image verify": ["image", "verify"],
    "init": ["init", "{stick}/new"],
    "reimage": ["reimage", "node1", "{staged}", "--yes", "node1"],
    "schema": ["schema"],
    "stage": ["stage", "{stick}", "--yes"],
    "status": ["status"],
    "unstage": ["unstage", "{stick}", "--yes"],
    "what-if": ["what-if", "--down", "node1"],
}

# What takes a virtual machine for each call.
ELSEWHERE = {"rehearse": "tests/rehearse/test_live.py"}

# One call of a command that findings stop; the others cannot have any.
REFUSED = {
    "answer render": ["answer", "render", "nobody"],
    "answer simulate": ["answer", "simulate", "node1"],
    "answer validate": ["answer", "validate", "fleet.yaml"],
    "adopt": ["adopt", "fleet.yaml", "--yes"],
    "bios check": ["bios", "check", "nobody"],
    "bios export": ["bios", "export", "nobody"],
    "bios show": ["bios", "show", "nobody"],
    "blueprint": ["blueprint", "-f", "absent.yaml"],
    "build": ["build", "-f", "absent.yaml"],
    "check": ["check", "-f", "absent.yaml"],
    "checklist": ["checklist", "nobody"],
    "cluster converge": ["cluster", "converge"],
    "demo": ["demo", "."],
    "fetch": ["fetch", "nobody"],
    "hardware scan": ["hardware", "scan", "nobody"],
    "hardware show": ["hardware", "show", "nobody"],
    "hooks show": ["hooks", "show", "nothing"],
    "hooks verify": ["hooks", "verify", "nobody"],
    "image inspect": ["image", "inspect", "fleet.yaml"],
    "image verify": ["image", "verify", "{stick}"],
    "init": ["init", "."],
    "disarm": ["disarm", "/dev/null"],
    "rehearse": ["rehearse", "nobody"],
    "reimage": ["reimage", "nobody", "{stick}"],
    "stage": ["stage", "/dev/null", "--yes"],
    "status": ["status", "/dev/null"],
    "unstage": ["unstage", "/dev/null", "--yes"],
    "what-if": ["what-if", "--down", "nobody"],
}


@pytest.fixture(autouse=True)
def _nodes_answer(monkeypatch):
    """The nodes of the example fleet are a cluster that is well."""
    sim = Simulation(
        {n: SimNode(f"10.66.0.{11 + i}") for i, n in enumerate(("falcon", "corvette", "gozanti"))}
    )
    sim.name = "alliance"
    sim.spread(dict.fromkeys(sim.nodes, 1), list(sim.nodes))
    monkeypatch.setattr(
        "ventoy_kit.app.converge.run_on", lambda _p, address, *_a, **_m: (0, sim.probe(sim.at(address)), "")
    )


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def all_commands() -> set[str]:
    names = set()
    context = click.Context(group)
    for name in COMMANDS:
        found = group.get_command(context, name)
        assert found is not None
        inner = list(found.commands) if isinstance(found, click.Group) else []
        names |= {f"{name} {i}" for i in inner} or {name}
    return names


def test_every_command_is_tried_here():
    assert CALLS.keys() | ELSEWHERE.keys() == all_commands()


def filled(args: list[str], stick: Path) -> list[str]:
    """The call with its folders: an empty one, and one that is staged."""
    if "{staged}" in args:
        assert run(["stage", str(stick), "--yes", "--quiet"]) == 0
    return [a.format(stick=stick, staged=stick) for a in args]


def check_envelope(envelope, name: str, *, ok: bool) -> None:
    assert list(envelope) == ["command", "version", "ok", "findings", "result"]
    assert (envelope["command"], envelope["version"], envelope["ok"]) == (name, 1, ok)
    for finding in envelope["findings"]:
        assert finding.keys() == FINDING
        assert finding["severity"] in {"error", "warning", "note"}
        assert finding["message"]
        assert finding["remedy"]
        assert all(finding[k] is None or isinstance(finding[k], int) for k in ("line", "column"))
        assert all(finding[k] is None or isinstance(finding[k], str) for k in ("file", "path"))


@pytest.mark.parametrize("name", CALLS)
def test_done_is_0_and_one_json_document(built, stick, cli: Cli, name):
    ran = cli(*filled(CALLS[name], stick), "--json")
    assert ran.code == 0, ran.out
    assert ran.err == ""
    check_envelope(json.loads(ran.out), name, ok=True)
    assert isinstance(ran.envelope["result"], dict)
    assert ran.out.isascii()


@pytest.mark.parametrize("name", REFUSED)
def test_findings_are_1_and_one_json_document(built, stick, cli, name):
    ran = cli(*filled(REFUSED[name], stick), "--json")
    assert ran.code == 1
    assert ran.err == ""
    check_envelope(json.loads(ran.out), name, ok=False)
    assert any(f["severity"] == "error" for f in ran.envelope["findings"])


@pytest.mark.parametrize("name", CALLS)
def test_for_people_there_is_something_to_read_and_no_control_character(built, stick, cli, name):
    ran = cli(*filled(CALLS[name], stick))
    assert ran.code == 0
    assert ran.out
    assert all(c.isprintable() or c in "\n\f" for c in ran.out + ran.err)


@pytest.mark.parametrize("name", REFUSED)
def test_findings_go_to_stderr_with_rule_and_remedy(built, stick, cli, name):
    ran = cli(*filled(REFUSED[name], stick))
    assert ran.code == 1
    assert ran.out == ""
    assert "error VK-" in ran.err
    assert "  fix:  " in ran.err
    assert "  rule: " in ran.err
    assert "  why:  " not in ran.err
    assert "  why:  " in cli(*filled(REFUSED[name], stick), "--verbose").err
    assert ran.err.rstrip().endswith("nothing was changed") == (name.split()[0] in CHANGING)


@pytest.mark.parametrize("name", ["build", "stage", "check", "checklist", "schema"])
def test_quiet_prints_data_and_findings_only(fleet, stick, cli, name):
    if name == "stage":
        cli("build")
    ran = cli(*filled(CALLS[name], stick), "--quiet")
    assert ran.code == 0
    if name in {"checklist", "schema"}:
        assert ran.out
    else:
        assert ran.out == ""
    assert "Next:" not in ran.err
    assert cli("check", "-f", "absent.yaml", "-q").err.startswith("error VK-")


@pytest.mark.parametrize("name", CALLS)
def test_a_failure_of_the_machine_is_3_and_one_json_document(fleet, stick, cli, monkeypatch, name):
    def fail(*_args, **_more):
        raise StorageError("the disk is on fire", "Leave the building.")

    where = {
        "adopt": "ventoy_kit.app.adopt.adopt",
        "bios check": "ventoy_kit.app.bios.check",
        "bios export": "ventoy_kit.app.bios.export",
        "bios probe": "ventoy_kit.app.bios.probe_text",
        "answer render": "ventoy_kit.app.answer.render",
        "answer simulate": "ventoy_kit.app.answer.simulate_target",
        "answer validate": "ventoy_kit.app.answer.validate",
        "bios show": "ventoy_kit.app.bios.show",
        "blueprint": "ventoy_kit.app.drawing.blueprint",
        "build": "ventoy_kit.app.build.build",
        "check": "ventoy_kit.app.check.check",
        "checklist": "ventoy_kit.app.checklist.checklist",
        "cluster converge": "ventoy_kit.app.converge.converge",
        "demo": "ventoy_kit.app.demo.demo",
        "disarm": "ventoy_kit.app.disarm.disarm",
        "doctor": "ventoy_kit.app.doctor.doctor",
        "fetch": "ventoy_kit.app.fetch.fetch",
        "hardware probe": "ventoy_kit.app.hardware.probe_text",
        "hardware scan": "ventoy_kit.app.hardware.scan",
        "hardware show": "ventoy_kit.app.hardware.show",
        "hooks list": "ventoy_kit.app.hooks.hooks_list",
        "hooks show": "ventoy_kit.app.hooks.hook_show",
        "hooks verify": "ventoy_kit.app.hooks.hooks_verify",
        "image inspect": "ventoy_kit.app.image_inspect.inspect_images",
        "image list": "ventoy_kit.app.image_list.image_list",
        "image verify": "ventoy_kit.app.image_verify.verify_images",
        "init": "ventoy_kit.app.start.init",
        "reimage": "ventoy_kit.app.reimage.reimage",
        "schema": "ventoy_kit.app.info.schema",
        "stage": "ventoy_kit.app.stage.stage",
        "status": "ventoy_kit.app.devices.list_disks",
        "unstage": "ventoy_kit.app.unstage.unstage",
        "what-if": "ventoy_kit.app.whatif.what_if",
    }
    monkeypatch.setattr(where[name], fail)
    ran = cli(*filled([a.replace("{staged}", "{stick}") for a in CALLS[name]], stick), "--json")
    assert ran.code == 3
    check_envelope(json.loads(ran.out), name, ok=False)
    (finding,) = ran.envelope["findings"]
    assert (finding["rule"], finding["message"]) == ("machine", "the disk is on fire")
    text = cli(*filled([a.replace("{staged}", "{stick}") for a in CALLS[name]], stick))
    assert (text.code, text.out) == (3, "")
    assert text.err == "failed: the disk is on fire\n  try: Leave the building.\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["chek"], "Did you mean check?"),
        (["nonsense"], "No such command"),
        (["check", "--jsn"], "--json"),
        (["stage", "a", "b"], "unexpected extra argument"),
        (["stage", "x", "--create", "12X"], "16G"),
        (["stage", "x", "--create", ""], "16G"),
        (["unstage", "x", "--name", "../x"], "name of a fleet"),
        (["stage", "--create", "1G"], "needs a TARGET"),
        (["stage", "x", "--create", "1G", "--dry-run"], "--dry-run"),
        (["stage", "x", "--style", "apm"], "mbr"),
        (["image", "inspect"], "Missing argument"),
        (["hooks", "lst"], "list"),
    ],
)
def test_wrong_usage_is_2_and_says_what_was_meant(fleet, cli, args, said):
    ran = cli(*args)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert cli(*args, "--json").code == 2


def test_a_mistake_of_the_kit_is_3_and_never_looks_like_a_finding(fleet, cli, monkeypatch):
    monkeypatch.setattr("ventoy_kit.app.check.check", lambda *_, **__: 1 / 0)
    ran = cli("check", "--json")
    assert (ran.code, ran.out) == (3, "")
    assert "ZeroDivisionError" in ran.err
    assert "mistake in ventoy-kit" in ran.err


def test_ctrl_c_is_3(fleet, cli, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ventoy_kit.app.check.check", stop)
    ran = cli("check")
    assert (ran.code, ran.out) == (3, "")
    assert "interrupted" in ran.err


def test_version_and_help(cli):
    assert cli("--version").out == f"ventoy-kit, version {__version__}\n"
    shown = cli("--help").out
    assert all(name in shown for name in COMMANDS)
    assert "0 done, 1 findings or refused, 2 wrong usage, 3 the machine failed." in " ".join(shown.split())
    for name in CALLS:
        ran = cli(*name.split(), "--help")
        assert ran.code == 0
        assert "--json" in ran.out


def test_a_reader_that_goes_away_is_no_failure(fleet):
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -c 1 >/dev/null', "sh", *command("schema")],
        cwd=fleet,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


def test_the_module_and_the_fleet_variable(fleet, tmp_path):
    ran = separate(["check", "--json"], tmp_path)
    assert (ran.code, len(ran.rules)) == (1, 1)
    done = subprocess.run(
        command("check", "--json"),
        cwd=tmp_path,
        env=environment(VENTOY_KIT_FLEET=str(fleet / "fleet.yaml")),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["result"]["fleet"] == "mycluster"


def test_no_secret_is_ever_printed(fleet, cli, monkeypatch, stick):
    monkeypatch.setenv("ROOT_PASSWORD", "correct horse battery")
    for args in (
        ["build"],
        ["build", "--json"],
        ["stage", str(stick), "-y", "-v"],
        ["checklist"],
        ["check", "-v"],
    ):
        ran = cli(*args)
        assert ran.code == 0
        assert "correct horse" not in ran.out + ran.err
        assert "$6$" not in ran.out + ran.err


def test_control_characters_of_a_file_do_not_reach_the_terminal(fleet, cli):
    file = fleet / "fleet.yaml"
    file.write_text(file.read_text().replace("First node", "\x1b]0;owned\x07 \u202e title"), newline="")
    ran = cli("check")
    assert "\x1b" not in ran.out + ran.err
    assert "\u202e" not in ran.out + ran.err
    os.rename(fleet / ISO, fleet / "iso/\x1b[2J.iso")
    ran = cli("image", "inspect", "iso/\x1b[2J.iso")
    assert "\x1b" not in ran.out + ran.err


def test_run_gives_an_int_for_everything():
    assert run(["--help"]) == 0
