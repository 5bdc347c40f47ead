"""The armed state of a stick: one node installs with no key pressed, once. Pure.

A stick is armed if its ventoy.json names a ticket in a folder `ventoy/<fleet>/armed-<id>/`, and that file alone decides:
it is replaced in one step, so a stick is a toolbox or armed, never half of both. The folder holds the armed ticket, the
ventoy.json of the toolbox with everything that is the user's, and a description. No generation is ever changed.

What Ventoy reads (ventoy_plugin.c, ventoy_cmd.c, grub.cfg): a plugin's key with the suffix of the boot mode takes the
place of the plain one; of several `control` entries for one variable the last counts; a default image that is not
listed is ignored, and then the time-out starts the first one listed, so `image_list` names this one alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ventoy_kit.payload.model import ARMED_MENU, Manifest
from ventoy_kit.stick.ventoy_config import MODES, TIP_PLACE, merge_config
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, Obj, Value, as_value

FORMAT = 1
DESCRIPTION = "arming.json"
TOOLBOX = "toolbox.json"
"""The ventoy.json that disarming puts back; its name must not begin as Ventoy's own does."""

MENU_SECONDS = 10
"""How long Ventoy's menu shows what will be wiped."""
TICKET_SECONDS = 5
"""How long Ventoy's template menu shows the ticket."""

_STAMP = "%Y%m%dT%H%M%SZ"
_ID = r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}"
_REFERENCE = re.compile(rf'"/ventoy/([a-z][a-z0-9-]*)/armed-({_ID})/([a-z0-9-]+)"')
_KEPT_PLUGINS = ("theme", "menu_class")
"""Plugins of the user that change how the menu looks and not what starts."""
_KEPT_SETTINGS = ("VTOY_MENU_LANGUAGE", "VTOY_DEFAULT_KBD_LAYOUT", "VTOY_SECURE_BOOT_POLICY")
"""The same among the settings of `control`."""


@dataclass(frozen=True, slots=True)
class Arming:
    """One arming of a stick.

    Attributes:
        id: `YYYYMMDDTHHMMSSZ-hhhhhhhh`: UTC time and eight random hex digits. Grows from arming to arming.
        expires: `YYYYMMDDTHHMMSSZ`, UTC; from then on the machine hands nothing over.
        fleet: name of the fleet.
        generation: whose answers are used.
        node: the node that installs.
        title: the node's name for people.
        image: id of the image.
        doomed: the disks that will be wiped, in words; those of pools that may be destroyed come last.
        checklist: tag of the node's checklists that go with it.
        destroys: the pools that this installation may destroy.
        config_sha256: digest of ventoy.json as arming wrote it.
        toolbox_sha256: digest of the file that disarming puts back.
    """

    id: str
    expires: str
    fleet: str
    generation: str
    node: str
    title: str
    image: str
    doomed: tuple[str, ...]
    checklist: str = ""
    config_sha256: str = ""
    toolbox_sha256: str = ""
    destroys: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """Four characters that `reimage` prints and the machine shows: both talk of the same arming."""
        return self.id[-4:].upper()

    @property
    def folder(self) -> str:
        """Where its files lie, from the stick's root."""
        return f"ventoy/{self.fleet}/armed-{self.id}"

    @property
    def ticket(self) -> str:
        """The armed ticket, from the stick's root."""
        return f"{self.folder}/{self.node}"

    @property
    def until(self) -> datetime | None:
        """When it expires; None if that cannot be read."""
        try:
            return datetime.strptime(self.expires, _STAMP).replace(tzinfo=UTC)
        except ValueError:
            return None

    def to_json(self) -> bytes:
        """The description in its folder."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n").encode()

    @staticmethod
    def from_json(data: bytes) -> Arming:
        """Read a description. Raises ValueError."""
        try:
            document = json.loads(data)
            if document.pop("format") != FORMAT:
                raise ValueError("another format")
            doomed = tuple(str(d) for d in document.pop("doomed"))
            destroys = tuple(str(d) for d in document.pop("destroys", ()))
            arming = Arming(doomed=doomed, destroys=destroys, **{str(k): str(v) for k, v in document.items()})
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"this describes no arming: {error!r}") from error
        if not re.fullmatch(_ID, arming.id):
            raise ValueError("its id is none")
        return arming


def new_id(now: datetime, random: str, known: Iterable[str]) -> str:
    """An id that is greater than all that are known, as text compares: also when the clock went back.

    Args:
        now: the time, UTC.
        random: eight hex digits in lower case.
        known: ids of earlier armings, on this stick or made on this machine; what is no id is ignored.
    """
    moment = now.astimezone(UTC).replace(microsecond=0)
    for one in known:
        try:
            last = datetime.strptime(one.partition("-")[0], _STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        if is_id(one) and last >= moment:
            moment = last + timedelta(seconds=1)
    return f"{moment.strftime(_STAMP)}-{random}"


def is_id(text: str) -> bool:
    """Whether a text has the form of an arming's id."""
    return re.fullmatch(_ID, text) is not None


def time_of(arming_id: str) -> datetime:
    """The time in an id."""
    return datetime.strptime(arming_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)


