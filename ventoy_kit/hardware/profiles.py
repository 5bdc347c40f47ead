"""BIOS profiles: the firmware settings a hardware model must have, as a person finds them in its setup menu."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ventoy_kit.fleet.decode import findings_of
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.values import Name, Text, Title
from ventoy_kit.hardware import codes
from ventoy_kit.report import Finding, Place, Report

PROFILE_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Keys(_Model):
    """Keys to press at power-on."""

    setup: Text = Field(description="Opens the setup menu.")
    boot_menu: Text = Field(description="Opens the one-time boot menu.")


class Setting(_Model):
    """One firmware setting."""

    id: Name = Field(description="Name of the setting, the same in all profiles.")
    want: Text = Field(description="Value to set.")
    why: Text = Field(description="What goes wrong otherwise.")
    menu: Text = Field(description="Path in the setup menu, as printed there, or the nearest known.")
    source: Text = Field("unconfirmed", description="Where the menu path was read; `unconfirmed` if nowhere.")
    severity: Literal["must", "should"] = Field("must", description="Whether the installation depends on it.")


class BiosProfile(_Model):
    """A profile with what it inherits merged in."""

    title: Title
    inherits: Name | None = None
    keys: Keys | None = None
    settings: tuple[Setting, ...] = ()
    notes: tuple[Text, ...] = ()


def parse_profiles(texts: Mapping[str, tuple[str, str]]) -> tuple[Mapping[str, BiosProfile], Report]:
    """Parse all profiles and resolve inheritance.

    Args:
        texts: file name as shown to the user and text, by profile name.

    Returns:
        The well-formed profiles by name, and findings (VK-P01, VK-P02 and schema rules) for the others.
    """
    report = Report()
    raw: dict[str, BiosProfile] = {}
    for name, (file, text) in sorted(texts.items()):
        if not PROFILE_NAME.fullmatch(name):
            message, remedy = (
                f"`{name}` is no name of a profile",
                "Use lower-case letters, digits and hyphens.",
            )
            report.add(codes.BAD_PROFILE.finding(message, remedy, place=Place(file)))
            continue
        marked, found = read_marked(text.encode(), file)
        if marked is not None and not isinstance(marked.value, dict):
            what = "is empty" if marked.value is None else "holds no map of keys"
            found.add(codes.BAD_PROFILE.finding(f"{file} {what}", "Begin with `title: ...`.", path=()))
        elif marked is not None:
            try:
                raw[name] = BiosProfile.model_validate(marked.value)
            except ValidationError as error:
                found.extend(findings_of(error, BiosProfile))
        report.extend(found if marked is None else found.located(marked.locate))
    merged = {}
    for name in raw:
        chain, problem = _chain(name, raw, texts)
        if problem is None:
            merged[name] = _merge([raw[n] for n in chain])
        else:
            report.add(problem)
    return merged, report


def _chain(
    name: str, raw: Mapping[str, BiosProfile], texts: Mapping[str, tuple[str, str]]
) -> tuple[list[str], Finding | None]:
    chain = [name]
    while (parent := raw[chain[-1]].inherits) is not None:
        if parent not in raw or parent in chain:
            why = "which inherits from it" if parent in chain else "which does not exist or is broken"
            place = Place(texts[name][0])
            return chain, codes.PROFILE_PARENT.finding(
                f"profile `{name}` inherits from `{parent}`, {why}", "Correct `inherits`.", place=place
            )
        chain.append(parent)
    return chain, None


def _merge(chain: list[BiosProfile]) -> BiosProfile:
    """The first profile of the chain wins; settings merge by id, in the order of the most general profile."""
    settings: dict[str, Setting] = {}
    notes: list[str] = []
    for profile in reversed(chain):
        settings |= {s.id: s for s in profile.settings}
        notes += profile.notes
    keys = next((p.keys for p in chain if p.keys is not None), None)
    return BiosProfile(
        title=chain[0].title,
        inherits=chain[0].inherits,
        keys=keys,
        settings=tuple(settings.values()),
        notes=tuple(notes),
    )
