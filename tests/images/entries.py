"""Catalog entries for tests."""

from __future__ import annotations

from typing import Any

from ventoy_kit.images.catalog import CatalogEntry

FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


def raw_entry(*, signed: bool = True, **changes: Any) -> dict[str, Any]:
    """An entry as YAML gives it: signed checksums on a mirror."""
    raw: dict[str, Any] = {
        "title": "Example",
        "kind": "installer",
        "homepage": "https://example.org/",
        "file": "example-{release}.iso",
        "version": r"\d+\.\d+",
        "releases": [{"url": "https://example.org/SHA256SUMS"}],
        "mirrors": ["https://a.example.org/{release}/", "https://b.example.org/old/{release}/"],
        "checksums": {"at": "SHA256SUMS", "format": "gnu", "algorithm": "sha256"},
        "max_size": "1 GiB",
    }
    if signed:
        raw["signatures"] = [{"on": "checksums", "at": "SHA256SUMS.sign"}, {"on": "iso", "at": "{file}.asc"}]
        raw["keys"] = [
            {
                "fingerprint": FINGERPRINT,
                "name": "Example",
                "url": "https://example.org/key.asc",
                "origin": "made up",
            }
        ]
    return raw | changes


def entry(*, signed: bool = True, **changes: Any) -> CatalogEntry:
    return CatalogEntry.model_validate(raw_entry(signed=signed, **changes))
