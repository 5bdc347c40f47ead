"""One image that is assembled here: its package through apt, then an ISO made of it, into the cache."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from ventoy_kit.app.apt_archive import AptArchive, Index, lacking
from ventoy_kit.app.fetch_image import Got, agrees, refused
from ventoy_kit.app.host import Host
from ventoy_kit.edge import machine
from ventoy_kit.edge.assemble import BadPackageError, Steps, assemble
from ventoy_kit.edge.cache import Cache
from ventoy_kit.edge.files import digests_of, exists
from ventoy_kit.gather.isos import inspect_iso
from ventoy_kit.gather.wanted import Want
from ventoy_kit.images import apt_codes, catalog_codes, netboot
from ventoy_kit.images.apt import Offer
from ventoy_kit.images.lock import Digests, LockEntry, LockInput
from ventoy_kit.images.releases import choose
from ventoy_kit.images.trust import judge_history, judge_locked
from ventoy_kit.report import Finding, Report


@dataclass(frozen=True, slots=True)
class AssembledFetcher:
    """Brings images with `source: apt`; each call runs in one thread, several at a time."""

    host: Host
    cache: Cache
    archive: AptArchive

    def fetch(self, want: Want, *, updating: bool) -> Got:
        """Bring what the lock pins, or what the archive offers if the lock says nothing fitting or shall move.

        Raises:
            MachineError: network, disk or a tool failed.
        """
        pinned = want.pinned
        if pinned is not None and not updating:
            there = self._there(want, pinned)
            if there is not None:
                return there
        tools, report = toolchain(self.host, want)
        if tools is None:
            return refused(want, report)
        if pinned is not None and not updating:
            return self._locked(want, pinned, tools)
        return self._offered(want, tools, updating=updating)

    def _there(self, want: Want, pinned: LockEntry) -> Got | None:
        for sha256 in pinned.results:
            path = self.cache.find(sha256, self.host.board.line())
            if path is not None:
                made = Digests(path.stat().st_size, sha256)
                return Got(want.image, pinned, path, "cache", Report(), made)
        return None

    def _locked(self, want: Want, pinned: LockEntry, tools: str) -> Got:
        """Make the pinned ISO again, or the one that this toolchain makes of the pinned package."""
        if pinned.recipe != netboot.RECIPE:
            finding = apt_codes.OTHER_RECIPE.finding(
                f"{want.image} was made with the recipe {pinned.recipe}; this ventoy-kit has {netboot.RECIPE}",
                f"Run `ventoy-kit fetch --update {want.image}`, or use the ventoy-kit that made it.",
                path=want.path,
            )
            return refused(want, Report([finding]))
        series = self._series(want, pinned.release)
        with self.archive.index(want, series, pinned.release) as (index, problems):
            if index is None:
                return refused(want, problems)
            offer, given = index.offers.get(pinned.release), pinned.inputs[0]
            if offer is None:
                finding = apt_codes.NO_PACKAGE.finding(
                    f"{given.file} is locked, but the archive offers {', '.join(o.file for o in index.offers.values())}",
                    f"Run `ventoy-kit fetch --update {want.image}`, or name an archive that keeps old packages "
                    "under `mirrors` of the catalog entry.",
                    path=want.path,
                )
                return refused(want, Report([finding]))
            actual, wanted = Digests(offer.size, offer.sha256), Digests(given.size, given.sha256)
            report = judge_locked(want.image, actual, wanted, path=want.path)
            if report.has_errors:
                return refused(want, report)
            return self._make(_Job(want, index, pinned.release, offer, tools, pinned))

    def _offered(self, want: Want, tools: str, *, updating: bool) -> Got:
        series = self._series(want, want.request)
        if not series:
            known = ", ".join(want.entry.apt.series) if want.entry.apt is not None else ""
            finding = catalog_codes.NO_RELEASE.finding(
                f"{want.entry.title} {want.request} was not found; there is {known}",
                "Ask for one of these.",
                path=want.path,
            )
            return refused(want, Report([finding]))
        locked = want.locked if want.locked is not None and want.locked.catalog == want.entry_id else None
        with self.archive.index(want, series) as (index, problems):
            if index is None:
                return refused(want, problems)
            choice, report = choose(want.entry, want.request, index.offers, path=want.path)
            if choice is None:
                return refused(want, report)
            report.extend(want.unfit(choice.release))
            report.extend(judge_history(want.request, choice.release, index.accepted, locked, path=want.path))
            if report.has_errors:
                return refused(want, report)
            offer = index.offers[choice.release]
            # What the lock knows of the very same package goes on to count; `--update` accepts another result.
            same = (
                locked is not None
                and locked.recipe == netboot.RECIPE
                and [i.sha256 for i in locked.inputs] == [offer.sha256]
            )
            return self._make(
                _Job(want, index, choice.release, offer, tools, locked if same else None), updating=updating
            )

    def _make(self, job: _Job, *, updating: bool = False) -> Got:
        """Take the ISO that this toolchain makes from the cache, or make it, compare, look into it, and publish it."""
        want, offer = job.want, job.offer
        known = None if job.locked is None else job.locked.toolchains.get(job.tools)
        progress = self.host.board.line()
        there = None if known is None else self.cache.find(known, progress)
        if job.locked is not None and known is not None and there is not None:
            made = Digests(there.stat().st_size, known)
            return Got(want.image, job.locked, there, "cache", Report(), made)
        if offer.size > want.entry.max_size:
            finding = apt_codes.BAD_PACKAGE.finding(
                f"{offer.file} has {offer.size:,} bytes; the catalog allows {want.entry.max_size:,}",
                "Correct `max_size` in the catalog entry, if the package has really grown.",
                path=want.path,
            )
            return refused(want, Report([finding]))
        fetched, report = self.archive.fetch(job.index, offer, progress, want.path)
        deb = job.index.root.package_file(offer.file)
        if not fetched or deb is None:
            return refused(want, report)
        with self.cache.part(f"assembled {offer.sha256} {job.tools}") as part:
            problem = self._assemble(job, deb, part)
            if problem is not None:
                return refused(want, Report([problem]))
            made = Digests(part.stat().st_size, digests_of(part, "sha256")[0])
            report = self._look(job, part)
            if known is not None and known != made.sha256 and not updating:
                report.add(_other_result(job, known, made.sha256))
            if report.has_errors:
                self.cache.discard(part)
                return refused(want, report)
            path = self.cache.publish(part, made.sha256, want.entry.image_name(job.release))
        return Got(want.image, job.entry(made), path, "network", report, made)

    def _assemble(self, job: _Job, deb: Path, part: Path) -> Finding | None:
        package = job.index.package.package
        series = self._series(job.want, job.release)
        plan = netboot.layout(series, package, job.offer.version, job.offer.sha256)
        try:
            assemble(
                self.host.process,
                deb,
                Steps(plan, functools.partial(netboot.commands, plan), netboot.surroundings),
                part,
                work=job.index.root.folder / "work",
                tick=self.archive.check,
            )
        except BadPackageError as error:
            return apt_codes.BAD_PACKAGE.finding(
                f"{job.offer.file} cannot be made into an ISO: {error}",
                "Ask for another series; a newer ventoy-kit may know the new form.",
                path=job.want.path,
            )
        return None

    def _look(self, job: _Job, part: Path) -> Report:
        want = job.want
        name = want.entry.image_name(job.release)
        facts, found = inspect_iso(part, want.path, files=self.host.files, reader=self.host.isos)
        report = Report([replace(f, message=f.message.replace(str(part), name)) for f in found])
        if facts is not None:
            report.extend(agrees(want, job.release, facts))
        return report

    @staticmethod
    def _series(want: Want, request: str) -> str:
        return (want.entry.apt.series_of(request) if want.entry.apt is not None else None) or ""


@dataclass(frozen=True, slots=True)
class _Job:
    """An ISO to be made. `locked` is None unless it pins this package and this recipe."""

    want: Want
    index: Index
    release: str
    offer: Offer
    tools: str
    locked: LockEntry | None

    def entry(self, made: Digests) -> LockEntry:
        """What the lock will say: one more toolchain, or a new entry."""
        want, accepted = self.want, self.index.accepted
        known = {} if self.locked is None else self.locked.toolchains
        toolchains = {**known, self.tools: made.sha256}
        if self.locked is not None and self.locked.sha256 in toolchains.values():
            return self.locked.model_copy(update={"toolchains": toolchains})
        return LockEntry(
            catalog=want.entry_id,
            release=self.release,
            file=want.entry.image_name(self.release),
            size=made.size,
            sha256=made.sha256,
            sha512=None,
            origin="assembled",
            verified="signature",
            signer=accepted.signer,
            signed=accepted.signed,
            urls=(),
            inputs=(LockInput(file=self.offer.file, size=self.offer.size, sha256=self.offer.sha256),),
            recipe=netboot.RECIPE,
            toolchains=toolchains,
        )


def _other_result(job: _Job, known: str, actual: str) -> Finding:
    return apt_codes.OTHER_RESULT.finding(
        f"{job.want.image}: {job.tools} made an ISO with SHA-256 {actual}; fleet.lock says that it makes {known}",
        "Find out which machine's tools were changed; `ventoy-kit fetch --update "
        f"{job.want.image}` accepts the new ISO once you know.",
        path=job.want.path,
    )


def toolchain(host: Host, want: Want) -> tuple[str | None, Report]:
    """The name of this machine's tools, or what is missing (VK-J70)."""
    missing = {package for tool, package in netboot.TOOLS.items() if not machine.has_program(tool)}
    if not exists(Path(netboot.GRUB_MODULES) / "boot_hybrid.img"):
        missing.add("grub-pc-bin")
    if not missing:
        versions = []
        for name, argv in netboot.VERSIONS.items():
            code, out, err = host.process.run(argv, timeout=30)
            version = netboot.version_in(out or err)
            if code or version is None:
                missing.add(name)
            else:
                versions.append((name, version))
        if not missing:
            return netboot.toolchain(versions), Report()
    return None, Report([lacking(want, missing)])
