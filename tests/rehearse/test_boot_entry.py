"""The entry that an armed stick starts, read from derived menus."""

from __future__ import annotations

import pytest

from tests.support.fleets import iso
from ventoy_kit.images.menu import derive_armed_menu, derive_toolbox_menu
from ventoy_kit.rehearse.boot_entry import armed_entry


@pytest.mark.parametrize(
    ("image", "kernel", "initrd", "word"),
    [
        ("proxmox-ve_9.1-1.iso", "/boot/linux26", "/boot/initrd.img", "proxmox-start-auto-installer"),
        ("debian-12.11.0-amd64-netinst.iso", "/install.amd/vmlinuz", "/install.amd/initrd.gz", "---"),
    ],
)
def test_kernel_ram_disk_and_words_are_those_of_the_menu(image: str, kernel: str, initrd: str, word: str):
    menu, _ = derive_armed_menu(iso(image).facts)
    assert menu is not None
    entry = armed_entry(menu.text)
    assert entry is not None
    assert (entry.kernel, entry.initrd) == (kernel, initrd)
    assert word in entry.words


def test_words_come_before_the_part_for_the_installed_system():
    menu, _ = derive_armed_menu(iso("debian-12.11.0-amd64-netinst.iso").facts)
    assert menu is not None
    entry = armed_entry(menu.text)
    assert entry is not None
    assert entry.with_words(("a=b",)) == "vga=788 a=b --- quiet"


def test_a_menu_that_waits_starts_nothing_unattended():
    menu, _ = derive_toolbox_menu(iso("proxmox-ve_9.1-1.iso").facts)
    assert menu is not None
    entry = armed_entry(menu.text)
    assert entry is None or "proxmox-start-auto-installer" not in entry.words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "set default=0\n",
        "set default=7\nmenuentry 'a' {\n linux /k\n initrd /i\n}\n",
        "menuentry 'a' {\n linux $k\n initrd /i\n}\nset default=0\n",
        "menuentry 'a' {\n linux /k\n linux /k2\n initrd /i\n}\nset default=0\n",
        "menuentry 'a' {",
    ],
)
def test_what_is_not_plain_is_no_entry(text: str):
    assert armed_entry(text) is None
