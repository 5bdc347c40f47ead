"""What somebody put into an image is told, without secrets."""

import gzip
import hashlib

import pytest

from tests.images.test_initrd import cpio
from tests.images.test_inspect import DEBIAN, PROXMOX, look, raw
from ventoy_kit.images.added import find_added, paths_to_read
from ventoy_kit.images.facts import GRUB_MENU
from ventoy_kit.images.inspect import interpret
from ventoy_kit.images.standin import standin_files

SECRETS = ("hunter2", "s3cret", "$6$", "AAAAB3NzaC1yc2EAAAAD", "id=77")
MENU = standin_files("proxmox-ve", "9.1-1").files[GRUB_MENU]
ANSWER = b"""
[global]
keyboard = "de"
fqdn = "pve.example"
root-password = "hunter2hunter2"
root-password-hashed = "$6$s3cret$abc"
root-ssh-keys = ["ssh-rsa AAAAB3NzaC1yc2EAAAAD me@host"]
[disk-setup]
filesystem = "zfs"
disk-list = ["sda", "sdb"]
[post-installation-webhook]
url = "https://me:s3cret@hook.example/x?id=77"
"""
PRESEED = b"""#_preseed_V1
# d-i passwd/root-password password hunter2
d-i debian-installer/locale string en_US
d-i passwd/root-password password hunter2
d-i passwd/user-password-crypted string $6$s3cret$abc
d-i passwd/user-password-again password
d-i mirror/http/proxy string http://me:s3cret@proxy.example:3128/
d-i partman-auto/disk string /dev/sda
d-i preseed/late_command string \\
  in-target sh -c 'echo hunter2'
hunter2
the password: hunter2
hunter2 hunter2 hunter2 hunter2
"""


def added(files, **more):
    facts, report = interpret(raw(files, **more), path=(), looking=True)
    assert facts is not None, list(report)
    names = tuple(sorted(files))
    wanted = paths_to_read(names)
    found = find_added(facts, names, {name: data for name, data in files.items() if name in wanted})
    text = "\n".join(line for one in found for line in one.shown)
    assert not any(secret in text for secret in SECRETS)
    return {one.path: one for one in found}


def proxmox(**more):
    return PROXMOX | {GRUB_MENU: MENU} | {f"/{path}": data for path, data in more.items()}


def disc(changes=None, vendors=None):
    """A Debian disc with the list of its files, and what somebody did to it later."""
    files = DEBIAN | {
        "/install.amd/initrd.gz": gzip.compress(cpio({"init": b"x"})),
        GRUB_MENU: b"menuentry 'Install' {\n linux /vmlinuz\n}\n",
    }
    files |= vendors or {}
    lines = [
        f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  .{path}\n" for path, data in files.items()
    ]
    return files | {"/md5sum.txt": "".join(lines).encode()} | (changes or {})


PACKAGE = {"/pool/main/p/preseed/file-preseed_1_all.udeb": b"x", "/doc/preseed.txt": b"d-i a string b"}


@pytest.mark.parametrize(
    "files",
    [PROXMOX | {GRUB_MENU: MENU}, disc(), disc(vendors=PACKAGE), disc({"/isolinux/isolinux.bin": b"x"})],
)
def test_nothing_is_found_on_what_the_vendor_made(files):
    assert added(files) == {}


def test_all_that_the_vendor_s_own_tool_puts_in():
    files = PROXMOX | {
        GRUB_MENU: MENU,
        "/answer.toml": ANSWER,
        "/auto-installer-mode.toml": b'mode = "http"\n[http]\nurl = "https://x.example/?id=77"\ntoken = "a:s3cret"\n',
        "/proxmox-first-boot": b"#!/bin/sh\necho root:hunter2 | chpasswd\n",
    }
    found = added(files)
    assert set(found) == {"/answer.toml", "/auto-installer-mode.toml", "/proxmox-first-boot"}
    answer = "\n".join(found["/answer.toml"].shown)
    for line in (
        'root-password = "<redacted>"',
        'keyboard = "de"',
        '"sdb"',
        "me@host",
        "hook.example/x?<redacted>",
    ):
        assert line in answer, answer
    assert 'mode = "http"' in found["/auto-installer-mode.toml"].shown
    assert found["/proxmox-first-boot"].shown[0] == "#!/bin/sh"
    # Whoever builds on it is still refused.
    facts, rules = look(files)
    assert facts is None
    assert {rule.code for rule in rules} == {"VK-I07"}


@pytest.mark.parametrize("data", [b"root-password = hunter2\n", b"\xff\xfe", b"a = " + b"[" * 9999])
def test_an_answer_that_cannot_be_parsed_is_not_shown(data):
    shown = added(PROXMOX | {GRUB_MENU: MENU, "/answer.toml": data})["/answer.toml"].shown
    assert len(shown) == 1
    assert "no TOML" in shown[0]


def test_a_preseed_file_and_the_menu_that_names_it():
    menu = b"menuentry 'Install' {\n linux /vmlinuz file=/cdrom/my-preseed.cfg url=https://me:s3cret@x.example/p?id=77\n}\n"
    found = added(disc({"/my-preseed.cfg": PRESEED, GRUB_MENU: menu}))
    shown = found["/my-preseed.cfg"].shown
    assert "d-i partman-auto/disk string /dev/sda" in shown
    assert "d-i passwd/root-password password <redacted>" in shown
    assert any(line.startswith("d-i preseed/late_command string <a command of") for line in shown)
    assert found[GRUB_MENU].what == "a boot menu that was changed"
    assert "line 2 names answers: file=/cdrom/my-preseed.cfg" in found[GRUB_MENU].shown
    assert "line 2 names answers: url=https://<redacted>@x.example/p?<redacted>" in found[GRUB_MENU].shown


def test_answers_inside_the_initramfs():
    initrd = gzip.compress(cpio({"init": b"x"})) + gzip.compress(cpio({"preseed.cfg": PRESEED}))
    found = added(disc({"/install.amd/initrd.gz": initrd}))
    assert found["/install.amd/initrd.gz"].what == "an initramfs that was changed"
    assert "d-i debian-installer/locale string en_US" in found["/install.amd/initrd.gz:/preseed.cfg"].shown


def test_what_the_disc_s_own_list_does_not_name():
    found = added(disc({"/extra/tool.sh": b"hunter2"}))
    assert found["/extra/tool.sh"].what == "not in the disc's own list of files"
    assert found["/extra/tool.sh"].shown == ()


def test_a_proxmox_menu_that_is_not_the_vendor_s():
    menu = MENU.replace(b"auto-installer-mode.toml", b"other.toml")
    (told,) = added(PROXMOX | {GRUB_MENU: menu})[GRUB_MENU].shown
    assert "expected one block" in told


def test_long_and_odd_files_are_fit_for_a_terminal():
    data = b"d-i a/b string \x1b[2Jx\n" + b"d-i a/b string y\n" * 500
    shown = added(disc({"/preseed.cfg": data}))["/preseed.cfg"].shown
    assert len(shown) == 201
    assert shown[-1] == "... and 301 more lines"
    assert all(line.isprintable() for line in shown)
