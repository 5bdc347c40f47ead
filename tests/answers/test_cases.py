"""Golden cases of foreign answer files: what `answer validate` says, and with facts what `answer simulate` says.

Below `cases` lie those of Proxmox, below `preseeds` those of Debian, which hold `preseed.cfg` and `validate.txt`.

A case holds `answer.toml`, sometimes `release.txt` (9.2 otherwise) and `hardware.json`; `validate.txt` and, with
facts, `simulate.txt` are what the commands print, findings first. VENTOY_KIT_UPDATE_GOLDEN=1 writes both anew, to be
read before they are committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ventoy_kit.app.answer import simulate_target, validate
from ventoy_kit.app.host import Host
from ventoy_kit.app.outcome import Outcome
from ventoy_kit.cli.console import Console

CASES = sorted(p for p in (Path(__file__).parent / "cases").iterdir() if p.is_dir())
PRESEEDS = sorted((Path(__file__).parent / "preseeds").iterdir())
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


@pytest.mark.parametrize("case", PRESEEDS, ids=lambda c: c.name)
def test_a_preseed(case, monkeypatch, capsys):
    monkeypatch.chdir(case)
    outcome = validate(Path("preseed.cfg"), None, Host())
    text = printed(outcome, capsys)
    compare(case / "validate.txt", text)
    assert "Endor-Bunker" not in text
    assert all(f.place is not None and f.remedy and f.rule.code for f in outcome.report)


def test_preseeds_show_every_trap_that_kills_a_disk_or_waits():
    texts = [(c / "validate.txt").read_text() for c in PRESEEDS]
    shown = set(re.findall(r"VK-E[456]\d", "".join(texts)))
    assert shown == {f"VK-E{n}" for n in range(40, 66)}
    assert sum("exit 1" in t for t in texts) >= 4
    assert sum("VK-" not in t for t in texts) >= 1


def test_a_preseed_is_not_simulated_and_the_other_command_is_named(monkeypatch, capsys):
    monkeypatch.chdir(PRESEEDS[0])
    outcome = simulate_target(
        Path("fleet.yaml"), "preseed.cfg", CASES[0] / "hardware.json", None, Host(), stick=True
    )
    assert "answer validate preseed.cfg" in printed(outcome, capsys)
    assert not outcome.ok
