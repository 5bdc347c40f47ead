"""Derived boot menus: what is changed, what is not, and what is refused."""

import difflib
import re
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.images import codes
from ventoy_kit.images.facts import GRUB_MENU, ISOLINUX_MENU, BootMenu, IsoFacts
from ventoy_kit.images.menu import (
    ARMED_SUFFIX,
    ARMED_TIMEOUT,
    AUTOMATED_SUFFIX,
    LIMIT,
    derive_armed_menu,
    derive_toolbox_menu,
)
from ventoy_kit.images.standin import standin_files

PROXMOX = standin_files("proxmox-ve", "9.1-1").files[GRUB_MENU].decode()
DEBIAN = standin_files("debian", "12.11.0").files[GRUB_MENU].decode()
TAIL = re.compile(r"# The rest [^\n]*\n#[^\n]*\nset default=(\d+)\nset timeout=-1\n\Z")

SMALL = """\
if [ -f auto-installer-mode.toml ]; then
    set timeout=10
    menuentry 'Auto' {
        linux /boot/linux26 ro proxmox-start-auto-installer
    }
fi
menuentry 'Manual' {
    linux /boot/linux26 ro
}
"""


def facts(text, family="proxmox", **menus):
    return IsoFacts(
        size=1 << 20,
        volume_id="PVE",
        family=family,
        product="proxmox-ve" if family == "proxmox" else "debian",
        title="Proxmox VE",
        release="9.1",
        build="1",
        automated=True,
        boot=frozenset({"bios", "uefi"}),
        menus=(BootMenu(GRUB_MENU, text), *(BootMenu(path, text) for path in menus.values())),
        medium=None,
        stand_in=False,
    )


def derive(text, family="proxmox"):
    menu, report = derive_toolbox_menu(facts(text, family))
    assert menu is not None, [finding.message for finding in report]
    assert menu.org == "/boot/grub/grub.cfg"
    assert len(report) == 0
    return menu.text


def refusal(text, family="proxmox"):
    menu, report = derive_toolbox_menu(facts(text, family), path=("images", "proxmox-ve", "path"))
    assert menu is None
    (finding,) = report
    assert finding.rule is codes.UNKNOWN_MENU
    assert finding.path == ("images", "proxmox-ve", "path")
    return finding


def cut(text):
    """A derived menu in two: what comes from the image, and the default entry that the added end sets."""
    end = TAIL.search(text)
    assert end is not None
    return text[: end.start()], end[1]


def changed(before, after):
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [x[2:] for x in lines if x[0] == "-"], [x[2:] for x in lines if x[0] == "+"]


def test_proxmox_toolbox_changes_these_lines_and_no_other():
    text = derive(PROXMOX)
    body, default = cut(text)
    gone, come = changed(PROXMOX, body)
    assert [line.strip() for line in gone] == [
        "if [ -f auto-installer-mode.toml ]; then",
        "menuentry 'Install Proxmox VE (Automated)' --class debian --class os {",
        "if [ ! -f auto-installer-mode.toml ]; then",
    ]
    assert [line.strip() for line in come] == [
        "if [ 1 = 1 ]; then",
        f"menuentry 'Install Proxmox VE (Automated){AUTOMATED_SUFFIX}' --class debian --class os {{",
        "if [ 1 = 0 ]; then",
    ]
    assert default == "1"  # the graphical installation; the automated one is entry 0


def test_debian_toolbox_only_adds_the_end():
    text = derive(DEBIAN, "debian")
    assert cut(text) == (DEBIAN, "0")


@pytest.mark.parametrize(
    "condition",
    [
        "[ -f auto-installer-mode.toml ]",
        "[ -f /auto-installer-mode.toml ]",
        "[   -f\t auto-installer-mode.toml   ]",
        "test -f auto-installer-mode.toml",
        'test -f "/auto-installer-mode.toml"',
        "[ -e 'auto-installer-mode.toml' ]",
        "[ -s ($root)/auto-installer-mode.toml ]",
    ],
)
@pytest.mark.parametrize("then", ["; then", " ; then", "\nthen", ";then"])
def test_spellings_of_the_condition(condition, then):
    text = derive(SMALL.replace("[ -f auto-installer-mode.toml ]; then", condition + then))
    assert re.match(r"if (\[\s+1 = 1\s+\]|test 1 = 1)" + re.escape(then), text)
    assert "auto-installer-mode.toml" not in text
    assert cut(text)[1] == "1"


