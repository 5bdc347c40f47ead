"""What ends are worth, and that safety outranks everything."""

from __future__ import annotations

import json
import re

import pytest

from tests.rehearse.twins import TWIN
from ventoy_kit.rehearse.as_html import as_html
from ventoy_kit.rehearse.as_text import SAID, as_data, as_text, words_of_failures
from ventoy_kit.rehearse.follow import Ended
from ventoy_kit.rehearse.model import (
    ActName,
    ActResult,
    End,
    Picture,
    RehearsalReport,
    SafetyCheck,
    StageResult,
    Verdict,
)
from ventoy_kit.rehearse.verdict import Looks, exit_findings, judge_act, judge_rehearsal, safety_checks

SAME = {"decoy": "1", "tank0": "2"}


def act(name: ActName, ended: Ended) -> ActResult:
    stages = (StageResult("hook", "Archive unpacked", 12.3), StageResult("over", "Countdown over", None))
    picture = Picture(3.0, "The last screen <script>", b"\x89PNG")
    return ActResult(
        name, f"Act {name}", stages, judge_act(name, ended), 61.0, "console <b> \x1b[2J", (picture,)
    )


def refused(code: str) -> Ended:
    return Ended(End.REFUSED, f"The boot overlay refused with {code}.", "words", code, "Do it.")


REACHED = Ended(End.REACHED, "It came there.", "")
CONSENT = Ended(End.CONSENT, "It waits.", "Type alpha")


@pytest.mark.parametrize(
    ("name", "ended", "passed"),
    [
        ("install", REACHED, True),
        ("install", refused("VK-B21"), False),
        ("install", CONSENT, False),
        ("stranger", refused("VK-B10"), True),
        ("stranger", refused("VK-B21"), False),
        ("stranger", REACHED, False),
        ("stranger", Ended(End.QUESTION, "q", "The failing step is: Configure the\nnetwork"), True),
        ("stranger", Ended(End.QUESTION, "q", "Hostname:", remedy="x"), False),
        ("again", refused("VK-B60"), True),
        ("again", refused("VK-B61"), False),
        ("again", REACHED, False),
        ("auto", CONSENT, True),
        ("auto", REACHED, False),
        ("auto", Ended(End.QUESTION, "q", "q"), False),
    ],
)
def test_each_act_has_its_own_good_end(name: ActName, ended: Ended, passed: bool):
    verdict = judge_act(name, ended)
    assert verdict.passed is passed
    assert bool(verdict.remedy) is not passed


def test_without_uefi_the_name_is_asked_for():
    assert judge_act("install", CONSENT, uefi=False).passed


def rehearsed(acts: list[ActResult], looks: Looks) -> RehearsalReport:
    safety = tuple(safety_checks(TWIN, acts, looks, "alpha"))
    verdict = judge_rehearsal(acts, safety)
    return RehearsalReport(
        *(
            "vm",
            "0a1b2c3d",
            "alpha",
            "Alpha & <Omega>",
            "Debian 13",
            "direct",
            "2026-11-23T12:00:00+00:00",
            "QEMU 7.2",
        ),
        twin=TWIN,
        acts=tuple(acts),
        safety=safety,
        verdict=verdict,
        notes=("Ventoy was not started.",),
    )


def test_a_changed_disk_outranks_every_success():
    report = rehearsed([act("install", REACHED)], Looks(SAME, SAME | {"tank0": "other"}, 0, ()))
    assert not report.verdict.passed
    assert report.verdict.end is End.WROTE
    assert [unsafe for unsafe, _, _ in exit_findings(report)] == [True]


def test_a_file_outside_that_was_open_for_writing_outranks_it_too():
    assert not rehearsed([act("install", REACHED)], Looks(SAME, SAME, 0, ("/dev/sda",))).verdict.passed


def test_a_stranger_that_is_served_is_unsafe():
    report = rehearsed([act("stranger", REACHED), act("install", REACHED)], Looks(SAME, SAME, 0, ()))
    ((unsafe, message, remedy),) = exit_findings(report)
    assert unsafe
    assert "alpha, another machine" in message
    assert remedy


def test_what_was_not_played_is_open_and_not_held():
    checks = {
        c.id: c.held
        for c in safety_checks(TWIN, [act("install", REACHED)], Looks(SAME, SAME, 0, ()), "alpha")
    }
    assert checks == {
        "disk-decoy": True,
        "disk-tank0": True,
        "stick": True,
        "host": True,
        "identity": None,
        "one-shot": None,
        "auto": None,
    }


def test_an_act_that_was_cut_short_proves_nothing_and_fails():
    cut = Ended(End.CUT, "It was cut short: the rehearsal was interrupted.", "", None, "Run it again.")
    report = rehearsed([act("stranger", cut)], Looks(SAME, SAME, 0, ()))
    assert {c.id: c.held for c in report.safety}["identity"] is None
    assert (report.verdict.passed, report.verdict.end) == (False, End.CUT)


@pytest.mark.parametrize(
    ("foreign", "changed", "held"), [(False, True, False), (True, True, None), (False, False, True)]
)
def test_what_was_written_to_a_stick_is_said(foreign: bool, changed: bool, held: bool | None):
    looks = Looks(SAME, SAME, 512, (), foreign, changed)
    (check,) = (c for c in safety_checks(TWIN, [act("stick", REACHED)], looks, "alpha") if c.id == "stick")
    assert check.held is held
    assert "512 bytes" in check.detail


def test_all_forms_say_the_same():
    report = rehearsed(
        [act("stranger", refused("VK-B10")), act("install", refused("VK-B21"))], Looks(SAME, SAME, 0, ())
    )
    text, page, data = as_text(report), as_html(report), as_data(report)
    assert "FAILED" in text
    assert data["verdict"]["code"] == "VK-B21"
    assert json.dumps(data)
    for words in ("VK-B21", "Archive unpacked", "Ventoy was not started."):
        assert words in text
        assert words in page
    assert "Alpha &amp; &lt;Omega&gt;" in page
    assert "<script" not in page
    assert "\x1b" not in page
    assert re.search(r'<img alt="[^"<>]*" src="data:image/png;base64,iVBORw==">', page)
    assert "img-src data:" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_checks_that_fail_besides_fail_the_rehearsal():
    broken = SafetyCheck("answer", "The answer is the node's", held=False, detail="another one")
    verdict = judge_rehearsal([act("install", REACHED)], [broken])
    assert isinstance(verdict, Verdict)
    assert not verdict.passed


def test_the_words_of_a_question_are_shown_but_not_those_of_success():
    asked = "Select a language\n-----------------\n" + "\n".join(f"  {n}: language {n}" for n in range(80))
    question = Ended(End.QUESTION, "The installer asks.", asked)
    report = rehearsed(
        [act("stranger", refused("VK-B10")), act("install", question)], Looks(SAME, SAME, 0, ())
    )
    lines = list(words_of_failures(report))
    assert lines[:2] == ["What the console said (install):", "| Select a language"]
    assert len(lines) == SAID + 2
    assert lines[-1].startswith("| (62 more lines")
