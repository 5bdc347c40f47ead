"""No command says a secret: every command's output, everything under build/, on a stick and beside the fleet file.

The fleet has a secret of every kind (root, accounts, webhook token, subscription key) from every source (environment,
file, program, prompt). A new command is covered by itself, or fails `test_contract.test_every_command_is_tried_here`.
"""

from __future__ import annotations

import bz2
import io
import json
import re
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import pytest

from tests.app.workspaces import Cli, contents
from tests.cli.test_contract import CALLS, REFUSED, all_commands, filled
from ventoy_kit.cli import cli as group
from ventoy_kit.cli.console import Console
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.gather import secrets
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files
from ventoy_kit.payload.overlay import CLEAR

READY = "$y$j9T$ReadyHashOfTheKit$" + "Y" * 43
PASSWORDS = {
    "environment": "Corellian-Ale-0001",
    "file": "Bantha-Milk-0002",
    "program": "Jawa-Juice-0003",
    "prompt": "Ardees-Nectar-0004",
}
TOKENS = {"token": "Kessel-Token-0005", "subscription": "pve2c-6e6f746b65"}
ISOS: dict[Literal["proxmox-ve", "debian"], str] = {"proxmox-ve": "9.2-1", "debian": "13.1.0"}

SECRETS = """\
secrets:
  root: {env: ROOT_PASSWORD}
  from-file: {file: ops.secret}
  from-program: {command: [sh, -c, "cat program.secret; echo Tatooine-Stderr-0006 >&2"]}
  from-prompt: {prompt: true}
  ready: {env: READY_HASH}
  token: {file: token.secret, allow_on_stick: true}
  subscription: {env: SUBSCRIPTION, allow_on_stick: true}
users:
  ops: {password: from-file, sudo: true}
  guest: {password: from-program}
  typed: {password: from-prompt}
  backup: {password: ready}
"""
NODES = """\
  node2:
    title: Second node
    model: generic-uefi
    identity: {serial: DEF4567}
    hardware: {nics: {lan0: {mac: "a8:a1:59:00:00:02"}}}
    disks: {disk0: {use: system, serial: S5GXNX0T200001, size: 1 TB}}
    install:
      image: newer
      filesystem: ext4
      webhook: {url: "https://hook.example/done", token: token}
      subscription_key: subscription
    network: {nic: lan0, address: 192.168.1.12/24}
  node3:
    title: Third node
    model: generic-uefi
    identity: {serial: GHI7890}
    hardware: {nics: {lan0: {mac: "a8:a1:59:00:00:03"}}}
    disks: {disk0: {use: system, serial: S5GXNX0T300001, size: 1 TB}}
    install: {image: debian, filesystem: ext4}
    network: {nic: lan0, address: 192.168.1.13/24}
"""


