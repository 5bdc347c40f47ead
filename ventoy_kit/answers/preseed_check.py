"""Judges a preseed file that somebody wrote, as the installer's own reader takes it, and warns of its traps.

The reader is the shell script debconf-set-selections of the installer (package cdebconf), not Perl's: lines end at line
feeds, carriage returns vanish, lines that begin with `#` are dropped even inside a continued line, a backslash at the
end joins the next line with one blank. Traps: installation guide, appendix B, and the sources that each rule names.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ventoy_kit.answers import preseed_codes as codes
from ventoy_kit.answers.debian_questions import TABLE
from ventoy_kit.answers.preseed_lines import LINE, Line, is_secret, row_without_secrets
from ventoy_kit.answers.preseed_traps import find_traps, gives_up, what_it_wipes
from ventoy_kit.report import Place, Report, Rule

TYPES = ("string", "boolean", "select", "multiselect", "note", "password", "text", "title", "error")

RUN_TIME = re.compile(
    r"apt-setup/local[0-9]+/(repository|key|comment|source)|mirror/https/(hostname|directory|proxy|mirror)"
    r"|partman-partitioning/default_label|partman-(lvm|md|crypto)/confirm_nooverwrite"
    r"|mirror/udeb/suite|base-installer/kernel/override-image|partman/mount_style"
)
"""Questions that exist without a template of their own: choose-mirror registers those of https when it runs."""


def is_preseed(text: str) -> bool:
    """Whether a text looks like a preseed file."""
    return text.startswith("#_preseed_V1") or LINE.search(text) is not None


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the installer: the releases in which it was seen, its type, and its choices if they are fixed."""

    releases: tuple[str, ...]
    type: str
    choices: tuple[str, ...]


@functools.cache
def known_questions() -> Mapping[str, Question]:
    """The questions of the installers of Debian 12 and 13 by name."""
    rows = (line.split("|") for line in TABLE.splitlines())
    return {
        name: Question(tuple(releases.split("+")), kind, tuple(choices.split(", ")) if choices else ())
        for name, releases, kind, choices in rows
    }


def check_preseed(data: bytes, file: str, _release: object = None) -> Report:
    """Every rule of the installer's reader, then unknown and open questions, then the traps.

    Args:
        data: the file's bytes.
        file: its name, for places.
    """
    judge = _Judge(file, data.decode("utf-8", "replace").replace("\r", ""))
    lines = judge.lines()
    for line in lines:
        judge.line(line)
    judge.whole({line.question: line for line in lines}, lines)
    return judge.report


def preseed_summary(data: bytes) -> tuple[str, ...]:
    """What the file does to disks, in sentences."""
    lines = _Judge("", data.decode("utf-8", "replace").replace("\r", "")).lines()
    return what_it_wipes({line.question: line for line in lines})


