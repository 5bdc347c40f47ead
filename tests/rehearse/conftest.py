"""Fixtures of rehearsals that start real twins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.app.workspaces import VARIABLES, Cli
from tests.conftest import _package


@pytest.fixture(scope="session")
def generic_kernel() -> Path:
    """Debian's kernel for any machine with its modules, of the release that apt names at the moment."""
    named = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True)
    names = re.findall(r"Depends: (linux-image-\S+-amd64)$", named.stdout, re.MULTILINE)
    found = _package(names[0]) if names else None
    if found is None:
        pytest.skip("needs the Debian package linux-image-amd64, which apt cannot give here")
    return found


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path) -> Cli:
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(tmp_path / "cache"))
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return Cli(capsys)
