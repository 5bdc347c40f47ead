"""Debian roots for the tests of hooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hooks.debian_root import SUITES, DebianRoot

MakeRoot = Callable[[str], DebianRoot]


@pytest.fixture(params=sorted(SUITES))
def debian(request: pytest.FixtureRequest, tmp_path: Path) -> DebianRoot:
    """A Debian 12 and a Debian 13 whose apt knows no repository."""
    return DebianRoot(tmp_path / "debian", str(request.param))


@pytest.fixture
def trixie(tmp_path: Path) -> DebianRoot:
    """A Debian 13 whose apt knows no repository; the system under Proxmox VE 9."""
    return DebianRoot(tmp_path / "debian", "trixie")


@pytest.fixture(scope="session")
def _lists(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    known: dict[str, Path] = {}

    def layer(suite: str) -> Path:
        if suite not in known:
            root = DebianRoot(tmp_path_factory.mktemp("lists") / suite, suite)
            done = root.execute("apt-get", "-q", "update")
            if done.returncode:
                pytest.skip(f"needs a mirror of Debian: {done.stdout.decode()[-300:]}")
            known[suite] = root.upper
        return known[suite]

    return layer


@pytest.fixture(params=sorted(SUITES))
def archive(request: pytest.FixtureRequest, tmp_path: Path, _lists: Callable[[str], Path]) -> DebianRoot:
    """A Debian 12 and a Debian 13 with the package lists of Debian's archive."""
    suite = str(request.param)
    return DebianRoot(tmp_path / "debian", suite, (_lists(suite),))
