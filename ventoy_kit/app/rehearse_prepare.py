"""What `rehearse` needs before a machine is started: the build, the image's own kernel, the twins. Findings, no effects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ventoy_kit.app import codes as app_codes
from ventoy_kit.app.built import Built, load_built
from ventoy_kit.app.checklist import draft_plan
from ventoy_kit.app.host import Host
from ventoy_kit.app.rehearse_checks import check_network, check_stick, check_use, contradictions, demand_tools
from ventoy_kit.app.rehearse_kernel import borrowed_start, own_start
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.workspace import Workspace, load_workspace
from ventoy_kit.edge import emulator
from ventoy_kit.edge.files import listing
from ventoy_kit.errors import MachineError
from ventoy_kit.fleet.marks import Marked
from ventoy_kit.fleet.rules import unknown
from ventoy_kit.payload.model import ARMED_MENU
from ventoy_kit.payload.overlay import runner_in
from ventoy_kit.plan.model import NodePlan, Plan
from ventoy_kit.rehearse import codes
from ventoy_kit.rehearse.acts import network_of, read_mirror
from ventoy_kit.rehearse.boot_entry import armed_entry
from ventoy_kit.rehearse.case import Case, Direct
from ventoy_kit.rehearse.expect import Expectations, parse_expectations
from ventoy_kit.rehearse.initramfs import is_static, unpack_archive
from ventoy_kit.rehearse.twin import HostFacts, TwinWish, twin_of, what_is_assumed
from ventoy_kit.report import Finding, Report, Severity
from ventoy_kit.stick.armed import delivery_of

FOLDER = "rehearsals"
"""The data folder with expectations and scripts."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is going to be played, and with what: the scripts by name, a static busybox; `marked` are places in the fleet."""

    cases: tuple[Case, ...]
    scripts: Mapping[str, bytes]
    busybox: bytes
    marked: Marked | None = None


def prepare(
    file: Path, names: Sequence[str], options: RehearseOptions, host: Host, jobs: int
) -> tuple[Prepared | None, Report]:
    """Read everything; None with the findings that stand against it.

    Raises:
        MachineError: a program or file of this machine is missing.
    """
    workspace = load_workspace(file, host).demanding_images()
    if workspace.fleet is None or workspace.report.has_errors:
        return None, workspace.located()
    plan = draft_plan(workspace, workspace.fleet)
    nodes = {n.name: n for n in plan.nodes}
    found = Report(
        [unknown(app_codes.NO_SUCH_NODE, "node", n, nodes, ("nodes",)) for n in names if n not in nodes]
    )
    found.extend(contradictions(workspace, names or nodes))
    built, problems = load_built(file, host.files)
    found.extend(problems)
    size, ventoy, problems = check_stick(options.stick) if options.stick else (1, "", Report())
    found.extend(problems)
    if built is None or found.has_errors:
        return None, _only_errors(workspace.located(found))
    reader = _Reader(workspace, plan, built, options, host)
    reader.stick_size, reader.ventoy = size, ventoy
    made = [reader.case(nodes[name], jobs) for name in dict.fromkeys(names or nodes)]
    found.extend(reader.report)
    cases = tuple(c for c in made if c is not None)
    found.extend(check_use(options, cases) if len(cases) == len(made) else ())
    located = _only_errors(workspace.located(found))
    if located.has_errors:
        return None, located
    demand_tools(options, busybox=options.stick is not None or reader.busybox is not None)
    return Prepared(cases, reader.scripts, reader.busybox or b"", workspace.marked), located


def _only_errors(report: Report) -> Report:
    """What `check` has warned of needs no second warning; a rehearsal's own notes do."""
    return Report([f for f in report if f.severity is Severity.ERROR or f.rule.code.startswith("VK-Y4")])


def _busybox(host: Host) -> bytes | None:
    """A static busybox, if there is one: the hook runs with one, as it does under Ventoy."""
    for folder in ("/bin", "/usr/bin", "/usr/lib/initramfs-tools/bin"):
        try:
            data = host.files.read(Path(folder) / "busybox")
        except OSError:
            continue
        if is_static(data):
            return data
    return None


