"""The act after an installation: a system that starts from its own disk, and one that is another than was promised."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app.workspaces import ROOT
from tests.conftest import CACHE
from tests.rehearse.installed_disk import debian_root, make_disk
from tests.rehearse.twins import TWIN, planned
from tests.support.debian_archive import mirror
from ventoy_kit.app.host import Host
from ventoy_kit.app.rehearse_act import Scene, play
from ventoy_kit.app.rehearse_disk import look_at_disks
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.rehearse_prepare import Prepared
from ventoy_kit.edge.emulator import find_emulator
from ventoy_kit.edge.run_folder import make_sparse
from ventoy_kit.edge.workers import Stop
from ventoy_kit.rehearse.acts import Act
from ventoy_kit.rehearse.case import Case
from ventoy_kit.rehearse.expect import parse_expectations
from ventoy_kit.rehearse.model import End, TwinDisk

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool(
        "qemu-system-x86_64", "setpriv", "debootstrap", "sfdisk", "mkfs.ext4", "debugfs", "grub-mkimage"
    ),
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not os.environ.get("VENTOY_KIT_SOAK"), reason="a long run: make soak"),
]


@pytest.mark.parametrize("host", ["alpha", "debian"])
def test_an_installed_system_is_known_by_its_login_and_its_files(
    host: str, tmp_path: Path, kernel_package: Path
):
    base = mirror()
    if base is None:
        pytest.skip("needs a mirror that apt knows")
    disk = make_disk(tmp_path, debian_root(CACHE, base), kernel_package, host=host, address="10.1.0.1/8")
    system = TwinDisk("disk0", "system", "nvme", "NV1", disk.stat().st_size)
    decoy = TwinDisk("decoy", "decoy", "nvme", "VKDECOY", 1 << 30)
    twin = replace(TWIN, disks=(decoy, system, TWIN.stick), memory=1024)
    expected = parse_expectations((ROOT / "rehearsals/installed.toml").read_text())
    case = Case("vm", "0a1b2c3d", planned(), twin, None, None, {"installed": expected}, ())
    real = Host()
    engine = find_emulator(real.process, "qemu-system-x86_64")
    folder = tmp_path / "run"
    folder.mkdir()
    scene = Scene(
        case, Prepared((), {}, b""), RehearseOptions(), real, engine, folder, Stop(), lambda _: None
    )
    shutil.move(disk, scene.image(system))
    make_sparse(scene.image(decoy), decoy.size)
    result = play(scene, Act("installed", twin, None, expected, None, {"node": "alpha"}, fresh=False))
    checks = {c.id: c.held for c in look_at_disks(scene, [result])}
    assert result.verdict.passed is (host == "alpha"), result.console[-3000:]
    assert checks == {
        "after-hostname": host == "alpha",
        "after-command-line": True,
        "after-address": True,
        "after-layout": True,
    }
    if host != "alpha":
        assert result.verdict.end is End.QUESTION
        assert "debian login:" in result.verdict.said
