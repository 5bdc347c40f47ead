"""What `fetch` refuses: whatever a vendor, a mirror or somebody between can do wrong."""

from __future__ import annotations

import shutil

import pytest

from tests.app.fetch.shared import (
    BIG,
    FLIPPED,
    ISO,
    SHA,
    errors,
    objects,
    put_iso,
    unsigned_key,
    usable,
    wants,
)
from tests.support.https_server import (
    File,
    cut_after,
    honest,
    in_turn,
    redirect,
    stall_after,
    status,
    without_ranges,
)
from tests.support.pgp import Key, armour
from tests.support.vendors import BEGAN, LATER, MADE, Vendor, iso, name


def wrong_sums(vendor: Vendor) -> None:
    sums = vendor.sums().replace(SHA.encode(), b"0" * 64)
    vendor.put("SHA256SUMS", sums)
    vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))


def evil_sums(vendor: Vendor) -> None:
    sums = vendor.sums() + f"{SHA}  ../../proxmox-ve_9.9-9.iso\n".encode()
    vendor.put("SHA256SUMS", sums)
    vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))


def expired(vendor: Vendor) -> None:
    vendor.expires = datetime_of(2023)
    vendor.publish()


def web(exchange) -> None:
    status(200, b"<html>Not found</html>" * 100, Content_Type="text/html")(exchange)


def datetime_of(year: int):
    return BEGAN.replace(year=year)


def revoked(vendor: Vendor) -> None:
    vendor.revoked = LATER
    vendor.publish()


def weak(vendor: Vendor) -> None:
    vendor.signing = {"digest": "sha1"}
    vendor.publish()


def other_release(vendor: Vendor) -> None:
    """An old image, listed and signed, under the name of a new one: what a signature over an image lets through."""
    vendor.releases["9.1-1"] = iso("8.4-1")
    vendor.publish()


def web_page(path: str):
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>" * 50

    def change(vendor: Vendor) -> None:
        vendor.server.put(path, status(200, page, Content_Type="text/html"))

    return change


def removed(*files: str):
    def change(vendor: Vendor) -> None:
        for file in files:
            vendor.gone(file)

    return change


def other_content(vendor: Vendor) -> None:
    vendor.put("SHA256SUMS.sign", vendor.key.sign(b"something else", MADE))


def other_certificate(vendor: Vendor) -> None:
    vendor.put("key.asc", armour(Key("Somebody", BEGAN).certificate(), "PUBLIC KEY BLOCK"))


REFUSALS = {
    "one flipped byte": (put_iso(honest(File(FLIPPED))), "VK-J10", "has sha256"),
    "a truncated file": (put_iso(honest(File(ISO[:-2048]))), "VK-J10", f"({len(ISO) - 2048} bytes)"),
    "a longer file": (put_iso(honest(File(ISO + b"x"))), "VK-J10", f"({len(ISO) + 1} bytes)"),
    "a wrong digest": (wrong_sums, "VK-J10", "0" * 64),
    "no signature": (removed("SHA256SUMS.sign"), "VK-J01", "the server has none"),
    "a page in the place of the signature": (web_page("/iso/SHA256SUMS.sign"), "VK-J01", "holds none"),
    "an unknown key": (unsigned_key, "VK-J02", "no signature is by a pinned key"),
    "made after the key expired": (expired, "VK-J03", "2023-01-01"),
    "a revoked key": (revoked, "VK-J04", "revoked"),
    "a signature with SHA-1": (weak, "VK-J05", "SHA-1"),
    "a signature of other content": (other_content, "VK-J07", "does not verify this content"),
    "a page in the place of the checksums": (web_page("/iso/SHA256SUMS"), "VK-J42", "was not found"),
    "a page in the place of the image": (put_iso(web), "VK-J51", "HTML page"),
    "a way over plain HTTP": (put_iso(redirect("http://127.0.0.1:9/a.iso")), "VK-J51", "plain HTTP"),
    "a name that climbs": (evil_sums, "VK-J44", "`../../proxmox-ve_9.9-9.iso`"),
    "the image is gone": (removed(name("9.1-1")), "VK-J50", "not there"),
    "more than the catalog allows": (put_iso(honest(File(b"\1" * (65 << 20)))), "VK-J51", "too large"),
    "another certificate": (other_certificate, "VK-J16", "is pinned as"),
    "an old image under a new name": (other_release, "VK-J17", "says it is 8.4-1"),
}  # fmt: skip


