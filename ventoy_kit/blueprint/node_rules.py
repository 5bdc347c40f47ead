"""Rules of single nodes: capacity, graphics cards, firmware, what is wiped. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ventoy_kit.blueprint import codes
from ventoy_kit.blueprint.capacity import GIB, VCPU_PER_THREAD, Ask, Room, ask_of, in_services, room_of
from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.blueprint.waivers import Violation
from ventoy_kit.fleet.schema import Guest, Node
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.report import Path

Firmware = Mapping[str, Mapping[str, str]]
"""What each BIOS profile asks for: setting id to wanted value, by profile name."""


def node_violations(blueprint: Blueprint, firmware: Firmware | None) -> Iterator[Violation]:
    """Everything that breaks a rule of one node alone."""
    members = blueprint.proxmox
    for name, node in blueprint.fleet.nodes.items():
        at: Path = ("nodes", name)
        if node.guests or node.services:
            room, ask = room_of(node, proxmox=name in members), ask_of(node)
            yield from _memory(name, node, room, ask, at)
            yield from _processors(name, room, ask, at)
            yield from _disk_space(name, room, ask, at)
            for guest_name, guest in node.guests.items():
                yield from _guest(name, node, guest_name, guest, (*at, "guests", guest_name))
        yield from _cards(name, node, at)
        yield from _wiped(name, node, at)
        if firmware is not None and node.model in firmware:
            yield from _firmware(name, node.model, firmware[node.model], at)


def _guest(node_name: str, node: Node, name: str, guest: Guest, at: Path) -> Iterator[Violation]:
    has = {"memory": node.hardware.memory, "vcpu": node.hardware.threads}
    for what in ("memory", "vcpu"):
        own: int | None = getattr(guest, what)
        have = has[what]
        if guest.kind == "vm" and own is not None and have is not None and own > have:
            asked, there = _amount(what, own), _amount(what, have)
            yield Violation(
                codes.GUEST_SIZE,
                (*at, what),
                f"asks for {asked}, `{node_name}` has {there}",
                f"Write at most {there}, or move it to a larger node.",
                node_name,
                name,
                on_key=False,
            )
    for what in ("memory", "vcpu", "disk"):
        own, inner = getattr(guest, what), in_services(guest, what)
        if own is not None and inner > own and what != "vcpu":
            yield Violation(
                codes.INNER_SIZE,
                (*at, what),
                f"its services ask for {_amount(what, inner)} of {what} together, it has {_amount(what, own)}",
                "Make the guest larger, or move a service out of it.",
                node_name,
                name,
                on_key=False,
            )


def _amount(what: str, value: int) -> str:
    return f"{value} processors" if what == "vcpu" else format_size(value)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}".removesuffix(".0") + " GiB"


def _memory(name: str, node: Node, room: Room, ask: Ask, at: Path) -> Iterator[Violation]:
    free = room.free_memory
    if free is None or ask.memory <= free:
        return
    arc = f" and {_gib(room.arc)} for the cache of ZFS" if room.arc else ""
    more = " or a smaller `zfs.arc_max`" if room.arc else ""
    yield Violation(
        codes.MEMORY,
        (*at, "guests" if node.guests else "services"),
        f"guests and services of `{name}` ask for {_gib(ask.memory)}; of {_gib(room.memory or 0)}, "
        f"{_gib(max(free, 0))} are left after {_gib(room.system)} for the system{arc}",
        f"Move something to another node, or give it less{more}.",
        name,
    )


def _processors(name: str, room: Room, ask: Ask, at: Path) -> Iterator[Violation]:
    if room.threads is not None and ask.vcpu > VCPU_PER_THREAD * room.threads:
        yield Violation(
            codes.VCPU,
            (*at, "hardware", "threads"),
            f"guests and services of `{name}` ask for {ask.vcpu} processors, it has {room.threads}",
            f"Give them fewer: {VCPU_PER_THREAD * room.threads} together at the most.",
            name,
            on_key=False,
        )


def _disk_space(name: str, room: Room, ask: Ask, at: Path) -> Iterator[Violation]:
    for storage, asked in ask.disk.items():
        there = room.disk.get(storage)
        if there is not None and asked > there:
            which = f"`{storage}`" if storage else "the system disks"
            yield Violation(
                codes.DISK_SPACE,
                (*at, "disks"),
                f"guests and services ask for {format_size(asked)} on {which} of `{name}`, which hold {format_size(there)}",
                "Move something to another storage, or give it less.",
                name,
            )


def _cards(name: str, node: Node, at: Path) -> Iterator[Violation]:
    given: dict[str, str] = {}
    for guest_name, guest in node.guests.items():
        if guest.gpu is None:
            continue
        path: Path = (*at, "guests", guest_name, "gpu")
        cards = [g for g in node.hardware.gpus if g.id == guest.gpu]
        if not cards:
            there = ", ".join(g.id for g in node.hardware.gpus) or "none"
            yield Violation(
                codes.GUEST_GPU,
                path,
                f"`{guest_name}` gets the card {guest.gpu}, which `{name}` does not have",
                f"Declare it under `hardware.gpus`, or correct the id. Declared: {there}.",
                name,
                on_key=False,
            )
        elif not any(c.passthrough for c in cards):
            yield Violation(
                codes.GUEST_GPU,
                path,
                f"`{guest_name}` gets the card {guest.gpu}, which `{name}` keeps for itself",
                "Add `passthrough: true` to the card.",
                name,
                on_key=False,
            )
        elif list(given.values()).count(guest.gpu) >= sum(c.passthrough for c in cards):
            first = next(g for g, card in given.items() if card == guest.gpu)
            yield Violation(
                codes.GPU_SHARED,
                path,
                f"gets the card {guest.gpu}, as `{first}` does",
                "Give each guest a card of its own, or say in a waiver that only one of them runs at a time.",
                name,
                guest_name,
                on_key=False,
            )
        given[guest_name] = guest.gpu


def _wiped(name: str, node: Node, at: Path) -> Iterator[Violation]:
    for disk_name, disk in node.disks.items():
        if disk.use == "system" and disk.model is None and disk.size is None:
            yield Violation(
                codes.UNDESCRIBED,
                (*at, "disks", disk_name),
                f"`{disk_name}` of `{name}` may be wiped, and only its number is known",
                "Add `size:` or `model:`, as `lsblk -o NAME,SERIAL,MODEL,SIZE` prints them.",
                name,
            )


OFF = ("disabled", "off")


def _firmware(name: str, model: str, settings: Mapping[str, str], at: Path) -> Iterator[Violation]:
    boot, secure = settings.get("boot-mode", ""), settings.get("secure-boot", "")
    uefi = "uefi" in boot.lower() and not boot.lower().startswith(("legacy", "bios", "csm"))
    lacks = [] if uefi else ["UEFI"]
    lacks += [] if secure.lower().startswith(OFF) else ["Secure Boot off"]
    if lacks:
        yield Violation(
            codes.FIRMWARE,
            (*at, "model"),
            f"the profile `{model}` of `{name}` does not ask for {' and '.join(lacks)}",
            "Let the profile inherit from `generic-uefi`, or set `boot-mode` and `secure-boot` in it.",
            name,
            on_key=False,
        )