class _Judge:
    """The findings of one file."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.rows, self.report = file, text.split("\n"), Report()

    def add(self, rule: Rule, message: str, remedy: str, number: int, part: str = "") -> None:
        """A finding at a part of a line or of what continues it; the line is shown, but never a password."""
        number = self._row_with(part, number)
        row = self.rows[number - 1] if number <= len(self.rows) else ""
        column = max(row.find(part), 0) + 1 if part else 1
        shown = row_without_secrets(self.rows, number)[:200]
        inside = column <= len(shown)
        self.report.add(
            rule.finding(
                message,
                remedy,
                place=Place(
                    self.file,
                    number,
                    column,
                    max(1, min(len(part), len(shown) - column + 1)) if inside else 1,
                    ((number, shown),),
                    column if inside else 1,
                ),
            )
        )

    def _row_with(self, part: str, start: int) -> int:
        """The first row with this part, of the row `start` and those that continue it."""
        number = start
        while part and number < len(self.rows) and self.rows[number - 1].endswith("\\"):
            if part in self.rows[number - 1]:
                return number
            number += 1
        return number if number <= len(self.rows) and part in self.rows[number - 1] else start

    def lines(self) -> list[Line]:
        """The logical lines that are well-formed."""
        out: list[Line] = []
        start, text = 0, ""
        for number, row in enumerate(self.rows, start=1):
            if row.startswith("#"):
                if text:
                    self.add(
                        codes.COMMENT,
                        "a comment stands inside a continued line",
                        "Move it above the line.",
                        number,
                        row,
                    )
                continue
            if not text:
                start = number
            if row.endswith("\\"):
                text += row[:-1].lstrip(" \t") if text else row[:-1]
                text = text.rstrip(" \t") + " "
                continue
            if re.search(r"\\[ \t]+$", row):
                self.add(
                    codes.DANGLING,
                    "blanks follow the backslash",
                    "Remove them.",
                    number,
                    row[row.rindex("\\") :],
                )
            if text and not row and number == len(self.rows):
                break
            whole = text + (row.lstrip(" \t") if text else row)
            text = ""
            if whole.strip(" \t"):
                out += self._parts(start, whole)
        if text:
            self.add(codes.DANGLING, "the file ends with a backslash", "Remove it.", start)
        return out

    def _parts(self, number: int, text: str) -> Iterator[Line]:
        if re.match(r"[ \t]+#", text):
            self.add(
                codes.COMMENT,
                "blanks stand before the comment",
                "Let it begin in the first column.",
                number,
                "#",
            )
            return
        parts = [*re.split(r"[ \t]+", text.lstrip(" \t"), maxsplit=3), "", "", ""]
        owner, question, kind, value = parts[:4]
        if not kind or "/" not in question:
            self.add(
                codes.LINE,
                "the line is not `owner question type value`",
                "Write it like `d-i netcfg/get_hostname string name`.",
                number,
                text.strip(),
            )
            return
        yield Line(number, text, owner, question, kind, value.strip(" \t"))

    def line(self, line: Line) -> None:
        """Rules of one line."""
        if "\\n" in line.first:
            self.add(
                codes.BACKSLASH_N,
                "a backslash before n stands in the value",
                "Put the text into a file of its own.",
                line.number,
                "\\n",
            )
        if line.type == "seen":  # a flag of the question, which debconf-set-selections takes too
            return
        if line.type not in TYPES:
            near = difflib.get_close_matches(line.type, TYPES, 1)
            remedy = f"Did you mean `{near[0]}`?" if near else f"Use one of {', '.join(TYPES)}."
            given = "the word at its place" if is_secret(line.question) else f"`{line.type}`"
            self.add(codes.TYPE, f"{given} is no type", remedy, line.number, line.type)
            return
        if line.type == "boolean" and line.value not in ("true", "false"):
            given = "the value" if is_secret(line.question) else f"`{line.value[:40]}`"
            message = f"{given} is neither true nor false" if line.value else "the value is missing"
            self.add(codes.BOOLEAN, message, "Write `true` or `false`.", line.number, line.value or line.type)
        self._question(line)
        self._traps(line)

    def _question(self, line: Line) -> None:
        known = known_questions()
        entry = known.get(line.question)
        if entry is None:
            if line.owner != "d-i" or RUN_TIME.fullmatch(line.question):
                return
            near = difflib.get_close_matches(line.question, known, 1, 0.86)
            if near:
                message, remedy = f"no question is called `{line.question}`", f"Did you mean `{near[0]}`?"
                self.add(codes.MISTYPED, message, remedy, line.number, line.question)
            else:
                message = f"`{line.question}` is no question of Debian 12 or 13 that is known here"
                self.add(
                    codes.UNKNOWN, message, "Look it up, or remove the line.", line.number, line.question
                )
            return
        alike = {"select": "string", "string": "select"}.get(line.type)
        if entry.type not in (line.type, alike):
            message = f"`{line.question}` is of type {entry.type}, not {line.type}"
            self.add(codes.OTHER_TYPE, message, f"Write `{entry.type}`.", line.number, line.type)
        choices = entry.choices
        if choices and line.value and line.question != "debconf/priority":
            given = re.split(r", *", line.value) if entry.type == "multiselect" else [line.value]
            for value in given:
                if value not in choices:
                    near = difflib.get_close_matches(value, choices, 1)
                    remedy = (
                        f"Did you mean `{near[0]}`?" if near else f"Use one of {', '.join(choices[:12])}."
                    )
                    self.add(codes.CHOICE, f"`{value[:60]}` is no choice", remedy, line.number, value)

    def _traps(self, line: Line) -> None:
        question, value = line.question, line.value
        if (
            question in ("passwd/root-password", "passwd/user-password", "passwd/root-password-again")
            and value
        ):
            hashed = f"Give `{question.removesuffix('-again')}-crypted` with a hash of `mkpasswd -m sha-512`."
            self.add(codes.PASSWORD, "a password stands here in clear", hashed, line.number, question)
        crypted = question in ("passwd/root-password-crypted", "passwd/user-password-crypted")
        if crypted and value and not re.fullmatch(r"[!*]+|\$(6|y|5|2[aby]|gy|7|1)\$\S{20,}", value):
            message = "the value is no hash of crypt(3); it may be a password in clear"
            self.add(codes.PASSWORD, message, "Make one with `mkpasswd -m sha-512`.", line.number, question)
        if question in ("partman-auto/disk", "grub-installer/bootdev"):
            self._disk(line)
        if question.endswith("_command") or question == "preseed/run":
            self._command(line)
        if question.startswith("tasksel/") and line.owner == "d-i":
            message = "`d-i` owns the line, so tasksel never sees it"
            self.add(codes.OWNER, message, "Let it begin with `tasksel`.", line.number, "d-i")
        if question == "netcfg/get_nameservers" and ("," in value or len(value.split()) > 3):
            message = "name servers are parted by commas" if "," in value else "more than three name servers"
            self.add(codes.NETWORK, message, "Write up to three, parted by blanks.", line.number, value)
        if question == "partman-auto/expert_recipe":
            self._recipe(line)

    def _disk(self, line: Line) -> None:
        if "/by-" in line.value:
            message = "a link below /dev/disk is no name that partman knows, but for sd disks"
            remedy = "Resolve it with `readlink -f` in partman/early_command, and `debconf-set` the result."
            self.add(codes.DISK_LINK, message, remedy, line.number, line.value)
        elif re.search(r"/dev/(sd|vd|hd|nvme)", line.value):
            message = f"`{line.value[:60]}` may be another disk at the next start, or the stick"
            remedy = "Find the disk by its serial number in partman/early_command."
            self.add(codes.DISK_ORDER, message, remedy, line.number, line.value)

    def _command(self, line: Line) -> None:
        if re.search(r"list-devices\s+disk\s*\|\s*head", line.value):
            message = "the first of all disks is taken, which may be the stick"
            remedy = "Find the disk by its serial number."
            self.add(codes.DISK_ORDER, message, remedy, line.number, "list-devices")
        sure = re.search(r"(\|\|\s*(true|:)|;\s*(true|:|exit 0))\s*;?\s*$", line.value)
        several = line.question.endswith("_command") and re.search(r"[;&|]", line.value)
        if several and not sure and not gives_up(line):
            message = "the last of these commands decides whether the installer stops"
            self.add(codes.COMMAND_END, message, "End with `; true` or `exit 0`.", line.number, line.question)

    def _recipe(self, line: Line) -> None:
        value = line.value
        if re.search(r"[a-z_]\s+\{", value):
            self.add(codes.RECIPE, "a blank stands before `{`", "Write `method{ efi }`.", line.number)
        if not value.rstrip().endswith(" ."):
            self.add(codes.RECIPE, "the last partition does not end with ` .`", "Add ` .`.", line.number)
        if not re.search(r"(^|\s)-1(\s|$)", value):
            message = "no partition has the maximum -1, so the rest of the disk stays empty"
            self.add(codes.RECIPE, message, "Give one -1 as its maximum.", line.number)

    def whole(self, by_question: Mapping[str, Line], lines: list[Line]) -> None:
        """Rules across lines."""
        seen: dict[str, int] = {}
        for line in lines:
            if line.type != "seen" and line.question in seen:
                message = f"`{line.question}` is answered in line {seen[line.question]}, too"
                self.add(codes.TWICE, message, "Keep one of the two.", line.number, line.question)
            seen.setdefault(line.question, line.number)
        values = {question: line.value for question, line in by_question.items()}
        self._root(values, by_question)
        self._partitions(values, by_question)
        for trap in find_traps(by_question):
            self.add(*trap)
        if values.get("netcfg/get_ipaddress") and values.get("netcfg/disable_autoconfig") != "true":
            message = "a static address does nothing while the network is configured by itself"
            remedy = "Add `d-i netcfg/disable_autoconfig boolean true`."
            self.add(codes.NETWORK, message, remedy, by_question["netcfg/get_ipaddress"].number)
        for alternatives, what in _needed(values):
            if not any(question in values for question in alternatives):
                message = f"nothing answers `{alternatives[0]}` ({what})"
                example = f"Add `d-i {alternatives[0]} ...`, or leave it to a script on purpose."
                self.add(codes.MISSING, message, example, len(self.rows))

    def _root(self, values: Mapping[str, str], by_question: Mapping[str, Line]) -> None:
        crypted = "passwd/root-password-crypted"
        if values.get(crypted) == "!" and values.get("passwd/root-login") != "false":
            message = "`!` counts as no answer while root may log in"
            remedy = "Add `d-i passwd/root-login boolean false`, or write `*`."
            self.add(codes.LOCKED_ROOT, message, remedy, by_question[crypted].number, "!")

    def _partitions(self, values: Mapping[str, str], by_question: Mapping[str, Line]) -> None:
        method = values.get("partman-auto/method")
        if method is None:
            return
        number = by_question["partman-auto/method"].number
        scripted = "partman/early_command" in values
        if "partman-auto/disk" not in values and not scripted:
            message = "no disk is named, so partman goes on only if it sees exactly one"
            self.add(codes.DISK_OPEN, message, "Set partman-auto/disk.", number)
        if method == "lvm" and "parted_devices" not in values.get("partman/early_command", ""):
            message = "on Debian 12 the EFI partition of another disk, such as a stick, may be taken"
            remedy = "Hide other disks in partman/early_command, or use `regular`."
            self.add(codes.LVM_ESP, message, remedy, number, "lvm")


def _needed(values: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Questions that are asked otherwise; any of the names answers."""
    yield ("debian-installer/locale", "debian-installer/language"), "the language"
    yield ("keyboard-configuration/xkb-keymap", "keyboard-configuration/layoutcode"), "the keyboard"
    yield ("netcfg/get_hostname", "netcfg/hostname", "netcfg/enable"), "the host name"
    offline = values.get("apt-setup/use_mirror") == "false" or values.get("apt-setup/no_mirror") == "true"
    if not offline:
        yield ("mirror/country", "mirror/http/hostname", "mirror/https/hostname"), "the mirror"
        protocol = values.get("mirror/protocol", "http")
        if protocol in ("http", "https"):
            yield (f"mirror/{protocol}/proxy",), "the proxy; empty for none"
    if values.get("passwd/root-login") != "false":
        yield ("passwd/root-password-crypted", "passwd/root-password"), "root's password"
    if values.get("passwd/make-user") != "false":
        yield ("passwd/username", "passwd/user-fullname"), "the first user; `passwd/make-user false` for none"
        yield ("passwd/user-password-crypted", "passwd/user-password"), "the user's password"
    yield ("time/zone",), "the time zone"
    scripted = "partman/early_command" in values
    if not scripted:
        yield ("partman-auto/method", "partman-auto/init_automatically_partition"), "how to partition"
        for question in ("partman/confirm", "partman/confirm_nooverwrite", "partman/choose_partition"):
            yield (question,), "writing the partitions"
        yield ("partman-partitioning/confirm_write_new_label",), "writing the partition table"
        if values.get("partman-auto/method") == "lvm":
            yield ("partman-lvm/confirm",), "writing LVM"
            yield ("partman-lvm/confirm_nooverwrite",), "writing LVM"
            yield ("partman-lvm/device_remove_lvm",), "old volume groups"
            yield ("partman-auto-lvm/guided_size",), "how much of the volume group to use"
        if values.get("partman-auto/method") == "raid":
            yield ("partman-auto-raid/recipe",), "the arrays"
            yield ("partman-md/confirm",), "writing arrays"
    yield ("tasksel/first", "pkgsel/run_tasksel"), "what to install"
    yield ("popularity-contest/participate",), "package statistics"
    yield ("finish-install/reboot_in_progress",), "the end"
