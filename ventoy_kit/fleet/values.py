"""Types of single values in the fleet file: how each is spelled, checked and described in the JSON schema."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from ventoy_kit.fleet.countries import COUNTRIES
from ventoy_kit.fleet.marks import PlainFloat, PlainInt
from ventoy_kit.fleet.sizes import UNITS


def bad(message: str, remedy: str) -> PydanticCustomError:
    """An error of the value itself; the decoder turns it into a finding of VK-S04."""
    return PydanticCustomError("vk_value", "{message}", {"message": message, "remedy": remedy})


def wrong_type(wanted: str, value: object) -> PydanticCustomError:
    """An error of the value's type; the decoder turns it into a finding of VK-S03."""
    remedy = "Quote it if it is meant as text." if isinstance(value, bool) else f"Write {wanted}."
    message = f"needs {wanted}, not {shown(value)}"
    return PydanticCustomError("vk_type", "{message}", {"message": message, "remedy": remedy})


def shown(value: object) -> str:
    """A value of the fleet file in a message: short, and never what a map or list holds."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, dict | list | tuple):
        return "a map" if isinstance(value, dict) else "a list"
    return f"`{cut(str(getattr(value, 'raw', value)))}`"


def cut(text: str) -> str:
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= 60 else text[:57] + "..."


def as_text(value: Any) -> str:
    """Text, or a number by its spelling: a serial number may be all digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, PlainInt | PlainFloat):
        return value.raw
    raise wrong_type("text", value)