class _Reader:
    """Reads the cases of some nodes; findings are collected in `report`."""

    def __init__(
        self, workspace: Workspace, plan: Plan, built: Built, options: RehearseOptions, host: Host
    ) -> None:
        self.workspace, self.plan, self.built = workspace, plan, built
        self.options, self.host = options, host
        self.stick_size, self.ventoy = 1, ""  # one of a direct boot is made to fit
        self.report = Report()
        self.busybox = None if options.stick else _busybox(host)
        folder = host.data / FOLDER
        self.scripts = {path: host.files.read(folder / path) for path, _ in listing(folder)}

    def case(self, node: NodePlan, jobs: int) -> Case | None:
        """One node's case, or None with findings."""
        inventory = self.workspace.inventories.get(node.name)
        assert self.workspace.fleet is not None  # noqa: S101 - prepare() has looked
        hardware = self.workspace.fleet.nodes[node.name].hardware
        iommu = any(g.passthrough for g in hardware.gpus) or any("vfio" in h.spec.name for h in node.hooks)
        wish = TwinWish(self.options.firmware, self.options.tpm, iommu, self.stick_size, jobs)
        host = HostFacts(emulator.processors(), emulator.free_memory())
        twin = twin_of(node, inventory, wish, host)
        self.report.extend(check_network(node, twin))
        expected = {name: self._expectations(name) for name in ("installed", "stick")}
        direct = None if self.options.stick else self._direct(node)
        if self.options.stick is None and direct is None:
            return None
        expected["install"] = expected["stick"] if direct is None else self._expectations(direct.family)
        self._check_until(node, expected["install"])
        notes = (*what_is_assumed(node, inventory, twin), *_what_it_proves(direct, self.busybox or b""))
        if inventory is None:
            message = f"{node.name} has no recorded facts, so its twin is what the fleet file says"
            remedy = f"Record them: `ventoy-kit hardware scan {node.name}`."
            self.report.add(codes.ALONE.finding(message, remedy, path=("nodes", node.name), on_key=True))
        case = Case(
            self.plan.fleet,
            "" if direct is None else self.built.manifest.generation,
            node,
            twin,
            direct,
            self.options.stick.absolute() if self.options.stick else None,
            expected,
            notes,
            tuple(self._digests(node, direct)),
            self.ventoy,
        )
        try:
            network_of(case, read_mirror(self.options.mirror) if self.options.mirror else None)
        except ValueError as error:
            remedy = "Rehearse it from a stick, or give the node an IPv4 address in a larger network."
            at = ("nodes", node.name, "network", "address")
            self.report.add(codes.MIRROR.finding(f"{node.name}: {error}", remedy, path=at))
        return case

    def _digests(self, node: NodePlan, direct: Direct | None) -> Iterator[tuple[str, str]]:
        """What is rehearsed, so that a report can be compared with what lies on a stick."""
        yield "fleet file", self.workspace.digest
        if direct is None:
            return
        delivery = delivery_of(self.built.manifest, node.name)
        known = {e.path: e.sha256 for e in self.built.manifest.entries}
        yield f"image {direct.iso.name}", known[delivery.iso] if delivery else ""
        yield "kernel (not of the image)" if direct.stand_in else "kernel", _sha256(direct.kernel)
        if direct.initrd:
            yield "RAM disk", _sha256(direct.initrd)
        yield "injection archive", _sha256(direct.archive)
        if direct.runner_sha256 is not None:
            yield "first-boot runner", direct.runner_sha256

    def _expectations(self, name: str) -> Expectations:
        return parse_expectations(self.scripts[f"{name}.toml"].decode())

    def _check_until(self, node: NodePlan, expected: Expectations) -> None:
        stages = {s.id: s for s in expected.stages}
        until = self.options.until
        if until is not None and until not in stages:
            message = f"`{until}` is no stage of {node.name}'s installer"
            self.report.add(codes.NO_STAGE.finding(message, f"Name one of: {', '.join(stages)}."))

    def _direct(self, node: NodePlan) -> Direct | None:
        image = self.plan.image(node.image)
        delivery = delivery_of(self.built.manifest, node.name)
        if delivery is None or image.facts.family is None:
            message = f"{node.name} installs from {image.id}, for which nothing is handed over at boot"
            self.report.add(
                codes.NO_DELIVERY.finding(
                    message,
                    "Choose a node with an installer's image.",
                    path=("nodes", node.name),
                    on_key=True,
                )
            )
            return None
        iso = self.built.isos[delivery.iso].absolute()
        menu = self._bytes(f"{delivery.folder}/{ARMED_MENU}").decode()
        entry = armed_entry(menu)
        if entry is None:
            message = f"the entry that an armed stick would start is not plain in the menu of {image.title}"
            self.report.add(codes.NO_ENTRY.finding(message, "Rehearse with the stick itself: `--stick`."))
            return None
        if image.facts.stand_in and image.facts.family == "debian":
            message = f"{iso.name} is a stand-in of Debian, which has no installer to rehearse with"
            self.report.add(codes.STAND_IN.finding(message, "Name Debian's own image in the fleet file."))
            return None
        start = (
            borrowed_start(iso, self.options.kernel, self.scripts, self.host)
            if image.facts.stand_in
            else own_start(iso, entry, self.host)
        )
        if isinstance(start, Finding):
            self.report.add(start)
            return None
        archive = self._bytes(delivery.archive)
        inside = unpack_archive(archive)
        runner = built_runner(inside, node.name)
        answer = inside.get(f"ventoy-kit/nodes/{node.name}/answer.toml")
        return Direct(
            image=image,
            iso=iso,
            entry=entry,
            kernel=start.kernel,
            initrd=start.initrd,
            init=start.init,
            extra=start.extra,
            ticket=self._bytes(delivery.ticket),
            auto=self._bytes(str(PurePath(delivery.ticket).with_name("auto"))),
            archive=archive,
            runner_sha256=_sha256(runner) if runner else None,
            answer=answer[0] if answer else None,
        )

    def _bytes(self, path: str) -> bytes:
        return b"".join(self.built.sources[path]())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def built_runner(inside: Mapping[str, tuple[bytes, int]], node: str) -> bytes | None:
    """The first-boot runner that a build holds for a node.

    Raises:
        MachineError: the build keeps it in another way than this version does.
    """
    try:
        return runner_in(inside, node)
    except (KeyError, ValueError) as error:
        raise MachineError(
            f"the boot overlay of the build has no whole first-boot runner of {node}",
            "Run `ventoy-kit build` again: another version of ventoy-kit may have made it.",
        ) from error


def _what_it_proves(direct: Direct | None, busybox: bytes) -> tuple[str, ...]:
    """What this way to start leaves open, as sentences for the report."""
    if direct is None:
        told = "what is said of it comes from disks, power and pictures of the screen."
        return (
            f"The stick starts as it is, so nothing speaks on the serial console: {told}",
            "What is on the stick was not compared with the fleet file: `ventoy-kit status STICK` does that.",
        )
    out = [
        "Ventoy itself was not started: its menus, and that it hands over these very files, are for `--stick`."
    ]
    if direct.stand_in:
        out.append(
            "The image is a stand-in: the boot overlay ran under a kernel of Debian and an init written for ventoy-kit. "
            "Overlay, answer, first-boot runner and identity are proven; the Proxmox installer did not run."
        )
    else:
        out.append(
            "Words for a serial console were added to the installer's command line; real machines have none."
        )
    if b"chattr" not in busybox:
        out.append(
            "Ventoy's busybox has chattr, this machine's has not: where the boot overlay writes its record in the firmware "
            "for the second time, it says that it could not (VK-B65), and does not lead to the installed system."
        )
    return tuple(out)
