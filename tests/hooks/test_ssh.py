"""The hook `ssh`; sshd itself is a stub that reads the files as sshd does: the first value counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hooks.debian_root import twice
from tests.hooks.scratch_root import ScratchRoot, shipped
from ventoy_kit.fleet.hooks import check_params

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("unshare", "chroot", "dash", "mawk")]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl han@falcon"
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7x leia"
DROP_IN = "etc/ssh/sshd_config.d/10-ventoy-kit.conf"
SSHD = """
[ ! -e /calls/refuse ] || { echo bad >&2; exit 255; }
[ "$1" = -T ] || exit 0
for key in permitrootlogin passwordauthentication kbdinteractiveauthentication permitemptypasswords x11forwarding maxauthtries logingracetime; do
    awk -v key="$key" 'tolower($1) == key { print key, ($2 == "prohibit-password" ? "without-password" : $2); exit }' \\
        $(ls /etc/ssh/sshd_config.d/*.conf 2>/dev/null) /etc/ssh/sshd_config
done
"""


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchRoot:
    scratch = ScratchRoot(tmp_path / "root")
    scratch.stub("sshd", SSHD)
    # As the Proxmox installer leaves it.
    scratch.write(
        "etc/ssh/sshd_config",
        "PermitRootLogin yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n",
    )
    return scratch


def run(scratch: ScratchRoot, **params: object) -> dict[str, str]:
    scratch.place([shipped("ssh", **params)])
    assert scratch.run("install").returncode == 0
    scratch.run("run", "ssh")
    result: dict[str, str] = json.loads((scratch.root / "var/lib/ventoy-kit/report.json").read_text())[
        "hooks"
    ][0]
    return result


def outside_state(scratch: ScratchRoot) -> dict[str, object]:
    return {k: v for k, v in scratch.tree().items() if k.startswith(("etc/ssh", "root", "home"))}


def test_keys_and_settings_and_a_second_run_without_change(scratch):
    scratch.write("root/.ssh/authorized_keys", OTHER, 0o600)  # without a line end
    result = run(scratch, authorized_keys=[KEY])
    assert result["status"] == "changed", result
    assert scratch.read("root/.ssh/authorized_keys") == f"{OTHER}\n{KEY}\n"
    assert "PermitRootLogin prohibit-password\nPasswordAuthentication no\n" in scratch.read(DROP_IN)
    assert scratch.calls().count("systemctl reload ssh.service") == 1
    before = outside_state(scratch)
    assert (
        run(scratch, authorized_keys=[KEY.replace("han@falcon", "another comment")])["status"] == "unchanged"
    )
    assert outside_state(scratch) == before
    assert scratch.calls().count("systemctl reload ssh.service") == 1


def test_the_real_sshd_takes_the_hardening(debian):
    debian.execute("ssh-keygen", "-A")
    twice(debian, shipped("ssh", authorized_keys=[KEY]))
    said = debian.execute("sh", "-c", "mkdir -p /run/sshd && sshd -T").stdout.decode()
    for line in ("x11forwarding no", "maxauthtries 4", "logingracetime 30", "permitemptypasswords no"):
        assert f"\n{line}\n" in said
    twice(debian, shipped("ssh", authorized_keys=[KEY], hardening=False))
    assert "X11Forwarding" not in debian.read(DROP_IN)


def test_a_link_as_on_proxmox_stays_a_link(scratch):
    scratch.write("etc/pve/priv/authorized_keys", f"{OTHER}\n", 0o600)
    scratch.write("root/.ssh/config", "")
    (scratch.root / "root/.ssh/authorized_keys").symlink_to("/etc/pve/priv/authorized_keys")
    assert run(scratch, authorized_keys=[KEY])["status"] == "changed"
    assert (scratch.root / "root/.ssh/authorized_keys").is_symlink()
    assert scratch.read("etc/pve/priv/authorized_keys") == f"{OTHER}\n{KEY}\n"


def test_another_user_owns_the_new_files(scratch):
    (scratch.root / "home/han").mkdir(parents=True)
    assert run(scratch, user="han", authorized_keys=[KEY], allow_passwords=True)["status"] == "changed"
    folder = scratch.root / "home/han/.ssh"
    assert [(p.stat().st_uid, p.stat().st_mode & 0o777) for p in (folder, folder / "authorized_keys")] == [
        (1000, 0o700),
        (1000, 0o600),
    ]
    assert "PasswordAuthentication yes" in scratch.read(DROP_IN)
    assert "there is no user lando" in run(scratch, user="lando")["reason"]


def test_nobody_is_locked_out(scratch):
    result = run(scratch)
    assert result["status"] == "failed"
    assert "passwords stay on" in result["reason"]
    assert not (scratch.root / DROP_IN).exists()


def test_a_refused_configuration_is_taken_back(scratch):
    scratch.write("calls/refuse", "")
    result = run(scratch, authorized_keys=[KEY])
    assert result["status"] == "failed"
    assert "sshd refuses" in result["reason"]
    assert not (scratch.root / DROP_IN).exists()
    assert "systemctl reload ssh.service" not in scratch.calls()


def test_a_reload_that_failed_is_done_by_the_next_attempt(scratch):
    scratch.stub("systemctl", '[ "$1" != reload ] || [ -e /calls/mended ]')
    assert "could not be reloaded" in run(scratch, authorized_keys=[KEY])["reason"]
    scratch.write("calls/mended", "")
    assert run(scratch, authorized_keys=[KEY])["status"] == "unchanged"
    assert scratch.calls().count("systemctl reload ssh.service") == 2


def test_verify_sees_a_setting_that_comes_first(scratch):
    run(scratch, authorized_keys=[KEY])
    before = scratch.tree()
    assert scratch.run("verify").returncode == 0
    assert scratch.tree() == before
    scratch.write("etc/ssh/sshd_config.d/01-other.conf", "PermitRootLogin yes\n")
    done = scratch.run("verify")
    assert done.returncode == 1
    assert b"permitrootlogin yes" in done.stdout


@pytest.mark.parametrize(
    "key",
    [
        "ssh-ed25519",
        "AAAA",
        f"{KEY}\n{KEY}",
        'from="*" ' + KEY,
        "ssh-ed25519 $(id)AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "ssh-dss AAAAB3NzaC1yc2EAAAADAQAB",
    ],
)
def test_what_is_no_key_is_refused_before_it_travels(key):
    _, report = check_params(shipped("ssh").spec, {"authorized_keys": [key]}, ())
    assert report.has_errors
