"""Completion in bash, zsh and fish: the scripts come out, and names of commands, options, nodes and rules complete."""

import subprocess

import pytest

from tests.app.workspaces import command, environment
from ventoy_kit.cli import COMMANDS


def complete(fleet, shell: str, words: str) -> list[str]:
    """What a shell is offered for the last of some words."""
    parts = words.split(" ")
    done = subprocess.run(
        [*command()[:1], "-c", "from ventoy_kit.cli import cli; cli(prog_name='ventoy-kit')"],
        cwd=fleet,
        env=environment(
            _VENTOY_KIT_COMPLETE=f"{shell}_complete",
            COMP_WORDS=words if shell != "fish" else " ".join(parts[:-1]),
            COMP_CWORD=str(len(parts) - 1) if shell != "fish" else parts[-1],
        ),
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    lines = done.stdout.strip().splitlines()
    if shell == "zsh":
        return lines[1::3]
    return [line.partition(",")[2].partition("\t")[0] for line in lines if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
class TestShells:
    def test_the_script(self, fleet, shell):
        done = subprocess.run(
            command(),
            cwd=fleet,
            env=environment(_VENTOY_KIT_COMPLETE=f"{shell}_source"),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "_VENTOY_KIT_COMPLETE" in done.stdout
        assert "ventoy-kit" in done.stdout

    def test_commands(self, fleet, shell):
        assert set(complete(fleet, shell, "ventoy-kit che")) == {"check", "checklist"}
        assert set(complete(fleet, shell, "ventoy-kit ")) == set(COMMANDS)

    def test_nodes(self, fleet, shell):
        assert complete(fleet, shell, "ventoy-kit checklist no") == ["node1"]
        assert complete(fleet, shell, "ventoy-kit checklist x") == []

    def test_nodes_and_profiles(self, fleet, shell):
        assert complete(fleet, shell, "ventoy-kit bios check no") == ["node1"]
        assert complete(fleet, shell, "ventoy-kit bios show no") == ["node1"]
        assert complete(fleet, shell, "ventoy-kit bios show dell-f") == ["dell-fcm2250"]

    def test_images(self, fleet, shell):
        assert complete(fleet, shell, "ventoy-kit fetch prox") == ["proxmox-ve"]
        assert complete(fleet, shell, "ventoy-kit fetch --update p") == ["proxmox-ve"]

    def test_rules(self, fleet, shell):
        found = complete(fleet, shell, "ventoy-kit check --explain vk-z0")
        assert found[:2] == ["VK-Z01", "VK-Z02"]


def test_nodes_of_another_fleet_file(fleet):
    (fleet / "other.yaml").write_text("nodes: {tie: {}, wing: {}}\n")
    assert complete(fleet, "bash", "ventoy-kit checklist -f other.yaml ") == ["tie", "wing"]


@pytest.mark.parametrize("text", [None, "{", "nodes: 5", "5", "nodes: {1: {}, a: {}}"])
def test_a_fleet_file_that_is_none_completes_to_nothing_and_says_nothing(fleet, text):
    (fleet / "fleet.yaml").unlink()
    if text is not None:
        (fleet / "fleet.yaml").write_text(text)
    assert "node1" not in complete(fleet, "bash", "ventoy-kit checklist ")
