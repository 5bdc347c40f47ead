"""The recipe: what goes where, and the argument lists."""

import pytest

from ventoy_kit.images import netboot

PLAN = netboot.layout("13", "debian-installer-13-netboot-amd64", "1+deb13u1", "ab" * 32)


def test_the_layout_is_one_that_inspecting_and_ventoy_know():
    assert {"debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz", "boot/grub/grub.cfg"} <= set(
        PLAN.files
    )
    assert PLAN.texts[".disk/info"] == (
        "Debian GNU/Linux 13 netboot, assembled by ventoy-kit from debian-installer-13-netboot-amd64 1+deb13u1\n"
    )
    assert all(
        not path.startswith("/") and ".." not in path for path in (*PLAN.files, *PLAN.texts, *PLAN.efi)
    )
    assert all("images/13/amd64/text" in path for path in (*PLAN.files.values(), *PLAN.efi.values()))


def test_the_stub_menu_finds_the_iso_by_its_package():
    (mark,) = [path for path, text in PLAN.texts.items() if text == "ab" * 32 + "\n"]
    stub = PLAN.texts["debian-installer/amd64/grub/grub.cfg"]
    assert f"--file /{mark}\n" in stub
    assert "source ($root)/boot/grub/grub.cfg" in stub


def test_all_dates_come_from_the_package():
    argv = [*netboot.commands(PLAN, 86400 * 365)][-1]
    assert argv[argv.index("--set_all_file_dates") + 1] == "1971010100000000"
    assert "--modification-date=1971010100000000" in argv
    assert "SOURCE_DATE_EPOCH=31536000" in netboot.surroundings(31536000)


def test_every_program_has_a_package():
    programs = {argv[0] for argv in netboot.commands(PLAN, 0)} | {
        argv[0] for argv in netboot.VERSIONS.values()
    }
    assert programs <= set(netboot.TOOLS)


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("grub-mkimage (GRUB) 2.06-13+deb12u2\n", "2.06-13+deb12u2"),
        ("grub-mkimage (GRUB) 2.12-1ubuntu7.3\n", "2.12-1ubuntu7.3"),
        ("mformat (GNU mtools) 4.0.32\nconfigured with\n", "4.0.32"),
        ("xorriso 1.5.4\nISO 9660 Rock Ridge\n", "1.5.4"),
        ("nothing", None),
    ],
)
def test_versions(output, version):
    assert netboot.version_in(output) == version


def test_a_toolchain_is_named_in_one_order():
    assert netboot.toolchain([("xorriso", "1"), ("grub", "2")]) == "grub 2, xorriso 1"
