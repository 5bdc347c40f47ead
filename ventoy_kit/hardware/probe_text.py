"""The program that looks at a machine: the probes of `probes/` joined into one file. Pure."""

from __future__ import annotations

_MAIN = "\n\ndef main():\n"


def joined_probe(firmware: str, hardware: str) -> str:
    """One program that prints both sections of the facts.

    The hardware probe's `main` prints the firmware's section too where that probe's `collect` is defined before it;
    the two have no other names in common that mean different things (tests/hardware/test_probe.py compares them).

    Args:
        firmware: text of `probes/firmware.py`.
        hardware: text of `probes/hardware.py`.
    """
    head, found, _ = firmware.partition(_MAIN)
    if not found:
        raise ValueError("the firmware probe has no main()")
    return f"{head}\n\n# The part that looks at disks, network interfaces and PCI.\n\n{hardware}"
