"""Real installers and vendors' ISO files, as Debian ships them in packages."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.netboot import build_netboot_iso
from ventoy_kit.edge.iso import PycdlibIsoReader
from ventoy_kit.images import codes
from ventoy_kit.images.inspect import WANTED, interpret
from ventoy_kit.images.menu import derive_toolbox_menu
from ventoy_kit.images.suit import check_image
from ventoy_kit.report import Report

NETBOOT = "debian-installer-12-netboot-amd64"


def look(path: Path) -> tuple[Any, Report]:
    return interpret(PycdlibIsoReader().read(path, WANTED, limit=1 << 20), path=("images", "x"))


@pytest.fixture(scope="session")
def netboot_iso(netboot_package, tmp_path_factory):
    out = tmp_path_factory.mktemp("netboot") / "netboot.iso"
    build_netboot_iso(netboot_package, out)
    return out


@pytest.mark.needs_package(NETBOOT)
@pytest.mark.needs_tool("grub-mkrescue", "xorriso", "mformat")
def test_debian_installer(netboot_iso):
    facts, report = look(netboot_iso)
    assert len(report) == 0
    assert (facts.family, facts.product, facts.release, facts.medium) == ("debian", "debian", "12", "netboot")
    assert facts.title.startswith(f"Debian GNU/Linux 12 netboot, assembled by ventoy-kit from {NETBOOT} 2023")
    assert facts.volume_id == "Debian 12 netboot amd64"
    assert facts.boot == {"bios", "uefi"}
    assert facts.automated
    assert not facts.stand_in
    assert facts.size == netboot_iso.stat().st_size > 40 << 20
    assert len(check_image(facts, product="debian", path=())) == 0


@pytest.mark.needs_package(NETBOOT)
@pytest.mark.needs_tool("grub-mkrescue", "xorriso", "mformat", "grub-script-check")
def test_menu_of_the_debian_installer(netboot_iso, netboot_package, tmp_path):
    facts, _ = look(netboot_iso)
    menu, report = derive_toolbox_menu(facts)
    assert len(report) == 0
    assert menu is not None
    (own,) = netboot_package.glob(
        "usr/lib/debian-installer/images/*/amd64/text/debian-installer/amd64/grub/grub.cfg"
    )
    text = own.read_bytes().decode()
    assert menu.text.startswith(text)
    assert menu.text[len(text) :].splitlines()[2:] == ["set default=0", "set timeout=-1"]
    derived = tmp_path / "grub.cfg"
    derived.write_text(menu.text, encoding="utf-8", newline="")
    subprocess.run(["grub-script-check", str(derived)], check=True)


@pytest.mark.needs_package(NETBOOT)
@pytest.mark.needs_tool("grub-mkrescue", "xorriso", "mformat")
def test_truncated_debian_installer(netboot_iso, tmp_path):
    part = tmp_path / "part.iso"
    with netboot_iso.open("rb") as source:
        part.write_bytes(source.read(30 << 20))
    facts, report = look(part)
    assert facts is None
    assert [finding.rule for finding in report] == [codes.TRUNCATED]


@pytest.mark.needs_package("ipxe")
def test_ipxe(package_root):
    facts, report = look(package_root("ipxe") / "usr/lib/ipxe/ipxe.iso")
    assert len(report) == 0
    assert (facts.family, facts.product, facts.automated, facts.stand_in) == (None, None, False, False)
    assert "bios" in facts.boot
    assert derive_toolbox_menu(facts)[0] is None


@pytest.mark.needs_package("grub-rescue-pc")
def test_grub_rescue(package_root):
    facts, report = look(package_root("grub-rescue-pc") / "usr/lib/grub-rescue/grub-rescue-cdrom.iso")
    assert not report.has_errors
    assert (facts.family, facts.product) == (None, None)
    assert facts.boot
