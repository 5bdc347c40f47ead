"""`fleet.lock`: which bytes an image is, pinned. TOML, one table per image, sorted, so that merges stay small."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ventoy_kit.fleet.decode import finding_of
from ventoy_kit.fleet.values import Name, bad
from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.values import FileName, Fingerprint, HttpsUrl, Release, Sha256, Sha512
from ventoy_kit.report import Path, Place, Report, place_in

VERSION: Final = 1

HEADER: Final = (
    "# Written by ventoy-kit: the exact images of this fleet. Keep it beside the fleet file and under version control;\n"
    "# a colleague with the same lock gets the same bytes. `ventoy-kit fetch --update IMAGE` moves an image.\n\n"
)

Verified = Literal["signature", "checksum", "none"]
"""How an image was proved: by a pinned key, by its vendor's checksum alone, or not at all."""

Origin = Literal["vendor", "unpacked", "assembled"]
"""Whether the image is the vendor's own file, a member of the vendor's archive, or made here from signed parts."""


def _moment(value: Any) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise bad("a time without zone", "Write it like 2026-09-12T10:00:00Z.")
    return value.astimezone(UTC).replace(microsecond=0)


def _size(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise bad(f"`{value}` is no size in bytes", "Write a whole number above zero.")
    return value


_Moment = Annotated[datetime, BeforeValidator(_moment)]
_Size = Annotated[int, BeforeValidator(_size)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockInput(_Model):
    """A file that the image was unpacked or assembled from."""

    file: FileName = Field(description="Its name.")
    size: _Size = Field(description="Its size in bytes.")
    sha256: Sha256 = Field(description="Its digest.")


@dataclass(frozen=True, slots=True)
class Digests:
    """What pins a file: size in bytes and digests in lower case; SHA-512 only where it is known."""

    size: int
    sha256: str
    sha512: str | None = None


class LockEntry(_Model):
    """One pinned image.

    For `unpacked` and `assembled` images `inputs` holds what was fetched and proved. An assembled image depends on the
    tools that made it: `toolchains` gives the digest per toolchain, and `size` and `sha256` are those of the one that
    was recorded first, so that a colleague with other tools adds one line.
    """

    catalog: Name = Field(description="Id of the catalog entry.")
    release: Release = Field(description="The exact release.")
    file: FileName = Field(description="Name of the image file.")
    size: _Size = Field(description="Size of the image in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the image.")
    sha512: Sha512 | None = Field(None, description="SHA-512 of the image, where its vendor gives it.")
    origin: Origin = Field(description="Where the image's bytes come from.")
    verified: Verified = Field(description="How it was proved.")
    signer: Fingerprint | None = Field(None, description="Primary key that signed it.")
    signed: _Moment | None = Field(None, description="When that signature was made.")
    urls: tuple[HttpsUrl, ...] = Field((), description="Where it was fetched from; empty for a local file.")
    inputs: tuple[LockInput, ...] = Field((), description="What it was unpacked or assembled from.")
    recipe: Name | None = Field(None, description="How it was assembled.")
    toolchains: dict[str, Sha256] = Field(default_factory=dict, description="Digest by toolchain.")

    @model_validator(mode="after")
    def _agrees(self) -> LockEntry:
        if (self.verified == "signature") != (self.signer is not None and self.signed is not None):
            raise bad(
                "signer and time of the signature do not go with how the image was verified",
                "Take the whole table from one side of the merge.",
            )
        if (self.origin == "vendor") == bool(self.inputs):
            raise bad(
                f"an image of origin `{self.origin}` has {'' if self.inputs else 'no '}inputs",
                "Take the whole table from one side of the merge.",
            )
        if (self.origin == "assembled") != (self.recipe is not None and bool(self.toolchains)):
            raise bad(
                "an image is assembled if it has a recipe and toolchains, and only then",
                "Take the whole table from one side of the merge.",
            )
        if self.toolchains and self.sha256 not in self.toolchains.values():
            raise bad(
                "none of the toolchains makes the image whose SHA-256 stands here",
                "Take the whole table from one side of the merge, and fetch again.",
            )
        return self

    @property
    def results(self) -> tuple[str, ...]:
        """SHA-256 of every file that may be this image; several only if it is assembled."""
        return tuple(dict.fromkeys((self.sha256, *self.toolchains.values())))

    def as_made(self, made: Digests) -> LockEntry:
        """The same entry with size and digest of the file that this machine has of it."""
        return self.model_copy(update={"size": made.size, "sha256": made.sha256})

    @property
    def image(self) -> Digests:
        """The image file as it is pinned."""
        return Digests(self.size, self.sha256, self.sha512)

    @property
    def download(self) -> Digests | None:
        """The one file that is fetched for it, as it is pinned; None for an image that is assembled."""
        if self.origin == "vendor":
            return self.image
        if self.origin == "unpacked" and len(self.inputs) == 1:
            return Digests(self.inputs[0].size, self.inputs[0].sha256)
        return None


@dataclass(frozen=True, slots=True)
class Lock:
    """All pinned images by their names in the fleet file."""

    images: Mapping[str, LockEntry] = field(default_factory=lambda: MappingProxyType({}))

    def with_entry(self, image: str, entry: LockEntry) -> Lock:
        """A lock in which one image is replaced or added."""
        return Lock(MappingProxyType({**self.images, image: entry}))

    def without(self, image: str) -> Lock:
        """A lock without one image."""
        return Lock(MappingProxyType({n: e for n, e in self.images.items() if n != image}))


def to_toml(lock: Lock) -> str:
    """The lock as text: the same lock always gives the same bytes."""
    images = {image: _plain(entry) for image, entry in sorted(lock.images.items())}
    return HEADER + tomli_w.dumps({"version": VERSION, "images": images})


def _plain(entry: LockEntry) -> dict[str, Any]:
    raw = entry.model_dump(exclude_none=True, exclude_defaults=True)
    for name in ("urls", "inputs"):
        if name in raw:
            raw[name] = list(raw[name])
    if "toolchains" in raw:
        raw["toolchains"] = dict(sorted(raw["toolchains"].items()))
    return raw


class _File(_Model):
    version: int
    images: dict[Name, LockEntry] = Field(default_factory=dict)


def from_toml(text: str, file: str) -> tuple[Lock | None, Report]:
    """Read a lock.

    Args:
        text: the file's text.
        file: its name in findings.

    Returns:
        The lock, or None and findings at their lines (VK-J47, VK-J48 and schema rules).
    """
    lines = text.splitlines()
    report = Report()
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        line = int(where[1]) if where is not None and where[1] else len(lines) or 1
        column = int(where[2]) if where is not None and where[2] else 1
        report.add(
            codes.LOCK_SYNTAX.finding(
                f"this is not TOML: {str(error).split(' (at ')[0]}",
                "Mend the line; after a merge, each conflict must be settled for one side as a whole.",
                place=place_in(lines, file, line, column),
            )
        )
        return None, report
    version = raw.get("version")
    if version != VERSION or isinstance(version, bool):
        report.add(
            codes.LOCK_VERSION.finding(
                "the lock names no version"
                if version is None
                else f"version {version} of the lock is not known",
                "Use a newer ventoy-kit, or fetch again with this one after removing the lock.",
                place=_locate(("version",), lines, file),
            )
        )
        return None, report
    try:
        parsed = _File.model_validate(raw)
    except ValidationError as error:
        report.extend(finding_of(details, _File) for details in error.errors(include_url=False))
        return None, report.located(lambda path, _on_key: _locate(path, lines, file))
    return Lock(MappingProxyType(dict(parsed.images))), report


def _locate(path: Path, lines: list[str], file: str) -> Place:
    """The line of a key, as `to_toml` writes it; the table's head or the first line for what is not there."""
    start = 0
    if len(path) > 1 and path[0] == "images":
        head = re.compile(rf'\s*\[images\.(?:"{re.escape(str(path[1]))}"|{re.escape(str(path[1]))})\]')
        start = next((n for n, line in enumerate(lines) if head.match(line)), 0)
    key = next((str(part) for part in path[2:] if isinstance(part, str)), None) if start else str(path[0])
    for number in range(start + 1 if start else 0, len(lines)) if key is not None else ():
        if start and lines[number].lstrip().startswith("["):
            break
        match = re.match(rf"\s*{re.escape(str(key))}\s*=", lines[number])
        if match is not None:
            return place_in(lines, file, number + 1, 1, match.end())
    return place_in(lines, file, start + 1, 1)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an entry before and after; None where it is not there."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One image that differs between two locks: `old` is None if it was added, `new` if it was removed."""

    image: str
    old: LockEntry | None
    new: LockEntry | None
    fields: tuple[FieldChange, ...]


def changes(old: Lock, new: Lock) -> tuple[Change, ...]:
    """What differs between two locks, sorted by image; fields in the order of the entry, for changed images only."""
    return tuple(_changes(old, new))


def _changes(old: Lock, new: Lock) -> Iterator[Change]:
    for image in sorted({*old.images, *new.images}):
        before, after = old.images.get(image), new.images.get(image)
        if before == after:
            continue
        fields = (
            tuple(
                FieldChange(name, getattr(before, name), getattr(after, name))
                for name in LockEntry.model_fields
                if getattr(before, name) != getattr(after, name)
            )
            if before is not None and after is not None
            else ()
        )
        yield Change(image, before, after, fields)
