"""Sizes for people. Without the readers of the fleet file, which take long to load: staging needs none of them."""

from __future__ import annotations

UNITS = {"B": 1} | {
    f"{prefix}{suffix}": (1000 if suffix == "B" else 1024) ** power
    for power, prefix in enumerate("KMGTP", start=1)
    for suffix in ("B", "iB")
}
"""Bytes by unit: decimal as disks are sold, binary with an `i`."""


def format_size(size: int) -> str:
    """Bytes for people, decimal as disks are sold, binary where it is round: `2 TB`, `64 GiB`, `1.7 MB`."""
    for unit in ("TiB", "GiB", "MiB"):
        if size >= UNITS[unit] and size % UNITS[unit] == 0 and size // UNITS[unit] < 100_000:
            return f"{size // UNITS[unit]} {unit}"
    for unit in ("TB", "GB", "MB", "KB"):
        if round(size / UNITS[unit], 1) >= 1:
            return f"{size / UNITS[unit]:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"
