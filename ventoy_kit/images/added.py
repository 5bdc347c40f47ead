"""What was put into an installer image after its vendor made it, for `image inspect`. Secrets are left out.

Sources: `proxmox-auto-install-assistant prepare-iso` (puts `/auto-installer-mode.toml`, `/answer.toml` and
`/proxmox-first-boot` into the root), the Debian installation guide, appendix B.2 (preseed files on the medium, named
by a boot entry, or in the initramfs), debian-cd (`/md5sum.txt` lists what is on a disc).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import tomli_w

from ventoy_kit.images.facts import GRUB_MENU, IsoFacts
from ventoy_kit.images.initrd import files_in_initrd
from ventoy_kit.images.inspect import printable
from ventoy_kit.images.menu import derive_toolbox_menu
from ventoy_kit.images.redact import REDACTED, is_secret_name, redacted_text, redacted_tree, redacted_url

SUMS: Final = "/md5sum.txt"
MODE: Final = "/auto-installer-mode.toml"
ANSWER: Final = "/answer.toml"
FIRST_BOOT: Final = "/proxmox-first-boot"
INITRDS: Final = ("/install.amd/initrd.gz", "/debian-installer/amd64/initrd.gz")
INITRD_LIMIT: Final = 256 << 20
"""Bytes of an initramfs that is looked into; Debian's have 30 to 80 MiB."""

PRESEED_LIMIT: Final = 1 << 20
_SHOWN: Final = 200
"""Lines that are shown of one file."""

_UNLISTED: Final = re.compile(r"/md5sum\.txt|/isolinux/(?:isolinux\.bin|boot\.cat)|/boot\.cat(?:alog)?")
_MENU: Final = re.compile(r"/(?:boot/grub|isolinux|EFI|efi|syslinux)/.*\.cfg")
_PRESEED: Final = re.compile(
    r"/(?!pool/|dists/)(?:.*/)?(?:[\w.-]*preseed[\w.-]*\.(?:cfg|txt|conf)|preseed|[\w.-]+\.(?:preseed|seed))"
)
_PRESEED_TYPES: Final = frozenset(
    {"string", "boolean", "select", "multiselect", "note", "password", "text", "title", "error"}
)
_NAMES_ANSWERS: Final = re.compile(
    r"(?<!\S)(?:(?:preseed/)?(?:file|url)=\S+|preseed/\S+=\S+|preseed_fetch/\S+|(?:inst\.)?ks=\S+|ds=nocloud\S*)"
)
_COMMAND: Final = re.compile(r"(?:^|/)(?:early_command|late_command|run)$")


@dataclass(frozen=True, slots=True)
class Added:
    """One thing that somebody put in or changed.

    Attributes:
        path: the file on the image; for one inside an initramfs that file, a colon and the path in it.
        what: what it is, in a few words.
        size: bytes, None if it was not read.
        shown: its content for people, without secrets and control characters; empty where it is not shown.
    """

    path: str
    what: str
    size: int | None
    shown: tuple[str, ...] = ()


def paths_to_read(names: Collection[str]) -> tuple[str, ...]:
    """Which files of an image `find_added` needs, out of all that it holds."""
    wanted = {SUMS, MODE, ANSWER, FIRST_BOOT, *INITRDS}
    return tuple(
        sorted(name for name in names if name in wanted or _MENU.fullmatch(name) or _PRESEED.fullmatch(name))
    )


def find_added(facts: IsoFacts, names: Collection[str], files: Mapping[str, bytes]) -> tuple[Added, ...]:
    """Say what was put in.

    Args:
        facts: what the image is.
        names: all files on it.
        files: contents of those that `paths_to_read` names, as far as they could be read.
    """
    listed = _listed(files.get(SUMS, b""))
    found: dict[str, Added] = {}
    for path, data in files.items():
        if path in (MODE, ANSWER):
            what = "how the answer is found" if path == MODE else "the answer of an unattended installation"
            found[path] = _added(path, what, data, _toml(data))
        elif path == FIRST_BOOT:
            found[path] = _added(path, "a program that runs at the first boot", data, _program(data))
        elif _MENU.fullmatch(path):
            told = _menu(facts, path, data, changed=_differs(listed, path, data))
            found |= {path: told} if told is not None else {}
        elif path in INITRDS:
            found |= {one.path: one for one in _initrd(path, data, changed=_differs(listed, path, data))}
        elif _PRESEED.fullmatch(path) and (path not in listed or _differs(listed, path, data)):
            found[path] = _added(path, "answers of an unattended installation", data, _preseed(data))
    for name in sorted(names) if listed else ():
        if name not in listed and name not in found and not _UNLISTED.fullmatch(name):
            found[name] = Added(name, "not in the disc's own list of files", None)
    return tuple(found[path] for path in sorted(found))