def expiry(arming_id: str, lifetime: timedelta) -> str:
    """When an arming ends: its lifetime counts from the time in its id."""
    return (time_of(arming_id) + lifetime).strftime(_STAMP)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a node's answers reach its installer, as the manifest on a stick tells. Paths are from the stick's root.

    Attributes:
        image: id of the image.
        iso: the ISO.
        folder: the generation's folder of the image.
        org: path on the ISO of the boot menu that is replaced.
        archive: the injection archive.
        ticket: the node's own ticket.
        alias: the image's name in Ventoy's menu.
    """

    image: str
    iso: str
    folder: str
    org: str
    archive: str
    ticket: str
    alias: str

    @property
    def files(self) -> tuple[str, ...]:
        """What must lie on the stick."""
        return (self.iso, self.ticket, self.archive, f"{self.folder}/{ARMED_MENU}")


def delivery_of(manifest: Manifest, node: str) -> Delivery | None:
    """Find a node's ticket among the kit's entries of ventoy.json; None if it has none."""
    base = f"/ventoy/{manifest.fleet}/{manifest.generation}/"
    for entry in manifest.config.get("auto_install", []):
        for template in entry.get("template", []):
            image, _, name = template.removeprefix(base).partition("/")
            if template.startswith(base) and name == node:
                return _delivery(manifest, entry["image"], image, template)
    return None


def _delivery(manifest: Manifest, iso: str, image: str, template: str) -> Delivery | None:
    def value(plugin: str, key: str, wanted: str) -> str | None:
        found = (e.get(wanted) for e in manifest.config.get(plugin, []) if e.get(key) == iso)
        return next((str(v) for v in found if v), None)

    org, archive = value("conf_replace", "iso", "org"), value("injection", "image", "archive")
    if org is None or archive is None:
        return None
    return Delivery(
        image=image,
        iso=iso.removeprefix("/"),
        folder=f"ventoy/{manifest.fleet}/{manifest.generation}/{image}",
        org=org,
        archive=archive.removeprefix("/"),
        ticket=template.removeprefix("/"),
        alias=value("menu_alias", "image", "alias") or image,
    )


def armed_config(toolbox: Obj, delivery: Delivery, arming: Arming) -> Obj:
    """The ventoy.json of an armed stick: one image, one ticket, every menu with a time-out.

    Of the toolbox's file only what changes the looks stays; everything else could hide the image, ask for a password,
    or start something else.
    """
    iso = f"/{delivery.iso}"
    ours: dict[str, Any] = {
        "control": [
            {"VTOY_MENU_TIMEOUT": str(MENU_SECONDS)},
            {"VTOY_DEFAULT_IMAGE": iso},
            {"VTOY_SECONDARY_BOOT_MENU": "0"},
            {"VTOY_DEFAULT_MENU_MODE": "0"},
        ],
        "image_list": [iso],
        "auto_install": [
            {"image": iso, "template": [f"/{arming.ticket}"], "autosel": 1, "timeout": TICKET_SECONDS}
        ],
        "injection": [{"image": iso, "archive": f"/{delivery.archive}"}],
        "conf_replace": [{"iso": iso, "org": delivery.org, "new": f"/{delivery.folder}/{ARMED_MENU}"}],
        "menu_alias": [{"image": iso, "alias": _shown(f"WIPE {arming.node} - {delivery.alias}", 100)}],
        "menu_tip": {**TIP_PLACE, "tips": [{"image": iso, **_tips(arming)}]},
    }
    settings = [as_value(entry) for entry in ours.pop("control")]
    root = Obj()
    for name, value in toolbox.members:
        plugin = _plugin(name)
        if root.count(name) or plugin == "control":
            continue
        if plugin in _KEPT_PLUGINS:
            root = root.with_member(name, value)
    for name in ("control", *(f"control_{mode}" for mode in MODES)):
        if name == "control" or toolbox.count(name):
            root = root.with_member(name, [*_kept_settings(toolbox.get(name)), *settings])
    for name, entries in ours.items():
        root = root.with_member(name, as_value(entries))
    return root


def _plugin(name: str) -> str:
    """A top-level key without the suffix of a boot mode."""
    base, _, mode = name.rpartition("_")
    return base if mode in MODES else name


def _kept_settings(entries: Value) -> list[Value]:
    return [
        Obj(entry.members[:1])
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Obj) and entry.members and entry.members[0][0] in _KEPT_SETTINGS
    ]


def _tips(arming: Arming) -> dict[str, str]:
    until = arming.until
    when = f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    disks = "; ".join(arming.doomed)
    return {
        "tip1": _shown(f"Armed: installs {arming.node} ({arming.title}){when}. Code {arming.code}.", 140),
        "tip2": _shown(f"Wipes {disks}", 140),
    }


def _shown(text: str, width: int) -> str:
    """Text that fits into one of GRUB's strings, which are pasted into a script."""
    plain = "".join(c for c in text if c not in '"$\\`' and c.isprintable())
    return textwrap.shorten(plain, width, placeholder="...")


def set_aside(toolbox: Obj, manifest: Manifest) -> tuple[str, ...]:
    """Keys of the user's own configuration that do nothing while the stick is armed; settings of `control` by name."""
    own, _ = merge_config(toolbox, {}, manifest.config, CONFIG_PATH)
    gone: list[str] = []
    for name, value in (own or toolbox).members:
        if _plugin(name) == "control" and isinstance(value, list):
            entries = [e for e in value if isinstance(e, Obj) and e.members]
            gone += [e.members[0][0] for e in entries if e.members[0][0] not in _KEPT_SETTINGS]
        elif _plugin(name) not in _KEPT_PLUGINS and value not in ([], Obj()):
            gone.append(name)
    return tuple(dict.fromkeys(gone))


def referred_to(config: bytes | None) -> tuple[str, str, str] | None:
    """Fleet, id and node of the arming that a ventoy.json starts; None if it starts none.

    The bytes are searched, not parsed, so that a file which somebody broke still counts as armed.
    """
    found = _REFERENCE.search((config or b"").decode("utf-8", "replace"))
    return None if found is None else (found[1], found[2], found[3])


def sha256(data: bytes) -> str:
    """Digest of a small file."""
    return hashlib.sha256(data).hexdigest()
