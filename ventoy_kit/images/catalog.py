"""The catalog: what each image is called, where its vendor publishes it, and how it is proved to be genuine.

One YAML file per image. What a server says (names in a listing, checksums) is never used as a path or an address:
file names and addresses are made from the entry's own templates and a release that fits the entry's pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ventoy_kit.fleet.decode import finding_of
from ventoy_kit.fleet.marks import read_marked
from ventoy_kit.fleet.values import Name, Size, Text, Title, bad
from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.apt import AptSource
from ventoy_kit.images.facts import Family
from ventoy_kit.images.values import (
    RELEASE,
    FileTemplate,
    Fingerprint,
    HttpsUrl,
    Mirror,
    Pattern,
    Reference,
    Release,
)
from ventoy_kit.report import Place, Report

Algorithm = Literal["sha256", "sha512"]
"""Digests that are believed. MD5 and SHA-1 are not: two files with the same one can be made."""

Signed = Literal["checksums", "iso"]
"""What a signature covers: the checksum file, or the downloaded file itself."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReleaseSource(_Model):
    """Where the names of releases are found: exactly one of the two."""

    url: HttpsUrl | None = Field(
        None, description="A page or checksum file whose text names the files; only names are taken from it."
    )
    fixed: tuple[Release, ...] = Field((), description="Releases written down here.")

    @model_validator(mode="after")
    def _one(self) -> ReleaseSource:
        if (self.url is None) == (not self.fixed):
            raise bad("a source of releases is a page or a list", "Give one of `url` and `fixed`.")
        return self


class Checksums(_Model):
    """The vendor's checksum file."""

    at: Reference = Field(description="The file, relative to the mirror or as a whole address.")
    format: Literal["gnu", "bsd", "headed"] = Field(
        description="`gnu`: digest and name; `bsd`: `SHA256 (name) = digest`; "
        "`headed`: gnu lines below headings such as `### SHA256SUMS:`."
    )
    algorithm: Algorithm = Field(description="Which digest to read; never guessed from its length.")
    name: str = Field(
        "{file}", pattern=r"^(?:\./)?(?:[A-Za-z0-9._{}+-]+/)*\{file\}$", description="The name in the list."
    )


class Signature(_Model):
    """One detached signature. Where an entry has several, they are alternatives: the first that exists counts."""

    on: Signed = Field(description="What is signed: the checksum file or the downloaded file.")
    at: Reference = Field(description="The signature, relative to the mirror or as a whole address.")


class Key(_Model):
    """A pinned signing key.

    The fingerprint of a version 4 key is a digest of its creation time and public key (RFC 9580, 5.5.4). A
    certificate from anywhere, whose primary key has it, therefore holds that very key, and its user names, expiry
    and subkeys count only as signed by it. It does not prove that the certificate is fresh: whoever hands it
    out can leave out a later revocation or a later change of the expiry.
    """

    fingerprint: Fingerprint = Field(description="Full fingerprint of the primary key.")
    name: Text = Field(description="Whose key it is.")
    keyring: str | None = Field(
        None,
        pattern=r"^/usr/share/keyrings/[A-Za-z0-9][A-Za-z0-9.-]*$",
        description="A keyring of this machine that holds the certificate, as Debian packages bring it.",
    )
    file: str | None = Field(
        None,
        pattern=r"^keys/[0-9A-F]{40,64}\.asc$",
        description="The certificate beside the catalog: `keys/FINGERPRINT.asc`.",
    )
    url: HttpsUrl | None = Field(
        None, description="Where the vendor gives out the certificate, if it is not beside the catalog."
    )
    origin: Text = Field(description="Where fingerprint and certificate were learned.")

    @model_validator(mode="after")
    def _one(self) -> Key:
        if [self.file, self.url, self.keyring].count(None) != 2:
            raise bad(
                "a certificate lies beside the catalog, is fetched, or is in a keyring of this machine",
                "Give one of `file`, `url` and `keyring`.",
            )
        if self.file is not None and self.file != f"keys/{self.fingerprint}.asc":
            raise bad(
                f"the certificate `{self.file}` is not named for its fingerprint",
                f"Name it keys/{self.fingerprint}.asc.",
            )
        return self


