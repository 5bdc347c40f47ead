"""The part of a checklist that is about the machine: who it is, its disks, its cables, its firmware. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.hardware.bios_verdict import judge
from ventoy_kit.hardware.indirect import State
from ventoy_kit.hardware.profiles import UNCONFIRMED, BiosProfile, Setting
from ventoy_kit.payload.evidence import Evidence, SeenDisk
from ventoy_kit.plan.inputs import Library
from ventoy_kit.plan.model import DiskPlan, NodePlan, Plan
from ventoy_kit.sheets.model import Item, Mark, Section

SIZE_TOLERANCE = 10
"""Percent by which a disk's size may differ from the declared one; that of the boot hook (boot_overlay/disks.sh)."""

_MARKS = {State.MATCH: Mark.RIGHT, State.MISMATCH: Mark.WRONG, State.UNKNOWN: Mark.UNSEEN}


def identity(plan: Plan, node: NodePlan, library: Library, evidence: Evidence | None) -> Section:
    """What tells the machine from others, and what it is."""
    items = []
    if node.identity.serial:
        seen = None if evidence is None else evidence.serial
        text = f"Serial number (service tag) on the label: {node.identity.serial}"
        items.append(_compared(text, node.identity.serial, seen, evidence))
    if node.identity.uuid:
        seen = None if evidence is None else evidence.uuid
        text = f"UUID in the firmware's system page: {node.identity.uuid}"
        items.append(_compared(text, node.identity.uuid, seen, evidence))
    if not items:
        items.append(
            Item("Of the MAC addresses below, every one is this machine's: nothing else identifies it")
        )
    return Section(
        "The machine",
        (*items, *(Item(fact, Mark.FACT) for fact in _about(plan, node, library))),
        "Compare with the label on the case before anything else.",
    )


def _compared(text: str, ours: str, theirs: str | None, evidence: Evidence | None) -> Item:
    if theirs is None or evidence is None:
        return Item(text)
    if ours.casefold() == theirs.casefold():
        return Item(
            text, Mark.RIGHT, f"recorded in {evidence.source}; the label on the case is yours to compare"
        )
    return Item(
        text, Mark.WRONG, f"{evidence.source} was recorded on {theirs}, so nothing else of it is used"
    )


def _about(plan: Plan, node: NodePlan, library: Library) -> Iterator[str]:
    spec, profile = plan.blueprint.fleet.nodes[node.name], library.profiles.get(node.model)
    yield f"Model: {profile.title if profile else node.model}"
    if node.role:
        yield f"Role: {node.role}"
    hardware = spec.hardware
    memory = f"{format_size(hardware.memory)}{' ECC' if hardware.ecc else ''}" if hardware.memory else ""
    cards = [
        f"{g.title or g.id}{', passed through to a guest' if g.passthrough else ''}" for g in hardware.gpus
    ]
    built_in = [text for text in (hardware.cpu, memory, *cards) if text]
    if built_in:
        yield f"Built in: {'; '.join(built_in)}"
    yield f"Fleet: {plan.title} ({plan.fleet})"
    contact = plan.blueprint.fleet.contact
    yield f"Who answers for it: {f'{contact.name}, ' if contact.name else ''}{contact.email}"


def doomed_disks(node: NodePlan, evidence: Evidence | None) -> Section:
    """The disks that the installer gets."""
    return Section(
        "Disks that will be WIPED",
        tuple(_disk_item(disk, evidence, describe(disk)) for disk in node.disks_for("system")),
        "Everything on these disks is lost. The machine refuses if one of them is missing or appears twice.",
        danger=True,
    )


def dying_pools(node: NodePlan, destroys: Collection[str], evidence: Evidence | None) -> Section:
    """The disks of the pools that an arming permits to be destroyed."""
    disks = [disk for disk in node.disks_for("data") if disk.pool in destroys]
    return Section(
        f"Pools that this arming lets DIE: {', '.join(sorted(destroys))}",
        tuple(_disk_item(disk, evidence, f"{describe(disk)} (pool {disk.pool})") for disk in disks),
        "After the installation these pools are destroyed and made anew; everything in them is lost.",
        danger=True,
    )


def kept_disks(node: NodePlan, evidence: Evidence | None, destroys: Collection[str] | None = ()) -> Section:
    """The disks that neither installer nor hook destroys, declared or not.

    Args:
        node: the node.
        evidence: what was recorded of the machine.
        destroys: the pools that may be destroyed; None if the sheet is of an arming that is not known.
    """
    kept = [
        d for d in node.disks if d.use != "system" and not (d.use == "data" and d.pool in (destroys or ()))
    ]
    items = [
        _disk_item(d, evidence, f"{describe(d)} ({f'data, pool {d.pool}' if d.pool else d.use})")
        for d in kept
    ]
    if not kept:
        items.append(Item("None is declared. Any other disk in the machine is not touched.", Mark.FACT))
    pools = sorted({d.pool for d in node.disks_for("data") if d.pool})
    if destroys is None and pools and "zfs" in {hook.spec.name for hook in node.hooks}:
        text = (
            f"Of the data disks only those stay whose pool ({', '.join(pools)}) was not given to `reimage` with "
            "--destroy-pool: the screen names those that die, and `ventoy-kit checklist --armed` does"
        )
        items.append(Item(text))
    if evidence is not None and evidence.disks is not None:
        others = [s for s in evidence.disks if not any(s.fits(d) for d in node.disks)]
        items += [Item(f"{_seen_text(s)}: not declared, so it is not touched", Mark.FACT) for s in others]
    return Section("Disks that stay", tuple(items))


