"""Plan to Payload: every byte that goes onto the stick, except ISOs, which are referred to. Pure and reproducible."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ventoy_kit.images.menu import derive_armed_menu, derive_toolbox_menu
from ventoy_kit.payload import codes
from ventoy_kit.payload.answers import debian, proxmox
from ventoy_kit.payload.archive import draft, pack
from ventoy_kit.payload.checklist import staged_checklists
from ventoy_kit.payload.model import (
    ARMED_MENU,
    CHECKLISTS,
    PROBE,
    TAG,
    IsoRef,
    Payload,
    PayloadFile,
    digest_of,
    document_path,
)
from ventoy_kit.payload.overlay import OverlayConf, overlay_files, overlay_origin
from ventoy_kit.payload.runner import (
    Runner,
    RunnerHook,
    RunnerNode,
    RunnerTexts,
    RunnerTooLargeError,
    render_runner,
)
from ventoy_kit.payload.ticket import AUTO, plain_ticket, ticket_line
from ventoy_kit.payload.ventoy_json import image_folder, iso_path, toolbox_config
from ventoy_kit.plan.inputs import Library
from ventoy_kit.plan.model import ImagePlan, NodePlan, Plan
from ventoy_kit.report import Place, Report, Severity

NO_GENERATION = "0" * TAG
"""Stands for the generation while the digest that it is made of is computed."""

PATH_LIMIT = 240


Answers = dict[str, tuple[Mapping[str, bytes], Report]]
"""By node, what its answer consists of whatever the generation, and what was found while it was rendered.