class TestRefusals:
    @pytest.mark.parametrize("what", REFUSALS)
    def test_it_is_refused_with_its_cause_and_nothing_stays(self, what, fleet, vendor, cli, cache):
        change, rule, said = REFUSALS[what]
        change(vendor)
        ran = cli.json("fetch")
        assert ran.code == 1, ran.out
        found = [f for f in ran.envelope["findings"] if f["severity"] == "error"]
        assert rule in [f["rule"] for f in found], found
        assert any(said in f["message"] for f in found if f["rule"] == rule), found
        assert all(f["remedy"] for f in found)
        assert usable(cache) == []
        assert list(cache.glob("unverified/*.part")) == []
        assert not (fleet / "fleet.lock").exists()
        # And mended, it goes through; but a revocation that was seen once counts for ever.
        vendor.expires = vendor.revoked = None
        vendor.signing, vendor.releases = {}, {"9.1-1": ISO}
        vendor.publish()
        again = cli.json("fetch")
        assert errors(again) == (["VK-J04"] if rule == "VK-J04" else [])
        assert bool(usable(cache)) == again.envelope["ok"]

    def test_a_certificate_that_cannot_be_had_is_told_with_its_reason(self, fleet, vendor, cli, cache):
        vendor.gone("key.asc")
        ran = cli.json("fetch")
        assert errors(ran) == ["VK-J16"]
        (told,) = (
            f["message"]
            for f in ran.envelope["findings"]
            if f["severity"] == "warning" and f["rule"] == "VK-J16"
        )
        assert vendor.key.fingerprint in told
        assert "404" in told or "not there" in told
        assert usable(cache) == []

    def test_a_page_in_the_place_of_the_checksums_of_an_exact_release(self, fleet, vendor, cli, cache):
        web_page("/iso/SHA256SUMS")(vendor)
        wants(fleet, "release: 9.1-1")
        assert errors(cli.json("fetch")) == ["VK-J43"]
        assert usable(cache) == []

    def test_a_server_that_stalls(self, fleet, vendor, cli, cache):
        put_iso(stall_after(File(ISO), 20000))(vendor)
        ran = cli.json("fetch")
        assert ran.code == 3
        assert "fell silent" in ran.envelope["findings"][0]["message"]
        assert usable(cache) == []
        vendor.publish()
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA

    def test_a_server_without_ranges_after_a_cut(self, fleet, vendor, cli):
        put_iso(in_turn(cut_after(File(ISO), 30000), without_ranges(File(ISO))))(vendor)
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA

    def test_a_file_that_changes_between_two_halves(self, fleet, vendor, cli, cache):
        old = File(BIG, etag='"old"')
        put_iso(in_turn(cut_after(old, len(BIG) // 2), honest(File(ISO, etag='"new"'))))(vendor)
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA

    def test_a_part_that_rotted_is_fetched_once_more(self, fleet, vendor, cli, cache):
        put_iso(cut_after(File(ISO), len(ISO) // 2))(vendor)
        assert cli.json("fetch").code == 3
        (part,) = cache.glob("unverified/*.part")
        data = bytearray(part.read_bytes())
        assert data
        data[100] ^= 1
        part.write_bytes(data)
        vendor.put(name("9.1-1"), ISO)
        vendor.server.put(f"/iso/{name('9.1-1')}", honest(File(ISO)))
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA

    def test_too_little_room(self, fleet, vendor, cli, cache, monkeypatch):
        monkeypatch.setattr(
            "ventoy_kit.edge.net.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 100)
        )
        ran = cli.json("fetch")
        assert ran.code == 3
        assert "100 bytes free" in ran.envelope["findings"][0]["message"]
        assert usable(cache) == []

    def test_one_bad_image_does_not_hold_up_the_other(self, fleet, vendor, cli, cache):
        vendor.releases["8.4-1"] = iso("8.4-1")
        vendor.publish()
        vendor.gone(name("8.4-1"))
        file = fleet / "fleet.yaml"
        line = '  proxmox-ve: {release: "9"}\n  old: {release: "8.4", catalog: proxmox-ve}\n'
        file.write_text(file.read_text().replace("  proxmox-ve: {release: latest}\n", line))
        ran = cli.json("fetch")
        assert (ran.code, errors(ran)) == (1, ["VK-J50"])
        assert ran.envelope["findings"][0]["path"] == "images.old.release"
        assert objects(cache) == [name("9.1-1")]
        assert "images.proxmox-ve" in (fleet / "fleet.lock").read_text()
