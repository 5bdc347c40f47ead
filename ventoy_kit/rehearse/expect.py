"""What is expected of an installer, read from the data folder `rehearsals/`: one TOML file per answer family. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from ventoy_kit.rehearse.follow import Sign
from ventoy_kit.rehearse.model import End, Stage


def _pattern(text: str) -> str:
    """A regular expression; `{node}` and such stand for names."""
    try:
        re.compile(re.sub(r"\{[a-z]+\}", "x", text))
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Stage(_Strict):
    id: str
    title: str
    signs: tuple[Pattern, ...]


class _Sign(_Strict):
    end: End
    pattern: Pattern
    settle: float = 0.0
    text: str
    remedy: str = ""


class Expectations(_Strict):
    """What is expected.

    Attributes:
        words: words that a direct boot adds to the kernel's command line, so that the serial console can be followed.
        quiet: seconds without any sign of life after which an act is stalled, with KVM.
        proven: id of the stage at which machine and disks are proven; an act that must be refused may not pass it.
        over: id of the stage at which the hand-over has begun.
        stage: the stages in order.
        end: how it may end, the first that fits counts.
    """

    words: tuple[str, ...] = ()
    quiet: float
    proven: str | None = None
    over: str | None = None
    stage: tuple[_Stage, ...]
    end: tuple[_Sign, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages."""
        return tuple(Stage(s.id, s.title, s.signs) for s in self.stage)

    @property
    def signs(self) -> tuple[Sign, ...]:
        """The ends."""
        return tuple(Sign(s.end, s.pattern, s.settle, s.text, s.remedy) for s in self.end)


def parse_expectations(text: str) -> Expectations:
    """Read a file. Raises ValueError with a sentence: it ships with the kit, so this is a mistake in the kit."""
    try:
        found = Expectations.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ValueError(f"the expectations are damaged: {error}") from error
    ids = [s.id for s in found.stage]
    if len(set(ids)) != len(ids):
        raise ValueError("two stages have one id")
    if not {found.proven, found.over} - {None} <= set(ids):
        raise ValueError("`proven` or `over` is no stage")
    return found
