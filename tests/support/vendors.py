"""A vendor on the loopback: ISO files, signed checksums, a listing, a certificate, and a catalog entry for them."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.https_server import File, Server, honest
from tests.support.pgp import Key, armour
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
MADE = datetime(2024, 3, 1, tzinfo=UTC)
LATER = datetime(2025, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@functools.cache
def iso(release: str) -> bytes:
    """A stand-in for Proxmox VE, which says which release it is."""
    image = standin_files("proxmox-ve", release)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.iso"
        write_iso(image.files, image.volume_id, path, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
        return path.read_bytes()


@dataclass
class Vendor:
    """What the vendor has; `publish` puts it onto the server.

    Attributes:
        server: where.
        releases: the content of each release's file.
        key: what signs.
        expires: when its certificate says it expires.
        revoked: when it was revoked.
        signing: options of the signature.
        at: when the signature is made.
    """

    server: Server
    releases: dict[str, bytes] = field(default_factory=lambda: {"9.1-1": iso("9.1-1")})
    key: Key = field(default_factory=lambda: Key("Vendor <vendor@example.org>", BEGAN))
    expires: datetime | None = None
    revoked: datetime | None = None
    at: datetime = MADE
    signing: dict[str, Any] = field(default_factory=dict)

    def sums(self) -> bytes:
        lines = [
            f"{hashlib.sha256(body).hexdigest()}  {name(release)}\n"
            for release, body in sorted(self.releases.items())
        ]
        return "".join(lines).encode()

    def publish(self) -> None:
        """Everything as an honest vendor has it."""
        sums = self.sums()
        for release, body in self.releases.items():
            self.put(name(release), body)
        self.put("SHA256SUMS", sums)
        self.put("SHA256SUMS.sign", armour(self.key.sign(sums, self.at, **self.signing)))
        self.put("key.asc", armour(self.certificate(), "PUBLIC KEY BLOCK"))

    def certificate(self) -> bytes:
        return self.key.certificate(expires=self.expires, revoked=self.revoked)

    def put(self, file: str, body: bytes, **more: Any) -> None:
        self.server.put(
            f"/iso/{file}", honest(File(body, etag=f'"{hashlib.sha256(body).hexdigest()[:8]}"'), **more)
        )

    def gone(self, file: str) -> None:
        self.server.pages.pop(f"/iso/{file}", None)

    def entry(self, **changes: Any) -> str:
        """The catalog entry as YAML; JSON is YAML."""
        base = self.server.url("/iso/")
        entry: dict[str, Any] = {
            "title": "Example VE",
            "kind": "installer",
            "product": "proxmox-ve",
            "homepage": "https://example.org/",
            "file": "proxmox-ve_{release}.iso",
            "version": r"\d+\.\d+-\d+",
            "releases": [{"url": f"{base}SHA256SUMS"}],
            "mirrors": [base],
            "checksums": {"at": "SHA256SUMS", "format": "gnu", "algorithm": "sha256"},
            "signatures": [{"on": "checksums", "at": "SHA256SUMS.sign"}],
            "keys": [
                {
                    "fingerprint": self.key.fingerprint,
                    "name": "Example",
                    "url": f"{base}key.asc",
                    "origin": "made by the test",
                }
            ],
            "max_size": "64 MiB",
        }
        return json.dumps({k: v for k, v in (entry | changes).items() if v is not None})


def name(release: str) -> str:
    return f"proxmox-ve_{release}.iso"
