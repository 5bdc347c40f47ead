"""The command line starts fast: what a command does not need is not imported."""

import statistics
import subprocess
import sys
import time

import pytest

from tests.app.workspaces import environment

HEAVY = {"pydantic", "pydantic_core", "rich", "jinja2", "ruamel", "pycdlib", "passlib", "pyudev", "tomli_w"}


def imported(*args: str, cwd=None) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *args],
        env=environment(),
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    return {
        line.rsplit("|", 1)[-1].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line
    }


def test_help_imports_nothing_heavy():
    found = imported("-m", "ventoy_kit", "--help")
    assert "click" in found
    assert found & HEAVY == set()


def test_completing_a_node_reads_yaml_and_nothing_else_heavy(fleet):
    code = (
        "import os; os.environ.update(_VENTOY_KIT_COMPLETE='bash_complete', COMP_WORDS='ventoy-kit checklist n', "
        "COMP_CWORD='2'); from ventoy_kit.cli import cli; cli(prog_name='ventoy-kit')"
    )
    assert imported("-c", code, cwd=fleet) & HEAVY <= {
        "ruamel",
        "pydantic",
        "pydantic_core",
        "pycdlib",
        "jinja2",
        "tomli_w",
    }


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopped_while_it_is_still_being_read_it_ends_with_3(name):
    code = (
        "import signal, sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == 'ventoy_kit.cli': signal.raise_signal(signal.{name})\n"
        "sys.meta_path.insert(0, Stop())\n"
        "from ventoy_kit.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "interrupted\n")


def median(*args: str) -> float:
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *args], env=environment(), capture_output=True, check=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


@pytest.mark.slow
def test_help_takes_less_than_three_times_what_click_alone_takes():
    assert median("-m", "ventoy_kit", "--help") < 3 * median("-c", "import click")
