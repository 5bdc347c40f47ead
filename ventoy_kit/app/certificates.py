"""Certificates of pinned keys: those of the catalog, and those that were fetched and have the pinned fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.edge.files import make_folder, write_atomic
from ventoy_kit.edge.openpgp import read_certificate, split_certificates
from ventoy_kit.images.authority import judge_certificate
from ventoy_kit.images.catalog import CatalogEntry, Key
from ventoy_kit.images.signatures import CertificateFacts
from ventoy_kit.ports import Files
from ventoy_kit.report import Path as DocPath
from ventoy_kit.report import Report


@dataclass(frozen=True, slots=True)
class Certificates:
    """Looks certificates up.

    Attributes:
        shipped: the catalog's `keys/` folder.
        folder: where fetched ones are kept, one file per fingerprint.
        files: the host's files.
    """

    shipped: Mapping[str, bytes]
    folder: Path
    files: Files

    def of(self, key: Key) -> bytes | None:
        """The certificate of a key as far as it is on this machine; never one of another key."""
        if key.file is not None:
            data = self.shipped.get(key.file.removeprefix("keys/"))
        else:
            try:
                data = self.files.read(self._kept(key) if key.keyring is None else Path(key.keyring))
            except OSError:
                data = None
        return None if data is None else _matching(key, data)[0]

    def at_hand(self, entry: CatalogEntry) -> Mapping[str, bytes]:
        """The certificates of an entry's keys that are on this machine, by fingerprint."""
        found = {key.fingerprint: self.of(key) for key in entry.keys}
        return {fingerprint: data for fingerprint, data in found.items() if data is not None}

    def take(self, key: Key, data: bytes, path: DocPath) -> tuple[bytes | None, Report]:
        """Keep a fetched certificate if it is the pinned key's; VK-J16 if it is not.

        Raises:
            StorageError: it cannot be written.
        """
        certificate, found = _matching(key, data)
        report = judge_certificate(key, found, path=path)
        if certificate is None or report.has_errors:
            return None, report
        make_folder(self.folder)
        write_atomic(self._kept(key), certificate)
        return certificate, report

    @staticmethod
    def is_revoked(certificate: bytes) -> bool:
        """Whether its owner has revoked it: a server that leaves the revocation out is not asked again."""
        return read_certificate(certificate).revoked

    def _kept(self, key: Key) -> Path:
        return self.folder / f"{key.fingerprint}.pgp"


def _matching(key: Key, data: bytes) -> tuple[bytes | None, list[CertificateFacts]]:
    """The one certificate of a file that has the pinned fingerprint, and facts of all."""
    facts: list[CertificateFacts] = []
    matching = None
    for certificate in split_certificates(data):
        try:
            found = read_certificate(certificate)
        except ValueError:
            continue
        facts.append(found)
        if found.fingerprint == key.fingerprint:
            matching = certificate
    return matching, facts
