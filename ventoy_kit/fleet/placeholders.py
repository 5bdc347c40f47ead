"""What firmware and disk bridges report when nobody gave them a number. Such values identify nothing."""

from __future__ import annotations

import re

# Texts seen in DMI tables of retail boards (dmidecode outputs in public bug reports), compared without case and
# without anything but letters and digits, UUIDs that whole series share among them. boot_overlay/lib.sh holds the same list for the machine's side; a test
# compares the two.
PLACEHOLDER_TEXTS = frozenset(
    {
        "defaultstring",
        "tobefilledbyoem",
        "systemserialnumber",
        "serialnumber",
        "chassisserialnumber",
        "baseboardserialnumber",
        "notspecified",
        "notapplicable",
        "notavailable",
        "none",
        "null",
        "na",
        "oem",
        "unknown",
        "invalid",
        "empty",
        "0123456789",
        "123456789",
        "1234567890",
        "0123456789abcdef",
        "03000200040005000006000700080009",
        "00020003000400050006000700080009",
        "123456781234567890abcddeefaabbcc",
        "fefefefefefefefefefefefefefefefe",
    }
)

_WWN_PREFIXES = ("naa.", "eui.", "t10.", "nvme.", "uuid.", "0x")


def is_placeholder_serial(text: str) -> bool:
    """Whether a serial number is a known placeholder or one character repeated (zeros, Fs, dots)."""
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    return len(set(plain)) <= 1 or plain in PLACEHOLDER_TEXTS


def is_placeholder_uuid(text: str) -> bool:
    """Whether a UUID is shared by whole series or one digit repeated."""
    return is_placeholder_serial(text)


def plain_wwn(text: str) -> str:
    """A WWN in the form in which the boot hook compares it: lower case, without the prefix of its register."""
    lower = text.lower()
    return next((lower.removeprefix(p) for p in _WWN_PREFIXES if lower.startswith(p)), lower)


def is_placeholder_wwn(text: str) -> bool:
    """Whether a WWN is one digit repeated or a known placeholder."""
    return is_placeholder_serial(plain_wwn(text))
