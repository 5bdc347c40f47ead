"""The safety of Debian answers: what slips past the reader here must not reach the installer's reader.

The installer's own debconf-set-selections (a shell script in its initrd) is run beside ours where root and the
netboot package are at hand.
"""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.fleets import BASE, READY_HASH, library, payload_of, plan_of
from tests.test_cases import unpacked
from ventoy_kit.payload.answers.debian import (
    EARLY_COMMAND,
    KEYMAPS,
    LATE_COMMAND,
    render_answers,
    render_recipe,
    render_ticket,
)
from ventoy_kit.payload.answers.preseed import (
    TICKET_QUESTIONS,
    answer_problems,
    read_preseed,
    recipe_problems,
    ticket_problems,
)
from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER
from ventoy_kit.plan.model import ImagePlan, NodePlan
from ventoy_kit.report import Report

LINE = "# ventoy-kit-ticket format=1 fleet=demo generation=00000000 image=debian node=beta arming=none"
FILES = library().families["debian"]


def beta() -> tuple[NodePlan, ImagePlan]:
    plan = plan_of(BASE.read_bytes())
    return next(n for n in plan.nodes if n.name == "beta"), plan.image("debian")


def rendered(name: str, text: str) -> tuple[bytes | None, Report]:
    """Render one template of the family in the place of the shipped one."""
    node, image = beta()
    files = {**FILES, name: text}
    if name == "ticket.cfg.j2":
        return render_ticket(LINE, node, (node,), image, files)
    if name == "answers.cfg.j2":
        return render_answers(node, image, files)
    return render_recipe(node, image, files)


def codes(report: Report) -> set[str]:
    return {f.rule.code for f in report}


@pytest.mark.parametrize("name", sorted(n for n in FILES if n.endswith(".j2")))
def test_the_shipped_templates_are_safe(name):
    data, report = rendered(name, FILES[name])
    assert data
    assert not list(report)


IN_TICKET = [
    "d-i partman-auto/disk string /dev/sda",
    "d-i  partman-auto/disk \t string   /dev/sda",
    "\td-i partman-auto/disk string /dev/sda",
    " d-i partman-auto/disk string /dev/sda",
    "base-config partman-auto/disk string /dev/sda",
    "D-I partman-auto/disk string /dev/sda",
    "d-i partman-auto/disk select /dev/sda",
    "d-i partman-auto/disk string",
    "d-i partman-auto/method string regular",
    "d-i partman-auto/expert_recipe string x :: 1 1 1 ext4 .",
    "d-i partman/confirm boolean true",
    "d-i partman/confirm_nooverwrite boolean true",
    "d-i partman-lvm/confirm boolean true",
    "d-i grub-installer/bootdev string /dev/sda",
    "d-i grub-installer/choose_bootdev select /dev/sda",
    "d-i partman/early_command string /ventoy-kit/debian.sh; sfdisk /dev/sda",
    "d-i partman/early_command string /ventoy-kit/debian.sh",
    "d-i partman/early_command string",
    "d-i preseed/early_command string sfdisk /dev/sda",
    "d-i preseed/late_command string sfdisk /dev/sda",
    "d-i preseed/run string evil.sh",
    "d-i preseed/include string http://x/",
    "d-i preseed/include_command string echo x",
    "d-i preseed/url string http://x/",
    "d-i preseed/file string /x",
    "d-i passwd/root-password password hunter2hunter2",
    "d-i passwd/root-password-crypted password x",
    "d-i anna/choose_modules string rescue-mode",
    "d-i rescue/enable boolean true",
    "d-i netcfg/get_domain string a \\\nd-i partman-auto/disk string /dev/sda",
    "d-i netcfg/get_domain string a\\",
    "d-i netcfg/get_domain string a\\ ",
    "d-i netcfg/get_domain string a\\nSET partman-auto/disk /dev/sda",
    "d-i part\rman-auto/disk string /dev/sda",
    "#\rd-i partman-auto/disk string /dev/sda",
    "# comment\x0bd-i partman-auto/disk string /dev/sda",
    "# comment\x85d-i partman-auto/disk string /dev/sda",
    " # d-i partman-auto/disk string /dev/sda",
    "d-i partman-auto/disk seen true",
    "d-i netcfg/get_domain string $$VT_LINUX_DISK_MAX_SIZE$$",
    "# $$SECRET$$",
    "# ventoy-kit-ticket format=1 fleet=demo generation=00000000 image=debian node=alpha arming=none",
    "d-i netcfg/get_domain strng x",
    "d-i netcfg/confirm_static boolean yes",
    "d-i netcfg/confirm_static boolean TRUE",
    "d-i netcfg/x",
]


