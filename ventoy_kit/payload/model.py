"""The payload and its manifest: what a stick must hold, path by path, with origin and SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MANIFEST_FORMAT = 1

TAG = 8
"""Hex digits of a digest in a generation's name, and in the names of the documents beside it."""

ARMED_MENU = "grub-armed.cfg"
"""Name of an image's boot menu for an armed stick, beside the toolbox's `grub.cfg`."""


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A rendered file. `path` is relative to the stick's root, with `/`; `data` is left out of representations."""

    path: str
    data: bytes = field(repr=False)
    origin: str

    @property
    def sha256(self) -> str:
        """Digest of the content, 64 hex digits."""
        return hashlib.sha256(self.data).hexdigest()


def document_path(fleet: str, folder: str, stem: str, tag: str, ending: str) -> str:
    """Where a file lies that is for people alone: beside the generations, under a name that tells its content.

    No menu names it, so it needs no folder per generation; an equal one is there already and is not written again, and
    one that changed gets another name, so that the one before stays whole until the menus are switched.
    """
    return f"ventoy/{fleet}/{folder}/{stem}.{tag}.{ending}"


CHECKLISTS, PROBE = DOCUMENTS = "checklists", "probe"
"""Folders of such files: `<node>.<tag>.txt` and so on, and the program that records a machine's facts."""


def checklist_stem(fleet: str, node: str, tag: str) -> str:
    """How the paths of one node's checklists begin; a node's name holds no dot."""
    return document_path(fleet, CHECKLISTS, node, tag, "")


def checklist_tag(manifest: Manifest, node: str) -> str:
    """The tag of a node's checklists in the manifest of a build, empty if there are none."""
    beginning = f"ventoy/{manifest.fleet}/{CHECKLISTS}/{node}."
    return next(
        (
            e.path.removeprefix(beginning).partition(".")[0]
            for e in manifest.entries
            if e.path.startswith(beginning)
        ),
        "",
    )


@dataclass(frozen=True, slots=True)
class IsoRef:
    """An ISO that the payload refers to: `image` is its id in the plan, `size` in bytes."""

    path: str
    image: str
    size: int
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manifest. `origin` says where the bytes come from."""

    path: str
    size: int
    sha256: str
    origin: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The payload's index as it lies on a stick: what the kit owns there.

    Attributes:
        fleet: name of the fleet.
        generation: first 8 hex digits of the payload's digest.
        entries: files by path, sorted.
        config: the entries of ventoy.json that are the kit's, by plugin.
        complete: False in the intent that is written before anything else, True when everything was verified.
    """

    fleet: str
    generation: str
    entries: tuple[Entry, ...]
    config: Mapping[str, Any]
    complete: bool = True

    def to_json(self) -> bytes:
        """Stable JSON. Keys are not sorted: `config` keeps the order in which ventoy.json has it."""
        document = {
            "format": MANIFEST_FORMAT,
            "fleet": self.fleet,
            "generation": self.generation,
            "complete": self.complete,
            "files": [
                {"path": e.path, "size": e.size, "sha256": e.sha256, "origin": e.origin} for e in self.entries
            ],
            "config": self.config,
        }
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()

    @staticmethod
    def from_json(data: bytes) -> Manifest:
        """Read a manifest.

        Raises:
            ValueError: it is no manifest of a format that this version knows.
        """
        try:
            document = json.loads(data)
            if document["format"] != MANIFEST_FORMAT:
                raise ValueError(f"manifest format {document['format']} is not known")
            entries = tuple(
                Entry(safe_path(f["path"]), int(f["size"]), str(f["sha256"]), str(f["origin"]))
                for f in document["files"]
            )
            return Manifest(
                str(document["fleet"]),
                str(document["generation"]),
                entries,
                dict(document["config"]),
                document["complete"] is True,
            )
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise ValueError(f"this is no manifest: {error!r}") from error


def safe_path(path: object) -> str:
    """A path of a manifest, relative and without tricks: a manifest comes from a stick that others have written to.

    Raises:
        ValueError: the path is absolute, leaves the stick, or holds a backslash, colon or control character.
    """
    parts = path.split("/") if isinstance(path, str) else [""]
    bad = any(p in ("", ".", "..") or "\\" in p or ":" in p or not p.isprintable() for p in parts)
    if bad or not isinstance(path, str):
        raise ValueError(f"`{path}` is no path of a manifest")
    return path


@dataclass(frozen=True, slots=True)
class Payload:
    """Everything that a stick must hold for one fleet. Files are sorted by path.

    Attributes:
        fleet: name of the fleet.
        generation: first 8 hex digits of the digest of everything below.
        files: rendered files; those below `ventoy/<fleet>/`.
        isos: ISO files by reference.
        config: the kit's entries of ventoy.json, by plugin.
    """

    fleet: str
    generation: str
    files: tuple[PayloadFile, ...]
    isos: tuple[IsoRef, ...]
    config: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """The fleet's folder on the stick."""
        return f"ventoy/{self.fleet}"

    def manifest(self) -> Manifest:
        """The index of this payload."""
        entries = [Entry(f.path, len(f.data), f.sha256, f.origin) for f in self.files]
        entries += [Entry(i.path, i.size, i.sha256, i.origin) for i in self.isos]
        return Manifest(
            self.fleet, self.generation, tuple(sorted(entries, key=lambda e: e.path)), self.config
        )


def digest_of(files: tuple[PayloadFile, ...], isos: tuple[IsoRef, ...], config: Mapping[str, Any]) -> str:
    """SHA-256 over the paths and contents of a payload; the generation is its beginning."""
    whole = hashlib.sha256()
    for path, digest in sorted([(f.path, f.sha256) for f in files] + [(i.path, i.sha256) for i in isos]):
        whole.update(f"{digest}  {path}\n".encode())
    whole.update(json.dumps(config, sort_keys=True).encode())
    return whole.hexdigest()
