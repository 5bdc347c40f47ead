"""`ventoy-kit check --online`: which locked images have newer releases."""

from __future__ import annotations

from ventoy_kit.app.apt_archive import AptArchive
from ventoy_kit.app.fetch import PATIENCE, certificates
from ventoy_kit.app.host import Host
from ventoy_kit.app.vendor import Vendor
from ventoy_kit.app.workspace import Workspace
from ventoy_kit.edge.net import Downloader
from ventoy_kit.images import fetch_codes
from ventoy_kit.images.releases import LATEST, is_newer, matches
from ventoy_kit.report import Report


def newer_releases(workspace: Workspace, host: Host) -> Report:
    """A warning (VK-J57) for each locked image that the vendor has a newer release of.

    Raises:
        MachineError: a listing could not be had.
    """
    report = Report()
    with Downloader(PATIENCE) as downloader:
        vendor = Vendor(downloader, certificates(workspace, host))
        archive = AptArchive(host, host.cache, vendor.certificates, downloader.check)
        for want in workspace.images.wants:
            pinned = want.pinned
            if pinned is None:
                continue
            available, found = vendor.releases(want) if want.entry.apt is None else archive.releases(want)
            report.extend(found)
            newer = [r for r in available if is_newer(r, pinned.release)]
            if not newer:
                continue
            fitting = [r for r in newer if matches(want.request, r)]
            remedy = (
                f"Run `ventoy-kit fetch --update {want.image}`."
                if fitting
                else f"Write `release: {newer[0]}` or `release: {LATEST}`, if you want it, and fetch again."
            )
            report.add(
                fetch_codes.NEWER.finding(
                    f"{want.image} is locked to {want.entry.title} {pinned.release}; the vendor has {', '.join(newer[:5])}",
                    remedy,
                    path=want.path,
                )
            )
    return report
