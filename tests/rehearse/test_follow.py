"""Following consoles: made of what real installers printed, cut into pieces at every place."""

from __future__ import annotations

import pytest

from tests.app.workspaces import ROOT
from ventoy_kit.rehearse.expect import Expectations, parse_expectations
from ventoy_kit.rehearse.follow import Follower, filled, filled_sign, plain
from ventoy_kit.rehearse.model import End

NAMES = {"node": "alpha", "fqdn": "alpha.example.org", "ticket": "alpha"}

EARLY = """\
\x1b[2J\x1b[01;01HBdsDxe: starting Boot0004 "UEFI QEMU QEMU USB HARDDRIVE VKSTICK"\r
[   15.988447] Run /init as init process\r
rehearsal: the hook ran\r
rehearsal: ticket format=1 fleet=vm generation=e3b1bc87 image=debian node=alpha arming=none\r
Starting system log daemon: syslogd, klogd.\r
Detecting network hardware  ... 2%... 95%... 100%\r
Detecting link on enp0s1; please wait...  ... 0%\r
Checking the Debian archive mirror  ... 25%... 50%... 75%... 100%\r
Loading additional components  ... 20%... 40%... 60%... 80%... 100%\r
Setting up the clock  ... 0%\r
Starting up the partitioner  \r
"""
REFUSAL = """\
Partition disks\r
---------------\r
\r
!! ERROR: ventoy-kit: nothing is installed (VK-B10)\r
\r
 ventoy-kit hands nothing to the installer. Nothing was wiped. (VK-B10)\r
\r
 This machine is not the node that was chosen.\r
 Node alpha has serial SN-1.\r
 This machine reports serial OTHER, UUID nothing (no identity), network \r
addresses d8:43:ae:00:0a:01.\r
\r
[Press enter to continue] """
QUESTION = """\
Configure the network\r
---------------------\r
\r
Please enter the hostname for this system.\r
\r
The hostname is a single word that identifies your system to the network. \r
Hostname: \r
Prompt: '?' for help, default=debian> """
DOWNLOAD = """\
Checking the Debian archive mirror  ... 25%... 50%... 75%... 100%\r
Download installer components\r
-----------------------------\r
\r
The installer failed to download a file from the mirror. This may be a problem \r
with your network, or with the mirror. You can choose to retry the download, \r
select a different mirror, or cancel and choose another installation method.\r
Downloading a file failed:\r
  1: Retry [*],  2: Change mirror,      3: Cancel,    \r
Prompt: '?' for help, default=1> \r
"""
COUNTDOWN = """\
ventoy-kit: disks are wiped in 30 seconds (code AAAA)  Press Enter to stop. | Fleet vm, node alpha: Alpha\r
"""
LACKING = """\
Loading additional components  ... 10%\r
\r
!! ERROR: No kernel modules were found\r
\r
 No kernel modules were found. This probably is due to a mismatch between the kernel used by this version of the \r
installer and the kernel version available in the archive.\r
\r
Continue the install without loading kernel modules?\r
  1: Yes  2: No [*]\r
Prompt: '?' for help, default=2> """


def expectations(name: str) -> Expectations:
    return parse_expectations((ROOT / "rehearsals" / f"{name}.toml").read_text())


def follower(name: str, until: str | None = None, **names: str) -> Follower:
    given, all_names = expectations(name), NAMES | names
    return Follower(
        filled(given.stages, all_names),
        tuple(filled_sign(s, all_names) for s in given.signs),
        until,
        given.quiet,
    )


def passed(one: Follower) -> list[str]:
    return [r.id for r in one.results() if r.at is not None]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10000])
def test_the_pieces_do_not_matter(step: int):
    one = follower("debian")
    text = EARLY + REFUSAL
    for at in range(0, len(text), step):
        one.feed(text[at : at + step], at / 100)
        assert one.ended(at / 100) is None
    assert passed(one) == ["hook", "ticket", "installer", "network", "components", "overlay"]
    ended = one.ended(len(text) / 100 + 5)
    assert ended is not None
    assert (ended.end, ended.code) == (End.REFUSED, "VK-B10")
    assert "Node alpha has serial SN-1." in ended.said
    assert ended.text == "The boot overlay refused with VK-B10: This machine is not the node that was chosen."
    assert "Press enter" not in ended.said


def test_another_nodes_ticket_is_not_the_right_one():
    one = follower("debian", ticket="beta")
    one.feed(EARLY, 1)
    assert "ticket" not in passed(one)
    assert "hook" in passed(one)


def test_a_question_is_named_with_its_text_seconds_after_it_was_asked():
    one = follower("debian")
    one.feed(EARLY[:500] + QUESTION, 30)
    assert one.ended(33) is None
    ended = one.ended(35)
    assert ended is not None
    assert ended.end is End.QUESTION
    assert "Please enter the hostname for this system." in ended.said
    assert "Hostname:" in ended.said
    assert ended.remedy


@pytest.mark.parametrize("end", ["\r\n", "\n\r", " \r\n\r\n"])
def test_an_installer_that_ends_its_line_behind_the_prompt_waits_all_the_same(end: str):
    one = follower("debian")
    one.feed(EARLY[:500] + QUESTION + end, 30)
    one.note("system disk disk0 is written", 31)
    ended = one.ended(35)
    assert ended is not None
    assert ended.end is End.QUESTION
    assert "Please enter the hostname" in ended.said


