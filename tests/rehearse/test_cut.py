"""Rehearsals that are cut short: killed, interrupted, without room, and several at a time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import Cli, make_starter, tree
from tests.conftest import PATH
from tests.rehearse.running import machines, running, taken, until

pytestmark = [
    pytest.mark.needs_tool(
        "qemu-system-x86_64", "setpriv", "busybox", "grub-mkimage", "mformat", "mcopy", "losetup"
    ),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
TICKET = "The right ticket is in place"
PROVEN = "Machine and disks proven"


@pytest.fixture
def file(tmp_path: Path, cli: Cli) -> Path:
    found = make_starter(tmp_path / "fleet")
    assert cli("build", "--quiet", "-f", found).code == 0
    return found


@pytest.fixture
def words(file: Path, generic_kernel: Path) -> tuple[str | Path, ...]:
    return ("node1", "-f", file, "--kernel", generic_kernel, "--only", "install")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "t"
    folder.mkdir()
    return folder


def test_a_killed_one_leaves_nothing_and_two_more_start_clean_at_once(
    tmp_path: Path, file: Path, words: tuple[str | Path, ...], temporary: Path
):
    before = tree(file.parent)
    with running(tmp_path / "killed", temporary, *words) as one:
        one.wait_for(TICKET)
        assert machines(temporary)
    assert one.process.returncode == -signal.SIGKILL
    until(lambda: not machines(temporary), 10)
    assert taken(tmp_path) == []
    assert [p.name for p in temporary.glob("*/run-*")]  # the next one takes it away
    more = (*words, "--until", "ticket", "--json", "--report")
    (tmp_path / "reports-a/node1/report.html").mkdir(parents=True)
    with (
        running(tmp_path / "a", temporary, *more, tmp_path / "reports-a") as first,
        running(tmp_path / "b", temporary, *more, tmp_path / "reports-b") as second,
    ):
        codes = [first.process.wait(170), second.process.wait(170)]
    ends = [json.loads(r.out)["result"]["nodes"]["node1"]["acts"][0]["end"] for r in (first, second)]
    assert (codes, ends) == ([1, 0], ["reached", "reached"]), first.out
    # The one whose report could not be kept says so, and tells its verdict all the same.
    errors = [f for f in json.loads(first.out)["findings"] if f["severity"] == "error"]
    assert [e["rule"] for e in errors] == ["VK-Y51"]
    assert list(temporary.iterdir()) == []
    assert tree(file.parent) == before
    assert taken(tmp_path) == []


def test_ctrl_c_ends_it_in_seconds_and_keeps_what_was_seen(
    tmp_path: Path, file: Path, words: tuple[str | Path, ...], temporary: Path
):
    before, reports = tree(file.parent), tmp_path / "reports"
    with running(tmp_path / "run", temporary, *words, "--report", reports) as one:
        one.wait_for(TICKET)
        one.process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        assert one.process.wait(60) == 3, one.err
        assert time.monotonic() - asked < 30  # a second on an idle machine
    assert "Traceback" not in one.err
    assert "the rehearsal was interrupted" in one.err
    assert str(reports / "node1/report.html") in one.err
    assert "PASSED" not in (reports / "node1/report.html").read_text()
    (act,) = json.loads((reports / "node1/report.json").read_text())["acts"]
    assert (act["act"], act["end"], act["passed"]) == ("install", "cut", False)
    assert "rehearsal: ticket " in (reports / "node1/console-install.txt").read_text()
    assert list((reports / "node1").glob("screen-install-*.png"))
    assert machines(temporary) == []
    assert list(temporary.iterdir()) == []
    assert tree(file.parent) == before
    assert taken(tmp_path) == []


def fill(path: Path) -> None:
    """A file that takes all the room that there is."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


class TestNoRoom:
    """A run's folder on a file system of a few megabytes."""

    pytestmark = pytest.mark.needs_root

    @pytest.fixture
    def small(self, request, temporary: Path) -> Iterator[Path]:
        size: int = request.param
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}m", "small", temporary],
            check=True,
            env={"PATH": PATH},
        )
        yield temporary
        until(lambda: not machines(temporary), 10)
        subprocess.run(["umount", temporary], check=True, env={"PATH": PATH})

    def failed(self, out: str) -> dict[str, Any]:
        """The one failure of the machine that an envelope holds."""
        (found,) = (f for f in json.loads(out)["findings"] if f["rule"] == "machine")
        assert isinstance(found, dict)
        return found

    @pytest.mark.parametrize("small", [8, 40], indirect=True)
    def test_not_even_to_start(self, tmp_path: Path, words: tuple[str | Path, ...], small: Path):
        with running(tmp_path / "run", small, *words, "--json") as one:
            assert one.process.wait(60) == 3, one.out
        found = self.failed(one.out)
        assert "No space left on device" in found["message"] or "mcopy failed" in found["message"]
        assert "Free some space" in found["remedy"]
        assert list(small.iterdir()) == []

    @pytest.mark.parametrize("small", [160], indirect=True)
    def test_for_what_the_installer_writes(self, tmp_path: Path, words: tuple[str | Path, ...], small: Path):
        with running(tmp_path / "run", small, *words, "--report", tmp_path / "reports") as one:
            one.wait_for(PROVEN)
            filler = small / "filler"
            fill(filler)
            full = time.monotonic()
            assert one.process.wait(120) == 3, one.err
        assert time.monotonic() - full < 90
        filler.unlink()
        assert "a disk of the twin cannot be written: No space left on device" in one.err
        assert "TMPDIR" in one.err
        (act,) = json.loads((tmp_path / "reports/node1/report.json").read_text())["acts"]
        assert act["end"] == "cut"
        assert list(small.iterdir()) == []


def test_a_terminal_that_goes_away_leaves_no_process(
    tmp_path: Path, words: tuple[str | Path, ...], temporary: Path
):
    """SIGTERM and SIGHUP, as a closed terminal or a service's stop send them."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        with running(tmp_path / number.name, temporary, *words) as one:
            until(lambda: bool(machines(temporary)), 60)
            os.kill(one.process.pid, number)
            assert one.process.wait(20) != 0
        until(lambda: not machines(temporary), 10)
