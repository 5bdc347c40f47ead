"""`bios show|check|export|probe` as a user types them: from recorded facts, on this machine, over SSH."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.workspaces import Cli, Ran
from tests.support import machines
from tests.support.machines import machine, probed


def dell(root: Path, **more: str) -> Path:
    changed = {name: (value, machines.OPTIPLEX_7090[name][1]) for name, value in more.items()}
    return machine(root, driver="dell-wmi-sysman", attributes={**machines.OPTIPLEX_7090, **changed})


def use(fleet: Path, model: str) -> None:
    file = fleet / "fleet.yaml"
    file.write_text(file.read_text().replace("model: generic-uefi", f"model: {model}"))


def codes(ran: Ran) -> list[str]:
    """All rules, those of warnings too."""
    return [f["rule"] for f in ran.envelope["findings"]]


def recorded(tmp_path: Path, root: Path) -> Path:
    file = tmp_path / "facts.json"
    file.write_text(probed(root))
    return file


def test_a_machine_in_order_is_0(fleet, cli: Cli, tmp_path):
    use(fleet, "dell-optiplex-7090-micro")
    facts = recorded(tmp_path, dell(tmp_path / "m"))
    ran = cli.json("bios", "check", "node1", "--facts", facts)
    assert ran.code == 0
    assert ran.result["count"] == {"match": 12, "mismatch": 0, "unknown": 1}
    text = cli("bios", "check", "node1", "--facts", facts)
    assert "match    Secure Boot off" in text.out
    assert "dell-wmi-sysman/SecureBoot: Disabled; EFI variable SecureBoot: 0" in text.out


def test_a_required_setting_that_is_wrong_is_1_and_its_change_is_printed(fleet, cli, tmp_path):
    use(fleet, "dell-optiplex-7090-micro")
    facts = recorded(tmp_path, dell(tmp_path / "m", SecureBoot="Enabled"))
    ran = cli("bios", "check", "node1", "--facts", facts)
    assert ran.code == 1
    assert "error VK-L07: Secure Boot off: dell-wmi-sysman/SecureBoot: Enabled" in ran.err
    assert "Press F2 at power-on and set Boot Configuration > Secure Boot > Enable Secure Boot" in ran.err
    assert "cctk --SecureBoot=Disabled" in ran.out
    data = cli.json("bios", "check", "node1", "--facts", facts)
    (wrong,) = [s for s in data.envelope["result"]["settings"] if s["state"] == "mismatch"]
    assert (wrong["id"], len(wrong["commands"]), wrong["severity"]) == ("secure-boot", 3, "required")


def test_an_advised_setting_that_is_wrong_is_0_with_a_warning(fleet, cli, tmp_path):
    use(fleet, "dell-optiplex-7090-micro")
    facts = recorded(tmp_path, dell(tmp_path / "m", WakeOnLan="Disabled"))
    ran = cli.json("bios", "check", "node1", "--facts", facts)
    assert (ran.code, codes(ran)) == (0, ["VK-L08"])


def test_another_machine_is_1_and_nothing_is_judged(fleet, cli, tmp_path):
    facts = recorded(tmp_path, machine(tmp_path / "m", serial="OTHER99"))
    ran = cli.json("bios", "check", "node1", "--facts", facts)
    assert (ran.code, ran.rules, ran.envelope["result"]) == (1, ["VK-L04"], None)
    assert (ran.envelope["findings"][0]["file"], ran.envelope["findings"][0]["path"]) == (
        "fleet.yaml",
        "nodes.node1.identity",
    )


def test_a_password_of_the_firmware_is_said_and_never_read(fleet, cli, tmp_path):
    use(fleet, "dell-optiplex-7090-micro")
    root = dell(tmp_path / "m", SecureBoot="Enabled")
    admin = root / machines.ATTRIBUTES / "dell-wmi-sysman/authentication/Admin"
    (admin / "is_enabled").write_text("1\n")
    (admin / "current_password").write_text("hunter2\n")
    facts = recorded(tmp_path, root)
    assert "hunter2" not in facts.read_text()
    assert (
        "A firmware password is set (dell-wmi-sysman: Admin)"
        in cli("bios", "check", "node1", "--facts", facts).out
    )


def test_over_ssh_the_probe_travels_on_standard_input(fleet, cli, tmp_path, ssh):
    machine(tmp_path / "machine")
    ran = cli.json("bios", "check", "node1")
    assert ran.code == 0
    assert ran.result["count"]["mismatch"] == 0
    arguments = ssh.read_text().splitlines()
    assert arguments[arguments.index("--") + 1 :] == ["root@192.168.1.11", "python3", "-"]
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes"} <= set(arguments)
    assert cli("bios", "check", "node1", "--ssh", "admin@box", "--sudo").code == 0
    arguments = ssh.read_text().splitlines()
    assert arguments[arguments.index("--") + 1 :] == ["admin@box", "sudo", "-n", "python3", "-"]


@pytest.mark.parametrize(
    ("said", "code", "hint"),
    [
        ("Host key verification failed.", 255, "compare the host key"),
        ("root@box: Permission denied (publickey).", 255, "public key"),
        ("ssh: connect to host box port 22: No route to host", 255, "--facts"),
        ("bash: line 1: python3: command not found", 127, "Install python3"),
        ("sudo: a password is required", 1, "sudo without a password"),
        ("MemoryError", 1, "bios probe"),
    ],
)
def test_an_ssh_that_fails_is_3_and_says_what_to_do(fleet, cli, ssh, monkeypatch, said, code, hint):
    monkeypatch.setenv("FAIL", said)
    monkeypatch.setenv("CODE", str(code))
    ran = cli("bios", "check", "node1", "--ssh", "root@box", "--sudo")
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err
    assert hint in ran.err


def test_an_answer_that_is_none_is_a_finding(fleet, cli, tmp_path, ssh):
    (ssh.parent / "bin/ssh").write_text("#!/bin/sh\ncat >/dev/null\necho hello\n")
    ran = cli.json("bios", "check", "node1")
    assert (ran.code, ran.rules) == (1, ["VK-L03"])


def test_without_ssh_the_package_is_named(fleet, cli, monkeypatch):
    monkeypatch.setattr("ventoy_kit.edge.process.search_path", lambda: "/nonexistent")
    ran = cli("bios", "check", "node1")
    assert ran.code == 3
    assert "Install the package openssh-client." in ran.err


def test_this_machine(fleet, cli):
    ran = cli.json("bios", "check", "node1", "--local")
    assert ran.code in (0, 1)  # whatever it is; it is hardly the starter's node
    assert {"VK-L04", "VK-L05"} & set(codes(ran))


@pytest.mark.parametrize(
    ("args", "rule"),
    [
        (["bios", "check", "nobody", "--facts", "x"], "VK-U"),
        (["bios", "check", "node1", "--facts", "absent.json"], "VK-L03"),
        (["bios", "check", "node1", "--facts", "fleet.yaml"], "VK-L03"),
        (["bios", "show", "nothing"], "VK-L01"),
        (["bios", "export", "intel-nuc"], "VK-L02"),
        (["bios", "check", "node1", "-f", "absent.yaml"], "VK-G"),
        (["bios", "show", "nothing", "-f", "absent.yaml"], "VK-G"),
    ],
)
def test_what_cannot_be_done_is_1(fleet, cli, args, rule):
    ran = cli.json(*args)
    assert ran.code == 1
    assert ran.rules[0].startswith(rule)


@pytest.mark.parametrize(
    "args",
    [
        ["--facts", "x", "--local"],
        ["--ssh", "a@b", "--local"],
        ["--facts", "x", "--sudo"],
        ["--ssh", "-oProxyCommand=evil"],
        ["--ssh", ""],
        ["--ssh", "a b"],
    ],
)
def test_wrong_usage_is_2(fleet, cli, args, ssh):
    assert cli("bios", "check", "node1", *args).code == 2
    assert not ssh.exists()


def test_a_model_is_shown_without_a_fleet_file(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = cli("bios", "show", "dell-optiplex-7050-micro")
    assert ran.code == 0
    assert (
        "System Configuration > SATA Operation [read in: OptiPlex 7050 Micro setup screens, BIOS 1.14]"
        in ran.out
    )
    fcm = cli("bios", "show", "dell-fcm2250").out
    assert "Enable Secure Boot [unconfirmed]" in fcm
    assert "thinklmi" not in fcm
    assert cli.json("bios", "show", "intel-nuc").result["lineage"][-1] == "intel-nuc"


def test_a_node_is_shown_by_its_model_and_ones_own_profile_counts(fleet, cli):
    (fleet / "bios_profiles").mkdir()
    (fleet / "bios_profiles/mine.yaml").write_text(
        "title: Mine\ninherits: [generic-uefi-amd, proxmox-host]\n"
        "settings: [{id: iommu, menu: Advanced > NBIO, source: the screen}]\n"
    )
    use(fleet, "mine")
    ran = cli("bios", "show", "node1")
    assert ran.code == 0
    assert "menu: Advanced > NBIO [read in: the screen]" in ran.out


def test_the_probe_is_printed_as_it_is_shipped(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("bios", "probe").out == machines.FIRMWARE_PROBE
    assert cli("bios", "export", "dell-fcm2250").out.startswith("[cctk]\n")
    assert json.loads(cli("bios", "export", "dell-fcm2250", "--json").out)["result"]["format"] == "cctk"
