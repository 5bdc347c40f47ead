"""A stick with a real Ventoy is started, as a person would see it and press its keys.

Debian's installer is the real one. In the place of Proxmox' a medium boots as it does and says what it would find.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.qemu import Machine, Running, alike, is_blank
from tests.support.ventoy_stick import boots_bios
from tests.ventoy.conftest import DECOY, DISKS, Sticks

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool(
        *("qemu-system-x86_64", "mcopy", "git", "cpio", "xz", "busybox", "grub-mkrescue", "xorriso"),
        *("grub-mkstandalone", "mkfs.ext2", "mkfs.exfat", "mount.exfat-fuse", "partx"),
    ),
]
Make = Callable[..., Machine]
FIRST = {"debian": "beta", "proxmox": "alpha"}
MENU = 5 << 20
"""Bytes that Ventoy has read from the stick when its menu is there, at least."""


def needs_bios() -> None:
    if not boots_bios():
        pytest.skip(
            "needs an unpacked release or a disk with Ventoy: the sources' BIOS core is too old for them"
        )


def ventoys_menu(vm: Running, shots: Path) -> bytes:
    """From power-on to Ventoy's menu, with no key."""
    shown = vm.settle(after=MENU, timeout=600)
    vm.shot(shots / "1-ventoy.png")
    return shown


def choose(vm: Running, shown: bytes, *keys: str, shot: Path) -> bytes:
    """Press keys, wait for another screen and keep it."""
    vm.press(*keys)
    shown = vm.settle(other_than=shown, blank=False)
    vm.shot(shot)
    return shown


def to_images_menu(vm: Running, shots: Path, *, image: int, template: int) -> bytes:
    """By keys from Ventoy's menu through its two others to the image's own menu."""
    shown = ventoys_menu(vm, shots)
    shown = choose(vm, shown, *["down"] * image, "ret", shot=shots / "2-mode.png")
    shown = choose(vm, shown, "ret", shot=shots / "3-template.png")
    return choose(vm, shown, *["down"] * template, "ret", shot=shots / "4-image.png")


def console(vm: Running) -> str:
    """What the console of the Proxmox medium shows."""
    shown = re.findall(r"^SCREEN\n(.*?)^SHOWN$", vm.text(), re.MULTILINE | re.DOTALL)
    return "\n".join(line.rstrip() for line in shown[-1].splitlines() if line.strip()) if shown else ""


def on_console(vm: Running, text: str, shots: Path, name: str, timeout: float = 900) -> str:
    """Wait until the console shows a text, and keep the picture."""
    vm.wait(lambda: re.search(text, console(vm)), timeout=timeout, why=f"the console does not show {text}")
    vm.shot(shots / name)
    return console(vm)


def in_log(vm: Running, text: str, timeout: float = 2400) -> None:
    """Wait for a message of Debian's installer."""
    vm.wait(lambda: re.search(text, vm.log()), timeout=timeout, why=f"the log does not say {text}")


def ready(vm: Running, timeout: float = 900) -> dict[str, str | None]:
    """Wait for the place of Proxmox' installer; the files that it finds beside those of the ISO, None if missing."""
    vm.wait(
        lambda: "INSTALLER READY\n" in vm.text(), timeout=timeout, why="the installer's place is not reached"
    )
    names = ("auto-installer-mode.toml", "answer.toml", "proxmox-first-boot")
    found: dict[str, str | None] = {}
    for name in names:
        file = re.search(rf"^FILE {name}\n(.*)^END OF {name}$", vm.text(), re.MULTILINE | re.DOTALL)
        assert file or f"\nNO {name}\n" in vm.text()
        found[name] = file[1] if file else None
    return found


