"""What passes the vendor's validator and fails at install time, or selects something else than it reads like.

Sources: proxmox-auto-installer (utils.rs), proxmox-installer-common (options.rs), Proxmox/Install.pm, unconfigured.sh.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ventoy_kit.answers import codes
from ventoy_kit.answers.proxmox_check import normal
from ventoy_kit.answers.proxmox_schema import REDACTED, Release
from ventoy_kit.report import Finding

FAILS = "this passes the vendor's validator and fails at install time"

UDEV_KEYS = frozenset(
    {
        *(
            "DEVLINKS",
            "DEVNAME",
            "DEVPATH",
            "DEVTYPE",
            "MAJOR",
            "MINOR",
            "SUBSYSTEM",
            "USEC_INITIALIZED",
            "TAGS",
        ),
        *(
            "CURRENT_TAGS",
            "DISKSEQ",
            "IFINDEX",
            "INTERFACE",
            "ID_ATA",
            "ID_ATA_ROTATION_RATE_RPM",
            "ID_ATA_SATA",
        ),
        *(
            "ID_BUS",
            "ID_DRIVE_FLASH_SD",
            "ID_DRIVE_MEDIA_FLASH_SD",
            "ID_FS_LABEL",
            "ID_FS_TYPE",
            "ID_FS_UUID",
        ),
        *(
            "ID_INSTANCE",
            "ID_MODEL",
            "ID_MODEL_ENC",
            "ID_MODEL_FROM_DATABASE",
            "ID_MODEL_ID",
            "ID_PART_TABLE_TYPE",
        ),
        *(
            "ID_PART_TABLE_UUID",
            "ID_PATH",
            "ID_PATH_TAG",
            "ID_REVISION",
            "ID_SCSI",
            "ID_SCSI_SERIAL",
            "ID_SERIAL",
        ),
        *(
            "ID_SERIAL_SHORT",
            "ID_TYPE",
            "ID_USB_DRIVER",
            "ID_USB_INTERFACES",
            "ID_USB_INTERFACE_NUM",
            "ID_USB_MODEL",
        ),
        *(
            "ID_USB_MODEL_ID",
            "ID_USB_SERIAL",
            "ID_USB_SERIAL_SHORT",
            "ID_USB_TYPE",
            "ID_USB_VENDOR",
            "ID_USB_VENDOR_ID",
        ),
        *(
            "ID_VENDOR",
            "ID_VENDOR_ENC",
            "ID_VENDOR_FROM_DATABASE",
            "ID_VENDOR_ID",
            "ID_WWN",
            "ID_WWN_WITH_EXTENSION",
        ),
        *("ID_NET_DRIVER", "ID_NET_LINK_FILE", "ID_NET_NAME", "ID_NET_NAME_MAC", "ID_NET_NAME_ONBOARD"),
        *(
            "ID_NET_NAME_PATH",
            "ID_NET_NAME_SLOT",
            "ID_NET_NAMING_SCHEME",
            "ID_NET_LABEL_ONBOARD",
            "ID_OUI_FROM_DATABASE",
        ),
        *("ID_PCI_CLASS_FROM_DATABASE", "ID_PCI_SUBCLASS_FROM_DATABASE", "SYSTEMD_ALIAS", "ID_NVME_MODEL"),
    }
)
"""Properties that udev is known to give disks and network interfaces; others exist, so that unknown ones only warn."""


def find_traps(data: Mapping[str, Any], release: Release) -> list[Finding]:
    """Warnings about an answer that `check_answer` found without errors. Findings carry paths into it."""
    answer = normal(data)
    return [f for rule in (_network, _disks, _names, _global, _others) for f in rule(answer, release)]


def _trap(message: str, remedy: str, *path: str | int, on_key: bool = False) -> Finding:
    return codes.TRAP.finding(message, remedy, path=path, on_key=on_key)


def _network(answer: Mapping[str, Any], release: Release) -> Iterator[Finding]:
    section = answer.get("network", {})
    if section.get("source") == "from-answer":
        chosen = section.get("filter")
        if not chosen:
            yield _trap(
                f'no filter names the interface: {FAILS} ("no filter defined")',
                'Add `filter.ID_NET_NAME_MAC = "enx..."` with the MAC address without colons.',
                "network",
                "filter",
            )
        elif len(chosen) > 1:
            yield _trap(
                "the interface is the first one on which any of these keys matches, not all of them",
                "Keep one key that names one interface, such as ID_NET_NAME_MAC.",
                "network",
                "filter",
            )
        yield from _udev_keys(chosen or {}, "network")
        yield from _addresses(section)
    pinning = section.get("interface-name-pinning")
    if pinning is None:
        return
    if not pinning.get("enabled") and release >= (9, 2):
        yield _trap(
            "since 9.2 the table pins every interface even with `enabled = false`",
            "Remove the whole table.",
            "network",
            "interface-name-pinning",
            "enabled",
        )
    for mac, name in pinning.get("mapping", {}).items():
        at = ("network", "interface-name-pinning", "mapping", mac)
        if re.fullmatch(r"nic\d+", name):
            yield _trap(
                f"{name!r} can also be the name that the installer gives to another interface; then it stops",
                "Choose a name that is not `nic` and a number.",
                *at,
            )
        if mac != mac.lower():
            yield _trap(
                f"{mac!r} is compared as it stands by installers before 9.1.7",
                "Write it in lower case.",
                *at,
                on_key=True,
            )


def _addresses(section: Mapping[str, Any]) -> Iterator[Finding]:
    cidr = section.get("cidr", "")
    if "/" not in cidr:
        yield _trap(
            f"{cidr!r} has no mask and becomes a /32 or /128: {FAILS}",
            "Add the mask, such as `/24`.",
            "network",
            "cidr",
        )
        return
    own = ipaddress.ip_interface(cidr)
    for name in ("gateway", "dns"):
        other = ipaddress.ip_address(section[name])
        if other.version != own.version and name == "gateway":
            yield _trap(
                f"the gateway {other} is not of the address's family",
                "Write one of the same family.",
                "network",
                name,
            )
        elif name == "gateway" and other not in own.network:
            yield _trap(
                f"the gateway {other} is not in {own.network}: the node would have no way out",
                "Correct the gateway or the mask.",
                "network",
                name,
            )
    if own.network.num_addresses > 2 and own.ip in (
        own.network.network_address,
        getattr(own.network, "broadcast_address", None),
    ):
        yield _trap(
            f"{own.ip} is the network's own or its broadcast address",
            "Write an address between them.",
            "network",
            "cidr",
        )


def _disks(answer: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    setup = answer.get("disk-setup", {})
    chosen, match = setup.get("filter", {}), setup.get("filter-match", "any")
    single = setup.get("filesystem") in ("ext4", "xfs")
    if not chosen:
        if "filter-match" in setup:
            yield _trap(
                "`filter-match` does nothing with `disk-list`", "Remove it.", "disk-setup", "filter-match"
            )
        return
    yield from _udev_keys(chosen, "disk-setup")
    if single:
        if "filter-match" in setup:
            yield _trap(
                f"{setup['filesystem']} ignores `filter-match`: the first disk on which any key matches is wiped",
                "Remove it, and keep one key that names one disk.",
                "disk-setup",
                "filter-match",
            )
        if len(chosen) > 1:
            yield _trap(
                "any one of these keys is enough, and the first disk on which one matches is wiped",
                "Keep one key that names one disk, such as ID_SERIAL_SHORT.",
                "disk-setup",
                "filter",
            )
    elif match == "all":
        yield _trap(
            'with "all" a disk is only left out if a key that it has does not match; a key that it lacks counts as '
            "matched, so that a mistyped key takes every disk",
            "List the disks by name, or use filters with `any` that name one disk each.",
            "disk-setup",
            "filter-match",
        )
    elif len(chosen) > 1:
        yield _trap(
            "without `filter-match` every disk on which any of these keys matches is wiped",
            "Keep the keys that each name disks to be wiped.",
            "disk-setup",
            "filter",
        )
    if not single:
        yield _trap(
            "how many disks a filter selects is only counted while it installs; the RAID level may not fit then",
            "Run `ventoy-kit answer simulate` with the machine's facts.",
            "disk-setup",
            "filter",
        )
    for name, pattern in chosen.items():
        if name in ("ID_BUS", "ID_MODEL", "ID_VENDOR", "ID_TYPE", "DEVTYPE") or pattern.strip("*") == "":
            yield _trap(
                f"{name} = {pattern!r} can match a Ventoy stick or a USB disk: they are ordinary disks to the installer",
                "Select by ID_SERIAL_SHORT or ID_WWN.",
                "disk-setup",
                "filter",
                name,
            )


def _udev_keys(chosen: Mapping[str, str], section: str) -> Iterator[Finding]:
    for name in chosen:
        if name in UDEV_KEYS or name.startswith(("ID_NVME_", "ID_ATA_", "ID_USB_", "ID_SCSI_", "ID_NET_")):
            continue
        near = get_close_matches(name.upper(), UDEV_KEYS, 1, 0.7)
        yield _trap(
            f"udev gives no property {name!r} that is known here; keys are compared exactly",
            f"Did you mean `{near[0]}`?" if near else "Look it up with `udevadm info` on the machine.",
            section,
            "filter",
            name,
            on_key=True,
        )


def _names(answer: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    setup = answer.get("disk-setup", {})
    names = setup.get("disk-list", ())
    bare = [re.sub("^/dev/", "", name) for name in names]
    for number, (name, short) in enumerate(zip(names, bare, strict=True)):
        at = ("disk-setup", "disk-list", number)
        if re.fullmatch("@[A-Z_]+@", name):
            continue
        if "/" in short or not short:
            what = "never matches" if short else "matches the first disk, whichever that is"
            yield _trap(
                f"{name!r} {what}: names are compared with the end of /dev/NAME, links are not followed",
                "Write the kernel's name, such as `sda` or `nvme0n1`.",
                *at,
            )
        elif not re.fullmatch(r"(sd[a-z]+|nvme\d+n\d+|vd[a-z]+|hd[a-z]|xvd[a-z]+|mmcblk\d+)", short):
            yield _trap(
                f"{name!r} matches any disk whose name ends so, the first one wins",
                "Write the kernel's whole name, such as `sda` or `nvme0n1`.",
                *at,
            )
        elif short.startswith("mmcblk"):
            yield _trap(
                f"{name!r} is an eMMC: the installer offers it, and dies when it makes partitions",
                "Choose another disk.",
                *at,
            )
        elif short in bare[:number]:
            yield _trap(
                f"{name!r} is {names[bare.index(short)]!r} again, so that one disk less is used",
                "Write another disk.",
                *at,
            )
        else:
            yield _trap(
                f"{name!r} is the name that the kernel gave at one boot; with another disk or stick it may be another device",
                "Select by ID_SERIAL_SHORT, or let ventoy-kit's boot hook find the disk by its serial.",
                *at,
            )
    if len(names) > 1 and setup.get("filesystem") in ("zfs", "btrfs"):
        yield _trap(
            "a name that no disk has is dropped without a word: a mirror of three becomes one of two",
            "Run `ventoy-kit answer simulate` with the machine's facts.",
            "disk-setup",
            "disk-list",
        )


def _global(answer: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    section = answer.get("global", {})
    if section.get("reboot-on-error") and section.get("reboot-mode") == "power-off":
        yield _trap(
            "with both, a failed installation powers off too: a machine that is off does not prove success",
            "Remove one of the two.",
            "global",
            "reboot-on-error",
        )
    hashed = section.get("root-password-hashed")
    if hashed is not None and not re.fullmatch(r"\$(6|y|5|gy|7|2[aby])\$\S{20,}|[!*]|" + REDACTED, hashed):
        yield _trap(
            "`root-password-hashed` does not look like a crypt(3) hash; it is not checked, and nobody could log in",
            "Write what `mkpasswd -m sha-512` prints.",
            "global",
            "root-password-hashed",
            on_key=True,
        )
    key = section.get("subscription-key")
    if key is not None:
        if not re.fullmatch(r"(pve\d+|pbs|pmg)[cbsp]-[0-9a-f]{10}", key):
            yield _trap(
                "`subscription-key` has not the form that the first boot demands; it is refused there and removed",
                "Write it as `pve1c-0123456789`.",
                "global",
                "subscription-key",
                on_key=True,
            )
        yield codes.SECRET_IN_CLEAR.finding(
            "the subscription key stands in clear",
            "Know that whoever holds the medium reads it.",
            path=("global", "subscription-key"),
            on_key=True,
        )
    fqdn = section.get("fqdn")
    if isinstance(fqdn, Mapping) and "domain" in fqdn:
        yield _trap(
            "`fqdn.domain` takes the place of the domain from DHCP; it is no fallback",
            "Remove it to take the domain from DHCP.",
            "global",
            "fqdn",
            "domain",
        )


def _others(answer: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    if "auth-token" in answer.get("post-installation-webhook", {}):
        yield codes.SECRET_IN_CLEAR.finding(
            "the webhook's token stands in clear",
            "Know that whoever holds the medium reads it.",
            path=("post-installation-webhook", "auth-token"),
            on_key=True,
        )
    if answer.get("first-boot", {}).get("source") == "from-url":
        yield _trap(
            "the script is loaded while it installs, and cut off at 1 MiB without a word",
            "Keep it smaller, and keep the server reachable during the installation.",
            "first-boot",
            "url",
        )
