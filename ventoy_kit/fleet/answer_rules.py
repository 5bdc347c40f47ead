"""Rules of what only answers of the Proxmox installers have: secrets that travel in clear, pinned names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.schema import Fleet, Node
from ventoy_kit.fleet.secret_places import unknown_secret
from ventoy_kit.report import Finding, Path


def clear_secrets(node: Node) -> Iterator[tuple[str, Path]]:
    """Secrets that travel in clear for a node: name, and path below the node."""
    webhook = node.install.webhook
    if webhook is not None and webhook.token is not None:
        yield webhook.token, ("install", "webhook", "token")
    if node.install.subscription_key is not None:
        yield node.install.subscription_key, ("install", "subscription_key")


def check_answering(fleet: Fleet, node: Node, at: Path) -> Iterator[Finding]:
    """Secrets of answers that may travel, and pinned names that differ."""
    for name, below in clear_secrets(node):
        secret = fleet.secrets.get(name)
        if secret is None:
            yield unknown_secret(name, fleet.secrets, (*at, *below))
        elif not secret.allow_on_stick:
            yield codes.NOT_ON_STICK.finding(
                f"the secret `{name}` would travel in clear on the stick",
                "Add `allow_on_stick: true` to it, knowing that whoever holds the stick can read it.",
                path=(*at, *below),
            )
    seen: dict[str, str] = {}
    for name, nic in node.hardware.nics.items():
        if nic.pin is not None and nic.pin in seen:
            yield codes.PIN_TWICE.finding(
                f"`{nic.pin}` is also the name of `{seen[nic.pin]}`",
                "Give each interface a name of its own.",
                path=(*at, "hardware", "nics", name, "pin"),
            )
        seen.setdefault(nic.pin or "", name)


def used_secrets(fleet: Fleet) -> Mapping[str, tuple[str, ...]]:
    """The nodes that each secret travels in clear for."""
    out: dict[str, tuple[str, ...]] = {}
    for name, node in sorted(fleet.nodes.items()):
        for secret, _ in clear_secrets(node):
            out[secret] = (*out.get(secret, ()), name)
    return out