def _added(path: str, what: str, data: bytes, shown: tuple[str, ...] = ()) -> Added:
    lines = tuple(" " * (len(line) - len(line.lstrip(" "))) + printable(line, 240) for line in shown[:_SHOWN])
    if len(shown) > _SHOWN:
        lines += (f"... and {len(shown) - _SHOWN} more lines",)
    return Added(path, what, len(data), lines)


def _listed(sums: bytes) -> Mapping[str, str]:
    """The disc's own list: MD5 by path. It proves nothing; it shows what was changed without hiding it."""
    found = {}
    for line in sums.decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{32}) [ *]\.?(/.+)", line)
        if match:
            found[match[2]] = match[1]
    return found


def _differs(listed: Mapping[str, str], path: str, data: bytes) -> bool:
    return path in listed and hashlib.md5(data, usedforsecurity=False).hexdigest() != listed[path]


def _toml(data: bytes) -> tuple[str, ...]:
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return ("(no TOML that can be read; its text is not shown, since it may hold secrets)",)
    return tuple(tomli_w.dumps(redacted_tree(tree)).splitlines())


def _program(data: bytes) -> tuple[str, ...]:
    """A program is not shown, since nobody knows how it spells its secrets; its first line says what runs it."""
    first = data[:200].split(b"\n", 1)[0].decode("utf-8", "replace")
    kind = redacted_text(first) if first.startswith("#!") else "(no script)"
    return (kind, f"({len(data.splitlines())} lines, not shown, since they may hold secrets)")


def _preseed(data: bytes) -> tuple[str, ...]:
    shown = []
    for line in data.decode("utf-8", "replace").replace("\\\n", " ").splitlines():
        words = line.split(None, 3)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3 or words[2] not in _PRESEED_TYPES:  # who knows what stands there
            shown.append("(a line of another form)")
            continue
        owner, question, kind = words[:3]
        value = words[3] if len(words) == 4 else ""
        if _COMMAND.search(question):
            value = f"<a command of {len(value)} characters>"
        elif kind == "password" or is_secret_name(question):
            value = REDACTED if value else ""
        else:
            value = redacted_text(value)
        shown.append(f"{owner} {question} {kind} {value}".rstrip())
    return tuple(shown)


def _menu(facts: IsoFacts, path: str, data: bytes, *, changed: bool) -> Added | None:
    text = data.decode("utf-8", "replace")
    shown = [
        f"line {number} names answers: {redacted_parameter(match[0])}"
        for number, line in enumerate(text.splitlines(), start=1)
        if re.match(r"\s*(?:linux\w*|append|kernel)\s", line, re.IGNORECASE)
        for match in _NAMES_ANSWERS.finditer(line)
    ]
    odd = derive_toolbox_menu(facts)[1] if path == GRUB_MENU and facts.family is not None else ()
    shown += [finding.message for finding in odd if finding.severity == "error"]
    if changed:
        return _added(path, "a boot menu that was changed", data, tuple(shown))
    if shown:
        return _added(path, "a boot menu that is not as its vendor makes it", data, tuple(shown))
    return None


def redacted_parameter(word: str) -> str:
    """A kernel parameter: addresses without their secrets, values of secret names not at all."""
    name, _, value = word.partition("=")
    if is_secret_name(name):
        return f"{name}={REDACTED}"
    return f"{name}={redacted_url(value) if '://' in value else redacted_text(value)}"


def _initrd(path: str, data: bytes, *, changed: bool) -> list[Added]:
    inside = files_in_initrd(data, ("preseed.cfg",), PRESEED_LIMIT)
    found = [
        _added(f"{path}:/{name}", "answers of an unattended installation", content, _preseed(content))
        for name, content in inside.items()
    ]
    return found + ([_added(path, "an initramfs that was changed", data)] if changed else [])