@pytest.mark.parametrize("line", IN_TICKET)
@pytest.mark.parametrize("at_end", [True, False])
def test_no_ticket_with_such_a_line_is_rendered(line, at_end):
    lines = FILES["ticket.cfg.j2"].rstrip("\n").split("\n")
    lines.insert(len(lines) if at_end else 5, line)
    data, report = rendered("ticket.cfg.j2", "\n".join(lines) + "\n")
    assert data is None
    assert codes(report) <= {"VK-W01", "VK-W04"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{{ ticket }}\n", ""),
        ("{{ ticket }}\n", "{{ ticket }}\n{{ ticket }}\n"),
        ("{{ ticket }}\n", "#{{ ticket }}\n"),
        ("{{ ticket }}\n", "{{ ticket }} \n"),
        ("{{ early_command }}", "/bin/true"),
        ("{{ early_command }}", "{{ early_command }}; true"),
        ("{{ early_command }}", "{{ early_command }} || sh"),
        ("d-i partman/early_command", "x partman/early_command"),
        ("partman/early_command string", "partman/early_command text"),
        ("d-i partman/early_command string {{ early_command }}\n", ""),
    ],
)
def test_a_ticket_without_its_own_lines_is_not_rendered(old, new):
    assert FILES["ticket.cfg.j2"].count(old) == 1
    data, report = rendered("ticket.cfg.j2", FILES["ticket.cfg.j2"].replace(old, new))
    assert data is None
    assert codes(report) == {"VK-W01"}


IN_ANSWERS = [
    "d-i partman-auto/disk string /dev/sda",
    "d-i partman-auto/disk string {{ disks }}",
    "d-i partman-auto/disk string {{ disks }} /dev/sdb",
    "d-i\tpartman-auto/disk\tstring\t/dev/sda",
    "x partman-auto/disk string /dev/sda",
    "d-i partman-auto/select_disk select /var/lib/partman/devices/=dev=sda",
    "d-i partman-auto/expert_recipe string x :: 1 1 1 free device{ /dev/sda } .",
    "d-i partman-auto/choose_recipe select atomic",
    "d-i partman-auto/init_automatically_partition select 50some_device__lvm",
    "d-i partman-auto-raid/recipe string 1 2 0 ext4 / /dev/sda1#/dev/sdb1 .",
    "d-i partman-auto/method string raid",
    "d-i partman-auto/expert_recipe_file string /tmp/recipe",
    "d-i grub-installer/bootdev string /dev/sda",
    "d-i grub-installer/bootdev string default",
    "d-i grub-installer/choose_bootdev select /dev/sda",
    "d-i partman/early_command string sfdisk /dev/sda",
    "d-i preseed/early_command string sfdisk /dev/sda",
    "d-i preseed/late_command string sfdisk /dev/sda",
    "d-i preseed/late_command string /ventoy-kit/debian-late.sh; sfdisk /dev/sda",
    "d-i preseed/run string x",
    "d-i preseed/include string x",
    "d-i partman-iscsi/target string /dev/disk/by-id/x",
    "d-i netcfg/get_domain string {{ disks }}",
    "x y string @VENTOY_KIT_DISKS@",
    "d-i pkgsel/include string a \\\n d-i partman-auto/disk string /dev/sda",
    "d-i pkgsel/include string a\\nb",
    "d-i passwd/make-user boolean no",
]


@pytest.mark.parametrize("line", IN_ANSWERS)
def test_no_answers_with_such_a_line_are_rendered(line):
    for text in (FILES["answers.cfg.j2"] + line + "\n", line + "\n" + FILES["answers.cfg.j2"]):
        data, report = rendered("answers.cfg.j2", text)
        assert data is None
        assert codes(report) <= {"VK-W01", "VK-W04"}


