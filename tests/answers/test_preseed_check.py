"""A preseed file that somebody wrote by hand: what is found, and where."""

from __future__ import annotations

import pytest

from ventoy_kit.answers.preseed_check import check_preseed, is_preseed, preseed_summary

WHOLE = """\
#_preseed_V1
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/get_hostname string alpha
d-i mirror/country string manual
d-i mirror/http/hostname string mirror.example
d-i mirror/http/proxy string
d-i passwd/root-password-crypted password $6$rounds=5000$caseofthekit$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
d-i passwd/make-user boolean false
d-i time/zone string Etc/UTC
d-i partman/early_command string /opt/find-disk
tasksel tasksel/first multiselect standard
popularity-contest popularity-contest/participate boolean false
d-i finish-install/reboot_in_progress note
"""
WHOLE_LINES = WHOLE.count("\n")


def found(text: str) -> list[tuple[str, int | None, int | None]]:
    places = [(f.rule.code, f.place) for f in check_preseed(text.encode(), "p.cfg")]
    return [(code, place.line, place.column) for code, place in places if place is not None]


def test_a_whole_file_has_no_finding():
    assert is_preseed(WHOLE)
    assert found(WHOLE) == []
    assert found(WHOLE.replace("\n", "\r\n")) == []


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("d-i netcfg/get_domain", "VK-E40", 1),
        ("d-i netcfg get_domain string x", "VK-E40", 1),
        ("  # a comment", "VK-E41", 3),
        ("d-i netcfg/get_domain string a\\nb", "VK-E42", 31),
        ("d-i netcfg/get_domain string a\\", "VK-E43", 1),
        ("d-i netcfg/get_domain strng a", "VK-E44", 23),
        ("d-i clock-setup/utc boolean yes", "VK-E45", 29),
        ("d-i clock-setup/utc boolean", "VK-E45", 21),
        ("d-i netcfg/get_domian string a", "VK-E46", 5),
        ("d-i somewhere/else string a", "VK-E47", 5),
        ("d-i clock-setup/utc string true", "VK-E48", 21),
        ("d-i apt-setup/services-select multiselect security, update", "VK-E49", 53),
        ("d-i passwd/user-password password hunter2", "VK-E51", 5),
        ("d-i passwd/user-password-crypted password hunter2hunter2", "VK-E51", 5),
        ("d-i partman-auto/disk string /dev/disk/by-id/nvme-X", "VK-E53", 30),
        ("d-i partman-auto/disk string /dev/sda", "VK-E54", 30),
        ("d-i preseed/early_command string x=$(list-devices disk | head -n1); true", "VK-E54", 38),
        ("d-i preseed/late_command string a; b", "VK-E56", 5),
        ("d-i partman-auto/method string lvm", "VK-E57", 32),
        ("d-i netcfg/get_hostname string beta", "VK-E58", 5),
        ("d-i tasksel/skip-tasks string x", "VK-E59", 1),
        ("d-i netcfg/get_nameservers string 1.1.1.1,9.9.9.9", "VK-E60", 35),
        ("d-i netcfg/get_ipaddress string 10.0.0.2", "VK-E60", 1),
        ("d-i partman-auto/expert_recipe string x :: 1 1 -1 ext4 method {format} .", "VK-E61", 1),
        ("d-i partman-auto/expert_recipe string x :: 1 1 1 ext4 .", "VK-E61", 1),
    ],
)
def test_a_line_is_judged_at_its_place(line, code, column):
    assert (code, WHOLE_LINES + 1, column) in found(WHOLE + line + "\n")


@pytest.mark.parametrize("number", range(1, WHOLE_LINES))
def test_every_answer_of_a_whole_file_is_missed(number):
    lines = WHOLE.splitlines()
    gone = lines.pop(number)
    codes = [code for code, *_ in found("\n".join(lines) + "\n")]
    if "mirror/country" in gone or "mirror/http/hostname" in gone:  # one of the two is enough
        assert codes == []
    else:
        assert "VK-E50" in codes


