"""Images that are assembled from a package: real apt, real tools, an archive of the test's own, signed by its key."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.app.workspaces import DEBIAN, HASH, Ran
from tests.support.apt_archive import FIRST, PACKAGE, SECOND, Archive
from tests.support.pgp import Key
from tests.support.vendors import BEGAN, LATER
from ventoy_kit.edge import machine
from ventoy_kit.images import netboot

pytestmark = [
    pytest.mark.needs_tool(*netboot.TOOLS),
    pytest.mark.skipif(
        not Path(netboot.GRUB_MODULES).exists(), reason="needs GRUB's parts for BIOS (grub-pc-bin)"
    ),
]

RELEASE = "13-20250803-deb13u1"
NEWER = "13-20250803-deb13u2"
FILE = f"debian-{RELEASE}-amd64-netboot.iso"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "archive")
    made.publish()
    return made


@pytest.fixture
def cache(tmp_path: Path, monkeypatch, cli) -> Path:
    monkeypatch.setenv("VENTOY_KIT_CACHE", str(tmp_path / "the cache"))
    return tmp_path / "the cache"


@pytest.fixture
def fleet(tmp_path: Path, archive: Archive, cache: Path, monkeypatch) -> Path:
    folder = tmp_path / "fleet"
    folder.mkdir()
    image = 'debian: {release: "13", catalog: debian-netboot}'
    (folder / "fleet.yaml").write_text(DEBIAN.replace("debian: {path: iso/debian-12-netboot.iso}", image))
    archive.describe(folder / "catalog")
    monkeypatch.setenv("ROOT_PASSWORD", HASH)
    monkeypatch.chdir(folder)
    return folder


def locked(folder: Path) -> dict[str, Any]:
    entry = tomllib.loads((folder / "fleet.lock").read_text())["images"]["debian"]
    assert isinstance(entry, dict)
    return entry


def errors(ran: Ran) -> list[str]:
    return [f["rule"] for f in ran.envelope["findings"] if f["severity"] == "error"]


def message(ran: Ran) -> str:
    return " ".join(f["message"] for f in ran.envelope["findings"])


def isos(cache: Path) -> list[str]:
    return sorted(p.name for p in cache.rglob("*") if p.is_file() and p.suffix in (".iso", ".deb", ".part"))


def edit_lock(folder: Path, old: str, new: str) -> None:
    file = folder / "fleet.lock"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


class TestHappyPath:
    def test_the_package_becomes_an_image_and_is_pinned(self, fleet, archive, cli, cache):
        image = cli.json("fetch").result["images"]["debian"]
        entry = locked(fleet)
        assert image["origin"] == entry["origin"] == "assembled"
        assert (entry["release"], entry["file"], entry["recipe"]) == (RELEASE, FILE, netboot.RECIPE)
        assert (entry["verified"], entry["signer"]) == ("signature", archive.key.fingerprint)
        (given,) = entry["inputs"]
        assert given["file"] == archive.deb.name
        assert given["size"] == archive.deb.stat().st_size
        ((tools, digest),) = entry["toolchains"].items()
        assert digest == entry["sha256"] == image["sha256"]
        assert all(name in tools for name in ("grub ", "mtools ", "xorriso "))
        assert isos(cache) == [FILE]
        assert list((cache / "apt").iterdir()) == [], "apt's private root is gone"
        again = cli.json("fetch").result
        assert (again["images"]["debian"]["source"], again["changes"]) == ("cache", {})

    def test_what_inspect_finds(self, fleet, cli):
        path = cli.json("fetch").result["images"]["debian"]["path"]
        (facts,) = cli.json("image", "inspect", path).result["images"].values()
        assert (facts["product"], facts["release"], facts["medium"]) == ("debian", "13", "netboot")
        assert facts["boot"] == ["bios", "uefi"]
        assert facts["menus"] == ["/boot/grub/grub.cfg"]
        assert (facts["origin"], facts["verified"]) == ("assembled", "none")
        assert facts["title"].endswith(f"assembled by ventoy-kit from {PACKAGE} {FIRST}")

    def test_the_same_bytes_in_another_cache_under_other_circumstances(
        self, fleet, cli, tmp_path, monkeypatch
    ):
        first = cli.json("fetch").result["images"]["debian"]
        monkeypatch.setenv("VENTOY_KIT_CACHE", str(tmp_path / "b"))
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
        (tmp_path / "settings").write_text("mtools_skip_check=1\n")
        monkeypatch.setenv("MTOOLSRC", str(tmp_path / "settings"))
        (fleet / "fleet.lock").unlink()
        second = cli.json("fetch").result["images"]["debian"]
        assert second["source"] == "network"
        assert second["path"] != first["path"]
        assert second["sha256"] == first["sha256"]

    def test_build_stage_verify_and_list_name_the_origin(self, fleet, cli, tmp_path):
        (iso,) = cli.json("build").result["isos"]
        assert iso["path"] == f"iso/{FILE}"
        assert iso["origin"].startswith(
            f"assembled by ventoy-kit from {PACKAGE}_{FIRST}_all.deb, signature of "
        )
        (tmp_path / "stick").mkdir()
        cli.json("stage", tmp_path / "stick", "--yes").result  # noqa: B018 - it must succeed
        for target in ((), (tmp_path / "stick",)):
            (row,) = cli.json("image", "verify", *target).result["images"]
            assert row["state"] == "right"
            assert row["origin"] == iso["origin"]
        shown = cli.json("image", "list").result["images"]["debian-netboot"]
        assert (shown["source"], shown["trust"]) == ("apt", "signature")
        assert shown["locked"]["debian"]["origin"] == "assembled"
        assert shown["locked"]["debian"]["cached"]
        told = cli("check").out + cli("fetch").out + cli("image", "list").out
        assert "assembled" in told
        assert "pristine" not in told

    def test_offline_uses_the_cache_or_says_what_is_missing(self, fleet, archive, cli, cache):
        cli.json("fetch").result  # noqa: B018 - it must succeed
        shutil.rmtree(archive.folder)
        assert cli.json("fetch", "--offline").result["images"]["debian"]["source"] == "cache"
        assert cli.json("build", "--offline").code == 0
        shutil.rmtree(cache)
        assert errors(cli.json("fetch", "--offline")) == ["VK-J54"]

    def test_a_damaged_image_in_the_cache_is_noticed_and_made_again(self, fleet, cli):
        path = Path(cli.json("fetch").result["images"]["debian"]["path"])
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        assert errors(cli.json("image", "verify")) == ["VK-J55"]
        assert cli.json("fetch").result["images"]["debian"]["source"] == "network"
        assert cli.json("image", "verify").code == 0


class TestRefused:
    @pytest.fixture
    def refused(self, fleet, cli, cache):
        def run(*rules: str) -> str:
            ran = cli.json("fetch")
            assert ran.code == 1, ran.out
            assert errors(ran) == list(rules)
            assert isos(cache) == []
            assert not (fleet / "fleet.lock").exists()
            return message(ran)

        return run

    def test_a_changed_package(self, archive, refused):
        data = bytearray(archive.deb.read_bytes())
        data[len(data) // 2] ^= 1
        archive.deb.write_bytes(data)
        assert "Hash Sum mismatch" in refused("VK-J71")

    def test_a_longer_package(self, archive, refused):
        archive.deb.write_bytes(archive.deb.read_bytes() + b"x")
        refused("VK-J71")

    def test_a_changed_list_of_packages(self, archive, refused):
        text = archive.packages.read_text()
        archive.packages.write_text(text.replace("a test", "a tesT"))
        assert "Hash Sum mismatch" in refused("VK-J71")

    def test_a_changed_index(self, archive, refused):
        file = archive.index / "InRelease"
        file.write_bytes(file.read_bytes().replace(b"Label: Debian", b"Label: debian"))
        assert "invalid" in refused("VK-J71")

    def test_an_index_without_a_signature(self, archive, refused):
        (archive.index / "InRelease").unlink()
        (archive.index / "Release").write_bytes(archive.release() + b"\n")
        assert "not signed" in refused("VK-J71")

    def test_an_index_signed_by_another_key(self, archive, refused):
        replace(archive, key=Key("Other <other@example.org>", BEGAN)).sign()
        assert "NO_PUBKEY" in refused("VK-J71")

    def test_a_weak_hash_that_apt_itself_may_accept(self, archive, refused):
        archive.sign(digest="sha1")
        refused("VK-J71")

    def test_an_index_that_has_run_out(self, archive, refused):
        archive.fields["Valid-Until"] = "Sat, 02 Mar 2024 00:00:00 UTC"
        archive.sign()
        assert "expired" in refused("VK-J71")

    def test_the_index_of_another_suite(self, archive, refused):
        archive.fields |= {"Codename": "bookworm", "Suite": "oldstable"}
        archive.sign()
        assert "calls itself bookworm, oldstable" in refused("VK-J72")

    def test_an_archive_that_is_not_there(self, archive, refused, fleet, cli, cache):
        archive.packages.parent.parent.parent.rename(archive.folder / "dists/sid")
        file = fleet / "fleet.yaml"
        text = file.read_text()
        file.write_text(text.replace("mirror.example", "127.0.0.1:9"))
        ran = cli.json("fetch")
        assert ran.code == 3
        assert "does not have a Release file" in message(ran)
        assert "127.0.0.1" in message(ran)
        assert isos(cache) == []
        file.write_text(text.replace("  debian_mirror: http://mirror.example/debian\n", ""))
        refused("VK-J73")

    def test_an_archive_without_the_package(self, archive, refused):
        archive.packages.write_text(archive.packages.read_text().replace(PACKAGE, "something-else"))
        archive.sign()
        assert f"trixie has no {PACKAGE}" in refused("VK-J73")

    def test_a_package_without_a_kernel(self, archive, refused):
        archive.deb.unlink()
        archive.without = ("amd64/linux",)
        archive.publish()
        assert (
            "it has no file usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64/linux"
            in refused("VK-J76")
        )

    def test_a_package_above_the_limit(self, archive, fleet, refused):
        archive.describe(fleet / "catalog", max_size="1 KiB")
        assert "the catalog allows 1,024" in refused("VK-J76")

    def test_no_certificate_of_the_keys(self, archive, fleet, refused):
        for file in (fleet / "catalog/keys").iterdir():
            file.unlink()
        assert archive.key.fingerprint in refused("VK-J77")

    @pytest.mark.parametrize(
        ("debian", "told"), [(True, "apt install xorriso"), (False, "use the image `debian`")]
    )
    def test_a_machine_without_the_tools(self, fleet, cli, monkeypatch, debian, told):
        there = machine.has_program
        missing = {"xorriso"} if debian else {*netboot.TOOLS, "dpkg"}
        monkeypatch.setattr(machine, "has_program", lambda name: name not in missing and there(name))
        ran = cli.json("fetch")
        assert errors(ran) == ["VK-J70"]
        assert told in ran.envelope["findings"][0]["remedy"]

    def test_asking_for_newer_releases_on_a_machine_without_apt(self, fleet, cli, monkeypatch):
        cli.json("fetch").result  # noqa: B018 - it must succeed
        there = machine.has_program
        monkeypatch.setattr(machine, "has_program", lambda name: not name.startswith("apt-") and there(name))
        assert cli.json("check").code == 0
        assert errors(cli.json("check", "--online")) == ["VK-J70"]

    def test_a_series_that_is_not_there(self, fleet, cli):
        file = fleet / "fleet.yaml"
        file.write_text(file.read_text().replace('release: "13"', 'release: "11"'))
        assert errors(cli.json("fetch")) == ["VK-J42"]


class TestLock:
    @pytest.fixture
    def entry(self, fleet, cli):
        cli.json("fetch").result  # noqa: B018 - it must succeed
        return locked(fleet)

    def test_another_toolchain_is_one_more_line(self, fleet, entry, cli, cache):
        (tools,) = entry["toolchains"]
        edit_lock(fleet, tools, "grub 1.0, mtools 1.0, xorriso 1.0")
        edit_lock(fleet, entry["sha256"], "0" * 64)
        shutil.rmtree(cache)
        before = (fleet / "fleet.lock").read_text().splitlines()
        result = cli.json("fetch").result
        assert result["images"]["debian"]["sha256"] == entry["sha256"]
        after = (fleet / "fleet.lock").read_text().splitlines()
        assert [line for line in after if line not in before] == [f'"{tools}" = "{entry["sha256"]}"']
        assert [line for line in before if line not in after] == []
        assert cli.json("fetch").result["changes"] == {}
        assert cli.json("image", "verify").code == 0
        (iso,) = cli.json("build").result["isos"]
        assert iso["sha256"] == entry["sha256"]

    def test_the_same_toolchain_with_another_result_is_refused_unless_updating(
        self, fleet, entry, cli, cache
    ):
        edit_lock(fleet, entry["sha256"], "0" * 64)
        shutil.rmtree(cache)
        before = (fleet / "fleet.lock").read_bytes()
        ran = cli.json("fetch")
        assert errors(ran) == ["VK-J74"]
        assert isos(cache) == []
        assert (fleet / "fleet.lock").read_bytes() == before
        cli.json("fetch", "--update", "debian").result  # noqa: B018 - it must succeed
        assert locked(fleet) == entry

    def test_an_update_that_finds_nothing_new_makes_nothing(self, fleet, entry, cli):
        result = cli.json("fetch", "--update", "debian").result
        assert (result["changes"], result["images"]["debian"]["source"]) == ({}, "cache")

    def test_a_newer_version_is_told_and_taken_on_demand(self, fleet, entry, archive, cli, cache):
        newer = replace(archive, version=SECOND, at=LATER)
        newer.publish()
        ran = cli.json("check", "--online")
        assert ran.code == 0
        assert "VK-J57" in [f["rule"] for f in ran.envelope["findings"]]
        assert NEWER in message(ran)
        assert cli.json("fetch").result["changes"] == {}
        change = cli.json("fetch", "--update", "debian").result["changes"]["debian"]
        assert (change["old"], change["new"]) == (RELEASE, NEWER)
        # And never back, though the old index is validly signed.
        archive.publish()
        ran = cli.json("fetch", "--update", "debian")
        assert sorted(errors(ran)) == ["VK-J11", "VK-J12"]
        assert locked(fleet)["release"] == NEWER

    def test_a_version_that_is_gone_comes_from_an_archive_that_keeps_it(
        self, fleet, entry, archive, cli, cache, tmp_path
    ):
        shutil.copytree(archive.folder, tmp_path / "kept")
        replace(archive, version=SECOND, at=LATER).publish()
        shutil.rmtree(cache)
        ran = cli.json("fetch")
        assert errors(ran) == ["VK-J73"]
        assert f"{archive.deb.name} is locked" in message(ran)
        apt = {
            "recipe": "debian-netboot",
            "series": {"13": {"package": PACKAGE, "suite": "trixie"}},
            "host": False,
        }
        mirrors = [f"file:{archive.folder}", f"file:{tmp_path / 'kept'}"]
        archive.describe(fleet / "catalog", apt={**apt, "mirrors": mirrors})
        assert cli.json("fetch").result["images"]["debian"]["sha256"] == entry["sha256"]

    def test_a_package_that_was_replaced_under_its_version(self, fleet, entry, archive, cli, cache):
        archive.deb.unlink()
        archive.without = ("play.mod",)
        archive.publish()
        shutil.rmtree(cache)
        assert errors(cli.json("fetch")) == ["VK-J15"]

    def test_another_recipe(self, fleet, entry, cli, cache):
        edit_lock(fleet, netboot.RECIPE, "debian-netboot-0")
        assert cli.json("fetch").result["images"]["debian"]["source"] == "cache"
        shutil.rmtree(cache)
        assert errors(cli.json("fetch")) == ["VK-J75"]

    def test_an_entry_that_is_no_package_any_more_is_chosen_anew(self, fleet, entry, cli):
        (fleet / "catalog/debian-netboot.yaml").unlink()  # the shipped entry pins other keys
        ran = cli.json("fetch", "--offline")
        assert errors(ran) == ["VK-J54"]
        assert "is not pinned any more" in message(ran)