def handed_over(vm: Running, node: str) -> bool:
    """Whether Proxmox' installer finds what a prepared ISO holds: this node's, and the one disk that is meant."""
    found = ready(vm)
    if set(found.values()) == {None}:
        return False
    mode, answer, runner = found.values()
    assert mode is not None
    assert answer is not None
    assert runner is not None
    (disk,) = re.findall(rf"^DISK (/dev/\S+) \S*{DISKS[node]}\S* ", vm.text(), re.MULTILINE)
    values = tomllib.loads(answer)
    assert mode.strip() == 'mode = "iso"'
    assert values["disk-setup"]["disk-list"] == [disk]
    assert values["global"]["fqdn"] == f"{node}.example.org"
    assert runner.startswith("#!")
    return True


@pytest.mark.parametrize(
    ("family", "uefi"), [("debian", True), ("proxmox", True), ("debian", False), ("proxmox", False)]
)
def test_in_the_toolbox_state_ten_enters_change_no_disk(
    family: str, uefi: bool, sticks: Sticks, machine: Make, shots: Path
):
    if not uefi:
        needs_bios()
    vm = machine(FIRST[family], sticks.toolbox, uefi=uefi)
    before = vm.digests()
    with vm.start() as running:
        shown = ventoys_menu(running, shots)
        assert alike(running.settle(still=15), shown)  # nothing starts by itself
        if family == "proxmox":
            running.press("down")
        for number in range(1, 11):
            running.enter()
            running.shot(shots / f"2-enter-{number:02}.png")
        if family == "proxmox":
            assert not handed_over(running, "alpha")
            assert "proxmox-start-auto-installer" not in running.text().partition("COMMAND LINE")[2]
        assert not alike(running.screen(), shown)
    assert vm.digests() == before


@pytest.mark.parametrize(("ticket", "row"), [("auto", 1), ("alpha", 2)])
def test_proxmox_through_the_menus_by_keys(ticket: str, row: int, sticks: Sticks, machine: Make, shots: Path):
    vm = machine("alpha", sticks.toolbox)
    before = vm.digests()
    with vm.start() as running:
        to_images_menu(running, shots, image=1, template=row)
        assert "Automated) - asks for the node name first" in running.text()
        running.press("up", "ret")
        shown = on_console(running, r"Type the node's name \(alpha\)", shots, "5-question.png")
        assert "These disks will be WIPED" in shown
        doomed, stays = shown.split("These disks stay as they are:")
        assert DISKS["alpha"] in doomed
        assert DECOY not in doomed
        assert "the Ventoy stick" in stays
        running.type("gamma\n")
        on_console(running, "That is not alpha", shots, "6-wrong-name.png")
        running.type("alpha\n")
        assert handed_over(running, "alpha")
        running.shot(shots / "7-handed-over.png")
    assert vm.digests() == before  # the medium installs nothing, and the stick was only read


def test_proxmox_armed_installs_once_with_no_key(sticks: Sticks, machine: Make, shots: Path):
    stick = sticks.armed("alpha")
    vm = machine("alpha", stick)
    vm.install("S7ALPHA0001")
    before = vm.digests()
    with vm.start() as running:
        ventoys_menu_counts_down(running, shots)
        shown = on_console(running, "These disks are wiped in", shots, "2-countdown.png")
        assert "The stick is armed for alpha, code " in shown
        assert handed_over(running, "alpha")
        running.shot(shots / "3-handed-over.png")
    # No installer has made a boot entry here. The firmware's own, which names a disk and no partition, counts only in a
    # machine without another disk.
    vm.disks = vm.disks[1:]
    before.pop(DECOY)
    with vm.start() as running:
        shown = on_console(running, "restarts into its installed system", shots, "4-spent.png")
        assert "VK-B60" in shown
        running.wait(lambda: "INSTALLED SYSTEM" in running.text(), timeout=400, why="BootNext does nothing")
        assert "INSTALLER READY" not in running.text()
        assert "FILE answer" not in running.text()
    with vm.start() as running:
        shown = on_console(running, "is switched off", shots, "5-twice.png")
        assert "was led to its installed system once already" in " ".join(shown.split())
        running.wait_off(timeout=400)
    assert vm.digests() == before


