"""Several jobs at a time, each in a thread of its own, and an end that reaches all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def beside(job: Callable[[], T]) -> Iterator[Future[T]]:
    """Do a job in a thread of its own beside what the block does; the block ends when both have ended.

    Yields:
        what becomes the job's result.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(job)


class Stop:
    """Tells jobs that they shall end. Jobs look at it from time to time."""

    def __init__(self) -> None:
        self.asked = False


def at_once(jobs: Sequence[Callable[[], T]], count: int, stop: Stop) -> list[T]:
    """The results of all jobs, in their order.

    Args:
        jobs: what to do.
        count: how many at a time.
        stop: asked when one job failed, or on Ctrl-C; then the jobs that have not begun never do.

    Raises:
        whatever the first job that failed raised, and KeyboardInterrupt, when all jobs have ended.
    """
    with ThreadPoolExecutor(max_workers=max(1, count)) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            # Short waits, so that a Ctrl-C is seen at once.
            while wait(futures, timeout=0.5, return_when="FIRST_EXCEPTION").not_done:
                for future in futures:
                    if future.done():
                        future.result()  # raises what a job raised, while others go on
            return [f.result() for f in futures]
        except BaseException:
            stop.asked = True
            for future in futures:
                future.cancel()
            raise
