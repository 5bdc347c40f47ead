"""One file on its way: what it may be, how often it was tried, how fast it comes. Used by edge/net.py alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ventoy_kit.edge.http_answer import FailedError
from ventoy_kit.edge.net_errors import Failure
from ventoy_kit.edge.partfile import BLOCK
from ventoy_kit.ports import Progress

T = TypeVar("T")

LEAST_RATE = 1024
"""Bytes per second; a server that gives less over the time of a stall is treated as silent."""

LEAST_PROGRESS = 1024 * 1024
"""New bytes that make a failed try count as progress, so that an unsteady line is not given up."""

SMALL_BLOCK = 16 * 1024
"""Bytes per read on a slow line: one TLS record."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what. Times are seconds.

    Attributes:
        connect: for a connection.
        stall: without a byte, or with fewer than LEAST_RATE bytes a second.
        tries: in a row without progress, for one address.
        first_wait: before the second try; doubled each time, with some chance added.
        longest_wait: at most between two tries, whatever a server's Retry-After says.
        small: for all of a small file.
    """

    connect: float = 15.0
    stall: float = 30.0
    tries: int = 3
    first_wait: float = 0.5
    longest_wait: float = 30.0
    small: float = 120.0


@dataclass(slots=True)
class Task:
    """One file. Mutable; belongs to one thread.

    Attributes:
        name: for people.
        limit: bytes that it may have at most.
        expected: bytes that it must have, if that is known.
        plain: whether its address may be plain HTTP.
        progress: who is told.
        tries: how often the present address was tried.
        fruitless: how many of the last tries brought nothing new.
    """

    name: str
    limit: int
    expected: int | None = None
    plain: bool = False
    progress: Progress | None = None
    tries: int = 0
    fruitless: int = 0
    _received: int = 0
    _best: int = 0
    _shown: bool = False

    def begin_mirror(self) -> None:
        """The next address is tried from now on."""
        self.tries = self.fruitless = 0

    def counted(self, once: Callable[[], T]) -> T:
        """One try."""
        self.tries += 1
        try:
            return once()
        except FailedError:
            if self._received >= self._best + LEAST_PROGRESS:
                self._best, self.fruitless = self._received, 0
            else:
                self.fruitless += 1
            raise

    def check_announced(self, length: int | None) -> None:
        """Refuse a file by the length that the server announces.

        Raises:
            FailedError: it is too large, or not the expected one.
        """
        if length is not None and self.expected not in (None, length):
            raise FailedError(Failure.WRONG_SIZE, f"{length:,} bytes, {self.expected:,} are expected")
        if length is not None and length > self.limit:
            raise FailedError(Failure.TOO_LARGE, f"{length:,} bytes, at most {self.limit:,} are allowed")

    def check_received(self, size: int) -> None:
        """Refuse a file by the bytes that have come so far.

        Raises:
            FailedError: they are too many.
        """
        self._received = size
        if self.expected is not None and size > self.expected:
            raise FailedError(Failure.WRONG_SIZE, f"more than the {self.expected:,} bytes that are expected")
        if size > self.limit:
            raise FailedError(Failure.TOO_LARGE, f"more than {self.limit:,} bytes")

    def begin_progress(self, total: int) -> None:
        """Show this file from its first byte."""
        self.end_progress()
        if self.progress is not None:
            self.progress.start(self.name, total)
            self._shown = True

    def advance(self, count: int) -> None:
        """Tell of `count` more bytes."""
        if self.progress is not None:
            self.progress.advance(count)

    def end_progress(self) -> None:
        """No longer show it."""
        if self.progress is not None and self._shown:
            self.progress.done()
            self._shown = False


class Pace:
    """Chooses how much to read at once, so that progress is told often and little work is done per byte.

    Args:
        stall: seconds without a byte, or with fewer than LEAST_RATE a second, after which a server counts as silent.
    """

    def __init__(self, stall: float) -> None:
        self.stall = stall
        self.silent = False
        """Set by the watching thread before it shuts the connection."""
        self.block = SMALL_BLOCK
        """Bytes to ask for next."""
        self._since: float | None = None
        self._seconds, self._bytes = 0.0, 0

    def timed(self, read: Callable[[memoryview], int], into: memoryview) -> int:
        """Read once; how many bytes came.

        Raises:
            FailedError: the server is silent.
        """
        self._since = began = time.monotonic()
        try:
            count = read(into)
        except FailedError as error:
            if self.silent:
                raise self._silence() from error
            raise
        finally:
            self._since = None
        if self.silent:
            raise self._silence()
        seconds = time.monotonic() - began
        if seconds < 0.05:
            self.block = min(BLOCK, self.block * 2)
        elif seconds > 0.5:
            self.block = max(SMALL_BLOCK, self.block // 2)
        self._seconds, self._bytes = self._seconds + seconds, self._bytes + count
        if self._seconds >= self.stall:
            if count and self._bytes < LEAST_RATE * self._seconds:
                raise self._silence()
            self._seconds, self._bytes = 0.0, 0
        return count

    def too_long(self) -> bool:
        """Whether the present read has taken longer than a stall; asked by the watching thread."""
        since = self._since
        return since is not None and time.monotonic() - since > self.stall

    def _silence(self) -> FailedError:
        return FailedError(Failure.STALLED, f"next to nothing in {self.stall:g} s")
