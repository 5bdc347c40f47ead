"""Fixtures for the tests of the boot overlay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot_overlay.scratch import Scratch


@pytest.fixture
def root(tmp_path: Path) -> Scratch:
    """A scratch root with the overlay of the family proxmox."""
    return Scratch(tmp_path / "root")


@pytest.fixture
def debian_root(tmp_path: Path) -> Scratch:
    """A scratch root with the overlay of the family debian."""
    return Scratch(tmp_path / "root", family="debian")