def describe(disk: DiskPlan) -> str:
    """A disk by everything that is declared of it."""
    ids = [f"serial {disk.serial}" if disk.serial else "", f"WWN {disk.wwn}" if disk.wwn else ""]
    size = format_size(disk.size) if disk.size else ""
    return ", ".join(part for part in (disk.name, *ids, disk.model or "", size) if part)


def _disk_item(disk: DiskPlan, evidence: Evidence | None, text: str) -> Item:
    if evidence is None or evidence.disks is None:
        return Item(text)
    found = [seen for seen in evidence.disks if seen.fits(disk)]
    if len(found) != 1:
        told = "holds no such disk" if not found else f"holds {len(found)} disks that report this"
        return Item(text, Mark.WRONG, f"{evidence.source} {told}")
    seen = found[0]
    if disk.size and seen.size and abs(seen.size - disk.size) * 100 > disk.size * SIZE_TOLERANCE:
        return Item(text, Mark.WRONG, f"{_seen_text(seen)}, which is another size ({evidence.source})")
    return Item(text, Mark.RIGHT, f"{_seen_text(seen)}. {_holds(seen)} ({evidence.source})")


def _seen_text(seen: SeenDisk) -> str:
    size = format_size(seen.size) if seen.size else ""
    serial = f"serial {seen.serial}" if seen.serial else ""
    return ", ".join(part for part in (f"/dev/{seen.name}", seen.model, size, serial) if part)


def _holds(seen: SeenDisk) -> str:
    if seen.holds is None:
        return "What is on it now was not recorded"
    return (
        f"On it when it was recorded: {'; '.join(seen.holds)}"
        if seen.holds
        else "It was blank when it was recorded"
    )


def network(plan: Plan, node: NodePlan, evidence: Evidence | None) -> Section:
    """Cables, MAC addresses and addresses."""
    items = []
    nics = plan.blueprint.fleet.nodes[node.name].hardware.nics
    for name in sorted(nics, key=lambda n: (n != node.address.nic, n)):
        nic = nics[name]
        what = ", ".join(part for part in (nic.title, f"MAC {nic.mac}") if part)
        port = f", from {nic.port}" if nic.port else ""
        if name == node.address.nic:
            text = f"Cable in {name} ({what}){port}: it carries the address below"
        else:
            text = f"Cable in {name} ({what}){port}, if it is in use"
        mark, told = Mark.OPEN, ""
        if evidence is not None and evidence.macs is not None:
            there = nic.mac in evidence.macs
            mark = Mark.RIGHT if there else Mark.WRONG
            told = f"the NIC is {'' if there else 'not '}in {evidence.source}; the cable is yours to look at"
        items.append(Item(text, mark, told))
    address = node.address
    facts = (
        f"Name: {node.fqdn}",
        f"Address: {address.cidr or 'from DHCP'}, gateway {address.gateway or 'none'}",
        f"Name servers: {', '.join(address.dns) or 'none'}",
    )
    return Section("Cables and network", (*items, *(Item(fact, Mark.FACT) for fact in facts)))


def firmware(node: NodePlan, library: Library, evidence: Evidence | None) -> Iterator[Section]:
    """The firmware settings with the way to each, and what else is known of the model."""
    profile = library.profiles.get(node.model)
    if profile is None:
        return
    verdicts = {}
    if evidence is not None and evidence.firmware is not None:
        verdicts = {v.setting.id: v for v in judge(profile, evidence.firmware)}
    items = []
    for setting in profile.settings:
        verdict = verdicts.get(setting.id)
        if verdict is None:
            items.append(Item(_setting(setting)))
        else:
            told = "; ".join(f"{e.source}: {e.text}" for e in verdict.evidence)
            items.append(Item(_setting(setting), _MARKS[verdict.state], told))
    yield Section("Firmware settings", tuple(items), _keys(profile))
    if profile.notes:
        yield Section("About this model", tuple(Item(note, Mark.FACT) for note in profile.notes))


def _setting(setting: Setting) -> str:
    doubt = "" if setting.confirmed else " [menu path unconfirmed]"
    weight = "" if setting.severity == "required" else " (advised)"
    return f"{setting.where}: {setting.want}{weight}{doubt}"


def _keys(profile: BiosProfile) -> str:
    if profile.keys is None:
        return "The machine's manual names the key that opens the setup menu at power-on."
    doubt = " [keys unconfirmed]" if profile.keys.source == UNCONFIRMED else ""
    return (
        f"At power-on: {profile.keys.setup} opens the setup, {profile.keys.boot_menu} the boot menu.{doubt}"
    )
