"""`ventoy-kit demo`: the main job on the built-in example, with stand-ins in the place of ISOs."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ventoy_kit.app import codes
from ventoy_kit.app.build import build
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Block, Heading, Lines, Next, Outcome
from ventoy_kit.app.stage import StageOptions, stage
from ventoy_kit.app.start import init
from ventoy_kit.app.writable import unwritable
from ventoy_kit.edge.files import exists, listing, make_folder, write_atomic
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.edge.state import load_state
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files
from ventoy_kit.ports import Environment
from ventoy_kit.report import Place, Report

EXAMPLE_ENTRY = "root"
"""Key of the example's one password; the variable that it comes from is in `_DemoEnvironment`."""

STAND_INS = (
    ("proxmox-ve", "9.1-1", "iso/proxmox-ve_9.1-1.iso"),
    ("debian", "12.11.0", "iso/debian-12.11.0-amd64-netinst.iso"),
)


@dataclass(frozen=True, slots=True)
class _DemoEnvironment:
    """The environment with a root password that nobody has to invent for a demo."""

    inner: Environment
    password: str

    def get(self, name: str) -> str | None:
        """The variable as it is set, or the demo's password for the example's one secret."""
        return self.inner.get(name) or (self.password if name == "ALLIANCE_ROOT_PASSWORD" else None)


def demo(folder: Path, host: Host) -> Outcome:
    """Check, build and stage the example into `folder/stick`, without root and without a stick.

    Raises:
        MachineError: the folder cannot be written.
    """
    # The hash of the first run again, so that a second run finds everything done.
    known = load_state(folder, "hashes").get(EXAMPLE_ENTRY)
    password = known if isinstance(known, str) else secrets.token_urlsafe(18)
    host = replace(host, environment=_DemoEnvironment(host.environment, password))
    fleet = folder / "fleet.yaml"
    marker = folder / ".ventoy-kit-demo"
    if exists(fleet) and not exists(marker):
        finding = codes.EXISTS.finding(
            f"{fleet} is there and is no demo's", "Name an empty folder.", place=Place(str(fleet))
        )
        return Outcome("demo", Report([finding]))
    blocks: list[Block] = []
    problem = unwritable(folder)
    if problem.has_errors:
        return Outcome("demo", problem)
    make_folder(folder / "iso")
    if not exists(marker):
        write_atomic(marker, b"")
    if not exists(fleet):
        started = init(folder, "alliance", host)
        if not started.ok:
            return replace(started, command="demo")
    _stand_in_example(folder, fleet, host)
    built = build(fleet, host)
    if not built.ok:
        return replace(built, command="demo")
    blocks += [b for b in built.blocks if not isinstance(b, Next)]
    stick = folder / "stick"
    make_folder(stick)
    staged = stage(fleet, str(stick), host, StageOptions(), lambda _blocks, _question: True)
    report = Report([*built.report, *staged.report])
    if not staged.ok:
        return Outcome("demo", report)
    blocks += _ending(folder, stick, staged.blocks)
    return Outcome("demo", report, {"build": built.result, "stage": staged.result}, blocks)


def _stand_in_example(folder: Path, fleet: Path, host: Host) -> None:
    """Make the stand-ins under names that say what they are, and name them in the fleet file; only what is missing."""
    before = text = host.files.read(fleet).decode()
    for kind, release, named in STAND_INS:
        image = standin_files("proxmox-ve" if kind == "proxmox-ve" else "debian", release)
        file = folder / "iso" / image.file_name
        if not exists(file):
            write_iso(image.files, image.volume_id, file, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
        text = text.replace(named, f"iso/{image.file_name}")
    if text != before:
        write_atomic(fleet, text.encode())


def _ending(folder: Path, stick: Path, staged: Sequence[Block]) -> list[Block]:
    files = tuple(f"{size:>9}  {path}" for path, size in listing(stick))
    return [
        Heading(f"{stick} stands for the stick's first partition and holds:"),
        Lines(files),
        *(b for b in staged if isinstance(b, Lines)),
        Lines(
            (
                "The ISO files are STAND-INS: the same boot layout, but they cannot boot. With the vendors' ISOs in",
                "their place the rest stays as it is. A sheet for the rack is in the folder checklists above.",
            )
        ),
        Next(
            (
                "ventoy-kit init mycluster        your own fleet file, commented",
                f"ventoy-kit checklist -f {folder / 'fleet.yaml'} falcon",
                "Install Ventoy 1.1.17 or newer on a USB stick (www.ventoy.net), then: ventoy-kit stage /dev/sdX",
            )
        ),
    ]
