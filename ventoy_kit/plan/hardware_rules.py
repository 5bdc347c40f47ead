"""What recorded hardware facts say about the fleet file. Pure; cost grows linearly.

Disks and identity are compared as the boot hook compares them (boot_overlay/disks.sh, identity.sh), so that what is
right here is found there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from ventoy_kit.fleet.placeholders import is_placeholder_serial, is_placeholder_uuid, plain_wwn
from ventoy_kit.fleet.schema import Disk, Fleet, Node
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.hardware import inventory_codes as codes
from ventoy_kit.hardware.inventory import UNKNOWN, DiskFacts, Inventory
from ventoy_kit.report import Finding, Path, Report

ADOPT = "Run `ventoy-kit adopt {}`"


def check_hardware(fleet: Fleet, inventories: Mapping[str, Inventory]) -> Report:
    """Compare recorded facts with the fleet.

    Args:
        fleet: the decoded fleet.
        inventories: facts by name of node; nodes without facts are passed over.
    """
    report = Report()
    for name, inventory in inventories.items():
        node = fleet.nodes.get(name)
        if node is not None:
            at: Path = ("nodes", name)
            report.extend(identity_findings(name, node, inventory))
            report.extend(_disks(node, inventory, at, f"hardware/{name}.json"))
            report.extend(_gpus(node, inventory, at))
    report.extend(_shared_serials(inventories))
    return report


def reported_serial(inventory: Inventory) -> str | None:
    """The machine's serial number without blanks; None if it reports none, or a placeholder."""
    text = re.sub(r"[^!-~]", "", inventory.dmi.get("product_serial", ""))
    return None if is_placeholder_serial(text) else text


def reported_uuid(inventory: Inventory) -> str | None:
    """The machine's UUID in lower case; None if it reports none, or a placeholder."""
    text = re.sub(r"[^!-~]", "", inventory.dmi.get("product_uuid", "")).lower()
    return None if is_placeholder_uuid(text) else text


def identity_findings(name: str, node: Node, inventory: Inventory) -> Iterator[Finding]:
    """Whether the recorded machine is the node, and what it could be recognised by."""
    identity, at = node.identity, ("nodes", name, "identity")
    serial, uuid = reported_serial(inventory), reported_uuid(inventory)
    raw = {key: inventory.dmi[key] for key in ("product_serial", "product_uuid") if inventory.dmi.get(key)}
    pairs = (
        (
            "serial number",
            "product_serial",
            identity.serial,
            serial,
            (identity.serial or "").replace(" ", ""),
        ),
        ("UUID", "product_uuid", identity.uuid, uuid, identity.uuid or ""),
    )
    for what, key, declared, reported, compared in pairs:
        if declared and key in raw and compared != reported:
            kind = "" if reported else " (a placeholder)"
            yield codes.OTHER_MACHINE.finding(
                f"the recorded machine's {what} is `{raw[key]}`{kind}, declared is `{declared}`",
                f"Correct `identity`, or record the right machine: `ventoy-kit hardware scan {name}`.",
                path=(*at, "serial" if key == "product_serial" else "uuid"),
            )
    declares = identity.serial or identity.uuid
    if not raw and inventory.source == "probe" and not inventory.root:
        yield codes.FACTS_POOR.finding(
            f"hardware/{name}.json was not recorded by root",
            f"Run `ventoy-kit hardware scan {name}` again, as root on the node or with --sudo.",
            path=("nodes", name),
            on_key=True,
        )
    elif not declares and (serial or uuid):
        best = f"serial number `{serial}`" if serial else f"UUID `{uuid}`"
        yield codes.IDENTITY_UNUSED.finding(
            f"the machine reports the {best}, which is not declared",
            ADOPT.format(f"hardware/{name}.json") + ".",
            path=("nodes", name),
            on_key=True,
        )
    elif not declares and raw:
        told = ", ".join(f"`{text}`" for text in raw.values())
        yield codes.IDENTITY_ABSENT.finding(
            f"the firmware reports only placeholders ({told})",
            "Keep a permanent MAC address and the system disk's serial number declared.",
            path=("nodes", name),
            on_key=True,
        )
    yield from _macs(name, node, inventory, only=not declares)


