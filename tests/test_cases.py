"""Golden cases: each folder of tests/cases is a fleet file and what must come of it.

A case holds
- `fleet.yaml`, or `change.txt`: replacements in tests/cases/base.yaml, each `old`, a line `---`, `new`, parted by
  lines `===`;
- `environment.txt`, if the root password is not the ready hash: lines `NAME=value`;
- `beside/`: what lies beside the fleet file;
- `report.txt`, if the fleet is refused or warned of: the findings as the console prints them, without those that
  say that images are stand-ins;
- `check.txt`, if the case is about notes, which `check` alone shows: the same of `check`;
- `expected/`, if it is built: the files of the payload, archives unpacked. The generation stands as GENERATION; the
  kit's own scripts and the list of boot codes are left out.

VENTOY_KIT_UPDATE_GOLDEN=1 writes `report.txt` and `expected/` anew, to be read before they are committed.
"""

from __future__ import annotations

import bz2
import io
import os
import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fleets import BASE, host, put_isos
from ventoy_kit.app.build import build
from ventoy_kit.app.check import check
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.app.rulebook import _MODULES, RULES
from ventoy_kit.cli.console import Console
from ventoy_kit.payload.overlay import LIVE_INJECTION
from ventoy_kit.report import Report, Rule

CASES = sorted(p for p in BASE.parent.iterdir() if p.is_dir())
UPDATE = os.environ.get("VENTOY_KIT_UPDATE_GOLDEN") == "1"
STAND_IN_NOTES = ("VK-I14", "VK-I15")
CODES_HEADING = "If the screen stops with a code"


def prepare(case: Path, folder: Path) -> None:
    """The case's fleet file and what lies beside it."""
    if (case / "fleet.yaml").exists():
        shutil.copy(case / "fleet.yaml", folder)
    else:
        text = BASE.read_text()
        for change in (case / "change.txt").read_text().split("===\n"):
            old, new = change.split("---\n")
            assert text.count(old) == 1, f"{old!r} does not stand once in base.yaml"
            text = text.replace(old, new)
        (folder / "fleet.yaml").write_text(text)
    if (case / "beside").exists():
        shutil.copytree(case / "beside", folder, dirs_exist_ok=True)
        for secret in folder.glob("*.secret"):
            secret.chmod(0o644 if secret.name.startswith("open") else 0o600)
    put_isos(folder)


def environment(case: Path) -> dict[str, str]:
    file = case / "environment.txt"
    return dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.exists() else {}


