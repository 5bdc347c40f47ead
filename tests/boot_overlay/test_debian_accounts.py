"""Accounts from the late command of the Debian installer: the system's own useradd, chpasswd and usermod make them.

What stands for the installed system has the programs of the machine that the tests run on, and files of its own below
/etc, /home, /root and /var.
"""

from __future__ import annotations

import hashlib
import subprocess

import pytest
from passlib.hash import sha512_crypt

from tests.boot_overlay.scratch import Scratch

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_tool("busybox", "chroot", "unshare", "useradd", "chpasswd", "usermod"),
]

HASH = sha512_crypt.using(rounds=1000, salt="accountsofthekit").hash("Correct Horse 1")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0O {}@example.org"
USERS = (
    f"user\tops\tsudo\t{HASH}\tOperations, 2nd floor\n"
    f"key\tops\t{KEY.format('one')}\n"
    f"key\tops\t{KEY.format('two')}\n"
    f"user\tbackup2\tsudo\t*\tBackup's own\n"
    f"user\tguest\t-\t{HASH}\tguest\n"
)
FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "shadow": "root:*:20000:0:99999:7:::\n",
    "group": "root:x:0:\nsudo:x:27:\n",
    "gshadow": "root:*::\nsudo:*::\n",
    "subuid": "",
    "subgid": "",
    "login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\nUMASK 022\nHOME_MODE 0700\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\n",
    "skel/.profile": "# profile\n",
    "pam.d/chpasswd": "password sufficient pam_permit.so\n",
    "pam.d/other": "auth required pam_deny.so\n",
}
IN_TARGET = """\
#!/bin/sh
echo "$@" >>/in-target
exec chroot /target /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""
MOUNTS = """
set -eu
mount --make-rprivate /
mount --bind /usr "$1/target/usr"
mount -o remount,bind,ro "$1/target/usr"
for dev in "$1/dev" "$1/target/dev"; do mount --bind /dev "$dev"; done
exec chroot "$1" /bin/busybox sh /ventoy-kit/debian-late.sh
"""


@pytest.fixture
def root(debian_root: Scratch) -> Scratch:
    """The moment after the installation of node falcon, with three accounts to make."""
    debian_root.usual()
    debian_root.write("ventoy-kit/run/node", "falcon\n")
    debian_root.without_runner("falcon")
    debian_root.write("ventoy-kit/nodes/falcon/users", USERS)
    debian_root.write("bin/in-target", IN_TARGET, 0o755)
    for folder in ("usr", "dev", "home", "root", "var/mail", "tmp"):
        (debian_root.path / "target" / folder).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (debian_root.path / "target" / name).symlink_to(f"usr/{name}")
    for name, text in FILES.items():
        debian_root.write(f"target/etc/{name}", text, 0o600 if "shadow" in name else 0o644)
    return debian_root


def late(root: Scratch) -> int:
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", MOUNTS, "sh", str(root.path)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode


def entry(root: Scratch, file: str, name: str) -> list[str]:
    (found,) = [x for x in root.read(f"target/etc/{file}").splitlines() if x.startswith(f"{name}:")]
    return found.split(":")


def state(root: Scratch) -> dict[str, str]:
    """Every file of the target that this step may touch."""
    target = root.path / "target"
    return {
        str(p.relative_to(target)): hashlib.sha256(p.read_bytes()).hexdigest()
        for folder in ("etc", "home", "root")
        for p in sorted((target / folder).rglob("*"))
        if p.is_file() and not p.name.endswith("-")  # the tools' own copies
    }


def test_accounts_are_as_the_fleet_file_says(root: Scratch):
    assert late(root) == 0, root.read("ventoy-kit/log")
    assert entry(root, "passwd", "ops")[4:] == ["Operations, 2nd floor", "/home/ops", "/bin/bash"]
    assert entry(root, "passwd", "backup2")[4] == "Backup's own"
    assert sha512_crypt.verify("Correct Horse 1", entry(root, "shadow", "ops")[1])
    assert entry(root, "shadow", "guest")[1] == HASH
    assert entry(root, "shadow", "backup2")[1] == "*"
    assert entry(root, "shadow", "root")[1] == "*"
    assert entry(root, "group", "sudo")[3].split(",") == ["ops", "backup2"]
    assert {entry(root, "group", n)[3] for n in ("ops", "backup2", "guest")} == {""}


def test_keys_belong_to_their_account_alone(root: Scratch):
    assert late(root) == 0
    keys = root.path / "target/home/ops/.ssh/authorized_keys"
    assert keys.read_text() == f"{KEY.format('one')}\n{KEY.format('two')}\n"
    owner = int(entry(root, "passwd", "ops")[2])
    assert owner >= 1000
    for path, mode in ((keys, 0o600), (keys.parent, 0o700), (keys.parents[1], 0o700)):
        seen = path.stat()
        assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o777) == (owner, owner, mode)
    assert not (root.path / "target/home/guest/.ssh").exists()


def test_who_has_no_password_needs_none_for_sudo(root: Scratch):
    assert late(root) == 0
    folder = root.path / "target/etc/sudoers.d"
    assert [p.name for p in folder.iterdir()] == ["ventoy-kit-backup2"]
    assert (folder / "ventoy-kit-backup2").read_text() == "backup2 ALL=(ALL:ALL) NOPASSWD: ALL\n"
    assert (folder / "ventoy-kit-backup2").stat().st_mode & 0o777 == 0o440


def test_a_hash_is_in_no_argument_no_log_and_no_file_but_shadow(root: Scratch):
    assert late(root) == 0
    log = root.path / "ventoy-kit/log"
    assert HASH not in root.read("in-target") + (log.read_text() if log.exists() else "")
    holding = [
        str(p.relative_to(root.path / "target"))
        for p in (root.path / "target").rglob("*")
        if p.is_file() and HASH.encode() in p.read_bytes()
    ]
    assert {name.removesuffix("-") for name in holding} == {"etc/shadow"}
    assert all((root.path / "target" / name).stat().st_mode & 0o7 == 0 for name in holding)


def test_a_second_run_changes_nothing(root: Scratch):
    assert late(root) == 0
    before = state(root)
    assert late(root) == 0
    assert state(root) == before


@pytest.mark.parametrize("broken", ["useradd", "chpasswd", "usermod", "chown"])
def test_a_failure_is_one_and_the_other_accounts_are_there(root: Scratch, broken: str):
    stub = f'case "$*" in {broken}*ops* | "sh -c {broken}"*) exit 9 ;; esac\n'
    root.write("bin/in-target", IN_TARGET.replace("exec ", f"{stub}exec "), 0o755)
    assert late(root) == 1
    assert "an account of falcon did not get into the system" in root.read("ventoy-kit/log")
    assert entry(root, "passwd", "guest")
    assert not list((root.path / "target/root").glob("*passwords*"))


@pytest.mark.parametrize("line", ["", "nonsense\n", "users\tops\n", "key\tnobody\tssh-ed25519 AAAA x\n"])
def test_a_line_that_is_none_is_a_failure(root: Scratch, line: str):
    root.write("ventoy-kit/nodes/falcon/users", line + USERS)
    assert late(root) == (1 if line else 0)
    assert entry(root, "passwd", "ops")


def test_a_system_without_sudo_is_a_failure(root: Scratch):
    root.write("target/etc/group", "root:x:0:\n")
    root.write("target/etc/gshadow", "root:*::\n")
    assert late(root) == 1
    assert (root.path / "target/home/ops/.ssh/authorized_keys").exists()
