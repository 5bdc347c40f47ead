"""Several jobs at a time, and their common end."""

from __future__ import annotations

import functools
import threading
import time

import pytest

from ventoy_kit.edge.workers import Stop, at_once, beside


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


def test_a_job_beside_the_block_runs_while_the_block_does():
    block_is_there, job_is_there = threading.Event(), threading.Event()

    def job() -> bool:
        job_is_there.set()
        return block_is_there.wait(10)

    with beside(job) as running:
        assert job_is_there.wait(10)
        block_is_there.set()
        assert running.result() is True


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_no_job_running(error: BaseException):
    ended = []

    def job() -> None:
        time.sleep(0.2)
        ended.append(True)

    with pytest.raises(type(error)), beside(job):
        raise error
    assert ended == [True]


def test_what_a_job_raises_comes_with_its_result():
    def job() -> None:
        raise ValueError("of the job")

    with beside(job) as running, pytest.raises(ValueError, match="of the job"):
        running.result()
