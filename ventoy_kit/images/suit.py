"""Whether an image can do what the fleet asks of it: the right product, new enough, able to run unattended."""

from __future__ import annotations

from typing import Final

from ventoy_kit.images import codes
from ventoy_kit.images.catalog import CatalogEntry
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.releases import is_before
from ventoy_kit.report import Path, Report

_OLDEST: Final = {
    # First ISOs whose answers use hyphens in keys (pve-installer 8.4.0 and its siblings).
    "proxmox-ve": (8, 4),
    "proxmox-backup-server": (3, 4),
    "proxmox-mail-gateway": (9, 0),
    # Oldest Debian whose installer was examined and tried under Ventoy.
    "debian": (12,),
}


def check_image(facts: IsoFacts, *, product: str, path: Path) -> Report:
    """Compare an image with what the fleet file says of it.

    Args:
        facts: what the image is.
        product: what the fleet file calls it, for instance `proxmox-ve`.
        path: the image's place in the fleet file.
    """
    report = Report()
    if facts.stand_in:
        report.add(
            codes.STAND_IN_USED.finding(
                f"{facts.title} is a stand-in made by ventoy-kit; it has no kernel and cannot install anything",
                "Name the vendor's image for a stick that is meant for machines.",
                path=path,
            )
        )
    if facts.product != product:
        report.add(
            codes.WRONG_PRODUCT.finding(
                f"the image is called {product}, but holds {facts.title}"
                + (f" ({facts.product})" if facts.product else ""),
                f"Name an image of {product}, or move this one to the entry of its own product.",
                path=path,
            )
        )
        return report
    _check_release(facts, product, path, report)
    if not facts.automated:
        report.add(
            codes.NO_AUTOMATION.finding(
                f"{facts.title} {facts.release or ''}".rstrip() + " cannot install unattended",
                "Use a release whose installer can.",
                path=path,
            )
        )
    return report


def check_request(entry: CatalogEntry, request: str, *, path: Path) -> Report:
    """Say before anything is fetched whether a node could be installed from what is asked for (VK-I10).

    An entry that says nothing about it is judged by what the image says, once that is there.

    Args:
        entry: the image of the catalog.
        request: an exact release, a series or `latest`.
        path: the request's place in the fleet file.
    """
    if entry.automated is None or not is_before(request, entry.automated.since):
        return Report()
    return Report(
        [
            codes.TOO_OLD.finding(
                f"{entry.title} {request} is asked for; the oldest that can be installed unattended is "
                f"{entry.automated.since}",
                f"Use {entry.automated.since} or newer.",
                path=path,
            )
        ]
    )


def _check_release(facts: IsoFacts, product: str, path: Path, report: Report) -> None:
    oldest = _OLDEST.get(product)
    if oldest is None:
        return
    wanted = ".".join(str(part) for part in oldest)
    if facts.release is None:
        report.add(
            codes.TOO_OLD.finding(
                f"{facts.title} does not say which release it is",
                f"Use {product} {wanted} or newer.",
                path=path,
            )
        )
    elif tuple(int(part) for part in facts.release.split(".")) < oldest:
        report.add(
            codes.TOO_OLD.finding(
                f"{facts.title} is release {facts.release}; the oldest that is supported is {wanted}",
                f"Use {product} {wanted} or newer.",
                path=path,
            )
        )
