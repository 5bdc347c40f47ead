"""Rules of images that are assembled here from packages of Debian's archive (VK-J70 and up)."""

from __future__ import annotations

from ventoy_kit.report import Rule

NO_TOOLS = Rule(
    "VK-J70",
    "This machine can fetch a package and make an ISO of it",
    "An image with `source: apt` is fetched and verified by apt, and made into an ISO with GRUB, mtools and xorriso. A "
    "machine without them can still use an ISO that is in its cache, or one of the vendor's own ISO files.",
)
APT_REFUSED = Rule(
    "VK-J71",
    "apt believes the archive",
    "apt checks the signature of the archive's index, and every further file by its digest. What it does not believe is "
    "never used, and no other archive is asked in its place. An archive that is not signed is refused, too.",
)
CHAIN = Rule(
    "VK-J72",
    "The chain from the signature to the package holds",
    "After apt, ventoy-kit follows the same chain by itself: a pinned key signed the index, the index is that of the "
    "wanted suite and names the digest of the list of packages, and that list names size and digest of the package.",
)
NO_PACKAGE = Rule(
    "VK-J73",
    "The archive offers the package",
    "An archive keeps the newest version of a package only. A version that fleet.lock pins and that is gone can come from "
    "a colleague's cache, or from an archive of old packages that the catalog entry names under `mirrors`.",
)
OTHER_RESULT = Rule(
    "VK-J74",
    "The same toolchain makes the same ISO",
    "fleet.lock records the digest of the ISO for each toolchain. The same package, recipe and toolchain must give the "
    "same bytes; if not, a tool on one of the machines is not what its version says, or was changed.",
)
OTHER_RECIPE = Rule(
    "VK-J75",
    "The recipe that the lock names is known",
    "fleet.lock names the recipe that made the ISO. Another ventoy-kit may make another ISO of the same package.",
)
BAD_PACKAGE = Rule(
    "VK-J76",
    "A package holds what the recipe needs",
    "The recipe takes certain files out of the package and puts them into the ISO. A package without one of them is built "
    "otherwise than those that the recipe was tried with; so is one above the catalog's `max_size`.",
)
NO_KEYS = Rule(
    "VK-J77",
    "The archive's keys are at hand",
    "The catalog pins the archive's keys by fingerprint; the certificates are those of the package "
    "debian-archive-keyring, or lie beside the catalog.",
)
