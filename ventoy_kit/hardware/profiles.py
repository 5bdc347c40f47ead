"""BIOS profiles: the firmware settings that a hardware model must have, where a person finds them, how Linux sees them.

A file holds what is known of one model or of a purpose; what it leaves out comes from the profiles that it inherits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ventoy_kit.fleet.decode import findings_of
from ventoy_kit.fleet.marks import Marked, read_marked
from ventoy_kit.fleet.values import Name, Text, Title, bad
from ventoy_kit.hardware import codes
from ventoy_kit.report import Finding, Place, Report

PROFILE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
UNCONFIRMED = "unconfirmed"

Driver = Literal["dell-wmi-sysman", "thinklmi", "hp-bioscfg"]
"""Folders below /sys/class/firmware-attributes (Linux, Documentation/ABI/testing/sysfs-class-firmware-attributes)."""

ProbeName = Literal[
    "uefi-boot", "secure-boot-off", "storage-visible", "virtualization", "iommu", "disk-first",
    "display-not-passed-through", "ecc", "tpm", "clock",
]  # fmt: skip
"""What else in a running Linux shows a setting; see `hardware/indirect.py`."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Keys(_Model):
    """Keys to press at power-on."""

    setup: Text = Field(description="Opens the setup menu.")
    boot_menu: Text = Field(description="Opens the one-time boot menu.")
    source: Text = Field(UNCONFIRMED, description="Where they were read.")


class Attribute(_Model):
    """A name under which Linux and the vendor's tool know a setting."""

    driver: Driver = Field(description="Driver that offers it: Dell, Lenovo or HP.")
    name: Text = Field(description="Its name there; Dell's cctk, Lenovo's WMI and HP's BCU use the same.")
    accept: tuple[Text, ...] = Field(
        description="Values that are right; the first one that exists is written."
    )
    tool: Text | None = Field(None, description="Line for Dell's cctk where it is not `name=value`.")
    source: Text = Field(UNCONFIRMED, description="Where name and values were read.")

    @field_validator("accept")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise bad("`accept` is empty", "List the values that are right, the best one first.")
        return value


class Product(_Model):
    """What the firmware calls the machine, in DMI."""

    names: tuple[Text, ...] = Field(description="Parts of the product name; one of them must occur in it.")
    source: Text = Field(UNCONFIRMED, description="Where they were read.")


class SettingPart(_Model):
    """One firmware setting, as far as one file tells it."""

    id: Name = Field(description="Name of the setting, the same in all profiles.")
    title: Title | None = Field(None, description="What it is, for people.")
    want: Text | None = Field(None, description="Value to set.")
    why: Text | None = Field(None, description="What goes wrong otherwise.")
    severity: Literal["required", "advised"] | None = Field(
        None, description="`required` if installation or work fail without it; required by default."
    )
    menu: Text | None = Field(None, description="Path in the setup menu, as printed on the screen.")
    label: Text | None = Field(
        None, description="The item's label there, where it differs from the path's end."
    )
    source: Text = Field(UNCONFIRMED, description="Where menu and label were read; `unconfirmed` if nowhere.")
    attributes: tuple[Attribute, ...] | None = Field(
        None, description="Names that Linux and vendor tools use."
    )
    probes: tuple[ProbeName, ...] | None = Field(None, description="What else shows it in a running Linux.")