@pytest.mark.parametrize(
    "line",
    [
        "d-i partman-auto/disk string {{ disks }}\n",
        "d-i partman-auto/expert_recipe_file string {{ recipe }}\n",
        "d-i preseed/late_command string {{ late_command }}\n",
    ],
)
def test_answers_without_their_own_lines_are_not_rendered(line):
    assert FILES["answers.cfg.j2"].count(line) == 1
    assert rendered("answers.cfg.j2", FILES["answers.cfg.j2"].replace(line, ""))[0] is None
    assert rendered("answers.cfg.j2", FILES["answers.cfg.j2"].replace(line, "# " + line))[0] is None


@pytest.mark.parametrize(
    "line", ["device{ /dev/sda }", "device {x}", "device\t{ x }", "device\n{ x }", "# /dev/sda", "a\x0bb"]
)
def test_no_recipe_names_a_device(line):
    assert recipe_problems(line)
    data, report = rendered("recipe.j2", FILES["recipe.j2"] + line + "\n")
    assert data is None
    assert codes(report) == {"VK-W01"}


@pytest.mark.parametrize(
    "extra",
    [
        "d-i apt-setup/local0/repository string http://repo.example.org/debian trixie main",
        "d-i netcfg/dhcp_timeout string 60",
        "d-i debian-installer/language string en",
        "d-i pkgsel/upgrade select full-upgrade",
        "# any comment, even of partman-auto/disk string /dev/sda",
        "",
    ],
)
def test_a_ticket_may_say_more_about_what_is_harmless(extra):
    data, report = rendered("ticket.cfg.j2", FILES["ticket.cfg.j2"] + extra + "\n")
    assert data is not None
    assert not list(report)


def test_no_ticket_question_is_a_partitioning_one():
    assert not any(q.startswith(("partman", "grub", "preseed")) for q in TICKET_QUESTIONS)
    assert not any("password" in q for q in TICKET_QUESTIONS)


# The installer's own reader


@pytest.fixture(scope="session")
def installer(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A root folder with the installer's reader, and a debconf that writes down what it is told."""
    package = request.getfixturevalue("netboot_package")
    (initrd,) = package.glob("usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/initrd.gz")
    root = tmp_path_factory.mktemp("installer")
    unpack = subprocess.run(
        ["cpio", "-idm", "--quiet"], input=gzip.decompress(initrd.read_bytes()), cwd=root, capture_output=True
    )
    assert (root / "bin/debconf-set-selections").exists(), unpack.stderr
    (root / "usr/share/debconf/confmodule").write_text(
        'db_set() { printf \'set\\t%s\\t%s\\n\' "$1" "$2" >>/told; }\n'
        'db_fset() { [ "$2" = seen ] && [ "$3" = true ] && return 0; printf \'fset\\t%s\\t%s\\n\' "$1" "$*" >>/told; }\n'
    )
    (root / "lib/preseed/preseed.sh").write_text("logfile=/log\nlog() { :; }\n")
    return root


def told(root: Path, text: str) -> list[tuple[str, str]] | None:
    """Questions and values that the installer takes from a file; None if it refuses it."""
    (root / "told").write_text("")
    (root / "file").write_bytes(text.encode())
    done = subprocess.run(["chroot", root, "/bin/debconf-set-selections", "/file"], capture_output=True)
    if done.returncode:
        return None
    lines = (root / "told").read_bytes().decode().split("\n")[:-1]
    return [(question, value) for _, question, value in (line.split("\t", 2) for line in lines)]


needs_installer = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("chroot", "cpio"),
    pytest.mark.needs_package("debian-installer-12-netboot-amd64"),
]


def marked(function):
    for mark in needs_installer:
        function = mark(function)
    return function


@marked
def test_the_installer_reads_what_is_rendered(installer):
    node, image = beta()
    ticket, _ = render_ticket(LINE, node, (node,), image, FILES)
    answers, _ = render_answers(node, image, FILES)
    for data in (ticket, answers):
        assert data is not None
        ours, report = read_preseed(data.decode(), "f")
        assert not list(report)
        assert told(installer, data.decode()) == [(a.question, a.value) for a in ours]
    assert ticket is not None
    assert answers is not None
    assert ("partman/early_command", EARLY_COMMAND) in (told(installer, ticket.decode()) or [])
    taken = dict(told(installer, answers.decode()) or [])
    assert taken["partman-auto/disk"] == taken["grub-installer/bootdev"] == DISK_PLACEHOLDER
    assert taken["preseed/late_command"] == LATE_COMMAND
    assert taken["passwd/root-password-crypted"] == READY_HASH


