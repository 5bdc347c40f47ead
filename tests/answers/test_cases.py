"""Golden cases of foreign Proxmox answers: what `answer validate` says, and with facts what `answer simulate` says.

A case holds `answer.toml`, sometimes `release.txt` (9.2 otherwise) and `hardware.json`; `validate.txt` and, with
facts, `simulate.txt` are what the commands print, findings first. VENTOY_KIT_UPDATE_GOLDEN=1 writes both anew, to be
read before they are committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ventoy_kit.app.answer import simulate_target, validate
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.console import Console

CASES = sorted(p for p in (Path(__file__).parent / "cases").iterdir() if p.is_dir())
UPDATE = os.environ.get("VENTOY_KIT_UPDATE_GOLDEN") == "1"


def printed(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    code = Console().show(outcome)
    captured = capsys.readouterr()
    return f"{captured.err}{captured.out}exit {code}\n".lstrip("\n")


def compare(file: Path, text: str) -> None:
    if UPDATE:
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_case(case, monkeypatch, capsys):
    monkeypatch.chdir(case)
    release = (case / "release.txt").read_text().strip() if (case / "release.txt").exists() else "9.2"
    outcome = validate(Path("answer.toml"), release, Host())
    compare(case / "validate.txt", printed(outcome, capsys))
    assert all(f.place is not None and f.remedy and f.rule.code for f in outcome.report)
    assert case.joinpath("hardware.json").exists() <= outcome.ok, "facts are of no use with a wrong answer"
    if case.joinpath("hardware.json").exists():
        tried = simulate_target(
            Path("fleet.yaml"), "./answer.toml", Path("hardware.json"), release, Host(), stick=True
        )
        compare(case / "simulate.txt", printed(tried, capsys))


def test_there_are_cases_of_both_kinds():
    texts = [(c / "validate.txt").read_text() for c in CASES]
    assert sum("exit 1" in t for t in texts) >= 20
    assert sum("exit 0" in t for t in texts) >= 15
