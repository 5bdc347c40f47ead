"""What the Proxmox installer would do with an answer on a machine: disks, order, interface, and why not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ventoy_kit.answers.glob import GlobError, compile_glob
from ventoy_kit.answers.proxmox_check import MINIMUM_DISKS, normal
from ventoy_kit.answers.proxmox_match import (
    Candidate,
    InstallerStopsError,
    Selection,
    exclusion,
    list_candidates,
    nic_exclusion,
    select_disks,
    select_nic,
)
from ventoy_kit.answers.proxmox_order import depends_on_order
from ventoy_kit.answers.proxmox_schema import Release
from ventoy_kit.hardware.inventory import DiskFacts, Inventory, NicFacts

Boot = Literal["efi", "bios"]

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Verdict:
    """One device: whether it is taken, and the reason in words."""

    name: str
    why: str
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would happen.

    Attributes:
        wiped: kernel names of the disks that are wiped, in the installer's order; empty if it stops before that.
        disks: a verdict for every disk, by name.
        nic: kernel name of the management interface; None if it stops, or if only the network decides.
        nic_name: its name in the installed system.
        nics: a verdict for every interface, by name.
        stops: why the installer stops, in its order. Disks are in `wiped` even then if they may have been touched.
        notes: what is worth knowing besides.
        by_order: whether other disks are taken when the kernel finds them in another order.
    """

    wiped: tuple[str, ...]
    disks: tuple[Verdict, ...]
    nic: str | None
    nic_name: str | None
    nics: tuple[Verdict, ...]
    stops: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    by_order: bool = False


def simulate(
    answer: Mapping[str, Any], inventory: Inventory, release: Release, boot: Boot | None = None
) -> Simulation:
    """Follow the installer with an answer that `check_answer` found right.

    Args:
        answer: the answer as TOML reads it.
        inventory: the machine, with the stick if it is plugged in.
        release: the installer's release.
        boot: how the machine boots; None if that is not known.
    """
    plain = normal(answer)
    candidates = list_candidates(inventory.disks)
    stops: list[str] = []
    notes: list[str] = []
    if not candidates:
        stops.append("it finds no disk, and stops before it reads the answer")
    if not [n for n in inventory.nics if not nic_exclusion(n)]:
        stops.append("it finds no network interface, and stops before it reads the answer")
    nic, nic_verdicts = _management(plain, inventory, stops, notes)
    names, clash = _final_names(plain, inventory.nics, release)
    stops += clash
    setup = plain.get("disk-setup", {})
    selection = Selection(())
    try:
        selection = select_disks(setup, candidates)
    except InstallerStopsError as error:
        stops.append(str(error))
    wiped = () if stops else tuple(c.disk.name for c in selection.chosen)
    if selection.chosen:
        stops += _low_level(setup, selection.chosen, boot)
        notes += _selection_notes(setup, selection, candidates)
    return Simulation(
        wiped=wiped,
        disks=tuple(_disk_verdicts(setup, inventory.disks, candidates, selection, stopped=bool(stops))),
        nic=None if stops else nic,
        nic_name=None if stops or nic is None else names.get(nic, nic),
        nics=nic_verdicts,
        stops=tuple(stops),
        notes=tuple(notes),
        by_order=depends_on_order(setup, inventory.disks),
    )


def _management(
    answer: Mapping[str, Any], inventory: Inventory, stops: list[str], notes: list[str]
) -> tuple[str | None, tuple[Verdict, ...]]:
    """The management interface, and a verdict for each."""
    section = answer.get("network", {})
    nics = sorted(inventory.nics, key=lambda n: n.name)
    usable = [n for n in nics if not nic_exclusion(n)]
    if section.get("source", "from-dhcp") == "from-dhcp":
        if len(usable) == 1:
            return usable[0].name, (Verdict(usable[0].name, taken=True, why="the only interface"),)
        notes.append(
            "The interface with the default route from DHCP is taken, else the one with the lowest number; with no "
            "lease the node gets 192.168.100.2."
        )
        why = "taken if DHCP gives it the default route"
        return None, tuple(Verdict(n.name, why=nic_exclusion(n) or why) for n in nics)
    chosen = section.get("filter", {})
    try:
        found, key = select_nic(chosen, nics)
    except InstallerStopsError as error:
        stops.append(f"network: {error}")
        found, key = None, ""
    out = []
    for nic in nics:
        if found is not None and nic.name == found.name:
            out.append(
                Verdict(nic.name, taken=True, why=f"{key} = {nic.properties[key]!r} matches {chosen[key]!r}")
            )
        else:
            later = (
                found is not None
                and nic.name > found.name
                and any(_matches(chosen[k], nic.properties.get(k)) for k in chosen)
            )
            why = (
                f"it matches too, but {found.name} comes first"
                if later and found
                else "no key of the filter matches"
            )
            out.append(Verdict(nic.name, why=nic_exclusion(nic) or why))
    return (found.name if found else None), tuple(out)


def _matches(pattern: str, value: str | None) -> bool:
    try:
        return value is not None and compile_glob(pattern).matches(value)
    except GlobError:
        return False


