"""Recorded facts to additions to the fleet file: new nodes, and what known ones do not say yet. Pure.

Nothing that the file says is changed; where it differs from the facts, `check` says so. A disk is always added with
`use: keep`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Any

from ventoy_kit.fleet.edit import Additions
from ventoy_kit.fleet.placeholders import is_placeholder_serial
from ventoy_kit.fleet.schema import Fleet, Node
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.hardware import inventory_codes as codes
from ventoy_kit.hardware.inventory import Inventory, NicFacts
from ventoy_kit.hardware.profiles import BiosProfile
from ventoy_kit.plan.hardware_rules import (
    DiskIndex,
    describe,
    identity_findings,
    is_stick_like,
    reported_serial,
    reported_uuid,
)
from ventoy_kit.report import Path, Place, Report, Severity

NODE_NAME = re.compile(r"(?!auto$)(?![0-9]+$)[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
ANY_MODEL = "generic-uefi"
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_WWN = re.compile(r"[0-9A-Za-z._-]{8,80}")
_NO_TITLE = re.compile('[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"$\\\\`]+')


@dataclass(frozen=True, slots=True)
class Recorded:
    """One file of facts. `name` is what its place says that the node is called, None if it says nothing."""

    file: str
    name: str | None
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class Adoption:
    """What becomes of one file of facts: its node, whether that is new, and what is added to it."""

    recorded: Recorded
    node: str
    new: bool
    values: Mapping[str, Any]
    comments: Mapping[Path, str] = field(default_factory=dict)


def host_node_name(hostname: str | None) -> str | None:
    """The name that a machine of this host name gets as a node; None if it is none, or no name of one machine."""
    label = (hostname or "").split(".")[0].lower()
    return label if NODE_NAME.fullmatch(label) and label not in ("localhost", "debian", "rescue") else None


def adopt(
    fleet: Fleet, document: Any, recorded: Sequence[Recorded], profiles: Mapping[str, BiosProfile]
) -> tuple[tuple[Adoption, ...], Report]:
    """Turn facts into nodes.

    Args:
        fleet: the decoded fleet.
        document: its plain value, which tells what is written from what is a default.
        recorded: the facts.
        profiles: BIOS profiles by name.

    Returns:
        What to add, in the order of the files, without those that have errors; findings of VK-Q04, VK-Q17 to VK-Q20.
    """
    whole = _Adopter(fleet, document, profiles)
    found = [whole.one(each) for each in recorded]
    return tuple(each for each in found if each is not None), whole.report


def as_additions(adoptions: Sequence[Adoption]) -> Additions:
    """All of them as one addition to the fleet file."""
    values = {each.node: each.values for each in adoptions if each.values}
    comments = {
        ("nodes", each.node, *path): text for each in adoptions for path, text in each.comments.items()
    }
    return Additions({"nodes": values} if values else {}, comments)


class _Adopter:
    """What is known and taken so far."""

    def __init__(self, fleet: Fleet, document: Any, profiles: Mapping[str, BiosProfile]) -> None:
        self.fleet, self.document, self.profiles = fleet, document, profiles
        self.report = Report()
        self.taken: dict[str, str] = {}
        self.addresses = {
            a.ip for a in (node.network.address for node in fleet.nodes.values()) if a is not None
        }
        self.free: dict[str, Iterator[Any]] = {}
        self.owners: dict[str, set[str]] = defaultdict(set)
        for name, node in fleet.nodes.items():
            if node.identity.serial and not is_placeholder_serial(node.identity.serial):
                self.owners[f"serial {node.identity.serial.replace(' ', '')}"].add(name)
            if node.identity.uuid:
                self.owners[f"uuid {node.identity.uuid}"].add(name)
            for nic in node.hardware.nics.values():
                self.owners[f"mac {nic.mac}"].add(name)

    def own(self, name: str, inventory: Inventory) -> None:
        """A second file of the same machine is of this node then."""
        if serial := reported_serial(inventory):
            self.owners[f"serial {serial}"].add(name)
        if uuid := reported_uuid(inventory):
            self.owners[f"uuid {uuid}"].add(name)
        for nic in _nics(inventory).values():
            self.owners[f"mac {nic.permanent_mac}"].add(name)

    def one(self, recorded: Recorded) -> Adoption | None:
        name = self.name_of(recorded)
        if name is None:
            return None
        if name in self.taken:
            message = f"{recorded.file} and {self.taken[name]} are both of node `{name}`"
            self.refuse(codes.ADOPTED_TWICE, message, "Give one of them, or rename one.", recorded)
            return None
        self.taken[name] = recorded.file
        node = self.fleet.nodes.get(name)
        if node is None:
            return self.new_node(name, recorded)
        wrong = [f for f in identity_findings(name, node, recorded.inventory) if f.severity is Severity.ERROR]
        self.report.extend(wrong)
        if wrong:
            return None
        return Adoption(recorded, name, new=False, values=self.missing(name, node, recorded))

    def refuse(self, rule: Any, message: str, remedy: str, recorded: Recorded) -> None:
        self.report.add(rule.finding(message, remedy, place=Place(recorded.file)))

    def name_of(self, recorded: Recorded) -> str | None:
        """The node that declares this machine's identity; else the one that the file or the machine names."""
        inventory = recorded.inventory
        keys = [f"serial {reported_serial(inventory)}", f"uuid {reported_uuid(inventory)}"]
        owners = set().union(*(self.owners.get(key, set()) for key in keys))
        macs = [f"mac {nic.permanent_mac}" for nic in inventory.nics]
        owners = owners or set().union(*(self.owners.get(key, set()) for key in macs))
        if len(owners) > 1:
            named = ", ".join(f"`{name}`" for name in sorted(owners))
            message = f"{recorded.file} is of a machine that several nodes declare: {named}"
            self.refuse(codes.ADOPTED_TWICE, message, "Correct their `identity` or MAC addresses.", recorded)
            return None
        name = owners.pop() if owners else recorded.name or host_node_name(inventory.hostname)
        if name is None or not NODE_NAME.fullmatch(name):
            told = (
                f"`{name}` is no name of a node" if name else f"no host name is recorded in {recorded.file}"
            )
            remedy = "Rename the file to hardware/NODE.json, with the name that the node shall have."
            self.refuse(codes.NOT_A_NAME, told, remedy, recorded)
            return None
        return name

    # A new node

    def new_node(self, name: str, recorded: Recorded) -> Adoption | None:
        inventory = recorded.inventory
        nics = _nics(inventory)
        chosen = self.address(nics)
        if not nics or chosen is None:
            what = "no NIC with a permanent MAC address" if not nics else "no network with a free address"
            remedy = (
                "Record the facts with `ventoy-kit hardware scan`, or write the node by hand."
                if not nics
                else "Declare a network, and name it in `defaults.network`."
            )
            self.refuse(codes.CANNOT_ADOPT, f"{recorded.file}: {what} for node `{name}`", remedy, recorded)
            return None
        self.own(name, inventory)
        nic, network, address, why = chosen
        product = inventory.dmi.get("product_name", "")
        values = {
            "title": title(f"{name} ({product})" if not is_placeholder_serial(product) else name) or name,
            "model": guess_profile(inventory, self.profiles),
            **_identity(inventory, {}),
            "hardware": {
                **_hardware(inventory, {}),
                "nics": {n: {"mac": m.permanent_mac} for n, m in nics.items()},
            },
            "disks": self.kept(recorded, set()),
            "install": {"filesystem": "ext4"},
            "network": {
                "nic": nic,
                **({} if network == self.fleet.defaults.network else {"network": network}),
                "address": address,
            },
        }
        comments: dict[Path, str] = {
            (): f"adopted from {recorded.file}",
            ("disks",): "every disk is kept; write `use: system` at the one to install to",
            ("network",): why,
        }
        return Adoption(recorded, name, new=True, values=values, comments=comments)

    def address(self, nics: Mapping[str, NicFacts]) -> tuple[str, str, str, str] | None:
        """NIC, network and address: what the machine had, if that lies in a network of the fleet, else a free one."""
        for key, nic in nics.items():
            for text in nic.addresses:
                try:
                    ip = ip_interface(text).ip
                except ValueError:
                    continue
                for name, network in self.fleet.networks.items():
                    inside = ip.version == network.cidr.version and ip in network.cidr
                    if inside and ip != network.gateway and ip not in self.addresses:
                        self.addresses.add(ip)
                        return key, name, f"{ip}/{network.cidr.prefixlen}", "the address that it had"
        name = self.fleet.defaults.network or next(iter(self.fleet.networks), "")
        declared = self.fleet.networks.get(name)
        if declared is None or not nics:
            return None
        free = self.free.setdefault(name, iter(declared.cidr.hosts()))
        for ip in free:
            if ip != declared.gateway and ip not in self.addresses:
                self.addresses.add(ip)
                linked = next((key for key, nic in nics.items() if nic.speed), next(iter(nics)))
                return linked, name, f"{ip}/{declared.cidr.prefixlen}", "a free address"
        return None

    # A known node

    def missing(self, name: str, node: Node, recorded: Recorded) -> Mapping[str, Any]:
        """What the facts tell and the file does not."""
        written = self.document["nodes"][name]
        inventory = recorded.inventory
        macs = {nic.mac for nic in node.hardware.nics.values()}
        nics = {
            _unused(key, node.hardware.nics): {"mac": nic.permanent_mac}
            for key, nic in _nics(inventory).items()
            if nic.permanent_mac not in macs
        }
        hardware = _hardware(inventory, written.get("hardware") or {})
        if nics:
            hardware["nics"] = nics
        disks: dict[str, Any] = {}
        index, identifiers = DiskIndex(inventory), _identifiers(inventory)
        known: set[str] = set()
        for key, disk in node.disks.items():
            found = index.matching(disk) if disk.serial or disk.wwn else []
            known |= {d.name for d in found}
            ids = identifiers[found[0].name] if len(found) == 1 else {}
            if more := {k: v for k, v in ids.items() if k not in written["disks"][key]}:
                disks[key] = more
        disks |= {_unused(key, node.disks): value for key, value in self.kept(recorded, known).items()}
        parts = {**_identity(inventory, written.get("identity") or {}), "hardware": hardware, "disks": disks}
        return {key: value for key, value in parts.items() if value}

    def kept(self, recorded: Recorded, known: set[str]) -> dict[str, dict[str, str]]:
        """Disks that are not `known`, to be declared; a note for each that cannot be."""
        out = {}
        for name, ids in _identifiers(recorded.inventory).items():
            disk = next(d for d in recorded.inventory.disks if d.name == name)
            if name in known:
                continue
            if is_stick_like(disk) or not ids.keys() & {"serial", "wwn"}:
                why = "is a removable USB disk" if is_stick_like(disk) else "has no identifier of its own"
                message = f"{describe(disk)} {why} and is left out"
                self.refuse(codes.NOT_ADOPTED, message, "Nothing to do; it is never touched.", recorded)
            else:
                out[_name(name)] = {"use": "keep", **ids}
        return out


