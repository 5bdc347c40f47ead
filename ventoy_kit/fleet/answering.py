"""Parts of the fleet file that only the answers of the Proxmox installers have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ventoy_kit.fleet.values import Name, matching

PinName = Annotated[
    str,
    *matching(
        r"(?!nic[0-9]+$)[A-Za-z][A-Za-z0-9_]{1,14}",
        "an interface name: a letter, then letters, digits and underscores, 2 to 15 in all, not `nic` and a number",
        "Write one such as `lan0`; `nic0` and the like are names that the installer gives by itself.",
    ),
]
"""A name that the installer pins (proxmox-installer-common, options.rs)."""

Fingerprint = Annotated[
    str,
    *matching(
        r"([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}",
        "a SHA-256 fingerprint of 64 hexadecimal digits, with or without colons",
        "Copy it from `openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE`.",
    ),
]

WebAddress = Annotated[
    str,
    *matching(
        r"https?://[^\s\"'$`\\]{1,250}", "an address that begins with http:// or https://", "Correct it."
    ),
]


class Webhook(BaseModel):
    """Who is told when an installation is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: WebAddress = Field(description="Where the installer posts its report; it must answer 200 or 201.")
    cert_fingerprint: Fingerprint | None = Field(
        None, description="SHA-256 of the server's certificate, in the place of a certificate authority."
    )
    token: Name | None = Field(
        None, description="Secret that is sent with the report (since 9.2); it needs `allow_on_stick: true`."
    )
