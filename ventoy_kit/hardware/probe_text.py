"""The programs that look at a machine: parts of `probes/` joined into one file each. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

FIRMWARE = ("tree.py", "firmware.py", "program.py")
"""Parts of the probe that records the firmware's settings alone."""

WHOLE = ("tree.py", "firmware.py", "disks.py", "hardware.py", "program.py")
"""Parts of the probe that records everything."""

_BETWEEN_PARTS = re.compile(
    rf"^from (?:{'|'.join(part.removesuffix('.py') for part in WHOLE)}) import .*\n", re.MULTILINE
)


def joined_probe(parts: Mapping[str, str], names: tuple[str, ...]) -> str:
    """One program made of these parts, without what they import from each other.

    The parts stand in one namespace then; no two define one name (tests/hardware/test_hardware_probe.py).

    Args:
        parts: texts of the files of `probes/` by name.
        names: which of them, in this order: what one needs stands before it.
    """
    texts = [_BETWEEN_PARTS.sub("", parts[name]).strip() for name in names]
    return "#!/usr/bin/env python3\n" + "\n\n\n".join(texts) + "\n"
