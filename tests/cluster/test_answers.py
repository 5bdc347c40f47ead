"""Answers in the forms of Proxmox VE 9, read; corosync.conf changed."""

from __future__ import annotations

import pytest

from ventoy_kit.cluster.answers import parse_join_info, parse_status, read_answer
from ventoy_kit.cluster.corosync import NotCorosyncError, parse_corosync, with_timers

CONF = """\
logging {
  debug: off
  to_syslog: yes
}

nodelist {
  node {
    name: falcon
    nodeid: 1
    quorum_votes: 1
    ring0_addr: 10.66.0.11
    ring1_addr: 10.67.0.11
  }
  node {
    name: corvette
    nodeid: 2
    ring0_addr: 10.66.0.12 # no quorum_votes: one vote
  }
}

quorum {
  device {
    model: net
    net {
      algorithm: ffsplit
      host: 10.66.0.99
      tls: on
    }
    votes: 1
  }
  provider: corosync_votequorum
}

totem {
  cluster_name: alliance
  config_version: 7
  interface {
    linknumber: 0
  }
  ip_version: ipv4-6
  link_mode: passive
  secauth: on
  token_coefficient: 125
  version: 2
}

"""

STATUS = """\
Cluster information
-------------------
Name:             alliance
Config Version:   7
Transport:        knet
Secure auth:      on

Quorum information
------------------
Date:             Mon Nov 23 10:00:00 2026
Quorum provider:  corosync_votequorum
Nodes:            2
Node ID:          0x00000001
Ring ID:          1.1a
Quorate:          Yes

Votequorum information
----------------------
Expected votes:   3
Highest expected: 3
Total votes:      3
Quorum:           2
Flags:            Quorate Qdevice

Membership information
----------------------
    Nodeid      Votes    Qdevice Name
0x00000001          1    A,V,NMW 10.66.0.11 (local)
0x0000000a          1    A,V,NMW 10.66.0.12
0x00000000          1            Qdevice
"""


def test_the_configuration():
    conf = parse_corosync(CONF)
    assert (conf.name, conf.version, conf.device, conf.device_votes) == ("alliance", 7, True, 1)
    assert (conf.token, conf.coefficient, conf.votes) == (None, 125, 3)
    assert conf.members["falcon"].links == {0: "10.66.0.11", 1: "10.67.0.11"}
    assert conf.members["corvette"].votes == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        CONF[:200],
        CONF.replace("nodeid: 1", "nodeid: x"),
        CONF.replace("corvette", "falcon"),
        "}\n" + CONF,
        "<html>",
    ],
)
def test_what_is_no_configuration(text):
    with pytest.raises(NotCorosyncError):
        parse_corosync(text)


def test_timers_change_and_nothing_else():
    changed = with_timers(CONF, 5000, 650)
    conf = parse_corosync(changed)
    assert (conf.version, conf.token, conf.coefficient) == (8, 5000, 650)
    assert conf.members == parse_corosync(CONF).members
    dropped = ("config_version", "token")
    kept = [line for line in CONF.splitlines() if not line.strip().startswith(dropped)]
    assert [line for line in changed.splitlines() if not line.strip().startswith(dropped)] == kept
    assert parse_corosync(with_timers(CONF, None, None)).coefficient == 125


def test_the_live_view():
    quorum = parse_status(STATUS)
    assert quorum is not None
    assert (quorum.quorate, quorum.expected, quorum.total, quorum.online) == (True, 3, 3, frozenset({1, 10}))
    assert parse_status("Cannot initialize QUORUM service") is None


def test_fingerprints():
    print_ = ":".join(["ab"] * 32)
    text = f'{{"nodelist": [{{"name": "falcon", "pve_fp": "{print_}"}}, {{"name": "x", "pve_fp": "no"}}]}}'
    assert parse_join_info(text) == {"falcon": print_.upper()}
    for wrong in ("", "[]", "{}", '{"nodelist": [{}]}', "node is not in a cluster, no join info available!"):
        assert parse_join_info(wrong) is None


def test_an_answer_that_is_cut_off_is_no_answer():
    assert read_answer("vk:hostname 0 ZmFsY29u\n", 0).problem is not None
    seen = read_answer("Last login: today\nvk:hostname 0 ZmFsY29u\nvk:conf 0 PGh0bWw+\nvk:end 0 \n", 0)
    assert (seen.problem, seen.host_name, seen.corosync) == (None, "falcon", None)
    assert seen.broken is not None
