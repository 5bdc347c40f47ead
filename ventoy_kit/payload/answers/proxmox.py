"""Answer files of the Proxmox installers (TOML, kebab-case since release 8.4).

Keys and values: proxmox-installer-types, answer.rs; pve-docs, chapter "Automated Installation".
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import tomli_w

from ventoy_kit.answers import codes as answer_codes
from ventoy_kit.answers.proxmox_check import check_answer as check_keys
from ventoy_kit.answers.proxmox_schema import DISK_PLACEHOLDER, SECRETS, installer_release
from ventoy_kit.images.facts import IsoFacts
from ventoy_kit.payload import codes
from ventoy_kit.plan.model import NodePlan
from ventoy_kit.report import Finding, Path, Place, Report, Severity

__all__ = ["DISK_PLACEHOLDER", "check_answer", "render_answer"]

GIB = 1024**3


def render_answer(node: NodePlan, files: Mapping[str, str], image: IsoFacts) -> tuple[bytes | None, Report]:
    """The node's answer.toml, with what the image's installer takes and nothing else.

    Args:
        node: the node.
        files: the family's folder; `base.toml` is laid under what the fleet says.
        image: what it installs from; its release decides which keys exist.

    Returns:
        TOML with the placeholder in the place of the disk list, or None with findings VK-W* and VK-E30.
    """
    report = Report()
    file = "answer_files/proxmox/base.toml"
    if "base.toml" not in files:
        message = f"{file} does not exist"
        remedy = "Copy it from the kit's own folder."
        report.add(codes.TEMPLATE_MISSING.finding(message, remedy, place=Place(file)))
        return None, report
    try:
        base = tomllib.loads(files["base.toml"])
    except tomllib.TOMLDecodeError as error:
        report.add(
            codes.TEMPLATE.finding(f"base.toml is not TOML: {error}", "Correct the file.", place=Place(file))
        )
        return None, report
    release = installer_release(image.product, image.release)
    own, extra = _sections(node), node.install.answer
    for section in own:
        if not isinstance(base.get(section, {}), dict):
            report.add(
                codes.TEMPLATE.finding(f"`{section}` must be a table", "Correct the file.", place=Place(file))
            )
    if list(report):
        return None, report
    report.extend(_unsafe(base, file))
    report.extend(_forbidden_extra(extra, node.name))
    # A base cannot choose disks or the interface: the sections of the fleet are laid over it, key by key.
    answer = _merged(_merged(base, own), extra)
    try:
        data = tomli_w.dumps(answer).encode()
    except (TypeError, ValueError):
        message, remedy = "`answer` holds what TOML cannot say, such as null", "Remove it."
        report.add(answer_codes.EXTRA_KEY.finding(message, remedy, path=(*_at(node.name), "answer")))
        return None, report
    for finding in check_keys(tomllib.loads(data.decode()), release):
        told = {f.path for f in report}
        if (
            finding.severity is Severity.ERROR
            and (*_at(node.name), "answer", *(finding.path or ())) not in told
        ):
            report.add(_blamed(finding, base, extra, node.name, file))
    report.extend(check_answer(data, file))
    return (None if report.has_errors else data), report


def _at(name: str) -> Path:
    return ("nodes", name, "install")


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two levels: sections and their keys; a key of `above` takes the whole place of the one below it."""
    out = {k: dict(v) if isinstance(v, Mapping) else v for k, v in below.items()}
    for section, values in above.items():
        if isinstance(values, Mapping) and isinstance(out.get(section), dict):
            for key, value in values.items():
                under = out[section].get(key)
                if isinstance(value, Mapping) and isinstance(under, Mapping):
                    value = {**under, **value}  # noqa: PLW2901 - what is laid, with what lies below it
                out[section][key] = value
        else:
            out[section] = dict(values) if isinstance(values, Mapping) else values
    return out


_CHOOSING = frozenset({"disk-list", "disk_list", "filter", "filter-match", "filter_match"})
_SECRET = frozenset({name for path in SECRETS for name in (path[-1], path[-1].replace("-", "_"))})


def _unsafe(base: Mapping[str, Any], file: str) -> Iterator[Finding]:
    """Keys that a template may not hold: what chooses disks is judged in the rendered bytes."""
    for section, values in base.items():
        for key in values if isinstance(values, Mapping) else ():
            if key in _SECRET:
                yield _unknown_key(f"{section}.{key}", file)


