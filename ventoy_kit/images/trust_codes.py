"""Rules about who may vouch for an image (VK-J01 to VK-J39)."""

from __future__ import annotations

from ventoy_kit.report import Rule, Severity

NO_SIGNATURE = Rule(
    "VK-J01",
    "There is a signature",
    "The catalog names a signature for this image. A server that has none, or sends a web page in its place, is not "
    "believed: whoever can change the image can also leave out the signature.",
)
UNKNOWN_SIGNER = Rule(
    "VK-J02",
    "A signature is by a pinned key",
    "Only keys whose full fingerprints stand in the catalog count. Keys of the user's own keyring and keys that a "
    "server offers do not. Of several signatures one by a pinned key is enough.",
)
AFTER_EXPIRY = Rule(
    "VK-J03",
    "A signature was made before its key expired",
    "A signature from a key's lifetime stays good when the key expires later. One made after the expiry is not: the "
    "owner may have given the key up.",
)
REVOKED = Rule(
    "VK-J04",
    "A signing key is not revoked",
    "The certificate carries its owner's revocation. Nothing that it signed is believed, whatever its date, since a "
    "thief can write any date.",
)
WEAK_HASH = Rule(
    "VK-J05",
    "A signature uses a strong hash",
    "A signature covers a digest. With MD5, SHA-1 and their kin two different files with the same digest can be made, "
    "so such a signature proves nothing. SHA-256, SHA-384, SHA-512, SHA3-256 and SHA3-512 are accepted.",
)
FROM_FUTURE = Rule(
    "VK-J06",
    "A signature is not from the future",
    "A signature that is dated later than this machine's clock is not believed; half an hour of difference is "
    "tolerated. Mostly the clock is wrong.",
)
OTHER_CONTENT = Rule(
    "VK-J07",
    "A signature is for this very content",
    "The signature names a pinned key and is of an accepted kind, yet does not verify: the file was changed or cut, it "
    "is another file's signature, or the signature itself is damaged or has run out. The OpenPGP library gives no nearer cause.",
)
WRONG_KIND = Rule(
    "VK-J08",
    "A signature covers the exact bytes",
    "A text signature ignores differences in line ends. That is fine for a checksum file, which is read as lines, "
    "and not for an image. Signatures of other kinds, such as over keys, say nothing about a file.",
)
NOT_LISTED = Rule(
    "VK-J09",
    "The checksum file lists the image",
    "The signed checksum file must give a digest for the very name that the catalog states.",
)
WRONG_DIGEST = Rule(
    "VK-J10",
    "The file has the digest that its vendor states",
    "The file is damaged, cut short, or not the one that was listed.",
)
ROLLBACK_DATE = Rule(
    "VK-J11",
    "A newer signature is not replaced by an older one",
    "fleet.lock knows a later signature for this request. An old signed checksum file stays validly signed for ever; "
    "a server that presents one again hides every release, and every mended flaw, since.",
)
ROLLBACK_RELEASE = Rule(
    "VK-J12",
    "A request for `latest` or a series does not go back",
    "fleet.lock holds a newer release that fits the request as well. To go back on purpose, name the older release.",
)
CHECKSUM_REFUSED = Rule(
    "VK-J13",
    "Checksums alone count only where the fleet file says so",
    "A checksum from the same server shows that a download is complete. It does not show who made the file. "
    "`trust: checksum` on the image in the fleet file accepts that. It never outweighs a signature that is there and bad.",
)
CHECKSUM_USED = Rule(
    "VK-J14",
    "An image is taken on its checksum alone",
    "Nobody signed this image, or its signature could not be had, and the fleet file accepts that. "
    "The lock pins its digest from now on, so that it cannot change unnoticed.",
    Severity.WARNING,
)
OTHER_THAN_LOCKED = Rule(
    "VK-J15",
    "A release has the bytes that were locked",
    "fleet.lock pins size and SHA-256. A vendor who replaces a published file, an attacker and a damaged copy look "
    "alike from here. `fetch --update IMAGE` accepts the new bytes once you know why they changed.",
)
NO_CERTIFICATE = Rule(
    "VK-J16",
    "A pinned key's certificate is at hand",
    "The catalog pins a key by its fingerprint; verifying needs the key itself. A certificate from the vendor's "
    "address is accepted only if its primary key has the pinned fingerprint.",
)
OTHER_RELEASE = Rule(
    "VK-J17",
    "The image is the release that was asked for",
    "A signature over an image does not cover its file name: an old image, still validly signed, could be served under "
    "a new name. Therefore what the image says of itself must be the release that was fetched.",
)
UNVERIFIED = Rule(
    "VK-J18",
    "An image is verified",
    "A local file without the vendor's checksum file and signature beside it is used as it is, and is marked "
    "`unverified` wherever it is shown.",
    Severity.WARNING,
)
