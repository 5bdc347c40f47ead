"""`hardware scan|show|probe` as a user types them: on this machine, over SSH, from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.workspaces import Cli, Ran
from tests.support.machines import machine
from ventoy_kit.cli import cli as group
from ventoy_kit.cli.hardware_commands import hardware


def with_files(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def node1(tmp_path: Path, ssh: Path) -> Path:
    """The machine of the starter's node at the end of the fake ssh; gives the file with its arguments."""
    files = {
        "sys/block/nvme0n1/device/serial": "S5GXNX0T100001      \n",
        "sys/block/nvme0n1/device/model": "Samsung SSD\n",
        "sys/block/nvme0n1/size": "1953525168\n",
        "sys/class/net/eno1/device/x": "",
        "sys/class/net/eno1/address": "a8:a1:59:00:00:01\n",
        "proc/sys/kernel/hostname": "node1.example\n",
    }
    with_files(machine(tmp_path / "machine"), files)
    return ssh


def codes(ran: Ran) -> list[str]:
    return [f["rule"] for f in ran.envelope["findings"]]


def test_a_node_is_scanned_over_ssh_and_its_facts_lie_beside_the_fleet_file(fleet, cli: Cli, node1):
    ran = cli("hardware", "scan", "node1")
    assert ran.code == 0, ran.err
    arguments = node1.read_text().splitlines()
    assert arguments[arguments.index("--") + 1 :] == ["root@192.168.1.11", "python3", "-"]
    document = json.loads((fleet / "hardware/node1.json").read_text())
    assert document.keys() == {"format", "hardware", "firmware"}
    assert "serial number: ABC1234" in ran.err + ran.out
    assert "S5GXNX0T100001" in ran.err + ran.out
    shown = cli.json("hardware", "show", "node1").result
    assert shown["disks"][0]["serial"] == "S5GXNX0T100001"
    assert cli.json("bios", "check", "node1", "--facts", "hardware/node1.json").envelope["result"]
    assert cli("hardware", "scan", "node1", "--ssh", "me@box", "--sudo").code == 0
    assert node1.read_text().splitlines()[-5:] == ["me@box", "sudo", "-n", "python3", "-"]


def test_facts_and_fleet_are_compared_by_check_and_build(fleet, cli, node1):
    assert cli("hardware", "scan", "node1").code == 0
    file = fleet / "fleet.yaml"
    file.write_text(file.read_text().replace("S5GXNX0T100001", "S5GXNX0T100009"))
    for command in ("check", "build"):
        ran = cli.json(command)
        assert (ran.code, {"VK-Q07"} - set(codes(ran))) == (1, set())


def test_another_machine_is_not_recorded_as_the_node(fleet, cli, node1, monkeypatch, tmp_path):
    monkeypatch.setenv("MACHINE", str(machine(tmp_path / "other", serial="OTHER99")))
    ran = cli.json("hardware", "scan", "node1")
    assert (ran.code, ran.rules) == (1, ["VK-Q04"])
    assert ran.envelope["findings"][0]["path"] == "nodes.node1.identity.serial"
    assert not (fleet / "hardware").exists()


def test_a_new_machine_is_named_after_its_host_name_or_as_it_is_told(
    fleet, cli, node1, tmp_path, monkeypatch
):
    root = with_files(
        machine(tmp_path / "other", serial="OTHER99"), {"proc/sys/kernel/hostname": "Falcon.example\n"}
    )
    monkeypatch.setenv("MACHINE", str(root))
    assert cli.json("hardware", "scan", "--ssh", "root@box").result["node"] == "falcon"
    assert cli("hardware", "scan", "chewie", "--ssh", "root@box").code == 0
    ran = cli.json("hardware", "scan", "--ssh", "root@box", "-o", "elsewhere/x.json")
    assert (ran.code, ran.rules) == (1, ["VK-U10"])
    assert not (fleet / "elsewhere").exists()
    (fleet / "elsewhere").mkdir()
    assert cli("hardware", "scan", "--ssh", "root@box", "-o", "elsewhere/x.json").code == 0
    files = sorted(p.relative_to(fleet).as_posix() for p in fleet.glob("*/*.json"))
    assert files == ["elsewhere/x.json", "hardware/chewie.json", "hardware/falcon.json"]
    (root / "proc/sys/kernel/hostname").write_text("localhost\n")
    ran = cli.json("hardware", "scan", "--ssh", "root@box")
    assert (ran.code, ran.rules) == (1, ["VK-Q17"])
    printed = cli("hardware", "scan", "--ssh", "root@box", "-o", "-")
    assert json.loads(printed.out)["format"] == 1
    assert not (fleet / "-").exists()


