"""One self-contained first-boot script per node: the runner, its library and unit, and the node's hooks. Pure.

The script is a data section (shell assignments, functions and here-documents made here) followed by the text of
hooks/_runner/runner.sh, which does everything and whose last line starts it. It is plain text on purpose: a person
can read on the stick what a node will run. Only what would be too long is packed, by gzip, which every Debian has
(bzip2 and xz are no essential packages).

What is a node's own comes first and is short; the rest is the same for all nodes with the same hooks, so that an
archive holds it once. The own part alone starts nothing.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ventoy_kit.fleet.hook_facts import Table
from ventoy_kit.fleet.hooks import HookSpec, ParamValue

LIMIT = 1 << 20
"""Most bytes of the script: the Proxmox installer cuts a longer first-boot script without an error."""


class RunnerTooLargeError(ValueError):
    """The script would be longer than LIMIT."""

    def __init__(self, node: str, size: int) -> None:
        super().__init__(f"the first-boot script of {node} has {size} bytes, more than {LIMIT}")
        self.node, self.size = node, size


@dataclass(frozen=True, slots=True)
class RunnerTexts:
    """The texts of hooks/_runner that every node's script holds.

    Attributes:
        runner: runner.sh.
        library: library.sh, the helpers that hooks read.
        unit: unit.service.
    """

    runner: str
    library: str
    unit: str


@dataclass(frozen=True, slots=True)
class RunnerNode:
    """Whom the script is for; only shown, never used to decide. `generation` is that of the payload."""

    name: str
    fleet: str
    title: str
    generation: str


@dataclass(frozen=True, slots=True)
class RunnerHook:
    """A hook with its checked parameters (all that check_params returned, defaults included) and its facts."""

    spec: HookSpec
    params: Mapping[str, ParamValue]
    facts: Mapping[Table, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Identifies script, parameters and facts: a stamp on the node holds it, so a change of any runs anew."""
        content = self.spec.script.encode() + b"\0" + _assignments(self).encode()
        return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Runner:
    """A first-boot script in its two parts: the node's own, and the one that nodes with the same hooks share."""

    own: bytes
    shared: bytes

    @property
    def whole(self) -> bytes:
        """The script, to be started as `first-boot install` (Debian) or with Proxmox's argument `fully-up`."""
        return self.own + self.shared


def render_runner(texts: RunnerTexts, node: RunnerNode, hooks: Sequence[RunnerHook]) -> Runner:
    """The first-boot script of one node.

    Args:
        texts: the files of hooks/_runner.
        node: whose script it is.
        hooks: its hooks in the order in which they run (see fleet.hooks.in_order), each name once.

    Raises:
        RunnerTooLargeError: it would be longer than LIMIT.
        ValueError: a hook stands twice.
    """
    names = [hook.spec.name for hook in hooks]
    if len(set(names)) < len(names):
        raise ValueError(f"a hook of {node.name} stands twice: {', '.join(names)}")
    shebang, body = texts.runner.split("\n", 1)
    parts = [
        f"{shebang}\n# Made by ventoy-kit. The node's data comes first, the first-boot runner after it.\n",
        f"VK_NODE={shlex.quote(node.name)}\nVK_FLEET={shlex.quote(node.fleet)}\nVK_TITLE={shlex.quote(node.title)}\n",
        f"VK_GENERATION={shlex.quote(node.generation)}\nVK_HOOKS={shlex.quote(' '.join(names))}\n",
        _facts(hooks),
        _parameters(hooks),
    ]
    scripts = tuple((hook.spec.name, hook.spec.script) for hook in hooks)
    runner = Runner("".join(parts).encode(), _shared(texts.unit, texts.library, body, scripts))
    if len(runner.whole) > LIMIT:
        runner = _packed(runner.whole)
    if len(runner.whole) > LIMIT:
        raise RunnerTooLargeError(node.name, len(runner.whole))
    return runner


