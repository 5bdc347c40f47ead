"""Which family a foreign answer file is of, and its validator. A family adds a line to `VALIDATORS`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ventoy_kit.answers import codes
from ventoy_kit.answers.preseed_check import check_preseed, is_preseed, preseed_summary
from ventoy_kit.answers.proxmox_check import check_answer
from ventoy_kit.answers.proxmox_schema import Release, release_text
from ventoy_kit.answers.proxmox_traps import find_traps
from ventoy_kit.answers.toml_places import read_toml
from ventoy_kit.report import Place, Report


@dataclass(frozen=True, slots=True)
class Validator:
    """A family of answer files.

    Attributes:
        kind: what a file of it is called, with its article.
        installer: whose rules it is judged by; `{}` stands for the release of Proxmox VE.
        recognises: whether a text looks like one.
        check: findings with places, from bytes, the file's name and a release of Proxmox VE.
        summary: what the installer would do to disks, in sentences, as far as the file alone tells.
    """

    kind: str
    installer: str
    recognises: Callable[[str], bool]
    check: Callable[[bytes, str, Release], Report]
    summary: Callable[[bytes], tuple[str, ...]] = lambda _data: ()


def check_proxmox(data: bytes, file: str, release: Release) -> Report:
    """Every rule of the Proxmox installer, then the traps, with line and column."""
    document, report = read_toml(data, file)
    if document is None:
        return report
    report.extend(check_answer(document.data, release))
    if not {f.rule for f in report} & {codes.WRONG_TYPE, codes.WRONG_VALUE, codes.MISSING_KEY, codes.FIELDS}:
        report.extend(find_traps(document.data, release))
    return report.located(document.locate)


_TOML = re.compile(r"""^[ \t]*(\[\[?[ \t]*["'A-Za-z]|["'A-Za-z0-9_.-]+[ \t]*=)""", re.MULTILINE)

VALIDATORS: tuple[Validator, ...] = (
    Validator(
        "a preseed of the Debian installer",
        "the installers of Debian 12 and 13 do",
        is_preseed,
        check_preseed,
        preseed_summary,
    ),
    Validator(
        "an answer file of the Proxmox installers",
        "the installer of release {} does",
        lambda text: _TOML.search(text) is not None,
        check_proxmox,
    ),
)
"""Asked in this order."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A file of some family.

    Attributes:
        kind: what it is, with its article.
        installer: whose rules it was judged by.
        wipes: what the installer would do to disks, as far as the file alone tells.
    """

    kind: str
    installer: str
    wipes: tuple[str, ...]


def validate_text(data: bytes, file: str, release: Release) -> tuple[Judged | None, Report]:
    """Validate an answer file of any family.

    Returns:
        What the file is (None if that cannot be told), and findings with places.
    """
    text = data.decode("utf-8", "replace")
    for validator in VALIDATORS:
        if validator.recognises(text):
            installer = validator.installer.format(release_text(release))
            judged = Judged(validator.kind, installer, validator.summary(data))
            return judged, validator.check(data, file, release)
    known = " or ".join(v.kind for v in VALIDATORS)
    finding = codes.NO_ANSWER.finding(f"{file} is not {known}", "Name an answer file.", place=Place(file))
    return None, Report([finding])
