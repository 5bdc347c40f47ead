"""The boot overlay of one image: hook scripts, and for every node its identity, disks, answers and first-boot runner.

The layout is a contract with the scripts in boot_overlay/, which read it in the installer's initramfs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ventoy_kit.payload.runner import Runner
from ventoy_kit.plan.model import ImagePlan, NodePlan

LIVE_INJECTION = "live_injection_7ed136ec_7a61_4b54_adc3_ae494d5106ea"
"""Folder of Ventoy's LiveInjection interface (IMG/cpio/ventoy/ventoy_chain.sh, step 3)."""

RUNNERS = "ventoy-kit/runners"
"""Folder of what first-boot runners share, each part under the beginning of its digest."""


@dataclass(frozen=True, slots=True)
class OverlayConf:
    """What an archive says of itself; tickets must name the same fleet, generation and image."""

    fleet: str
    generation: str
    image: ImagePlan

    def text(self) -> str:
        """Lines `key=value` for the boot hook."""
        values = {
            "format": "1",
            "fleet": self.fleet,
            "generation": self.generation,
            "image": self.image.id,
            "family": self.image.facts.family or "",
            "arming": "1",  # the form of armings that this overlay understands
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())


def overlay_files(
    conf: OverlayConf,
    nodes: tuple[NodePlan, ...],
    answers: Mapping[str, Mapping[str, bytes]],
    runners: Mapping[str, Runner],
    boot: Mapping[str, str],
) -> dict[str, tuple[bytes, int]]:
    """The files of the archive with their permission bits, by path.

    Args:
        conf: what it is for.
        nodes: the nodes that install from the image.
        answers: files of each node by node and file name, as the family rendered them.
        runners: first-boot runners by node; a node without hooks may have none.
        boot: the scripts of boot_overlay/ by name.
    """
    files: dict[str, tuple[bytes, int]] = {f"{LIVE_INJECTION}/hook.sh": (boot["hook.sh"].encode(), 0o755)}
    for name, text in boot.items():
        if name not in ("hook.sh", "README.md"):
            target = "codes" if name == "codes.tsv" else name
            files[f"ventoy-kit/{target}"] = (text.encode(), 0o755 if name.endswith(".sh") else 0o644)
    files |= {path: (data, 0o644) for path, data in node_data(conf, nodes).items()}
    for node in nodes:
        base = f"ventoy-kit/nodes/{node.name}"
        for name, data in answers[node.name].items():
            files[f"{base}/{name}"] = (data, 0o600)
        if node.name in runners:
            files |= _runner_files(base, runners[node.name])
    return files


def _runner_files(base: str, runner: Runner) -> dict[str, tuple[bytes, int]]:
    """A runner in its parts; the shared one has one path for all nodes. vk_put_runner puts them together again.

    Beside the node's part stand the name of the other one and the digest of the whole, so that no part can be lost,
    damaged or exchanged without being noticed.
    """
    name = hashlib.sha256(runner.shared).hexdigest()[:16]
    rest = f"{name} {hashlib.sha256(runner.whole).hexdigest()}\n"
    return {
        f"{base}/first-boot": (runner.own, 0o600),
        f"{base}/first-boot.rest": (rest.encode(), 0o600),
        f"{RUNNERS}/{name}": (runner.shared, 0o644),
    }


def runner_in(files: Mapping[str, tuple[bytes, int]], node: str) -> bytes | None:
    """The first-boot runner of a node from the files of an archive, put together; None if it has none.

    Raises:
        KeyError: a part is missing.
    """
    base = f"ventoy-kit/nodes/{node}/first-boot"
    if base not in files:
        return None
    name, _ = files[f"{base}.rest"][0].decode().split()
    return files[base][0] + files[f"{RUNNERS}/{name}"][0]


CLEAR = "boot overlay with answers and secrets in clear of "


def overlay_origin(nodes: tuple[NodePlan, ...]) -> str:
    """What the manifest says of an archive: whose secrets lie in it in clear."""
    named = ", ".join(node.name for node in nodes if node.travels_in_clear)
    return f"{CLEAR}{named}" if named else "boot overlay with answers"


def nodes_in_clear(origins: Iterable[str]) -> tuple[str, ...]:
    """The nodes whose secrets lie in clear on a stick, from the origins of its manifest."""
    listed = (o.removeprefix(CLEAR).split(", ") for o in origins if o.startswith(CLEAR))
    return tuple(sorted({name for names in listed for name in names}))


def node_data(conf: OverlayConf, nodes: tuple[NodePlan, ...]) -> dict[str, bytes]:
    """What the scripts need to tell machines and disks apart, by path."""
    out = {
        "ventoy-kit/overlay.conf": conf.text().encode(),
        "ventoy-kit/identity": _identity(nodes).encode(),
    }
    for node in nodes:
        base = f"ventoy-kit/nodes/{node.name}"
        out[f"{base}/title"] = f"{node.title}\n".encode()
        out[f"{base}/disks"] = _disks(node).encode()
        pools = "".join(f"{d.name}\t{d.pool}\n" for d in node.disks if d.use == "data" and d.pool)
        if pools:
            out[f"{base}/pools"] = pools.encode()
    return out


def _identity(nodes: tuple[NodePlan, ...]) -> str:
    lines = []
    for node in nodes:
        pairs = [("serial", node.identity.serial), ("uuid", node.identity.uuid)]
        pairs += [("mac", mac) for mac in node.identity.macs]
        lines += [f"{node.name}\t{kind}\t{value}\n" for kind, value in pairs if value]
    return "".join(lines)


def _disks(node: NodePlan) -> str:
    return "".join(
        "\t".join((d.use, d.name, d.serial or "-", d.wwn or "-", str(d.size or "-"), d.model or "-")) + "\n"
        for d in node.disks
    )
