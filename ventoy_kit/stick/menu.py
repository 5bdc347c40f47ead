"""ventoy.json as it is found on a stick: what of it is the kit's, what was there before, what it becomes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ventoy_kit.report import Report
from ventoy_kit.stick.ventoy_config import IMAGE_KEY, MODES, merge_config, plugin_entries, tidied
from ventoy_kit.stick.ventoy_text import CONFIG_PATH, Obj, dump_config, parse_config


@dataclass(frozen=True, slots=True)
class Menu:
    """What a stick's ventoy.json holds.

    Attributes:
        current: its bytes, None if there is no file.
        root: the same, read as Ventoy reads it.
        recorded: the entries in it that are the kit's, by plugin.
        before: the user's own file as an earlier stage has kept it, if there was one.
        staged: whether an earlier stage has left a manifest; without `before`, there was no file then.
    """

    current: bytes | None
    root: Obj
    recorded: Mapping[str, Any]
    before: bytes | None
    staged: bool = False

    def merged(self, ours: Mapping[str, Any]) -> tuple[bytes | None, Report]:
        """The file with these entries in the place of the recorded ones.

        None if there is none and none is needed, or with findings VK-V* that are errors.
        """
        if not any(ours.values()):
            own = self.users_own()
            return own if own is not None or self.current is None else dump_config(Obj()), Report()
        root, report = merge_config(self.root, ours, self.recorded, CONFIG_PATH)
        if root is None:
            return None, report
        return self.current if root == self.root else dump_config(root), report

    def to_keep(self) -> bytes | None:
        """The user's file as it is to be kept for `users_own`: as it was when the kit came, never changed again."""
        if self.before is not None or self.current is None:
            return self.before
        root, _ = merge_config(self.root, {}, self.recorded, CONFIG_PATH)
        if self.staged and (root is None or not root.members or root != self.root):
            return None
        return self.users_own()

    def users_own(self) -> bytes | None:
        """The user's file without the kit: byte for byte if the user's part is what it was, None if there is none."""
        if self.current is None or self.current == self.before:
            return self.current
        root, _ = merge_config(self.root, {}, self.recorded, CONFIG_PATH)
        if self.before is None and self.staged and root is not None and not root.members:
            return None
        if root is None or root == self.root:
            return self.current
        if self.before is None:
            return dump_config(root)
        then, _ = parse_config(self.before, CONFIG_PATH)
        return self.before if then is not None and tidied(then) == tidied(root) else dump_config(root)


def read_menu(
    config: bytes | None, recorded: Mapping[str, Any] | None, before: bytes | None, fleet: str
) -> tuple[Menu | None, Report]:
    """Read a stick's ventoy.json.

    Args:
        config: its bytes, None if there is no file.
        recorded: the kit's entries by the manifest; None if there is no manifest, then they are recognised.
        before: the user's own file as an earlier stage has kept it.
        fleet: whose entries are meant.

    Returns:
        The menu, or None with a finding where Ventoy could not read the file.
    """
    if config is None:
        return Menu(None, Obj(), recorded or {}, before, recorded is not None), Report()
    root, report = parse_config(config, CONFIG_PATH)
    if root is None:
        return None, report
    seen = recognised(root, fleet, with_texts=recorded is None)
    known: dict[str, Any] = {k: list(v) for k, v in (recorded or {}).items()}
    for plugin, entries in seen.items():
        mine = known.setdefault(plugin, [])
        mine += [e for e in entries if e not in mine]
    return Menu(config, root, known, before, recorded is not None), report


def recognised(root: Obj, fleet: str, *, with_texts: bool) -> dict[str, list[Any]]:
    """Entries of which every file lies in a generation folder of the fleet: nobody but the kit makes them.

    Args:
        root: a configuration.
        fleet: the fleet's name.
        with_texts: also the alias and tips of the images that those entries name.
    """
    folder = re.compile(rf"/ventoy/{re.escape(fleet)}/[0-9a-f]{{8}}/.+")
    out: dict[str, list[Any]] = {}
    images: set[str] = set()
    for plugin, key in IMAGE_KEY.items():
        file_key = {"auto_install": "template", "injection": "archive", "conf_replace": "new"}.get(plugin)
        for entry in _objects(root, plugin) if file_key else ():
            image, files = entry.text(key), entry.get(file_key or "")
            named = files if isinstance(files, list) else [files]
            if image and named and all(isinstance(f, str) and folder.fullmatch(f) for f in named):
                _add(out, plugin, entry)
                images.add(image)
    for plugin in ("menu_alias", "menu_tip") if with_texts else ():
        for entry in _objects(root, plugin):
            if entry.text("image") in images:
                _add(out, plugin, entry)
    return out


def _objects(root: Obj, plugin: str) -> Iterator[Obj]:
    for name in (plugin, *(f"{plugin}_{mode}" for mode in MODES)):
        yield from (e for e in plugin_entries(root, name) or [] if isinstance(e, Obj))


def _add(out: dict[str, list[Any]], plugin: str, entry: Obj) -> None:
    plain = _plain(entry)
    if plain not in out.setdefault(plugin, []):
        out[plugin].append(plain)


def _plain(value: Any) -> Any:
    """A value as a manifest holds it; of several members of one name the first counts."""
    if isinstance(value, Obj):
        return {k: _plain(value.get(k)) for k, _ in value.members}
    return [_plain(v) for v in value] if isinstance(value, list) else value
