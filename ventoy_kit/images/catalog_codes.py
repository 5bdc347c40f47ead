"""Rules of the catalog, of releases, of checksum files and of the lock (VK-J40 and up)."""

from __future__ import annotations

from ventoy_kit.report import Rule

BAD_ENTRY = Rule(
    "VK-J40",
    "A catalog entry is well-formed",
    "An entry is a YAML file in `catalog/`; the file's name is the image's id. It says where the vendor publishes the "
    "image and how it is proved: signatures by pinned keys, or checksums alone. "
    "A folder `catalog/` beside the fleet file adds entries and takes the place of shipped ones with the same id.",
)
BAD_REQUEST = Rule(
    "VK-J41",
    "A release is `latest`, a series or an exact release",
    "`latest` is the newest release. A series is the beginning of a release, cut between its numbers: 13 and 13.2 for "
    "Debian 13.2.0, 9 and 9.1 for Proxmox VE 9.1-1. What was chosen is pinned in fleet.lock.",
)
NO_RELEASE = Rule(
    "VK-J42",
    "The release exists",
    "Releases are read from the vendor's listing. Vendors list current releases only; an older one can still be named "
    "exactly, and is then fetched from where the vendor keeps old ones, if it does.",
)
SUMS_SYNTAX = Rule(
    "VK-J43",
    "A checksum file is read strictly",
    "Every line must have the form that the catalog states, with a digest of the stated algorithm. A file with a line "
    "that cannot be read is refused as a whole: it is a web page, cut off, or another kind of file than expected.",
)
SUMS_NAME = Rule(
    "VK-J44",
    "A checksum file lists plain names",
    "Names in a checksum file are only compared, never opened. One that climbs out of its folder, begins at the root or "
    "holds control characters has no honest reason to be there, and the file is refused.",
)
SUMS_DOUBLE = Rule(
    "VK-J45",
    "A checksum file gives one digest per file",
    "Two different digests for one name leave open which file is meant.",
)
SUMS_EMPTY = Rule(
    "VK-J46",
    "A checksum file holds digests",
    "The file has no digest of the algorithm that the catalog states.",
)
LOCK_SYNTAX = Rule(
    "VK-J47",
    "The lock is readable",
    "fleet.lock is written by ventoy-kit. After a merge by hand it must still be valid TOML, each image once.",
)
LOCK_VERSION = Rule(
    "VK-J48",
    "The lock's version is known",
    "A lock with a higher version was written by a newer ventoy-kit, and may state conditions that this one would miss.",
)