def _macs(name: str, node: Node, inventory: Inventory, *, only: bool) -> Iterator[Finding]:
    """Declared addresses among the recorded ones; `only`: nothing else tells the machine from others."""
    permanent = {nic.permanent_mac for nic in inventory.nics if nic.permanent_mac}
    in_use = {nic.mac: nic.name for nic in inventory.nics}
    nics = node.hardware.nics
    if not inventory.nics or not nics:
        return
    if only and not permanent & {nic.mac for nic in nics.values()}:
        found = ", ".join(sorted(permanent)) or "none that is burnt in"
        yield codes.OTHER_MACHINE.finding(
            f"none of the declared MAC addresses is there (found: {found})",
            f"Correct them, or record the right machine: `ventoy-kit hardware scan {name}`.",
            path=("nodes", name, "hardware", "nics"),
            on_key=True,
        )
        return
    for key, nic in nics.items():
        if nic.mac not in permanent:
            why = (
                f"is in use at {in_use[nic.mac]} and not its permanent one"
                if nic.mac in in_use
                else "is at no NIC"
            )
            yield codes.MAC_ABSENT.finding(
                f"{nic.mac} {why}",
                f"Declare one of: {', '.join(sorted(permanent)) or 'none was recorded'}.",
                path=("nodes", name, "hardware", "nics", key, "mac"),
            )


class DiskIndex:
    """The disks of one machine by what identifies them."""

    def __init__(self, inventory: Inventory) -> None:
        self._lenient = inventory.source == "device-info"
        self._by: dict[str, list[DiskFacts]] = defaultdict(list)
        for disk in inventory.disks:
            if disk.serial is not None:
                self._by[f"serial {disk.serial}"].append(disk)
            if disk.wwn is not None:
                self._by[f"wwn {disk.wwn}"].append(disk)

    def matching(self, declared: Disk) -> list[DiskFacts]:
        """Disks that report every declared identifier. Of `device-info` only what it tells has to agree."""
        serial = re.sub(r"[^!-~]", "", declared.serial) if declared.serial else None
        wwn = plain_wwn(declared.wwn) if declared.wwn else None
        near = {d.name: d for key in (f"serial {serial}", f"wwn {wwn}") for d in self._by.get(key, ())}

        def agrees(ours: str | None, theirs: str | None) -> bool:
            return ours in (None, theirs) or (self._lenient and theirs is None)

        return [d for d in near.values() if agrees(serial, d.serial) and agrees(wwn, d.wwn)]


def _disks(node: Node, inventory: Inventory, at: Path, file: str) -> Iterator[Finding]:
    if not inventory.disks and inventory.source == "device-info":
        return  # it was asked for the network alone
    index = DiskIndex(inventory)
    owner: dict[str, str] = {}
    for name, disk in node.disks.items():
        if not (disk.serial or disk.wwn):
            continue
        path: Path = (*at, "disks", name)
        found = index.matching(disk)
        if len(found) == 1:
            first = owner.setdefault(found[0].name, name)
            if first != name:
                yield codes.DISK_AMBIGUOUS.finding(
                    f"`{name}` and `{first}` are both /dev/{found[0].name}",
                    "Remove one of the two.",
                    path=path,
                    on_key=True,
                )
            yield from _one_disk(disk, found[0], path)
            continue
        named = " and ".join(
            filter(None, (disk.serial and f"serial {disk.serial}", disk.wwn and f"WWN {disk.wwn}"))
        )
        owner |= dict.fromkeys((d.name for d in found), name)
        if found:
            yield codes.DISK_AMBIGUOUS.finding(
                f"{_listed(found)} report {named}",
                "Declare serial number and WWN of one of them.",
                path=path,
                on_key=True,
            )
            continue
        rule = codes.SYSTEM_DISK_ABSENT if disk.use == "system" else codes.DISK_ABSENT
        yield rule.finding(
            f"no disk of the recorded machine has {named} (found: {_listed(inventory.disks) or 'no disk'})",
            "Correct serial number or WWN, or record the facts anew.",
            path=path,
            on_key=True,
        )
    for facts in inventory.disks:
        if facts.name not in owner and not is_stick_like(facts):
            nameless = facts.serial is None and facts.wwn is None
            yield codes.DISK_UNDECLARED.finding(
                f"{describe(facts)} is not declared",
                "Nothing to do: it has nothing to be declared by, and is never touched."
                if nameless
                else ADOPT.format(file) + " to declare it with `use: keep`.",
                path=(*at, "disks"),
                on_key=True,
            )


