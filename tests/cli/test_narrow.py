"""Paths on a narrow terminal."""

from __future__ import annotations

import re

import pytest

from tests.cli.test_console import on_terminal
from ventoy_kit.app.outcome import Table
from ventoy_kit.cli.narrow import LEAST, narrowed, short_path

PATH = "ventoy/mycluster/5b650f1d/proxmox-ve/overlay.tar.bz2"


@pytest.mark.parametrize(
    ("width", "short"),
    [
        (60, PATH),
        (len(PATH), PATH),
        (len(PATH) - 1, "ventoy/…/5b650f1d/proxmox-ve/overlay.tar.bz2"),
        (40, "ventoy/…/proxmox-ve/overlay.tar.bz2"),
        (24, "ventoy/…/overlay.tar.bz2"),
        (23, "…" + PATH[-22:]),
        (5, "….bz2"),
    ],
)
def test_folders_in_the_middle_go_first(width, short):
    shown = short_path(PATH, width)
    assert len(shown) <= width
    assert shown == short
    assert PATH.endswith(shown.rpartition("…")[2])


def test_wide_characters_count_twice():
    assert short_path("ventoy/漢字漢字漢字/x", 12) == "ventoy/…/x"


def test_only_the_column_of_paths_is_touched():
    table = Table(("", "file", "why"), (("+", PATH, "new"), ("+", "a", "x" * 30)), path=1)
    assert narrowed(table, 60).rows[0] == ("+", short_path(PATH, 60 - 3 - 32), "new")
    assert narrowed(table, 60).rows[1] == table.rows[1]
    assert len(narrowed(table, 10).rows[0][1]) <= LEAST
    plain = Table(table.columns, table.rows)
    assert narrowed(plain, 10) == plain


@pytest.mark.parametrize("columns", ["80", "100"])
def test_each_step_of_a_plan_is_one_line(built, tmp_path, columns):
    (tmp_path / "stick").mkdir()
    said = on_terminal(["stage", tmp_path / "stick", "--dry-run"], built, NO_COLOR="1", COLUMNS=columns)
    lines = said.replace("\r", "").splitlines()
    steps = [line for line in lines if line.startswith("  + write")]
    assert len(steps) > 8
    (count,) = re.findall(r"^  (\d+) steps", "\n".join(lines), re.MULTILINE)
    begin = lines.index(steps[0])
    assert lines[begin : begin + int(count)] == steps
    assert max(map(len, steps)) <= int(columns)
    assert any("overlay.tar.bz2" in line for line in steps)
