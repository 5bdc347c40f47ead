"""`ventoy-kit hardware scan|show|probe`: record what a machine is made of, and show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Document, Heading, Lines, Next, Outcome, Table
from ventoy_kit.app.workspace import load_library
from ventoy_kit.app.writable import unplaced, unwritable
from ventoy_kit.edge.files import exists, listing, make_folder, write_atomic
from ventoy_kit.edge.node_probe import run_probe
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.marks import Marked
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.fleet.sizes import format_size
from ventoy_kit.gather.facts import FACTS_FOLDER
from ventoy_kit.hardware import inventory_codes as codes
from ventoy_kit.hardware.facts_document import document_of
from ventoy_kit.hardware.inventory import Inventory, parse_inventory
from ventoy_kit.plan.adopt import NODE_NAME, host_node_name
from ventoy_kit.plan.hardware_rules import identity_findings, reported_serial, reported_uuid
from ventoy_kit.report import Place, Report


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """Where to look and where to write.

    Attributes:
        local: at this machine.
        ssh: at `user@host`; of a node of the fleet, root at its address if neither is given.
        sudo: become root with `sudo -n`.
        output: file to write, `-` for standard output; `hardware/NODE.json` beside the fleet file if None.
    """

    local: bool = False
    ssh: str | None = None
    sudo: bool = False
    output: Path | None = None


def is_node_name(text: str) -> bool:
    """Whether a machine can be called so in the fleet file; facts are kept under that name."""
    return NODE_NAME.fullmatch(text) is not None


def scan(file: Path, name: str | None, options: ScanOptions, host: Host) -> Outcome:
    """Record a machine's facts. Reads only, but for the file that it writes here.

    Raises:
        MachineError: the machine cannot be reached or looked at, or the file cannot be written.
    """
    fleet, marked = _fleet(file, host)
    node = fleet.nodes.get(name) if fleet is not None and name is not None else None
    if name is not None and node is None and not options.local and options.ssh is None:
        known = fleet.nodes if fleet is not None else {}
        return Outcome("hardware scan", Report([unknown(app_codes.NO_SUCH_NODE, "node", name, known, ())]))
    address = None
    if fleet is not None and node is not None:
        own = node.network.address
        address = f"root@{f'{name}.{fleet.defaults.domain}' if own is None else own.ip}"
    destination = None if options.local else options.ssh or address
    if options.output not in (None, Path("-")):
        problem = unplaced(options.output)
        if problem.has_errors:
            return Outcome("hardware scan", problem)
    script = load_library(host, None)[0].probe
    out = run_probe(host.fed_process, script, destination, sudo=options.sudo)
    inventory, report = parse_inventory(out, f"what {destination or 'this machine'} answered")
    if inventory is None:
        return Outcome("hardware scan", report)
    name = name or host_node_name(inventory.hostname)
    node = fleet.nodes.get(name) if fleet is not None and name is not None else None
    if node is not None and name is not None:
        report.extend(identity_findings(name, node, inventory))
    report = report.located(marked.locate) if marked is not None else report
    if name is None and options.output is None:
        message = f"the machine's host name `{inventory.hostname}` is no name of a node"
        report.add(codes.NOT_A_NAME.finding(message, "Name the node: `ventoy-kit hardware scan NODE`."))
    if report.has_errors:
        return Outcome("hardware scan", report)
    text = _pretty(out)
    if options.output == Path("-"):
        return Outcome(
            "hardware scan", report, {"node": name, "file": None, "facts": json.loads(text)}, [Document(text)]
        )
    target = options.output or file.parent / FACTS_FOLDER / f"{name}.json"
    problem = unwritable(target.parent)
    if problem.has_errors:
        return Outcome("hardware scan", problem)
    make_folder(target.parent)
    write_atomic(target, text.encode())
    steps = (f"ventoy-kit check{_option(file)}",) if node is not None else ()
    done = (Lines((f"Wrote {target}.",)), Next((*steps, f"ventoy-kit adopt {target}{_option(file)}")))
    result = {"node": name, "file": str(target), "facts": json.loads(text)}
    return Outcome("hardware scan", report, result, [*blocks(name or str(target), inventory), *done])


def _option(file: Path) -> str:
    return "" if file == Path("fleet.yaml") else f" --fleet {file}"


def _pretty(out: str) -> str:
    """What the probe printed, so that a person can read and compare it."""
    return json.dumps(document_of(out), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def _fleet(file: Path, host: Host) -> tuple[Fleet | None, Marked | None]:
    """The fleet, if there is one that can be read: a machine may be looked at before it is in any fleet."""
    try:
        fleet, marked, _ = decode_fleet(host.files.read(file), str(file))
    except OSError:
        return None, None
    return fleet, marked


def show(file: Path, name: str, host: Host) -> Outcome:
    """Show recorded facts of a node, or of a file."""
    path = _path_of(file, name)
    try:
        text = host.files.read(path).decode("utf-8", "replace")
    except OSError as error:
        finding = codes.FACTS_UNREADABLE.finding(
            f"{path} cannot be read: {error.strerror or error}",
            f"Record them first: `ventoy-kit hardware scan {name}`, or name a file."
            if NODE_NAME.fullmatch(name)
            else "Name a node, or a file of facts.",
            place=Place(str(path)),
        )
        return Outcome("hardware show", Report([finding]))
    inventory, report = parse_inventory(text, str(path))
    if inventory is None:
        return Outcome("hardware show", report)
    result = {"file": str(path), **asdict(inventory)}
    return Outcome("hardware show", report, result, blocks(name, inventory))


def _path_of(file: Path, name: str) -> Path:
    recorded = file.parent / FACTS_FOLDER / f"{name}.json"
    return (
        recorded if NODE_NAME.fullmatch(name) and (exists(recorded) or not exists(Path(name))) else Path(name)
    )


def probe_text(host: Host) -> Outcome:
    """The program itself, to be run on a machine by hand."""
    text = load_library(host, None)[0].probe
    return Outcome("hardware probe", Report(), {"probe": text}, [Document(text)])


def recorded_names(file: Path) -> tuple[str, ...]:
    """Nodes with recorded facts, for completion in a shell."""
    folder = file.parent / FACTS_FOLDER
    names = (path for path, _ in listing(folder)) if exists(folder) else ()
    return tuple(sorted(path.removesuffix(".json") for path in names if path.endswith(".json")))


def blocks(name: str, inventory: Inventory) -> Sequence[Block]:
    """An inventory for a person."""
    disks = tuple(
        (
            disk.name,
            disk.model,
            format_size(disk.size) if disk.size else "unknown",
            disk.serial or "none",
            disk.wwn or "none",
            " ".join(filter(None, (disk.transport, "removable" if disk.removable else ""))),
            "; ".join(disk.holds) or "nothing",
        )
        for disk in inventory.disks
    )
    nics = tuple(
        (nic.name, nic.permanent_mac or "unknown", nic.driver or "", " ".join(nic.addresses))
        for nic in inventory.nics
    )
    cards = tuple(
        (gpu.id, gpu.address, gpu.driver or "", gpu.iommu_group or "", gpu.title or "")
        for gpu in inventory.pci or ()
        if gpu.is_display
    )
    out: list[Block] = [Heading(name), Lines(tuple(_lines(inventory)))]
    out += [Table(("disk", "model", "size", "serial", "WWN", "by", "holds"), disks)] if disks else []
    out += [Table(("NIC", "permanent MAC", "driver", "addresses"), nics)] if nics else []
    out += [Table(("GPU", "address", "driver", "IOMMU group", ""), cards)] if cards else []
    return out


def _lines(inventory: Inventory) -> Sequence[str]:
    dmi = inventory.dmi
    raw = {"serial number": dmi.get("product_serial"), "UUID": dmi.get("product_uuid")}
    real = {"serial number": reported_serial(inventory), "UUID": reported_uuid(inventory)}
    product = " ".join(filter(None, (dmi.get("sys_vendor"), dmi.get("product_name"))))
    memory = sum(inventory.modules) or inventory.memory
    lines = [f"machine: {product or 'unknown'}"]
    for what, text in raw.items():
        doubt = " (a placeholder: no identity)" if text and not real[what] else ""
        lines.append(f"{what}: {text or 'unknown'}{doubt}")
    lines.append(f"boots by: {inventory.boot_mode or 'unknown'}")
    if inventory.cpu:
        lines.append(f"processor: {inventory.cpu}")
    if memory:
        ecc = ", ECC" if inventory.ecc else ""
        lines.append(f"memory: {format_size(memory)}{ecc}")
    return lines