class ProfileFile(_Model):
    """One file of `bios_profiles/`."""

    title: Title = Field(description="Name of the model, for people.")
    inherits: tuple[Name, ...] = Field((), description="Profiles it builds on; of two, the later one wins.")
    product: Product | None = Field(None, description="How the firmware names the model.")
    drivers: tuple[Driver, ...] | None = Field(
        None,
        description="Drivers that the model's maker has; attributes of others are left out. All by default.",
    )
    keys: Keys | None = Field(None, description="Keys to press at power-on.")
    settings: tuple[SettingPart, ...] = Field(
        (), description="Settings, by `id` laid over the inherited ones."
    )
    notes: tuple[Text, ...] = Field(
        (), description="What else to know of the model; added to the inherited ones."
    )

    @field_validator("inherits", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else () if value is None else value


class Setting(_Model):
    """One firmware setting with everything that is known of it."""

    id: Name
    title: Title
    want: Text
    why: Text
    severity: Literal["required", "advised"] = "required"
    menu: Text | None = None
    label: Text | None = None
    source: Text = UNCONFIRMED
    attributes: tuple[Attribute, ...] = ()
    probes: tuple[ProbeName, ...] = ()

    @property
    def where(self) -> str:
        """The way through the setup menu, for a person; the title where it is not known."""
        return " > ".join(part for part in (self.menu, self.label) if part) or self.title

    @property
    def confirmed(self) -> bool:
        """Whether somebody has read menu and label from a source."""
        return self.menu is not None and self.source != UNCONFIRMED


class BiosProfile(_Model):
    """A profile with what it inherits merged in.

    `lineage` names the profiles that it was made of, the most general one first, itself last.
    """

    title: Title
    lineage: tuple[Name, ...] = ()
    product: Product | None = None
    keys: Keys | None = None
    settings: tuple[Setting, ...] = ()
    notes: tuple[Text, ...] = ()


def parse_profiles(texts: Mapping[str, tuple[str, str]]) -> tuple[Mapping[str, BiosProfile], Report]:
    """Parse all profiles and resolve inheritance.

    Args:
        texts: file name as shown to the user and text, by profile name.

    Returns:
        The well-formed profiles by name, and findings (VK-P01 to VK-P03 and schema rules) for the others.
    """
    report = Report()
    files: dict[str, tuple[ProfileFile, Marked]] = {}
    for name, (file, text) in sorted(texts.items()):
        parsed, found = _parse(name, file, text)
        report.extend(found)
        if parsed is not None:
            files[name] = parsed
    raw = {name: file for name, (file, _) in files.items()}
    problems = {name: tuple(_parent_problems(name, raw)) for name in raw}
    merged = {}
    for name, (_, marked) in files.items():
        line = _lineage(name, raw)
        if any(problems.get(ancestor, (True,)) for ancestor in line):
            report.extend(Report(list(problems[name])).located(marked.locate))
            continue
        profile, found = _merge(name, line, raw)
        report.extend(found.located(marked.locate))
        if profile is not None:
            merged[name] = profile
    return merged, report


def _parse(name: str, file: str, text: str) -> tuple[tuple[ProfileFile, Marked] | None, Report]:
    if not PROFILE_NAME.fullmatch(name):
        message, remedy = f"`{name}` is no name of a profile", "Use lower-case letters, digits and hyphens."
        return None, Report([codes.BAD_PROFILE.finding(message, remedy, place=Place(file))])
    marked, found = read_marked(text.encode(), file)
    if marked is None:
        return None, found
    parsed = None
    if not isinstance(marked.value, dict):
        what = "is empty" if marked.value is None else "holds no map of keys"
        found.add(codes.BAD_PROFILE.finding(f"{file} {what}", "Begin with `title: ...`.", path=()))
    else:
        try:
            parsed = ProfileFile.model_validate(marked.value)
        except ValidationError as error:
            found.extend(findings_of(error, ProfileFile))
        else:
            found.extend(_twice(parsed))
    located = found.located(marked.locate)
    return (None if parsed is None or located.has_errors else (parsed, marked)), located


def _twice(parsed: ProfileFile) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, setting in enumerate(parsed.settings):
        if setting.id in seen:
            yield codes.BAD_PROFILE.finding(
                f"the setting `{setting.id}` stands twice",
                "Keep one of them.",
                path=("settings", index, "id"),
            )
        seen.add(setting.id)


def _parent_problems(name: str, raw: Mapping[str, ProfileFile]) -> Iterator[Finding]:
    """What is wrong with the parents that a profile itself names."""
    for index, parent in enumerate(raw[name].inherits):
        if parent not in raw:
            why = "which does not exist or is broken"
        elif name in _lineage(parent, raw):
            why = "which inherits from it"
        else:
            continue
        message = f"profile `{name}` inherits from `{parent}`, {why}"
        yield codes.PROFILE_PARENT.finding(message, "Correct `inherits`.", path=("inherits", index))


def _lineage(name: str, raw: Mapping[str, ProfileFile]) -> tuple[str, ...]:
    """A profile after all that it builds on, each once, parents in their order; what is missing is left out."""
    line: list[str] = []
    entered: set[str] = set()

    def enter(current: str) -> None:
        if current in raw and current not in entered:
            entered.add(current)
            for parent in raw[current].inherits:
                enter(parent)
            line.append(current)

    enter(name)
    return tuple(line)


def _merge(
    name: str, line: Sequence[str], raw: Mapping[str, ProfileFile]
) -> tuple[BiosProfile | None, Report]:
    """Lay the profiles over one another; settings merge key by key, in the order of the most general profile."""
    settings: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for ancestor in line:
        for part in raw[ancestor].settings:
            known = part.model_dump(exclude_none=True, exclude_unset=True)
            if "menu" in known:  # label and source speak of the same screen
                known = {"label": None, "source": UNCONFIRMED, **known}
            settings.setdefault(part.id, {}).update(known)
        notes += [note for note in raw[ancestor].notes if note not in notes]
    report = Report(list(_incomplete(settings, raw[name])))
    if any({"want", "why"} - setting.keys() for setting in settings.values()):
        return None, report  # an ancestor's own mistake is reported there
    nearest = [raw[ancestor] for ancestor in reversed(line)]
    drivers = next((p.drivers for p in nearest if p.drivers is not None), None)
    if drivers is not None:
        for setting in settings.values():
            setting["attributes"] = [a for a in setting.get("attributes") or () if a["driver"] in drivers]
    profile = BiosProfile(
        title=raw[name].title,
        lineage=tuple(line),
        product=next((p.product for p in nearest if p.product is not None), None),
        keys=next((p.keys for p in nearest if p.keys is not None), None),
        settings=tuple(Setting.model_validate({"title": s["id"], **s}) for s in settings.values()),
        notes=tuple(notes),
    )
    return profile, report


def _incomplete(settings: Mapping[str, Mapping[str, Any]], own: ProfileFile) -> Iterator[Finding]:
    """Settings of this file that lack something, in one finding; those of its ancestors are reported there."""
    lacking = [
        (i, part.id) for i, part in enumerate(own.settings) if {"want", "why"} - settings[part.id].keys()
    ]
    if lacking:
        names = ", ".join(f"`{name}`" for _, name in lacking)
        yield codes.INCOMPLETE_SETTING.finding(
            f"`want` or `why` is missing, here and in what is inherited, for: {names}",
            "Add both here, or inherit from a profile that has the setting.",
            path=("settings", lacking[0][0]),
        )
