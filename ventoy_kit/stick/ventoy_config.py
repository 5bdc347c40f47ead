"""The kit's entries merged into the user's ventoy.json and taken out again. Pure.

What counts for Ventoy (ventoy_plugin.c): the first member of a plugin's name, and one with the suffix of the boot mode
in its place; of several exact entries for an image the last one, in `conf_replace` the first two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ventoy_kit.report import Finding, Place, Report, place_in
from ventoy_kit.stick import config_codes as codes
from ventoy_kit.stick.ventoy_text import Obj, Value, as_value, same_value

MODES = ("legacy", "uefi", "ia32", "aa64", "mips")
"""Suffixes of plugin keys; a suffixed key takes the place of the plain one in that boot mode (ventoy_plugin.c)."""

TIP_PLACE: dict[str, Value] = {"left": "10%", "top": "81%", "color": "blue"}
"""Where Ventoy shows the tips, if the user's own configuration does not say."""

IMAGE_KEY = {"auto_install": "image", "injection": "image", "conf_replace": "iso", "menu_alias": "image"}


def merge_config(
    user: Obj, ours: Mapping[str, Any], before: Mapping[str, Any], file: str
) -> tuple[Obj | None, Report]:
    """Take the entries of an earlier stage out, put the new ones in.

    Args:
        user: what ventoy.json holds now.
        ours: the kit's entries by plugin, as the payload has them.
        before: the kit's entries that an earlier stage recorded in the manifest.
        file: name of the file in findings.

    Returns:
        The new root, or None with findings VK-V* if ours cannot work beside the user's.
    """
    report = Report()
    root = user
    for plugin, entries in before.items():
        for name in _present(root, plugin):
            root = _take_out(root, name, [as_value(e) for e in entries])
    report.extend(_conflicts(root, ours, file))
    if report.has_errors:
        return None, report
    for plugin, entries in ours.items():
        if not entries:
            continue
        names = _present(root, plugin)
        for name in names if plugin in names else [plugin, *names]:
            mine = [as_value(e) for e in entries]
            kept, was = plugin_entries(root, name) or [], plugin_entries(user, name) or []
            settled = _is_settled(was, kept, mine, IMAGE_KEY.get(plugin, "image"))
            root = _store(root, name, was if settled else [*kept, *mine])
    for plugin in before:  # only now, so that a key that is needed again keeps its place
        if root.count(plugin) == 1 and user.get(plugin) != root.get(plugin):
            root = _without_empty(root, plugin)
    return root, report


def _present(root: Obj, plugin: str) -> list[str]:
    """The keys of a plugin that are there: plain and per boot mode."""
    return [n for n in (plugin, *(f"{plugin}_{m}" for m in MODES)) if root.count(n)]


def plugin_entries(root: Obj, name: str) -> list[Any] | None:
    """The list of a plugin's entries; for menu_tip it is a member of an object."""
    value = root.get(name)
    if name.startswith("menu_tip"):
        value = value.get("tips") if isinstance(value, Obj) else None
    return value if isinstance(value, list) else None


def _store(root: Obj, name: str, entries: list[Any]) -> Obj:
    if name.startswith("menu_tip"):
        holder = root.get(name)
        holder = holder if isinstance(holder, Obj) else Obj(tuple(TIP_PLACE.items()))
        return root.with_member(name, holder.with_member("tips", list(entries)))
    return root.with_member(name, list(entries))


def _take_out(root: Obj, name: str, entries: list[Value]) -> Obj:
    """Remove each entry once, from the end, where the kit's stand: an equal one of the user stays."""
    found = plugin_entries(root, name)
    if found is None:
        return root
    kept = list(found)
    for entry in entries:
        at = next((i for i in reversed(range(len(kept))) if same_value(kept[i], entry)), None)
        if at is not None:
            del kept[at]
    return root if len(kept) == len(found) else _store(root, name, kept)


def _without_empty(root: Obj, plugin: str) -> Obj:
    """Remove a plugin's plain key that the kit made and emptied.

    Suffixed keys stay, since an empty one hides the plain key in its boot mode; so do the first of several members
    of one name, which hides the others, and a holder of tips that says more than the kit's.
    """
    if plugin_entries(root, plugin) != []:
        return root
    holder = root.get(plugin)
    if isinstance(holder, Obj) and {k for k, _ in holder.members} != {*TIP_PLACE, "tips"}:
        return root
    return root.without(plugin)


