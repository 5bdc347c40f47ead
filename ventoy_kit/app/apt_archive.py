"""Asks an archive through a private apt root: what it offers, who signed that, and the package itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from ventoy_kit.app.certificates import Certificates
from ventoy_kit.app.host import Host
from ventoy_kit.edge import apt as edge
from ventoy_kit.edge import machine
from ventoy_kit.edge.cache import Cache
from ventoy_kit.edge.files import digests_of, make_folder
from ventoy_kit.edge.openpgp import read_certificate, read_signatures
from ventoy_kit.errors import MachineError
from ventoy_kit.gather.wanted import Want
from ventoy_kit.images import apt, apt_codes
from ventoy_kit.images.apt import AptPackage, AptSource, Offer
from ventoy_kit.images.authority import Accepted, judge_signatures
from ventoy_kit.images.catalog import is_release
from ventoy_kit.ports import Progress
from ventoy_kit.report import Finding, Path, Report, Rule

_NEEDED = {"apt-get": "apt", "apt-config": "apt"}
_ANOTHER = "Name another archive under `mirrors` of the catalog entry, or as the fleet's `debian_mirror`."
_NOT_BELIEVED = (
    "Do not use this archive; find out who changed it: the mirror, a proxy on the way, or somebody else."
)


@dataclass(frozen=True, slots=True)
class Index:
    """What an archive offers of one package, proved.

    Attributes:
        root: apt's private root, ready to fetch the package.
        package: the package and its suite.
        offers: its versions by release of the image.
        accepted: who signed the index, and when.
    """

    root: edge.AptRoot
    package: AptPackage
    offers: Mapping[str, Offer]
    accepted: Accepted


@dataclass(frozen=True, slots=True)
class AptArchive:
    """Asks archives. May be used from several threads.

    Attributes:
        host: effects.
        cache: holds the private roots below `apt/`, and their locks.
        certificates: of the keys that may sign an index.
        check: raises InterruptedRunError when the run is to end.
    """

    host: Host
    cache: Cache
    certificates: Certificates
    check: Callable[[], None]

    def releases(self, want: Want) -> tuple[tuple[str, ...], Report]:
        """All releases of all series that archives offer now.

        Raises:
            MachineError: no archive could be reached.
        """
        report, found = Report(), []
        for series in _source(want).series:
            with self.index(want, series) as (index, problems):
                report.extend(problems)
                found += [] if index is None else list(index.offers)
        return tuple(found), report

    @contextlib.contextmanager
    def index(
        self, want: Want, series: str, release: str | None = None
    ) -> Iterator[tuple[Index | None, Report]]:
        """Fetch and prove what an archive offers of one series; the root is this run's alone until the block ends.

        What was received of a package stays for the next run if a MachineError breaks the block off.

        Args:
            want: the image.
            series: one of its entry.
            release: go on to further archives until one offers this; if none does, the last one's index counts.

        Raises:
            MachineError: no archive could be reached.
        """
        source = _source(want)
        wanted = source.series[series]
        with self.cache.part(f"apt {wanted.suite} {wanted.package}"):
            root = edge.AptRoot(
                self.host.process, self.cache.root / "apt" / f"{wanted.suite}-{wanted.package}"
            )
            make_folder(root.folder)
            yield self._ask(want, series, root, release)
            root.remove()

    def fetch(self, index: Index, offer: Offer, progress: Progress, path: Path) -> tuple[bool, Report]:
        """Let apt fetch and verify a package, and compare it with the index once more.

        Returns:
            Whether it lies in the root now, and why not.

        Raises:
            MachineError: it did not come to its end; what came stays.
            NoSpaceError: there is no room to fetch and unpack it.
        """
        edge.check_space(index.root.folder, offer.size * 4)
        progress.start(offer.file, offer.size)
        seen = 0

        def received(size: int) -> None:
            nonlocal seen
            self.check()
            progress.advance(max(0, min(size, offer.size) - seen))
            seen = max(seen, min(size, offer.size))

        try:
            code, output = index.root.download(index.package.package, offer.version, received)
        finally:
            progress.done()
        report = Report()
        answer = apt.answer_of(code, output)
        if answer != "done":
            report.add(_unbelieved(answer, output, f"{offer.file}", path))
            return False, report
        file = index.root.package_file(offer.file)
        size, sha256 = (
            (0, "") if file is None else (self.host.files.stat(file).size, digests_of(file, "sha256")[0])
        )
        if (size, sha256) != (offer.size, offer.sha256):
            index.root.drop_package(offer.file)
            report.add(
                _chain(
                    f"{offer.file} has {size} bytes and SHA-256 {sha256 or 'none'}, but the signed index says "
                    f"{offer.size} and {offer.sha256}",
                    path,
                )
            )
        return not report.has_errors, report

    def _ask(
        self, want: Want, series: str, root: edge.AptRoot, release: str | None
    ) -> tuple[Index | None, Report]:
        source = _source(want)
        missing = {package for tool, package in _NEEDED.items() if not machine.has_program(tool)}
        if missing:
            return None, Report([lacking(want, missing)])
        keys = tuple(self.certificates.at_hand(want.entry).values())
        if not keys:
            pinned = ", ".join(key.fingerprint for key in want.entry.keys)
            remedy = "Install the package debian-archive-keyring, or put the certificates beside the catalog."
            message = f"none of the keys that may sign the archive's index is on this machine: {pinned}"
            return None, Report([apt_codes.NO_KEYS.finding(message, remedy, path=want.path)])
        archives = self._archives(want, source)
        if not archives:
            message = (
                "neither this machine's own apt nor the fleet file nor the catalog names an archive of Debian"
            )
            return None, Report([apt_codes.NO_PACKAGE.finding(message, _ANOTHER, path=want.path)])
        suite = source.series[series].suite
        sandboxed = edge.others_may_enter(root.folder)
        configuration = apt.configuration(
            root.folder, edge.host_configuration(self.host.process), sandboxed=sandboxed
        )
        reasons: list[str] = []
        failed = False
        index: Index | None = None
        for archive in archives:
            root.prepare(configuration, apt.sources_list(archive, suite, source.component), keys)
            code, output = root.update(self.check)
            answer = apt.answer_of(code, output)
            if answer == "done":
                index, report = self._proved(want, source, series, root)
                if index is None or release is None or release in index.offers:
                    return index, report
                continue
            if answer == "refused":
                return None, Report([_unbelieved(answer, output, f"the index of {suite}", want.path)])
            reasons.append(apt.reason_of(output))
            failed = failed or answer == "failed"
        if index is not None:
            return index, Report()
        told = f"the index of {suite}: {'; '.join(reasons)}"
        if failed:
            raise MachineError(f"apt cannot fetch {told}", "Run the command again.")
        return None, Report(
            [apt_codes.NO_PACKAGE.finding(f"apt does not find {told}", _ANOTHER, path=want.path)]
        )

    def _archives(self, want: Want, source: AptSource) -> tuple[str, ...]:
        listing = edge.host_listing(self.host.process, apt.LISTING_FORMAT) if source.host else ""
        fleet = [want.mirror] if want.mirror is not None and apt.is_archive(want.mirror) else []
        return apt.in_order(apt.host_archives(listing, source), [*source.mirrors, *fleet])

    def _proved(
        self, want: Want, source: AptSource, series: str, root: edge.AptRoot
    ) -> tuple[Index | None, Report]:
        """Follow the chain from the signature to the description of the package."""
        wanted = source.series[series]
        parts = apt.split_clear_signed(root.signed_index() or b"")
        if parts is None:
            return None, Report([_chain("the archive has no clear-signed index (InRelease)", want.path)])
        text, signature = parts
        usable = tuple(self.certificates.at_hand(want.entry).values())
        accepted, report = judge_signatures(
            want.entry.keys,
            read_signatures(text, signature, usable),
            tuple(read_certificate(c) for c in usable),
            "checksums",
            self.host.clock(),
            path=want.path,
        )
        if accepted is None:
            return None, report
        release = apt.read_release(text)
        if wanted.suite not in release.names:
            told = ", ".join(sorted(release.names)) or "nothing"
            message = f"the index that was asked for as {wanted.suite} calls itself {told}"
            return None, Report([_chain(message, want.path)])
        name = f"{source.component}/binary-{apt.ARCHITECTURE}/Packages"
        packages = root.packages_file()
        if packages is None or release.files.get(name, ("", 0))[0] != digests_of(packages, "sha256")[0]:
            return None, Report([_chain(f"{name} is not the list that the signed index names", want.path)])
        found = {
            apt.release_name(series, offer.version): offer
            for offer in apt.offers(edge.stanzas(packages, wanted.package))
        }
        fitting = {r: o for r, o in found.items() if is_release(r) and want.entry.is_exact(r)}
        if not fitting:
            others = ", ".join(o.version for o in found.values())
            message = f"{wanted.suite} has {'no ' + wanted.package if not found else f'{wanted.package} {others}, which does not fit the catalog'}"
            remedy = "Ask for another series, or correct the catalog entry."
            return None, Report([apt_codes.NO_PACKAGE.finding(message, remedy, path=want.path)])
        return Index(root, wanted, fitting, accepted), Report()


def lacking(want: Want, packages: Collection[str]) -> Finding:
    """The finding (VK-J70) that packages with the needed programs are not installed."""
    listed = " ".join(sorted(packages))
    debian = machine.has_program("dpkg")
    return apt_codes.NO_TOOLS.finding(
        f"{want.entry.title} is fetched by apt and assembled here, and this machine lacks {listed}"
        + ("" if debian else "; it is no Debian system"),
        f"Run `apt install {listed}` as root."
        if debian
        else "Fetch on a Debian or Ubuntu machine with the same cache, or use the image `debian`, which needs no apt.",
        path=want.path,
    )


def _source(want: Want) -> AptSource:
    if want.entry.apt is None:
        raise ValueError(f"{want.entry_id} is no package")
    return want.entry.apt


def _chain(message: str, path: Path) -> Finding:
    return apt_codes.CHAIN.finding(message, _NOT_BELIEVED, path=path)


def _unbelieved(answer: apt.AptAnswer, output: str, what: str, path: Path) -> Finding:
    """A finding for what apt refused or did not find; a failure of the network is a MachineError."""
    reason = apt.reason_of(output)
    if answer == "failed":
        raise MachineError(f"apt cannot fetch {what}: {reason}", "Run the command again; it goes on.")
    rules: dict[str, tuple[Rule, str]] = {
        "refused": (apt_codes.APT_REFUSED, _NOT_BELIEVED),
        "gone": (apt_codes.NO_PACKAGE, _ANOTHER),
    }
    rule, remedy = rules[answer]
    verb = "refuses" if answer == "refused" else "does not find"
    return rule.finding(f"apt {verb} {what}: {reason}", remedy, path=path)
