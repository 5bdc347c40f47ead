"""What the first-boot runner answers to `probe`: one verdict per hook. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

State = Literal["ok", "drift", "skipped", "unknown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A hook's verdict on a node.

    Attributes:
        hook: its name.
        state: `drift` when the node is not as the hook makes it, `unknown` when verify could not tell.
        text: what differs, or why it was skipped.
        notes: what verify found worth saying.
        stamp: what the node was installed with: `this` hook and parameters, an `other` version of them, or `none`.
    """

    hook: str
    state: State
    text: str
    notes: tuple[str, ...]
    stamp: Literal["this", "other", "none"]

    def data(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "hook": self.hook,
            "state": self.state,
            "evidence": [t for t in (self.text, *self.notes) if t],
            "stamp": self.stamp,
        }


def read_answers(text: str, hooks: Sequence[str]) -> tuple[Answer, ...] | None:
    """Read the lines that begin with VK1; others are a login shell's greeting.

    Args:
        text: what the node printed.
        hooks: the hooks that were asked, in order.

    Returns:
        An answer per hook, or None if the end is missing. A hook without a verdict is unknown.
    """
    lines = [line.split(" ", 3) for line in text.split("\n") if line.startswith("VK1 ")]
    if lines[-1:] != [["VK1", "end"]]:
        return None
    verdicts: dict[str, tuple[State, str]] = {}
    notes: dict[str, list[str]] = {}
    stamps: dict[str, Literal["this", "other", "none"]] = {}
    for _, word, hook, *rest in (line for line in lines if len(line) > 2):
        said = rest[0].strip() if rest else ""
        for state in get_args(State):
            if word == state:
                verdicts[hook] = state, said
        if word == "noted":
            notes.setdefault(hook, []).append(said)
        if word == "stamp":
            stamps[hook] = "this" if said == "this" else "other"
    return tuple(
        Answer(
            hook,
            *verdicts.get(hook, ("unknown", "the node said nothing about it")),
            notes=tuple(notes.get(hook, ())),
            stamp=stamps.get(hook, "none"),
        )
        for hook in hooks
    )
