"""Every line that is rendered for Debian against the templates of the real installers: name, type, choice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import CACHE
from tests.support.debian_archive import Archive, private_package, receive
from tests.support.debian_templates import Template, initrd, questions
from tests.support.fleets import BASE, payload_of
from tests.test_cases import unpacked
from ventoy_kit.answers.preseed_check import known_questions
from ventoy_kit.payload.answers.preseed import Answer, read_preseed

pytestmark = [pytest.mark.needs_tool("cpio", "dpkg-deb", "apt-get"), pytest.mark.slow]

NOT_CHECKABLE = {
    "tasksel/first": "package tasksel, which is not part of the installer",
    "popularity-contest/participate": "package popularity-contest, which is not part of the installer",
    "partman-partitioning/default_label": "read by disk-label.sh of partman-partitioning, without a template",
    "partman-lvm/confirm_nooverwrite": "registered by partman-lvm as a copy of partman-lvm/confirm",
    "partman-md/confirm_nooverwrite": "registered by partman-md as a copy of partman-md/confirm",
    "mirror/https/hostname": "registered when choose-mirror runs, as a copy of mirror/http/hostname",
    "mirror/https/directory": "the same",
    "mirror/https/proxy": "the same",
}
"""Questions without a template that could be read, and where they come from."""

AT_RUN_TIME = {"debian-installer/locale"}
"""Selections whose choices are made when the installer runs."""


def rendered() -> dict[str, Answer]:
    """Every line of every Debian case that is built, by its text."""
    out: dict[str, Answer] = {}
    cases = [BASE, *(p / "fleet.yaml" for p in BASE.parent.iterdir() if p.name == "built-debian")]
    for text in [c.read_bytes() for c in cases] + [_changed(p) for p in BASE.parent.glob("debian-built-*")]:
        for file in payload_of(text).files:
            texts = [file.data.decode()] if file.origin == "ticket" and b"_preseed_V1" in file.data else []
            if file.path.endswith("debian/overlay.tar.bz2") or file.path.endswith("trixie/overlay.tar.bz2"):
                texts = [
                    t for n, t in unpacked(file.data).items() if n.endswith(("partman.cfg", "preseed.cfg"))
                ]
            for content in texts:
                answers, report = read_preseed(content, "f")
                assert not list(report)
                out |= {f"{a.question} {a.value}": a for a in answers}
    return out


def _changed(case: Path) -> bytes:
    text = BASE.read_text()
    for change in (case / "change.txt").read_text().split("===\n"):
        old, new = change.split("---\n")
        text = text.replace(old, new)
    return text.encode()


def installer(release: str, package: Path, scratch: Path) -> tuple[dict[str, Template], Archive]:
    root = initrd(package, release, scratch / "root")
    kernel = next((root / "lib/modules").iterdir()).name
    archive = receive(release, kernel, CACHE)
    if archive is None:
        pytest.skip("needs a Debian mirror that apt knows")
    return questions(root, archive, scratch), archive


def judge(found: dict[str, Template], absent: set[str]) -> list[str]:
    """What is wrong with the rendered lines."""
    problems = []
    for answer in rendered().values():
        template = found.get(answer.question)
        if template is None:
            if answer.question not in absent:
                problems.append(f"{answer.question} exists in no template")
            continue
        same = {answer.type, template.type} <= {"string", "select"}
        if answer.type != template.type and not same:
            problems.append(f"{answer.question} is of type {template.type}, not {answer.type}")
        if (
            template.type in ("select", "multiselect")
            and template.choices
            and answer.question not in AT_RUN_TIME
        ):
            values = answer.value.split(", ") if template.type == "multiselect" else [answer.value]
            problems += [
                f"{answer.question}: {value} is no choice"
                for value in values
                if value not in ("", *template.choices)
            ]
    return problems


def test_debian_13_knows_every_line(tmp_path):
    package = private_package("debian-installer-13-netboot-amd64", "13", CACHE)
    if package is None:
        pytest.skip("needs the package debian-installer-13-netboot-amd64 through an apt root of its own")
    found, _ = installer("13", package, tmp_path)
    assert judge(found, set(NOT_CHECKABLE)) == []


@pytest.mark.needs_package("debian-installer-12-netboot-amd64")
def test_debian_12_knows_every_line(tmp_path, netboot_package):
    found, _ = installer("12", netboot_package, tmp_path)
    # Most of Debian 12's components are gone from the mirror; what they ask is looked up in those of Debian 13.
    only_13 = {name for name, question in known_questions().items() if question.releases == ("13",)}
    assert judge(found, set(NOT_CHECKABLE) | only_13) == []


def test_what_is_not_checkable_is_rendered_or_https():
    asked = {a.question for a in rendered().values()}
    assert set(NOT_CHECKABLE) <= asked


def test_the_list_of_questions_is_that_of_the_templates(tmp_path):
    if not os.environ.get("VENTOY_KIT_SOAK"):
        pytest.skip("runs with VENTOY_KIT_SOAK=1: a mirror may have more or less tomorrow")
    package = private_package("debian-installer-13-netboot-amd64", "13", CACHE)
    if package is None:
        pytest.skip("needs the package debian-installer-13-netboot-amd64 through an apt root of its own")
    found, _ = installer("13", package, tmp_path)
    for name, question in known_questions().items():
        if name in found and "13" in question.releases:
            assert found[name].type == question.type