def test_this_machine(fleet, cli):
    assert cli("hardware", "scan", "here", "--local").code == 0
    assert (fleet / "hardware/here.json").stat().st_mode & 0o777 == 0o644
    assert cli("hardware", "show", "here").code == 0
    assert "VK-Q02" in codes(cli.json("check"))


def test_without_a_fleet_file_a_machine_can_be_looked_at(cli, node1, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("hardware", "scan", "--ssh", "root@box").code == 0
    assert (tmp_path / "hardware/node1.json").exists()
    assert cli.json("hardware", "scan", "node1").rules == ["VK-U02"]


def test_the_json_of_proxmox_is_shown(fleet, cli):
    (fleet / "info.json").write_text(
        '{"disks": {"sda": {"ID_SERIAL_SHORT": "WD-1", "ID_BUS": "ata"}}, "nics": {}}'
    )
    ran = cli("hardware", "show", "info.json")
    assert ran.code == 0
    assert "sda" in ran.out + ran.err
    assert "unknown" in ran.out + ran.err


def test_the_probe_is_printed_and_travels_on_the_stick(built, cli):
    text = cli("hardware", "probe").out
    (on_stick,) = built.glob("build/ventoy/*/probe/hardware.*.py")
    assert on_stick.read_text() == text
    assert text.startswith("#!/usr/bin/env python3\n")


def test_an_answer_that_is_none_is_a_finding(fleet, cli, node1):
    (node1.parent / "bin/ssh").write_text("#!/bin/sh\ncat >/dev/null\necho hello\n")
    assert cli.json("hardware", "scan", "node1").rules == ["VK-Q01"]


def test_no_connection_is_3(fleet, cli, node1, monkeypatch):
    monkeypatch.setenv("FAIL", "ssh: connect to host box port 22: No route to host")
    assert cli("hardware", "scan", "node1").code == 3
    assert not (fleet / "hardware").exists()


@pytest.mark.parametrize(
    "args",
    [
        ["scan"],
        ["scan", "node1", "--local", "--ssh", "a@b"],
        ["scan", "../x", "--local"],
        ["scan", "auto", "--local"],
        ["scan", "--ssh", "-oProxyCommand=evil"],
        ["show"],
    ],
)
def test_wrong_usage_is_2(fleet, cli, args):
    assert cli("hardware", *args).code == 2


@pytest.mark.parametrize("name", ["node1", "absent.json", "..", "fleet.yaml", "/"])
def test_what_cannot_be_shown_is_1(fleet, cli, name):
    assert cli.json("hardware", "show", name).rules == ["VK-Q01"]


def test_a_folder_that_may_not_be_written_to_is_said(fleet, cli, monkeypatch):
    monkeypatch.setattr("ventoy_kit.app.writable.is_writable", lambda _: False)  # root may write everywhere
    ran = cli.json("hardware", "scan", "node7", "--local")
    assert (ran.code, ran.rules) == (1, ["VK-U04"])
    assert not (fleet / "hardware").exists()


def test_recorded_nodes_are_completed(fleet, cli):
    assert cli("hardware", "scan", "here", "--local").code == 0
    show = hardware.commands["show"]
    context = show.make_context("show", ["x"], parent=group.make_context("ventoy-kit", ["hardware", "show"]))
    (argument,) = [p for p in show.params if p.name == "name"]
    assert [c.value for c in argument.shell_complete(context, "h")] == ["here"]