def as_int(value: Any) -> int:
    """A whole number; one with leading zeros is refused, since YAML readers disagree about it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type("a whole number", value)
    raw = getattr(value, "raw", "1")
    if re.fullmatch(r"[-+]?0[0-9]+", raw):
        raise PydanticCustomError(
            "vk_number",
            "{message}",
            {
                "message": f"`{raw}` is octal for some YAML readers",
                "remedy": f"Write {int(value)}.",
            },
        )
    return int(value)


def as_bool(value: Any) -> bool:
    """`true` or `false`; the YAML 1.1 words are text and are refused with the word to write instead."""
    if isinstance(value, bool):
        return value
    word = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
    if isinstance(value, str) and value.lower() in word:
        raise PydanticCustomError(
            "vk_type",
            "{message}",
            {"message": f"`{value}` is text in YAML 1.2", "remedy": f"Write {word[value.lower()]}."},
        )
    raise wrong_type("true or false", value)


def _mac(value: Any) -> str:
    text = as_text(value).lower().replace("-", ":")
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text):
        raise bad(
            f"`{cut(text)}` is not a MAC address", "Write six pairs of hex digits: `ip -br link` shows them."
        )
    if text in {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}:
        raise bad(f"`{cut(text)}` is no NIC's address", "Copy the real one from `ip -br link`.")
    return text


def _uuid(value: Any) -> str:
    text = as_text(value).lower()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise bad(f"`{cut(text)}` is not a UUID", "Copy it from /sys/class/dmi/id/product_uuid (as root).")
    return text


def _is_small_order(point: bytes) -> bool:
    """Whether an Ed25519 public key lets anybody forge signatures. Zeros are a common placeholder in examples.

    The encodings, without the sign bit, are, for y: 0, 1, the two values of order 8, p-1, p, p+1.
    """
    value = int.from_bytes(point, "little") & (2**255 - 1)
    prime = 2**255 - 19
    order_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    return value in (0, 1, prime - 1, prime, prime + 1, order_8, prime - order_8)


def _ssh_key(value: Any) -> str:
    """A line of a .pub file whose key data says the type that the line says (RFC 4253, section 6.6)."""
    text = as_text(value)
    match = re.fullmatch(
        r"((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) ([A-Za-z0-9+/]{40,}={0,2})(?: [^\x00-\x1f\x7f]*)?", text
    )
    remedy = "Copy the one line of the .pub file, such as `ssh-ed25519 AAAA... name`; never the private key."
    if not match:
        raise bad(f"`{text[:40]}` is not a public SSH key", remedy)
    try:
        blob = base64.b64decode(match[2], validate=True)
    except ValueError:
        raise bad(f"the key `{text[:40]}...` is cut off or damaged", remedy) from None
    length = int.from_bytes(blob[:4])
    if blob[4 : 4 + length] != match[1].encode():
        raise bad(f"the key `{text[:40]}...` is cut off or damaged", remedy)
    if match[1] == "ssh-ed25519" and (len(blob) != 51 or _is_small_order(blob[19:])):
        raise bad(f"the key `{text[:40]}...` is a placeholder, with which anybody could log in", remedy)
    return text


def _pattern(expression: str, what: str, remedy: str) -> Callable[[Any], str]:
    compiled = re.compile(expression)

    def check(value: Any) -> str:
        text = as_text(value)
        if not compiled.fullmatch(text):
            raise bad(f"`{cut(text)}` is not {what}", remedy)
        return text

    return check


def matching(expression: str, what: str, remedy: str, *, digits: bool = False) -> Any:
    """Validator and schema of text that matches; `digits` if it may look like a number without quotes."""
    kind = ["string", "number"] if digits else "string"
    schema = {"type": kind, "pattern": f"^({expression})$", "description": what}
    return (BeforeValidator(_pattern(expression, what, remedy)), WithJsonSchema(schema))


Text = Annotated[str, BeforeValidator(as_text), WithJsonSchema({"type": ["string", "number"]})]
Int = Annotated[int, BeforeValidator(as_int), WithJsonSchema({"type": "integer"})]
Bool = Annotated[bool, BeforeValidator(as_bool), WithJsonSchema({"type": "boolean"})]

Title = Annotated[
    str,
    *matching(
        r'[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"$\\`]{1,80}',
        "a title of 1 to 80 characters without quotes, $, \\, backticks or characters that steer a terminal",
        "Shorten it, or leave those characters out; Ventoy's menu and consoles show it as it is.",
    ),
]
Reason = Annotated[
    str,
    *matching(
        r"(?=.*[^\W\d_]{2})[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{5,400}",
        "a reason: a sentence of 5 to 400 characters on one line",
        "Say in a sentence why this is so; a reason over several lines of YAML is one line too.",
    ),
]
Name = Annotated[
    str,
    *matching(
        r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?",
        "a name of lower-case letters, digits and inner hyphens, at most 32 characters",
        "Use lower-case letters, digits and hyphens.",
        digits=True,
    ),
]
FleetName = Annotated[
    str,
    *matching(
        r"[a-z]([a-z0-9-]{0,14}[a-z0-9])?",
        "a fleet name of lower-case letters, digits and inner hyphens, at most 16 characters",
        "Shorten it: it is part of the paths that Ventoy's menu shows.",
    ),
]
NodeName = Annotated[
    str,
    *matching(
        r"(?!auto$)(?![0-9]+$)[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?",
        "a node name: lower-case letters, digits and inner hyphens, at most 32 characters, not all digits, not `auto`",
        "Use a plain host name without domain; `auto` is the ticket that recognises the machine.",
    ),
]
Mac = Annotated[
    str,
    BeforeValidator(_mac),
    WithJsonSchema({"type": "string", "pattern": "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"}),
]
Uuid = Annotated[
    str,
    BeforeValidator(_uuid),
    WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"}),
]
Serial = Annotated[
    str,
    *matching(
        r"[!-~]([ -~]{0,62}[!-~])?",
        "a serial number of 1 to 64 printable ASCII characters",
        "Copy it from `lsblk -o NAME,SERIAL` or from the label.",
        digits=True,
    ),
]
Wwn = Annotated[
    str,
    *matching(
        r"(0x|naa\.|eui\.|nvme\.|t10\.)?[0-9A-Za-z._-]{8,80}",
        "a WWN such as 0x5000c500a1b2c3d4 or eui.0025385b71b0a1c2",
        "Copy it from `lsblk -o NAME,WWN`.",
        digits=True,
    ),
]
PciId = Annotated[
    str,
    *matching(
        r"[0-9a-f]{4}:[0-9a-f]{4}",
        "a PCI id such as 10de:27b0",
        "Copy it from `lspci -nn`: the pair in brackets at the end of the line, in lower case.",
    ),
]
PciAddress = Annotated[
    str,
    *matching(
        r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]",
        "a PCI address such as 0000:01:00.0",
        "Copy it from `lspci -D`.",
    ),
]
Domain = Annotated[
    str,
    *matching(
        r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
        "a domain name",
        "Use labels of letters, digits and inner hyphens, joined by dots.",
    ),
]
Url = Annotated[
    str,
    *matching(
        r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?",
        "a plain web address such as http://mirror.example.org/debian",
        "Write http:// or https://, the host and the path; no user name, no query.",
    ),
]
EnvName = Annotated[
    str, *matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable", "Write it without `$`.")
]
SshKey = Annotated[
    str,
    BeforeValidator(_ssh_key),
    WithJsonSchema(
        {"type": "string", "pattern": "^(sk-)?(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,2}( .*)?$"}
    ),
]
Timezone = Annotated[
    str,
    *matching(
        # The areas of tz's zone.tab: the Proxmox installer knows no other names, neither Etc/UTC nor US/Eastern.
        r"UTC|(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)(/[A-Za-z0-9_+-]+){1,2}",
        "a time zone such as Europe/Berlin, or UTC",
        "Use a name from `timedatectl list-timezones` that begins with a continent or ocean, or UTC.",
    ),
]
Language = Annotated[
    str, *matching(r"[a-z]{2,3}(_[A-Z]{2})?\.UTF-8", "a locale such as en_US.UTF-8", "Use ll_CC.UTF-8.")
]


Package = Annotated[
    str,
    *matching(
        r"[a-z0-9][a-z0-9+.-]+",
        "the name of a Debian package",
        "Use lower-case letters, digits, +, - and . as `apt-cache search` prints it.",
    ),
]


def _country(value: Any) -> str:
    text = as_text(value)
    if text not in COUNTRIES:
        hint = {"uk": "gb", "en": "us"}.get(text.lower(), text.lower())
        remedy = (
            f"Write `{hint}`." if hint in COUNTRIES else "Write two lower-case letters, such as `us` or `de`."
        )
        raise bad(f"`{cut(text)}` is not a country code of ISO 3166", remedy)
    return text


Country = Annotated[
    str, BeforeValidator(_country), WithJsonSchema({"type": "string", "enum": sorted(COUNTRIES)})
]


def parse_size(value: Any) -> int:
    """`64 GiB` or `2TB` as bytes; decimal units are powers of 1000, binary ones of 1024."""
    text = as_text(value)
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([KMGTP]i?B|B)", text)
    if not match or float(match[1]) == 0:
        raise bad(f"`{cut(text)}` is not a size", "Write a number and a unit: 64 GiB, 512 GB, 2 TB.")
    return int((Decimal(match[1]) * UNITS[match[2]]).to_integral_value())


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([KMGTP]i?B|B)$"}),
]


def _cidr(value: Any) -> Any:
    text = as_text(value)
    if "/" not in text:
        raise bad(f"`{cut(text)}` is not a network", "Write it with its mask, like 10.0.0.0/24.")
    try:
        return ip_network(text, strict=True)
    except ValueError:
        pass
    try:
        hint = str(ip_network(text, strict=False))
    except ValueError:
        raise bad(f"`{cut(text)}` is not a network", "Write it like 10.0.0.0/24.") from None
    raise bad(f"`{cut(text)}` has bits set beyond its mask", f"Write {hint}.")


def _address(value: Any) -> Any:
    text = as_text(value)
    try:
        return ip_address(_unscoped(text))
    except ValueError:
        raise bad(f"`{cut(text)}` is not an IP address", "Write it like 10.0.0.1.") from None


def _interface(value: Any) -> IPv4Interface | IPv6Interface | None:
    text = as_text(value)
    if text == "dhcp":
        return None
    try:
        if "/" in text:
            return ip_interface(_unscoped(text))
    except ValueError:
        pass
    raise bad(f"`{cut(text)}` is not an address with mask", "Write it like 10.0.0.11/24, or `dhcp`.")


def _unscoped(text: str) -> str:
    """The text, unless it names an interface of one machine (`fe80::1%eth0`), which may be any text at all."""
    if "%" in text:
        raise ValueError("an address with a zone")
    return text


_AS_TEXT = PlainSerializer(str, return_type=str)
Cidr = Annotated[
    Any, BeforeValidator(_cidr), _AS_TEXT, WithJsonSchema({"type": "string", "examples": ["10.0.0.0/24"]})
]
Address = Annotated[Any, BeforeValidator(_address), _AS_TEXT, WithJsonSchema({"type": "string"})]
Interface = Annotated[
    Any,
    BeforeValidator(_interface),
    PlainSerializer(lambda value: "dhcp" if value is None else str(value), return_type=str),
    WithJsonSchema({"type": "string", "examples": ["10.0.0.11/24", "dhcp"]}),
]
"""An address with its mask; None for one that the network gives (`dhcp`)."""
