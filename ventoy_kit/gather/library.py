"""The data folders as a Library: shipped files, the user's laid over them."""

from __future__ import annotations

from collections.abc import Mapping

from ventoy_kit.fleet.hooks import HookSpec, parse_hook
from ventoy_kit.gather import codes
from ventoy_kit.hardware.profiles import parse_profiles
from ventoy_kit.images.catalog import CatalogEntry, parse_catalog
from ventoy_kit.plan.inputs import Library
from ventoy_kit.report import Place, Report

Tree = Mapping[str, Mapping[str, bytes]]
"""Files by folder and name; files directly in the root under the key ''."""

OVERRIDABLE = ("answer_files", "hooks", "bios_profiles", "catalog")


def make_library(shipped: Mapping[str, Tree], own: Mapping[str, Tree]) -> tuple[Library, Report]:
    """Parse the data folders.

    Args:
        shipped: trees of the kit by folder name: those of OVERRIDABLE, boot_overlay and probes.
        own: trees of the former found beside the fleet file.

    Returns:
        The library, without what is broken, and findings about the broken and a note for each override.
    """
    report = Report()
    text = {
        name: _decode(name, _overlay(name, shipped[name], own.get(name, {}), report), report)
        for name in shipped
        if name != "catalog"
    }
    hooks: dict[str, HookSpec] = {}
    for name, files in sorted(text["hooks"].items()):
        if not name or name.startswith("_"):
            continue
        spec, found = parse_hook(name, files)
        report.extend(found)
        if spec is not None:
            hooks[name] = spec
    profiles, found = parse_profiles(
        {
            name.removesuffix(".yaml"): (f"bios_profiles/{name}", content)
            for name, content in text["bios_profiles"].get("", {}).items()
            if name.endswith(".yaml")
        }
    )
    report.extend(found)
    boot = dict(text["boot_overlay"].get("", {}))
    families = {
        name: files for name, files in text["answer_files"].items() if name and not name.startswith("_")
    }
    catalog, certificates = _catalog(shipped.get("catalog", {}), own.get("catalog", {}), report)
    runner = text["hooks"].get("_runner", {})
    probes = dict(text.get("probes", {}).get("", {}))
    return Library(hooks, profiles, families, boot, runner, catalog, certificates, probes), report


def _catalog(
    shipped: Tree, own: Tree, report: Report
) -> tuple[Mapping[str, CatalogEntry], Mapping[str, bytes]]:
    """The image catalog: every file of the user takes the place of the shipped file of that name, and of no other."""
    merged = _overlay("catalog", {"": shipped.get("", {})}, {"": own.get("", {})}, report)
    entries = _decode("catalog", {"": _yaml(merged.get("", {}))}, report)[""]
    catalog, found = parse_catalog(
        {name.removesuffix(".yaml"): (f"catalog/{name}", text) for name, text in entries.items()}
    )
    report.extend(found)
    return catalog, {**shipped.get("keys", {}), **own.get("keys", {})}


def _yaml(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name.endswith(".yaml")}


def _overlay(root: str, shipped: Tree, own: Tree, report: Report) -> Tree:
    """A folder of the user takes the place of the shipped folder as a whole, a file in the root that of the file."""
    merged = {name: dict(files) for name, files in shipped.items()}
    for name, files in own.items():
        if name:
            if name.startswith("_"):
                continue
            if name in merged:
                report.add(
                    codes.OVERRIDE.finding(
                        f"`{root}/{name}` beside the fleet file takes the place of the kit's own",
                        "Remove the folder to use the kit's own.",
                        place=Place(f"{root}/{name}"),
                    )
                )
            merged[name] = dict(files)
            continue
        for file in sorted(files):
            if file in merged.get("", {}) and file != "README.md":
                report.add(
                    codes.OVERRIDE.finding(
                        f"`{root}/{file}` beside the fleet file takes the place of the kit's own",
                        "Remove the file to use the kit's own.",
                        place=Place(f"{root}/{file}"),
                    )
                )
        merged.setdefault("", {}).update(files)
    return merged


def _decode(root: str, tree: Tree, report: Report) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    for folder, files in tree.items():
        out[folder] = {}
        for name, data in files.items():
            try:
                out[folder][name] = data.decode("utf-8")
            except UnicodeDecodeError:
                where = f"{root}/{folder}/{name}".replace("//", "/")
                report.add(
                    codes.BROKEN_FOLDER.finding(
                        f"{where} is not UTF-8 text", "Save it as UTF-8 text.", place=Place(where)
                    )
                )
    return out
