"""Fixtures of rehearsals that start real twins."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.app.workspaces import VARIABLES, Cli, make_starter
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


SECOND = """
  node2:
    title: Second node
    model: generic-uefi
    identity: {serial: ABC1235}
    hardware: {memory: 32 GiB, nics: {lan0: {mac: "a8:a1:59:00:00:02"}}}
    disks: {disk0: {use: system, serial: S5GXNX0T100002, size: 1 TB}}
    install: {filesystem: ext4}
    network: {nic: lan0, address: 192.168.1.12/24}
"""


@pytest.fixture
def two(tmp_path: Path, cli: Cli) -> Path:
    """A fleet of two Proxmox nodes with a stand-in, built; the path of its fleet file."""
    file = make_starter(tmp_path / "pair")
    file.write_text(file.read_text() + SECOND)
    ran = cli("build", "--quiet", "-f", file)
    assert ran.code == 0, ran.err
    return file
