"""Fixtures of the tests that run whole commands."""

import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.app.workspaces import VARIABLES, Cli, make_debian, make_starter

# The program that stands for ssh: it writes down how it was called and runs what it was told to, on the machine in
# $MACHINE. `FAIL` makes it fail as ssh does.
FAKE_SSH = f"""#!/bin/sh
printf '%s\\n' "$@" > "$LOG"
[ -z "$FAIL" ] || {{ echo "$FAIL" >&2; exit "${{CODE:-255}}"; }}
echo "Welcome to $0"
exec {sys.executable} - --root "$MACHINE"
"""


@pytest.fixture(scope="session")
def _starter(tmp_path_factory) -> Path:
    return make_starter(tmp_path_factory.mktemp("starter")).parent


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path) -> Cli:
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(tmp_path / "cache"))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return Cli(capsys)


@pytest.fixture
def fleet(_starter: Path, tmp_path: Path, monkeypatch) -> Path:
    """The starter fleet with a stand-in, as the working folder; gives the folder."""
    folder = tmp_path / "fleet"
    shutil.copytree(_starter, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def built(fleet: Path, cli) -> Path:
    """The same, built."""
    assert cli("build", "--quiet").code == 0
    return fleet


@pytest.fixture(scope="session")
def _debian(netboot_package, tmp_path_factory) -> Path:
    return make_debian(tmp_path_factory.mktemp("debian") / "fleet", netboot_package).parent


@pytest.fixture
def debian(_debian: Path, tmp_path: Path, monkeypatch, cli) -> Path:
    """A fleet with the real Debian installer, built, as the working folder; for tests marked needs_package."""
    folder = tmp_path / "debian"
    shutil.copytree(_debian, folder)
    monkeypatch.chdir(folder)
    assert cli("build", "--quiet").code == 0
    return folder


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake ssh on the PATH; gives the file with its arguments."""
    folder, log = tmp_path / "bin", tmp_path / "arguments"
    folder.mkdir()
    (folder / "ssh").write_text(FAKE_SSH)
    (folder / "ssh").chmod(stat.S_IRWXU)
    for name, value in {"LOG": str(log), "FAIL": "", "MACHINE": str(tmp_path / "machine")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return log