def test_root_locked_by_an_exclamation_mark_is_asked_for():
    text = WHOLE.replace("$6$rounds=5000$caseofthekit$" + "a" * 32, "!")
    assert ("VK-E52", 8, 43) in found(text)
    assert found(text + "d-i passwd/root-login boolean false\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "d-i passwd/user-password password hunter2",
        "d-i passwd/root-password-crypted password hunter2",
        "d-i passwd/root-password hunter2",
        "d-i passwd/root-password hunter2 hunter2",
        "d-i passwd/root-password boolean hunter2",
        "d-i passwd/root-password select hunter2",
        "d-i passwd/root-password strng hunter2",
        "d-i passwd/root-password password \\\n  hunter2\\ ",
        "d-i passwd/root-password password \\\n  hunter2\\n",
        "d-i netcfg/wireless_wpa string hunter2\\n",
        "d-i partman-crypto/passphrase password hunter2\\n",
        "d-i mirror/http/proxy string http://me:hunter2@proxy.example/\\n",
        "d-i preseed/late_command string echo root:hunter2 | chpasswd; x",
        "d-i preseed/late_command string a; \\\n  echo root:hunter2 | chpasswd\\n",
        "d-i preseed/late_command string echo root:hunter2 \\\n  | chpasswd; x",
        "d-i preseed/late_command string x | usermod -p hunter2 me",
        "d-i preseed/late_command string x; wget --password=hunter2 http://a",
        "d-i preseed/late_command string x; wget --password=\\\nhunter2\\n http://a",
        "d-i preseed/late_command string x; curl -u me:hunter2 http://a",
        "d-i preseed/late_command string x; curl -H 'Authorization: Bearer hunter2' http://a",
        "d-i preseed/late_command string x; echo 'root:$6$salt$hunter2' >>/target/etc/shadow",
        "d-i preseed/late_command string API_TOKEN=hunter2 x; y",
        "d-i passwd/root-password \\\n  string hunter2",
        "d-i passwd/root-password-crypted \\\n  strin $6$salt$hunter2",
        "d-i passwd/root-pasword string hunter2",
        "d-i passwd/user-passwrd-crypted string hunter2",
        "d-i passwd/root-password password\n  hunter2",
        "d-i passwd/root-password=hunter2",
        "d-i rescue/root-passwd strin hunter2",
    ],
)
def test_no_password_is_shown(line):
    report = list(check_preseed((WHOLE + line + "\n").encode(), "p.cfg"))
    assert report
    assert "hunter2" not in repr(report)


def test_what_is_wrong_is_shown_in_the_row_where_it_stands():
    text = WHOLE + "d-i preseed/late_command string a; \\\n  printf 'x\\n'; \\\n  true\n"
    (place,) = [f.place for f in check_preseed(text.encode(), "p.cfg") if f.rule.code == "VK-E42"]
    assert place is not None
    assert (place.line, place.column) == (WHOLE_LINES + 2, 12)
    assert place.excerpt == ((WHOLE_LINES + 2, "  printf 'x\\n'; \\"),)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("d-i partman/early_command string test -e /x || exit 1", "VK-E62"),
        ("d-i preseed/early_command string test -e /x || exit 1; true", "VK-E62"),
        ("d-i netcfg/get_ipaddress string 10.0.0.2", "VK-E63"),
        ("d-i partman-auto/method string regular\nd-i partman-auto/disk string /dev/sda /dev/sdb", "VK-E64"),
        ("d-i grub-installer/bootdev string default", "VK-E65"),
        ("d-i partman-auto/disk string /dev/sda\nd-i grub-installer/bootdev string /dev/sdb", "VK-E65"),
        (
            "d-i partman-auto/disk string /dev/nvme0n1\nd-i grub-installer/bootdev string /dev/nvme1n1",
            "VK-E65",
        ),
    ],
)
def test_traps_of_several_lines(lines, code):
    assert code in [found_code for found_code, *_ in found(WHOLE + lines + "\n")]


@pytest.mark.parametrize(
    "lines",
    [
        "d-i preseed/late_command string exit 1",
        "d-i partman/early_command string ok() { test -e /x || return 1; }; until ok; do sleep 9; done; true",
        "d-i netcfg/get_ipaddress string 10.0.0.2\nd-i preseed/run string kill-all-dhcp; netcfg",
        "d-i partman-auto/method string raid\nd-i partman-auto/disk string /dev/sda /dev/sdb",
        "d-i partman-auto/disk string /dev/sda\nd-i grub-installer/bootdev string /dev/sda",
        "d-i partman-auto/disk string /dev/nvme0n1\nd-i grub-installer/bootdev string /dev/nvme0n1p1",
        "d-i grub-installer/bootdev string /dev/sda",
        "d-i partman-auto/disk string /dev/sda\nd-i grub-installer/bootdev string /dev/disk/by-id/ata-x",
    ],
)
def test_what_is_no_trap(lines):
    assert not {"VK-E62", "VK-E63", "VK-E64", "VK-E65"} & {c for c, *_ in found(WHOLE + lines + "\n")}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "asks how to partition"),
        ("d-i partman-auto/method string lvm", "if it sees exactly one"),
        ("d-i partman-auto/disk string /dev/sda", "Wipes /dev/sda, "),
        ("d-i partman/early_command string x", "partman/early_command chooses"),
        ("d-i partman-auto/disk string /dev/sda\nd-i partman/confirm boolean true", "It asks before"),
    ],
)
def test_what_it_wipes(lines, words):
    assert any(words in sentence for sentence in preseed_summary((lines + "\n").encode()))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"\0" * 100, b"\\", b"\\\n" * 50, b"d-i\n" * 50, b" # \\\n#\n"]
)
def test_any_bytes_are_judged(data):
    check_preseed(data, "p.cfg")
