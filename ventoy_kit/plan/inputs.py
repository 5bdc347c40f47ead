"""Inputs: everything that a plan is made from besides the fleet file, gathered beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from ventoy_kit.fleet.hooks import HookSpec
from ventoy_kit.hardware.probe_text import WHOLE, joined_probe
from ventoy_kit.hardware.profiles import BiosProfile
from ventoy_kit.images.catalog import CatalogEntry
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
        catalog: entries of the image catalog by id.
        certificates: files of the catalog's `keys/` folder by name, as they are.
        probes: parts of the programs that look at a machine, by file name; never the user's.
    """

    hooks: Mapping[str, HookSpec]
    profiles: Mapping[str, BiosProfile]
    families: Mapping[str, Mapping[str, str]]
    boot: Mapping[str, str]
    runner: Mapping[str, str]
    catalog: Mapping[str, CatalogEntry] = field(default_factory=dict)
    certificates: Mapping[str, bytes] = field(default_factory=dict)
    probes: Mapping[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> str:
        """The program that records all facts of a machine."""
        return joined_probe(self.probes, WHOLE)


@dataclass(frozen=True, slots=True)
class IsoFile:
    """An ISO file on this host.

    Attributes:
        path: where it lies.
        facts: what it is.
        sha256: digest of its bytes, 64 hex digits.
        origin: where its bytes come from and how they were proved, as manifests record it.
        name: the name that it has on the stick; that of the path if empty.
    """

    path: PurePath
    facts: IsoFacts
    sha256: str
    origin: str = "local file, unverified"
    name: str = ""

    @property
    def file_name(self) -> str:
        """Its name on the stick."""
        return self.name or self.path.name


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was gathered for one fleet.

    `password_hashes` holds crypt(3) strings by secret name, `clear_secrets` tokens and keys that travel as they are;
    both are left out of the representation.
    """

    library: Library
    isos: Mapping[str, IsoFile]
    password_hashes: Mapping[str, str] = field(repr=False)
    clear_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
