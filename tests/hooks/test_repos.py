"""The hook `repos` against the files that the installers leave, read back by the real apt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hooks.scratch_root import ScratchRoot, shipped

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare", "chroot", "dash", "mawk", "apt-get")]

LISTS = "etc/apt/sources.list.d"
KEYRING = "/usr/share/keyrings/proxmox-archive-keyring.gpg"
# As Proxmox VE 9 leaves them (pve-docs, pve-package-repos.adoc), with a comment and a switched-off stanza added.
PVE = """\
# written by the installer
Types: deb
URIs: https://enterprise.proxmox.com/debian/pve
Suites: trixie
Components: pve-enterprise
Signed-By: /usr/share/keyrings/proxmox-archive-keyring.gpg
"""
CEPH = PVE.replace("debian/pve", "debian/ceph-squid").replace("pve-enterprise", "enterprise")
DEBIAN = """\
Types: deb
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security/
Suites: trixie-security
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot(tmp_path / "root")


@pytest.fixture
def pve(scratch: ScratchRoot) -> ScratchRoot:
    """A fresh Proxmox VE 9. Its keyring lies in /usr, which is the host's: the hook is told of a copy."""
    scratch.stub("dpkg-query", "printf 9.1.2")
    scratch.write("etc/os-release", 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n')
    scratch.write(f"{LISTS}/pve-enterprise.sources", PVE)
    scratch.write(f"{LISTS}/ceph.sources", CEPH)
    scratch.write(f"{LISTS}/debian.sources", DEBIAN)
    scratch.write("etc/keyring.gpg", "key")
    return scratch


def run(scratch: ScratchRoot, **params: object) -> dict[str, object]:
    hook = shipped("repos", **params)
    script = hook.spec.script.replace(f"KEYRING={KEYRING}", "KEYRING=/etc/keyring.gpg")
    moved = type(hook)(hook.spec.model_copy(update={"script": script}), hook.params)
    scratch.place([moved])
    assert scratch.run("install").returncode == 0
    scratch.run("run", "repos")
    text = (scratch.root / "var/lib/ventoy-kit/report.json").read_text()
    result: dict[str, object] = json.loads(text)["hooks"][0]
    return result


def targets(scratch: ScratchRoot) -> set[str]:
    script = (
        "apt-get indextargets --no-release-info --format '$(REPO_URI) $(COMPONENT)' 'Created-By: Packages'"
    )
    return set(scratch.execute("/bin/sh", "-c", script).stdout.decode().splitlines())


def test_no_subscription_and_firmware(pve):
    result = run(pve)
    assert result["status"] == "changed", result
    assert targets(pve) == {
        "http://download.proxmox.com/debian/pve/ pve-no-subscription",
        *(f"http://mirror.example/debian/ {c}" for c in ("main", "contrib", "non-free-firmware")),
        *(f"http://mirror.example/debian-security/ {c}" for c in ("main", "contrib", "non-free-firmware")),
    }
    assert pve.read(f"{LISTS}/pve-enterprise.sources") == PVE + "Enabled: no\n"
    before = {k: v for k, v in pve.tree().items() if k.startswith("etc/apt")}
    assert run(pve)["status"] == "unchanged"
    assert {k: v for k, v in pve.tree().items() if k.startswith("etc/apt")} == before


def test_to_enterprise_and_back(pve):
    run(pve)
    first = pve.read(f"{LISTS}/proxmox.sources")
    result = run(pve, channel="enterprise")
    assert result["status"] == "changed", result
    assert pve.read(f"{LISTS}/pve-enterprise.sources") == PVE
    assert "Enabled: no" in pve.read(f"{LISTS}/ceph.sources")
    assert run(pve, channel="enterprise")["status"] == "unchanged"
    assert run(pve)["status"] == "changed"
    assert pve.read(f"{LISTS}/proxmox.sources") == first


def test_enterprise_where_its_file_is_missing(pve):
    (pve.root / f"{LISTS}/pve-enterprise.sources").unlink()
    assert run(pve, channel="enterprise")["status"] == "changed"
    assert "https://enterprise.proxmox.com/debian/pve/ pve-enterprise" in targets(pve)


def test_an_enterprise_entry_that_the_hook_cannot_reach_is_drift(pve):
    pve.write(f"{LISTS}/old.list", "deb https://enterprise.proxmox.com/debian/pve trixie pve-enterprise\n")
    result = run(pve)
    assert (result["status"], result["reason"]) == ("failed", "an enterprise repository is enabled")


def test_without_the_keyring_nothing_is_touched(pve):
    (pve.root / "etc/keyring.gpg").unlink()
    before = {k: v for k, v in pve.tree().items() if k.startswith("etc/apt")}
    result = run(pve)
    assert result["status"] == "failed"
    assert "keyring.gpg is missing" in str(result["reason"])
    assert {k: v for k, v in pve.tree().items() if k.startswith("etc/apt")} == before


def test_plain_debian_in_the_one_line_format(scratch):
    scratch.write(
        "etc/apt/sources.list",
        "#deb cdrom:[Debian]/ bookworm main\n"
        "deb http://mirror.example/debian/ bookworm main non-free-firmware # ours\n"
        "deb-src [arch=amd64] http://mirror.example/debian/ bookworm main\n"
        "deb [trusted=yes] cdrom:[x]/ bookworm main\n",
    )
    other = scratch.write(f"{LISTS}/other.list", "deb http://other.example/debian bookworm main\n")
    result = run(scratch, debian_components=["main", "contrib", "non-free-firmware"])
    assert result["status"] == "changed", result
    assert scratch.read("etc/apt/sources.list") == (
        "#deb cdrom:[Debian]/ bookworm main\n"
        "deb http://mirror.example/debian/ bookworm main non-free-firmware contrib # ours\n"
        "deb-src [arch=amd64] http://mirror.example/debian/ bookworm main contrib non-free-firmware\n"
        "deb [trusted=yes] cdrom:[x]/ bookworm main\n"
    )
    assert other.read_text() == "deb http://other.example/debian bookworm main\n"
    assert not (scratch.root / f"{LISTS}/proxmox.sources").exists()
    assert run(scratch, debian_components=["main", "contrib", "non-free-firmware"])["status"] == "unchanged"
