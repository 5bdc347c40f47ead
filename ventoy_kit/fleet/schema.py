"""The fleet file, version 1, as frozen models. Each field's description is its line in the reference."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ventoy_kit.fleet.accounts import User, UserName
from ventoy_kit.fleet.answering import PinName
from ventoy_kit.fleet.base import Model
from ventoy_kit.fleet.installing import Install
from ventoy_kit.fleet.judging import Pool, QDevice, RuleCode, Switch, Waiver
from ventoy_kit.fleet.values import (
    Address,
    Bool,
    Cidr,
    Country,
    Domain,
    EnvName,
    FleetName,
    Int,
    Interface,
    Language,
    Mac,
    Name,
    NodeName,
    PciAddress,
    PciId,
    Serial,
    Size,
    SshKey,
    Text,
    Timezone,
    Title,
    Url,
    Uuid,
    Wwn,
    bad,
)

Keyboard = Literal[
    "de", "de-ch", "dk", "en-gb", "en-us", "es", "fi", "fr", "fr-be", "fr-ca", "fr-ch", "hu", "is", "it", "jp", "lt",
    "mk", "nl", "no", "pl", "pt", "pt-br", "se", "si", "tr",
]  # fmt: skip
"""The keyboards of the Proxmox installer (proxmox-installer-types); the Debian family maps them to its own names."""


class Contact(Model):
    """Who answers for the fleet."""

    email: Text = Field(description="Address for system mail; the Proxmox installer demands one.")
    name: Title | None = Field(None, description="Printed on checklists.")


class Locale(Model):
    """Language, keyboard, country and time zone of the installed systems."""

    language: Language = Field(
        "en_US.UTF-8", description="Locale of Debian systems; Proxmox VE is always English."
    )
    keyboard: Keyboard = Field("en-us", description="Keyboard layout.")
    country: Country = Field("us", description="ISO 3166 code, lower case.")
    timezone: Timezone = Field("UTC", description="Time zone as Area/City, or UTC.")


class Secret(Model):
    """Where a secret comes from; never the secret itself."""

    env: EnvName | None = Field(None, description="Name of the environment variable that holds it.")
    file: Text | None = Field(None, description="Path of a file that holds it; relative to the fleet file.")
    command: tuple[Text, ...] | None = Field(
        None, description="Program and arguments that print it; no shell."
    )
    prompt: Bool = Field(
        default=False, description="Whether it is typed when it is needed; refused where nobody can be asked."
    )
    kept_by: Name | None = Field(
        None, description="Service of this fleet that keeps it, such as a password store, if one does."
    )

    allow_on_stick: Bool = Field(
        default=False,
        description="Whether it may travel in clear where no hash will do (tokens, subscription keys).",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Secret:
        if sum(v is not None for v in (self.env, self.file, self.command)) + self.prompt != 1:
            raise bad("a secret has exactly one source", "Give one of env, file, command and `prompt: true`.")
        if self.command is not None and not self.command:
            raise bad("the command is empty", "Write the program and its arguments as a list.")
        return self


class Network(Model):
    """A network that nodes have addresses in."""

    cidr: Cidr = Field(description="The network, such as 10.0.0.0/24.")
    gateway: Address | None = Field(None, description="Default gateway.")
    dns: tuple[Address, ...] = Field(
        (), description="Name servers, at most three; the first one is installed with."
    )
    vlan: Annotated[Int, Field(ge=1, le=4094)] | None = Field(
        None, description="VLAN id; shown in documents only."
    )
    latency: Literal["lan", "wireless", "wan"] | None = Field(
        None,
        description="How long packets take between nodes: `lan` always under 5 ms, `wireless` mostly, `wan` longer; "
        "not judged by default.",
    )

    @model_validator(mode="after")
    def _few_dns(self) -> Network:
        if len(self.dns) > 3:
            raise bad("more than three name servers", "The resolver reads three at most; remove the others.")
        return self


class Image(Model):
    """An installer or rescue medium."""

    release: Text | None = Field(
        None, description="Which release to fetch: exact such as `9.1-1`, a series such as `13`, or `latest`."
    )
    path: Text | None = Field(
        None, description="Path of your own ISO file, relative to the fleet file; in the place of `release`."
    )
    catalog: Name | None = Field(
        None, description="Id in the catalog (`ventoy-kit image list`); the image's name by default."
    )
    trust: Literal["signature", "checksum"] = Field(
        "signature",
        description="What must prove it: the vendor's signature, or a checksum alone where nothing is signed.",
    )
    title: Title | None = Field(None, description="Name in Ventoy's menu; the ISO's own title by default.")

    @model_validator(mode="after")
    def _one_origin(self) -> Image:
        if (self.path is None) == (self.release is None):
            raise bad(
                "an image is a release that is fetched or a file of yours",
                "Give one of `release` and `path`.",
            )
        return self

    @property
    def source(self) -> Literal["path", "release"]:
        """The key that says where the image comes from."""
        return "release" if self.path is None else "path"


class Nic(Model):
    """A network interface, as it is built into the machine."""

    mac: Mac = Field(description="MAC address.")
    title: Title | None = Field(None, description="What it is, such as `2.5GbE in the WLAN slot`.")
    port: Title | None = Field(
        None, description="Which socket or switch port it is cabled to; for the checklist."
    )
    pin: PinName | None = Field(
        None, description="Name that it gets in the installed system (Proxmox VE 9.1 or newer)."
    )


class Gpu(Model):
    """A graphics card."""

    id: PciId = Field(description="PCI vendor and device id.")
    title: Title | None = Field(None, description="What it is.")
    address: PciAddress | None = Field(None, description="PCI address, if several cards have the same id.")
    passthrough: Bool = Field(default=False, description="Whether a guest gets it (VFIO).")


class Hardware(Model):
    """Facts of the machine that documents and rules need."""

    cpu: Title | None = Field(None, description="Processor.")
    threads: Annotated[Int, Field(ge=1, le=4096)] | None = Field(
        None, description="Logical processors, as `nproc` on the node prints."
    )
    memory: Size | None = Field(None, description="Memory.")
    ecc: Bool = Field(default=False, description="Whether the memory is ECC.")
    gpus: tuple[Gpu, ...] = Field((), description="Graphics cards.")
    nics: dict[Name, Nic] = Field(
        default_factory=dict, description="Network interfaces by a name of your choice."
    )


class Identity(Model):
    """What the machine's firmware says it is (DMI)."""

    serial: Serial | None = Field(None, description="DMI product serial; Dell's service tag.")
    uuid: Uuid | None = Field(None, description="DMI product UUID.")


