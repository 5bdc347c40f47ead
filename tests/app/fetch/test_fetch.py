"""`fetch`, and `build` and `check` with what it brings, whole, against a real HTTPS server."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.app.fetch.shared import (
    FLIPPED,
    ISO,
    QUICK,
    SHA,
    catalog,
    errors,
    folder_at,
    objects,
    unsigned_key,
    usable,
    wants,
)
from tests.support.pgp import Key, armour
from tests.support.vendors import BEGAN, LATER, MADE, iso, name


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
        assert cli.json("stage", "--yes", folder_at(fleet / "stick")).result["steps"]
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


def test_image_names_complete(fleet):
    from ventoy_kit.app.host import Host
    from ventoy_kit.app.images import image_names

    names = functools.partial(image_names, host=Host())
    assert names(Path("fleet.yaml")) == ("proxmox-ve",)
    assert names(Path("none.yaml")) == ()
