"""What tests of `fetch` have in common: a vendor behind a real HTTPS server, and a fleet that wants an image."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import trustme

from tests.app.fetch.shared import QUICK, catalog
from tests.app.workspaces import make_starter
from tests.support.https_server import (
    Server,
    serving,
    write_authority,
)
from tests.support.vendors import NOW, Vendor


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server(authority, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(write_authority(authority, tmp_path)))
    for variable in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ventoy_kit.app.fetch.PATIENCE", QUICK)
    monkeypatch.setattr("ventoy_kit.edge.machine.datetime", _Clock)
    with serving(authority.issue_cert("127.0.0.1")) as running:
        yield running


class _Clock:
    @staticmethod
    def now(_zone):
        return NOW


@pytest.fixture
def vendor(server: Server) -> Vendor:
    made = Vendor(server)
    made.publish()
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def fleet(tmp_path: Path, vendor: Vendor, monkeypatch) -> Path:
    """The starter fleet, whose image comes from the vendor; gives the folder."""
    folder = tmp_path / "fleet"
    make_starter(folder)
    shutil.rmtree(folder / "iso")
    file = folder / "fleet.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith("#")]
    text = "\n".join(lines) + "\n"
    start = text.index("images:\n")
    end = text.index("\n", text.index("proxmox-ve:", start))
    text = text[:start] + "images:\n  proxmox-ve: {release: latest}" + text[end:]
    file.write_text(text)
    catalog(folder, vendor)
    monkeypatch.chdir(folder)
    return folder