def _low_level(setup: Mapping[str, Any], chosen: Sequence[Candidate], boot: Boot | None) -> Iterator[str]:
    """What the Perl part refuses, before it writes (Proxmox/Install.pm, Proxmox/Sys/Block.pm)."""
    filesystem = setup.get("filesystem")
    for c in chosen:
        if c.disk.name.startswith("mmcblk"):
            yield f"{c.disk.name} is an eMMC, for which the partitioner has no names"
        elif c.disk.size < 2 * GIB:
            yield f"{c.disk.name} is smaller than 2 GiB"
        elif c.disk.size < 8 * GIB:
            yield f"{c.disk.name} is smaller than 8 GiB; the installer asks about that, and nobody answers"
    if filesystem not in ("zfs", "btrfs"):
        return
    level = str(setup.get(filesystem, {}).get("raid", "")).lower()
    need = MINIMUM_DISKS.get(level, 1)
    if len(chosen) < need:
        yield f"{filesystem} {level} needs at least {need} disks, {len(chosen)} are selected"
    elif level == "raid10" and len(chosen) % 2:
        yield f"raid10 needs an even number of disks, {len(chosen)} are selected"
    elif filesystem == "zfs" and level != "raid0":
        for first, other in _pairs(level, chosen):
            if abs(other.disk.size - first.disk.size) > first.disk.size / 10:
                yield f"the sizes of {first.disk.name} and {other.disk.name} differ by more than a tenth"
    if boot == "bios" and any(c.disk.logical_block == 4096 for c in chosen):
        yield f"{filesystem} does not boot from disks with 4096-byte sectors in BIOS mode"


def _pairs(level: str, chosen: Sequence[Candidate]) -> list[tuple[Candidate, Candidate]]:
    if level == "raid10":
        return list(zip(chosen[::2], chosen[1::2], strict=True))
    return [(chosen[0], other) for other in chosen[1:]]


def _selection_notes(
    setup: Mapping[str, Any], selection: Selection, candidates: Sequence[Candidate]
) -> Iterator[str]:
    if selection.dropped:
        yield f"The names {', '.join(selection.dropped)} match no disk and are dropped without a word."
    filesystem = setup.get("filesystem")
    if filesystem not in ("zfs", "btrfs") or "hdsize" in setup.get(filesystem, {}):
        return
    # The key with the lowest text, used as a number into the vector that is sorted by text (utils.rs).
    first = min(c.index for c in selection.chosen)
    source = candidates[int(first)]
    if source.index != first:
        yield (
            f"Without `hdsize` the size of {source.disk.name} is used for all disks, not that of "
            f"{next(c.disk.name for c in selection.chosen if c.index == first)}: more than ten disks are counted "
            "in one order and looked up in another."
        )
    larger = [c.disk.name for c in selection.chosen if c.disk.size > source.disk.size]
    if larger:
        yield f"Of {', '.join(larger)} only as much is used as {source.disk.name} has."


def _disk_verdicts(
    setup: Mapping[str, Any],
    disks: Sequence[DiskFacts],
    candidates: Sequence[Candidate],
    selection: Selection,
    *,
    stopped: bool,
) -> Iterator[Verdict]:
    listed = {c.disk.name: c for c in candidates}
    taken = {c.disk.name for c in selection.chosen}
    chosen: Mapping[str, str] = setup.get("filter") or {}
    single = setup.get("filesystem") in ("ext4", "xfs")
    for disk in sorted(disks, key=lambda d: d.name):
        if disk.name not in listed:
            yield Verdict(disk.name, why=exclusion(disk))
            continue
        hits = [k for k in sorted(chosen) if _matches(chosen[k], disk.properties.get(k))]
        absent = [k for k in sorted(chosen) if k not in disk.properties]
        if disk.name in taken:
            why = _why_taken(setup, disk, hits, absent)
            yield Verdict(disk.name, taken=True, why=why + (", but the installer stops" if stopped else ""))
        elif not chosen:
            yield Verdict(disk.name, why="not listed")
        elif single and hits:
            first = next(iter(taken), "another disk")
            yield Verdict(disk.name, why=f"{hits[0]} matches too, but {first} comes first")
        elif setup.get("filter-match") == "all" and not single:
            missed = (
                next(k for k in sorted(chosen) if k in disk.properties and k not in hits) if taken else ""
            )
            why = (
                f"{missed} = {disk.properties[missed]!r} does not match" if missed else "nothing is selected"
            )
            yield Verdict(disk.name, why=why)
        else:
            yield Verdict(disk.name, why="no key of the filter matches")


def _why_taken(setup: Mapping[str, Any], disk: DiskFacts, hits: Sequence[str], absent: Sequence[str]) -> str:
    if setup.get("disk-list"):
        name = next((n for n in setup["disk-list"] if f"/dev/{disk.name}".endswith(n)), disk.name)
        return f"{name!r} in disk-list"
    if hits:
        return f"{hits[0]} = {disk.properties[hits[0]]!r} matches {setup['filter'][hits[0]]!r}"
    return f"it has no {' and no '.join(absent)}, and what is absent counts as matched"


def _final_names(
    answer: Mapping[str, Any], nics: Sequence[NicFacts], release: Release
) -> tuple[dict[str, str], list[str]]:
    """Names in the installed system of interfaces that get another one there (pinning, since 9.1), and clashes."""
    pinning = answer.get("network", {}).get("interface-name-pinning")
    # Since 9.2 an empty mapping means "pin all", whatever `enabled` says.
    if pinning is None or not (pinning.get("enabled") or release >= (9, 2)):
        return {}, []
    given = pinning.get("mapping", {}) if pinning.get("enabled") else {}
    mapping = {mac.lower() if release >= (9, 2) else mac: name for mac, name in given.items()}
    physical = [n for n in nics if n.driver and "/virtual/" not in n.properties.get("DEVPATH", "")]
    physical.sort(key=_link_number)
    out = {nic.name: mapping.get(nic.mac, f"nic{number}") for number, nic in enumerate(physical)}
    several = sorted(name for name, times in Counter(out.values()).items() if times > 1)
    return out, [f"network: two interfaces would get the name {name}" for name in several]


def _link_number(nic: NicFacts) -> int:
    number = nic.properties.get("IFINDEX", "0")
    return int(number) if number.isdecimal() else 0
