"""What firmware and disk bridges report when nobody gave them a number. Such values identify nothing."""

from __future__ import annotations

import re

# Texts seen in DMI tables of retail boards (dmidecode outputs in public bug reports), compared without case and
# without anything but letters and digits. boot_overlay/lib.sh holds the same list for the machine's side; a test
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
    }
)

SHARED_UUIDS = frozenset(
    {
        "03000200-0400-0500-0006-000700080009",
        "00020003-0004-0005-0006-000700080009",
        "12345678-1234-5678-90ab-cddeefaabbcc",
        "fefefefe-fefe-fefe-fefe-fefefefefefe",
    }
)


def is_placeholder_serial(text: str) -> bool:
    """Whether a serial number is a known placeholder or one character repeated (zeros, Fs, dots)."""
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    return len(set(plain)) <= 1 or plain in PLACEHOLDER_TEXTS


def is_placeholder_uuid(text: str) -> bool:
    """Whether a UUID is shared by whole series or one digit repeated."""
    return text.lower() in SHARED_UUIDS or len(set(text.replace("-", "").lower())) <= 1