@pytest.fixture(scope="session")
def _many_secrets(_starter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets") / "fleet"
    shutil.copytree(_starter, folder)
    for product, release in ISOS.items():
        image = standin_files(product, release)
        write_iso(
            image.files, image.volume_id, folder / f"iso/{product}.iso", bios=BIOS_IMAGE, uefi=UEFI_IMAGE
        )
    file = folder / "fleet.yaml"
    text = file.read_text()
    for old, new in (
        ("secrets:\n  root: {env: ROOT_PASSWORD}\n", SECRETS),
        ("\ndefaults:", "  newer: {path: iso/proxmox-ve.iso}\n  debian: {path: iso/debian.iso}\n\ndefaults:"),
        ("  hooks:\n", "  debian_mirror: http://mirror.example/debian\n  hooks:\n"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text + NODES)
    for name, value in (
        ("ops", PASSWORDS["file"]),
        ("program", PASSWORDS["program"]),
        ("token", TOKENS["token"]),
    ):
        (folder / f"{name}.secret").write_text(value + "\n")
        (folder / f"{name}.secret").chmod(0o600)
    return folder


@pytest.fixture
def fleet(_many_secrets: Path, tmp_path: Path, monkeypatch, cli) -> Path:  # cli sets the environment
    """The fleet with many secrets as the working folder; gives the folder."""
    folder = tmp_path / "fleet"
    shutil.copytree(_many_secrets, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(secrets, "ROUNDS", 1000)
    monkeypatch.setattr(Console, "ask_secret", lambda *_: PASSWORDS["prompt"])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROOT_PASSWORD", PASSWORDS["environment"])
    monkeypatch.setenv("READY_HASH", READY)
    monkeypatch.setenv("SUBSCRIPTION", TOKENS["subscription"])
    return folder


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def hashes(fleet: Path) -> set[str]:
    """The hashes in use, without their names; as they are made anew in each build, from where the kit keeps them."""
    kept = json.loads((fleet / ".ventoy-kit/hashes.json").read_bytes())
    assert kept["ready"] == READY
    assert len(set(kept.values())) == len(PASSWORDS) + 1
    return set(kept.values())


def members(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, and if it is an archive what lies in it."""
    yield path, data
    if path.endswith(".tar.bz2"):
        with tarfile.open(fileobj=io.BytesIO(bz2.decompress(data))) as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None:
                    yield f"{path}:{member.name}", file.read()


def holding(folder: Path, words: set[str]) -> set[str]:
    """The files below a folder, by path, that hold one of the words; ISO files cannot."""
    found = set()
    for path, data in contents(folder).items():
        if not path.endswith(".iso"):
            for name, content in members(path, data):
                found |= {name for word in words if word.encode() in content}
    return found


def said(text: str, unsaid: set[str]) -> set[str]:
    """What of the secrets a text says: they themselves, or the part of a hash that tells it apart."""
    crypted = set(re.findall(r"\$(?:6|y)\$[^\s\"']{20,}", text))
    return {word for word in unsaid if word in text or word.rsplit("$", 1)[-1] in text} | crypted


def ways(name: str) -> list[list[str]]:
    """Options that change what a command prints."""
    command: click.Command = group
    for word in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    return [
        [],
        ["--json"],
        ["--verbose"],
        *([["--dry-run"], ["--dry-run", "--json"]] * ("--dry-run" in known)),
    ]


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_no_command_says_a_secret(fleet: Path, stick: Path, cli: Cli, name: str, tmp_path: Path):
    assert cli("build", "--quiet").code == 0
    unsaid = {*PASSWORDS.values(), *TOKENS.values(), "Tatooine-Stderr-0006", *hashes(fleet)}
    ran = 0
    for call in (CALLS.get(name), REFUSED.get(name)):
        for options in ways(name) if call else ():
            folder = stick / str(ran)
            folder.mkdir()
            got = cli(*filled(call or [], folder), *options)
            assert got.out + got.err
            assert not said(got.out + got.err, unsaid), (call, options)
            ran += 1
    assert ran
    clear = {*PASSWORDS.values(), "Tatooine-Stderr-0006"}
    assert holding(tmp_path, clear) == {"fleet/fleet.yaml", "fleet/ops.secret", "fleet/program.secret"}


def test_nothing_is_held_in_clear_and_what_holds_hashes_is_private(fleet: Path, cli: Cli, tmp_path: Path):
    assert cli("build", "--quiet").code == 0
    mine = hashes(fleet)
    found = holding(tmp_path, mine | set(TOKENS.values()))
    inside = {name.rsplit(":", 1)[1] for name in found if ":" in name}
    assert inside == {
        *(f"ventoy-kit/nodes/node{n}/{f}" for n, f in ((1, "answer.toml"), (2, "answer.toml"))),
        *(f"ventoy-kit/nodes/node3/{f}" for f in ("partman.cfg", "users")),
    }
    outside = {name.split(":")[0] for name in found}
    assert {Path(name).name for name in outside} == {"overlay.tar.bz2", "hashes.json", "token.secret"}
    for name in outside:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
    for folder in (fleet / "build", fleet / ".ventoy-kit"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_stick_holds_hashes_and_what_was_allowed_only_where_it_says_so(fleet: Path, stick: Path, cli: Cli):
    assert cli("build", "--quiet").code == 0
    assert cli("stage", stick, "--yes", "--quiet").code == 0
    assert not holding(stick, set(PASSWORDS.values()))
    manifest = json.loads((stick / "ventoy/mycluster/manifest.json").read_bytes())
    declared = {e["path"]: e["origin"] for e in manifest["files"]}
    clear = {name.split(":")[0] for name in holding(stick, set(TOKENS.values()))}
    assert clear == {path for path, origin in declared.items() if origin.startswith(CLEAR)}
    assert [declared[path] for path in clear] == [f"{CLEAR}node2"]
    with_hashes = {name.split(":")[0] for name in holding(stick, hashes(fleet))}
    assert with_hashes == {path for path in declared if path.endswith("overlay.tar.bz2")}
    shown = cli("status", stick).out
    assert "node2" in shown


@pytest.mark.parametrize("name", TOKENS)
def test_a_secret_that_may_not_travel_is_refused_and_not_said(fleet: Path, cli: Cli, name: str):
    file = fleet / "fleet.yaml"
    text = file.read_text()
    (line,) = [x for x in text.splitlines() if x.startswith(f"  {name}: ")]
    file.write_text(text.replace(line, line.replace(", allow_on_stick: true", "")))
    for command in ("build", "check"):
        ran = cli(command, "--verbose")
        assert ran.code == 1
        assert name in ran.err
        assert not said(ran.out + ran.err, {*TOKENS.values(), *PASSWORDS.values()})
    assert not (fleet / "build").exists()


@pytest.mark.parametrize("command", ["build", "check"])
@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("short", "Hoth-01"),
        ("odd hash", "$6$Endor-Bunker"),
        ("line end", "Dagobah-Swamp\nWampa-Cave"),
        ("long", "Mustafar-" * 99),
        ("control", "Naboo-\x07-Palace"),
    ],
)
def test_a_bad_secret_is_refused_without_being_said(fleet: Path, cli: Cli, monkeypatch, command, way, value):
    monkeypatch.setenv("ROOT_PASSWORD", value)
    monkeypatch.setenv("SUBSCRIPTION", value if way == "line end" else "x" * 20)
    for options in ([], ["--json"], ["--verbose"]):
        ran = cli(command, *options)
        assert ran.code == (1 if command == "build" else 0)
        assert not any(part in ran.out + ran.err for part in re.split(r"[\n\x07$-]", value) if len(part) > 3)


PLAIN = "hunter2-abc"
"""A password that could be the name of a secret, a variable, a file or a program."""

MISPLACED = {
    "root": ("  root_password: root\n", "  root_password: {}\n"),
    "account": ("ops: {password: from-file, sudo: true}", "ops: {password: {}, sudo: true}"),
    "token": ("token: token}\n", "token: {}}\n"),
    "subscription": ("subscription_key: subscription\n", "subscription_key: {}\n"),
    "variable": ("root: {env: ROOT_PASSWORD}", "root: {env: {}}"),
    "file": ("{file: ops.secret}", "{file: {}}"),
    "program": ('[sh, -c, "cat program.secret; echo Tatooine-Stderr-0006 >&2"]', "[{}]"),
    "source": ("root: {env: ROOT_PASSWORD}", "root: {}"),
    "unknown source": ("root: {env: ROOT_PASSWORD}", "root: {value: {}}"),
    "mistyped key": ("  root_password: root\n", "  rootpasword: {}\n"),
    "next line": ("  root_password: root\n", "  root_password:\n    {}\n"),
    "with another mistake": ("  root_password: root\n", "  root_password: {}\n  domain: a_b\n"),
    "no text of YAML": ("  root_password: root\n", "  root_password: @{}\n"),
    "a map": ("  root_password: root\n", "  root_password: {}: x\n"),
    "alias": ("  root_password: root\n", "  root_password: *{}\n"),
    "tag": ("  root_password: root\n", "  root_password: !{}\n"),
    "handle": ("  root_password: root\n", "  root_password: !{}!x y\n"),
    "open quote": ("  root_password: root\n", '  root_password: "{}\n'),
    "escape": ("  root_password: root\n", '  root_password: "\\{}"\n'),
    "below no YAML": ("root: {env: ROOT_PASSWORD}", "root: @{}"),
    "before a tab": ("  root_password: root\n", "  root_password: {}\n\tdomain: x\n"),
    "before a control character": ("  root_password: root\n", "  root_password: {}\x07\n"),
}
"""What stands in the fleet file, and with the password in its place."""


def misplaced(fleet: Path, way: str, word: str) -> None:
    file = fleet / "fleet.yaml"
    text = file.read_text()
    old, new = MISPLACED[way]
    assert text.count(old) == 1
    file.write_text(text.replace(old, new.replace("{}", word)))


@pytest.mark.parametrize("way", MISPLACED)
@pytest.mark.parametrize("word", [PLAIN, "Hunter2abc"])
def test_a_password_where_a_name_belongs_is_not_repeated(fleet: Path, cli: Cli, way: str, word: str):
    misplaced(fleet, way, word)
    for command in ("build", "check", "blueprint"):
        for options in ([], ["--json"], ["--verbose"]):
            ran = cli(command, *options)
            assert ran.code == 1 or (command != "build" and way in ("variable", "file", "program"))
            assert word not in ran.out + ran.err
            assert "fleet.yaml" in ran.out + ran.err or ran.code == 0
    assert not (fleet / "build").exists()


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_no_command_repeats_a_password_where_a_name_belongs(fleet: Path, stick: Path, cli: Cli, name: str):
    assert cli("build", "--quiet").code == 0
    assert cli("stage", stick, "--yes", "--quiet").code == 0
    misplaced(fleet, "root", PLAIN)
    calls = [[a.format(stick=stick, staged=stick) for a in call.get(name, [])] for call in (CALLS, REFUSED)]
    for call in calls:
        for options in ways(name) if call else ():
            ran = cli(*call, *options)
            assert ran.code in (0, 1)
            assert PLAIN not in ran.out + ran.err


def test_what_names_a_secret_is_said_where_it_cannot_be_one(fleet: Path, cli: Cli, monkeypatch):
    monkeypatch.delenv("ROOT_PASSWORD")
    (fleet / "ops.secret").unlink()
    ran = cli("build")
    assert "ROOT_PASSWORD is not set" in ran.err
    assert "ops.secret cannot be read" in ran.err
    assert " | " in ran.err
    misplaced(fleet, "root", "rot")
    assert "fix:  Did you mean `root`?" in cli("check").err


def test_a_mistake_of_the_kit_says_no_secret(fleet: Path, cli: Cli, monkeypatch):
    """The traceback shows lines of the kit's code, not what the variables held."""
    monkeypatch.setattr("ventoy_kit.app.build.render_payload", lambda plan, library: plan / library)
    ran = cli("build")
    assert (ran.code, ran.out) == (3, "")
    assert "Traceback" in ran.err
    assert not said(ran.err, {*PASSWORDS.values(), *TOKENS.values(), READY})
