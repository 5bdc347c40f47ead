"""What stands against a rehearsal before any machine is started: wishes, recorded facts, a stick, programs. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ventoy_kit.app.host import PACKAGES
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.workspace import Workspace
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge import emulator
from ventoy_kit.edge.files import exists
from ventoy_kit.edge.machine import has_program
from ventoy_kit.edge.probe import read_at, ventoy_version
from ventoy_kit.edge.run_folder import size_of_disk
from ventoy_kit.errors import MissingToolError
from ventoy_kit.plan.model import NodePlan
from ventoy_kit.rehearse import codes
from ventoy_kit.rehearse.acts import read_mirror
from ventoy_kit.rehearse.case import Case
from ventoy_kit.rehearse.loader import GRUB_MODULES
from ventoy_kit.rehearse.model import Twin
from ventoy_kit.rehearse.qemu import PROGRAM
from ventoy_kit.report import Finding, Place, Report, Severity
from ventoy_kit.stick.layout import HEAD_BYTES, Layout, read_layout


def check_wishes(options: RehearseOptions) -> Report:
    """What of the options cannot be, before anything is read."""
    report = Report()
    if options.mirror is not None:
        try:
            read_mirror(options.mirror)
        except ValueError as error:
            report.add(codes.MIRROR.finding(str(error), "Write it as http://HOST[:PORT]/PATH."))
    if options.output is not None:
        report.extend(unwritable(options.output))
    return report


def contradictions(workspace: Workspace, names: Collection[str]) -> Iterator[Finding]:
    """Where recorded facts of these nodes say that the installation would be refused: nothing has to start to see it."""
    for finding in workspace.hardware:
        path = finding.path or ()
        if finding.severity is Severity.ERROR and path[:1] == ("nodes",) and path[1] in names:
            yield finding


def check_network(node: NodePlan, twin: Twin) -> Report:
    """Whether a machine as it was recorded has the interface that carries the node's address."""
    if any(nic.management for nic in twin.nics):
        return Report()
    there = ", ".join(nic.mac for nic in twin.nics)
    finding = codes.NO_NIC.finding(
        f"{node.name} has its address at {node.address.mac}, which is at no interface of its recorded machine (found: {there})",
        f"Correct the address, or record the machine anew: `ventoy-kit hardware scan {node.name}`.",
        path=("nodes", node.name, "hardware", "nics", node.address.nic, "mac"),
    )
    return Report([finding])


def check_stick(stick: Path) -> tuple[int, str, Report]:
    """Bytes of a stick that is to be started, the version of its Ventoy, and what speaks against it."""
    place = Place(str(stick))

    def refused(message: str, remedy: str) -> tuple[int, str, Report]:
        return 1, "", Report([codes.NO_STICK.finding(message, remedy, place=place)])

    try:
        size = size_of_disk(stick)
    except OSError as error:
        reason = error.strerror or error
        return refused(f"{stick} cannot be read: {reason}", "Name a disk image, or the device of a stick.")
    layout = read_layout(read_at(stick, 0, HEAD_BYTES) or b"", size)
    if not isinstance(layout, Layout):
        why = "; ".join(layout.reasons)
        return refused(
            f"{stick} holds no Ventoy: {why}", "Name the whole stick, or an image of it, not a partition."
        )
    version = ventoy_version(stick, layout.boot.offset)
    if not version:
        return refused(
            f"{stick} has Ventoy's partitions, but no Ventoy in the second one",
            "Install Ventoy on it, or rehearse without --stick.",
        )
    return size, version, Report()


def check_use(options: RehearseOptions, cases: Sequence[Case]) -> Report:
    """Findings where an option would do nothing for any of the nodes."""
    report = Report()
    direct = [case.direct for case in cases if case.direct is not None]
    if options.kernel is not None and not any(d.stand_in for d in direct):
        remedy = "Leave --kernel out: the image's own kernel is started."
        report.add(
            codes.USELESS.finding("no node installs from a stand-in, so --kernel does nothing", remedy)
        )
    if options.mirror is not None and not any(d.family == "debian" for d in direct):
        remedy = "Leave --mirror out: everything comes from the image."
        report.add(
            codes.USELESS.finding("no node's installer asks a mirror, so --mirror does nothing", remedy)
        )
    return report


def demand_tools(options: RehearseOptions, *, busybox: bool) -> None:
    """Look for everything that is started later on.

    Args:
        options: how.
        busybox: whether a static busybox is there, or not needed.

    Raises:
        MissingToolError: all that is missing, at once.
    """
    direct, uefi = options.stick is None, options.firmware == "uefi"
    programs = [PROGRAM, "setpriv"]
    programs += ["grub-mkimage", "mformat", "mmd", "mcopy"] if direct and uefi else []
    programs += ["swtpm"] if options.tpm else []
    wanted = {name: PACKAGES[name] for name in programs if not has_program(name)}
    if uefi and not emulator.has_firmware():
        wanted["UEFI firmware for QEMU (OVMF)"] = "ovmf"
    if direct and uefi and not exists(Path(GRUB_MODULES)):
        wanted["GRUB's modules for UEFI"] = "grub-efi-amd64-bin"
    if not busybox:
        wanted["a static busybox"] = "busybox-static"
    if wanted:
        packages = list(dict.fromkeys(wanted.values()))
        raise MissingToolError(
            f"not installed: {', '.join(wanted)}",
            f"Install the package{'s' if len(packages) > 1 else ''} {', '.join(packages)}.",
        )
