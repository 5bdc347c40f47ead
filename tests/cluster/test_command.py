"""`ventoy-kit cluster converge` as a program: a fake `ssh` on the PATH, the real probe, the real command line."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.simulation import PASSWORD, SimNode, Simulation

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare")]

ROOT = Path(__file__).parents[2]


class Operator:
    """A folder with the example fleet, whose three nodes are simulated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = (ROOT / "examples/alliance/fleet.yaml").read_text()
        (folder / "fleet.yaml").write_text(
            text.replace("expected_votes: 3", "expected_votes: 3\n  token: 4000")
        )
        self.sim = Simulation(
            {n: SimNode(f"10.66.0.{11 + i}") for i, n in enumerate(("falcon", "corvette", "gozanti"))}
        )
        (folder / "bin").mkdir()
        ssh = folder / "bin/ssh"
        fake = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.cluster.fake_ssh import main; sys.exit(main())"
        ssh.write_text(f"#!{sys.executable}\n{fake}\n")
        ssh.chmod(0o755)

    @property
    def sim(self) -> Simulation:
        sim: Simulation = pickle.loads((self.folder / "sim").read_bytes())
        return sim

    @sim.setter
    def sim(self, value: Simulation) -> None:
        (self.folder / "sim").write_bytes(pickle.dumps(value))

    def run(self, *args: str, text: str = "") -> tuple[int, dict[str, Any]]:
        env = {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "VK_SIMULATION": str(self.folder),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "ventoy_kit", "cluster", "converge", "--json", *args]
        done = subprocess.run(
            command, cwd=self.folder, env=env, input=text, capture_output=True, text=True, timeout=150
        )
        assert done.returncode in (0, 1), done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def rules(envelope: dict[str, Any]) -> list[str]:
    return [f["rule"] for f in envelope["findings"]]


def test_a_plan_an_answer_and_a_cluster(operator):
    code, shown = operator.run("--dry-run", "--bootstrap", "falcon")
    assert code == 0
    steps = [(s["step"], s["node"]) for s in shown["result"]["steps"]]
    assert steps == [
        ("create", "falcon"),
        ("set-timers", "falcon"),
        ("join", "corvette"),
        ("join", "gozanti"),
    ]
    assert operator.sim.log == []
    code, refused = operator.run("--bootstrap", "falcon")
    assert (code, rules(refused), operator.sim.log) == (1, ["VK-U05"], [])
    code, refused = operator.run("--bootstrap", "falcon", "--yes")
    assert (code, rules(refused), operator.sim.log) == (1, ["VK-O16"], [])
    code, done = operator.run("--bootstrap", "falcon", "--yes", "--password-stdin", text=f"{PASSWORD}\n")
    assert code == 0, done
    assert [(s["step"], s["node"]) for s in done["result"]["done"]] == steps
    assert done["result"]["votes"] == {"online": 3, "total": 3}
    assert operator.sim.timers["token"] == 4000
    assert PASSWORD not in (operator.folder / "argv").read_text()
    code, again = operator.run()
    assert (code, again["result"]["steps"], again["findings"]) == (0, [], [])


def test_a_node_that_does_not_answer_is_named_and_the_others_are_judged(operator):
    sim = operator.sim
    sim.name, conf = "alliance", dict.fromkeys(sim.nodes, 1)
    for node in sim.nodes.values():
        node.conf, node.version = dict(conf), 1
    sim.nodes["gozanti"].up = False
    operator.sim = sim
    code, envelope = operator.run("--dry-run")
    assert code == 1
    assert "VK-O07" in rules(envelope)
    assert envelope["result"]["members"] == [
        {"node": "corvette", "online": True},
        {"node": "falcon", "online": True},
        {"node": "gozanti", "online": False},
    ]


def test_what_is_no_node_or_no_cluster(operator):
    code, envelope = operator.run("--bootstrap", "falkon")
    assert (code, rules(envelope)) == (1, ["VK-U02"])
    text = (operator.folder / "fleet.yaml").read_text()
    (operator.folder / "fleet.yaml").write_text(text.replace("cluster:", "kept_by: wazuh\nx-cluster:", 1))
    assert operator.run()[0] == 1