def _facts(hooks: Sequence[RunnerHook]) -> str:
    """The shell function that sets HOOK_* variables for a hook's name."""
    lines = ["hook_facts() {", '    case "$1" in']
    for hook in hooks:
        spec = hook.spec
        systems = " ".join(
            f"{family}:{major}" for family, majors in sorted(spec.systems.items()) for major in majors
        )
        facts = {
            "DIGEST": hook.digest,
            "TIMEOUT": str(spec.timeout),
            "NETWORK": _yes(spec.needs_network),
            "REBOOT": _yes(spec.needs_reboot),
            "DESTRUCTIVE": _yes(spec.destructive),
            "AFTER": " ".join(spec.waits_for),
            "SYSTEMS": systems,
        }
        lines.append(
            f"    {spec.name}) " + " ".join(f"HOOK_{k}={shlex.quote(v)}" for k, v in facts.items()) + " ;;"
        )
    lines += ["    *) return 1 ;;", "    esac", "}", ""]
    return "\n".join(lines)


def _parameters(hooks: Sequence[RunnerHook]) -> str:
    """The shell function that writes the hooks' parameters into their folders below the one named by its argument."""
    files = (_here(f' >"$1/hooks/{hook.spec.name}/parameters"', _assignments(hook)) for hook in hooks)
    return "".join(["put_parameters() {\n:\n", *files, "}\n"])


@functools.lru_cache(256)
def _shared(unit: str, library: str, body: str, scripts: tuple[tuple[str, str], ...]) -> bytes:
    """What depends on the names and scripts of the hooks alone: the unit, put_files, the text of runner.sh.

    put_files writes all files into the folder named by its argument.
    """
    parts = ["unit_text() {\n", _here("", unit), "}\nput_files() {\n"]
    parts.append(_here(' >"$1/library.sh"', library))
    for name, script in scripts:
        folder = f"$1/hooks/{name}"
        parts += [f'mkdir -p "{folder}"\n', _here(f' >"{folder}/hook.sh"', script)]
        parts.append(f'chmod 0700 "{folder}/hook.sh"\n')
    return "".join([*parts, 'put_parameters "$1"\n}\n', body]).encode()


def _assignments(hook: RunnerHook) -> str:
    """The file of parameters and facts: each an exported variable, quoted so that any text is only data."""
    values = {f"VK_PARAM_{name.upper()}": _text(value) for name, value in hook.params.items()}
    values |= {f"VK_FACT_{table.upper()}": text for table, text in hook.facts.items()}
    return "".join(f"export {name}\n{name}={shlex.quote(values[name])}\n" for name in sorted(values))


def _text(value: ParamValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\n".join(value) if isinstance(value, tuple) else str(value)


def _yes(value: bool) -> str:  # noqa: FBT001 - a plain conversion
    return "yes" if value else "no"


def _here(target: str, text: str) -> str:
    """A command that writes `text`, which ends with a line end or is empty, from a quoted here-document.

    Each line is given a first character of its own, which sed takes away again. Without it a line could end the
    document; and where a line begins as the mark does, dash 0.5.12 loses a byte that is not ASCII behind that.
    """
    lines = "".join(f"|{line}\n" for line in text.split("\n")[:-1])
    return f"sed 's/^|//'{target} <<'VK_END'\n{lines}VK_END\n"


def _packed(script: bytes) -> Runner:
    """A script that unpacks the real one into a folder that the next boot empties, and becomes it.

    Cut off anywhere it does nothing: gzip checks length and sum, and nothing happens before the last lines, which are
    all that nodes share then.
    """
    text = base64.encodebytes(gzip.compress(script, mtime=0)).decode()
    own = (
        "#!/bin/sh\n# Made by ventoy-kit: the first-boot runner of a node, packed because it would be too long.\n"
        "set -eu\numask 077\nunpack() {\n"
        f"base64 -d <<'VK_END' | gzip -dc >\"$1\"\n{text}VK_END\n"
        "}\n"
    )
    start = (
        "folder=$(mktemp -d /run/ventoy-kit.XXXXXX)\n"
        'unpack "$folder/first-boot"\n'
        'exec /bin/sh "$folder/first-boot" "$@"\n'
    )
    return Runner(own.encode(), start.encode())
