"""Which disks and which interface the Proxmox installer selects, by its own rules, and why not the others.

Sources: proxmox-auto-installer/src/utils.rs (get_single_udev_index, get_matched_udev_indexes, set_single_disk,
set_selected_disks), proxmox-installer-common/src/setup.rs (order of disks), Proxmox/Sys/Block.pm and Net.pm (what is
looked at). These rules are the same from 8.4 to 9.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ventoy_kit.answers.glob import GlobError, compile_glob
from ventoy_kit.hardware.inventory import DiskFacts, NicFacts

_NEVER = re.compile(r"(ram|loop|md|dm-|fd|sr)\d*")


class InstallerStopsError(Exception):
    """The installer would stop here, before anything is wiped; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A disk as the installer lists it. `index` is the text that it counts disks with."""

    index: str
    disk: DiskFacts

    @property
    def path(self) -> str:
        """The device path that names are compared with."""
        return f"/dev/{self.disk.name}"

    @property
    def properties(self) -> Mapping[str, str]:
        """Udev's properties."""
        return self.disk.properties


def exclusion(disk: DiskFacts) -> str:
    """Why the installer does not even list a device; empty if it does (Proxmox/Sys/Block.pm)."""
    properties = disk.properties
    if _NEVER.match(disk.name):
        return "the installer passes over devices of this kind"
    if properties.get("DEVTYPE", "disk") != "disk":
        return f"it is no disk but a {properties['DEVTYPE']}"
    if any(key.startswith("ID_CDROM") for key in properties):
        return "it is a CD drive"
    if properties.get("ID_FS_TYPE") == "iso9660":
        return "an ISO image was written onto the whole device, so that it counts as the medium"
    return "" if disk.size > 0 else "it has no size (no medium in it)"


def list_candidates(disks: Sequence[DiskFacts]) -> tuple[Candidate, ...]:
    """The disks that the installer lists, in its own order: index as text, so that 10 comes before 2."""
    listed = [d for d in sorted(disks, key=lambda d: d.name) if not exclusion(d)]
    return tuple(sorted((Candidate(str(n), d) for n, d in enumerate(listed)), key=lambda c: c.index))


def first_match(
    chosen: Mapping[str, str], devices: Sequence[tuple[str, Mapping[str, str]]]
) -> tuple[str, str]:
    """The first device, in the order given, on which any key matches, with that key.

    Raises:
        InstallerStopsError: nothing matches, there is no filter, or a pattern that is reached is none.
    """
    if not chosen:
        raise InstallerStopsError("no filter is defined")
    try:
        for device, properties in devices:
            for key in sorted(chosen):
                pattern = compile_glob(chosen[key])
                if key in properties and pattern.matches(properties[key]):
                    return device, key
    except GlobError as error:
        raise InstallerStopsError(f"a filter is no pattern: {error}") from error
    raise InstallerStopsError("the filter matches no device")


def all_matches(
    chosen: Mapping[str, str], candidates: Sequence[Candidate], *, match_all: bool
) -> tuple[str, ...]:
    """Indexes of the disks that a filter of zfs or btrfs selects.

    With `match_all` a disk is left out only if a key that it has does not match; a key that it lacks counts as
    matched.

    Raises:
        InstallerStopsError: nothing matches, or a pattern is none.
    """
    out = []
    try:
        patterns = {key: compile_glob(text) for key, text in chosen.items()} if candidates else {}
        for candidate in candidates:
            own = candidate.properties
            results = [pattern.matches(own[key]) for key, pattern in patterns.items() if key in own]
            if all(results) if match_all else any(results):
                out.append(candidate.index)
    except GlobError as error:
        raise InstallerStopsError(f"a filter is no pattern: {error}") from error
    if not out:
        raise InstallerStopsError("the filter matches no device")
    return tuple(sorted(out))


def named(name: str, candidates: Sequence[Candidate]) -> Candidate | None:
    """The first disk whose path ends with a name of `disk-list`."""
    return next((c for c in candidates if c.path.endswith(name)), None)


@dataclass(frozen=True, slots=True)
class Selection:
    """Selected disks by the installer's numbering, and names of `disk-list` that no disk has."""

    chosen: tuple[Candidate, ...]
    dropped: tuple[str, ...] = ()


def select_disks(setup: Mapping[str, object], candidates: Sequence[Candidate]) -> Selection:
    """What the section `disk-setup` selects. The section has passed `check_answer`.

    Raises:
        InstallerStopsError: it selects nothing that the installer takes.
    """
    single = setup.get("filesystem") in ("ext4", "xfs")
    names, chosen = setup.get("disk-list"), setup.get("filter")
    by_index = {c.index: c for c in candidates}
    if isinstance(names, Sequence) and names:
        if single:
            disk = named(str(names[0]), candidates)
            if disk is None:
                raise InstallerStopsError(f"no disk has the name {names[0]!r}")
            return Selection((disk,))
        found = {str(name): named(str(name), candidates) for name in names}
        disks = {c.index: c for c in found.values() if c is not None}
        dropped = tuple(name for name, disk in found.items() if disk is None)
        if not disks:
            raise InstallerStopsError("no disk has one of the names that are listed")
        return Selection(_numeric(disks.values()), dropped)
    texts = {str(k): str(v) for k, v in chosen.items()} if isinstance(chosen, Mapping) else {}
    if single:
        index, _ = first_match(texts, [(c.index, c.properties) for c in candidates])
        return Selection((by_index[index],))
    indexes = all_matches(texts, candidates, match_all=setup.get("filter-match") == "all")
    return Selection(_numeric(by_index[i] for i in indexes))


def _numeric(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    # The Perl part sorts the set by number again (Proxmox/Install.pm).
    return tuple(sorted(candidates, key=lambda c: int(c.index)))


def nic_exclusion(nic: NicFacts) -> str:
    """Why an interface is not looked at; empty if it is (Proxmox/Sys/Net.pm)."""
    if nic.name == "lo":
        return "it is the loopback"
    return "" if nic.mac else "it has no hardware address"


def select_nic(chosen: Mapping[str, str], nics: Sequence[NicFacts]) -> tuple[NicFacts, str]:
    """The interface that a filter names, and the key that matched: the first one in the order of their names.

    Raises:
        InstallerStopsError: none does.
    """
    usable = sorted((n for n in nics if not nic_exclusion(n)), key=lambda n: n.name)
    name, key = first_match(chosen, [(n.name, n.properties) for n in usable])
    return next(n for n in usable if n.name == name), key