def _forbidden_extra(extra: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Keys of `install.answer` that choose disks, hold secrets, or say again what the fleet file says elsewhere."""
    at: Path = (*_at(name), "answer")
    for section, values in extra.items():
        if not isinstance(values, Mapping):
            continue
        for key in values:
            why = (
                "chooses disks" if section == "disk-setup" and key in _CHOOSING | {"filesystem"}
                else "holds a secret" if key in _SECRET
                else "names the interface" if section == "network" and key in ("filter", "source")
                else ""
            )  # fmt: skip
            if why:
                remedy = "Remove it; the fleet file has its own keys for that."
                yield answer_codes.EXTRA_KEY.finding(
                    f"`{section}.{key}` {why}", remedy, path=(*at, section, key), on_key=True
                )


def _blamed(
    finding: Finding, base: Mapping[str, Any], extra: Mapping[str, Any], name: str, file: str
) -> Finding:
    """A finding about the merged answer as one about what caused it: the extra keys, the template, or the fleet file."""
    path = tuple(str(p) for p in finding.path or ())
    if _has(extra, path):
        return answer_codes.EXTRA_KEY.finding(
            finding.message, finding.remedy, path=(*_at(name), "answer", *path), on_key=finding.on_key
        )
    if _has(base, path[: max(2, len(path) - 1)]):  # what is missing in a table is the table's
        return codes.TEMPLATE.finding(finding.message, finding.remedy, place=Place(file))
    return replace(finding, path=_at(name), on_key=True)


def _has(data: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return bool(path)


def _sections(node: NodePlan) -> dict[str, dict[str, Any]]:
    sections = {"global": _global(node), "network": _network(node), "disk-setup": _disk_setup(node)}
    if node.hooks:
        # `fully-up` is the only stage that runs after the cluster file system is there (proxmox-first-boot units).
        sections["first-boot"] = {"source": "from-iso", "ordering": "fully-up"}
    webhook = node.install.webhook
    if webhook is not None:
        sections["post-installation-webhook"] = {"url": webhook.url}
        if webhook.cert_fingerprint is not None:
            sections["post-installation-webhook"]["cert-fingerprint"] = webhook.cert_fingerprint
        if node.webhook_token is not None:
            sections["post-installation-webhook"]["auth-token"] = node.webhook_token
    return sections


def _global(node: NodePlan) -> dict[str, Any]:
    out: dict[str, Any] = {
        "keyboard": node.locale.keyboard,
        "country": node.locale.country,
        "timezone": node.locale.timezone,
        "fqdn": node.fqdn,
        "mailto": node.mailto,
        "reboot-mode": node.install.reboot_mode,
    }
    # The installer demands a password; `!` in its place locks password logins and leaves the keys.
    out["root-password-hashed"] = node.root_hash or "!"
    if node.ssh_keys:
        out["root-ssh-keys"] = list(node.ssh_keys)
    if node.install.reboot_on_error:
        out["reboot-on-error"] = True
    if node.subscription_key is not None:
        out["subscription-key"] = node.subscription_key
    return out


def _network(node: NodePlan) -> dict[str, Any]:
    address = node.address
    out: dict[str, Any] = {
        "source": "from-answer",
        "cidr": address.cidr,
        "gateway": address.gateway,
        "dns": address.dns[0],
        # udev names every NIC with a MAC this way, whatever its kernel name; one value, so it matches one NIC.
        "filter": {"ID_NET_NAME_MAC": "enx" + address.mac.replace(":", "")},
    }
    # Without pins there is no table at all: since 9.2 one that says `enabled = false` pins every interface.
    if node.pins:
        out["interface-name-pinning"] = {"enabled": True, "mapping": dict(node.pins)}
    return out


def _disk_setup(node: NodePlan) -> dict[str, Any]:
    install = node.install
    out: dict[str, Any] = {"filesystem": install.filesystem, "disk-list": [DISK_PLACEHOLDER]}
    if install.filesystem in ("ext4", "xfs"):
        if install.lvm is not None:
            out["lvm"] = {k: _gib(v) for k, v in install.lvm.model_dump(exclude_none=True).items()}
    elif install.filesystem == "zfs":
        zfs = install.zfs.model_dump(exclude_none=True) if install.zfs else {}
        zfs = {k.replace("_", "-"): v for k, v in zfs.items()}
        zfs |= {"arc-max": zfs["arc-max"] // 1024**2} if "arc-max" in zfs else {}
        zfs |= {"hdsize": _gib(zfs["hdsize"])} if "hdsize" in zfs else {}
        out["zfs"] = {"raid": install.raid} | zfs
    else:
        btrfs = install.btrfs.model_dump(exclude_none=True) if install.btrfs else {}
        btrfs |= {"hdsize": _gib(btrfs["hdsize"])} if "hdsize" in btrfs else {}
        out["btrfs"] = {"raid": install.raid} | btrfs
    return out


def _gib(size: int) -> float | int:
    # Rounded down: a size that was rounded up may be more than the disk has.
    value = size * 1000 // GIB / 1000
    return int(value) if value == int(value) else value


def check_answer(data: bytes, file: str) -> Report:
    """Look at rendered bytes: the placeholder is the only disk and stands once."""
    report = Report()
    answer = tomllib.loads(data.decode())
    setup = answer.get("disk-setup", {})
    problems = []
    if setup.get("disk-list") != [DISK_PLACEHOLDER]:
        problems.append("its disk-list is not the placeholder alone")
    if not {"filter", "filter-match", "filter_match", "disk_list"}.isdisjoint(setup):
        problems.append("it lists or filters disks by itself")
    if data.count(DISK_PLACEHOLDER.encode()) != 1:
        problems.append("the placeholder does not stand exactly once")
    if problems:
        report.add(
            codes.ANSWER_UNSAFE.finding(
                "the answer file would let the installer choose a disk: " + ", ".join(problems),
                "Remove `disk-list`, `filter` and `filter-match` from base.toml.",
                place=Place(file),
            )
        )
    return report


def _unknown_key(key: str, file: str) -> Finding:
    return codes.TEMPLATE.finding(
        f"`{key}` is no key that an answer file may set",
        "Remove it from base.toml, or spell it as the installer's manual does; passwords belong into `secrets`.",
        place=Place(file),
    )
