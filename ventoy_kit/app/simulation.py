"""What would happen at the machines: the boot hook's scripts and the installer's rules over recorded hardware facts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ventoy_kit.answers import codes
from ventoy_kit.answers.debian_simulate import choose_interface
from ventoy_kit.answers.machine_files import machine_files
from ventoy_kit.answers.proxmox_schema import Release, installer_release
from ventoy_kit.answers.proxmox_simulate import Boot, Simulation, Verdict, simulate
from ventoy_kit.answers.stick import with_stick
from ventoy_kit.app.host import Host
from ventoy_kit.edge.overlay_run import Machine, Resolved, missing_tools, run_overlays
from ventoy_kit.gather.facts import FACTS_FOLDER
from ventoy_kit.hardware.firmware import parse_facts
from ventoy_kit.hardware.inventory import DiskFacts, Inventory, NicFacts, parse_inventory
from ventoy_kit.payload.answers.proxmox import DISK_PLACEHOLDER
from ventoy_kit.payload.overlay import OverlayConf, node_data
from ventoy_kit.payload.ticket import ticket_line
from ventoy_kit.plan.model import DiskPlan, NodePlan, Plan
from ventoy_kit.report import Finding, Place, Report
from ventoy_kit.report import Path as DocPath

GENERATION = "00000000"
SCRIPTS = ("lib.sh", "identity.sh", "disks.sh")


@dataclass(frozen=True, slots=True)
class Facts:
    """A machine's facts. `boot` is None if they do not say how it booted."""

    inventory: Inventory
    boot: Boot | None


@dataclass(frozen=True, slots=True)
class NodeResult:
    """One node: what the hook resolved, and what its installer then does.

    `installer` is of Proxmox alone; `interfaces` of Debian alone, if the facts tell of interfaces.
    """

    node: NodePlan
    inventory: Inventory
    stick: str
    resolved: Resolved
    installer: Simulation | None
    interfaces: tuple[Verdict, ...] = ()


def read_facts(file: Path, host: Host) -> tuple[Facts | None, Report]:
    """Facts from a file; None and a finding if they cannot be read."""
    try:
        text = host.files.read(file).decode("utf-8", "replace")
    except OSError as error:
        finding = codes.NO_FACTS.finding(
            f"{file} cannot be read: {error.strerror or error}",
            "Record the machine's facts with `ventoy-kit hardware scan`.",
            place=Place(str(file)),
        )
        return None, Report([finding])
    inventory, report = parse_inventory(text, str(file))
    if inventory is None:
        return None, report
    if any(not disk.size for disk in inventory.disks):
        message = f"{file} does not tell the disks' sizes, and the installer's choice depends on them"
        report.add(
            codes.NO_FACTS.finding(
                message, "Record the machine with `ventoy-kit hardware scan`.", place=Place(str(file))
            )
        )
        return None, report
    firmware, _ = parse_facts(text, str(file))
    boot: Boot | None = None
    if firmware is not None and firmware.uefi is not None:
        boot = "efi" if firmware.uefi else "bios"
    elif inventory.boot_mode is not None:
        boot = "efi" if inventory.boot_mode == "uefi" else "bios"
    return Facts(replace(inventory, nics=tuple(_named(nic) for nic in inventory.nics)), boot), report


def _named(nic: NicFacts) -> NicFacts:
    """The NIC with the name by address that udev gives every NIC with a burnt-in one (systemd, udev-builtin-net_id.c).

    Facts that were recorded where no udev runs lack it; the installer's udev will not.
    """
    if nic.permanent_mac is None:
        return nic
    name = {"ID_NET_NAME_MAC": "enx" + nic.permanent_mac.replace(":", "")}
    return replace(nic, properties=name | dict(nic.properties))


def facts_file(base: Path, node: str) -> Path:
    """Where the facts of a node are."""
    return base / FACTS_FOLDER / f"{node}.json"


def simulate_nodes(
    plan: Plan,
    facts: Mapping[str, Facts],
    answers: Mapping[str, bytes],
    boot: Mapping[str, str],
    host: Host,
    *,
    release: Release | None = None,
    stick: bool = True,
) -> tuple[tuple[NodeResult, ...], Report]:
    """Simulate every node that has facts.

    Args:
        plan: the plan.
        facts: facts by node.
        answers: rendered answers of the Proxmox nodes by node, with the placeholder.
        boot: the boot overlay's scripts by name.
        host: effects.
        release: the installer's release in the place of the image's own.
        stick: whether the Ventoy stick is in the machine; the boot hook refuses without one.

    Returns:
        Results in the plan's order, and findings VK-E20 to VK-E29 with paths into the fleet file.

    Raises:
        MachineError: the scripts could not be run.
    """
    chosen = [n for n in plan.nodes if n.name in facts]
    lacking = missing_tools() if chosen else ()
    if lacking:
        message = f"these programs are missing: {', '.join(lacking)}"
        return (), Report([codes.NO_SHELL.finding(message, "Install them, or run on a Unix system.")])
    machines, present = [], []
    for node in chosen:
        inventory, name = (
            with_stick(facts[node.name].inventory) if stick else (facts[node.name].inventory, "")
        )
        present.append((inventory, name))
        image = plan.image(node.image)
        line = ticket_line(plan.fleet, GENERATION, image.id, node.name)
        files = node_data(OverlayConf(plan.fleet, GENERATION, image), (node,))
        files |= machine_files(inventory, name) | {"ventoy/autoinstall": f"{line}\n".encode()}
        machines.append(Machine(node.name, image.facts.family or "", name, files))
    resolved = run_overlays({name: boot[name] for name in SCRIPTS}, machines, host.fed_process)
    results = []
    report = Report()
    for node, (inventory, name), found in zip(chosen, present, resolved, strict=True):
        image = plan.image(node.image)
        installer = None
        if not found.code and image.facts.family == "proxmox" and node.name in answers:
            judged = release or installer_release(image.facts.product, image.facts.release)
            answer = with_disks(answers[node.name], found.disks)
            installer = simulate(answer, inventory, judged, facts[node.name].boot)
        debian = image.facts.family == "debian" and not found.code
        interfaces = choose_interface(node.address.mac, inventory.nics) if debian else ()
        result = NodeResult(node, inventory, name, found, installer, interfaces)
        report.extend(judge(result))
        results.append(result)
    return tuple(results), report


