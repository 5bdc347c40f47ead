"""Answer files of the Proxmox installers (TOML, kebab-case since release 8.4).

Keys and values: proxmox-installer-types, answer.rs; pve-docs, chapter "Automated Installation".
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import tomli_w

from ventoy_kit.payload import codes
from ventoy_kit.plan.model import NodePlan
from ventoy_kit.report import Finding, Place, Report

DISK_PLACEHOLDER = "@VENTOY_KIT_DISKS@"
"""What stands for the system disks until the boot hook has found them; matches no device of the installer."""

GIB = 1024**3


def render_answer(node: NodePlan, files: Mapping[str, str]) -> tuple[bytes | None, Report]:
    """The node's answer.toml.

    Args:
        node: the node.
        files: the family's folder; `base.toml` is laid under what the fleet says.

    Returns:
        TOML with the placeholder in the place of the disk list, or None with findings VK-W*.
    """
    report = Report()
    answer: dict[str, Any] = {}
    file = "answer_files/proxmox/base.toml"
    if "base.toml" not in files:
        message = f"{file} does not exist"
        remedy = "Copy it from the kit's own folder."
        report.add(codes.TEMPLATE_MISSING.finding(message, remedy, place=Place(file)))
        return None, report
    try:
        answer = tomllib.loads(files["base.toml"])
    except tomllib.TOMLDecodeError as error:
        report.add(
            codes.TEMPLATE.finding(f"base.toml is not TOML: {error}", "Correct the file.", place=Place(file))
        )
        return None, report
    for section, values in _sections(node).items():
        own = answer.setdefault(section, {})
        if not isinstance(own, dict):
            report.add(
                codes.TEMPLATE.finding(f"`{section}` must be a table", "Correct the file.", place=Place(file))
            )
            return None, report
        own.update(values)
    data = tomli_w.dumps(answer).encode()
    report.extend(check_answer(data, file))
    return (None if report.has_errors else data), report


def _sections(node: NodePlan) -> dict[str, dict[str, Any]]:
    sections = {"global": _global(node), "network": _network(node), "disk-setup": _disk_setup(node)}
    if node.hooks:
        # `fully-up` is the only stage that runs after the cluster file system is there (proxmox-first-boot units).
        sections["first-boot"] = {"source": "from-iso", "ordering": "fully-up"}
    return sections


def _global(node: NodePlan) -> dict[str, Any]:
    out: dict[str, Any] = {
        "keyboard": node.locale.keyboard,
        "country": node.locale.country,
        "timezone": node.locale.timezone,
        "fqdn": node.fqdn,
        "mailto": node.mailto,
        "reboot-mode": node.install.reboot_mode,
    }
    # The installer demands a password; `!` in its place locks password logins and leaves the keys.
    out["root-password-hashed"] = node.root_hash or "!"
    if node.ssh_keys:
        out["root-ssh-keys"] = list(node.ssh_keys)
    return out


def _network(node: NodePlan) -> dict[str, Any]:
    address = node.address
    return {
        "source": "from-answer",
        "cidr": address.cidr,
        "gateway": address.gateway,
        "dns": address.dns[0],
        # udev names every NIC with a MAC this way, whatever its kernel name; one value, so it matches one NIC.
        "filter": {"ID_NET_NAME_MAC": "enx" + address.mac.replace(":", "")},
    }


def _disk_setup(node: NodePlan) -> dict[str, Any]:
    install = node.install
    out: dict[str, Any] = {"filesystem": install.filesystem, "disk-list": [DISK_PLACEHOLDER]}
    if install.filesystem in ("ext4", "xfs"):
        if install.lvm is not None:
            out["lvm"] = {k: _gib(v) for k, v in install.lvm.model_dump(exclude_none=True).items()}
    elif install.filesystem == "zfs":
        zfs = install.zfs.model_dump(exclude_none=True) if install.zfs else {}
        zfs = {k.replace("_", "-"): v for k, v in zfs.items()}
        zfs |= {"arc-max": zfs["arc-max"] // 1024**2} if "arc-max" in zfs else {}
        zfs |= {"hdsize": _gib(zfs["hdsize"])} if "hdsize" in zfs else {}
        out["zfs"] = {"raid": install.raid} | zfs
    else:
        btrfs = install.btrfs.model_dump(exclude_none=True) if install.btrfs else {}
        btrfs |= {"hdsize": _gib(btrfs["hdsize"])} if "hdsize" in btrfs else {}
        out["btrfs"] = {"raid": install.raid} | btrfs
    return out


def _gib(size: int) -> float | int:
    # Rounded down: a size that was rounded up may be more than the disk has.
    value = size * 1000 // GIB / 1000
    return int(value) if value == int(value) else value


KEYS: Mapping[str, frozenset[str]] = {
    "global": frozenset(
        {
            *("keyboard", "country", "timezone", "fqdn", "mailto", "root-password-hashed", "root-ssh-keys"),
            *("reboot-mode", "reboot-on-error", "subscription-key"),
        }
    ),
    "network": frozenset({"source", "cidr", "gateway", "dns", "filter", "interface-name-pinning"}),
    "disk-setup": frozenset({"filesystem", "disk-list", "lvm", "zfs", "btrfs"}),
    "post-installation-webhook": frozenset({"url", "cert-fingerprint", "auth-token"}),
    "first-boot": frozenset({"source", "ordering", "url", "cert-fingerprint"}),
}
"""The installer's sections and keys, less those that choose a disk or hold a password in clear. It refuses unknown ones."""

_OPTIONS = {"ext4": "lvm", "xfs": "lvm", "zfs": "zfs", "btrfs": "btrfs"}


def check_answer(data: bytes, file: str) -> Report:
    """Look at rendered bytes: the placeholder is the only disk and stands once, every key is a known harmless one."""
    report = Report()
    answer = tomllib.loads(data.decode())
    for section, values in answer.items():
        for key in values if isinstance(values, dict) else ():
            if key not in KEYS.get(section, ()):
                report.add(_unknown_key(f"{section}.{key}", file))
        if section not in KEYS:
            report.add(_unknown_key(section, file))
    setup = answer.get("disk-setup", {})
    for kind in sorted({"lvm", "zfs", "btrfs"} - {_OPTIONS[setup["filesystem"]]}):
        if kind in setup:
            message = (
                f"`disk-setup.{kind}` does not go with {setup['filesystem']}; the installer would refuse it"
            )
            remedy = f"Remove it from base.toml, and write `{kind}` at the nodes that have it."
            report.add(codes.TEMPLATE.finding(message, remedy, place=Place(file)))
    problems = []
    if setup.get("disk-list") != [DISK_PLACEHOLDER]:
        problems.append("its disk-list is not the placeholder alone")
    if not {"filter", "filter-match", "filter_match", "disk_list"}.isdisjoint(setup):
        problems.append("it lists or filters disks by itself")
    if data.count(DISK_PLACEHOLDER.encode()) != 1:
        problems.append("the placeholder does not stand exactly once")
    if problems:
        report.add(
            codes.ANSWER_UNSAFE.finding(
                "the answer file would let the installer choose a disk: " + ", ".join(problems),
                "Remove `disk-list`, `filter` and `filter-match` from base.toml.",
                place=Place(file),
            )
        )
    return report


def _unknown_key(key: str, file: str) -> Finding:
    return codes.TEMPLATE.finding(
        f"`{key}` is no key that an answer file may set",
        "Remove it from base.toml, or spell it as the installer's manual does; passwords belong into `secrets`.",
        place=Place(file),
    )
