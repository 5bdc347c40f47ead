"""An image of a vendor, and what tests of `fetch` look at."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.app.workspaces import Ran
from tests.support.pgp import Key
from tests.support.vendors import BEGAN, MADE, Vendor, iso, name
from ventoy_kit.edge.transfer import Patience

QUICK = Patience(connect=5, stall=0.6, tries=2, first_wait=0.01, longest_wait=0.1, small=2.0)


ISO = iso("9.1-1")


SHA = hashlib.sha256(ISO).hexdigest()


BIG = ISO + b"\0" * 2048 * 700


def catalog(folder: Path, vendor: Vendor, **changes) -> None:
    (folder / "catalog").mkdir(exist_ok=True)
    (folder / "catalog/proxmox-ve.yaml").write_text(vendor.entry(**changes))


def wants(folder: Path, image: str) -> None:
    file = folder / "fleet.yaml"
    text = file.read_text()
    start = text.index("  proxmox-ve: {")
    file.write_text(text[:start] + f"  proxmox-ve: {{{image}}}" + text[text.index("\n", start) :])


def errors(ran: Ran) -> list[str]:
    return [f["rule"] for f in ran.envelope["findings"] if f["severity"] == "error"]


def objects(cache: Path) -> list[str]:
    return sorted(p.name for p in cache.glob("isos/*/*/*"))


def usable(cache: Path) -> list[str]:
    """Whatever could be taken for an image."""
    return objects(cache) + [p.name for p in cache.rglob("*.iso")]


def folder_at(path: Path) -> Path:
    path.mkdir()
    return path


def put_iso(behaviour):
    def change(vendor: Vendor) -> None:
        vendor.server.put(f"/iso/{name('9.1-1')}", behaviour)

    return change


def unsigned_key(vendor: Vendor) -> None:
    vendor.put("SHA256SUMS.sign", Key("Somebody", BEGAN).sign(vendor.sums(), MADE))


FLIPPED = ISO[:40000] + bytes([ISO[40000] ^ 1]) + ISO[40001:]