class Unpack(_Model):
    """The image is a member of an archive, which is what the vendor publishes and signs."""

    format: Literal["zip"] = Field("zip", description="Kind of archive.")
    member: Pattern = Field(description="The one member to take, by its whole name.")
    name: FileTemplate = Field(description="What the image is called here.")


class Identity(_Model):
    """By what the image is recognised under any file name. A hint: it is no proof, and never a reason to refuse."""

    volume_id: Pattern = Field(description="The ISO 9660 volume identifier.")


class Automated(_Model):
    """Unattended installation."""

    family: Family = Field(description="The kind of answer that its installer takes.")
    since: Release = Field(description="First release that is supported.")
    how: Text = Field(description="How the answer reaches the installer.")


@dataclass(frozen=True, slots=True)
class Location:
    """Where one release lies on one mirror. All addresses begin with https://.

    Attributes:
        image: the file to download.
        checksums: the checksum file, or None.
        signatures: what is signed and where the signature is; alternatives in order.
    """

    image: str
    checksums: str | None
    signatures: tuple[tuple[Signed, str], ...]


class CatalogEntry(_Model):
    """One image of the catalog."""

    title: Title = Field(description="What it is, for people.")
    kind: Literal["installer", "rescue"] = Field(description="What it is for.")
    product: Name | None = Field(
        None, description="What inspecting such an image calls it; none where the kit cannot tell."
    )
    homepage: HttpsUrl = Field(description="Where a person reads about it.")
    file: FileTemplate = Field(description="The vendor's file name, with `{release}` in it.")
    version: Pattern = Field(description="What a release looks like; no betas.")
    source: Literal["vendor", "apt"] = Field(
        "vendor", description="A file of the vendor's, or an ISO that is assembled here from a package."
    )
    apt: AptSource | None = Field(None, description="The package, for `source: apt`.")
    releases: tuple[ReleaseSource, ...] = Field((), description="Where releases are found; all are asked.")
    mirrors: tuple[Mirror, ...] = Field((), description="Folders that hold the file, tried in order.")
    checksums: Checksums | None = Field(None, description="The vendor's checksum file.")
    signatures: tuple[Signature, ...] = Field(
        (), description="Detached signatures; none if nothing is signed."
    )
    keys: tuple[Key, ...] = Field((), description="Keys whose signatures are believed; no others are.")
    unpack: Unpack | None = Field(None, description="Set if the vendor publishes an archive.")
    identity: Identity | None = Field(None, description="By what the image is recognised.")
    automated: Automated | None = Field(None, description="Unattended installation, if it is supported.")
    max_size: Size = Field(description="A longer download is broken off.")
    notes: tuple[Text, ...] = Field((), description="Sources of what stands here, and what is unconfirmed.")

    @model_validator(mode="after")
    def _whole(self) -> CatalogEntry:
        if len({key.fingerprint for key in self.keys}) != len(self.keys):
            raise bad("a key is pinned twice", "Remove one of the two.")
        if (self.source == "apt") != (self.apt is not None):
            raise bad("`source: apt` and the key `apt` go together", "Give both, or none.")
        if self.apt is not None:
            return self._whole_package()
        if not self.mirrors or not self.releases:
            raise bad(
                "an image without `mirrors` or `releases` cannot be found", "Give at least one of each."
            )
        if bool(self.signatures) != bool(self.keys):
            raise bad(
                "signatures need pinned keys, and keys need signatures",
                "Give both `signatures` and `keys`, or none.",
            )
        if not self.signatures and self.checksums is None:
            raise bad("nothing could prove this image", "Give `checksums`, or `signatures` with `keys`.")
        if self.checksums is None and any(s.on == "checksums" for s in self.signatures):
            raise bad("a signature covers checksums that are not there", "Give `checksums`.")
        return self

    def _whole_package(self) -> CatalogEntry:
        """What an entry with a package may have: apt knows where everything else is."""
        foreign = ("releases", "mirrors", "checksums", "signatures", "unpack")
        there = [name for name in foreign if getattr(self, name)]
        if there:
            raise bad(f"a package has no `{there[0]}`", "Remove it; mirrors of the archive stand in `apt`.")
        if not self.keys:
            raise bad("nothing could prove this image", "Give `keys`: those that sign the archive's index.")
        return self

    def pattern(self, *, anchored: bool = True) -> re.Pattern[str]:
        """A regular expression for the vendor's file name, with the group `release`.

        Args:
            anchored: match a whole name; else find names in a text, where no letter, digit, dot, hyphen, plus sign or
                underscore may touch them (`debian-edu-13.0.0-amd64-netinst.iso` holds no Debian image).
        """
        before, after = (re.escape(part) for part in self.file.split("{release}"))
        name = rf"{before}(?P<release>{self.version}){after}"
        return re.compile(rf"\A{name}\Z" if anchored else rf"(?<![\w.+-]){name}(?![\w+-]|\.\w)", re.ASCII)

    def release_of(self, file_name: str) -> str | None:
        """The release in a vendor's file name, or None if the name does not fit."""
        match = self.pattern().match(file_name)
        return match["release"] if match is not None and is_release(match["release"]) else None

    def is_exact(self, request: str) -> bool:
        """Whether a request is one exact release, which can be fetched without asking what there is."""
        return is_release(request) and re.fullmatch(self.version, request, re.ASCII) is not None

    def file_name(self, release: str) -> str:
        """The vendor's file name of a release. Raises ValueError for what is no release of this image."""
        if not self.is_exact(release):
            raise ValueError(f"{release!r} is no release of {self.title}")
        return self.file.replace("{release}", release)

    def image_name(self, release: str) -> str:
        """The name of the ISO file: the vendor's, or the one that `unpack` gives it. Raises ValueError."""
        vendors = self.file_name(release)
        return vendors if self.unpack is None else self.unpack.name.replace("{release}", release)

    def listed_name(self, release: str) -> str:
        """The name under which the checksum file lists a release. Raises ValueError."""
        file = self.file_name(release)
        template = "{file}" if self.checksums is None else self.checksums.name
        return template.replace("{release}", release).replace("{file}", file)

    def locations(self, release: str) -> tuple[Location, ...]:
        """Where a release may lie, one per mirror, in order. Raises ValueError."""
        file = self.file_name(release)

        def at(mirror: str, reference: str) -> str:
            filled = reference.replace("{release}", release).replace("{file}", file)
            return filled if reference.startswith("https://") else mirror + filled

        folders = [mirror.replace("{release}", release) for mirror in self.mirrors]
        return tuple(
            Location(
                image=folder + file,
                checksums=None if self.checksums is None else at(folder, self.checksums.at),
                signatures=tuple((signature.on, at(folder, signature.at)) for signature in self.signatures),
            )
            for folder in folders
        )


