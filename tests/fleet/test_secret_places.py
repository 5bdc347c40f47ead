"""Which lines of a fleet file no finding shows."""

from __future__ import annotations

import pytest

from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.secret_places import may_be_shown, private_lines, suspect_lines
from ventoy_kit.fleet.yaml_nodes import compose

TEXT = """\
fleet: x
secrets:
  root: {env: ROOT_PASSWORD}
  other: {env: hunter2}
  bare: hunter2
  file: {file: ops.secret}
  bad-file: {file: hunter2}
  program: {command: [pass, show, root]}
  bad-program: {command: [hunter2]}
  typed: {prompt: true, allow_on_stick: false}
  alone: {hunter2}
defaults:
  root_password: root
users:
  ops: {password: root}
  bob: {password: hunter2}
  eve: {passwd:
    hunter2}
  tom: {password: [hunter2]}
  ann:
    credentials:
      value: hunter2
nodes:
  passbolt: {title: shown, services: {token-server: {title: shown}}}
cluster: {token: 500}
"""


def test_lines_where_a_secret_may_stand_are_private_and_no_others():
    lines = TEXT.splitlines()
    private = {n for n, line in enumerate(lines, start=1) if "hunter2" in line}
    assert private_lines(compose(TEXT)) == private
    assert private_lines(None) == private_lines(compose("hunter2")) == frozenset()


def test_what_another_key_shares_is_private_wherever_it_stands():
    assert private_lines(compose("list: &list\n  - hunter2\nmore: *list\npass: *list\nlast: *list\n")) == {2}


def test_a_broken_text_hides_what_stands_below_a_key_of_a_secret_and_no_more():
    lines = [
        "a: b",
        "users:",
        "  tom:",
        "    password:",
        "      - x",
        "",
        "      - hunter2",
        "    sudo: [",
        "c: d",
    ]
    assert suspect_lines(lines) == {4, 5, 6, 7}
    assert suspect_lines(["pass:", "- a", "- b", "c: d"]) == {1, 2, 3}


def test_a_map_that_holds_itself_ends():
    assert private_lines(compose("a: &a {b: *a, token: hunter2}")) == {1}


def test_in_a_text_that_is_no_yaml_more_lines_are_private():
    suspect = suspect_lines(TEXT.splitlines())
    assert set(range(2, 12)) <= suspect
    assert {n for n, line in enumerate(TEXT.splitlines(), start=1) if "hunter2" in line} <= suspect
    assert not suspect & {1, 12, 14}


@pytest.mark.parametrize(
    ("key", "words", "shown"),
    [
        ("env", ["ROOT_PASSWORD"], True),
        ("env", ["Hunter2"], False),
        ("file", ["root.secret"], True),
        ("file", ["secrets/root"], True),
        ("file", ["hunter2"], False),
        ("command", ["pass", "root"], True),
        ("command", ["./pass"], True),
        ("command", ["hunter.2"], False),
    ],
)
def test_a_source_is_shown_if_it_cannot_be_the_secret(key, words, shown):
    assert may_be_shown(key, *words) is shown


def test_the_token_of_corosync_is_no_secret():
    _, _, report = decode_fleet(b"version: 1\ncluster: {name: a, token: 500}\n", "fleet.yaml")
    (found,) = [f for f in report if f.path == ("cluster", "token")]
    assert "500" in found.message
    assert not found.hidden


def test_a_secret_in_the_place_of_a_key_is_not_repeated():
    data = b"version: 1\nsecrets:\n  root: {hunter2}\n  other: {evn: A}\n"
    _, marked, report = decode_fleet(data, "fleet.yaml")
    assert marked is not None
    placed = report.located(marked.locate)
    assert "hunter2" not in repr(placed)
    assert ["`evn`" in f.message for f in placed if f.rule.code == "VK-S01"] == [False, True]
