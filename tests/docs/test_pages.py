"""The pages themselves: links, generated parts, words that must not be there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT, name_of
from ventoy_kit.app.rulebook import RULES
from ventoy_kit.cli import COMMANDS

NAMES = {name_of(page): page for page in PAGES}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# Other pages of the project that readers are sent to.
MORE = [
    p
    for folder in ("hooks", "answer_files", "bios_profiles", "boot_overlay", "catalog", "probes")
    for p in (ROOT / folder).rglob("*.md")
]
FORBIDDEN = re.compile(
    r"TODO|FIXME|XXX|lorem|/(?:work|tmp|root)/|pypi\.org|pythonhosted|localhost|127\.0\.0\.1|\bartifactory\b|\bnexus\b"
    r"|\bsimply\b|\bseamless|\bblazing|\bpowerful\b|\brobust\b|\beffortless",
    re.IGNORECASE,
)
NOT_THERE: set[str] = set()
"""Commands that are designed and do not exist; no page may tell a user to type one."""


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^(\s*)```.*?^\1```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of the headings."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
        found.add(kept.replace(" ", "-"))
    return found


@pytest.mark.parametrize("name", [*NAMES, *(name_of(p) for p in MORE)])
def test_links_resolve(name: str) -> None:
    page = ROOT / name
    broken = []
    for target in LINK.findall(prose(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.exists() and file.is_relative_to(ROOT)
        if not there or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", NAMES)
def test_no_forbidden_words(name: str) -> None:
    found = [m.group() for m in FORBIDDEN.finditer(NAMES[name].read_text())]
    assert not found


@pytest.mark.parametrize("name", NAMES)
def test_only_commands_that_exist(name: str) -> None:
    text = NAMES[name].read_text()
    called = set(re.findall(r"ventoy-kit ([a-z][a-z-]*)", text))
    assert not called & NOT_THERE
    assert set(re.findall(r"[$`] ?ventoy-kit ([a-z][a-z-]*)", text)) <= set(COMMANDS)


@pytest.mark.parametrize("name", NAMES)
def test_codes_exist(name: str) -> None:
    boot = {line.split("\t")[0] for line in (ROOT / "boot_overlay/codes.tsv").read_text().splitlines()}
    named = set(re.findall(r"\bVK-[A-Z][0-9]{2}\b", NAMES[name].read_text()))
    assert named <= boot | set(RULES)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in LINK.findall(prose(page)):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists():
                waiting.append(file)
    assert set(PAGES) <= reached


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/make_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_found(tmp_path: Path) -> None:
    code = (
        "import runpy, sys, pathlib;"
        f"main = runpy.run_path({str(ROOT / 'scripts/make_docs.py')!r})['main'];"
        f"folder = main.__globals__['FOLDER'] = pathlib.Path({str(tmp_path)!r});"
        "sys.argv = ['make_docs']; assert main() == 0;"
        "sys.argv.append('--check'); assert main() == 0;"
        "(folder / 'rules.md').write_text('old'); sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert re.findall(r"(\S+) is stale", done.stdout) == ["docs/reference/rules.md"]


def test_demo_of_make_is_the_one_that_the_readme_shows() -> None:
    assert "ventoy-kit demo demo" in (ROOT / "Makefile").read_text()
    assert "$ ventoy-kit demo demo" in (ROOT / "README.md").read_text()


def test_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
