"""The questions of the real Debian installer: templates of its RAM disk and of its components."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian_archive import Archive


@dataclass(frozen=True)
class Template:
    """A question: its debconf type, and its choices unless they are only known at run time."""

    name: str
    type: str
    choices: tuple[str, ...] | None


def parse(text: str) -> Iterator[Template]:
    """Templates of a file; those that only show text are left out."""
    for entry in re.split(r"\n[ \t]*\n", text):
        fields = dict(
            re.findall(r"^(Template|Type|Choices|Choices-C): *(.*)$", entry, re.MULTILINE),
        )
        if "Template" not in fields or fields.get("Type") in (None, "text", "title", "error"):
            continue
        given = fields.get("Choices-C") or fields.get("Choices")
        fixed = given is not None and "${" not in given
        choices = (
            tuple(c.strip().replace("\\,", ",") for c in re.split(r"(?<!\\),", given or ""))
            if fixed
            else None
        )
        yield Template(fields["Template"], fields["Type"], choices)


def initrd(package: Path, release: str, target: Path) -> Path:
    """Unpack the RAM disk of a netboot package."""
    (file,) = package.glob(
        f"usr/lib/debian-installer/images/{release}/amd64/text/debian-installer/amd64/initrd.gz"
    )
    target.mkdir(parents=True)
    subprocess.run(
        ["cpio", "-idm", "--quiet"], input=gzip.decompress(file.read_bytes()), cwd=target, capture_output=True
    )
    assert (target / "bin/debconf-set-selections").exists()
    return target


def questions(root: Path, archive: Archive, scratch: Path) -> dict[str, Template]:
    """All questions of a RAM disk and of the components that the mirror has."""
    found: dict[str, Template] = {}
    texts = [p.read_text(errors="replace") for p in sorted(root.glob("var/lib/dpkg/info/*.templates"))]
    for name in sorted(archive.stanzas):
        package = archive.package(name)
        assert package is not None
        subprocess.run(["dpkg-deb", "-e", package, scratch / name], check=True)
        if (scratch / name / "templates").exists():
            texts.append((scratch / name / "templates").read_text(errors="replace"))
    for text in texts:
        found |= {t.name: t for t in parse(text)}
    return found