Two threads may add to it: both would add the same.
"""


def render_payload(
    plan: Plan, library: Library, known: Answers | None = None
) -> tuple[Payload | None, Report]:
    """Render everything, twice: once to know the generation, once with it.

    Args:
        plan: a plan without errors.
        library: templates, scripts and profiles.
        known: answers that were rendered from the same plan and library; the others are added.

    Returns:
        The payload, or None with findings VK-W*.
    """
    known = {} if known is None else known
    documents = _documents(plan, library)
    first, report = _render(plan, library, NO_GENERATION, known, documents)
    if first is None:
        return None, report
    generation = digest_of(first.files, first.isos, first.config)[:TAG]
    return _render(plan, library, generation, known, documents)


def _documents(plan: Plan, library: Library) -> tuple[PayloadFile, ...]:
    """What is for people alone and no menu names: checklists, and the program that records a machine's facts.

    The latter is for a rescue system that has the stick at hand.
    """
    probe = library.probe.encode()
    tag = hashlib.sha256(probe).hexdigest()[:TAG]
    out = [PayloadFile(document_path(plan.fleet, PROBE, "hardware", tag, "py"), probe, "hardware probe")]
    for node in plan.nodes:
        tag, sheets = staged_checklists(plan, node, library)
        out += [
            PayloadFile(document_path(plan.fleet, CHECKLISTS, node.name, tag, ending), data, "checklist")
            for ending, data in sheets.items()
        ]
    return tuple(out)


def node_answer(
    plan: Plan, library: Library, node: NodePlan, known: Answers | None = None
) -> tuple[dict[str, bytes], Report]:
    """The answer files of one node by name, as they lie in the archive; none when the report has errors.

    Args:
        plan: the plan that the node is of.
        library: templates.
        node: the node.
        known: as for `render_payload`.
    """
    report = Report()
    renderer = _Renderer(plan, library, NO_GENERATION, report, {} if known is None else known)
    files = renderer.answer_files(node, plan.image(node.image))
    return ({} if report.has_errors else files), report


def _render(
    plan: Plan, library: Library, generation: str, known: Answers, documents: tuple[PayloadFile, ...]
) -> tuple[Payload | None, Report]:
    report = Report()
    return _Renderer(plan, library, generation, report, known).payload(documents), report


@dataclass(frozen=True, slots=True)
class _Renderer:
    """One rendering of a plan under one generation; findings are collected in `report`, answers in `known`."""

    plan: Plan
    library: Library
    generation: str
    report: Report
    known: Answers

    def payload(self, documents: tuple[PayloadFile, ...]) -> Payload | None:
        """Everything, or None if the report has errors."""
        plan, generation = self.plan, self.generation
        files = list(documents)
        menus: dict[str, str] = {}
        for image in plan.images:
            if image.delivery == "overlay":
                files += self._image_files(image, menus)
        files.sort(key=lambda f: f.path)
        isos = tuple(IsoRef(iso_path(i), i.id, i.facts.size, i.sha256, i.origin) for i in plan.images)
        for path in (*(f.path for f in files), *(i.path for i in isos)):
            if len(path.encode()) > PATH_LIMIT:
                message = f"{path} has {len(path.encode())} bytes"
                remedy = "Shorten fleet, image or node name."
                self.report.add(codes.PATH_LENGTH.finding(message, remedy, place=Place(path)))
        if self.report.has_errors:
            return None
        return Payload(plan.fleet, generation, tuple(files), isos, toolbox_config(plan, generation, menus))

    def _image_files(self, image: ImagePlan, menus: dict[str, str]) -> list[PayloadFile]:
        """Tickets, archive and boot menu of one image; `menus` learns which file of the ISO the menu replaces."""
        plan, folder = self.plan, image_folder(self.plan, self.generation, image)
        nodes = plan.nodes_of(image.id)
        out: list[PayloadFile] = []
        menu, found = derive_toolbox_menu(image.facts)
        self.report.extend(f for f in found if f.severity is Severity.ERROR)  # `check` has shown the rest
        if menu is not None:
            menus[image.id] = menu.org
            origin = f"derived from {menu.org} of {image.file_name}"
            out.append(PayloadFile(f"{folder}/grub.cfg", menu.text.encode(), origin))
            armed, found = derive_armed_menu(image.facts)
            self.report.extend(found)
            if armed is not None:
                out.append(PayloadFile(f"{folder}/{ARMED_MENU}", armed.text.encode(), f"{origin}, armed"))
        answers = {node.name: self.answer_files(node, image) for node in nodes}
        runners = {node.name: runner for node in nodes if (runner := self._runner(node, image)) is not None}
        tickets = {AUTO: self._ticket(None, image)} | {n.name: self._ticket(n, image) for n in nodes}
        out += [
            PayloadFile(f"{folder}/{name}", data, "ticket")
            for name, data in tickets.items()
            if data is not None
        ]
        if not self.report.has_errors:
            conf = OverlayConf(plan.fleet, self.generation, image)
            # Compressing takes long, and a draft is only hashed.
            packed = pack if self.generation != NO_GENERATION else draft
            archive = packed(overlay_files(conf, nodes, answers, runners, self.library.boot))
            out.append(PayloadFile(f"{folder}/overlay.tar.bz2", archive, overlay_origin(nodes)))
        return out

    def _ticket(self, node: NodePlan | None, image: ImagePlan) -> bytes | None:
        """The ticket of a node, or `auto`."""
        name = AUTO if node is None else node.name
        line = ticket_line(self.plan.fleet, self.generation, image.id, name)
        if image.facts.family == "proxmox":
            return plain_ticket(line, name)
        nodes = self.plan.nodes_of(image.id)
        data, found = debian.render_ticket(line, node, nodes, image, self.library.families["debian"])
        self.report.extend(found)
        return data

    def answer_files(self, node: NodePlan, image: ImagePlan) -> dict[str, bytes]:
        """What the archive holds for one node besides its runner; incomplete when the report has errors."""
        if node.name not in self.known:
            self.known[node.name] = _lasting_files(node, image, self.library)
        files, found = self.known[node.name]
        self.report.extend(found)
        ticket = None if image.facts.family == "proxmox" else self._ticket(node, image)
        return dict(files) if ticket is None else {"preseed.cfg": ticket, **files}

    def _runner(self, node: NodePlan, image: ImagePlan) -> Runner | None:
        """The first-boot runner of a node that has one; None, too, when it is too large, which is reported."""
        # The Proxmox step insists on one, so that a damaged archive shows; without hooks the installer ignores it.
        if not (node.hooks or image.facts.family == "proxmox"):
            return None
        own = self.library.runner
        texts = RunnerTexts(own["runner.sh"], own["library.sh"], own["unit.service"])
        runner = RunnerNode(
            name=node.name, fleet=self.plan.fleet, title=node.title, generation=self.generation
        )
        try:
            return render_runner(texts, runner, [RunnerHook(h.spec, h.params, h.facts) for h in node.hooks])
        except RunnerTooLargeError as error:
            remedy, path = "Use fewer or smaller hooks on this node.", ("nodes", node.name, "hooks")
            self.report.add(codes.RUNNER_SIZE.finding(str(error), remedy, path=path))
            return None


def _lasting_files(node: NodePlan, image: ImagePlan, library: Library) -> tuple[dict[str, bytes], Report]:
    """The answer files of a node in which no generation stands."""
    report = Report()
    out: dict[str, bytes | None] = {}
    files = library.families[image.facts.family or ""]
    if image.facts.family == "proxmox":
        out["answer.toml"], found = proxmox.render_answer(node, files, image.facts)
        report.extend(found)
    else:
        out["partman.cfg"], found = debian.render_answers(node, image, files)
        report.extend(found)
        out["recipe"], found = debian.render_recipe(node, image, files)
        report.extend(found)
        if node.install.raid is not None:
            out["esp"] = b"mirrored\n"
        if node.users:
            out["users"] = debian.render_users(node)
        out["authorized_keys"] = "".join(f"{key}\n" for key in node.ssh_keys).encode()
    return {name: data for name, data in out.items() if data is not None}, report
