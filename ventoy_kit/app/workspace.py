"""A fleet file with everything around it: read, decoded, checked. The beginning of every command."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.images import Images, look_at_images
from ventoy_kit.blueprint.check import check_blueprint
from ventoy_kit.blueprint.model import PROXMOX, Blueprint, guessed_members
from ventoy_kit.edge.files import read_tree
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.marks import Marked
from ventoy_kit.fleet.rules import check_fleet
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.gather import codes
from ventoy_kit.gather.facts import FACTS_FOLDER, read_facts
from ventoy_kit.gather.isos import inspect_isos
from ventoy_kit.gather.library import OVERRIDABLE, make_library
from ventoy_kit.hardware.inventory import Inventory
from ventoy_kit.images import fetch_codes
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.plan.hardware_rules import check_hardware
from ventoy_kit.plan.inputs import Library
from ventoy_kit.plan.rules import check_plan
from ventoy_kit.report import Place, Report, Severity


@dataclass(frozen=True, slots=True)
class Workspace:
    """A fleet file and what was found around it.

    Attributes:
        file: path of the fleet file.
        digest: SHA-256 of its bytes.
        fleet: the fleet, None if the file has errors of its own.
        marked: positions in the file, None if it is no YAML.
        library: data folders.
        isos: what the images are, by id; incomplete when some cannot be read.
        report: findings, not located yet.
        images: the lock, where images lie, and which must be fetched first.
        notes: notes of the blueprint's rules, not located yet; `check` shows them, other commands do not.
        blueprint: the model of services and fault domains, None if there is no fleet.
        inventories: recorded hardware facts by name of node.
        hardware: where they and the fleet file disagree, not located yet; kept apart, so that a simulation can go on.
    """

    file: Path
    digest: str
    fleet: Fleet | None
    marked: Marked | None
    library: Library
    isos: Mapping[str, IsoFacts]
    report: Report
    images: Images = field(default_factory=Images)
    notes: Report = field(default_factory=Report)
    blueprint: Blueprint | None = None
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    hardware: Report = field(default_factory=Report)

    @property
    def base(self) -> Path:
        """Folder of the fleet file; relative paths in it start here."""
        return self.file.parent

    def demanding_images(self) -> Workspace:
        """The same for a command that cannot do without an image: the notes of missing ones are errors."""
        others = [f for f in self.report if f.rule is not fetch_codes.NOT_FETCHED]
        return replace(self, report=Report([*others, *self.images.blocking]))

    def located(self, *more: Report) -> Report:
        """All findings so far, and those of `more`, with places in the fleet file."""
        whole = Report([*self.report, *(f for report in more for f in report)])
        return whole.located(self.marked.locate) if self.marked is not None else whole


def load_library(host: Host, base: Path | None) -> tuple[Library, Report]:
    """The data folders: the kit's, with those beside the fleet file laid over them."""
    shipped = {name: read_tree(host.data / name) for name in (*OVERRIDABLE, "boot_overlay", "probes")}
    own = {}
    if base is not None and base.resolve() != host.data.resolve():
        own = {name: read_tree(base / name) for name in OVERRIDABLE}
    return make_library(shipped, own)


def load_fleet(file: Path, host: Host) -> Workspace:
    """Read and check a fleet file and its data folders; images are neither needed nor looked at."""
    loaded = _read(file, host)
    return loaded if loaded.fleet is None else _judged(loaded, loaded.fleet, None)


def _read(file: Path, host: Host) -> Workspace:
    """The file, decoded, and what its own rules find."""
    library, report = load_library(host, file.parent)
    empty = Workspace(file, "", None, None, library, {}, report)
    try:
        data = host.files.read(file)
    except OSError as error:
        report.add(
            codes.NO_FLEET_FILE.finding(
                f"{file} cannot be read: {error.strerror or error}",
                "Name the fleet file with --fleet, or write one with `ventoy-kit init`.",
                place=Place(str(file)),
            )
        )
        return empty
    fleet, marked, found = decode_fleet(data, str(file))
    report.extend(found)
    loaded = replace(empty, digest=hashlib.sha256(data).hexdigest(), fleet=fleet, marked=marked)
    if fleet is None:
        return loaded
    report.extend(check_fleet(fleet, hooks=library.hooks, models=library.profiles))
    return loaded


def _judged(loaded: Workspace, fleet: Fleet, members: frozenset[str] | None) -> Workspace:
    """The same with what the rules of the blueprint find."""
    firmware = {
        name: {setting.id: setting.want for setting in profile.settings}
        for name, profile in loaded.library.profiles.items()
    }
    blueprint = Blueprint(fleet, members)
    found = check_blueprint(blueprint, firmware)
    report = Report([*loaded.report, *(f for f in found if f.severity is not Severity.NOTE)])
    notes = Report([f for f in found if f.severity is Severity.NOTE])
    return replace(loaded, report=report, notes=notes, blueprint=blueprint)


def load_workspace(file: Path, host: Host) -> Workspace:
    """Read and check a fleet file, its data folders and its images."""
    loaded = _read(file, host)
    fleet, library, report = loaded.fleet, loaded.library, loaded.report
    if fleet is None:
        return loaded
    images = look_at_images(fleet, file, library, host)
    report.extend(images.report)
    isos, found = inspect_isos(fleet, file.parent, files=host.files, reader=host.isos, cached=images.files)
    report.extend(found)
    report.extend(check_plan(fleet, isos, library.hooks, images.names))
    inventories, found = read_facts(read_tree(file.parent / FACTS_FOLDER)[""], fleet.nodes)
    report.extend(found)
    hardware = check_hardware(fleet, inventories)
    whole = replace(loaded, isos=isos, images=images, inventories=inventories, hardware=hardware)
    return _judged(whole, fleet, _proxmox_nodes(fleet, isos))


def _proxmox_nodes(fleet: Fleet, isos: Mapping[str, IsoFacts]) -> frozenset[str]:
    """The nodes that install Proxmox VE: as their ISO says, or as the image's name suggests if it is not at hand."""
    guessed = guessed_members(fleet)
    found = set()
    for name, node in fleet.nodes.items():
        facts = isos.get(node.install.image or fleet.defaults.image or "")
        if name in guessed if facts is None else facts.product == PROXMOX:
            found.add(name)
    return frozenset(found)