class Disk(Model):
    """A disk, named by serial or WWN."""

    use: Literal["system", "data", "keep"] = Field(
        description="`system` may be wiped at every installation; `data` holds a pool and `keep` "
        "is somebody's: neither is ever touched."
    )
    serial: Serial | None = Field(None, description="Serial number as `lsblk -o NAME,SERIAL` prints it.")
    wwn: Wwn | None = Field(None, description="World wide name as `lsblk -o NAME,WWN` prints it.")
    model: Title | None = Field(None, description="Model; cross-check only.")
    size: Size | None = Field(None, description="Size; cross-check only, with a tolerance of 10 percent.")
    pool: Name | None = Field(None, description="Storage pool that a `data` disk belongs to.")


class NodeNetwork(Model):
    """The node's management address."""

    nic: Name = Field(description="NIC of `hardware.nics` that carries it.")
    network: Name | None = Field(None, description="Network it lies in; `defaults.network` otherwise.")
    address: Interface = Field(description="Address with mask, such as 10.0.0.11/24; `dhcp` on Debian.")


class HookUse(Model):
    """A hook that the node runs after installation."""

    name: Text = Field(description="Folder name of the hook.")
    params: dict[str, Any] = Field(default_factory=dict, description="Its parameters; see the hook's page.")


class Service(Model):
    """A service that runs on a node or in a guest."""

    title: Title | None = Field(None, description="What it is.")
    stateful: Bool = Field(default=False, description="Whether it holds data that must outlive its guest.")
    provides: tuple[Name, ...] = Field(
        (),
        description="What it is for the fleet: `identity`, `dns`, `monitoring`, `metrics`, `siem`, `secrets`, `backup` "
        "and such, in words of your choice; some of them make it critical.",
    )
    group: Name | None = Field(None, description="Services of one group stand in for each other.")
    critical: Bool | None = Field(
        None,
        description="Whether others suffer when it stops; by default if it is stateful, provides what others lean on, "
        "or is needed from another node.",
    )
    needs: tuple[Name, ...] = Field(
        (), description="Services or groups without which it stops, each by its name."
    )
    observes: tuple[Name, ...] = Field(
        (), description="Nodes, services or groups that it watches over or decides about."
    )
    interval: Annotated[Int, Field(ge=1, le=86400)] | None = Field(
        None, description="Seconds between two samples of what it observes."
    )
    flush: Annotated[Int, Field(ge=0, le=86400)] = Field(
        0, description="Seconds that a sample may wait at its origin before it is sent."
    )
    address: Address | None = Field(
        None, description="Address that it answers at, if not that of its node or guest."
    )
    backed_up_by: Name | None = Field(None, description="Service or group that keeps copies of its data.")
    vcpu: Annotated[Int, Field(ge=1, le=1024)] | None = Field(None, description="Virtual processors.")
    memory: Size | None = Field(None, description="Memory.")
    disk: Size | None = Field(None, description="Disk space.")
    storage: Name | None = Field(
        None,
        description="Disk or pool of the node that holds its data; for a service in a guest, where the guest lives; the system disks by default.",
    )
    expendable: Bool = Field(
        default=False, description="Whether its data may be lost; then `reimage` does not ask for its name."
    )