def title(text: str) -> str | None:
    """A text as the fleet file takes it for a title; None if nothing is left."""
    return " ".join(_NO_TITLE.sub(" ", text).split())[:80].rstrip() or None


def guess_profile(inventory: Inventory, profiles: Mapping[str, BiosProfile]) -> str:
    """The BIOS profile whose product name occurs in what the firmware says; of several the one with the longest name."""
    dmi = inventory.dmi
    product = f"{dmi.get('product_name', '')} {dmi.get('product_version', '')}".casefold()
    fits = [
        (len(part), name)
        for name, profile in sorted(profiles.items())
        for part in (profile.product.names if profile.product else ())
        if part.casefold() in product
    ]
    best = [name for length, name in fits if length == max(fits)[0]]
    return best[0] if len(set(best)) == 1 else ANY_MODEL


def _identity(inventory: Inventory, written: Mapping[str, Any]) -> dict[str, Any]:
    found = {"serial": reported_serial(inventory), "uuid": reported_uuid(inventory)}
    usable = {"serial": r"[!-~]{1,64}", "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
    new = {k: v for k, v in found.items() if v and k not in written and re.fullmatch(usable[k], v)}
    return {"identity": new} if new else {}


def _hardware(inventory: Inventory, written: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if cpu := title(inventory.cpu or ""):
        found["cpu"] = cpu
    if inventory.modules:
        found["memory"] = format_size(sum(inventory.modules))
    if inventory.ecc:
        found["ecc"] = True
    found = {key: value for key, value in found.items() if key not in written}
    displays = [device for device in inventory.pci or () if device.is_display]
    ids = Counter(device.id for device in displays)
    declared = {gpu.get("id") for gpu in written.get("gpus") or ()}
    gpus = []
    for device in displays:
        if device.id not in declared and re.fullmatch("[0-9a-f]{4}:[0-9a-f]{4}", device.id):
            name = title(device.title or "")
            more = {"title": name} if name else {}
            gpus.append(
                {"id": device.id, **more, **({"address": device.address} if ids[device.id] > 1 else {})}
            )
    return found | ({"gpus": gpus} if gpus else {})


def _nics(inventory: Inventory) -> dict[str, NicFacts]:
    """NICs that have a permanent address of one interface, by a name for the fleet file."""
    found = [n for n in inventory.nics if _MAC.fullmatch(n.permanent_mac or "")]
    return {_name(nic.name): nic for nic in found}


def _identifiers(inventory: Inventory) -> dict[str, dict[str, str]]:
    """What a disk can be declared by, and what cross-checks it, by kernel name; no identifier that another disk shares."""
    serials = Counter(disk.serial for disk in inventory.disks)
    wwns = Counter(disk.wwn for disk in inventory.disks)
    out = {}
    for disk in inventory.disks:
        ids: dict[str, str] = {}
        if disk.serial and serials[disk.serial] == 1 and len(disk.serial) <= 64:
            ids["serial"] = disk.serial
        if disk.wwn and wwns[disk.wwn] == 1 and _WWN.fullmatch(disk.wwn):
            ids["wwn"] = disk.wwn
        if model := title(disk.model):
            ids["model"] = model
        if disk.size:
            ids["size"] = format_size(disk.size)
        out[disk.name] = ids
    return out


def _name(kernel: str) -> str:
    """A kernel's name as a name of the fleet file."""
    return re.sub("[^a-z0-9]+", "-", kernel.lower()).strip("-")[:32].strip("-") or "unnamed"


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """The name, or the first with a number behind it that is free."""
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name[:28]}-{number}"
    return free