def test_disarmed_it_is_a_toolbox_again(sticks: Sticks, machine: Make, shots: Path):
    stick = sticks.armed("alpha")
    sticks.kit("disarm", stick)
    vm = machine("alpha", stick)
    before = vm.digests()
    with vm.start() as running:
        shown = ventoys_menu(running, shots)
        assert alike(running.settle(still=15), shown)
    assert vm.digests() == before


def ventoys_menu_counts_down(vm: Running, shots: Path) -> None:
    """The armed menu, while it counts."""
    vm.wait(lambda: vm.read_from_stick() > MENU, timeout=600, why="Ventoy does not start")
    vm.wait(lambda: not is_blank(vm.screen()), timeout=300, why="Ventoy shows no menu")
    for number in range(1, 4):
        vm.shot(shots / f"1-ventoy-{number}.png")
        time.sleep(2)


def test_proxmox_armed_for_another_machine_is_refused(sticks: Sticks, machine: Make, shots: Path):
    vm = machine("alpha", sticks.armed("alpha"), serial="STRANGER")
    before = vm.digests()
    with vm.start() as running:
        shown = on_console(running, "VK-B10", shots, "refused.png")
        assert "This machine is not the node that was chosen" in shown
        assert not handed_over(running, "alpha")
    assert vm.digests() == before


def test_proxmox_armed_without_uefi_asks_for_the_name(sticks: Sticks, machine: Make, shots: Path):
    needs_bios()
    vm = machine("alpha", sticks.armed("alpha"), uefi=False)
    before = vm.digests()
    with vm.start() as running:
        shown = on_console(running, r"Type the node's name \(alpha\)", shots, "asked.png")
        assert "VK-B63" in shown
        running.type("alpha\n")
        assert handed_over(running, "alpha")
    assert vm.digests() == before


@pytest.mark.parametrize(("ticket", "row"), [("auto", 1), ("beta", 2)])
def test_debian_through_the_menus_by_keys(
    ticket: str, row: int, sticks: Sticks, machine: Make, mirror: int, shots: Path
):
    vm = machine("beta", sticks.toolbox)
    before = vm.digests()
    with vm.start(port=mirror) as running:
        to_images_menu(running, shots, image=0, template=row)
        running.press("ret")
        in_log(running, "ventoy-kit: system disks of beta: /dev/sd")
        running.settle(still=6)
        running.shot(shots / "5-question.png")
        assert vm.digests() == before
        running.type("beta\n")
        in_log(running, "ventoy-kit: node beta is handed to the partitioner: /dev/sd")
        running.settle(still=6)
        running.shot(shots / "6-handed-over.png")
    after = vm.digests()
    assert after.pop(DISKS["beta"]) != before.pop(DISKS["beta"])
    assert after == before


def test_debian_armed_installs_once_with_no_key(sticks: Sticks, machine: Make, mirror: int, shots: Path):
    vm = machine("beta", sticks.armed("beta"))
    before = vm.digests()
    with vm.start(port=mirror) as running:
        ventoys_menu_counts_down(running, shots)
        in_log(running, r"ventoy-kit: arming \S+: valid, guard usable")
        running.shot(shots / "2-countdown.png")
        in_log(running, "ventoy-kit: node beta is handed to the partitioner: /dev/sd")
        running.settle(still=6)
        running.shot(shots / "3-handed-over.png")
    once = vm.digests()
    assert {name for name in once if once[name] != before[name]} == {DISKS["beta"]}
    with vm.start(port=mirror) as running:
        in_log(running, r"ventoy-kit: arming \S+: over, guard usable")
        running.shot(shots / "4-spent.png")
        assert "handed to the partitioner" not in running.log()
        running.settle(still=30, timeout=600)
        running.shot(shots / "5-after.png")
    assert vm.digests() == once


def test_debian_armed_for_another_machine_is_refused(sticks: Sticks, machine: Make, mirror: int, shots: Path):
    vm = machine("beta", sticks.armed("beta"), serial="STRANGER")
    before = vm.digests()
    with vm.start(port=mirror) as running:
        in_log(running, "ventoy-kit: refused VK-B10")
        running.settle(still=6)
        running.shot(shots / "refused.png")
    assert vm.digests() == before