def tidied(root: Obj) -> Obj:
    """Without the plain keys and lists of tips that are empty, since an absent one means the same to Ventoy."""
    for name, holder in root.members:
        if name.startswith("menu_tip") and isinstance(holder, Obj) and holder.get("tips") == []:
            root = root.with_member(name, holder.without("tips"))
    for plugin in (*IMAGE_KEY, "menu_tip"):
        value = root.get(plugin)
        if root.count(plugin) == 1 and value in ([], Obj(tuple(TIP_PLACE.items()))):
            root = root.without(plugin)
    return root


def _is_settled(was: list[Any], kept: list[Any], mine: list[Value], key: str) -> bool:
    """Whether the list holds ours already, with no later entry for an image of ours: then nothing is moved."""
    images = {entry.text(key) for entry in mine if isinstance(entry, Obj)}
    for at in reversed(range(len(was) - len(mine) + 1)):
        end = at + len(mine)
        if all(same_value(one, other) for one, other in zip(was[at:end], mine, strict=True)):
            after = {entry.text(key) for entry in was[end:] if isinstance(entry, Obj)}
            return [*was[:at], *was[end:]] == kept and not images & after
    return False


def _conflicts(root: Obj, ours: Mapping[str, Any], file: str) -> Iterator[Finding]:
    place = place_in([], file, 1, 1)
    images = {entry["image"] for entry in ours.get("menu_alias", [])}
    for plugin in ours:
        for name in _present(root, plugin):
            holder = root.get(name)
            room_for_tips = (
                name.startswith("menu_tip") and isinstance(holder, Obj) and not holder.count("tips")
            )
            if plugin_entries(root, name) is None and not room_for_tips:
                yield codes.SHAPE.finding(
                    f"`{name}` has not the shape that Ventoy reads, so it ignores it and nothing can be added",
                    "Correct or remove it.",
                    place=place,
                )
    for plugin, key in IMAGE_KEY.items():
        for name in _present(root, plugin):
            for entry in plugin_entries(root, name) or []:
                image = entry.text(key) if isinstance(entry, Obj) else None
                if image in images:
                    count = sum(
                        isinstance(e, Obj) and e.text(key) == image for e in plugin_entries(root, name) or []
                    )
                    yield _same_image(name, str(image), count if plugin == "conf_replace" else 0, place)
                    break
    yield from _hidden(root, images, place)


def _same_image(name: str, image: str, replaced: int, place: Place) -> Finding:
    """The user's entry for an image of ours; `replaced` is how many of its files conf_replace replaces already."""
    if replaced >= 2:
        return codes.FULL.finding(
            f"`{name}` replaces {replaced} files of {image} already, and Ventoy does not look further than two",
            "Remove one of them.",
            place=place,
        )
    return codes.SHADOWED.finding(
        f"`{name}` has an entry of yours for {image}; the kit's comes last and counts",
        "Remove yours, or use another copy of the image.",
        place=place,
    )


def _hidden(root: Obj, images: set[str], place: Place) -> Iterator[Finding]:
    """Settings of the user that keep Ventoy from listing our images."""
    for name in _present(root, "image_list"):
        listed = root.get(name)
        for image in sorted(images):
            if isinstance(listed, list) and image not in listed:
                yield codes.HIDDEN.finding(
                    f"`{name}` does not name {image}, so Ventoy does not show it",
                    "Add it there.",
                    place=place,
                )
    for name in _present(root, "image_blacklist"):
        listed = root.get(name)
        for image in sorted(images):
            if isinstance(listed, list) and image in listed:
                yield codes.HIDDEN.finding(
                    f"`{name}` names {image}, so Ventoy does not show it", "Remove it there.", place=place
                )
    for name in _present(root, "control"):
        settings = {
            key: value
            for entry in plugin_entries(root, name) or []
            if isinstance(entry, Obj)
            for key, value in entry.members[:1]
        }
        search, depth = settings.get("VTOY_DEFAULT_SEARCH_ROOT"), settings.get("VTOY_MAX_SEARCH_LEVEL")
        top = search.rstrip("/") if isinstance(search, str) else ""
        outside = sorted(i for i in images if not i.startswith(f"{top}/"))
        if outside:
            yield codes.HIDDEN.finding(
                f"`{name}` lets Ventoy search {search} only, and {outside[0]} is not there",
                "Remove VTOY_DEFAULT_SEARCH_ROOT, or set it to a folder that holds it.",
                place=place,
            )
        limit = int(depth) if isinstance(depth, str) and depth.isdecimal() else None
        deep = sorted(i for i in images if limit is not None and i[len(top) + 1 :].count("/") > limit)
        if deep and not outside:
            yield codes.HIDDEN.finding(
                f"`{name}` lets Ventoy search {depth} levels below {top or 'the root folder'}, and {deep[0]} is deeper",
                "Set VTOY_MAX_SEARCH_LEVEL to a higher number, or remove it.",
                place=place,
            )
