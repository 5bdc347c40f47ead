"""Every example in the documentation is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.blocks import PAGES, Block, Command, Step, commands, matches, name_of, parts
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

NOT_RUN = {
    "README.md": ["they set up an environment of their own", "needs a stick"],
    "docs/write-a-hook.md": ["writes to /etc"],
    "docs/how-to.md": [
        "needs the node",
        "needs the node",
        "needs the extra",
        "needs the node",
        "needs the network",
        "needs the network",
        "needs root and the network",
        "needs root and loop devices",
        "needs a stick",
        "needs a stick",
        "needs the nodes",
        "needs the nodes",
        "takes an hour, and needs files of Ventoy",
    ],
    "docs/tutorial.md": [
        "needs the network",
        "needs the machine",
        "needs the network",
        "needs a stick",
        "shows the disks of the machine that it runs on",
        "needs the node",
    ],
}
"""The blocks that nothing runs, with the reason that the page gives. A new one has to be let in here."""

RELEASES = {"proxmox-ve": "9.1-1", "debian": "12.11.0"}

EXAMPLES = {name_of(page): page for page in PAGES if any(True for _ in parts(page))}


class Shell:
    """Runs commands one by one as one shell would: working folder and exported variables stay."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.here, self.state = folder, state / "exports"
        state.mkdir()
        (state / "bin").mkdir()
        # The command under test, whatever is installed: the same interpreter, the same checkout.
        program = state / "bin" / "ventoy-kit"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom ventoy_kit.__main__ import main\nsys.exit(main())\n"
        )
        program.chmod(0o755)
        self.state.write_text("")
        self.environment = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "HOME": str(state),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "80",
        }

    def run(self, text: str) -> tuple[int, str]:
        """Exit code and what a terminal would show."""
        script = f'. "{self.state}"\n{text}\nvk_code=$?\nexport -p >"{self.state}"\npwd >"{self.state}.folder"\nexit $vk_code'
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.here,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        self.here = Path(Path(f"{self.state}.folder").read_text().rstrip("\n"))
        return done.returncode, done.stdout


def test_every_page_that_has_examples_is_known() -> None:
    assert {"README.md", "docs/tutorial.md", "docs/how-to.md"} <= set(EXAMPLES)


def test_blocks_that_are_not_run_are_listed() -> None:
    found: dict[str, list[str]] = {}
    for name, page in EXAMPLES.items():
        for part in parts(page):
            if isinstance(part, Block) and "not run" in part.notes:
                found.setdefault(name, []).append(part.notes["not run"])
    assert found == NOT_RUN


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    shell = Shell(folder, tmp_path / "state")
    for part in parts(EXAMPLES[name]):
        if isinstance(part, Step):
            take_step(part, shell)
        elif "not run" not in part.notes:
            do_block(part, shell)


def take_step(step: Step, shell: Shell) -> None:
    if step.kind == "starter":
        code, output = shell.run("ventoy-kit init . --quiet")
        assert code == 0, output
        make_stand_in("proxmox-ve", shell.here / "iso/proxmox-ve_9.1-1.iso")
    else:
        product, path = step.argument.split()
        make_stand_in(product, shell.here / path)


def make_stand_in(product: str, path: Path) -> None:
    image = standin_files("proxmox-ve" if product == "proxmox-ve" else "debian", RELEASES[product])
    write_iso(image.files, image.volume_id, path, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)


def do_block(block: Block, shell: Shell) -> None:
    if "file" in block.notes:
        path = shell.here / block.notes["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if block.language in ("json", "toml", "yaml"):
            READERS[block.language](block.text)
    elif block.language == "console":
        for command in commands(block):
            last = command is commands(block)[-1] or command == commands(block)[-1]
            check_command(block, command, shell, int(block.notes.get("exits", 0)) if last else 0)
    elif block.language == "sh":
        code, output = shell.run(f"set -eu\n{block.text}set +eu")
        assert code == 0, f"{block.title} ended with {code}:\n{output}"
    elif block.language == "yaml":
        assert "into fleet.yaml" in block.notes, f"{block.title}: nothing checks this block"
        lay_over(block, shell.here / "fleet.yaml")
    elif block.language in READERS:
        READERS[block.language](block.text)


READERS: Mapping[str, Any] = {"json": json.loads, "toml": tomllib.loads, "yaml": YAML(typ="safe").load}


def check_command(block: Block, command: Command, shell: Shell, wanted: int) -> None:
    code, output = shell.run(command.text)
    assert code == wanted, f"{block.title}: `{command.text}` ended with {code}:\n{output}"
    if command.output:
        shown = "\n".join(command.output)
        assert matches(command.output, output), (
            f"{block.title}: `{command.text}` printed\n{output}\nthe page shows\n{shown}"
        )


def lay_over(block: Block, file: Path) -> None:
    """Change a fleet file as the page tells; the whole must decode."""
    yaml = YAML()
    yaml.preserve_quotes = True
    whole = yaml.load(file.read_text())
    at = whole
    for key in filter(None, block.notes["into fleet.yaml"].split(".")):
        at = at[key]
    merge(at, yaml.load(block.text))
    with file.open("w") as out:
        yaml.dump(whole, out)
    _, _, report = decode_fleet(file.read_bytes(), "fleet.yaml")
    assert not report.has_errors, f"{block.title}: {[(f.message, f.path) for f in report]}"


def merge(old: Any, new: Any) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            merge(old[key], value)
        else:
            old[key] = value


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a", "a\nb\n", False),
        ("a\n...", "a\nb\nc\n", True),
        ("...\nc", "a\nb\nc\n", True),
        ("...\nb\n...", "b\n", True),
        ("x ... z", "x y z", True),
        ("x ... z", "x y", False),
        ("in 0123abcd", "in fedcba98", True),
        ("  a   7.1 KB  new", " a 8 KB new", True),
        ("  a   7.1 KB  new", " a 9 KB new", False),
        ("  a   7.1 KB  new", " a 7 MB new", False),
        ("...\n   29247  a\n...", " 12  b\n 30000  a\n", True),
        ("...\n   29247  a\n...", " 12  b\n 58495  a\n", False),
        ("a.c", "abc", False),
    ],
)
def test_output_is_compared(shown: str, actual: str, same: bool) -> None:
    assert matches(tuple(shown.splitlines()), actual) is same
