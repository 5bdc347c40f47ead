"""Secrets: where they come from, what becomes of them, and that no part of one is ever said."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from passlib.hash import sha512_crypt

from tests.support.fleets import BASE, READY_HASH, Variables, put_isos
from ventoy_kit.cli import run as main
from ventoy_kit.edge.files import HostFiles
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.errors import MachineError
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.gather import secrets
from ventoy_kit.gather.secrets import SecretSources, gather_hashes
from ventoy_kit.plan.inputs import Inputs
from ventoy_kit.report import Report

SECRET = "correct horse Bättery"


def fleet_with(source: str) -> Fleet:
    text = BASE.read_text().replace("{env: ROOT_PASSWORD}", source)
    fleet, _, report = decode_fleet(text.encode(), "f")
    assert fleet is not None, list(report)
    return fleet


def gather(
    source: str, base: Path, known: Mapping[str, str] | None = None, **variables: str
) -> tuple[str | None, Report]:
    sources = SecretSources(base, HostFiles(), Variables(variables), SystemProcess({}))
    hashes, report = gather_hashes(fleet_with(source), sources, known or {})
    return hashes.get("root"), report


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(secrets, "ROUNDS", 1000)


def write(folder: Path, data: bytes, mode: int = 0o600) -> None:
    (folder / "root.txt").write_bytes(data)
    (folder / "root.txt").chmod(mode)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("way", ["env", "file", "command"])
def test_a_secret_comes_from_each_source_without_its_line_end(way, ending, tmp_path):
    write(tmp_path, (SECRET + ending).encode())
    source = {
        "env": "{env: IT}",
        "file": "{file: root.txt}",
        "command": f"{{command: [cat, {tmp_path / 'root.txt'}]}}",
    }[way]
    made, report = gather(source, tmp_path, IT=SECRET + ending)
    assert not list(report)
    assert made is not None
    assert sha512_crypt.verify(SECRET, made)


def test_a_byte_order_mark_is_no_part_of_a_password(tmp_path):
    write(tmp_path, b"\xef\xbb\xbf" + SECRET.encode())
    made, _ = gather("{file: root.txt}", tmp_path)
    assert made is not None
    assert sha512_crypt.verify(SECRET, made)


def test_blanks_around_a_password_belong_to_it(tmp_path):
    made, _ = gather("{env: IT}", tmp_path, IT=f" {SECRET} ")
    assert made is not None
    assert sha512_crypt.verify(f" {SECRET} ", made)


@pytest.mark.parametrize(
    "ready",
    [
        READY_HASH,
        "$6$" + "a" * 16 + "$" + "b" * 86,
        "$y$j9T$" + "a" * 22 + "$" + "b" * 43,
        "$2b$12$" + "a" * 53,
        "$7$CU..../....aaaaaaaaaaaaaaaa$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    ],
)
def test_a_ready_hash_is_taken_as_it_is(ready, tmp_path):
    assert gather("{env: IT}", tmp_path, IT=ready) == (ready, Report())


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", "VK-X01"),
        ("1234567", "VK-X02"),
        ("äöü", "VK-X02"),
        ("long enough\nbut two lines", "VK-X03"),
        ("long enough\n\n", "VK-X03"),
        ("long\tenough", "VK-X03"),
        ("long enough\x7f", "VK-X03"),
        ("long enough\udcff", "VK-X03"),
        ("x" * 512, "VK-X03"),
        ("ü" * 256, "VK-X03"),
        ("$1$abcdefgh$abcdefghijklmnopqrstuv", "VK-X03"),
        ("$6$short", "VK-X03"),
        ("$6$" + "a" * 16 + "$" + "b" * 40 + "\\nd-i", "VK-X03"),
        ("$6$" + "a" * 16 + "$" + "b" * 40 + ":0:0", "VK-X03"),
        ("$ecret that is no hash", "VK-X03"),
    ],
)
def test_what_cannot_be_a_password_is_refused(value, rule, tmp_path):
    made, report = gather("{env: IT}", tmp_path, IT=value)
    assert made is None
    assert [f.rule.code for f in report] == [rule]


@pytest.mark.parametrize(
    "value",
    [
        *("aaaaaaaaaa", "ababababab", "12345678901", "2038011911", "abcdefghij", "Password123", "P@ssw0rd!"),
        *("@dmin-r00t-1", "changeme2026", "proxmox-9.1", "demo-2026!", "Alpha!9999", "example.2026"),
    ],
)
def test_a_password_that_is_tried_first_is_warned_of_without_being_said(value, tmp_path):
    made, report = gather("{env: IT}", tmp_path, IT=value)
    assert made is not None
    (finding,) = report
    assert (finding.rule.code, finding.severity) == ("VK-X05", "warning")
    assert value.lower() not in repr(finding).lower()


@pytest.mark.parametrize(
    "value",
    [
        "correct horse Bättery",
        "at least eight characters",
        "Tr0ub4dor&3",
        "9f8e7d6c5b4a",
        "root password of falcon",
        "test-8k2-Jd9-x7-Qp4",
        "a8-user-9Kq#z2",
        "password-8471-9921-3312-0041",
        "83910472956108347261093847261",
        "日本語のパスワード",
    ],
)
def test_nothing_is_said_against_others(value, tmp_path):
    _, report = gather("{env: IT}", tmp_path, IT=value)
    assert not list(report)


@pytest.mark.parametrize(
    "source",
    [
        "{file: nowhere.txt}",
        "{file: .}",
        '{file: "a\\0b"}',
        "{file: ~nobody-of-that-name/x}",
        "{command: [no-such-program-anywhere]}",
        '{command: [echo, "a\\0b"]}',
        "{command: ['']}",
        "{command: ['false']}",
        "{command: ['true']}",
    ],
)
def test_a_source_that_gives_nothing_is_a_finding(source, tmp_path):
    made, report = gather(source, tmp_path)
    assert made is None
    assert [f.rule.code for f in report] == ["VK-X01"]


def test_bytes_that_are_no_text_are_findings(tmp_path):
    write(tmp_path, b"long enough\xff")
    assert [f.rule.code for f in gather("{file: root.txt}", tmp_path)[1]] == ["VK-X01"]
    assert [f.rule.code for f in gather(f"{{command: [cat, {tmp_path}/root.txt]}}", tmp_path)[1]] == [
        "VK-X03"
    ]


class Hanging:
    """Implements `ports.Process` and never ends in time."""

    def run(self, argv: Sequence[str], *, timeout: float) -> tuple[int, str, str]:
        raise MachineError("sleep did not end within 60 seconds and was stopped", "hint")


def test_a_program_that_hangs_is_a_finding(tmp_path):
    sources = SecretSources(tmp_path, HostFiles(), Variables({}), Hanging())
    hashes, report = gather_hashes(fleet_with("{command: [sleep, inf]}"), sources, {})
    assert hashes == {}
    assert "did not end" in next(iter(report)).message


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(
    ("mode", "found"), [(0o600, []), (0o400, []), (0o640, ["VK-X04"]), (0o604, ["VK-X04"])]
)
def test_a_file_that_others_can_read_is_warned_of(mode, found, tmp_path):
    write(tmp_path, SECRET.encode(), mode)
    made, report = gather("{file: root.txt}", tmp_path)
    assert made is not None
    assert [f.rule.code for f in report] == found


def test_a_hash_is_used_again_while_it_verifies(tmp_path):
    first, _ = gather("{env: IT}", tmp_path, IT=SECRET)
    assert first is not None
    assert gather("{env: IT}", tmp_path, {"root": first}, IT=SECRET)[0] == first
    changed, _ = gather("{env: IT}", tmp_path, {"root": first}, IT=SECRET + "2")
    assert changed is not None
    assert changed != first
    assert sha512_crypt.verify(SECRET + "2", changed)


@pytest.mark.parametrize("known", ["", "junk", "$6$x", READY_HASH])
def test_a_remembered_hash_that_is_none_is_made_anew(known, tmp_path):
    made, report = gather("{env: IT}", tmp_path, {"root": known}, IT=SECRET)
    assert made is not None
    assert sha512_crypt.verify(SECRET, made)
    assert not list(report)


def test_a_secret_that_nothing_uses_is_not_read(tmp_path):
    text = (
        BASE.read_text()
        .replace("  root_password: root\n", "")
        .replace("{env: ROOT_PASSWORD}", "{command: ['false']}")
    )
    fleet, _, _ = decode_fleet(text.encode(), "f")
    assert fleet is not None
    sources = SecretSources(tmp_path, HostFiles(), Variables({}), Hanging())
    assert gather_hashes(fleet, sources, {}) == ({}, Report())


def test_inputs_keep_hashes_out_of_their_representation():
    names = {f.name for f in dataclasses.fields(Inputs) if f.repr}
    assert "password_hashes" not in names


@pytest.fixture
def everything(tmp_path, monkeypatch, capfd) -> Callable[..., str]:
    """Runs commands in a folder with a fleet and gives all that they print."""
    monkeypatch.chdir(tmp_path)
    put_isos(tmp_path)
    text = BASE.read_text()
    (tmp_path / "fleet.yaml").write_text(text)

    def run(*args: str) -> str:
        code = main(list(args))
        captured = capfd.readouterr()
        assert code in (0, 1), captured.err
        return str(captured.out + captured.err)

    return run


PARTS = ("xylophone", "quagmire", "Zephyr")


@pytest.mark.parametrize("flags", [(), ("--json",), ("-v",)], ids=" ".join)
def test_no_command_and_no_file_says_any_part_of_a_secret(flags, everything, tmp_path, monkeypatch):
    """The password in clear nowhere; its hash only in files that its owner alone can read."""
    monkeypatch.setenv("ROOT_PASSWORD", "xylophone quagmire Zephyr")
    (tmp_path / "stick").mkdir()
    said = "".join(
        everything(*command, *flags)
        for command in (
            ["check"],
            ["build", "--dry-run"],
            ["build"],
            ["stage", "stick", "--yes"],
            ["status", "stick"],
            ["checklist"],
        )
    )
    state = json.loads((tmp_path / ".ventoy-kit" / "hashes.json").read_text())
    digest = state["root"].rpartition("$")[2]
    assert len(digest) == 86
    for part in (*PARTS, digest):
        assert part not in said
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        data = file.read_bytes()
        assert not any(part.encode() in data for part in PARTS), file
        if digest.encode() in data:
            assert file.stat().st_mode & 0o077 == 0, file
    assert (tmp_path / ".ventoy-kit" / "hashes.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "build").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "secret", ["quaggy", "xylophone\tquagmire", "$xylophone quagmire Zephyr", "quagmire" * 100]
)
def test_a_refused_secret_is_not_said_either(secret, everything, monkeypatch):
    monkeypatch.setenv("ROOT_PASSWORD", secret)
    for flags in ([], ["--json"], ["-v"]):
        said = everything("build", *flags)
        assert "VK-X0" in said
        assert "quag" not in said


class TestTyped:
    """A secret with `prompt: true`."""

    FLEET = BASE.read_bytes().replace(b"root: {env: ROOT_PASSWORD}", b"root: {prompt: true}")

    def gather(self, tmp_path, *typed):
        answers = iter(typed)
        fleet, _, _ = decode_fleet(self.FLEET, "fleet.yaml")
        assert fleet is not None
        ask = lambda _question: next(answers, None)  # noqa: E731 - a lambda reads best here
        return gather_hashes(
            fleet, SecretSources(tmp_path, HostFiles(), Variables({}), SystemProcess({}), ask), {}
        )

    def test_it_is_typed_twice_and_hashed(self, tmp_path):
        hashes, report = self.gather(tmp_path, "a good password", "a good password")
        assert not list(report)
        assert hashes["root"].startswith("$6$")

    @pytest.mark.parametrize("typed", [(), ("",), ("a good password", "another one"), ("a good password",)])
    def test_nothing_or_two_ways_are_refused_without_showing_it(self, tmp_path, typed):
        hashes, report = self.gather(tmp_path, *typed)
        assert not hashes
        assert [f.rule.code for f in report] == ["VK-X01"]
        assert "password" not in "".join(f.message for f in report)