def printed(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    """The findings as a person sees them."""
    kept = Report([f for f in outcome.report if f.rule.code not in STAND_IN_NOTES])
    capsys.readouterr()
    Console(quiet=True).show(replace(outcome, report=kept, blocks=()))
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def payload_files(folder: Path) -> dict[str, str]:
    """The build folder's files by path, archives unpacked, without what belongs to the kit itself."""
    root = folder / "build" / "ventoy"
    (fleet,) = (p for p in root.iterdir() if p.is_dir())
    (generation,) = (
        p.name for p in fleet.iterdir() if p.name not in ("checklists", "probe", "manifest.json")
    )
    out: dict[str, str] = {}
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        path = file.relative_to(root).as_posix()
        if file.name == "manifest.json" or file.suffix == ".html" or "/probe/" in path:
            continue
        if file.name == "overlay.tar.bz2":
            out |= {f"{path}/{name}": text for name, text in unpacked(file.read_bytes()).items()}
        else:
            out[path] = file.read_text()
    fixed = {}
    for path, text in out.items():
        if "/checklists/" in path:  # the tag in their names is a digest of them with what is cut off here
            node, _, ending = path.partition(".")
            fixed[f"{node}.{ending.partition('.')[2]}"] = text.split(CODES_HEADING)[0]
        else:
            fixed[path.replace(generation, "GENERATION")] = text.replace(generation, "GENERATION")
    return fixed


def unpacked(archive: bytes) -> dict[str, str]:
    """The members with their modes as `MEMBERS`, and the contents of those that are rendered."""
    out = {}
    names = []
    with tarfile.open(fileobj=io.BytesIO(bz2.decompress(archive))) as tar:
        for member in tar:
            # Each change of a hook gives what runners share another name.
            name = re.sub(r"runners/[0-9a-f]{16}", "runners/DIGEST", member.name)
            names.append(f"{member.mode:04o} {name}{'/' if member.isdir() else ''}\n")
            assert (member.uid, member.gid, member.mtime, member.uname) == (0, 0, 0, "")
            own = (
                member.name.endswith((".sh", "/codes", "/first-boot", "/first-boot.rest"))
                or name != member.name
            )
            file = tar.extractfile(member)
            if file is not None and not own:
                out[member.name] = file.read().decode()
    assert f"0755 {LIVE_INJECTION}/hook.sh\n" in names
    return out | {"MEMBERS": "".join(n for n in names if not n.endswith(".sh\n"))}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_case(case, tmp_path, monkeypatch, capsys):
    prepare(case, tmp_path)
    monkeypatch.chdir(tmp_path)
    outcome = build(Path("fleet.yaml"), host(**environment(case)))
    report = printed(outcome, capsys)
    notes = case / "check.txt"
    noted = printed(check(Path("fleet.yaml"), host(**environment(case))), capsys) if notes.exists() else ""
    files = payload_files(tmp_path) if outcome.ok else {}
    assert (tmp_path / "build").exists() == outcome.ok
    if UPDATE:
        update(case, report, files, noted)
    assert not notes.exists() or noted == notes.read_text()
    golden = case / "report.txt"
    assert report == (golden.read_text() if golden.exists() else "")
    expected = case / "expected"
    found = {
        p.relative_to(expected).as_posix(): p.read_text() for p in sorted(expected.rglob("*")) if p.is_file()
    }
    assert files == found or (outcome.ok and not found)
    assert golden.exists() or notes.exists() or found, "a case shows findings or files"


def update(case: Path, report: str, files: dict[str, str], noted: str) -> None:
    if (case / "check.txt").exists():
        (case / "check.txt").write_text(noted)
    (case / "report.txt").unlink(missing_ok=True)
    if report:
        (case / "report.txt").write_text(report)
    if (case / "expected").exists() or not (report or noted):
        shutil.rmtree(case / "expected", ignore_errors=True)
        for path, text in files.items():
            (case / "expected" / path).parent.mkdir(parents=True, exist_ok=True)
            (case / "expected" / path).write_text(text)


ELSEWHERE = {
    "VK-Q17": "tests/app/test_hardware.py",
    "VK-Q18": "tests/app/test_adopt.py",
    "VK-Q19": "tests/app/test_adopt.py",
    "VK-Q20": "tests/app/test_adopt.py",
    "VK-Q21": "tests/app/test_adopt.py",
    "VK-G03": "tests/cli: there is no fleet file",
    "VK-H01": "tests/fleet/test_hooks.py",
    "VK-H02": "tests/fleet/test_hooks.py",
    "VK-H03": "tests/fleet/test_hooks.py",
    "VK-H05": "tests/fleet/test_hooks.py",
    "VK-H06": "tests/fleet/test_hooks.py",
    "VK-H07": "tests/fleet/test_hooks.py",
    "VK-H08": "tests/fleet/test_hook_facts.py",
    "VK-H12": "tests/fleet/test_hooks.py",
    "VK-H13": "tests/fleet/test_hooks.py",
    "VK-H15": "tests/fleet/test_hooks.py",
    "VK-H16": "tests/fleet/test_hook_facts.py",
    "VK-H17": "tests/fleet/test_hook_facts.py",
    "VK-W05": "tests/payload/test_runner.py: the limit; tests/payload/test_refusals.py: the finding",
    "VK-W06": "tests/payload/test_refusals.py: no name that the schema allows reaches it",
    **{f"VK-Y{number}": "tests/rehearse/test_findings.py" for number in (40, 41, 43, 44, 48)},
    **{f"VK-Y{number}": "tests/rehearse/test_refused.py" for number in (42, 45, 46, 47, 49, 50)},
    "VK-Y51": "tests/rehearse/test_cut.py",
}
"""Rules of fleet, plan, gather, hardware and payload that no golden case shows, and where each is tested."""

UPPER_HALF = (
    "VK-Y",
    "VK-S",
    "VK-N",
    "VK-D",
    "VK-Q",
    "VK-M",
    "VK-R",
    "VK-A",
    "VK-C",
    "VK-F",
    "VK-G",
    "VK-X",
    "VK-P",
    "VK-W",
    "VK-H",
)


def test_a_case_shows_every_rule_that_a_fleet_file_can_break():
    shown = set()
    for report in [*BASE.parent.glob("*/report.txt"), *BASE.parent.glob("*/check.txt")]:
        shown |= set(
            re.findall(r"^(?:error|warning|note) (VK-[A-Z][0-9]{2}):", report.read_text(), re.MULTILINE)
        )
    reachable = {code for code in RULES if code.startswith(UPPER_HALF)}
    assert reachable - shown == set(ELSEWHERE)
    assert shown <= set(RULES)


def test_codes_are_unique_and_well_formed():
    rules = [rule for module in _MODULES for rule in vars(module).values() if isinstance(rule, Rule)]
    codes = [rule.code for rule in rules]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"VK-[A-Z][0-9]{2}", code) for code in codes)
    assert len({rule.title for rule in rules}) == len(rules)
    assert len(rules) == len(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda r: r.code)
def test_a_rule_explains_itself(rule):
    assert rule.title[0].isalpha()
    assert not rule.title.endswith(".")
    assert rule.explain.endswith((".", ":", "?", "`"))
    assert len(rule.explain) > 10
