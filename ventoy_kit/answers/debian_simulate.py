"""What the Debian installer does with a ticket on a machine: which interface it configures.

Source: netcfg (`netcfg-common.c`): an address in `netcfg/choose_interface` is looked up among the interfaces; if none
has it, the question is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from ventoy_kit.answers.proxmox_simulate import Verdict
from ventoy_kit.hardware.inventory import NicFacts


def choose_interface(mac: str, nics: Sequence[NicFacts]) -> tuple[Verdict, ...]:
    """Every interface, by name, and whether it is configured: the first with this address.

    Args:
        mac: the address that the ticket names, lower case.
        nics: the machine's interfaces. The installer sees them with their burnt-in addresses.
    """
    out: list[Verdict] = []
    for nic in sorted(nics, key=lambda n: n.name):
        address = nic.permanent_mac or nic.mac
        taken = address == mac and not any(v.taken for v in out)
        why = f"its address is {mac}" if taken else f"its address is {address or 'unknown'}, not {mac}"
        out.append(Verdict(nic.name, why, taken))
    return tuple(out)
