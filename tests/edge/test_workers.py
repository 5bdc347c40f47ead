"""Several jobs at a time, and their common end."""

from __future__ import annotations

import functools
import time

import pytest

from ventoy_kit.edge.workers import Stop, at_once


def test_results_come_in_order():
    def job(number: int) -> int:
        time.sleep((3 - number) / 50)
        return number

    assert at_once([functools.partial(job, n) for n in range(4)], 4, Stop()) == [0, 1, 2, 3]


def test_one_that_fails_ends_those_before_it_too():
    stop = Stop()

    def go_on() -> None:
        end = time.monotonic() + 20
        while not stop.asked:
            assert time.monotonic() < end, "nobody asked it to end"
            time.sleep(0.01)

    def fail() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        at_once([go_on, fail], 2, stop)


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_one_that_fails_ends_all(error: BaseException):
    stop = Stop()
    ended = []

    def fail() -> None:
        raise error

    def go_on() -> None:
        while not stop.asked:
            time.sleep(0.01)
        ended.append(True)

    with pytest.raises(type(error)):
        at_once([fail, go_on, go_on], 2, stop)
    assert stop.asked
    assert set(ended) == {True}