class Guest(Model):
    """A virtual machine or container on a node."""

    kind: Literal["vm", "container"] = Field(description="What kind of guest it is.")
    title: Title | None = Field(None, description="What it is for.")
    address: Address | None = Field(None, description="Its own address, if it has a fixed one.")
    backed_up_by: Name | None = Field(None, description="Service or group that keeps copies of it.")
    vcpu: Annotated[Int, Field(ge=1, le=1024)] | None = Field(None, description="Virtual processors.")
    memory: Size | None = Field(None, description="Memory.")
    disk: Size | None = Field(None, description="Disk space.")
    storage: Name | None = Field(
        None, description="Disk or pool of the node that holds it; the system disks by default."
    )
    expendable: Bool = Field(
        default=False,
        description="Whether the guest may be lost, its services aside; then `reimage` does not ask for its name.",
    )
    gpu: PciId | None = Field(None, description="PCI id of the card that is passed through to it.")
    services: dict[Name, Service] = Field(default_factory=dict, description="Services in it.")


class Node(Model):
    """One machine."""

    title: Title = Field(description="Name for people, such as `Millennium Falcon`.")
    model: Name = Field(description="BIOS profile of the hardware model; `generic-uefi` fits any.")
    role: Title | None = Field(None, description="What the node is for.")
    identity: Identity = Field(default_factory=Identity, description="What its firmware says it is.")
    hardware: Hardware = Field(default_factory=Hardware, description="What is built in.")
    disks: dict[Name, Disk] = Field(description="Disks by a name of your choice.")
    pools: dict[Name, Pool] = Field(
        default_factory=dict,
        description="How the pools that `disks` name are built; judged as `raid0` otherwise.",
    )
    install: Install = Field(description="How it is installed.")
    network: NodeNetwork = Field(description="Its management address.")
    hooks: tuple[HookUse, ...] = Field((), description="Hooks after installation, besides `defaults.hooks`.")
    guests: dict[Name, Guest] = Field(default_factory=dict, description="Virtual machines and containers.")
    services: dict[Name, Service] = Field(default_factory=dict, description="Services on the node itself.")


class Defaults(Model):
    """What nodes have unless they say otherwise."""

    image: Name | None = Field(None, description="Image to install from.")
    network: Name | None = Field(None, description="Network of the management addresses.")
    domain: Domain = Field("lan", description="Domain of the host names.")
    root_password: Name | None = Field(
        None, description="Secret that holds root's password, in clear or hashed."
    )
    debian_mirror: Url | None = Field(
        None, description="Debian mirror, such as http://mirror.example.org/debian; none with a DVD image."
    )
    hooks: tuple[HookUse, ...] = Field((), description="Hooks that every node runs before its own.")


class Cluster(Model):
    """The Proxmox VE cluster that the nodes form."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,14}$")] = Field(
        description="Cluster name, at most 15 characters (pvecm)."
    )
    links: tuple[Name, ...] = Field((), description="Networks of the corosync links, in order.")
    expected_votes: Annotated[Int, Field(ge=1)] | None = Field(
        None, description="Votes; one per node and those of the QDevice by default."
    )
    qdevice: QDevice | None = Field(None, description="A vote from outside of the cluster, if there is one.")
    token: Annotated[Int, Field(ge=1000, le=300000)] = Field(
        3000, description="Corosync's `token` in milliseconds."
    )
    token_coefficient: Annotated[Int, Field(ge=0, le=10000)] = Field(
        650,
        description="Corosync's `token_coefficient` in milliseconds; Proxmox VE 9.1 and later may set 125.",
    )


class Fleet(Model):
    """The whole fleet file."""

    version: Literal[1] = Field(description="Version of this format.")
    fleet: FleetName = Field(description="Name of the fleet; part of paths on the stick.")
    title: Title | None = Field(None, description="Name for people.")
    contact: Contact = Field(description="Who answers for it.")
    locale: Locale = Field(default_factory=Locale, description="Language, keyboard, country, time zone.")
    ssh_keys: tuple[SshKey, ...] = Field((), description="Public keys that may log in as root.")
    users: dict[UserName, User] = Field(
        default_factory=dict, description="Accounts of the Debian systems by name, besides root."
    )
    secrets: dict[Name, Secret] = Field(
        default_factory=dict, description="Secrets by name; sources, never values."
    )
    networks: dict[Name, Network] = Field(description="Networks by name.")
    images: dict[Name, Image] = Field(description="Installer and rescue images by name.")
    defaults: Defaults = Field(
        default_factory=Defaults, description="What nodes have unless they say otherwise."
    )
    cluster: Cluster | None = Field(None, description="The Proxmox VE cluster, if there is one.")
    kept_by: Name | None = Field(
        None, description="Service of this fleet that keeps this file, such as a git server, if one does."
    )
    rules: dict[RuleCode, Switch] = Field(
        default_factory=dict, description="How much a rule of roles and fault domains weighs here."
    )
    waivers: tuple[Waiver, ...] = Field((), description="Findings of such rules that are accepted.")
    nodes: dict[NodeName, Node] = Field(description="Machines by host name.")
