"""What the Proxmox installer refuses in an answer: keys, types, values, and rules across keys.

Sources: proxmox-installer-types (answer.rs, lib.rs), proxmox-auto-installer (utils.rs), proxmox-network-types (fqdn.rs),
pve-docs. Traps, which the vendor's validator passes, are in `proxmox_traps`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ventoy_kit.answers import codes
from ventoy_kit.answers.glob import GlobError, compile_glob
from ventoy_kit.answers.proxmox_fields import fqdn_problem, is_address, is_email, is_mac, pin_problem
from ventoy_kit.answers.proxmox_schema import (
    DISK_PLACEHOLDER,
    OPTIONS,
    SECTIONS,
    Key,
    Kind,
    Release,
    Section,
    release_text,
)
from ventoy_kit.report import Finding, Path, dotted

KIND_NAMES: Mapping[Kind, str] = {
    "string": "text",
    "bool": "true or false",
    "int": "a whole number",
    "number": "a number",
    "strings": "a list of texts",
    "map": "a table of texts",
    "table": "a table",
    "string or table": "text, or a table",
}

MINIMUM_DISKS = {"raid0": 1, "raid1": 2, "raid10": 4, "raidz-1": 3, "raidz-2": 4, "raidz-3": 5}
"""Disks at the least per RAID level (proxmox-installer-types 0.1.2, filesystem_details)."""


def check_answer(data: Mapping[str, Any], release: Release) -> list[Finding]:
    """Everything that makes the installer of a release refuse the answer. Findings carry paths into it."""
    out = list(_section((), Section({p[0]: Key("table") for p in SECTIONS if len(p) == 1}), data, release))
    for path, section in SECTIONS.items():
        found = _lookup(data, path)
        if isinstance(found, Mapping):
            out += _section(path, section, found, release)
        elif found is None and section.required:
            message = f"the section `{dotted(path)}` is missing"
            out.append(codes.MISSING_KEY.finding(message, f"Add `[{dotted(path)}]`.", path=path))
    if not any(f.rule is codes.WRONG_TYPE for f in out):
        plain = normal(data)
        for rule in (_global, _network, _disks, _sizes, _patterns, _pinning, _first_boot):
            out += rule(plain, release)
    return out


def normal(data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer with every key in the spelling with hyphens, as the installer reads it. Free keys stay."""

    def table(value: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        keys = SECTIONS[path].keys if path in SECTIONS else {}
        for name, item in value.items():
            kebab = name.replace("_", "-")
            right = kebab if kebab in keys and keys[kebab].snake else name
            below = (*path, right)
            out[right] = table(item, below) if isinstance(item, Mapping) and below in SECTIONS else item
        return out

    return table(data, ())


def _lookup(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = data
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _section(
    path: tuple[str, ...], section: Section, found: Mapping[str, Any], release: Release
) -> Iterator[Finding]:
    """Keys, types and values of one table."""
    present = set()
    for name, value in found.items():
        at = (*path, name)
        kebab = name.replace("_", "-")
        key = section.keys.get(name)
        if key is None and kebab in section.keys and section.keys[kebab].snake:
            key = section.keys[kebab]
            yield codes.OLD_SPELLING.finding(
                f"`{name}` is an old spelling", f"Write `{kebab}`.", path=at, on_key=True
            )
            if kebab in found:
                yield codes.UNKNOWN_KEY.finding(
                    f"`{name}` and `{kebab}` are the same key", "Remove one of them.", path=at, on_key=True
                )
        if key is None:
            yield _unknown(at, section)
            continue
        present.add(kebab)
        since = max(key.since, SECTIONS[at].since) if at in SECTIONS and key.kind == "table" else key.since
        if release < since:
            yield codes.RELEASE.finding(
                f"`{dotted(at)}` is known since {release_text(since)}, and {release_text(release)} refuses it",
                f"Remove it, or install from release {release_text(since)} or newer.",
                path=at,
                on_key=True,
            )
        yield from _value(at, key, value)
    for name, key in section.keys.items():
        if name not in present and key.demanded(release):
            why = (
                ""
                if key.required
                else f" (older releases than {release_text(key.required_since or release)} had a default)"
            )
            values = f" one of {', '.join(key.values[:8])}" if key.values else ""
            yield codes.MISSING_KEY.finding(
                f"`{dotted((*path, name))}` is missing{why}",
                f"Add `{name} = ...` with{values or ' ' + KIND_NAMES[key.kind]} under `[{dotted(path)}]`.",
                path=(*path, name),
            )


def _unknown(at: tuple[str, ...], section: Section) -> Finding:
    name = at[-1]
    near = get_close_matches(name.replace("_", "-"), section.keys, 1, 0.6)
    elsewhere = [dotted(p) for p, s in SECTIONS.items() if name in s.keys and p != at[:-1]]
    remedy = (
        f"Did you mean `{near[0]}`?"
        if near
        else f"It belongs under `[{elsewhere[0]}]`."
        if elsewhere
        else f"Remove it; known here are {', '.join(section.keys)}."
    )
    what = "section" if len(at) == 1 else "key"
    return codes.UNKNOWN_KEY.finding(
        f"the installer knows no {what} `{dotted(at)}`", remedy, path=at, on_key=True
    )


def _value(at: tuple[str, ...], key: Key, value: Any) -> Iterator[Finding]:
    if not _has_kind(value, key.kind):
        shown = "" if key.secret else f", not {_shown(value)}"
        yield codes.WRONG_TYPE.finding(
            f"`{dotted(at)}` must be {KIND_NAMES[key.kind]}{shown}",
            f"Write {KIND_NAMES[key.kind]}.",
            path=at,
        )
    elif key.values and value not in key.values:
        near = get_close_matches(value.lower(), key.values, 1, 0.6)
        yield codes.WRONG_VALUE.finding(
            f"`{dotted(at)}` is {_shown(value)}, which the installer does not know",
            f"Did you mean `{near[0]}`?" if near else f"Write one of {', '.join(key.values)}.",
            path=at,
        )


def _has_kind(value: Any, kind: Kind) -> bool:
    if kind == "string or table":
        return isinstance(value, str | Mapping)
    if kind in ("int", "number"):
        return not isinstance(value, bool) and isinstance(value, int if kind == "int" else int | float)
    if kind == "strings":
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and all(isinstance(v, str) for v in value)
        )
    if kind == "map":
        return isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values())
    return isinstance(value, {"string": str, "bool": bool, "table": Mapping}[kind])


