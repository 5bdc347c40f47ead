"""The answer file of the Proxmox installers, 8.4 to 9.2, as one table: keys, types, values, defaults, since when.

Source: proxmox-installer-types, answer.rs (proxmox-rs), debian/changelog of pve-installer, pve-docs
pve-installation.adoc. Releases are those of Proxmox VE ISOs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Release = tuple[int, int]
"""Major and minor release of an image, such as (9, 1)."""

OLDEST: Release = (8, 4)
NEWEST: Release = (9, 2)
RELEASES: tuple[Release, ...] = ((8, 4), (9, 0), (9, 1), (9, 2))

DISK_PLACEHOLDER = "@VENTOY_KIT_DISKS@"
"""What stands for the system disks until the boot hook has found them; matches no device of the installer."""

REDACTED = "<redacted>"
"""What is shown in the place of a secret."""

Kind = Literal["string", "bool", "int", "number", "strings", "map", "table", "string or table"]

KEYBOARDS = (
    "de", "de-ch", "dk", "en-gb", "en-us", "es", "fi", "fr", "fr-be", "fr-ca", "fr-ch", "hu", "is", "it", "jp", "lt",
    "mk", "nl", "no", "pl", "pt", "pt-br", "se", "si", "tr",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section.

    Attributes:
        kind: TOML type; `number` is an integer or a float, `map` a table of strings with free keys.
        values: the accepted strings; empty if any.
        default: what the installer takes when it is absent, for people.
        required: whether it must be there.
        since: the first release that knows it.
        required_since: the first release that demands it, where older ones have a default.
        snake: whether the spelling with underscores is still read.
        secret: whether the value must not be shown.
    """

    kind: Kind
    values: tuple[str, ...] = ()
    default: str = ""
    required: bool = False
    since: Release = (8, 2)
    required_since: Release | None = None
    snake: bool = False
    secret: bool = False

    def demanded(self, release: Release) -> bool:
        """Whether this release refuses an answer without the key."""
        return self.required or (self.required_since is not None and release >= self.required_since)


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the answer."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    required: bool = False
    since: Release = (8, 2)


_ZFS_LEVELS = ("raid0", "raid1", "raid10", "raidz-1", "raidz-2", "raidz-3")
_BTRFS_LEVELS = ("raid0", "raid1", "raid10")

SECTIONS: Mapping[tuple[str, ...], Section] = {
    ("global",): Section(
        {
            "keyboard": Key("string", KEYBOARDS, required=True),
            "country": Key("string", required=True),
            "timezone": Key("string", required=True),
            "fqdn": Key("string or table", required=True),
            "mailto": Key("string", required=True),
            "root-password": Key("string", snake=True, secret=True),
            "root-password-hashed": Key("string", since=(8, 3), snake=True, secret=True),
            "root-ssh-keys": Key("strings", default="none", snake=True),
            "reboot-on-error": Key("bool", default="false", snake=True),
            "reboot-mode": Key("string", ("reboot", "power-off"), "reboot", since=(8, 4), snake=True),
            "subscription-key": Key("string", since=(9, 2), snake=True, secret=True),
        },
        required=True,
    ),
    ("global", "fqdn"): Section(
        {"source": Key("string", ("from-dhcp",), "from-dhcp"), "domain": Key("string")}, since=(8, 4)
    ),
    ("network",): Section(
        {
            "source": Key("string", ("from-dhcp", "from-answer"), "from-dhcp", required_since=(9, 2)),
            "cidr": Key("string"),
            "dns": Key("string"),
            "gateway": Key("string"),
            "filter": Key("map"),
            "interface-name-pinning": Key("table", since=(9, 1)),
        },
        required=True,
    ),
    ("network", "interface-name-pinning"): Section(
        {"enabled": Key("bool", required=True), "mapping": Key("map", default="none")}, since=(9, 1)
    ),
    ("disk-setup",): Section(
        {
            "filesystem": Key("string", ("ext4", "xfs", "zfs", "btrfs"), required=True),
            "disk-list": Key("strings", snake=True),
            "filter": Key("map"),
            "filter-match": Key("string", ("any", "all"), "any", snake=True),
            "lvm": Key("table"),
            "zfs": Key("table"),
            "btrfs": Key("table"),
        },
        required=True,
    ),
    ("disk-setup", "lvm"): Section(
        {name: Key("number") for name in ("hdsize", "swapsize", "maxroot", "maxvz", "minfree")}
    ),
    ("disk-setup", "zfs"): Section(
        {
            "raid": Key("string", (*_ZFS_LEVELS, *(v.upper() for v in _ZFS_LEVELS)), required=True),
            "ashift": Key("int", default="12"),
            "arc-max": Key("int", default="a tenth of the memory, 64 MiB to 16 GiB", snake=True),
            "checksum": Key("string", ("on", "fletcher4", "sha256"), "on"),
            "compress": Key("string", ("on", "off", "lzjb", "lz4", "zle", "gzip", "zstd"), "on"),
            "copies": Key("int", default="1"),
            "hdsize": Key("number"),
        }
    ),
    ("disk-setup", "btrfs"): Section(
        {
            "raid": Key("string", (*_BTRFS_LEVELS, *(v.upper() for v in _BTRFS_LEVELS)), required=True),
            "compress": Key("string", ("on", "off", "zlib", "lzo", "zstd"), "off", since=(8, 3)),
            "hdsize": Key("number"),
        }
    ),
    ("post-installation-webhook",): Section(
        {
            "url": Key("string", required=True),
            "cert-fingerprint": Key("string", snake=True),
            "auth-token": Key("string", since=(9, 2), snake=True, secret=True),
        },
        since=(8, 3),
    ),
    ("first-boot",): Section(
        {
            "source": Key("string", ("from-iso", "from-url"), required=True),
            "ordering": Key("string", ("before-network", "network-online", "fully-up"), "fully-up"),
            "url": Key("string"),
            "cert-fingerprint": Key("string", snake=True),
        },
        since=(8, 3),
    ),
}
"""Every section by path. `global.fqdn` is a section only where it is written as a table."""

OPTIONS = {"ext4": "lvm", "xfs": "lvm", "zfs": "zfs", "btrfs": "btrfs"}
"""The sub-table of `disk-setup` that goes with a file system."""

SECRETS = tuple((*path, name) for path, s in SECTIONS.items() for name, key in s.keys.items() if key.secret)
"""Paths of values that are never shown."""

_RELEASE = re.compile(r"(\d{1,2})\.(\d{1,2})(?:-\d+)?")


def parse_release(text: str) -> Release | None:
    """`9.1` or `9.1-1` as a release; None if it is neither. Other products have numbers of their own."""
    found = _RELEASE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def release_text(release: Release) -> str:
    """A release as its vendor writes it."""
    return f"{release[0]}.{release[1]}"


def installer_release(product: str | None, release: str | None) -> Release:
    """The release of Proxmox VE whose installer an image is taken to have.

    Of other products only the beginning is known (kebab-case came with PVE 8.4-1 and PBS 3.4-1), so that they are
    judged as the oldest release. An image newer than the schema is judged as the newest.
    """
    found = parse_release(release or "")
    if found is None or product != "proxmox-ve":
        return OLDEST
    return min(max(found, OLDEST), NEWEST)
