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
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files
from ventoy_kit.ports import Environment
from ventoy_kit.report import Place, Report

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
    host = replace(host, environment=_DemoEnvironment(host.environment, secrets.token_urlsafe(18)))
    fleet = folder / "fleet.yaml"
    marker = folder / ".ventoy-kit-demo"
    if fleet.exists() and not marker.exists():
        finding = codes.EXISTS.finding(
            f"{fleet} is there and is no demo's", "Name an empty folder.", place=Place(str(fleet))
        )
        return Outcome("demo", Report([finding]))
    blocks: list[Block] = []
    if not fleet.exists():
        started = init(folder, "alliance", host)
        if not started.ok:
            return replace(started, command="demo")
        marker.touch()
        _stand_in_example(folder, fleet)
    built = build(fleet, host)
    if not built.ok:
        return replace(built, command="demo")
    blocks += [b for b in built.blocks if not isinstance(b, Next)]
    stick = folder / "stick"
    stick.mkdir(exist_ok=True)
    staged = stage(fleet, str(stick), host, StageOptions(), lambda _blocks, _question: True)
    report = Report([*built.report, *staged.report])
    if not staged.ok:
        return Outcome("demo", report)
    blocks += _ending(folder, stick, staged.blocks)
    return Outcome("demo", report, {"build": built.result, "stage": staged.result}, blocks)


def _stand_in_example(folder: Path, fleet: Path) -> None:
    """Make the stand-ins under names that say what they are, and name them in the fleet file."""
    text = fleet.read_text(encoding="utf-8")
    for kind, release, named in STAND_INS:
        image = standin_files("proxmox-ve" if kind == "proxmox-ve" else "debian", release)
        write_iso(
            image.files, image.volume_id, folder / "iso" / image.file_name, bios=BIOS_IMAGE, uefi=UEFI_IMAGE
        )
        text = text.replace(named, f"iso/{image.file_name}")
    fleet.write_text(text, encoding="utf-8")


def _ending(folder: Path, stick: Path, staged: Sequence[Block]) -> list[Block]:
    files = sorted(p for p in stick.rglob("*") if p.is_file())
    listing = tuple(f"{p.stat().st_size:>9}  {p.relative_to(stick).as_posix()}" for p in files)
    return [
        Heading(f"{stick} stands for the stick's first partition and holds:"),
        Lines(listing),
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