def _shown(value: Any) -> str:
    text = (
        repr(value)
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    return text if len(text) <= 60 else text[:57] + "..."


def _field(message: str, remedy: str, *path: str) -> Finding:
    return codes.FIELDS.finding(message, remedy, path=path)


def _global(data: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    section = data.get("global", {})
    fqdn = section.get("fqdn")
    if isinstance(fqdn, str) and (why := fqdn_problem(fqdn)):
        yield _field(
            f"{fqdn!r} is no FQDN: {why}",
            "Write host name and domain, such as `node1.example.org`.",
            "global",
            "fqdn",
        )
    country = section.get("country")
    if country is not None and not re.fullmatch("[a-z]{2}", country):
        yield _field(
            f"{country!r} is no country code",
            "Write two lower-case letters, such as `de`.",
            "global",
            "country",
        )
    zone = section.get("timezone")
    if zone is not None and zone != "UTC" and ("/" not in zone or zone.startswith(("Etc/", "US/"))):
        yield _field(
            f"{zone!r} is no time zone of the installer's list (tzdata's zone.tab)",
            "Write Area/City, such as `Europe/Vienna`, or `UTC`.",
            "global",
            "timezone",
        )
    mail = section.get("mailto")
    if mail is not None and (not is_email(mail)):
        yield _field(
            f"{mail!r} is no e-mail address that the installer takes",
            "Write one such as `root@localhost`.",
            "global",
            "mailto",
        )
    passwords = [name for name in ("root-password", "root-password-hashed") if name in section]
    if len(passwords) != 1:
        what = "both passwords are" if passwords else "no root password is"
        yield _field(
            f"{what} given",
            "Give exactly one of `root-password` and `root-password-hashed`.",
            "global",
            *passwords[:1],
        )
    if "root-password" in section:
        size = len(section["root-password"].encode())
        if size < 8:
            yield _field(
                f"the password has {size} bytes, the installer demands 8",
                "Choose a longer one.",
                "global",
                "root-password",
            )
        yield codes.SECRET_IN_CLEAR.finding(
            "the root password stands in clear",
            "Write `root-password-hashed` with what `mkpasswd -m sha-512` prints.",
            path=("global", "root-password"),
            on_key=True,
        )


def _network(data: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    section = data.get("network", {})
    fixed = ("cidr", "dns", "gateway")
    if section.get("source", "from-dhcp") == "from-dhcp":
        for name in (*fixed, "filter"):
            if name in section:
                yield codes.UNKNOWN_KEY.finding(
                    f'`network.{name}` does not go with `source = "from-dhcp"`',
                    'Remove it, or write `source = "from-answer"`.',
                    path=("network", name),
                    on_key=True,
                )
        return
    for name in fixed:
        if name not in section:
            yield codes.MISSING_KEY.finding(
                f"`network.{name}` is missing",
                'Add it; `source = "from-answer"` demands it.',
                path=("network", name),
            )
    if "cidr" in section and not is_address(section["cidr"], mask=True):
        yield _field(
            f"{section['cidr']!r} is no address with a mask",
            "Write one such as `10.0.0.11/24`.",
            "network",
            "cidr",
        )
    for name in ("dns", "gateway"):
        if name in section and not is_address(section[name]):
            yield _field(f"{section[name]!r} is no IP address", "Write one address.", "network", name)


def _disks(data: Mapping[str, Any], release: Release) -> Iterator[Finding]:
    setup = data.get("disk-setup", {})
    filesystem, at = setup.get("filesystem"), ("disk-setup",)

    def bad(message: str, remedy: str, *path: str) -> Finding:
        return codes.SELECTION.finding(message, remedy, path=(*at, *path))

    ways = [name for name in ("disk-list", "filter") if setup.get(name)]
    if len(ways) != 1:
        what = "both `disk-list` and `filter` select" if ways else "neither `disk-list` nor `filter` selects"
        yield bad(f"{what} disks", "Give exactly one of them.", *ways[1:])
    names = setup.get("disk-list", ())
    counted = () if DISK_PLACEHOLDER in names else names  # it stands for any number of disks
    for number, name in enumerate(names):
        if name in names[:number]:
            yield codes.SELECTION.finding(
                f"the disk {name!r} stands twice", "Remove one of them.", path=(*at, "disk-list", number)
            )
    if filesystem not in OPTIONS:
        return
    own = OPTIONS[filesystem]
    for kind in sorted({"lvm", "zfs", "btrfs"} - {own}):
        if kind in setup:
            yield bad(f"`{kind}` does not go with {filesystem}", "Remove the table.", kind)
    if own == "lvm":
        if len(names) > 1:
            yield bad(f"{filesystem} takes one disk, {len(names)} are listed", "List one disk.", "disk-list")
        return
    if own not in setup:
        yield codes.MISSING_KEY.finding(
            f"`disk-setup.{own}.raid` is missing",
            f'Add `{own}.raid = "raid0"` or another level.',
            path=(*at, own),
        )
        return
    level = str(setup[own].get("raid", "")).lower()
    need = MINIMUM_DISKS.get(level, 0)
    if counted and len(counted) < need:
        label = "ZFS" if own == "zfs" else "Btrfs"
        yield bad(
            f"{label} {level.upper()} needs at least {need} disks, {len(names)} are listed",
            "List more disks or take another level.",
            own,
            "raid",
        )
    elif counted and level == "raid10" and len(counted) % 2:
        when = "" if release >= (9, 2) else "; older installers than 9.2.6 find out while they install"
        yield bad(
            f"raid10 needs an even number of disks, {len(names)} are listed{when}",
            "List one more or one less.",
            own,
            "raid",
        )


def _sizes(data: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    lvm = data.get("disk-setup", {}).get("lvm", {})
    if "hdsize" in lvm and "swapsize" in lvm and lvm["swapsize"] > lvm["hdsize"] / 2:
        yield codes.SIZES.finding(
            f"`swapsize` {lvm['swapsize']} is more than half of `hdsize` {lvm['hdsize']}",
            "Write a smaller size.",
            path=("disk-setup", "lvm", "swapsize"),
        )


def _patterns(data: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    for section in ("network", "disk-setup"):
        for name, pattern in data.get(section, {}).get("filter", {}).items():
            try:
                compile_glob(pattern)
            except GlobError as error:
                yield codes.PATTERN.finding(
                    f"{pattern!r} is no pattern: {error} (character {error.position + 1})",
                    "Close the bracket, use one star, and write `[*]` or `[[]` for the characters themselves.",
                    path=(section, "filter", name),
                )


def _pinning(data: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    at: Path = ("network", "interface-name-pinning", "mapping")
    mapping = data.get("network", {}).get("interface-name-pinning", {}).get("mapping", {})
    seen: dict[str, str] = {}
    for mac, name in mapping.items():
        if not is_mac(mac):
            yield codes.PINNING.finding(
                f"{mac!r} is no MAC address", "Write it as `aa:bb:cc:dd:ee:ff`.", path=(*at, mac), on_key=True
            )
        if why := pin_problem(name):
            yield codes.PINNING.finding(
                f"{name!r} is no name for an interface: {why}", "Write one such as `lan0`.", path=(*at, mac)
            )
        if name in seen:
            yield codes.PINNING.finding(
                f"{name!r} is also the name of {seen[name]}",
                "Give each interface a name of its own.",
                path=(*at, mac),
            )
        seen.setdefault(name, mac)


def _first_boot(data: Mapping[str, Any], _release: Release) -> Iterator[Finding]:
    section = data.get("first-boot", {})
    if section.get("source") == "from-url" and "url" not in section:
        yield codes.MISSING_KEY.finding(
            "`first-boot.url` is missing",
            'Add it, or write `source = "from-iso"`.',
            path=("first-boot", "url"),
        )
