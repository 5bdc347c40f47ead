"""Fleet and Inputs to Plan: defaults applied, references resolved, everything in one fixed order."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ventoy_kit.blueprint.model import PROXMOX, Blueprint
from ventoy_kit.fleet.hook_facts import FleetFacts
from ventoy_kit.fleet.hooks import HookSpec, check_params, in_order
from ventoy_kit.fleet.schema import Fleet, Node
from ventoy_kit.images.facts import ASSEMBLED, IsoFacts
from ventoy_kit.plan.inputs import Inputs, IsoFile
from ventoy_kit.plan.model import (
    AddressPlan,
    DiskPlan,
    HookPlan,
    IdentityPlan,
    ImagePlan,
    NodePlan,
    Plan,
    UserPlan,
)


def compose(fleet: Fleet, inputs: Inputs) -> Plan:
    """Make the plan of a fleet that `check_fleet` and `check_plan` found without errors.

    Args:
        fleet: the fleet.
        inputs: what was gathered for it; an ISO for every image, a hash for every secret in use.
    """
    used = {n.install.image or fleet.defaults.image for n in fleet.nodes.values()}
    images = tuple(
        _image(name, fleet.images[name].title, inputs.isos[name], used=name in used)
        for name in sorted(fleet.images)
    )
    facts = FleetFacts(fleet)
    nodes = tuple(_node(facts, name, fleet.nodes[name], inputs) for name in sorted(fleet.nodes))
    members = frozenset(n.name for n in nodes if inputs.isos[n.image].facts.product == PROXMOX)
    return Plan(fleet.fleet, fleet.title or fleet.fleet, images, nodes, Blueprint(fleet, members))


def _image(name: str, title: str | None, iso: IsoFile, *, used: bool) -> ImagePlan:
    return ImagePlan(
        id=name,
        title=title or _menu_title(iso.facts),
        file_name=iso.file_name,
        facts=iso.facts,
        sha256=iso.sha256,
        delivery="overlay" if used else "none",
        origin="stand-in, cannot boot" if iso.facts.stand_in else iso.origin,
    )


def _menu_title(facts: IsoFacts) -> str:
    """An ISO's own title with its release, as Ventoy's menu can show it.

    Quotes and dollars would end up inside a GRUB string; how an image was assembled does not fit onto a line.
    """
    release = facts.release or ""
    title = facts.title.partition(f", {ASSEMBLED}")[0]
    whole = title if release in title else f"{title} {release}"
    return textwrap.shorten("".join(c for c in whole if c not in '"$\\`'), 70, placeholder="")


def _node(facts: FleetFacts, name: str, node: Node, inputs: Inputs) -> NodePlan:
    fleet = facts.fleet
    secret = fleet.defaults.root_password
    return NodePlan(
        name=name,
        title=node.title,
        role=node.role,
        model=node.model,
        image=node.install.image or fleet.defaults.image or "",
        domain=fleet.defaults.domain,
        locale=fleet.locale,
        mailto=fleet.contact.email,
        ssh_keys=fleet.ssh_keys,
        mirror=fleet.defaults.debian_mirror,
        root_hash=inputs.password_hashes[secret] if secret is not None else None,
        identity=IdentityPlan(
            serial=node.identity.serial,
            uuid=node.identity.uuid,
            macs=tuple(sorted(nic.mac for nic in node.hardware.nics.values())),
        ),
        address=_address(fleet, node),
        disks=tuple(
            DiskPlan(n, d.use, d.serial, d.wwn, d.model, d.size, d.pool)
            for n, d in sorted(node.disks.items())
        ),
        install=node.install,
        hooks=hooks_of(facts, name, inputs.library.hooks),
        pins=tuple(sorted((nic.mac, nic.pin) for nic in node.hardware.nics.values() if nic.pin)),
        webhook_token=_clear(inputs, node.install.webhook.token if node.install.webhook else None),
        subscription_key=_clear(inputs, node.install.subscription_key),
        users=tuple(
            UserPlan(
                n,
                u.title or n,
                inputs.password_hashes[u.password] if u.password else None,
                u.ssh_keys,
                u.sudo,
            )
            for n, u in sorted(fleet.users.items())
        ),
    )


def _clear(inputs: Inputs, name: str | None) -> str | None:
    return None if name is None else inputs.clear_secrets[name]


def _address(fleet: Fleet, node: Node) -> AddressPlan:
    interface = node.network.address
    network = fleet.networks[node.network.network or fleet.defaults.network or ""]
    return AddressPlan(
        nic=node.network.nic,
        mac=node.hardware.nics[node.network.nic].mac,
        cidr=None if interface is None else str(interface),
        ip=None if interface is None else str(interface.ip),
        netmask=None if interface is None else str(interface.netmask),
        gateway=None if network.gateway is None else str(network.gateway),
        dns=tuple(str(d) for d in network.dns),
    )


def hooks_of(facts: FleetFacts, name: str, hooks: Mapping[str, HookSpec]) -> tuple[HookPlan, ...]:
    """The hooks of `defaults` and of a node, in the order in which they run; `check_fleet` found no error in them."""
    fleet = facts.fleet
    uses = {use.name: use for use in (*fleet.defaults.hooks, *fleet.nodes[name].hooks)}
    ordered, _ = in_order([hooks[used] for used in uses], ())
    tables = facts.of(name) if any(spec.facts for spec in ordered) else {}
    return tuple(
        HookPlan(
            spec,
            check_params(spec, uses[spec.name].params, ())[0],
            {table: tables[table] for table in sorted(spec.facts)},
        )
        for spec in ordered
    )
