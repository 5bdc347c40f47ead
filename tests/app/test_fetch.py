"""`fetch`, and `build`, `check` and `image verify` with what it brings, whole, against a real HTTPS server."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.app.workspaces import Ran, command, environment, make_starter
from tests.support.https_server import (
    File,
    Server,
    cut_after,
    honest,
    in_turn,
    redirect,
    serving,
    stall_after,
    status,
    without_ranges,
    write_authority,
)
from tests.support.pgp import Key, armour
from tests.support.vendors import BEGAN, LATER, MADE, NOW, Vendor, iso, name
from ventoy_kit.app import known_files
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.edge.transfer import Patience
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

QUICK = Patience(connect=5, stall=0.6, tries=2, first_wait=0.01, longest_wait=0.1, small=2.0)
ISO = iso("9.1-1")
SHA = hashlib.sha256(ISO).hexdigest()
BIG = ISO + b"\0" * 2048 * 700


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server(authority, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(write_authority(authority, tmp_path)))
    for variable in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ventoy_kit.app.fetch.PATIENCE", QUICK)
    monkeypatch.setattr("ventoy_kit.edge.machine.datetime", _Clock)
    with serving(authority.issue_cert("127.0.0.1")) as running:
        yield running


class _Clock:
    @staticmethod
    def now(_zone):
        return NOW


@pytest.fixture
def vendor(server: Server) -> Vendor:
    made = Vendor(server)
    made.publish()
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def fleet(tmp_path: Path, vendor: Vendor, monkeypatch) -> Path:
    """The starter fleet, whose image comes from the vendor; gives the folder."""
    folder = tmp_path / "fleet"
    make_starter(folder)
    shutil.rmtree(folder / "iso")
    file = folder / "fleet.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith("#")]
    text = "\n".join(lines) + "\n"
    start = text.index("images:\n")
    end = text.index("\n", text.index("proxmox-ve:", start))
    text = text[:start] + "images:\n  proxmox-ve: {release: latest}" + text[end:]
    file.write_text(text)
    catalog(folder, vendor)
    monkeypatch.chdir(folder)
    return folder


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


class TestHappyPath:
    def test_latest_is_chosen_verified_and_locked(self, fleet, vendor, cli, cache):
        vendor.releases["8.4-1"] = iso("8.4-1")
        vendor.publish()
        result = cli.json("fetch").result
        image = result["images"]["proxmox-ve"]
        assert (image["release"], image["sha256"], image["source"]) == ("9.1-1", SHA, "network")
        assert (image["verified"], image["signer"]) == ("signature", vendor.key.fingerprint)
        assert Path(image["path"]).read_bytes() == ISO
        assert objects(cache) == [name("9.1-1")]
        lock = (fleet / "fleet.lock").read_text()
        assert f'sha256 = "{SHA}"' in lock
        assert "signed = 2024-03-01" in lock
        assert list((cache / "unverified").iterdir()) == []

    def test_twice_in_a_row_changes_nothing_and_asks_nobody(self, fleet, vendor, cli, server):
        cli.json("fetch").result  # noqa: B018 - it must succeed
        lock, asked = (fleet / "fleet.lock").read_bytes(), len(server.requests)
        again = cli.json("fetch").result
        assert again["images"]["proxmox-ve"]["source"] == "cache"
        assert again["changes"] == {}
        assert ((fleet / "fleet.lock").read_bytes(), len(server.requests)) == (lock, asked)

    def test_for_people(self, fleet, cli):
        ran = cli("fetch")
        assert ran.code == 0, ran.err
        assert "locked proxmox-ve: 9.1-1" in ran.out
        assert "vendor, signature of" in ran.out
        assert "unchanged" in cli("fetch").out

    def test_build_fetches_what_is_missing_and_records_where_from(self, fleet, vendor, cli):
        result = cli.json("build").result
        (staged,) = result["isos"]
        assert (staged["path"], staged["sha256"]) == (f"iso/{name('9.1-1')}", SHA)
        # The test's ISO is a stand-in, and says so before anything else.
        assert staged["origin"] == "stand-in, cannot boot"
        assert cli.json("build").result["steps"] == []
        assert cli.json("stage", "--yes", _folder(fleet / "stick")).result["steps"]
        assert (fleet / "stick/iso" / name("9.1-1")).read_bytes() == ISO

    def test_two_images_at_once(self, fleet, vendor, cli, cache):
        vendor.releases["8.4-1"] = iso("8.4-1")
        vendor.publish()
        file = fleet / "fleet.yaml"
        file.write_text(
            file.read_text().replace(
                "  proxmox-ve: {release: latest}\n",
                '  proxmox-ve: {release: "9"}\n  old: {release: "8.4", catalog: proxmox-ve}\n',
            )
        )
        images = cli.json("fetch").result["images"]
        assert {n: i["release"] for n, i in images.items()} == {"proxmox-ve": "9.1-1", "old": "8.4-1"}
        assert objects(cache) == [name("8.4-1"), name("9.1-1")]

    def test_an_exact_release_asks_for_no_listing(self, fleet, vendor, cli, server):
        catalog(fleet, vendor, releases=[{"url": server.url("/listing")}])
        wants(fleet, "release: 9.1-1")
        cli.json("fetch").result  # noqa: B018 - it must succeed
        assert "/listing" not in {r.path for r in server.requests}

    def test_a_certificate_beside_the_catalog(self, fleet, vendor, cli, server):
        entry = json.loads(vendor.entry())
        entry["keys"][0].pop("url")
        entry["keys"][0]["file"] = f"keys/{vendor.key.fingerprint}.asc"
        (fleet / "catalog/proxmox-ve.yaml").write_text(json.dumps(entry))
        (fleet / "catalog/keys").mkdir()
        (fleet / "catalog/keys" / f"{vendor.key.fingerprint}.asc").write_bytes(
            armour(vendor.certificate(), "PUBLIC KEY BLOCK")
        )
        cli.json("fetch").result  # noqa: B018 - it must succeed
        assert "/iso/key.asc" not in {r.path for r in server.requests}

    def test_a_signature_over_the_image(self, fleet, vendor, cli):
        catalog(fleet, vendor, checksums=None, signatures=[{"on": "iso", "at": "{file}.asc"}],
                releases=[{"fixed": ["9.1-1"]}])  # fmt: skip
        vendor.put(f"{name('9.1-1')}.asc", vendor.key.sign(ISO, MADE))
        assert cli.json("fetch").result["images"]["proxmox-ve"]["verified"] == "signature"

    def test_sha512(self, fleet, vendor, cli):
        sums = f"{hashlib.sha512(ISO).hexdigest()}  {name('9.1-1')}\n".encode()
        vendor.put("SHA256SUMS", sums)
        vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))
        catalog(fleet, vendor, checksums={"at": "SHA256SUMS", "format": "gnu", "algorithm": "sha512"})
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha512"] == hashlib.sha512(ISO).hexdigest()
        # Another fleet finds it by the digest that the vendor states.
        (fleet / "fleet.lock").unlink()
        assert cli.json("fetch").result["images"]["proxmox-ve"]["source"] == "cache"

    @pytest.mark.parametrize("first", [True, False])
    def test_of_several_signatures_one_by_a_pinned_key_is_enough(self, first, fleet, vendor, cli):
        """As Proxmox 9.2-1 is reported to have it: one file, two signatures, one of them by a key nobody knows."""
        sums, stranger = vendor.sums(), Key("Somebody", BEGAN)
        signatures = [vendor.key.sign(sums, MADE), stranger.sign(sums, LATER)]
        vendor.put("SHA256SUMS.sign", armour(b"".join(signatures if first else signatures[::-1])))
        assert cli.json("fetch").result["images"]["proxmox-ve"]["signer"] == vendor.key.fingerprint

    def test_the_next_mirror_when_the_first_has_nothing(self, fleet, vendor, cli, server):
        catalog(fleet, vendor, mirrors=[server.url("/empty/"), server.url("/iso/")])
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert image["urls"] == [server.url(f"/empty/{name('9.1-1')}"), server.url(f"/iso/{name('9.1-1')}")]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


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


def put_iso(behaviour):
    def change(vendor: Vendor) -> None:
        vendor.server.put(f"/iso/{name('9.1-1')}", behaviour)

    return change


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


def unsigned_key(vendor: Vendor) -> None:
    vendor.put("SHA256SUMS.sign", Key("Somebody", BEGAN).sign(vendor.sums(), MADE))


def other_content(vendor: Vendor) -> None:
    vendor.put("SHA256SUMS.sign", vendor.key.sign(b"something else", MADE))


def other_certificate(vendor: Vendor) -> None:
    vendor.put("key.asc", armour(Key("Somebody", BEGAN).certificate(), "PUBLIC KEY BLOCK"))


FLIPPED = ISO[:40000] + bytes([ISO[40000] ^ 1]) + ISO[40001:]

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


class TestTrust:
    def test_checksums_alone_need_the_user_s_word(self, fleet, vendor, cli, cache):
        catalog(fleet, vendor, signatures=None, keys=None)
        assert errors(cli.json("fetch")) == ["VK-J13"]
        assert usable(cache) == []
        wants(fleet, "release: latest, trust: checksum")
        ran = cli.json("fetch")
        assert ran.result["images"]["proxmox-ve"]["verified"] == "checksum"
        assert [f["rule"] for f in ran.envelope["findings"]] == ["VK-J14"]
        assert "checksum only" in cli("fetch").out
        wants(fleet, "release: latest")
        assert errors(cli.json("fetch")) == ["VK-J13"]

    def test_the_user_s_word_does_not_outweigh_a_bad_signature(self, fleet, vendor, cli):
        wants(fleet, "release: latest, trust: checksum")
        unsigned_key(vendor)
        assert errors(cli.json("fetch")) == ["VK-J02"]

    def test_an_unknown_image_of_the_catalog(self, fleet, cli):
        wants(fleet, "release: latest, catalog: proxmox-vee")
        (finding,) = cli.json("fetch").envelope["findings"]
        assert (finding["rule"], finding["remedy"]) == ("VK-J49", "Did you mean `proxmox-ve`?")
        assert errors(cli.json("check"))[0] == "VK-J49"

    def test_neither_or_both_of_release_and_path(self, fleet, cli):
        wants(fleet, "release: latest, path: a.iso")
        assert "VK-S" in errors(cli.json("check"))[0]
        wants(fleet, "title: x")
        assert "VK-S" in errors(cli.json("check"))[0]

    def test_a_request_that_is_none(self, fleet, cli):
        wants(fleet, "release: newest")
        assert errors(cli.json("fetch")) == ["VK-J41"]


class TestLock:
    def test_a_colleague_with_the_lock_gets_the_same_bytes(self, fleet, vendor, cli, cache):
        cli.json("fetch").result  # noqa: B018 - it must succeed
        shutil.rmtree(cache)
        vendor.releases["9.2-1"] = iso("9.2-1")
        vendor.publish()
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert (image["release"], image["sha256"], image["source"]) == ("9.1-1", SHA, "network")

    def test_a_vendor_that_replaced_the_file(self, fleet, vendor, cli, cache):
        cli.json("fetch").result  # noqa: B018 - it must succeed
        shutil.rmtree(cache)
        vendor.put(name("9.1-1"), FLIPPED)
        assert errors(cli.json("fetch")) == ["VK-J15"]
        vendor.put(name("9.1-1"), ISO + b"\0" * 2048)
        assert errors(cli.json("fetch")) == ["VK-J51"]
        assert usable(cache) == []

    def test_update_moves_it_and_shows_the_difference(self, fleet, vendor, cli):
        cli("fetch")
        vendor.releases["9.2-1"] = iso("9.2-1")
        vendor.at = LATER
        vendor.publish()
        assert cli.json("fetch").result["changes"] == {}
        ran = cli("fetch", "--update", "proxmox-ve")
        assert "release: 9.1-1 -> 9.2-1" in ran.out
        assert cli.json("fetch", "--update", "proxmox-ve").result["changes"] == {}

    def test_a_replayed_checksum_file_does_not_take_it_back(self, fleet, vendor, cli):
        vendor.releases["9.2-1"] = iso("9.2-1")
        vendor.at = LATER
        vendor.publish()
        cli.json("fetch").result  # noqa: B018 - it must succeed
        lock = (fleet / "fleet.lock").read_bytes()
        del vendor.releases["9.2-1"]
        vendor.at = MADE
        vendor.publish()
        assert errors(cli.json("fetch", "--update", "proxmox-ve")) == ["VK-J12", "VK-J11"]
        assert (fleet / "fleet.lock").read_bytes() == lock

    def test_another_request_moves_it_without_being_asked(self, fleet, vendor, cli):
        cli("fetch")
        vendor.releases["8.4-1"] = iso("8.4-1")
        vendor.publish()
        wants(fleet, "release: '8'")
        assert cli.json("fetch").result["changes"]["proxmox-ve"]["new"] == "8.4-1"

    def test_an_image_that_left_the_fleet_leaves_the_lock(self, fleet, vendor, cli):
        cli("fetch")
        file = fleet / "fleet.yaml"
        file.write_text(file.read_text().replace("proxmox-ve: {", "pve: {catalog: proxmox-ve, "))
        assert set(cli.json("fetch").result["changes"]) == {"proxmox-ve", "pve"}

    @pytest.mark.parametrize(
        "text", ["<<<<<<< ours\n", "version = 2\n", 'version = 1\n[images.a]\nfile = "x"\n']
    )
    def test_a_lock_that_cannot_be_read_stops_everything(self, text, fleet, cli, server):
        (fleet / "fleet.lock").write_text(text)
        for args in (["fetch"], ["build"], ["check"]):
            ran = cli.json(*args)
            assert ran.code == 1
            assert {f["file"] for f in ran.envelope["findings"] if f["severity"] == "error"} == {"fleet.lock"}
        assert server.requests == []
        assert (fleet / "fleet.lock").read_text() == text


class TestOffline:
    def test_it_says_what_is_missing_and_touches_no_network(self, fleet, vendor, cli, server, cache):
        for args in (["fetch", "--offline"], ["build", "--offline"], ["build", "--dry-run"], ["checklist"]):
            ran = cli.json(*args)
            assert (ran.code, errors(ran)) == (1, ["VK-J54"]), args
        assert server.requests == []
        cli("fetch")
        asked = len(server.requests)
        shutil.rmtree(cache)
        ran = cli.json("fetch", "--offline")
        assert (
            f"{name('9.1-1')} ({len(ISO):,} bytes) is not in the cache"
            in ran.envelope["findings"][0]["message"]
        )
        assert len(server.requests) == asked

    def test_with_the_cache_everything_works(self, fleet, vendor, cli, server):
        cli("fetch")
        asked = len(server.requests)
        server.pages.clear()
        assert cli.json("fetch", "--offline").result["images"]["proxmox-ve"]["sha256"] == SHA
        assert cli.json("build", "--offline").code == 0
        assert len(server.requests) == asked

    def test_update_asks_the_vendor(self, fleet, cli):
        assert cli("fetch", "--offline", "--update", "proxmox-ve").code == 2


class TestCheck:
    def test_what_is_not_fetched_is_a_note_and_the_rest_is_checked(self, fleet, cli, server):
        ran = cli.json("check")
        assert ran.code == 0
        assert [(f["rule"], f["severity"]) for f in ran.envelope["findings"] if f["rule"] != "VK-G02"] == [
            ("VK-J54", "note")
        ]
        assert ran.result["missing"] == ["proxmox-ve"]
        assert server.requests == []
        cli("fetch")
        assert cli.json("check").result["images"]["proxmox-ve"]["release"] == "9.1"

    @pytest.mark.parametrize("request_", ["8.3-1", "8.3", "7"])
    def test_a_release_that_is_too_old_for_its_node_is_told_before_any_download(
        self, request_, fleet, vendor, cli, server
    ):
        automated = {"family": "proxmox", "since": "8.4-1", "how": "as the test says"}
        catalog(fleet, vendor, automated=automated)
        wants(fleet, f"release: '{request_}'")
        for args in (["check"], ["fetch"], ["build"]):
            ran = cli.json(*args)
            assert (ran.code, errors(ran)) == (1, ["VK-I10"]), args
            assert any("8.4-1" in f["message"] for f in ran.envelope["findings"] if f["rule"] == "VK-I10")
        assert server.requests == []
        # An image that no node is installed from may be as old as it likes.
        wants(fleet, f"release: '9'}}\n  old: {{catalog: proxmox-ve, release: '{request_}'")
        assert "VK-I10" not in errors(cli.json("check"))

    def test_a_series_whose_newest_release_is_too_old(self, fleet, vendor, cli, server):
        automated = {"family": "proxmox", "since": "9.1-2", "how": "as the test says"}
        catalog(fleet, vendor, automated=automated)
        for request in ("'9'", "latest"):
            wants(fleet, f"release: {request}")
            assert cli.json("check").code == 0
            assert errors(cli.json("fetch")) == ["VK-I10"]
        assert f"/iso/{name('9.1-1')}" not in {r.path for r in server.requests}

    def test_newer_releases_are_told_when_asked(self, fleet, vendor, cli, server, monkeypatch):
        monkeypatch.setattr("ventoy_kit.app.newer.PATIENCE", QUICK)
        wants(fleet, "release: '9.1'")
        cli("fetch")
        assert "VK-J57" not in {f["rule"] for f in cli.json("check", "--online").envelope["findings"]}
        for release, remedy in (("9.1-2", "fetch --update proxmox-ve"), ("10.0-1", "release: 10.0-1")):
            vendor.releases = {"9.1-1": ISO, release: ISO}
            vendor.publish()
            assert "VK-J57" not in {f["rule"] for f in cli.json("check").envelope["findings"]}
            ran = cli.json("check", "--online")
            assert ran.code == 0
            (found,) = (f for f in ran.envelope["findings"] if f["rule"] == "VK-J57")
            assert found["severity"] == "warning"
            assert release in found["message"]
            assert remedy in found["remedy"]


class TestVerify:
    def test_the_cache_is_read_again(self, fleet, vendor, cli, cache):
        assert errors(cli.json("image", "verify")) == ["VK-J54"]
        path = Path(cli.json("fetch").result["images"]["proxmox-ve"]["path"])
        assert cli.json("image", "verify").code == 0
        path.write_bytes(FLIPPED)
        ran = cli.json("image", "verify")
        assert (ran.code, errors(ran)) == (1, ["VK-J55"])
        # What is damaged is not used, and is brought again.
        assert errors(cli.json("build", "--offline")) == ["VK-J54"]
        assert cli.json("fetch").result["images"]["proxmox-ve"]["source"] == "network"
        assert cli.json("image", "verify").code == 0

    def test_what_is_staged_is_read_again(self, fleet, vendor, cli):
        stick = _folder(fleet / "stick")
        assert errors(cli.json("image", "verify", stick)) == ["VK-J56"]
        cli("build")
        cli("stage", stick, "--yes")
        (row,) = cli.json("image", "verify", stick).result["images"]
        assert row["state"] == "right"
        (stick / "iso" / name("9.1-1")).write_bytes(FLIPPED)
        ran = cli.json("image", "verify", stick)
        assert (ran.code, errors(ran)) == (1, ["VK-J56"])
        (stick / "iso" / name("9.1-1")).unlink()
        assert errors(cli.json("image", "verify", stick)) == ["VK-J56"]

    def test_list_says_what_is_locked(self, fleet, vendor, cli, cache):
        entry = cli.json("image", "list").result["images"]["proxmox-ve"]
        assert (entry["trust"], entry["locked"]) == ("signature", {})
        assert entry["signers"][0]["fingerprint"] == vendor.key.fingerprint
        cli("fetch")
        entry = cli.json("image", "list").result["images"]["proxmox-ve"]
        assert entry["locked"] == {
            "proxmox-ve": {"release": "9.1-1", "verified": "signature", "origin": "vendor", "cached": True}
        }
        shutil.rmtree(cache)
        assert "not in the cache" in cli("image", "list").out


def counted(monkeypatch, function: str) -> list[tuple[Any, ...]]:
    """The arguments of each call of something that reads a whole local file."""
    plain = vars(known_files)[function]
    calls: list[tuple[Any, ...]] = []

    def call(*args: Any, **more: Any) -> Any:
        calls.append(args)
        return plain(*args, **more)

    monkeypatch.setattr(known_files, function, call)
    return calls


class TestLocalFiles:
    """A real boot layout without the marks of a stand-in, so that it is judged as a vendor's image is."""

    @pytest.fixture
    def local(self, fleet, vendor, monkeypatch) -> Path:
        from dataclasses import replace

        from ventoy_kit.app import workspace
        from ventoy_kit.gather.isos import inspect_isos as plain

        def without_marks(*args, **more):
            facts, report = plain(*args, **more)
            return {n: replace(f, stand_in=False) for n, f in facts.items()}, report

        monkeypatch.setattr(workspace, "inspect_isos", without_marks)
        folder = _folder(fleet / "mine")
        (folder / name("9.1-1")).write_bytes(ISO)
        wants(fleet, f"path: mine/{name('9.1-1')}")
        entry = json.loads(vendor.entry())
        entry["keys"][0].pop("url")
        entry["keys"][0]["file"] = f"keys/{vendor.key.fingerprint}.asc"
        (fleet / "catalog/proxmox-ve.yaml").write_text(json.dumps(entry))
        _folder(fleet / "catalog/keys")
        (fleet / "catalog/keys" / f"{vendor.key.fingerprint}.asc").write_bytes(
            armour(vendor.certificate(), "PUBLIC KEY BLOCK")
        )
        return folder

    def beside(self, local: Path, vendor: Vendor, sums: bytes | None = None) -> None:
        sums = vendor.sums() if sums is None else sums
        (local / "SHA256SUMS").write_bytes(sums)
        (local / "SHA256SUMS.sign").write_bytes(vendor.key.sign(sums, MADE))

    def origin(self, ran) -> str:
        (staged,) = ran.result["isos"]
        return str(staged["origin"])

    def test_with_nothing_beside_it_is_marked(self, local, cli):
        ran = cli.json("build")
        assert self.origin(ran) == "local file, unverified"
        assert "VK-J18" in {f["rule"] for f in ran.envelope["findings"]}
        assert "VK-J18" in {f["rule"] for f in cli.json("check").envelope["findings"]}

    def test_with_signed_checksums_beside_it_is_verified(self, local, vendor, cli, server):
        self.beside(local, vendor)
        ran = cli.json("build")
        assert self.origin(ran) == f"local file, signature of {vendor.key.fingerprint}"
        assert "VK-J18" not in {f["rule"] for f in ran.envelope["findings"]}
        assert cli.json("image", "verify").code == 0
        assert server.requests == []

    def test_what_contradicts_is_refused(self, local, vendor, cli):
        self.beside(local, vendor, vendor.sums().replace(SHA.encode(), b"0" * 64))
        assert "VK-J10" in errors(cli.json("build"))
        assert cli.json("image", "verify").code == 1
        self.beside(local, vendor)
        (local / "SHA256SUMS.sign").write_bytes(Key("Somebody", BEGAN).sign(vendor.sums(), MADE))
        for args in (["build"], ["check"], ["image", "verify"]):
            assert "VK-J02" in errors(cli.json(*args)), args

    def test_checksums_alone_count_where_the_fleet_file_says_so(self, local, vendor, cli):
        (local / "SHA256SUMS").write_bytes(vendor.sums())
        assert self.origin(cli.json("build")) == "local file, unverified"
        wants(local.parent, f"path: mine/{name('9.1-1')}, trust: checksum")
        assert self.origin(cli.json("build")) == "local file, checksum only"

    def test_a_renamed_file_is_proved_by_what_it_says_of_itself(self, local, vendor, cli):
        self.beside(local, vendor)
        (local / name("9.1-1")).rename(local / "mine.iso")
        wants(local.parent, "path: mine/mine.iso")
        assert self.origin(cli.json("build")) == f"local file, signature of {vendor.key.fingerprint}"
        path = str(local / "mine.iso")
        # By its volume identifier, without a fleet file that names it.
        entry = json.loads((local.parent / "catalog/proxmox-ve.yaml").read_text())
        entry["identity"] = {"volume_id": "VK-STAND-IN.*"}
        (local.parent / "catalog/proxmox-ve.yaml").write_text(json.dumps(entry))
        found = cli.json("image", "inspect", path).result["images"][path]
        assert (found["catalog"], found["verified"]) == ("proxmox-ve", "signature")

    def test_a_renamed_file_that_says_nothing_cannot_be_proved(self, local, vendor, cli):
        self.beside(local, vendor)
        (local / name("9.1-1")).rename(local / "mine.iso")
        wants(local.parent, "path: mine/mine.iso")
        file = local.parent / "catalog/proxmox-ve.yaml"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"version": r"\d+"}))
        (found,) = (f for f in cli.json("build").envelope["findings"] if f["rule"] == "VK-J18")
        assert "neither its contents nor its name" in found["message"]

    def test_a_prepared_file_is_shown_by_inspect_and_refused_by_everything_else(self, local, vendor, cli):
        image = standin_files("proxmox-ve", "9.1-1")
        answer = b'[global]\nkeyboard = "de"\nroot-password = "hunter2hunter2"\n'
        files = dict(image.files) | {"/answer.toml": answer, "/auto-installer-mode.toml": b'mode = "iso"\n'}
        path = local / name("9.1-1")
        write_iso(files, image.volume_id, path, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)
        ran = cli.json("image", "inspect", str(path))
        assert (ran.code, {f["rule"]: f["severity"] for f in ran.envelope["findings"]}) == (
            0,
            {"VK-I07": "warning"},
        )
        added = ran.result["images"][str(path)]["added"]
        assert [one["path"] for one in added] == ["/answer.toml", "/auto-installer-mode.toml"]
        shown = cli("image", "inspect", str(path))
        assert 'root-password = "<redacted>"' in shown.out
        assert "hunter2" not in shown.out + shown.err + ran.out
        for args in (
            ["build"],
            ["check"],
            ["image", "verify"],
        ):
            assert "VK-I07" in errors(cli.json(*args)), args
        assert cli.json("status", str(_folder(local.parent / "stick"))).code == 1

    def test_a_signature_over_the_image_is_read_once(self, local, vendor, cli, monkeypatch):
        file = local.parent / "catalog/proxmox-ve.yaml"
        entry = json.loads(file.read_text()) | {"signatures": [{"on": "iso", "at": "{file}.asc"}]}
        del entry["checksums"]
        file.write_text(json.dumps(entry))
        path = local / name("9.1-1")
        (local / f"{path.name}.asc").write_bytes(vendor.key.sign(ISO, MADE))
        read = counted(monkeypatch, "read_signatures")
        signed = f"local file, signature of {vendor.key.fingerprint}"
        for _ in range(2):
            assert self.origin(cli.json("build")) == signed
        assert len(read) == 1
        assert cli.json("image", "verify").code == 0
        assert len(read) == 2, "verify never believes what is remembered"
        # Another signature, another certificate or another file is looked at anew.
        (local / f"{path.name}.asc").write_bytes(vendor.key.sign(b"something else", MADE))
        assert "VK-J07" in errors(cli.json("build"))
        (local / f"{path.name}.asc").write_bytes(vendor.key.sign(ISO, MADE))
        path.write_bytes(FLIPPED)
        assert "VK-J07" in errors(cli.json("build"))
        path.write_bytes(ISO)
        assert self.origin(cli.json("build")) == signed
        vendor.revoked = LATER
        key = local.parent / "catalog/keys" / f"{vendor.key.fingerprint}.asc"
        key.write_bytes(armour(vendor.certificate(), "PUBLIC KEY BLOCK"))
        assert "VK-J04" in errors(cli.json("build"))

    @pytest.mark.parametrize("told", ["x", [], {"of": 1}, {"of": "", "signatures": [{"verified": True}]}])
    def test_a_memory_that_makes_no_sense_is_not_believed(self, told, local, vendor, cli):
        self.beside(local, vendor)
        cli.json("build").result  # noqa: B018 - it must succeed
        file = local.parent / ".ventoy-kit/digests.json"
        known = json.loads(file.read_text())
        file.write_text(
            json.dumps({path: entry | {"proof": told, "sha256": 3} for path, entry in known.items()})
        )
        assert self.origin(cli.json("build")) == f"local file, signature of {vendor.key.fingerprint}"

    def test_sha512_comes_from_the_same_reading(self, local, vendor, cli, monkeypatch):
        sums = f"{hashlib.sha512(ISO).hexdigest()}  {name('9.1-1')}\n".encode()
        file = local.parent / "catalog/proxmox-ve.yaml"
        entry = json.loads(file.read_text())
        entry["checksums"]["algorithm"] = "sha512"
        file.write_text(json.dumps(entry))
        self.beside(local, vendor, sums)
        read = counted(monkeypatch, "digests_of")
        for _ in range(2):
            assert self.origin(cli.json("build")) == f"local file, signature of {vendor.key.fingerprint}"
        assert [names[1:] for names in read] == [("sha256", "sha512")]

    def test_inspect_says_the_state_of_the_signature(self, local, vendor, cli):
        path = str(local / name("9.1-1"))
        assert cli.json("image", "inspect", path).result["images"][path]["verified"] == "none"
        self.beside(local, vendor)
        assert cli.json("image", "inspect", path).result["images"][path]["verified"] == "signature"
        assert f"good, by {vendor.key.fingerprint}" in cli("image", "inspect", path).out
        (local / name("9.1-1")).write_bytes(FLIPPED)
        assert errors(cli.json("image", "inspect", path)) == ["VK-J10"]

    def test_fetch_brings_the_certificate(self, local, vendor, cli):
        self.beside(local, vendor)
        catalog(local.parent, vendor)
        assert self.origin(cli.json("build")) == "local file, unverified"
        assert cli.json("fetch").code == 0
        assert self.origin(cli.json("build")).startswith("local file, signature of ")


