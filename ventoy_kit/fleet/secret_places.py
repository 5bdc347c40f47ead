"""Where in a fleet file a secret may stand by mistake, so that nothing repeats it. Pure.

A password can look like the name of a secret, of a variable or of a file. What stands where such a name belongs is
shown only if it is a declared name, or looks like nothing else.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection, Iterator, Sequence

from ventoy_kit.fleet import codes
from ventoy_kit.fleet.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode
from ventoy_kit.report import Finding, Path

NAMES_A_SECRET = ("root_password", "password", "token", "subscription_key")
"""Keys whose value is the name of a secret."""

_SECRETIVE = r"pass|pasw|pwd|pw$|token|secret|subscri|credential"
_KEY = re.compile(_SECRETIVE, re.IGNORECASE)
_KEY_IN_TEXT = re.compile(
    rf"""[\w-]*(?:{_SECRETIVE.replace("pw$", "pw")})[\w-]*["']?[ \t]*:""", re.IGNORECASE
)
_SECTION = re.compile(r"""["']?secrets["']?[ \t]*:""")
_VARIABLE = re.compile(r"\$?\{?[A-Z_][A-Z0-9_]*\}?")
_NAMED_BY_PERSONS = (
    "disks", "guests", "images", "networks", "nics", "nodes", "pools", "secrets", "services", "users",
)  # fmt: skip
"""Maps whose keys are names of a person's choice."""
_FLAGS = ("prompt", "allow_on_stick", "kept_by")


def names_a_secret(path: Path) -> bool:
    """Whether the value at `path` is the name of a secret; `cluster.token` is a time."""
    return path[:1] != ("cluster",) and path[-1:] in [(key,) for key in NAMES_A_SECRET]


def may_be_shown(key: str, *words: str) -> bool:
    """Whether what stands at `env`, `file` or `command` cannot be the secret itself, written there by mistake.

    A variable is written in capitals, a path has a slash or a point, a command has arguments or is a path.
    """
    if key == "env":
        return bool(_VARIABLE.fullmatch(words[0]))
    return len(words) > 1 or "/" in words[0] or (key == "file" and "." in words[0])


def unknown_secret(name: str, known: Collection[str], path: Path) -> Finding:
    """The finding for a name of a secret that is not declared; it is not repeated, as it may be the secret itself."""
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    listed = ", ".join(sorted(known)) or "none"
    return codes.UNKNOWN_SECRET.finding(
        f"no secret has the name that `{path[-1]}` gives, which is not shown, as it may be the secret itself",
        f"Did you mean `{near[0]}`?" if near else f"Name one that `secrets` declares: {listed}.",
        path=path,
    )


def private_lines(root: Node | None) -> frozenset[int]:
    """The lines of a document, from 1, that no excerpt shows, since a secret may stand there."""
    section = root.by_name.get("secrets") if isinstance(root, MappingNode) else None
    sources = section[1] if section else None
    declared = frozenset(sources.by_name) if isinstance(sources, MappingNode) else frozenset()
    found: set[int] = set()
    for node in (*_sources(sources), *_named(root, declared)):
        if node.value:
            found |= set(range(node.start[0] + 1, node.end[0] + 2))
    return frozenset(found)


def _sources(section: Node | None) -> Iterator[ScalarNode]:
    """What stands below `secrets` and may be no source."""
    for _, secret in section.items if isinstance(section, MappingNode) else ():
        if isinstance(secret, ScalarNode):
            yield secret
        for key, value in secret.items if isinstance(secret, MappingNode) else ():
            name = key.value if isinstance(key, ScalarNode) else ""
            if isinstance(key, ScalarNode) and isinstance(value, ScalarNode) and not value.value:
                yield key
            listed = isinstance(value, SequenceNode)
            nodes = value.items if isinstance(value, SequenceNode) else [value]
            words = [n for n in nodes if isinstance(n, ScalarNode)]
            right = name in (("command",) if listed else ("env", "file"))
            if words and name not in _FLAGS and not (right and may_be_shown(name, *(w.value for w in words))):
                yield from words


def _named(root: Node | None, declared: Collection[str]) -> Iterator[ScalarNode]:
    """What stands, anywhere but in `cluster`, at and below keys that sound like a secret, unless it names a declared one.

    What a person named, such as a node, may sound as it likes.
    """
    seen: set[tuple[int, bool]] = set()
    left: list[tuple[Node | None, str, bool]] = [(root, "", False)]
    while left:
        node, parent, inside = left.pop()
        if node is None or (id(node), inside) in seen:
            continue
        seen.add((id(node), inside))
        if isinstance(node, ScalarNode) and inside and node.value not in declared:
            yield node
        if isinstance(node, SequenceNode):
            left += ((item, "", inside) for item in node.items)
        for key, value in node.items if isinstance(node, MappingNode) else ():
            name = key.value if isinstance(key, ScalarNode) else ""
            section = node is root and name == "secrets"
            is_own = isinstance(value, MappingNode) and (section or parent in _NAMED_BY_PERSONS)
            sounds = inside or (_sounds(name) and not is_own)
            if inside:
                left.append((key, "", inside))
            if (sounds or not isinstance(value, ScalarNode)) and not (node is root and name == "cluster"):
                left.append((value, name, sounds))


@functools.lru_cache(1000)
def _sounds(key: str) -> bool:
    """Whether a key is, or was meant to be, one whose value names a secret."""
    return bool(_KEY.search(key) or difflib.get_close_matches(key, NAMES_A_SECRET, 1, 0.7))


def suspect_lines(lines: Sequence[str]) -> frozenset[int]:
    """The same for a text that is no YAML: more lines than needed rather than one too few."""
    found: set[int] = set()
    inside = follows = False
    deep: int | None = None
    for number, line in enumerate(lines, start=1):
        indent = len(line) - len(line.lstrip(" \t"))
        inside = bool(_SECTION.match(line)) or (inside and (not line.strip() or line[0] in " \t#"))
        if deep is not None and line.strip() and indent + line.lstrip().startswith("- ") <= deep:
            deep = None
        if _KEY_IN_TEXT.search(line):
            deep = indent if deep is None else deep
        if inside or follows or deep is not None:
            found.add(number)
        follows = line.rstrip().endswith((":", "|", ">", "-", "[", "{", ",")) and number in found
    return frozenset(found)
