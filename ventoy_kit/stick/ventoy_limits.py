"""Ventoy's limits on what stands in ventoy.json, checked on the kit's entries before anything is written. Pure.

Sources: ventoy_def.h and ventoy_plugin.c (lengths), ventoy_json.c (no escapes), ventoy_cmd.c (the menu entry's text;
`conf_replace` reads at most 1 MiB).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ventoy_kit.payload.model import Entry
from ventoy_kit.report import Finding, Place
from ventoy_kit.stick import config_codes as codes
from ventoy_kit.stick.ventoy_text import CONFIG_PATH

PATH_BYTES = 240
"""Longest path: existence checks put a device's name before it into 255 bytes."""
TEXT_BYTES = {"alias": 255, "tip": 999, "tip1": 999, "tip2": 999}
"""Longest texts, by key."""
REPLACED_BYTES = 1024 * 1024
"""Size of the largest file that `conf_replace` puts into an image."""


def limit_findings(ours: Mapping[str, Any], entries: tuple[Entry, ...]) -> Iterator[Finding]:
    """What of the kit's entries Ventoy would cut off, misread or ignore: findings VK-V06.

    Args:
        ours: the entries by plugin.
        entries: files of the manifest, for their sizes.
    """
    sizes = {f"/{e.path}": e.size for e in entries}
    for plugin, items in ours.items():
        for item in items:
            for key, text in _texts(item):
                why = _fault(key, text)
                if why:
                    yield _finding(plugin, key, text, why)
            new = item.get("new") if isinstance(item, Mapping) else None
            if plugin == "conf_replace" and sizes.get(str(new), 0) > REPLACED_BYTES:
                yield _finding(plugin, "new", str(new), f"has {sizes[str(new)]} bytes, more than 1 MiB")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)
    elif isinstance(value, str):
        yield key, value


def _fault(key: str, text: str) -> str | None:
    """What Ventoy does not take in a text, if anything."""
    is_path = text.startswith("/")
    bad = sorted({c for c in text if c in '"\\' or ord(c) < 0x20 or (key == "alias" and c == "$")})
    if bad:
        return f"holds {', '.join(repr(c) for c in bad)}"
    if is_path and (longest := PATH_BYTES) < (length := len(text.encode())):
        return f"has {length} bytes, more than {longest}"
    if is_path and ("//" in text or "/../" in text or (key in ("image", "iso") and "*" in text)):
        return "is no plain path"
    if key in TEXT_BYTES and len(text.encode()) > TEXT_BYTES[key]:
        return f"has {len(text.encode())} bytes, more than {TEXT_BYTES[key]}"
    return None


def _finding(plugin: str, key: str, text: str, why: str) -> Finding:
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    return codes.LIMIT.finding(
        f"`{key}` of `{plugin}` {why}: {shown}",
        "Change the fleet's, the image's or the node's name or title.",
        place=Place(CONFIG_PATH),
    )
