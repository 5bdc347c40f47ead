"""One image: from its vendor or from the lock's addresses into the cache. Nothing is published that was not believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ventoy_kit.app.host import Host
from ventoy_kit.app.vendor import Proof, Vendor
from ventoy_kit.edge.archive import BadArchiveError, unpack_member
from ventoy_kit.edge.cache import Cache
from ventoy_kit.edge.files import digests_of
from ventoy_kit.edge.net import Downloader
from ventoy_kit.edge.openpgp import read_certificate, read_signatures
from ventoy_kit.errors import StorageError
from ventoy_kit.gather.isos import inspect_iso
from ventoy_kit.gather.wanted import Want
from ventoy_kit.images import codes, fetch_codes
from ventoy_kit.images.authority import Accepted, judge_signatures, judge_unsigned
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.images.lock import Digests, LockEntry, LockInput
from ventoy_kit.images.trust import (
    Evidence,
    Verdict,
    judge,
    judge_digest,
    judge_history,
    judge_locked,
    judge_release,
)
from ventoy_kit.ports import Progress
from ventoy_kit.report import Report

Source = Literal["cache", "network"]


@dataclass(frozen=True, slots=True)
class Got:
    """What became of one image.

    Attributes:
        image: its name in the fleet file.
        entry: what the lock shall say; None if the image was refused.
        path: where it lies in the cache.
        source: whether it was there already.
        report: why it was refused, or warnings.
        made: the file at `path`, where the entry knows several, one per toolchain.
    """

    image: str
    entry: LockEntry | None
    path: Path | None
    source: Source
    report: Report
    made: Digests | None = None

    @property
    def shown(self) -> LockEntry | None:
        """The entry with digest and size of the file at `path`."""
        return self.entry if self.entry is None or self.made is None else self.entry.as_made(self.made)


@dataclass(frozen=True, slots=True)
class ImageFetcher:
    """Brings images; each call runs in one thread, several at a time.

    Attributes:
        host: effects.
        cache: where images go.
        downloader: how they come.
        vendor: what is asked about them.
    """

    host: Host
    cache: Cache
    downloader: Downloader
    vendor: Vendor

    def fetch(self, want: Want, *, updating: bool) -> Got:
        """Bring what the lock pins, or what the vendor offers if the lock says nothing fitting or shall move.

        Raises:
            MachineError: network, server or disk failed; what was received so far can be gone on with.
        """
        pinned = want.pinned
        if pinned is not None and not updating:
            return self._locked(want, pinned)
        return self._offered(want, updating=updating)

    # What the lock pins.

    def _locked(self, want: Want, pinned: LockEntry) -> Got:
        progress = self.host.board.line()
        with self.cache.part(pinned.urls[0]) as part:
            there = self.cache.find(pinned.sha256, progress)
            if there is not None:
                return Got(want.image, pinned, there, "cache", Report())
            download = pinned.download
            if download is None:
                raise ValueError(
                    f"{want.image} is locked as assembled, but its catalog entry names no package"
                )

            def check(received: Digests) -> Report:
                return judge_locked(want.image, received, download, path=want.path)

            report = self._receive(want, pinned.urls, part, check, progress=progress, expected=download.size)
            if report.has_errors:
                return refused(want, report)
            path, found = self._publish_locked(want, pinned, part)
            report.extend(found)
            return refused(want, report) if path is None else Got(want.image, pinned, path, "network", report)

    def _publish_locked(self, want: Want, pinned: LockEntry, part: Path) -> tuple[Path | None, Report]:
        if pinned.origin == "vendor":
            return self.cache.publish(part, pinned.sha256, pinned.file), Report()
        with self.cache.part(f"unpacked {pinned.inputs[0].sha256}") as inner:
            digests, report = self._unpack(want, part, inner)
            if digests is not None:
                report.extend(judge_locked(want.image, digests, pinned.image, path=want.path))
            self.cache.discard(part)
            if digests is None or report.has_errors:
                self.cache.discard(inner)
                return None, report
            return self.cache.publish(inner, digests.sha256, pinned.file), report

    # What the vendor offers.

    def _offered(self, want: Want, *, updating: bool) -> Got:
        choice, report = self.vendor.choose(want)
        if choice is not None:
            report.extend(want.unfit(choice.release))
        if choice is None or report.has_errors:
            return refused(want, report)
        locked = want.locked if want.locked is not None and want.locked.catalog == want.entry_id else None
        offer = _Offer(want, choice.release, locked, updating)
        proof, report = self.vendor.proof(want, choice.release)
        if proof is None:
            return refused(want, report)
        certificates, told = self.vendor.certificates_of(want.entry, want.path)
        usable = tuple(certificates.values())
        report = self._early(offer, proof, usable)
        if report.has_errors:
            report.extend(told)
            return refused(want, report)
        return self._take(offer, proof, usable)

    def _early(self, offer: _Offer, proof: Proof, certificates: tuple[bytes, ...]) -> Report:
        """What can be refused before gigabytes are loaded for nothing. `judge` decides it all once more."""
        want, report = offer.want, Report()
        accepted: Accepted | None = None
        if proof.signed is None:
            report.extend(judge_unsigned(want.entry, want.trust, path=want.path))
        elif proof.signed == "checksums":
            accepted, found = judge_signatures(
                want.entry.keys,
                read_signatures(proof.content or b"", proof.signature, certificates),
                tuple(read_certificate(c) for c in certificates),
                "checksums",
                self.host.clock(),
                path=want.path,
            )
            report.extend(found)
        listed = want.entry.listed_name(offer.release)
        known = proof.sums is not None and listed in proof.sums.digests
        if not known and (proof.sums is not None or proof.signed != "iso"):
            report.extend(judge_digest(proof.sums, listed, Digests(0, ""), path=want.path))
        report.extend(judge_history(want.request, offer.release, accepted, offer.locked, path=want.path))
        return report

    def _take(self, offer: _Offer, proof: Proof, certificates: tuple[bytes, ...]) -> Got:
        want, entry = offer.want, offer.want.entry
        urls = tuple(location.image for location in entry.locations(offer.release))
        ordered = tuple(dict.fromkeys((proof.location.image, *urls)))
        progress = self.host.board.line()
        with self.cache.part(urls[0]) as part:
            there, received = self._at_hand(offer, proof)
            verdicts: list[Verdict] = []

            def check(digests: Digests, content: Path = part) -> Report:
                nonlocal received
                received = digests
                verdict, found = self._judge(offer, proof, certificates, digests, content)
                verdicts.extend([] if verdict is None else [verdict])
                return found

            if there is not None and received is not None:
                report = check(received, there)
            else:
                report = self._receive(
                    want, ordered, part, check, progress=progress, sha512=_needs_sha512(proof)
                )
            if report.has_errors or received is None:
                return refused(want, report)
            return self._finish(offer, verdicts[-1], received, (there, part, urls), report)

    def _at_hand(self, offer: _Offer, proof: Proof) -> tuple[Path | None, Digests | None]:
        """The very file that the checksum file lists, if another fleet has brought it into the cache."""
        entry, sums = offer.want.entry, proof.sums
        stated = None if sums is None else sums.digests.get(entry.listed_name(offer.release))
        if entry.unpack is not None or sums is None or stated is None:
            return None, None
        name = entry.image_name(offer.release)
        for file in self.cache.files():
            fits = file.sha256 == stated if sums.algorithm == "sha256" else file.path.name == name
            path = self.cache.find(file.sha256) if fits else None
            if path is None:
                continue
            sha512 = digests_of(path, "sha512")[0] if sums.algorithm == "sha512" else None
            if stated in (file.sha256, sha512):
                return path, Digests(file.size, file.sha256, sha512)
        return None, None

    def _judge(
        self,
        offer: _Offer,
        proof: Proof,
        certificates: tuple[bytes, ...],
        received: Digests,
        content: Path,
    ) -> tuple[Verdict | None, Report]:
        want = offer.want
        covered = proof.content if proof.signed == "checksums" else content
        facts = read_signatures(covered or b"", proof.signature, certificates) if proof.signed else ()
        return judge(
            Evidence(
                image=want.image,
                entry=want.entry,
                request=want.request,
                release=offer.release,
                received=received,
                signed=proof.signed,
                signatures=facts,
                certificates=tuple(read_certificate(c) for c in certificates),
                sums=proof.sums,
                locked=offer.locked,
                trust=want.trust,
                updating=offer.updating,
                now=self.host.clock(),
                path=want.path,
            )
        )

    def _finish(
        self,
        offer: _Offer,
        verdict: Verdict,
        received: Digests,
        where: tuple[Path | None, Path, tuple[str, ...]],
        report: Report,
    ) -> Got:
        """Unpack, look into the image, publish."""
        want, (there, part, urls) = offer.want, where
        if want.entry.unpack is None:
            path, found = self._look_and_publish(offer, there, part, received)
            report.extend(found)
            image = received
        else:
            with self.cache.part(f"unpacked {received.sha256}") as inner:
                unpacked, found = self._unpack(want, part, inner)
                report.extend(found)
                path, image = None, received
                if unpacked is not None:
                    path, found = self._look_and_publish(offer, None, inner, unpacked)
                    report.extend(found)
                    image = unpacked
                self.cache.discard(part)
        if path is None:
            return refused(want, report)
        entry = _entry(offer, verdict, received, image, urls)
        return Got(want.image, entry, path, "network" if there is None else "cache", report)

    def _look_and_publish(
        self, offer: _Offer, there: Path | None, part: Path, digests: Digests
    ) -> tuple[Path | None, Report]:
        want = offer.want
        name = want.entry.image_name(offer.release)
        facts, found = inspect_iso(there or part, want.path, files=self.host.files, reader=self.host.isos)
        report = Report([replace(f, message=f.message.replace(str(there or part), name)) for f in found])
        if facts is not None:
            report.extend(agrees(want, offer.release, facts))
        if facts is None or report.has_errors:
            if there is None:
                self.cache.discard(part)
            return None, report
        return there or self.cache.publish(part, digests.sha256, name), report

    # Both.

    def _receive(
        self,
        want: Want,
        urls: tuple[str, ...],
        part: Path,
        check: Callable[[Digests], Report],
        *,
        progress: Progress,
        expected: int | None = None,
        sha512: bool = False,
    ) -> Report:
        """Download and check; once more from the beginning if an earlier run had left something that was wrong."""
        while True:
            got = self.downloader.download(
                urls,
                part,
                expected=expected,
                limit=expected or want.entry.max_size,
                progress=progress,
                title=urls[0].rpartition("/")[2],
                sha512=sha512,
            )
            report = check(Digests(got.size, got.sha256, got.sha512))
            if not report.has_errors:
                return report
            self.cache.discard(part)
            if not got.found:
                return report

    def _unpack(self, want: Want, archive: Path, target: Path) -> tuple[Digests | None, Report]:
        unpack = want.entry.unpack
        if unpack is None:
            raise ValueError(f"{want.image} needs no unpacking")
        try:
            sha256, size = unpack_member(archive, unpack.member, target, want.entry.max_size)
        except BadArchiveError as error:
            self.cache.discard(target)
            finding = fetch_codes.BAD_ARCHIVE.finding(
                f"the archive of {want.entry.title} cannot be used: {error}",
                "Look into the vendor's archive; if its form has changed, correct the catalog entry.",
                path=want.path,
            )
            return None, Report([finding])
        except StorageError:  # half of it is of no use, and takes the room that is missing
            self.cache.discard(target)
            raise
        return Digests(size, sha256), Report()


@dataclass(frozen=True, slots=True)
class _Offer:
    """A release that was chosen. `locked` is None unless it is of the same catalog entry."""

    want: Want
    release: str
    locked: LockEntry | None
    updating: bool


def refused(want: Want, report: Report) -> Got:
    """The answer for an image that is not to be used."""
    return Got(want.image, None, None, "network", report)


def _needs_sha512(proof: Proof) -> bool:
    return proof.sums is not None and proof.sums.algorithm == "sha512"


def agrees(want: Want, release: str, facts: IsoFacts) -> Report:
    """Compare what the image says of itself with what was fetched: a signature does not cover a file's name."""
    report = Report()
    wanted = want.entry.product
    if wanted is not None and facts.product != wanted:
        report.add(
            codes.WRONG_PRODUCT.finding(
                f"{want.entry.title} was fetched, but the image holds {facts.title}",
                "Try another mirror; if the vendor changed the image, correct `product` in the catalog entry.",
                path=want.path,
            )
        )
    if wanted is not None:
        told = "-".join(part for part in (facts.release, facts.build) if part) or None
        report.extend(judge_release(want.entry.title, release, told, path=want.path))
    return report


def _entry(
    offer: _Offer, verdict: Verdict, received: Digests, image: Digests, urls: tuple[str, ...]
) -> LockEntry:
    """What the lock will say."""
    entry, release = offer.want.entry, offer.release
    unpacked = entry.unpack is not None
    accepted = verdict.accepted
    inputs = (LockInput(file=entry.file_name(release), size=received.size, sha256=received.sha256),)
    return LockEntry(
        catalog=offer.want.entry_id,
        release=release,
        file=entry.image_name(release),
        size=image.size,
        sha256=image.sha256,
        sha512=image.sha512,
        origin="unpacked" if unpacked else "vendor",
        verified=verdict.verified,
        signer=accepted.signer if accepted else None,
        signed=accepted.signed if accepted else None,
        urls=urls,
        inputs=inputs if unpacked else (),
        recipe=None,
    )
