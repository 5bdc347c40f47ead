"""Rules of the hooks that a fleet file chooses: each known, once, with what it needs and right parameters. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ventoy_kit.fleet import codes, hook_codes
from ventoy_kit.fleet.hook_facts import FleetFacts
from ventoy_kit.fleet.hook_params import VALUE_BYTES
from ventoy_kit.fleet.hooks import HookSpec, check_params, in_order
from ventoy_kit.fleet.schema import Fleet, HookUse, Node
from ventoy_kit.fleet.unknown import unknown
from ventoy_kit.report import Finding, Path

_DEFAULTS: Path = ("defaults", "hooks")


def check_hooks(fleet: Fleet, hooks: Mapping[str, HookSpec]) -> Iterator[Finding]:
    """Findings about `defaults.hooks` and every node's `hooks`; `hooks` are those at hand, by name."""
    facts = FleetFacts(fleet)
    for name, node in fleet.nodes.items():
        yield from _of_node(facts, name, node, hooks)
    seen: set[str] = set()
    for index, use in enumerate(fleet.defaults.hooks):
        path = (*_DEFAULTS, index)
        yield from _hook(use, path, hooks)
        if use.name in seen:
            message = f"`{use.name}` already stands in `defaults.hooks`"
            yield codes.HOOK_TWICE.finding(message, "Keep one of the two.", path=(*path, "name"))
        seen.add(use.name)


def _of_node(facts: FleetFacts, name: str, node: Node, hooks: Mapping[str, HookSpec]) -> Iterator[Finding]:
    at: Path = ("nodes", name, "hooks")
    defaults = facts.fleet.defaults.hooks
    names = facts.names(name)
    seen: set[str] = {use.name for use in defaults}
    for index, use in enumerate(node.hooks):
        path = (*at, index)
        yield from _hook(use, path, hooks, names)
        if use.name in seen:
            message = f"`{use.name}` already stands for this node or in `defaults.hooks`"
            yield codes.HOOK_TWICE.finding(message, "Keep one of the two.", path=(*path, "name"))
        seen.add(use.name)
    places: dict[str, Path] = {use.name: (*_DEFAULTS, index) for index, use in enumerate(defaults)}
    for index, use in enumerate(defaults):
        yield from _names_of_default(use, (*_DEFAULTS, index), hooks, names, name)
    places |= {use.name: (*at, index) for index, use in enumerate(node.hooks)}
    for used, path in places.items():
        if used in hooks:
            yield from _needs(hooks[used], path, seen, name)
            yield from _sizes(hooks[used], path, facts, name)
    _, loops = in_order([hooks[used] for used in sorted(seen) if used in hooks], at)
    yield from loops


def _hook(
    use: HookUse,
    path: Path,
    hooks: Mapping[str, HookSpec],
    names: Mapping[str, tuple[str, ...]] | None = None,
) -> Iterator[Finding]:
    spec = hooks.get(use.name)
    if spec is None:
        yield unknown(codes.UNKNOWN_HOOK, "hook", use.name, hooks, (*path, "name"))
        return
    _, report = check_params(spec, use.params, (*path, "params"), names)
    yield from report


def _names_of_default(
    use: HookUse,
    path: Path,
    hooks: Mapping[str, HookSpec],
    names: Mapping[str, tuple[str, ...]],
    node: str,
) -> Iterator[Finding]:
    """What a default hook's parameters name and this node lacks; all else is found once for all nodes."""
    if use.name in hooks:
        for finding in check_params(hooks[use.name], use.params, (*path, "params"), names)[1]:
            if finding.rule == hook_codes.PARAMETER_NAME:
                yield replace(finding, message=f"{finding.message} (`{node}`)")


def _needs(spec: HookSpec, path: Path, chosen: set[str], node: str) -> Iterator[Finding]:
    for other in spec.requires:
        if other not in chosen:
            yield hook_codes.REQUIRED_HOOK.finding(
                f"hook `{spec.name}` needs the hook `{other}`, which `{node}` does not have",
                f"Add `- name: {other}` to the node's hooks.",
                path=(*path, "name"),
            )


def _sizes(spec: HookSpec, path: Path, facts: FleetFacts, node: str) -> Iterator[Finding]:
    if not spec.facts:
        return
    tables = facts.of(node)
    for table in spec.facts:
        size = len(tables[table].encode())
        if size > VALUE_BYTES:
            yield hook_codes.FACTS_SIZE.finding(
                f"the table `{table}` that hook `{spec.name}` reads has {size} bytes, more than {VALUE_BYTES}",
                "Split the fleet, or use a hook that reads less.",
                path=(*path, "name"),
            )