def with_disks(answer: bytes, disks: Sequence[str]) -> dict[str, Any]:
    """The answer as the boot hook hands it over: the placeholder replaced by device paths."""
    data = tomllib.loads(answer.decode())
    setup = data["disk-setup"]
    if setup["disk-list"] == [DISK_PLACEHOLDER]:
        setup["disk-list"] = [f"/dev/{name}" for name in disks]
    return data


def judge(result: NodeResult) -> list[Finding]:
    """Whether what would happen is what the fleet file says."""
    node, resolved, installer = result.node, result.resolved, result.installer
    at: DocPath = ("nodes", node.name, "disks")
    path: DocPath
    if resolved.code:
        detail = " ".join(resolved.detail.split("\n")[:1])
        message = f"the boot hook would refuse on this machine ({resolved.code}): {detail}"
        remedy = f"Correct the node or its facts; `ventoy-kit answer simulate {node.name}` shows every disk."
        return [codes.RESOLVER.finding(message, remedy, path=at, on_key=True)]
    out = []
    wiped = resolved.disks if installer is None else installer.wiped
    for stop in installer.stops if installer else ():
        message = f"the installer would stop: {stop}"
        out.append(
            codes.INSTALL_STOPS.finding(message, "Change the disks or the answer.", path=at, on_key=True)
        )
    if result.stick in wiped:
        message = f"the Ventoy stick {result.stick} would be wiped"
        out.append(
            codes.WIPES_STICK.finding(message, "Name the system disk by its serial.", path=at, on_key=True)
        )
    system = node.disks_for("system")
    wrong = sorted(set(wiped) ^ set(resolved.disks)) if not (installer and installer.stops) else []
    wrong += [
        d.name for d in result.inventory.disks if d.name in wiped and not any(same_disk(d, s) for s in system)
    ]
    if wrong or (not out and len(wiped) != len(system)):
        message = f"would be wiped: {', '.join(wiped) or 'nothing'}; the node names {len(system)}"
        out.append(codes.WRONG_DISKS.finding(message, "Correct the node's disks.", path=at, on_key=True))
    equals = [
        d.name for d in result.inventory.disks if d.name not in wiped and any(same_disk(d, s) for s in system)
    ]
    if wiped and equals:
        message = f"{', '.join(equals)} would stay, and carries the identifiers of a disk that is wiped"
        remedy = "Give the node's system disks both serial and WWN, or take the other device out."
        out.append(codes.ORDER.finding(message, remedy, path=at, on_key=True))
    if installer is not None and not installer.stops:
        nic = next((n for n in result.inventory.nics if n.name == installer.nic), None)
        if nic is None or node.address.mac not in (nic.mac, nic.permanent_mac):
            message = f"{installer.nic or 'no interface'} would carry the address, not {node.address.mac}"
            path = ("nodes", node.name, "network", "nic")
            out.append(codes.WRONG_NIC.finding(message, "Correct the MAC address of the NIC.", path=path))
    if result.interfaces and not any(v.taken for v in result.interfaces):
        message = (
            f"no interface has the address {node.address.mac}: the installer would stop and ask for one "
            "(`Configure the network`)"
        )
        path = ("nodes", node.name, "network", "nic")
        out.append(codes.WRONG_NIC.finding(message, "Correct the MAC address of the NIC.", path=path))
    return out


def same_disk(disk: DiskFacts, declared: DiskPlan) -> bool:
    """Whether a device carries every identifier of a declared disk: a second look, by other code than the hook's."""
    pairs = ((disk.serial, declared.serial), (disk.wwn, declared.wwn))
    return all(wanted is None or _bare(found) == _bare(wanted) for found, wanted in pairs) and bool(
        declared.serial or declared.wwn
    )


def _bare(text: str | None) -> str:
    """An identifier without blanks, case, and the prefix that says which register it comes from."""
    plain = "".join((text or "").split())
    return re.sub(r"^(naa\.|eui\.|t10\.|nvme\.|uuid\.|0x)", "", plain.lower())
