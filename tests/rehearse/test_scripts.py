"""The shell scripts of rehearsals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.app.workspaces import ROOT


@pytest.mark.needs_tool("shellcheck")
@pytest.mark.parametrize("path", sorted((ROOT / "rehearsals").glob("*.sh")), ids=lambda p: p.name)
def test_shellcheck_finds_nothing(path: Path):
    done = subprocess.run(["shellcheck", "-s", "sh", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
