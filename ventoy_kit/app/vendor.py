"""What a vendor publishes about an image: its releases, its checksum file, signatures, certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ventoy_kit.app.certificates import Certificates
from ventoy_kit.edge.net import Downloader, Fetched
from ventoy_kit.edge.net_errors import GoneError, NetworkError, UnfitAnswerError
from ventoy_kit.edge.openpgp import MAX_CERTIFICATE_FILE, MAX_SIGNATURE_FILE
from ventoy_kit.errors import MachineError
from ventoy_kit.gather.wanted import Want
from ventoy_kit.images import fetch_codes, trust_codes
from ventoy_kit.images.catalog import CatalogEntry, Key, Location, Signed
from ventoy_kit.images.releases import Choice, choose, releases_in_text, version_key
from ventoy_kit.images.sums import Sums, parse_sums
from ventoy_kit.report import Finding, Path, Report, Severity

LISTING_LIMIT = 8 << 20
"""Bytes of a page that lists releases."""

SUMS_LIMIT = 1 << 20
"""Bytes of a checksum file."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What one mirror has to prove one release.

    Attributes:
        location: the mirror.
        content: the checksum file's bytes, None if the catalog names none.
        sums: what it says.
        signed: what the signature covers, None if the mirror has no signature.
        signature: the signature file.
    """

    location: Location
    content: bytes | None
    sums: Sums | None
    signed: Signed | None
    signature: bytes


@dataclass(frozen=True, slots=True)
class Vendor:
    """Asks vendors' servers. May be used from several threads."""

    downloader: Downloader
    certificates: Certificates

    def choose(self, want: Want) -> tuple[Choice | None, Report]:
        """The release that is meant: without asking anybody if it is named exactly.

        Raises:
            MachineError: a listing could not be had, so that nobody knows which release is the newest.
        """
        if want.entry.is_exact(want.request):
            return Choice(want.request, ()), Report()
        available, report = self.releases(want)
        if report.has_errors:
            return None, report
        return choose(want.entry, want.request, available, path=want.path)

    def releases(self, want: Want) -> tuple[tuple[str, ...], Report]:
        """All releases that the vendor lists, newest first.

        Raises:
            MachineError: a listing could not be had.
        """
        available: list[str] = []
        gone: GoneError | None = None
        for source in want.entry.releases:
            available += source.fixed
            if source.url is None:
                continue
            try:
                page = self.downloader.small(source.url, LISTING_LIMIT)
            except GoneError as error:  # a vendor's alias that points nowhere for now
                gone = error
            else:
                available += releases_in_text(want.entry, page.data.decode("utf-8", "replace"))
        if not available and gone is not None:
            return (), Report([finding_of(gone, want.path)])
        return tuple(sorted(set(available), key=version_key, reverse=True)), Report()

    def proof(self, want: Want, release: str) -> tuple[Proof | None, Report]:
        """Checksum file and signature from the first mirror that has the release.

        Raises:
            MachineError: no mirror has it, or a signature could not be had for another reason than that it is not there.
        """
        entry = want.entry
        failed: NetworkError | None = None
        for location in entry.locations(release):
            try:
                content = self._sums(location)
            except NetworkError as error:
                failed = error if failed is None or isinstance(failed, GoneError) else failed
                continue
            sums = None
            if entry.checksums is not None and content is not None:
                sums, report = parse_sums(
                    content.data,
                    layout=entry.checksums.format,
                    algorithm=entry.checksums.algorithm,
                    file=content.url,
                )
                if sums is None:
                    return None, report
            signed, signature = self._signature(location)
            return Proof(location, content.data if content else None, sums, signed, signature), Report()
        raise failed or GoneError(f"{entry.title} {release} has no mirror", "Correct the catalog.", ())

    def _sums(self, location: Location) -> Fetched | None:
        return None if location.checksums is None else self.downloader.small(location.checksums, SUMS_LIMIT)

    def _signature(self, location: Location) -> tuple[Signed | None, bytes]:
        """The first of the alternatives that is there. Anything but "not there" is a failure, and no signature."""
        for signed, url in location.signatures:
            try:
                return signed, self.downloader.small(url, MAX_SIGNATURE_FILE).data
            except GoneError:
                continue
        return None, b""

    def certificates_of(self, entry: CatalogEntry, path: Path) -> tuple[Mapping[str, bytes], Report]:
        """The certificates of an entry's keys by fingerprint, fetched where the catalog holds none.

        Findings (VK-J16) tell of addresses that gave another certificate, or (warnings) none.
        """
        report = Report()
        found: dict[str, bytes] = {}
        for key in entry.keys:
            at_hand = self.certificates.of(key)
            if key.url is not None and not (at_hand is not None and self.certificates.is_revoked(at_hand)):
                try:
                    data = self.downloader.small(key.url, MAX_CERTIFICATE_FILE).data
                except NetworkError as error:
                    if at_hand is None:  # else the one from an earlier run is as good as it was
                        report.add(_not_fetched(key, error, path))
                else:
                    fresh, problems = self.certificates.take(key, data, path)
                    report.extend(problems)
                    at_hand = fresh or at_hand
            if at_hand is not None:
                found[key.fingerprint] = at_hand
        return found, report


def _not_fetched(key: Key, error: NetworkError, path: Path) -> Finding:
    """A warning: another key may have signed what is fetched, and then this certificate is not needed."""
    finding = trust_codes.NO_CERTIFICATE.finding(
        f"the certificate of {key.name} ({key.fingerprint}) could not be fetched: {error.message}",
        error.hint or "Run the command again.",
        path=path,
    )
    return replace(finding, severity=Severity.WARNING)


def finding_of(error: MachineError, path: Path) -> Finding:
    """A finding from a download that did not come to its end."""
    rule = (
        fetch_codes.GONE
        if isinstance(error, GoneError)
        else fetch_codes.UNFIT
        if isinstance(error, UnfitAnswerError)
        else fetch_codes.BROKE_OFF
    )
    return rule.finding(error.message, error.hint or "Run the command again.", path=path)


def is_answer(error: MachineError) -> bool:
    """Whether a failed download is an answer that stays the same, and so no failure of the machine."""
    return isinstance(error, GoneError | UnfitAnswerError)