def is_release(text: str) -> bool:
    """Whether a text may stand in file names and addresses as a release."""
    return RELEASE.fullmatch(text) is not None and ".." not in text


def parse_catalog(texts: Mapping[str, tuple[str, str]]) -> tuple[Mapping[str, CatalogEntry], Report]:
    """Parse all entries.

    Args:
        texts: file name as shown to the user and text, by image id (the file's name without its ending).

    Returns:
        The well-formed entries by id, sorted, and findings (VK-J40 and schema rules) for the others.
    """
    report = Report()
    entries: dict[str, CatalogEntry] = {}
    for image, (file, text) in sorted(texts.items()):
        if not NAME.fullmatch(image):
            report.add(
                codes.BAD_ENTRY.finding(
                    f"`{image}` cannot be an image's id",
                    "Name the file in lower-case letters, digits and inner hyphens, at most 32 characters.",
                    place=Place(file),
                )
            )
            continue
        marked, found = read_marked(text.encode(), file)
        if marked is not None:
            if not isinstance(marked.value, dict):
                found.add(
                    codes.BAD_ENTRY.finding("the file is no map of keys", "Begin with `title:`.", path=())
                )
            else:
                try:
                    entry = CatalogEntry.model_validate(marked.value)
                except ValidationError as error:
                    found.extend(finding_of(d, CatalogEntry) for d in error.errors(include_url=False))
                else:
                    if not found.has_errors:
                        entries[image] = entry
            found = found.located(marked.locate)
        report.extend(found)
    return entries, report
