"""The hook `cluster`: names, links and clock; the hardware is stubs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.hooks.scratch_root import HOOKS, ScratchRoot

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare", "chroot", "mawk")]

NODES = (
    "name\tfqdn\taddress\n"
    "falcon\tfalcon.alliance.example\t10.66.0.11\n"
    "corvette\tcorvette.alliance.example\t10.66.0.12"
)
BEFORE = "127.0.0.1 localhost\n10.66.0.11 falcon.alliance.example falcon\n"


class Node:
    def __init__(self, folder: Path) -> None:
        self.scratch = scratch = ScratchRoot(folder / "root")
        self.facts = {
            "NODES": NODES,
            "NETWORKS": "name\tcidr\nlan\t10.66.0.0/24\nstorage\t10.67.0.0/24",
            "CLUSTER": "name\tlinks\nalliance\tlan",
        }
        scratch.write("etc/hosts", BEFORE)
        scratch.write("etc/nsswitch.conf", "hosts: files\n")
        scratch.stub("hostname", "echo falcon")
        scratch.stub("timedatectl", "echo yes")
        scratch.stub("ss", "echo LISTEN")
        scratch.stub("ip", 'if [ "$5" = 10.66.0.0/24 ]; then echo "2: vmbr0 inet 10.66.0.11/24"; fi')

    def run(self, verb: str) -> tuple[int, list[str]]:
        write = self.scratch.write
        write("hook/result", "")
        (self.scratch.root / "hook/work").mkdir(exist_ok=True)
        write("hook/lib.sh", (HOOKS / "_runner/library.sh").read_text())
        write("hook/hook.sh", (HOOKS / "cluster/hook.sh").read_text(), 0o700)
        self.scratch.env = {
            "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin",
            "LC_ALL": "C.UTF-8",
            "VK_NODE": "falcon",
            "VK_LIB": "/hook/lib.sh",
            "VK_STATE": "/hook",
            "VK_WORK": "/hook/work",
            "VK_RESULT": "/hook/result",
            "VK_CLOCK_WAIT": "0",
            **{f"VK_FACT_{name}": text for name, text in self.facts.items()},
        }
        done: subprocess.CompletedProcess[bytes] = self.scratch.execute("/hook/hook.sh", verb)
        return done.returncode, self.scratch.read("hook/result").splitlines()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_names_of_all_members_once_and_other_lines_stay(node):
    code, result = node.run("apply")
    assert code == 0, result
    assert result[0] == "changed /etc/hosts"
    assert "UDP 5405-5412" in result[1]
    hosts = node.scratch.read("etc/hosts")
    assert hosts.startswith(BEFORE)
    assert hosts.count("falcon.alliance.example") == 1
    assert "10.66.0.12 corvette.alliance.example corvette\n" in hosts
    assert [line for line in node.run("apply")[1] if line.startswith("changed")] == []
    assert node.run("verify") == (0, [])
    node.facts["NODES"] = NODES.replace("10.66.0.12", "10.66.0.99")
    assert node.run("verify") == (1, ["failed corvette does not lead to 10.66.0.99"])
    assert node.run("apply")[0] == 0
    assert "10.66.0.12" not in node.scratch.read("etc/hosts")


@pytest.mark.parametrize(
    ("stub", "body", "said"),
    [
        ("hostname", "echo pve", "the host is called pve, not falcon"),
        ("timedatectl", "echo no", "the clock is not in sync"),
        ("ip", "", "no address for the links in lan (10.66.0.0/24)"),
    ],
)
def test_what_keeps_a_node_from_joining_is_said(node, stub, body, said):
    node.scratch.stub(stub, body)
    code, result = node.run("apply")
    assert code == 1
    assert said in result[-1]


def test_the_own_name_must_not_lead_to_the_loopback(node):
    node.scratch.write("etc/hosts", "127.0.1.1 falcon\n")
    assert "falcon does not lead to 10.66.0.11" in node.run("apply")[1][-1]


def test_every_link_is_looked_at(node):
    node.facts["CLUSTER"] = "name\tlinks\nalliance\tlan,storage"
    assert "storage (10.67.0.0/24)" in node.run("apply")[1][-1]
    node.scratch.stub("ss")
    code, result = node.run("verify")
    assert code == 1
    assert "failed no address for the link in storage (10.67.0.0/24)" in result
    assert "failed nothing listens on TCP 8006" in result


def test_a_fleet_without_a_cluster_needs_nothing(node):
    node.facts["CLUSTER"] = "name\tlinks"
    assert node.run("apply") == (0, ["skipped the fleet file describes no cluster"])
    assert node.scratch.read("etc/hosts") == BEFORE