PIECES = st.sampled_from(
    [
        "d-i",
        " ",
        "\t",
        "\n",
        "\r",
        "#",
        "\\",
        "\\\n",
        "string",
        "boolean",
        "true",
        "x/y",
        "partman-auto/disk",
        "/dev/sda",
        "é",
        "\x0b",
        "\xa0",
        "\u2028",
        "$x",
        "'",
        '"',
        "%s",
        "seen",
        "-n",
        "*",
        "a",
    ]
)


GAP = st.sampled_from([" ", "\t", "  ", " \t "])
LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "#", "# ", "\n"]),
        st.sampled_from(["d-i", "tasksel", "-n", "'d-i'", "$x", "é"]),
        GAP,
        st.sampled_from(["a/b", "partman-auto/disk", "a\xa0b", "*", "$HOME"]),
        GAP,
        st.sampled_from(["string", "note", "boolean true", "select"]),
        st.one_of(st.just(""), GAP),
        st.lists(PIECES.filter(lambda p: p not in "\n\\\n"), max_size=5).map("".join),
    ).map("".join),
    min_size=1,
    max_size=4,
).map("\n".join)


@marked
@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(PIECES, max_size=24).map("".join), LINES))
@example("d-i a/b string  two  blanks ")
@example("d-i a/b string\nd-i c/d string\n")
@example("#x\n# y\nd-i a/b string '$x' \"%s\" `z` \\t #no comment")
@example("-n a/b string x")
def test_what_has_no_finding_is_read_alike_by_the_installer(installer, text):
    ours, report = read_preseed(text, "f")
    if not list(report):
        assert told(installer, text) == [(a.question, a.value) for a in ours]


@marked
def test_the_keyboards_are_those_of_the_installer(installer):
    from typing import get_args

    from ventoy_kit.fleet.schema import Keyboard

    templates = (installer / "var/lib/dpkg/info/console-setup-udeb.templates").read_text()
    entry = templates.split("Template: keyboard-configuration/xkb-keymap\n")[1].split("\nTemplate:")[0]
    choices = next(line for line in entry.split("\n") if line.startswith("Choices-C: ")).removeprefix(
        "Choices-C: "
    )
    for keyboard in get_args(Keyboard):
        assert KEYMAPS.get(keyboard, keyboard) in choices.split(", "), keyboard


@pytest.mark.needs_tool("debconf-set-selections")
@pytest.mark.parametrize("case", ["built-base", "built-debian"])
def test_debconf_accepts_what_is_rendered(case, tmp_path):
    text = BASE if case == "built-base" else BASE.parent / case / "fleet.yaml"
    checked = 0
    for file in payload_of(text.read_bytes()).files:
        contents = [file.data.decode()] if file.origin == "ticket" else []
        if file.path.endswith(".bz2"):
            contents = [
                t for name, t in unpacked(file.data).items() if name.endswith(("partman.cfg", "preseed.cfg"))
            ]
        for content in contents:
            (tmp_path / "f").write_text(content)
            done = subprocess.run(
                ["debconf-set-selections", "-c", tmp_path / "f"], capture_output=True, text=True
            )
            assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
            checked += 1
    assert checked >= 4


def test_problems_are_said_of_tickets_and_answers_as_read():
    """The checks look at what was read, so that nothing depends on how a line was spelt."""
    answers, _ = read_preseed(f"{LINE}\nd-i partman/early_command string {EARLY_COMMAND}\n", "f")
    assert ticket_problems(f"{LINE}\n", answers, LINE, EARLY_COMMAND) == []
    answers, _ = read_preseed(f"d-i   partman-auto/disk\tstring  {DISK_PLACEHOLDER}\n", "f")
    assert answer_problems(answers, DISK_PLACEHOLDER, {}) == []
    answers, _ = read_preseed(f"d-i partman-auto/disk string {DISK_PLACEHOLDER} \n", "f")
    assert answer_problems(answers, DISK_PLACEHOLDER, {})  # the boot hook would not find it either