@pytest.mark.parametrize(
    "timeout",
    ["set timeout=10", "set timeout_style=hidden\n set timeout=3", "timeout=1", "set timeout-style=menu"],
)
@pytest.mark.parametrize("at", ["top", "block", "end"])
def test_every_timeout_is_overruled_at_the_end(timeout, at):
    text = SMALL.replace("    set timeout=10\n", "")
    text = {
        "top": timeout + "\n" + text,
        "block": text.replace("    menuentry", f"    {timeout}\n    menuentry", 1),
        "end": text + timeout,  # and no line end at the end of the file
    }[at]
    made = derive(text)
    assert timeout in made
    assert TAIL.search(made)
    assert made.rindex("timeout=-1") > made.rindex(timeout)


@pytest.mark.parametrize(
    ("before", "index"),
    [
        ("", "1"),
        ("submenu 'Tools' {\n  menuentry 'x' {\n  linux /memtest\n }\n}\n", "2"),
        ("menuentry 'UEFI Firmware Settings' {\n  fwsetup\n}\n", "2"),
    ],
)
def test_index_of_the_manual_entry_is_counted(before, index):
    assert cut(derive(before + SMALL))[1] == index
    block, manual = SMALL.split("menuentry 'Manual'")
    assert cut(derive(f"menuentry 'Manual'{manual}{block}"))[1] == "0"


def test_windows_line_ends_stay():
    text = derive(SMALL.replace("\n", "\r\n"))
    assert text.count("\r\n") == SMALL.count("\n")