class TestArchives:
    def archive(self, *members: tuple[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            for member, data in members:
                made.writestr(member, data)
        return out.getvalue()

    @pytest.fixture
    def publish(self, fleet, vendor):
        def publish(data: bytes) -> None:
            sums = f"{hashlib.sha256(data).hexdigest()}  pve_9.1-1.zip\n".encode()
            vendor.put("pve_9.1-1.zip", data)
            vendor.put("SHA256SUMS", sums)
            vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))

        catalog(fleet, vendor, file="pve_{release}.zip",
                unpack={"member": r"[a-z]+\.iso", "name": "pve_{release}.iso"}, max_size="2 MiB")  # fmt: skip
        return publish

    def test_the_image_is_unpacked_and_both_are_locked(self, fleet, cli, cache, publish):
        publish(self.archive(("readme.txt", b"hello"), ("image.iso", ISO)))
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert (image["file"], image["sha256"], image["origin"]) == ("pve_9.1-1.iso", SHA, "unpacked")
        assert image["inputs"][0]["file"] == "pve_9.1-1.zip"
        assert objects(cache) == ["pve_9.1-1.iso"]
        assert list((cache / "unverified").iterdir()) == []
        shutil.rmtree(cache)
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA
        assert objects(cache) == ["pve_9.1-1.iso"]
        assert list((cache / "unverified").iterdir()) == []

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ([("readme.txt", b"")], "0 members match"),
            ([("a.iso", ISO), ("b.iso", ISO)], "2 members match"),
            ([("../../a.iso", ISO)], "0 members match"),
            ([("a.iso", b"\0" * (3 << 20))], "larger than"),
            ([], "0 members"),
        ],
    )
    def test_an_archive_that_does_not_hold_it(self, members, said, cli, cache, publish):
        publish(self.archive(*members))
        ran = cli.json("fetch")
        assert errors(ran) == ["VK-J53"]
        assert said in ran.envelope["findings"][-1]["message"]
        assert usable(cache) == []
        assert list(cache.glob("unverified/*.part")) == []

    def test_no_archive_at_all(self, cli, cache, publish):
        publish(ISO)
        assert errors(cli.json("fetch")) == ["VK-J53"]
        assert usable(cache) == []


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("fetch", "--json"), cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path, monkeypatch):
    """A real file system of 16 MiB with the cache on it."""
    where = _folder(tmp_path / "small")
    if request.param == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs"]
    else:
        image = tmp_path / "small.img"
        with image.open("wb") as file:
            file.truncate(20 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image)], check=True)
        mount = ["mount", "-o", "loop", str(image)]
    done = subprocess.run([*mount, str(where)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{request.param} cannot be mounted here: {done.stderr.strip()}")
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(where / "cache"))
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take all room but `leave` bytes."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        while (free := shutil.disk_usage(folder).free - leave) > 0:
            try:
                file.write(b"x" * min(free, 1 << 16))
                file.flush()
            except OSError:
                break
    return filler


@pytest.mark.needs_root
@pytest.mark.needs_tool("mount", "mkfs.ext4")
class TestFullDisk:
    LARGE = ISO + random.Random(5).randbytes(2048 * 3000)

    def refused(self, cli, small_disk) -> str:
        ran = cli.json("fetch")
        assert ran.code == 3
        assert usable(small_disk / "cache") == []
        assert not Path("fleet.lock").exists()
        return str(ran.envelope["findings"][0]["message"])

    def test_before_the_first_byte(self, fleet, vendor, cli, small_disk):
        vendor.releases["9.1-1"] = self.LARGE
        vendor.publish()
        filler = fill(small_disk, 3 << 20)
        assert "free" in self.refused(cli, small_disk)
        assert [p for p in (small_disk / "cache/unverified").iterdir() if p.suffix == ".part"] == []
        filler.unlink()
        assert cli.json("fetch").code == 0

    def test_in_the_middle_of_a_download(self, fleet, vendor, cli, server, small_disk):
        vendor.releases["9.1-1"] = self.LARGE
        vendor.publish()
        file = File(self.LARGE, etag='"a"')

        def behave(exchange) -> None:
            exchange.file_head(file)
            half = len(self.LARGE) // 2
            exchange.send(file.body[:half])
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and not any(
                p.stat().st_size > 1 << 20 for p in small_disk.glob("cache/unverified/*.part")
            ):
                time.sleep(0.01)
            fill(small_disk, 0)
            exchange.send(file.body[half:])

        path = f"/iso/{name('9.1-1')}"
        server.put(path, in_turn(behave, honest(file)))
        assert "No space left" in self.refused(cli, small_disk)
        (part,) = (small_disk / "cache/unverified").glob("*.part")
        data = part.read_bytes()
        assert 1 << 20 < len(data) < len(self.LARGE)
        assert self.LARGE.startswith(data)
        (small_disk / "filler").unlink()
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert image["sha256"] == hashlib.sha256(self.LARGE).hexdigest()
        assert [r.status for r in server.requests if r.path == path] == [200, 206]

    def test_in_the_middle_of_unpacking(self, fleet, vendor, cli, small_disk):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("image.iso", ISO + b"\0" * 2048 * 3000)
        sums = f"{hashlib.sha256(out.getvalue()).hexdigest()}  pve_9.1-1.zip\n".encode()
        vendor.put("pve_9.1-1.zip", out.getvalue())
        vendor.put("SHA256SUMS", sums)
        vendor.put("SHA256SUMS.sign", vendor.key.sign(sums, MADE))
        catalog(fleet, vendor, file="pve_{release}.zip",
                unpack={"member": r"[a-z]+\.iso", "name": "pve_{release}.iso"})  # fmt: skip
        filler = fill(small_disk, 3 << 20)
        assert "No space left" in self.refused(cli, small_disk)
        assert shutil.disk_usage(small_disk).free > 1 << 20, "the half image takes no room"
        filler.unlink()
        assert cli.json("fetch").result["images"]["proxmox-ve"]["origin"] == "unpacked"
        assert objects(small_disk / "cache") == ["pve_9.1-1.iso"]


class TestProcesses:
    def test_killed_at_random_moments(self, fleet, vendor, server, cache, cli):
        """Whatever instant a run is killed at: nothing wrong is usable, and in the end the next run goes on."""
        chance = random.Random(11)
        body = ISO + chance.randbytes(2048 * 700)
        sha = hashlib.sha256(body).hexdigest()
        vendor.releases["9.1-1"] = body
        vendor.publish()
        path = f"/iso/{name('9.1-1')}"
        server.put(path, honest(File(body, etag='"a"'), block=1 << 15, pause=0.01))
        kills = resumed = 0
        while kills < (50 if os.environ.get("VENTOY_KIT_SOAK") else 12):
            before = len(server.requests)
            run = start(fleet)
            deadline = time.monotonic() + 20
            while kills % 4 and len(server.requests) == before and time.monotonic() < deadline:
                time.sleep(0.005)  # most of them while it is loading or later, some while it begins
            time.sleep(chance.uniform(0, 0.8))
            alive = run.poll() is None
            run.kill()
            run.communicate()
            kills += alive
            for file in cache.glob("isos/*/*/*"):
                assert hashlib.sha256(file.read_bytes()).hexdigest() == sha == file.parent.name
            for part in cache.glob("unverified/*.part"):
                assert body.startswith(part.read_bytes())
            assert usable(cache) in ([], [name("9.1-1")], [name("9.1-1")] * 2)
            lock = fleet / "fleet.lock"
            assert not lock.exists() or f'sha256 = "{sha}"' in lock.read_text()
            resumed += any(r.status == 206 for r in server.requests[before:])
            if not alive or lock.exists():
                shutil.rmtree(cache, ignore_errors=True)
                lock.unlink(missing_ok=True)
        image = cli.json("fetch").result["images"]["proxmox-ve"]
        assert image["sha256"] == sha
        assert resumed or server.requests[-1].status == 206
        assert list(cache.glob("unverified/*")) == []
        assert cli.json("image", "verify").code == 0

    def test_concurrent_runs_load_the_file_once(self, fleet, vendor, server, tmp_path, cache):
        put_iso(honest(File(ISO), block=4096, pause=0.005))(vendor)
        folders = [fleet, *(tmp_path / f"fleet{n}" for n in (2, 3))]
        for folder in folders[1:]:
            shutil.copytree(fleet, folder)
        runs = [start(folder) for folder in folders]
        outs = [json.loads(run.communicate(timeout=60)[0]) for run in runs]
        assert [o["ok"] for o in outs] == [True] * 3, outs
        assert len([r for r in server.requests if r.path == f"/iso/{name('9.1-1')}"]) == 1
        assert objects(cache) == [name("9.1-1")]
        assert len({(folder / "fleet.lock").read_bytes() for folder in folders}) == 1

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
    def test_an_interruption_leaves_a_part_that_is_gone_on_with(self, how, fleet, vendor, server, cache, cli):
        path = f"/iso/{name('9.1-1')}"
        put_iso(stall_after(File(ISO, etag='"a"'), len(ISO) // 2))(vendor)
        run = start(fleet)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not any(
            p.stat().st_size for p in cache.glob("unverified/*.part")
        ):
            time.sleep(0.05)
        os.kill(run.pid, how)
        run.communicate(timeout=30)
        assert run.returncode == (3 if how == signal.SIGINT else -how)
        assert usable(cache) == []
        assert not (fleet / "fleet.lock").exists()
        assert any(p.stat().st_size for p in cache.glob("unverified/*.part"))
        server.put(path, honest(File(ISO, etag='"a"')))
        assert cli.json("fetch").result["images"]["proxmox-ve"]["sha256"] == SHA
        assert [r.status for r in server.requests if r.path == path][-1] == 206


def test_image_names_complete(fleet):
    from ventoy_kit.app.host import Host
    from ventoy_kit.app.images import image_names

    names = functools.partial(image_names, host=Host())
    assert names(Path("fleet.yaml")) == ("proxmox-ve",)
    assert names(Path("none.yaml")) == ()
