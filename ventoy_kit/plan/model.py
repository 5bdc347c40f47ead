"""The plan: what will exist, resolved and complete, before any byte is rendered. Frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ventoy_kit.blueprint.model import Blueprint
from ventoy_kit.fleet.hook_facts import Table
from ventoy_kit.fleet.hooks import HookSpec, ParamValue
from ventoy_kit.fleet.installing import Install
from ventoy_kit.fleet.schema import Locale
from ventoy_kit.images.facts import IsoFacts

Delivery = Literal["overlay", "none"]
"""How a node's answer reaches the installer: by the boot overlay, or not at all (rescue media)."""

Use = Literal["system", "data", "keep"]


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """An ISO on the stick.

    Attributes:
        id: name in the fleet file.
        title: name for people.
        file_name: name on the stick, in /iso.
        facts: what the ISO is.
        sha256: digest of its bytes, 64 hex digits.
        delivery: how answers are delivered.
        origin: where the bytes come from, as recorded in the manifest.
    """

    id: str
    title: str
    file_name: str
    facts: IsoFacts
    sha256: str
    delivery: Delivery
    origin: str


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """A disk of a node; `size` in bytes."""

    name: str
    use: Use
    serial: str | None
    wwn: str | None
    model: str | None
    size: int | None
    pool: str | None


@dataclass(frozen=True, slots=True)
class IdentityPlan:
    """What tells the machine from others. MAC addresses are lower case."""

    serial: str | None
    uuid: str | None
    macs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddressPlan:
    """The management address. `mac` is that of the NIC that carries it; the three of it are None with DHCP."""

    nic: str
    mac: str
    cidr: str | None
    ip: str | None
    netmask: str | None
    gateway: str | None
    dns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HookPlan:
    """A hook with checked parameters and the tables of facts that it reads, in the order in which it runs."""

    spec: HookSpec
    params: Mapping[str, ParamValue]
    facts: Mapping[Table, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserPlan:
    """An account besides root. `password_hash` is a crypt(3) string, left out of the representation."""

    name: str
    title: str
    password_hash: str | None = field(repr=False)
    ssh_keys: tuple[str, ...]
    sudo: bool


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node with everything that defaults gave it.

    `pins` holds hardware address and name of interfaces, sorted. `webhook_token` and `subscription_key` are secrets in
    clear.

    `mirror` is the URL of a Debian mirror. `root_hash` is a crypt(3) string, left out of the representation.
    """

    name: str
    title: str
    role: str | None
    model: str
    image: str
    domain: str
    locale: Locale
    mailto: str
    ssh_keys: tuple[str, ...]
    mirror: str | None
    root_hash: str | None = field(repr=False)
    identity: IdentityPlan
    address: AddressPlan
    disks: tuple[DiskPlan, ...]
    install: Install
    hooks: tuple[HookPlan, ...]
    users: tuple[UserPlan, ...] = ()
    pins: tuple[tuple[str, str], ...] = ()
    webhook_token: str | None = field(default=None, repr=False)
    subscription_key: str | None = field(default=None, repr=False)

    @property
    def travels_in_clear(self) -> bool:
        """Whether a secret of the node lies on the stick as it is."""
        return self.webhook_token is not None or self.subscription_key is not None

    @property
    def fqdn(self) -> str:
        """Host name with domain."""
        return f"{self.name}.{self.domain}"

    def disks_for(self, use: Use) -> tuple[DiskPlan, ...]:
        """The disks of one use."""
        return tuple(d for d in self.disks if d.use == use)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the payload is rendered from. Images and nodes are sorted by name.

    `blueprint` says what runs where and what a loss takes along; checklists tell it.
    """

    fleet: str
    title: str
    images: tuple[ImagePlan, ...]
    nodes: tuple[NodePlan, ...]
    blueprint: Blueprint

    def node(self, name: str) -> NodePlan:
        """A node by its name; KeyError if the plan has none of that name."""
        return {n.name: n for n in self.nodes}[name]

    def nodes_of(self, image: str) -> tuple[NodePlan, ...]:
        """The nodes that install from an image."""
        return tuple(n for n in self.nodes if n.image == image)

    def image(self, name: str) -> ImagePlan:
        """An image by its id; KeyError if the plan has none of that name."""
        return {i.id: i for i in self.images}[name]
