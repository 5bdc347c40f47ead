"""The toolbox state: whoever presses nothing but Enter, in any menu, comes to an installation that asks.

tests/ventoy does the same with a real Ventoy. What Ventoy and GRUB do with these files: ventoy_cmd.c
(ventoy_auto_install_menu), ventoy_plugin.c, grub-core/normal/menu.c.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.payload.test_render import MIXED, NODES, SHAPES
from tests.support.fleets import BASE, as_yaml, base_fleet, node, payload_of
from ventoy_kit.payload.model import Payload

UNATTENDED = re.compile(r"proxmox-start-auto-installer|auto=true|priority=critical|preseed|(file|url)=")
# What partitions, or answers the questions before it, in Debian's installer.
PARTITIONS = re.compile(
    rb"^[^#\n]*(partman-auto|partman/(?!early_command)|partman-(?!/early)|grub-installer)", re.MULTILINE
)


def entries(menu: str) -> list[str]:
    """What GRUB shows of a derived menu, in order: the text of each entry."""
    found: list[str] = []
    depth = 0
    for line in menu.splitlines():
        if depth == 0 and re.match(r"\s*(menuentry|submenu) ", line):
            found.append("")
        if found and (depth or line.strip().startswith(("menuentry", "submenu"))):
            found[-1] += f"{line}\n"
        depth += line.count("{") - line.count("}")
    return found


def check_menus(payload: Payload) -> None:
    """Enter in Ventoy's menu, in its menu of modes, in that of templates, and in the image's own."""
    config = payload.config
    # No time-out, no default image, no mode that is chosen, no list: Ventoy's menu waits, and offers everything.
    assert set(config) == {"auto_install", "injection", "conf_replace", "menu_alias", "menu_tip"}
    files = {f"/{f.path}": f for f in payload.files}
    for entry in config["auto_install"]:
        assert (entry["autosel"], entry["timeout"]) == (0, 0)  # the cursor on "without template", for ever
        assert type(entry["autosel"]) is type(entry["timeout"]) is int
    replaced = {entry["iso"]: files[entry["new"]].data.decode() for entry in config["conf_replace"]}
    assert set(replaced) == {entry["image"] for entry in config["auto_install"]}
    for menu in replaced.values():
        settings_at_the_end = menu.splitlines()[-2:]
        assert settings_at_the_end[1] == "set timeout=-1"
        default = int(settings_at_the_end[0].removeprefix("set default="))
        chosen = entries(menu)[default]
        assert not UNATTENDED.search(chosen)
        assert re.search(r"^\s*linux", chosen, re.MULTILINE)


def check_tickets(payload: Payload) -> None:
    """Whichever template is chosen: none is armed, none partitions, and the boot scripts ask for the node's name."""
    offered = [path for entry in payload.config["auto_install"] for path in entry["template"]]
    files = {f"/{f.path}": f for f in payload.files}
    assert {files[path].origin for path in offered} == {"ticket"}
    for path in offered:
        data = files[path].data
        assert re.findall(rb"arming=(\S+)", data) == [b"none"]
        assert not PARTITIONS.search(data)


@pytest.mark.parametrize("file", [BASE, *MIXED], ids=lambda p: p.parent.name)
def test_only_enter_starts_no_unattended_installation(file: Path):
    payload = payload_of(file.read_bytes())
    check_menus(payload)
    check_tickets(payload)


@settings(max_examples=15)
@given(NODES, st.lists(SHAPES, min_size=5, max_size=5))
def test_whatever_the_fleet_is(numbers, shapes):
    nodes = {f"n{n}": node(n, **shape) for n, shape in zip(numbers, shapes, strict=False)}
    payload = payload_of(as_yaml(base_fleet(nodes)).encode())
    check_menus(payload)
    check_tickets(payload)