def _one_disk(disk: Disk, facts: DiskFacts, path: Path) -> Iterator[Finding]:
    if disk.size and facts.size and abs(disk.size - facts.size) * 10 > disk.size:
        rule = codes.SIZE_DIFFERS if disk.use == "system" else codes.DISK_DIFFERS
        yield rule.finding(
            f"declared are {format_size(disk.size)}, /dev/{facts.name} has {format_size(facts.size)}",
            f"Write `size: {format_size(facts.size)}`, if it is the disk that you mean.",
            path=(*path, "size"),
        )
    if disk.model and models_differ(disk.model, facts.model):
        yield codes.DISK_DIFFERS.finding(
            f"declared is `{disk.model}`, /dev/{facts.name} says `{facts.model}`",
            "Correct `model`, if it is the disk that you mean.",
            path=(*path, "model"),
        )
    holds = [text for text in facts.holds if text != UNKNOWN]
    if disk.use == "system" and holds:
        yield codes.SYSTEM_DISK_HOLDS.finding(
            f"/dev/{facts.name} holds {'; '.join(holds)}",
            "Save what is needed before the installation.",
            path=path,
            on_key=True,
        )


def models_differ(declared: str, found: str) -> bool:
    """Unless one contains the other or is empty; SCSI cuts models after 16 characters (vk_models_differ in disks.sh)."""
    ours, theirs = (re.sub("[^a-z0-9]", "", text.lower()) for text in (declared, found))
    return bool(ours and theirs) and ours not in theirs and theirs not in ours


def is_stick_like(disk: DiskFacts) -> bool:
    """Whether it is a removable USB disk, which is no part of the machine."""
    return disk.removable and disk.transport == "usb"


def describe(disk: DiskFacts) -> str:
    """A disk for a person: `/dev/sda (WDC WD40EFRX, 4 TB, serial WD-1)`."""
    size = format_size(disk.size) if disk.size else ""
    serial = f"serial {disk.serial}" if disk.serial else f"WWN {disk.wwn}" if disk.wwn else "no serial number"
    return f"/dev/{disk.name} ({', '.join(filter(None, (disk.model, size, serial)))})"


def _listed(disks: tuple[DiskFacts, ...] | list[DiskFacts]) -> str:
    return ", ".join(describe(disk) for disk in disks)


def _gpus(node: Node, inventory: Inventory, at: Path) -> Iterator[Finding]:
    if inventory.pci is None:
        return
    there = {device.id for device in inventory.pci}
    shown = ", ".join(sorted({device.id for device in inventory.pci if device.is_display})) or "none"
    for index, gpu in enumerate(node.hardware.gpus):
        if gpu.id not in there:
            yield codes.GPU_ABSENT.finding(
                f"no PCI function of the recorded machine is {gpu.id} (graphics cards found: {shown})",
                "Correct the id, or remove the card.",
                path=(*at, "hardware", "gpus", index, "id"),
            )


def _shared_serials(inventories: Mapping[str, Inventory]) -> Iterator[Finding]:
    seen: dict[str, tuple[str, str]] = {}
    for node, inventory in inventories.items():
        for disk in inventory.disks:
            if disk.serial is None or is_stick_like(disk):
                continue
            first = seen.setdefault(disk.serial, (node, disk.name))
            if first != (node, disk.name):
                yield codes.SERIAL_SHARED.finding(
                    f"/dev/{disk.name} of `{node}` and /dev/{first[1]} of `{first[0]}` both report serial {disk.serial}",
                    "Declare the WWN of such disks; record the facts anew if a disk moved.",
                    path=("nodes", node, "disks"),
                    on_key=True,
                )
