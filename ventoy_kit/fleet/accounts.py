"""Models of accounts besides root."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.values import Bool, Name, SshKey, Title, matching

UserName = Annotated[
    str,
    *matching(
        r"(?!root$)[a-z][a-z0-9_-]{0,31}",
        "a user name: a lower-case letter, then letters, digits, _ and -, at most 32 characters, not `root`",
        "Choose one that `adduser` takes.",
    ),
]


class User(Model):
    """An account of Debian systems, besides root."""

    title: Title | None = Field(None, description="Full name.")
    password: Name | None = Field(
        None, description="Secret that holds its password, in clear or hashed; without one only keys log in."
    )
    ssh_keys: tuple[SshKey, ...] = Field((), description="Public keys that may log in.")
    sudo: Bool = Field(default=False, description="Whether it may become root; without a password, unasked.")
