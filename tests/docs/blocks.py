"""The fenced blocks of a Markdown page, and how a page says what the tests do with them.

Blocks are run in order, page by page, in one scratch folder and as if in one shell: the working folder and exported
variables stay from block to block.

    ```console    lines that begin with `$ ` are commands, what follows is their output. Without output lines only
                  the exit code counts. A line `...` stands for any number of lines, `...` in a line for any text.
                  Runs of blanks, sizes and generations are not compared.
    ```sh         a script; it must end with 0.
    ```yaml       must be written to a file or into the fleet file, see below.
    ```json, toml must be readable.
    ```text       is not looked at.

HTML comments on a line of their own, which a reader does not see, apply to the next block:

    <!-- not run: REASON -->            counted and listed in test_examples.py
    <!-- exits N -->                    the exit code of the block's last command
    <!-- file: PATH -->                 the block is written there
    <!-- into fleet.yaml: A.B -->       the block is laid over what stands at A.B of the fleet file, which must decode

or are steps of their own:

    <!-- starter -->                    a starter fleet, with a stand-in for its image, in the scratch folder
    <!-- stand-in: PRODUCT PATH -->     a stand-in for an ISO file
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LANGUAGES = {"console", "sh", "yaml", "json", "toml", "text"}

_DIRECTIVE = re.compile(r"\s*<!-- (not run|exits|file|into fleet\.yaml|starter|stand-in):? ?(.*?) ?-->\s*$")
_FENCE = re.compile(r"(\s*)```(\w*)\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block. `notes` holds the comments before it by their first word; `line` counts from 1."""

    page: str
    line: int
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Step:
    """A comment that is a step of its own."""

    kind: str
    argument: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def parts(page: Path) -> Iterator[Block | Step]:
    """Blocks and steps in their order; fails on a fence that is not closed or has no language."""
    notes: dict[str, str] = {}
    lines = iter(enumerate(page.read_text().splitlines(), start=1))
    for number, line in lines:
        if match := _DIRECTIVE.match(line):
            if match[1] in ("starter", "stand-in"):
                yield Step(match[1], match[2])
            else:
                notes[match[1]] = match[2]
        elif match := _FENCE.match(line):
            indent, language, body = match[1], match[2], []
            for _, inner in lines:
                if inner == f"{indent}```":
                    break
                body.append(inner.removeprefix(indent))
            else:
                raise AssertionError(f"{name_of(page)}:{number}: the block is not closed")
            assert language in LANGUAGES, f"{name_of(page)}:{number}: say what the block is: {LANGUAGES}"
            yield Block(name_of(page), number, language, "\n".join(body) + "\n", notes)
            notes = {}


@dataclass(frozen=True)
class Command:
    """A command of a console block with the output that the page shows."""

    text: str
    output: tuple[str, ...]


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            assert found, f"{block.title}: the block begins with output"
            found[-1][1].append(line)
    return [Command(text, tuple(output)) for text, output in found]


NEAR = 1.25
"""How much larger or smaller an actual size may be than the shown one: texts and secrets differ from run to run."""

_UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


def plain(line: str) -> str:
    """A line without what differs from run to run: width of columns and generations; sizes as `SIZE<bytes>`."""
    line = re.sub(r"\b[0-9a-f]{8}\b", "GENERATION", line)
    line = re.sub(
        r"\b([0-9]+(?:\.[0-9])?) (B|KB|MB|GB)(?= |$)",
        lambda found: f"SIZE<{float(found[1]) * _UNITS[found[2]]:.0f}>",
        line,
    )
    line = re.sub(r"^\s+([0-9]+)  ", r"SIZE<\1> ", line)
    return " ".join(line.split())


def matches(shown: tuple[str, ...], actual: str) -> bool:
    """Whether a page's output is the actual one, with sizes nearly the same; blank lines at both ends do not count."""
    pattern = ""
    for line in "\n".join(shown).strip("\n").splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            words = [re.escape(plain(word)) for word in line.split("...")]
            pattern += r".*?".join(words).replace(r"\ .*?", r" ?.*?") + r"\n"
    sizes = [int(size) for size in re.findall(r"SIZE<(\d+)>", pattern)]
    pattern = re.sub(r"SIZE<\d+>", r"SIZE<(\\d+)>", pattern)
    text = "".join(f"{plain(line)}\n" for line in actual.strip("\n").splitlines())
    found = re.fullmatch(pattern, text)
    return found is not None and all(
        size / NEAR <= int(there) <= size * NEAR for size, there in zip(sizes, found.groups(), strict=True)
    )
