"""Checksum files of vendors: the formats of GNU and BSD tools, and GNU lines below headings per algorithm.

Sources: sha256sum(1) and its `--tag` option; CHECKSUMS.TXT of GParted Live and Clonezilla Live, whose blocks are
headed `### SHA256SUMS:` and where BLAKE3 digests have the length of SHA-256. Names are labels to compare with, and
are never used as paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from ventoy_kit.images import catalog_codes as codes
from ventoy_kit.images.catalog import Algorithm
from ventoy_kit.report import Finding, Place, Report, place_in

SumsFormat = Literal["gnu", "bsd", "headed"]

_DIGITS: Final[dict[Algorithm, int]] = {"sha256": 64, "sha512": 128}
_TAGS: Final[dict[Algorithm, str]] = {"sha256": "SHA256", "sha512": "SHA512"}
_GNU: Final = re.compile(r"(?P<digest>[0-9A-Fa-f]+) [ *](?P<name>.+)")
_BSD: Final = re.compile(r"(?P<tag>[A-Z0-9][A-Z0-9/-]*) \((?P<name>.+)\) = (?P<digest>[0-9A-Fa-f]+)")
_HEADING: Final = re.compile(r"#{1,6} *(?P<tag>[A-Z0-9]+)SUMS:? *")


@dataclass(frozen=True, slots=True)
class Sums:
    """Digests of one algorithm, in lower case, by the name that the file gives; names as they stand there."""

    algorithm: Algorithm
    digests: Mapping[str, str]


def parse_sums(
    data: bytes,
    *,
    layout: SumsFormat,
    algorithm: Algorithm,
    file: str,
) -> tuple[Sums | None, Report]:
    """Read a checksum file.

    Args:
        data: the file.
        layout: how lines are written (the catalog's `format`).
        algorithm: which digests to take; those of others are passed over where the format tells them apart.
        file: its name in findings.

    Returns:
        The digests, or None and findings (VK-J43 to VK-J46) that point at the lines.
    """
    lines, problem = _lines(data, file)
    if problem is not None:
        return None, Report([problem])
    reader = _Reader(lines, file, algorithm)
    {"gnu": reader.gnu, "bsd": reader.bsd, "headed": reader.headed}[layout]()
    if not reader.report.has_errors and not reader.digests:
        reader.report.add(
            codes.SUMS_EMPTY.finding(
                f"{file} holds no {_TAGS[algorithm]} digest",
                "Look at the file at its vendor's; if its form has changed, correct the catalog entry.",
                place=Place(file),
            )
        )
    if reader.report.has_errors:
        return None, reader.report
    return Sums(algorithm, MappingProxyType(reader.digests)), reader.report


def _lines(data: bytes, file: str) -> tuple[list[str], Finding | None]:
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        return [], codes.SUMS_SYNTAX.finding(
            f"byte {data[error.start]:#04x} is not ASCII text",
            "Fetch the checksum file again; it is damaged or something else.",
            place=Place(file, number),
        )
    return [line.removesuffix("\r") for line in text.split("\n")], None


class _Reader:
    """Reads the lines of one file; findings and digests pile up."""

    def __init__(self, lines: list[str], file: str, algorithm: Algorithm) -> None:
        self.lines, self.file, self.algorithm = lines, file, algorithm
        self.digests: dict[str, str] = {}
        self.report = Report()

    def gnu(self) -> None:
        for number, line in self._content():
            if not line.startswith("#"):
                self._gnu_line(number, line)

    def headed(self) -> None:
        current: str | None = None
        seen: set[str] = set()
        for number, line in self._content():
            heading = _HEADING.fullmatch(line)
            if heading is not None:
                current = heading["tag"]
                if current in seen:
                    self._syntax(number, f"a second block of {current} digests")
                seen.add(current)
            elif current == _TAGS[self.algorithm]:
                self._gnu_line(number, line)
            elif current is None and not line.startswith("#"):
                self._syntax(number, f"`{_shown(line)}` stands before any heading")

    def bsd(self) -> None:
        for number, line in self._content():
            match = _BSD.fullmatch(line)
            if match is not None and match["tag"] == _TAGS[self.algorithm]:
                self._take(number, match["name"], match["digest"])
            elif match is None and not line.startswith("#"):
                self._syntax(
                    number, f"`{_shown(line)}` is not of the form `{_TAGS[self.algorithm]} (name) = digest`"
                )

    def _content(self) -> Iterator[tuple[int, str]]:
        return ((number, line) for number, line in enumerate(self.lines, 1) if line.strip())

    def _gnu_line(self, number: int, line: str) -> None:
        match = _GNU.fullmatch(line)
        if match is None:
            self._syntax(number, f"`{_shown(line)}` is not of the form `digest  name`")
        else:
            self._take(number, match["name"], match["digest"])

    def _take(self, number: int, name: str, digest: str) -> None:
        digest = digest.lower()
        if len(digest) != _DIGITS[self.algorithm]:
            digits = _DIGITS[self.algorithm]
            self._syntax(
                number, f"a digest of {len(digest)} hex digits, where {_TAGS[self.algorithm]} has {digits}"
            )
        elif not is_plain_label(name):
            self._add(
                codes.SUMS_NAME.finding(
                    f"`{_shown(name)}` cannot be the name of a file in this folder",
                    "Do not use this mirror; tell its operator or the vendor.",
                    place=self._place(number),
                )
            )
        elif self.digests.setdefault(name, digest) != digest:
            self._add(
                codes.SUMS_DOUBLE.finding(
                    f"`{name}` is listed with two different digests",
                    "Fetch the checksum file from the vendor itself.",
                    place=self._place(number),
                )
            )

    def _syntax(self, number: int, problem: str) -> None:
        head = "".join(self.lines[:5]).lower()
        remedy = (
            "The server sent a web page: open the address in a browser, and try another mirror."
            if "<html" in head or "<!doctype" in head
            else "Fetch the checksum file again; if its form has changed, correct the catalog entry."
        )
        self._add(codes.SUMS_SYNTAX.finding(problem, remedy, place=self._place(number)))

    def _add(self, finding: Finding) -> None:
        # A page of HTML would give a finding per line; the first few tell everything.
        if len(self.report) < 5:
            self.report.add(finding)

    def _place(self, number: int) -> Place:
        return place_in([_shown(line, 200) for line in self.lines], self.file, number, 1)


def is_plain_label(name: str) -> bool:
    """Whether a name in a checksum file is one that an honest file has: relative, printable ASCII, not climbing."""
    return (
        0 < len(name) <= 255
        and all(" " <= c <= "~" and c != "\\" for c in name)
        and not name.startswith(("/", "~", " "))
        and not re.match(r"[A-Za-z]:", name)
        and ".." not in name.split("/")
        and "" not in name.split("/")
    )


def _shown(text: str, length: int = 60) -> str:
    """A text that is safe on a terminal."""
    safe = "".join(c if " " <= c <= "~" else "?" for c in text)
    return safe if len(safe) <= length else safe[: length - 3] + "..."
