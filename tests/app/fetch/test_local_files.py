"""Files that are there already: `image verify`, and what proves a file that the user brought."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.app.fetch.shared import FLIPPED, ISO, SHA, catalog, errors, folder_at, wants
from tests.support.pgp import Key, armour
from tests.support.vendors import BEGAN, LATER, MADE, Vendor, name
from ventoy_kit.app import known_files
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files


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
        stick = folder_at(fleet / "stick")
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
        folder = folder_at(fleet / "mine")
        (folder / name("9.1-1")).write_bytes(ISO)
        wants(fleet, f"path: mine/{name('9.1-1')}")
        entry = json.loads(vendor.entry())
        entry["keys"][0].pop("url")
        entry["keys"][0]["file"] = f"keys/{vendor.key.fingerprint}.asc"
        (fleet / "catalog/proxmox-ve.yaml").write_text(json.dumps(entry))
        folder_at(fleet / "catalog/keys")
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
        assert cli.json("status", str(folder_at(local.parent / "stick"))).code == 1

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
