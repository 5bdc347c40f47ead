"""`ventoy-kit checklist`: the sheets that go to the rack."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ventoy_kit.app import codes
from ventoy_kit.app.arming import is_expired
from ventoy_kit.app.evidence import recorded
from ventoy_kit.app.host import Host
from ventoy_kit.app.lockfile import lock_path
from ventoy_kit.app.outcome import Document, Lines, Outcome, counted
from ventoy_kit.app.sheet_files import ENDINGS, check_output, write_all
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.edge.pdf import NoPdfError, html_to_pdf
from ventoy_kit.edge.state import load_state
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.payload.checklist import booklet_of, sheet_of
from ventoy_kit.payload.screen_items import ArmingNote
from ventoy_kit.plan.compose import compose
from ventoy_kit.plan.inputs import Inputs, IsoFile
from ventoy_kit.plan.model import Plan
from ventoy_kit.report import Report
from ventoy_kit.sheets.html import as_html
from ventoy_kit.sheets.markdown import as_markdown
from ventoy_kit.sheets.model import Booklet, Sheet, as_data
from ventoy_kit.sheets.page import Paper
from ventoy_kit.sheets.text import as_text
from ventoy_kit.stick.armed import Arming

Format = Literal["text", "md", "html", "pdf"]


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """How sheets are made.

    Attributes:
        form: what they become.
        paper: size of printed pages, for HTML and PDF.
        output: file, or folder for one file per node; None prints.
        folder: whether `output` is a folder.
        armed: for a stick that `reimage` armed, in the place of one in the toolbox state.
    """

    form: Format = "text"
    paper: Paper = "a4"
    output: Path | None = None
    folder: bool = False
    armed: bool = False


def checklist(file: Path, nodes: Sequence[str], host: Host, options: SheetOptions) -> Outcome:
    """The checklists of some nodes, or of all.

    Args:
        file: the fleet file.
        nodes: names; none means all.
        host: effects.
        options: form, paper, output.

    Raises:
        MachineError: the output cannot be written.
    """
    workspace = load_workspace(file, host).demanding_images()
    if workspace.fleet is None or workspace.report.has_errors:
        return Outcome("checklist", workspace.located())
    found = Report(
        [
            unknown(codes.NO_SUCH_NODE, "node", name, workspace.fleet.nodes, ("nodes",))
            for name in nodes
            if name not in workspace.fleet.nodes
        ]
    )
    if options.output is not None:
        found.extend(check_output(options.output, options.form, folder=options.folder))
    records, problems = recorded(workspace.base, nodes or tuple(workspace.fleet.nodes), host)
    found.extend(problems)
    report = workspace.located(found)
    if report.has_errors:
        return Outcome("checklist", report)
    plan = draft_plan(workspace, workspace.fleet)
    chosen = [n for n in plan.nodes if not nodes or n.name in nodes]
    sheets = tuple(
        sheet_of(
            plan,
            node,
            workspace.library,
            armed=options.armed,
            arming=_arming(workspace, node.name, host) if options.armed else None,
            evidence=records.get(node.name),
        )
        for node in chosen
    )
    return _done(workspace, plan, sheets, report, options=options, foot=_foot(workspace, plan, host))


def _foot(workspace: Workspace, plan: Plan, host: Host) -> tuple[str, ...]:
    """Of which fleet, fleet file and lock the sheets are."""
    try:
        lock = hashlib.sha256(host.files.read(lock_path(workspace.file))).hexdigest()[:8]
    except OSError:
        lock = "none"
    return f"{plan.title} ({plan.fleet})", f"fleet file {workspace.digest[:8]}", f"lock {lock}"


def _done(
    workspace: Workspace,
    plan: Plan,
    sheets: tuple[Sheet, ...],
    report: Report,
    *,
    options: SheetOptions,
    foot: tuple[str, ...],
) -> Outcome:
    def booklet(*of: Sheet) -> Booklet:
        return booklet_of(f"Checklists of {plan.title}", of, workspace.library, foot)

    data = {sheet.name: as_data(sheet) for sheet in sheets}
    result = {"format": options.form, "sheets": data}
    if options.output is None:
        documents = {s.name: _rendered(booklet(s), options).decode() for s in sheets}
        whole = _rendered(booklet(*sheets), options).decode()
        return Outcome("checklist", report, {**result, "checklists": documents}, [Document(whole)])
    parts = {options.output / f"{s.name}{ENDINGS[options.form]}": booklet(s) for s in sheets}
    try:
        wanted = parts if options.folder else {options.output: booklet(*sheets)}
        files = {path: _rendered(each, options) for path, each in wanted.items()}
    except NoPdfError as error:
        remedy = "Install it with `pip install 'ventoy-kit[pdf]'` (on Debian also `apt install libpangoft2-1.0-0 libharfbuzz-subset0`), or print the HTML."
        report.add(codes.NO_PDF.finding(str(error), remedy))
        return Outcome("checklist", report)
    write_all(files)
    lines = tuple(f"Wrote {path}." for path in files)
    head = f"{counted(len(sheets), 'checklist')} of {plan.title}."
    return Outcome("checklist", report, {**result, "files": [str(p) for p in files]}, [Lines((head, *lines))])


def _rendered(booklet: Booklet, options: SheetOptions) -> bytes:
    """A booklet in the form that was asked for. Raises NoPdfError, MachineError."""
    if options.form == "text":
        return as_text(booklet).encode()
    if options.form == "md":
        return as_markdown(booklet).encode()
    page = as_html(booklet, options.paper)
    return html_to_pdf(page) if options.form == "pdf" else page.encode()


def _arming(workspace: Workspace, node: str, host: Host) -> ArmingNote | None:
    """The last arming that was made beside this fleet file, if it is for the node and still good."""
    try:
        arming = Arming.from_json(str(load_state(workspace.base, "armings").get("arming")).encode())
    except ValueError:
        return None
    if arming.node != node or is_expired(arming, host.clock()) or arming.until is None:
        return None
    return ArmingNote(arming.code, f"until {arming.until:%Y-%m-%d %H:%M} UTC", arming.destroys)


def draft_plan(workspace: Workspace, fleet: Fleet, shown: str = "*") -> Plan:
    """A plan without digests and with `shown` in the place of secrets, which need not be at hand for it."""
    isos = {
        name: IsoFile(workspace.images.files[name], facts, "", name=workspace.images.names.get(name, ""))
        for name, facts in workspace.isos.items()
    }
    secrets = dict.fromkeys(fleet.secrets, shown)
    return compose(fleet, Inputs(workspace.library, isos, secrets, secrets))


def node_names(file: Path, host: Host) -> tuple[str, ...]:
    """The node names of a fleet file, for completion in a shell; none if it cannot be read."""
    try:
        marked, _ = read_marked(host.files.read(file), str(file))
    except OSError:
        return ()
    nodes = marked.value.get("nodes") if marked is not None and isinstance(marked.value, dict) else None
    return tuple(sorted(str(name) for name in nodes)) if isinstance(nodes, dict) else ()