REFUSED = {
    "no condition": (
        SMALL.replace("-f auto-installer-mode.toml", "x = y"),
        "place that is not known|found 0",
    ),
    "no block at all": ("menuentry 'Manual' {\n linux /boot/linux26\n}\n", "found 0"),
    "two blocks": (SMALL + SMALL, "found 2"),
    "an else": (SMALL.replace("fi\n", "else\n echo no\nfi\n"), "has an `else`"),
    "within another if": (f"if [ x = y ]; then\n{SMALL}\nfi\n", "within another one"),
    "combined condition": (SMALL.replace(".toml ]", ".toml -a x ]"), "not known"),
    "condition on other file": (SMALL.replace("-f auto", "-f boot/auto"), "not known"),
    "not in front": (SMALL.replace("[ -f", "! [ -f"), "not known"),
    "file used elsewhere": ("cat auto-installer-mode.toml\n" + SMALL, "not known"),
    "empty block": (
        re.sub(r"    menuentry 'Auto'.*?    }\n", "", SMALL, flags=re.DOTALL),
        "exactly one entry",
    ),
    "two entries in the block": (
        SMALL.replace("fi\nm", "    menuentry 'b' {\n linux /x\n }\nfi\nm"),
        "exactly one entry",
    ),
    "a submenu in the block": (SMALL.replace("menuentry 'Auto'", "submenu 'Auto'"), "exactly one entry"),
    "entry under one more condition": (
        SMALL.replace("    menuentry 'Auto'", "if true; then menuentry 'Auto'").replace(
            "    }\nfi", "    }\nfi\nfi"
        ),
        "exactly one entry",
    ),
    "parameter missing": (SMALL.replace(" proxmox-start-auto-installer", ""), "does not start"),
    "parameter not on a linux line": (SMALL.replace("linux /boot/linux26 ro p", "set x=p"), "does not start"),
    "parameter in a manual entry": (
        SMALL + "menuentry 'b' {\n linux /x proxmox-start-auto-installer\n}\n",
        "not known",
    ),
    "parameter in a variable": ("set x=proxmox-start-auto-installer\n" + SMALL, "not known"),
    "title not in quotes": (SMALL.replace("'Auto'", "Auto"), "not in quotes"),
    "title in pieces": (SMALL.replace("'Auto'", "'Auto'matic"), "not in quotes"),
    "no title": (SMALL.replace("'Auto'", "--class x"), "no title"),
    "no manual entry": (SMALL.partition("menuentry 'Manual'")[0], "no entry for an installation by hand"),
    "entries that come and go": (
        "if true; then menuentry 'a' {\n linux /x\n }\nfi\n" + SMALL,
        "only sometimes",
    ),
    "entries from elsewhere": ("source /boot/grub/more.cfg\n" + SMALL, "elsewhere"),
    "another menu": (SMALL + "if true; then configfile /x; fi\n", "elsewhere"),
    "boots at once": (SMALL + "boot\n", "elsewhere"),
    "command in a variable": ("$x 'a'\n" + SMALL, "elsewhere"),
    "entries in a function": (
        "function f {\n menuentry 'a' {\n linux /x\n }\n}\n" + SMALL,
        "within a function",
    ),
    "entries in a loop": ("for i in a b; do menuentry $i {\n linux /x\n }; done\n" + SMALL, "within a for"),
    "a submenu that counts down": (
        SMALL + "submenu 'a' {\n set timeout=5\n menuentry 'b' {\n x\n }\n}\n",
        "timeout",
    ),
    "not a script": ("MENU TITLE 'Boot\n", "quote"),
    "too deep": ("submenu x { " * 99, "blocks"),
    "too large": (SMALL + "# " + "x" * LIMIT, "larger"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unexpected_structure_is_refused(name):
    text, message = REFUSED[name]
    finding = refusal(text)
    assert re.search(message, finding.message), finding.message


def test_refusal_shows_the_line():
    finding = refusal(SMALL.rstrip("\n") + " # \x1b[31m\nboot\n")
    assert finding.place.file == "Proxmox VE:/boot/grub/grub.cfg"
    assert (finding.place.line, finding.place.column) == (10, 1)
    assert finding.place.excerpt[-1] == (10, "boot")
    assert not any("\x1b" in line for _, line in finding.place.excerpt)


@pytest.mark.parametrize(
    "line",
    [
        "auto=true",
        "auto",
        "priority=critical",
        "preseed/url=http://x/y",
        "file=/preseed.cfg",
        "rescue/enable=true",
    ],
)
def test_debian_entries_that_do_not_ask_are_no_default(line):
    entry = "menuentry '{}' {{\n linux /install.amd/vmlinuz {} --- quiet\n}}\n"
    assert cut(derive(entry.format("a", line) + entry.format("b", "vga=788"), "debian"))[1] == "1"
    assert "by hand" in refusal(entry.format("a", line), "debian").message


def test_image_without_menu_or_family():
    for odd in (facts(SMALL, family=None), IsoFacts(**{**_fields(facts(SMALL)), "menus": ()})):
        menu, report = derive_toolbox_menu(odd)
        assert menu is None
        assert report.has_errors


def _fields(value):
    return {name: getattr(value, name) for name in value.__slots__}


def test_bios_menu_of_debians_own_isos_is_mentioned():
    menu, report = derive_toolbox_menu(facts(DEBIAN, "debian", isolinux=ISOLINUX_MENU))
    assert menu is not None
    assert [finding.rule for finding in report] == [codes.OWN_BIOS_MENU]
    assert not report.has_errors


LINES = st.lists(
    st.sampled_from(
        ["insmod gzio", "# a comment { ' \" fi", "set theme=/x", "echo 'two", "words'", "  ", "# é\t", "fi"]
    )
    | st.sampled_from(
        ["if loadfont $font; then", "    terminal_output gfxterm", "set timeout=5", "play 960 440 1"]
    )
    | st.sampled_from(['\tset a="b\\"c"', "menuentry 'x' { linux /x; }", "set default=0"])
    | st.just("if [ ! -f auto-installer-mode.toml ]; then echo none; fi"),
    max_size=12,
)


@given(before=LINES, after=LINES, ending=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_nothing_outside_the_touched_lines_changes(before, after, ending, last):
    text = ending.join([*before, *SMALL.splitlines(), *after]) + (ending if last else "")
    menu, report = derive_toolbox_menu(facts(text))
    if menu is None:
        assert report.has_errors
        return
    body, _ = cut(menu.text)
    if not text.endswith("\n"):
        assert body.endswith("\n")
        body = body[:-1]
    undone = body.replace("1 = 1", "-f auto-installer-mode.toml").replace(
        "1 = 0", "! -f auto-installer-mode.toml"
    )
    assert undone.replace(AUTOMATED_SUFFIX, "") == text
    assert body.count(AUTOMATED_SUFFIX) == 1


@given(st.text(max_size=300), st.sampled_from(["proxmox", "debian"]))
def test_any_text_gives_a_menu_or_one_finding(text, family):
    menu, report = derive_toolbox_menu(facts(text, family))
    assert (menu is None) is (len(report) == 1)


@pytest.mark.needs_tool("grub-script-check")
@pytest.mark.parametrize(
    ("text", "family"),
    [(PROXMOX, "proxmox"), (SMALL, "proxmox"), (SMALL.rstrip("\n"), "proxmox"), (DEBIAN, "debian")],
    ids=["proxmox", "small", "no line end", "debian"],
)
def test_grub_accepts_derived_menus(text, family, tmp_path):
    script = tmp_path / "grub.cfg"
    script.write_text(derive(text, family), encoding="utf-8", newline="")
    subprocess.run(["grub-script-check", str(script)], check=True)


_QEMU = ("qemu-system-x86_64", "-m", "128", "-display", "none", "-nic", "none", "-boot", "d")


def _boot(folder, text, *, until, seconds):
    """Boot a GRUB image with this menu and return what came over the serial line."""
    root = folder / "root"
    (root / "boot" / "grub").mkdir(parents=True)
    (root / "boot" / "grub" / "grub.cfg").write_text(text, encoding="utf-8", newline="")
    (root / "boot" / "linux26").write_bytes(b"no kernel")
    subprocess.run(["grub-mkrescue", "-o", str(folder / "x.iso"), str(root)], check=True, capture_output=True)
    serial = folder / "serial"
    machine = subprocess.Popen(
        [*_QEMU, "-serial", f"file:{serial}", "-cdrom", str(folder / "x.iso")],
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end and until not in (serial.read_bytes() if serial.exists() else b""):
            time.sleep(0.2)
        time.sleep(seconds)
        return serial.read_bytes().decode("utf-8", "replace")
    finally:
        machine.kill()
        machine.wait()


@pytest.mark.slow
@pytest.mark.needs_tool("qemu-system-x86_64", "grub-mkrescue", "xorriso", "mformat")
def test_grub_shows_the_derived_menu_and_waits(tmp_path):
    menu = derive(PROXMOX.replace("set timeout=10", "set timeout=1"))
    shown = _boot(tmp_path, menu, until=b"Advanced Options", seconds=5)
    assert re.search(r" Install Proxmox VE \(Automated\) - asks for the node name first", shown)
    assert "*Install Proxmox VE (Graphical)" in shown
    assert "STAND-IN" not in shown  # the echo of an entry that was started
    assert "automatically in" not in shown


@pytest.mark.slow
@pytest.mark.needs_tool("qemu-system-x86_64", "grub-mkrescue", "xorriso", "mformat")
def test_without_the_added_end_grub_would_start_by_itself(tmp_path):
    menu = cut(derive(PROXMOX.replace("set timeout=10", "set timeout=1")))[0]
    shown = _boot(tmp_path, menu, until=b"STAND-IN", seconds=0)
    assert "STAND-IN" in shown


class TestArmed:
    """The menu of an armed stick: the same file, but the unattended entry starts by itself."""

    def derive(self, text, family="proxmox"):
        menu, report = derive_armed_menu(facts(text, family))
        assert menu is not None, [finding.message for finding in report]
        assert len(report) == 0
        body, _, end = menu.text.partition("# The rest was added by ventoy-kit")
        found = re.fullmatch(
            rf"[^\n]*\n#[^\n]*\nset default=(\d+)\nset timeout_style=menu\nset timeout={ARMED_TIMEOUT}\n", end
        )
        assert found is not None
        return body, int(found[1])

    def test_proxmox_starts_the_automated_entry(self):
        body, default = self.derive(PROXMOX)
        assert default == 0
        assert body == cut(derive(PROXMOX))[0].replace(AUTOMATED_SUFFIX, ARMED_SUFFIX)

    def test_wherever_it_stands(self):
        block, _, manual = SMALL.partition("menuentry 'Manual'")
        _, default = self.derive(f"menuentry 'Manual'{manual}{block}")
        assert default == 1

    def test_debian_starts_the_text_installation_which_the_ticket_makes_unattended(self):
        graphical = (
            "menuentry 'Graphical install' {\n    linux /install.amd/vmlinuz vga=788 --- quiet\n"
            "    initrd /install.amd/gtk/initrd.gz\n}\n"
        )
        assert self.derive(DEBIAN, "debian") == (DEBIAN, 0)
        assert self.derive(graphical + DEBIAN, "debian") == (graphical + DEBIAN, 1)

    @pytest.mark.parametrize(
        ("text", "family"),
        [
            ("menuentry 'Graphical install' {\n linux /vmlinuz\n initrd /gtk/initrd.gz\n}\n", "debian"),
            ("if [ $a = b ]; then\n menuentry 'x' {\n linux /x\n }\nfi\n" + SMALL, "proxmox"),
            (SMALL.replace("menuentry 'Auto'", "menuentry Auto"), "proxmox"),
            (SMALL.replace("proxmox-start-auto-installer", ""), "proxmox"),
        ],
    )
    def test_a_menu_in_which_the_entry_is_not_sure_is_refused(self, text, family):
        menu, report = derive_armed_menu(facts(text, family))
        assert menu is None
        assert [f.rule for f in report] == [codes.UNKNOWN_MENU]

    @given(st.text(max_size=300), st.sampled_from(["proxmox", "debian"]))
    def test_any_text_gives_a_menu_or_one_finding(self, text, family):
        menu, report = derive_armed_menu(facts(text, family))
        assert (menu is None) is (len(report) == 1)

    @pytest.mark.slow
    @pytest.mark.needs_tool("qemu-system-x86_64", "grub-mkrescue", "grub-script-check", "xorriso", "mformat")
    def test_grub_starts_it_with_no_key(self, tmp_path):
        menu, _ = derive_armed_menu(facts(PROXMOX))
        assert menu is not None
        (tmp_path / "grub.cfg").write_text(menu.text)
        subprocess.run(["grub-script-check", str(tmp_path / "grub.cfg")], check=True)
        shown = _boot(tmp_path, menu.text, until=b"STAND-IN", seconds=0)
        assert "*Install Proxmox VE (Automated) - armed, starts by itself" in shown
        assert "automatically in 5s" in shown
        assert "STAND-IN" in shown
