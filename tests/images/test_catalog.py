"""The catalog: what the shipped entries say, and which entries are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.images.entries import FINGERPRINT, entry, raw_entry
from ventoy_kit.images.catalog import CatalogEntry, Location, parse_catalog
from ventoy_kit.images.releases import releases_in_text

FOLDER = Path(__file__).parents[2] / "catalog"


def shipped() -> Mapping[str, CatalogEntry]:
    texts = {path.stem: (path.name, path.read_text()) for path in FOLDER.glob("*.yaml")}
    entries, report = parse_catalog(texts)
    assert not len(report), [f.message for f in report]
    assert set(entries) == set(texts)
    return entries


def test_the_shipped_catalog_holds_what_is_promised() -> None:
    assert list(shipped()) == [
        "clonezilla-live", "debian", "debian-dvd", "debian-netboot", "gparted-live", "memtest86plus",
        "proxmox-backup-server", "proxmox-ve", "supergrub2disk", "systemrescue",
    ]  # fmt: skip


# Names as vendors and public catalogs write them, and neighbours that are something else.
NAMES = {
    "proxmox-ve": (
        "9.2-1",
        "proxmox-ve_9.2-1.iso",
        ["proxmox-ve_9.2-1-arm64.iso", "proxmox-ve_9.2-1.iso.asc"],
    ),
    "proxmox-backup-server": ("4.1-1", "proxmox-backup-server_4.1-1.iso", ["proxmox-ve_4.1-1.iso"]),
    "debian": (
        "13.7.0",
        "debian-13.7.0-amd64-netinst.iso",
        [
            "debian-edu-13.7.0-amd64-netinst.iso",
            "debian-mac-12.9.0-amd64-netinst.iso",
            "debian-13.7.0-amd64-DVD-1.iso",
        ],
    ),
    "debian-dvd": ("12.15.0", "debian-12.15.0-amd64-DVD-1.iso", ["debian-12.15.0-amd64-DVD-10.iso"]),
    "systemrescue": ("13.02", "systemrescue-13.02-amd64.iso", ["systemrescue-13.02-beta1-amd64.iso"]),
    "gparted-live": ("1.8.1-12", "gparted-live-1.8.1-12-amd64.iso", ["gparted-live-1.8.1-12-i686.iso"]),
    "clonezilla-live": (
        "3.3.3-37",
        "clonezilla-live-3.3.3-37-amd64.iso",
        ["clonezilla-live-20260913-resolute-amd64.iso", "clonezilla-live-3.3.3-37-amd64.zip"],
    ),
    "memtest86plus": (
        "8.10",
        "mt86plus_8.10_x86_64.iso.zip",
        ["mt86plus_8.10_x86_64.grub.iso.zip", "mt86plus_8.20b1_x86_64.iso.zip"],
    ),
    "supergrub2disk": (
        "2.06s4",
        "supergrub2-classic-2.06s4-multiarch-CD.iso",
        ["supergrub2-2.06s4-multiarch-USB.img", "supergrub2-classic-2.06s5-beta1-multiarch-CD.iso"],
    ),
}


@pytest.mark.parametrize("image", NAMES)
def test_file_names_and_releases_fit_each_other(image: str) -> None:
    known = shipped()[image]
    release, name, others = NAMES[image]
    assert known.release_of(name) == release
    assert known.file_name(release) == name
    assert known.is_exact(release)
    assert [known.release_of(other) for other in others] == [None] * len(others)
    assert releases_in_text(known, f'<a href="{name}">{name}</a>\n' + "\n".join(others)) == (release,)


@pytest.mark.parametrize("image", NAMES)
def test_every_shipped_entry_can_be_proved_or_says_that_it_cannot(image: str) -> None:
    known = shipped()[image]
    assert known.notes, "sources and what is unconfirmed"
    for key in known.keys:
        assert key.origin
        if key.file is not None:
            assert (FOLDER / key.file).is_file()
    if not known.signatures:
        assert any("trust: checksum" in note for note in known.notes)
    for location in known.locations(NAMES[image][0]):
        for address in (location.image, location.checksums, *(url for _, url in location.signatures)):
            assert address is None or re.fullmatch(r"https://[^{}]+", address)


def test_every_shipped_certificate_is_pinned_by_an_entry() -> None:
    pinned = {key.file for known in shipped().values() for key in known.keys if key.file is not None}
    assert {f"keys/{path.name}" for path in (FOLDER / "keys").glob("*.asc")} == pinned


def test_volume_identifiers_are_recognised_as_a_whole() -> None:
    netinst, dvd = (shipped()[image].identity for image in ("debian", "debian-dvd"))
    assert netinst is not None
    assert dvd is not None
    assert re.fullmatch(netinst.volume_id, "Debian 12.11.0 amd64 n")
    assert not re.fullmatch(netinst.volume_id, "Debian 12.11.0 amd64 1")
    assert re.fullmatch(dvd.volume_id, "Debian 13.2.0 amd64 1")


def test_locations_are_made_from_the_entry_alone() -> None:
    known = entry(
        checksums={"at": "https://c.example.org/{release}/SUMS", "format": "gnu", "algorithm": "sha512"}
    )
    assert known.locations("1.5") == tuple(
        Location(
            f"{folder}example-1.5.iso",
            "https://c.example.org/1.5/SUMS",
            (("checksums", f"{folder}SHA256SUMS.sign"), ("iso", f"{folder}example-1.5.iso.asc")),
        )
        for folder in ("https://a.example.org/1.5/", "https://b.example.org/old/1.5/")
    )
    named = entry(
        checksums={"at": "S", "format": "gnu", "algorithm": "sha256", "name": "./v{release}/{file}"}
    )
    assert named.listed_name("1.5") == "./v1.5/example-1.5.iso"
    packed = entry(file="e_{release}.iso.zip", unpack={"member": r"e\.iso", "name": "e_{release}.iso"})
    assert (packed.file_name("1.5"), packed.image_name("1.5")) == ("e_1.5.iso.zip", "e_1.5.iso")
    assert entry().image_name("1.5") == "example-1.5.iso"


@pytest.mark.parametrize("release", ["../../etc", "1.5/../x", "1.5\n", "", "1", "1.5.", "%2e%2e", "latest"])
def test_what_is_no_release_never_becomes_a_name_or_address(release: str) -> None:
    loose = entry(version=r"[\s\S]+")
    for known in (entry(), loose):
        if release in ("1", "latest") and known is loose:
            continue
        with pytest.raises(ValueError, match="is no release"):
            known.file_name(release)
        with pytest.raises(ValueError, match="is no release"):
            known.locations(release)


KEY = raw_entry()["keys"][0]


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"mirrors": ["http://example.org/"]}, "VK-S04", "is not an https:// address of a folder"),
        ({"mirrors": ["https://example.org/x"]}, "VK-S04", "is not an https:// address of a folder"),
        ({"mirrors": ["https://example.org/{file}/"]}, "VK-S04", "is not an https:// address of a folder"),
        ({"mirrors": ["https://example.org/../"]}, "VK-S04", "is not an https:// address of a folder"),
        ({"mirrors": ["https://user@example.org/"]}, "VK-S04", "is not an https:// address of a folder"),
        ({"mirrors": []}, "VK-S04", "cannot be found"),
        ({"file": "example.iso"}, "VK-S04", "is not a file name with one `{release}`"),
        ({"file": "a/{release}.iso"}, "VK-S04", "is not a file name"),
        ({"file": "{release}{release}.iso"}, "VK-S04", "is not a file name"),
        ({"version": "("}, "VK-S04", "is not a regular expression"),
        ({"version": r"(\d+)"}, "VK-S04", "is not a regular expression"),
        ({"version": r"\d*"}, "VK-S04", "is not a regular expression"),
        ({"releases": [{"url": "https://example.org/", "fixed": ["1.0"]}]}, "VK-S04", "a page or a list"),
        ({"releases": [{}]}, "VK-S04", "a page or a list"),
        ({"checksums": {"at": "S", "format": "gnu", "algorithm": "md5"}}, "VK-S04", "cannot be `md5`"),
        ({"checksums": {"at": "../S", "format": "gnu", "algorithm": "sha256"}}, "VK-S04", "is not a file beside"),
        ({"keys": []}, "VK-S04", "signatures need pinned keys"),
        ({"keys": [KEY | {"fingerprint": FINGERPRINT[-16:]}]}, "VK-S04", "is not a full fingerprint"),
        ({"keys": [KEY | {"fingerprint": FINGERPRINT.lower()}]}, "VK-S04", "is not a full fingerprint"),
        ({"keys": [KEY, KEY]}, "VK-S04", "pinned twice"),
        ({"keys": [KEY | {"file": f"keys/{FINGERPRINT}.asc"}]}, "VK-S04", "lies beside the catalog, is fetched, or"),
        ({"keys": [KEY | {"url": None, "file": f"keys/{'A' * 40}.asc"}]}, "VK-S04", "not named for its fingerprint"),
        ({"checksums": None}, "VK-S04", "a signature covers checksums that are not there"),
        ({"colour": "red"}, "VK-S01", "`colour` is not a key"),
        ({"signature": []}, "VK-S01", "`signature` is not a key"),
    ],
)  # fmt: skip
def test_bad_entries_are_pointed_at(changes: dict[str, Any], code: str, told: str) -> None:
    text = _yaml(raw_entry(**changes))
    entries, report = parse_catalog({"example": ("example.yaml", text)})
    assert not entries
    finding = report.findings[0]
    assert told in finding.message
    assert finding.rule.code == code
    assert finding.place is not None
    assert finding.place.file == "example.yaml"
    assert finding.place.line


def test_an_entry_without_any_proof_is_refused() -> None:
    _, report = parse_catalog({"example": ("example.yaml", _yaml(raw_entry(signed=False, checksums=None)))})
    assert "nothing could prove this image" in report.findings[0].message


def test_one_bad_file_does_not_hide_the_others() -> None:
    entries, report = parse_catalog(
        {
            "good": ("good.yaml", _yaml(raw_entry())),
            "bad": ("bad.yaml", "title: [\n"),
            "list": ("list.yaml", "- a\n"),
            "Bad Name": ("Bad Name.yaml", _yaml(raw_entry())),
        }
    )
    assert set(entries) == {"good"}
    assert {f.place.file for f in report if f.place} == {"bad.yaml", "list.yaml", "Bad Name.yaml"}


def test_a_near_miss_is_suggested() -> None:
    raw = raw_entry()
    raw["mirors"] = raw.pop("mirrors")
    _, report = parse_catalog({"example": ("example.yaml", _yaml(raw))})
    assert any(f.remedy == "Did you mean `mirrors`?" for f in report)


def _yaml(raw: dict[str, Any]) -> str:
    out = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(raw, out)
    return out.getvalue()
