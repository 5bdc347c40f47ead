"""Forms of single values that the Proxmox installer checks. Sources stand at each."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# The pattern of HTML5's input type=email, which proxmox-installer-common (options.rs) uses.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
_PIN = re.compile(r"[A-Za-z][A-Za-z0-9_]+([:.][0-9]+)?")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


def fqdn_problem(name: str) -> str:
    """Why the installer refuses a fully qualified name; empty if it does not (proxmox-network-types, fqdn.rs)."""
    labels = name.split(".")
    if len(name) > 253:
        return "it is longer than 253 characters"
    if len(labels) < 2:
        return "it has no domain"
    bad = next((part for part in labels if not _LABEL.fullmatch(part)), None)
    if bad is not None:
        return f"{bad!r} is no label of letters, digits and inner hyphens" if bad else "a label is empty"
    return "its host name is a number" if labels[0].isdigit() else ""


def is_address(text: str, *, mask: bool = False) -> bool:
    """Whether it is one IP address, or with `mask` an address with an optional prefix length."""
    try:
        address = ipaddress.ip_interface(text) if mask else ipaddress.ip_address(text)
    except ValueError:
        return False
    # A mask is a number here; Python would take `/255.255.255.0` too.
    return "%" not in str(address) and (not mask or "/" not in text or text.rpartition("/")[2].isdigit())


def pin_problem(name: str) -> str:
    """Why the installer refuses an interface name; empty if it does not (proxmox-installer-common, options.rs)."""
    if not 2 <= len(name.encode()) <= 15:
        return "it must have 2 to 15 bytes"
    return "" if _PIN.fullmatch(name) else "a letter, then letters, digits and underscores"


def is_email(text: str) -> bool:
    """Whether the installer takes the address; it refuses the one that its own dialogue shows."""
    return _EMAIL.fullmatch(text) is not None and text != "mail@example.invalid"


def is_mac(text: str) -> bool:
    """Whether it is a hardware address with colons."""
    return _MAC.fullmatch(text) is not None
