"""A machine's disks and network interfaces, as recorded facts. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ventoy_kit.hardware import firmware_codes as codes
from ventoy_kit.report import Place, Report


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A whole block device.

    Attributes:
        name: the kernel's name, such as `nvme0n1`.
        size: bytes.
        model: as the kernel shows it.
        serial: the device's own serial number.
        wwn: world wide name.
        properties: udev's properties.
        logical_block: bytes of a logical sector.
        removable: whether the kernel calls it so.
        transport: `usb`, `sata`, `nvme` and the like.
        holds: what is on it, such as labels and kinds of file systems.
    """

    name: str
    size: int
    model: str = ""
    serial: str | None = None
    wwn: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    logical_block: int | None = None
    removable: bool = False
    transport: str | None = None
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NicFacts:
    """A network interface. MAC addresses are lower case."""

    name: str
    mac: str
    permanent_mac: str | None = None
    driver: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a machine has. `dmi` holds the files of /sys/class/dmi/id by name."""

    disks: tuple[DiskFacts, ...]
    nics: tuple[NicFacts, ...]
    dmi: Mapping[str, str] = field(default_factory=dict)


def parse_inventory(text: str, file: str) -> tuple[Inventory | None, Report]:
    """Read recorded facts; None and a finding if they are none."""

    def refused(message: str) -> tuple[None, Report]:
        remedy = "Record them anew with `ventoy-kit hardware scan`."
        return None, Report([codes.FACTS_UNREADABLE.finding(message, remedy, place=Place(file))])

    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return refused(f"{file} is no JSON document")
    if not isinstance(document, dict) or document.get("format") != 1:
        return refused(f"{file} holds no facts of a format that is known here")
    parts = {name: document.get(name) for name in ("disks", "nics", "dmi")}
    try:
        return _adapter().validate_python(parts), Report()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return refused(f"{file} is damaged at {'.'.join(str(p) for p in first['loc'])}: {first['msg']}")


@functools.cache
def _adapter() -> TypeAdapter[Inventory]:
    """Made once, since that takes longer than reading the facts of a machine."""
    return TypeAdapter(Inventory)
