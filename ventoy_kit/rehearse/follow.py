"""Following a console: pieces of text and the time, in; stages that were passed and the end, out. Pure.

Besides what the machine prints, the follower reads lines that the rehearsal writes between (`[twin] ...`): what happened to
disks, screen and power. So one set of expectations serves every way to start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ventoy_kit.rehearse.model import End, Stage, StageResult

SETTLE: Final = 4.0
"""Seconds of silence after which a prompt is taken for one; what comes after it was no prompt."""

TAIL: Final = 6000
"""Characters at the end of the console's text in which an end is looked for."""

_ESCAPE: Final = re.compile(
    r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Za-z0-9]|\x1b[=>78cDEHM]|\x1b\][^\x07]*\x07|\x0e|\x0f"
)
_REFUSAL: Final = re.compile(r"VK-B\d\d")


@dataclass(frozen=True, slots=True)
class Sign:
    """How an end looks.

    Attributes:
        end: which end.
        pattern: a regular expression over the last part of the console's text.
        settle: seconds of silence before it counts; 0 counts at once.
        text: a sentence for the verdict; `{said}` stands for the pattern's group `said`.
        remedy: what to do.
    """

    end: End
    pattern: str
    settle: float
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An end that was recognised: the words that it rests on, and the refusal's code if there is one."""

    end: End
    text: str
    said: str
    code: str | None = None
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """A stage that was passed."""

    stage: Stage
    at: float


@dataclass(slots=True)
class Follower:
    """Follows one act. Not frozen: it is fed.

    Args:
        stages: what is expected, in order.
        signs: the ends, the first that fits counts.
        until: the id of the stage after which the act is over; None for the last one.
        quiet: seconds without a character on the console and without traffic after which it is stalled.
    """

    stages: tuple[Stage, ...]
    signs: tuple[Sign, ...]
    until: str | None = None
    quiet: float = 300.0
    text: str = ""
    passed: dict[str, float] = field(default_factory=dict)
    _raw: str = ""
    _seen: int = 0
    _spoke: float = 0.0
    _moved: float = 0.0

    def feed(self, piece: str, at: float) -> list[Passed]:
        """Take a piece of text.

        Args:
            piece: as it came; escape sequences may be cut in two.
            at: seconds after power-on.
        """
        if piece:
            self._spoke = self._moved = at
        self._raw += piece
        cut = _incomplete(self._raw)
        ready, self._raw = self._raw[:cut], self._raw[cut:]
        self.text = _joined(self.text, plain(ready))
        return self._stages(at)

    def note(self, line: str, at: float) -> list[Passed]:
        """Take a line of the rehearsal's own; it does not count as something that was said."""
        self._moved = at
        self.text += ("" if self.text.endswith("\n") or not self.text else "\n") + f"[twin] {line}\n"
        return self._stages(at)

    def moved(self, at: float) -> None:
        """Something went on that the console does not show, such as disk traffic."""
        self._moved = at

    def _stages(self, at: float) -> list[Passed]:
        found = []
        for stage in self.stages:
            if stage.id in self.passed:
                continue
            hits = [
                m
                for sign in stage.signs
                if (m := re.compile(sign, re.MULTILINE).search(self.text, self._seen))
            ]
            if hits:
                self.passed[stage.id] = at
                self._seen = max(self._seen, min(m.start() for m in hits))
                found.append(Passed(stage, at))
        return found

    def ended(self, at: float) -> Ended | None:
        """Whether the act is over, and how."""
        goal = self.until or (self.stages[-1].id if self.stages else None)
        if goal is not None and goal in self.passed:
            title = next(s.title for s in self.stages if s.id == goal)
            return Ended(End.REACHED, f"It came to where it should: {title[:1].lower()}{title[1:]}.", "")
        tail = self.text[-TAIL:]
        for sign in self.signs:
            if sign.settle and at - self._spoke < sign.settle:
                continue
            match = re.search(sign.pattern, tail, re.MULTILINE)
            if match is not None:
                return self._as_ended(sign, match, tail)
        if at - self._moved >= self.quiet:
            return Ended(
                End.STALLED,
                f"Nothing happened for {self.quiet:.0f} seconds.",
                last_lines(self.text),
                remedy="Look at the last screen.",
            )
        return None

    def _as_ended(self, sign: Sign, match: re.Match[str], tail: str) -> Ended:
        groups = match.groupdict()
        said = tidy(groups["said"] if groups.get("said") else last_lines(tail[: match.end()]))
        code = _REFUSAL.search(groups.get("code") or said) if sign.end is End.REFUSED else None
        head = said.splitlines()[0] if said else ""
        text = sign.text.replace("{said}", head).replace("{code}", code[0] if code else "")
        if code is None:
            return Ended(sign.end, text, said, None, sign.remedy)
        reason, remedy = _refusal(said)
        whole = f"{text.rstrip('.')}: {reason}" if reason else text
        return Ended(sign.end, whole, said, code[0], remedy or sign.remedy)

    def results(self) -> tuple[StageResult, ...]:
        """All stages with their times."""
        return tuple(StageResult(s.id, s.title, self.passed.get(s.id)) for s in self.stages)


def _refusal(said: str) -> tuple[str, str]:
    """The first sentence behind a refusal's code, and what it says is to be done; each empty if there is none."""
    heads = (r"hands nothing to the installer[^\n]*\(VK-B\d\d\)\s*\n", r"\(VK-B\d\d\)[ .]*\n")
    body = next((b for head in heads if (b := re.split(head, said, maxsplit=1)[-1]) != said), said)
    facts, _, remedy = body.partition("What to do: ")
    reason = re.match(r"\s*([^\n]*?\.)(\s|\Z)", re.sub(r"(?<=\S)\n(?=\S)", " ", facts))
    remedy = re.split(r"\n\s*\n", remedy, maxsplit=1)[0]
    return reason[1] if reason and body != said else "", " ".join(remedy.split())


def plain(text: str) -> str:
    """Console text without escape sequences; a line that was overwritten shows what was written last."""
    return _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\0", "")


def _joined(before: str, piece: str) -> str:
    """Text with more text behind it: a carriage return goes back to the line's beginning, a backspace by one."""
    head, newline, line = before.rpartition("\n")
    line = re.sub(r"[^\n]*\r(?=[^\n])", "", line + piece)
    while "\b" in line:
        line = re.sub(r"[^\n\b]?\x08", "", line, count=1)
    return head + newline + line


def _incomplete(text: str) -> int:
    """Where an escape sequence begins that is not complete yet, or a return whose line feed may follow; else the end."""
    if text.endswith("\r"):
        return len(text) - 1
    start = text.rfind("\x1b", max(0, len(text) - 32))
    return len(text) if start < 0 or _ESCAPE.match(text, start) else start


def tidy(text: str) -> str:
    """Lines without blanks at their ends, no more than one empty line in a row."""
    lines = [line.replace("\r", "").rstrip() for line in text.strip("\n").splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def last_lines(text: str, count: int = 12) -> str:
    """The last lines that hold something."""
    return "\n".join([line for line in tidy(text).splitlines() if line][-count:])


def filled(stages: Sequence[Stage], names: dict[str, str]) -> tuple[Stage, ...]:
    """Stages with names put in the places of `{node}` and such in their signs."""
    return tuple(Stage(s.id, s.title, tuple(_put(sign, names) for sign in s.signs)) for s in stages)


def filled_sign(sign: Sign, names: dict[str, str]) -> Sign:
    """The same for an end."""
    return replace(sign, pattern=_put(sign.pattern, names))


def _put(pattern: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        pattern = pattern.replace("{" + name + "}", re.escape(value))
    return pattern
