"""Inputs: everything that a plan is made from besides the fleet file, gathered beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from ventoy_kit.fleet.hooks import HookSpec
from ventoy_kit.hardware.profiles import BiosProfile
from ventoy_kit.images.facts import IsoFacts


@dataclass(frozen=True, slots=True)
class Library:
    """The data folders, shipped ones with the user's laid over them.

    Attributes:
        hooks: hooks by name.
        profiles: BIOS profiles by name, inheritance resolved.
        families: files of each answer family by family and file name.
        boot: files of the boot overlay by name; never the user's, since they decide what may be wiped.
        runner: files of the first-boot runner by name.
    """

    hooks: Mapping[str, HookSpec]
    profiles: Mapping[str, BiosProfile]
    families: Mapping[str, Mapping[str, str]]
    boot: Mapping[str, str]
    runner: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class IsoFile:
    """An ISO file on this host: where it lies, what it is, and the SHA-256 of its bytes (64 hex digits)."""

    path: PurePath
    facts: IsoFacts
    sha256: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was gathered for one fleet.

    `password_hashes` holds crypt(3) strings by secret name; it is left out of the representation.
    """

    library: Library
    isos: Mapping[str, IsoFile]
    password_hashes: Mapping[str, str] = field(repr=False)
