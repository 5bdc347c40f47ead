"""`cluster converge` against a simulated cluster: any start, any order, failures on the way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.simulation import PASSWORD, SimNode, Simulation
from ventoy_kit.app.converge import _go, _Look
from ventoy_kit.app.host import Host
from ventoy_kit.cluster.model import Create, Join, Remove, SetTimers, Step, Wanted
from ventoy_kit.cluster.planner import ClusterPlan
from ventoy_kit.report import Report

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")


def simulation(count: int, members: int = 0) -> Simulation:
    """So many nodes, the first of them in a cluster."""
    sim = Simulation({name: SimNode(f"10.0.0.{11 + n}") for n, name in enumerate(NAMES[:count])})
    conf = dict.fromkeys(NAMES[:members], 1)
    for name in conf:
        sim.id(name)
        sim.nodes[name].conf, sim.nodes[name].version = dict(conf), 1
    return sim


def anew(sim: Simulation, *names: str) -> None:
    """These were installed anew."""
    for name in names:
        sim.nodes[name].conf, sim.nodes[name].version = None, 0


def drive(
    sim: Simulation,
    bootstrap: str | None = None,
    *,
    token: int | None = None,
    coefficient: int | None = None,
    qdevice: str | None = None,
) -> tuple[list[Step], ClusterPlan, Report]:
    """Plan and do everything, as after a yes; the steps done, the last plan, all findings."""
    wanted = Wanted(
        "demo", {n: node.address for n, node in sim.nodes.items()}, (), token, coefficient, qdevice
    )
    clock = datetime.fromtimestamp(1000, UTC)
    host = Host(fed_process=sim, clock=lambda: clock, pause=lambda _: None)
    look = _Look(wanted, bootstrap, host)
    done, plan, problems = _go(look, look.plan(look.around()), PASSWORD)
    return done, plan, Report([*plan.report, *problems])


def errors(report: Report) -> list[str]:
    return [f.rule.code for f in report if f.severity == "error"]


def whole(sim: Simulation) -> bool:
    """Is every node there, in one cluster?"""
    first = next(iter(sim.nodes.values())).conf
    return first is not None and set(sim.online(first)) == set(sim.nodes)


def words(steps: list[Step]) -> list[str]:
    return [f"{type(s).__name__} {s.via if isinstance(s, SetTimers) else s.node}" for s in steps]


def test_a_cluster_from_nothing_with_the_first_node_named():
    sim = simulation(3)
    done, plan, report = drive(sim, "beta", token=4000, coefficient=125)
    assert words(done) == ["Create beta", "SetTimers beta", "Join alpha", "Join gamma"]
    assert ([f.rule.code for f in report], plan.steps, whole(sim)) == (["VK-O18"], (), True)
    assert sim.timers == {"token": 4000, "token_coefficient": 125}
    assert drive(sim, token=4000, coefficient=125)[0] == []
    assert sim.log[0] == ("beta", "pvecm", "create", "demo", "--link0", "10.0.0.12", "--votes", "1")
    assert sim.secrets_seen == [f"{PASSWORD}\n"] * 2


def test_nothing_is_created_unless_a_node_is_named():
    sim = simulation(3)
    assert errors(drive(sim)[2]) == ["VK-O02"]
    assert sim.log == []


def test_whoever_hears_from_no_node_is_not_led_to_a_new_cluster():
    sim = simulation(3)
    sim.nodes["gamma"].up = False
    report = drive(sim)[2]
    assert errors(report) == ["VK-O07", "VK-O02"]
    assert next(f.remedy for f in report if f.rule.code == "VK-O02").startswith("Wait for them.")
    for node in sim.nodes.values():
        node.up = False
    for bootstrap in (None, "alpha"):
        assert errors(drive(sim, bootstrap)[2]) == ["VK-O07"] * 3
    assert sim.log == []


def test_a_node_that_was_installed_anew_leaves_and_joins_again_whatever_is_bootstrapped():
    for bootstrap in (None, "alpha"):
        sim = simulation(3, 3)
        anew(sim, "alpha")
        done, _, report = drive(sim, bootstrap)
        assert words(done) == ["Remove alpha", "Join alpha"]
        assert sim.log[0][:2] == ("beta", "pvecm")
        assert (errors(report), whole(sim), sim.lost) == ([], True, [])


def test_two_of_three_installed_anew_leave_no_quorum_and_nothing_is_done():
    sim = simulation(3, 3)
    anew(sim, "alpha", "gamma")
    done, _, report = drive(sim)
    assert (done, sim.log, errors(report)) == ([], [], ["VK-O05"])
    assert "pvecm expected 1` on beta" in next(f.remedy for f in report if f.rule.code == "VK-O05")


def test_a_node_that_is_off_is_not_taken_for_one_that_may_be_split_off():
    sim = simulation(3, 3)
    anew(sim, "alpha")
    sim.nodes["gamma"].up = False
    done, _, report = drive(sim)
    assert (done, errors(report)) == ([], ["VK-O07", "VK-O05"])
    assert "only a person" in next(f.remedy for f in report if f.rule.code == "VK-O05")


def test_a_join_waits_when_it_could_cost_the_quorum():
    sim = simulation(4, 3)
    sim.nodes["gamma"].up = False
    done, _, report = drive(sim)  # 2 of 3 hold; 2 of 4 would not
    assert (done, sim.log, errors(report)) == ([], [], ["VK-O07", "VK-O05"])


@pytest.mark.parametrize(
    ("mode", "again"), [("refused", ["Join gamma"]), ("midway", ["Remove gamma", "Join gamma"])]
)
def test_a_join_that_fails_is_reported_and_completed_by_the_next_run(mode, again):
    sim = simulation(3, 2)
    sim.nodes["gamma"].fail = mode
    done, _, report = drive(sim)
    assert done == []
    assert "VK-O14" in errors(report)
    assert not any(PASSWORD in f.message for f in report)
    assert words(drive(sim)[0]) == again
    assert whole(sim)


def test_a_connection_that_breaks_after_the_join_is_seen_to_have_joined():
    sim = simulation(3, 2)
    sim.nodes["gamma"].fail = "cut"
    _, _, report = drive(sim)
    assert errors(report) == ["VK-O14"]
    assert (whole(sim), drive(sim)[0]) == (True, [])


def test_what_may_not_join():
    sim = simulation(4, 2)
    sim.nodes["gamma"].guests = 2
    sim.nodes["delta"].remains = ("/etc/corosync/authkey",)
    done, _, report = drive(sim)
    assert (done, errors(report)) == ([], ["VK-O09", "VK-O09"])


def test_two_clusters_another_name_and_a_node_that_was_thrown_out():
    sim = simulation(3, 2)
    sim.nodes["gamma"].conf, sim.nodes["gamma"].version = {"gamma": 1, "alpha": 1}, 1
    assert errors(drive(sim)[2]) == ["VK-O11"] or "VK-O10" in errors(drive(sim)[2])
    sim.name = "other"
    assert errors(drive(sim)[2]) == ["VK-O04"]
    assert sim.log == []


def test_timers_wait_until_all_members_are_there():
    sim = simulation(3, 3)
    sim.nodes["gamma"].up = False
    done, _, report = drive(sim, token=5000)
    assert done == []
    assert "VK-O13" in [f.rule.code for f in report]
    sim.heal()
    assert words(drive(sim, token=5000)[0]) == ["SetTimers alpha"]
    assert sim.timers == {"token": 5000}


def test_a_qdevice_that_is_wanted_is_left_to_a_person_and_said():
    sim = simulation(2, 2)
    done, _, report = drive(sim, qdevice="10.0.0.99")
    assert (done, errors(report)) == ([], ["VK-O06"])


def test_another_step_than_agreed_to_is_not_done():
    sim = simulation(3, 2)
    wanted = Wanted("demo", {n: node.address for n, node in sim.nodes.items()})
    clock = datetime.fromtimestamp(1000, UTC)
    look = _Look(wanted, None, Host(fed_process=sim, clock=lambda: clock, pause=lambda _: None))
    plan = look.plan(look.around())
    anew(sim, "gamma")
    sim.nodes["alpha"].conf = {"alpha": 1, "beta": 1, "gamma": 1}  # somebody else began the same join
    sim.nodes["beta"].conf = dict(sim.nodes["alpha"].conf)
    done, _, problems = _go(look, plan, PASSWORD)
    assert (done, [f.rule.code for f in problems], sim.log) == ([], ["VK-O15"], [])


@st.composite
def starts(draw: st.DrawFn) -> Simulation:
    """Any fleet of up to five, in a cluster or not, with nodes that are off, unheard, anew, or about to fail."""
    count = draw(st.integers(2, 5))
    sim = simulation(count, draw(st.sampled_from([0, 1, 2, count - 1, count])))
    for name, node in sim.nodes.items():
        kind = draw(st.sampled_from(["well", "well", "well", "off", "unheard", "anew", "guests"]))
        node.up, node.heard = kind != "off", kind != "unheard"
        if kind == "anew":
            anew(sim, name)
        if kind == "guests" and node.conf is None:
            node.guests = 1
        node.fail = draw(st.sampled_from(["", "", "refused", "midway", "cut"]))
    sim.new_coefficient = draw(st.sampled_from([None, 125]))
    return sim


@given(starts(), st.sampled_from([None, *NAMES[:2]]), st.sampled_from([None, 3000, 4000]))
def test_no_step_costs_the_quorum_and_every_run_converges_or_says_why(sim, bootstrap, token):
    for _ in range(12):
        done, plan, report = drive(sim, bootstrap, token=token)
        # One of two votes is no majority: only the second node of a cluster may cost the quorum, by not coming up.
        assert all(command.startswith("pvecm add") and members == 1 for command, members in sim.lost)
        assert len(done) <= 2 * len(sim.nodes) + 1
        if not errors(report):
            assert plan.steps == ()
            assert whole(sim)
            assert drive(sim, token=token)[0] == []
            return
        before = len(sim.log)
        sim.heal()
        for node in sim.nodes.values():
            node.guests = 0
        if not any(isinstance(s, Create | Join | Remove | SetTimers) for s in done) and before == len(
            sim.log
        ):
            bootstrap = bootstrap or ("alpha" if not any(n.conf for n in sim.nodes.values()) else None)
    # What is left needs a person: no quorum any more, or nodes with an idea of their own.
    assert set(errors(report)) <= {"VK-O03", "VK-O04", "VK-O05", "VK-O10"}
    assert not sim.any_quorum() or "VK-O10" in errors(report)
