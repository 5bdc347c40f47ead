"""Where an image lies on a stick, whatever its name: images are known by size and SHA-256. Pure.

The bytes under an image's path never change while a menu names it: an image that is found under another name is used
where it lies, one whose place holds other bytes gets a name of its own, and ventoy.json is switched in one rename.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ventoy_kit.payload.model import Entry, Manifest

CHECKSUM = ".sha256"
"""Ventoy's menu (key `m`) compares an image with the file of this ending beside it (ventoy_check_chkfile)."""

_USABLE = re.compile(r"(?:[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*/)*[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*\.iso", re.ASCII)
_FORCED_MODE = re.compile(r"_vt(?:normal|grub2|wimboot|memdisk)\.iso$", re.IGNORECASE)
_LONGEST = 240


def is_image(path: str) -> bool:
    """Whether a path of a manifest is an image: outside of /ventoy and no checksum file."""
    return not path.startswith("ventoy/") and not path.endswith(CHECKSUM)


def checksum_file(entry: Entry) -> bytes:
    """What Ventoy and `sha256sum -c` read. Ventoy takes what follows a `=`, so a name with one is left out."""
    name = entry.path.rpartition("/")[2]
    return f"{entry.sha256}\n".encode() if "=" in name else f"{entry.sha256}  {name}\n".encode()


def own_name(entry: Entry) -> str:
    """The path for an image whose place holds other bytes: `iso/a.iso` becomes `iso/a.1a2b3c4d.iso`."""
    stem, dot, ending = entry.path.rpartition(".")
    return f"{stem}.{entry.sha256[:8]}{dot}{ending}" if stem else f"{entry.path}.{entry.sha256[:8]}"


def is_usable(path: str) -> bool:
    """Whether Ventoy lists and starts a file of the user as it would one of the kit.

    Its hooks stumble over blanks, `#` and brackets; `$` and quotes break its menu; hidden folders may be skipped; an
    ending such as `_vtgrub2` forces a mode without hooks; longer paths are cut off (ventoy_cmd.c, ventoy_def.h,
    ventoy-hook-lib.sh).
    """
    return (
        len(path) <= _LONGEST
        and not path.startswith("ventoy/")
        and _USABLE.fullmatch(path) is not None
        and _FORCED_MODE.search(path) is None
    )


def locate(
    wanted: Iterable[Entry],
    digests: Mapping[str, tuple[int, str | None]],
    owned: Collection[str],
    renamed: Collection[str],
) -> dict[str, str]:
    """The actual path of each wanted image whose path is another than the wanted one.

    Args:
        wanted: the images.
        digests: size and SHA-256 of the files on the stick, as far as they are known.
        owned: paths that the kit owns; they are preferred.
        renamed: paths whose bytes must stay, so that other bytes need a name of their own.
    """
    images = list(wanted)
    taken = {e.path for e in images if digests.get(e.path) == (e.size, e.sha256)}
    out: dict[str, str] = {}
    # Of two images of the same bytes, the one that has got a name of its own before gets it again.
    for entry in sorted(images, key=lambda e: own_name(e) not in digests):
        if digests.get(entry.path) == (entry.size, entry.sha256):
            continue
        same = [
            path
            for path, found in digests.items()
            if found == (entry.size, entry.sha256)
            and path not in taken
            and (path in owned or is_usable(path))
        ]
        if same:
            out[entry.path] = min(
                same,
                key=lambda p: (p != own_name(entry), p not in owned, not p.startswith("iso/"), len(p), p),
            )
            taken.add(out[entry.path])
        elif entry.path in renamed:
            out[entry.path] = own_name(entry)
    return out


def relocated(manifest: Manifest, places: Mapping[str, str]) -> Manifest:
    """The manifest with images at other paths, and the menu entries that name them there."""
    if not places:
        return manifest
    entries = [Entry(places.get(e.path, e.path), e.size, e.sha256, e.origin) for e in manifest.entries]
    paths = {f"/{old}": f"/{new}" for old, new in places.items()}
    config = {plugin: _renamed(value, paths) for plugin, value in manifest.config.items()}
    return Manifest(
        manifest.fleet,
        manifest.generation,
        tuple(sorted(entries, key=lambda e: e.path)),
        config,
        manifest.complete,
    )


def holds(staged: Manifest, built: Manifest) -> bool:
    """Whether a manifest on a stick is that of a build and perhaps more, wherever the images lie there."""
    ours, theirs = (_by_digest(m) for m in (built, staged))
    return ours[0] <= theirs[0] and ours[1] == theirs[1]


def _by_digest(manifest: Manifest) -> tuple[frozenset[tuple[str, int, str]], Mapping[str, Any]]:
    """Files and menu entries with each image under its digest instead of its path."""
    names = {e.path: e.sha256 for e in manifest.entries if is_image(e.path)}
    files = frozenset((names.get(e.path, e.path), e.size, e.sha256) for e in manifest.entries)
    return files, relocated(manifest, names).config


def _renamed(value: Any, paths: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {k: _renamed(v, paths) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, paths) for v in value]
    return paths.get(value, value) if isinstance(value, str) else value
