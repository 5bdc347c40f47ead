"""Which catalog images a fleet wants, and which of them the lock answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ventoy_kit.fleet.rules import unknown
from ventoy_kit.fleet.schema import Fleet
from ventoy_kit.images import catalog_codes, fetch_codes
from ventoy_kit.images.authority import Trust
from ventoy_kit.images.catalog import CatalogEntry, is_release
from ventoy_kit.images.lock import Lock, LockEntry
from ventoy_kit.images.releases import LATEST, matches
from ventoy_kit.images.suit import check_request
from ventoy_kit.report import Path, Report


@dataclass(frozen=True, slots=True)
class Want:
    """An image of the fleet that comes from its vendor.

    Attributes:
        image: its name in the fleet file.
        entry_id: id of its catalog entry.
        entry: the entry.
        request: `latest`, a series or an exact release.
        trust: what must prove it.
        locked: what the lock says of it, whether that still fits or not.
        installs: whether a node is to be installed from it.
        mirror: the fleet's mirror of Debian, or None.
    """

    image: str
    entry_id: str
    entry: CatalogEntry
    request: str
    trust: Trust
    locked: LockEntry | None
    installs: bool = False
    mirror: str | None = None

    @property
    def path(self) -> Path:
        """The request's place in the fleet file."""
        return ("images", self.image, "release")

    @property
    def pinned(self) -> LockEntry | None:
        """What the lock says, if it answers this want."""
        return self.locked if self.locked is not None and self.misfit is None else None

    def unfit(self, release: str) -> Report:
        """What speaks against a release, or against all that a request can give (VK-I10)."""
        return check_request(self.entry, release, path=self.path) if self.installs else Report()

    @property
    def misfit(self) -> str | None:
        """Why the lock does not answer this want; None if it does."""
        locked = self.locked
        if locked is None:
            return "it is not locked yet"
        if locked.catalog != self.entry_id:
            return f"it is locked as `{locked.catalog}` of the catalog"
        if not matches(self.request, locked.release):
            return f"{locked.release} is locked"
        if not self.entry.is_exact(locked.release) or locked.file != self.entry.image_name(locked.release):
            return f"{locked.file} is locked, which the catalog does not know"
        if (locked.origin == "assembled") != (self.entry.apt is not None):
            return f"it is locked as {locked.origin}, which it is not any more in the catalog"
        if locked.verified == "none" or not (locked.urls or self.entry.apt):
            return "it is locked as a local file"
        if self.trust == "signature" and locked.verified != "signature":
            return "its checksum alone was verified when it was locked"
        if locked.signer is not None and locked.signer not in {key.fingerprint for key in self.entry.keys}:
            return f"the key that signed it, {locked.signer}, is not pinned any more"
        return None


def wanted(fleet: Fleet, catalog: Mapping[str, CatalogEntry], lock: Lock) -> tuple[tuple[Want, ...], Report]:
    """The images with a release, sorted by name.

    Returns:
        Those that can be fetched, and findings VK-J49, VK-J41 and VK-I10 for the others.
    """
    report = Report()
    found = []
    installing = {node.install.image or fleet.defaults.image for node in fleet.nodes.values()}
    for name, image in sorted(fleet.images.items()):
        entry_id = image.catalog or name
        entry = catalog.get(entry_id)
        if entry is None and (image.release is not None or image.catalog is not None):
            key = "release" if image.catalog is None else "catalog"
            report.add(
                unknown(
                    fetch_codes.NO_ENTRY, "image of the catalog", entry_id, catalog, ("images", name, key)
                )
            )
        if entry is None or image.release is None:
            continue
        if not is_request(image.release):
            report.add(
                catalog_codes.BAD_REQUEST.finding(
                    f"`{image.release}` is neither a release of {entry.title} nor `latest`",
                    "Write `latest`, a series such as 13, or an exact release.",
                    path=("images", name, "release"),
                )
            )
            continue
        want = Want(
            name,
            entry_id,
            entry,
            image.release,
            image.trust,
            lock.images.get(name),
            installs=name in installing,
            mirror=fleet.defaults.debian_mirror,
        )
        unfit = want.unfit(want.pinned.release if want.pinned is not None else image.release)
        report.extend(unfit)
        if not unfit.has_errors:
            found.append(want)
    return tuple(found), report


def is_request(text: str) -> bool:
    """Whether a text can name a release, a series or `latest`."""
    return text == LATEST or (is_release(text) and any(c.isdigit() for c in text))


def origin_of(entry: LockEntry) -> str:
    """Where an image's bytes come from and how they were proved, as manifests record it."""
    proof = f"signature of {entry.signer}" if entry.signer is not None else "checksum only"
    if entry.origin == "unpacked":
        return f"unpacked from {entry.inputs[0].file} of the vendor, {proof}"
    if entry.origin == "assembled":
        return f"assembled by ventoy-kit from {entry.inputs[0].file}, {proof}"
    return f"{entry.origin}, {proof}"
