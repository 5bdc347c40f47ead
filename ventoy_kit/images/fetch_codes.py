"""Rules of fetching, of the cache and of what is staged from it (VK-J49 and up)."""

from __future__ import annotations

from ventoy_kit.report import Rule, Severity

NO_ENTRY = Rule(
    "VK-J49",
    "An image with a release is in the catalog",
    "The catalog says where a vendor publishes an image and how it is proved. `catalog:` names the entry; without it the "
    "image's own name is the id. `ventoy-kit image list` shows all ids; `catalog/` beside the fleet file adds entries.",
)
GONE = Rule(
    "VK-J50",
    "The vendor offers what is fetched",
    "Every server that the catalog or the lock names says that it has no such file. Vendors take old releases away; what "
    "is in the cache stays there.",
)
UNFIT = Rule(
    "VK-J51",
    "A server gives the file itself",
    "What came is not the file: a web page in its place, another length, more than the catalog's `max_size`, a way over "
    "plain HTTP, or a server whose TLS certificate does not hold. Nothing of it was kept.",
)
BROKE_OFF = Rule(
    "VK-J52",
    "A download comes to its end",
    "The network, the server or the disk failed. What was received stays as a part that the next run goes on with, and is "
    "of no use before it was verified.",
)
BAD_ARCHIVE = Rule(
    "VK-J53",
    "A vendor's archive holds the image",
    "The catalog names the one member to unpack. An archive without it, with two of it, with a damaged one or with one "
    "above `max_size` is refused.",
)
NOT_FETCHED = Rule(
    "VK-J54",
    "An image is fetched",
    "An image with a release must be pinned in fleet.lock and lie in the cache before anything is built with it. `check` "
    "goes on without it, and cannot see whether its installer can do what the fleet asks for. `build` fetches what is "
    "missing, unless `--offline` or `--dry-run` is given.",
    Severity.NOTE,
)
DAMAGED = Rule(
    "VK-J55",
    "What lies in the cache is what was verified",
    "The file was read again, and its digest is not the one under which it was verified: the disk failed, or somebody "
    "changed it. It is not used.",
)
STICK_DIFFERS = Rule(
    "VK-J56",
    "What is staged is what was verified",
    "A staged ISO was read again, and its digest is not that of the stick's manifest or of fleet.lock.",
)
NEWER = Rule(
    "VK-J57",
    "A newer release is known",
    "The vendor lists a release after the locked one. The lock stays until you move it: "
    "`ventoy-kit fetch --update IMAGE`.",
    Severity.WARNING,
)
LOCK_UNREADABLE = Rule(
    "VK-J58",
    "The lock can be read",
    "fleet.lock is a text file beside the fleet file. One that is there and cannot be read stops every command: going on "
    "without it would fetch whatever a server offers today.",
)