def test_a_prompt_that_goes_on_is_none():
    one = follower("debian")
    one.feed(QUESTION, 30)
    one.feed("\r\nStarting up the partitioner", 36)
    assert one.ended(41) is None


def test_missing_components_have_a_verdict_of_their_own():
    one = follower("debian")
    one.feed(EARLY + LACKING, 60)
    ended = one.ended(70)
    assert ended is not None
    assert ended.end is End.LACKING
    assert "No kernel modules were found" in ended.text


def test_a_mirror_that_a_file_cannot_be_had_from_is_no_common_question():
    one = follower("debian")
    one.feed(EARLY[: EARLY.index("Checking")] + DOWNLOAD, 60)
    ended = one.ended(65)
    assert ended is not None
    assert ended.end is End.LACKING
    assert "failed to download a file from the mirror" in ended.text


def test_the_armed_countdown_proves_machine_and_disks():
    one = follower("debian", until="identity")
    one.feed(EARLY + COUNTDOWN, 60)
    ended = one.ended(60)
    assert ended is not None
    assert ended.end is End.REACHED


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("[    0.036000] Kernel panic - not syncing: IO-APIC + timer doesn't work!\n", End.PANIC),
        ("BusyBox v1.37.0 (Debian 1:1.37.0-6) built-in shell (ash)\n\n~ # ", End.SHELL),
        ("(initramfs) ", End.SHELL),
    ],
)
@pytest.mark.parametrize("family", ["debian", "proxmox"])
def test_dead_ends_have_names(family: str, text: str, end: End):
    one = follower(family)
    one.feed(text, 10)
    ended = one.ended(20)
    assert ended is not None
    assert ended.end is end
    assert ended.said


def test_silence_is_a_stall_unless_disks_move():
    one = follower("debian")
    one.feed("Installing the base system\n", 10)
    assert one.ended(129) is None
    one.moved(100)
    assert one.ended(200) is None
    ended = one.ended(221)
    assert ended is not None
    assert ended.end is End.STALLED
    assert ended.said == "Installing the base system"


def test_a_proxmox_refusal_keeps_its_words():
    one = follower("proxmox")
    one.feed(
        "\r\nventoy-kit hands nothing to the installer. Nothing was wiped. (VK-B21)\r\n\r\n"
        "A system disk of the node is missing.\r\nMissing: disk0, serial S5G.\r\n\r\nWhat to do: Check.\r\n\r\n"
        "The installer will find no answer and stop at its own prompt. Press Enter to go on (60 seconds).\r\n",
        20,
    )
    ended = one.ended(22)
    assert ended is not None
    assert (ended.end, ended.code) == (End.REFUSED, "VK-B21")
    assert "Missing: disk0, serial S5G." in ended.said
    assert ended.text == "The boot overlay refused with VK-B21: A system disk of the node is missing."
    assert ended.remedy == "Check."


def test_a_refusal_that_is_shown_twice_is_kept_once():
    one = follower("proxmox")
    said = (
        "ventoy-kit hands nothing to the installer. Nothing was wiped. (VK-B60)\r\n\r\nThis arming was used up.\r\n"
        "The firmware did not keep it. (VK-B65)\r\n\r\nWhat to do: Unplug the\r\nstick.\r\n\r\n"
    )
    one.feed(said + said + "The machine restarts into its installed system in 10 seconds.\r\n", 20)
    ended = one.ended(22)
    assert ended is not None
    assert (ended.code, ended.said.count("This arming was used up.")) == ("VK-B60", 1)
    assert ended.text == "The boot overlay refused with VK-B60: This arming was used up."
    assert ended.remedy == "Unplug the stick."


def test_the_question_for_the_name_is_no_common_question():
    one = follower("proxmox")
    shown = "Fleet vm, node alpha: Alpha\r\n\r\nThese disks will be WIPED:\r\n  /dev/sdb\r\n"
    asked = "Type the node's name (alpha) and press Enter to wipe these disks and install:"
    one.feed(f"Welcome to GRUB!\r\n{shown}\r\n{asked} ", 20)
    ended = one.ended(30)
    assert ended is not None
    assert ended.end is End.CONSENT
    assert ended.said.splitlines()[0] == "Fleet vm, node alpha: Alpha"
    assert ended.said.splitlines()[-1] == asked


def test_what_the_twin_did_counts_in_order():
    one = follower("proxmox")
    one.note("system disk disk0 is written", 30)
    one.note("the machine is off after an installation", 31)
    ended = one.ended(31)
    assert ended is not None
    assert ended.end is End.REACHED
    assert passed(one) == ["answer", "written", "finished"]


def test_switching_off_without_an_installation_is_no_success():
    one = follower("proxmox")
    one.note("the machine is off", 31)
    ended = one.ended(31)
    assert ended is not None
    assert ended.end is End.OFF


def test_a_line_that_was_overwritten_shows_its_last_form():
    one = follower("proxmox")
    for second in (3, 2, 1):
        one.feed(f"\rThese disks are wiped in {second} s. ", second)
    one.feed("\r\nNode alpha", 5)
    assert one.text.endswith("These disks are wiped in 1 s. \nNode alpha")
    assert one.text.count("wiped in") == 1


def test_escape_sequences_leave_no_trace():
    assert (
        plain("\x1b[0m\x1b[30m\x1b[47mWelcome to GRUB!\r\n\x1b[2J\x1b[01;01H\x1b[=3h") == "Welcome to GRUB!\n"
    )
