"""The arrows of the design, read from the imports; effects in edge/ alone; small modules. No code is imported here."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "ventoy_kit"

# What each part may import of the others. `report`, `errors` and `ports` are the bottom; `ports` names models.
BOTTOM = {"report", "errors"}
FACTS = {"fleet", "images", "hardware"}
ALLOWED: dict[str, set[str]] = {
    "report": set(),
    "errors": set(),
    "ports": set(),
    "fleet": {"report"},
    "images": {"report", "ports"},
    "hardware": {"report"},
    "answers": {"report", "hardware"},
    "blueprint": {"report", "fleet"},
    "sheets": {"report", "fleet", "blueprint"},
    "cluster": {"report", "fleet"},
    "plan": {"report", "blueprint", *FACTS},
    "payload": {"report", "blueprint", "sheets", "plan", "answers", *FACTS},
    "stick": {"report", "ports"},
    "rehearse": {"report", "plan", "payload", "sheets", *FACTS},
    "gather": {"report", "errors", "ports", *FACTS},
    "edge": {*BOTTOM, "ports"},
    "app": {
        *BOTTOM,
        "ports",
        *FACTS,
        "blueprint",
        "cluster",
        "answers",
        "sheets",
        "plan",
        "payload",
        "stick",
        "rehearse",
        "gather",
        "edge",
    },
    "cli": {*BOTTOM, "app"},
    "__main__": {"cli"},
}

YAML = {
    "ventoy_kit.fleet.decode": "profiles, catalog and lock are YAML too, and mistakes in them are pointed at",
    "ventoy_kit.fleet.marks": "the same",
    "ventoy_kit.fleet.values": "names, sizes and URLs are checked in one way",
}

# Single modules across the arrows, each with its reason.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "images": YAML,
    "hardware": YAML | {"ventoy_kit.fleet.placeholders": "what identifies nothing is judged in one way"},
    "stick": {
        "ventoy_kit.payload.model": "a stage compares manifests",
        "ventoy_kit.fleet.sizes": "sizes are printed in one way",
    },
    "gather": {"ventoy_kit.plan.inputs": "what it makes"},
    "edge": {
        "ventoy_kit.payload.model": "paths of a manifest are checked where they are used",
        "ventoy_kit.stick": "models of layouts, disks and targets, and the rules that judge them",
        "ventoy_kit.images": "models of what is in an ISO and of what signed it",
    },
    "cli": {
        "ventoy_kit.fleet.sizes": "sizes are printed in one way",
        "ventoy_kit.fleet.values": "sizes and names are read in one way",
    },
}

# Modules that have effects by their nature, outside of edge/.
PRINTERS = {"cli/console.py", "cli/__init__.py", "__main__.py"}

EFFECT_MODULES = {
    *(
        "os",
        "sys",
        "subprocess",
        "socket",
        "shutil",
        "time",
        "tempfile",
        "signal",
        "threading",
        "multiprocessing",
    ),
    *("pty", "fcntl", "pwd", "grp", "resource", "termios", "pyudev", "pycdlib", "requests", "http", "ctypes"),
    "urllib.request",
}
EFFECT_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
EFFECT_METHODS = {
    *(
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "mkdir",
        "rmdir",
        "unlink",
        "touch",
        "chmod",
        "lchmod",
    ),
    *(
        "iterdir",
        "glob",
        "rglob",
        "is_file",
        "is_dir",
        "exists",
        "lstat",
        "is_symlink",
        "symlink_to",
        "hardlink_to",
    ),
    *("is_mount", "samefile", "cwd", "home", "open"),
}
CLOCK = {"now", "utcnow", "today"}


def modules() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def label(path: Path) -> str:
    return path.relative_to(ROOT / PACKAGE).as_posix()


def part(path: Path) -> str:
    """The package below ventoy_kit, or the module itself if it stands there alone."""
    return label(path).split("/")[0].removesuffix(".py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Full names of what a module imports, anywhere in it: `from a import b` gives `a.b` if that is a module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{label(path)}:{node.lineno}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                inner = ROOT / name.replace(".", "/")
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                yield (name if is_module else str(node.module)), node.lineno


@pytest.mark.parametrize("path", modules(), ids=label)
def test_the_arrows_point_one_way(path):
    own = part(path)
    if own == "__init__":
        assert list(imports(path)) == []
        return
    excepted = EXCEPTIONS.get(own, {})
    for name, line in imports(path):
        if not name.startswith(f"{PACKAGE}."):
            continue
        other = name.split(".")[1]
        allowed = (
            other == own
            or other in ALLOWED[own]
            or any(name == e or name.startswith(f"{e}.") for e in excepted)
            or name == f"{PACKAGE}.__version__"
        )
        assert allowed, f"{label(path)}:{line} imports {name}"


def test_every_exception_is_used():
    for own, excepted in EXCEPTIONS.items():
        used = {name for path in modules() if part(path) == own for name, _ in imports(path)}
        for name in excepted:
            assert any(u == name or u.startswith(f"{name}.") for u in used), f"{own} does not import {name}"


def test_every_part_is_in_the_table():
    assert {part(p) for p in modules()} - {"__init__"} == ALLOWED.keys()


def test_no_import_goes_in_a_circle():
    graph = {
        name_of(path): {name for name, _ in module_level_imports(path) if name.startswith(PACKAGE)}
        for path in modules()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def module_level_imports(path: Path) -> Iterator[tuple[str, int]]:
    """The imports outside of functions."""
    inside = {
        id(inner)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
    }
    lines = {
        n.lineno
        for n in ast.walk(parsed(path))
        if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in inside
    }
    yield from ((name, line) for name, line in imports(path) if line in lines)


def pure() -> list[Path]:
    return [p for p in modules() if part(p) != "edge" and label(p) not in PRINTERS]


@pytest.mark.parametrize("path", pure(), ids=label)
def test_effects_are_in_edge_alone(path):
    for name, line in imports(path):
        assert not {name, name.split(".")[0]} & EFFECT_MODULES, f"{label(path)}:{line} imports {name}"
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        where = f"{label(path)}:{node.lineno}"
        if isinstance(node.func, ast.Name):
            assert node.func.id not in EFFECT_CALLS, f"{where} calls {node.func.id}()"
        elif isinstance(node.func, ast.Attribute):
            in_memory = any(k.arg == "fileobj" for k in node.keywords)  # tarfile.open on bytes
            assert in_memory or node.func.attr not in EFFECT_METHODS, f"{where} calls .{node.func.attr}()"
            assert node.func.attr not in CLOCK, f"{where} reads the clock"
            of_click = isinstance(node.func.value, ast.Name) and node.func.value.id == "click"
            assert not (of_click and node.func.attr in {"echo", "secho", "confirm", "prompt"}), (
                f"{where} prints"
            )


@pytest.mark.parametrize("path", [p for p in modules() if part(p) == "edge"], ids=label)
def test_the_edge_does_not_print(path):
    calls = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)]
    names = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
    assert not names & {"print", "input"}
    assert "click" not in {name.split(".")[0] for name, _ in imports(path)}


@pytest.mark.parametrize("path", modules(), ids=label)
def test_no_random_and_no_clock_decides_what_is_rendered(path):
    if part(path) in {
        "fleet",
        "images",
        "hardware",
        "blueprint",
        "cluster",
        "sheets",
        "plan",
        "payload",
        "stick",
        "rehearse",
    }:
        names = {name.split(".")[0] for name, _ in imports(path)}
        assert not names & {"random", "secrets", "platform", "locale", "getpass"}
        calls = [n.func for n in ast.walk(parsed(path)) if isinstance(n, ast.Call)]
        assert not {f.attr for f in calls if isinstance(f, ast.Attribute)} & {"uuid1", "uuid4"}


def test_processes_are_started_in_one_place():
    users = {label(p) for p in modules() if any(n.split(".")[0] == "subprocess" for n, _ in imports(p))}
    assert users == {"edge/process.py"}


@pytest.mark.parametrize("path", modules(), ids=label)
def test_modules_are_small(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{label(path)} has {lines} lines"


@pytest.mark.parametrize("path", modules(), ids=label)
def test_only_declared_packages_are_imported(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distributions = {
        re.split(r"[<>=;\[ ]", text)[0]
        for text in (*project["dependencies"], *project["optional-dependencies"]["pdf"])
    }
    renamed = {"libpass": "passlib", "ruamel.yaml": "ruamel", "tomli-w": "tomli_w"}
    declared = {renamed.get(name, name) for name in distributions} | {
        PACKAGE,
        "pydantic_core",
        "urllib3",
    }  # of pydantic and of requests
    for name, line in imports(path):
        top = name.split(".")[0]
        assert top in sys.stdlib_module_names or top in declared, f"{label(path)}:{line} imports {name}"
