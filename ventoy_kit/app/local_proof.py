"""Local ISO files: proved by the vendor's checksum file and signature where these lie beside them, else marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.app.certificates import Certificates
from ventoy_kit.app.host import Host
from ventoy_kit.app.known_files import KnownFiles
from ventoy_kit.app.workspace import Workspace
from ventoy_kit.edge.openpgp import MAX_SIGNATURE_FILE, read_certificate, read_signatures
from ventoy_kit.errors import StorageError
from ventoy_kit.images import trust_codes
from ventoy_kit.images.authority import Accepted, Trust, judge_signatures, shown_time
from ventoy_kit.images.catalog import CatalogEntry, Signed
from ventoy_kit.images.lock import Digests, Verified
from ventoy_kit.images.recognise import release_of
from ventoy_kit.images.sums import Sums, parse_sums
from ventoy_kit.images.trust import judge_digest, unverified
from ventoy_kit.report import Path as DocPath
from ventoy_kit.report import Report


@dataclass(frozen=True, slots=True)
class LocalProof:
    """How a local file was proved: by a signature, by a checksum alone, or (neither) not at all."""

    accepted: Accepted | None = None
    checksum: bool = False
    why: str = ""

    @property
    def state(self) -> Verified:
        """One word for machines."""
        return "signature" if self.accepted is not None else "checksum" if self.checksum else "none"

    @property
    def origin(self) -> str:
        """For manifests."""
        if self.accepted is not None:
            return f"local file, signature of {self.accepted.signer}"
        return "local file, checksum only" if self.checksum else "local file, unverified"

    @property
    def text(self) -> str:
        """For people."""
        if self.accepted is not None:
            return f"good, by {self.accepted.signer}, made {shown_time(self.accepted.signed)}"
        return "none; its checksum is right" if self.checksum else f"not verified: {self.why}"


@dataclass(frozen=True, slots=True)
class Prover:
    """Proves local files.

    Attributes:
        host: effects.
        certificates: those at hand; nothing is fetched.
        known: answers what takes reading files as a whole; None to look at what lies beside them only.
    """

    host: Host
    certificates: Certificates
    known: KnownFiles | None

    def prove(
        self, file: Path, entry: CatalogEntry, trust: Trust, path: DocPath, *, release: str | None
    ) -> tuple[LocalProof, Report]:
        """Prove one file against one release of a catalog entry.

        Returns:
            How it was proved, and findings: errors for what lies beside it and contradicts, VK-J18 if nothing does.
        """
        if release is None:
            why = f"neither its contents nor its name ({entry.file} is the vendor's) say which release it is"
            return self._unproved(file, why, path)
        if entry.apt is not None:
            why = "it was assembled by ventoy-kit, and no signature covers the whole; fleet.lock pins it where it was made"
            return self._unproved(file, why, path)
        location = entry.locations(release)[0]
        content = self._beside(file, location.checksums)
        report = Report()
        sums = None
        if content is not None and entry.checksums is not None:
            name = str(file.parent / _last(location.checksums or ""))
            sums, report = parse_sums(
                content, layout=entry.checksums.format, algorithm=entry.checksums.algorithm, file=name
            )
            if sums is None:
                return LocalProof(), report
        signed, signature = self._signature(file, location.signatures, sums)
        listed = entry.listed_name(release)
        if signed is None:
            if sums is None or trust != "checksum":
                what = "checksum file" if sums is None and entry.checksums is not None else "signature"
                return self._unproved(file, f"no {what} of the vendor's lies beside it", path)
            report.extend(self._digest(file, sums, listed, path))
            return LocalProof(checksum=True), report
        accepted, found = self._judge(file, entry, (signed, signature, content), path)
        if found.has_errors and all(f.rule is trust_codes.NO_CERTIFICATE for f in found):
            why = "no certificate of the vendor's key is on this machine (`ventoy-kit fetch` brings it)"
            return self._unproved(file, why, path)
        report.extend(found)
        if sums is not None:
            report.extend(self._digest(file, sums, listed, path))
        elif signed == "checksums":
            report.extend(judge_digest(None, listed, Digests(0, ""), path=path))
        return LocalProof(accepted), report

    def _judge(
        self,
        file: Path,
        entry: CatalogEntry,
        evidence: tuple[Signed, bytes, bytes | None],
        path: DocPath,
    ) -> tuple[Accepted | None, Report]:
        signed, signature, content = evidence
        if signed == "iso" and self.known is None:
            return None, Report()
        usable = tuple(self.certificates.at_hand(entry).values())
        return judge_signatures(
            entry.keys,
            read_signatures(content or b"", signature, usable)
            if signed == "checksums" or self.known is None
            else self.known.signatures(file, signature, usable),
            tuple(read_certificate(c) for c in usable),
            signed,
            self.host.clock(),
            path=path,
        )

    def _digest(self, file: Path, sums: Sums, listed: str, path: DocPath) -> Report:
        if self.known is None:
            return Report()
        return judge_digest(
            sums, listed, self.known.digests(file, sha512=sums.algorithm == "sha512"), path=path
        )

    def _signature(
        self, file: Path, alternatives: tuple[tuple[Signed, str], ...], sums: Sums | None
    ) -> tuple[Signed | None, bytes]:
        for signed, url in alternatives:
            data = self._beside(file, url)
            if data is not None and (signed == "iso" or sums is not None):
                return signed, data
        return None, b""

    def _beside(self, file: Path, url: str | None) -> bytes | None:
        """A small file beside the image, under the last part of its vendor's address."""
        name = _last(url or "")
        if not name:
            return None
        there = file.with_name(name)
        try:
            if self.host.files.stat(there).size > max(MAX_SIGNATURE_FILE, 1 << 20):
                return None
            return self.host.files.read(there)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(
                f"{there} cannot be read: {error.strerror}", "Correct its owner and mode, or remove it."
            ) from error

    @staticmethod
    def _unproved(file: Path, why: str, path: DocPath) -> tuple[LocalProof, Report]:
        return LocalProof(why=why), Report([unverified(file.name, why, path=path)])


def _last(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def prove_local(
    workspace: Workspace, host: Host, *, known_files: KnownFiles | None
) -> tuple[Mapping[str, LocalProof], Report]:
    """Prove all local files of a fleet; stand-ins are passed over, since they are marked as such.

    Args:
        workspace: the fleet.
        host: effects.
        known_files: answers what takes reading files as a whole; None to look at what lies beside them only.
    """
    report = Report()
    proofs: dict[str, LocalProof] = {}
    kept = Certificates(workspace.library.certificates, host.cache.root / "certificates", host.files)
    prover = Prover(host, kept, known_files)
    for name, image in sorted(workspace.fleet.images.items()) if workspace.fleet is not None else ():
        facts = workspace.isos.get(name)
        if image.path is None or facts is None or facts.stand_in:
            continue
        path: DocPath = ("images", name, "path")
        file = workspace.images.files[name]
        entry = workspace.library.catalog.get(image.catalog or name)
        if entry is None:
            why = f"the catalog has no image `{name}`; name it with `catalog:`"
            proofs[name] = LocalProof(why=why)
            report.add(unverified(file.name, why, path=path))
            continue
        proofs[name], found = prover.prove(
            file, entry, image.trust, path, release=release_of(entry, facts, file.name)
        )
        report.extend(found)
    return proofs, report
