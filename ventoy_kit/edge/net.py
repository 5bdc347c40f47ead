"""Receiving files over HTTPS: large ones into an unverified place, resumed and hashed on the way, and small ones.

Nothing that comes from here is trusted: the caller compares the digest with a signed list before it uses a file,
and no name that a server gives becomes a name on this machine. Proxies (`HTTPS_PROXY`, `NO_PROXY`), passwords
(`~/.netrc`) and a company's certificates (`REQUESTS_CA_BUNDLE`) come from the environment, as requests reads them;
certificates are always checked.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import unquote, urlsplit

import requests
import tenacity
from tenacity.nap import sleep_using_event

from ventoy_kit.edge.files import storage_error
from ventoy_kit.edge.http_answer import (
    FailedError,
    announced,
    continues,
    refuse_html,
    source_of,
)
from ventoy_kit.edge.http_session import HttpSession
from ventoy_kit.edge.net_errors import (
    TRANSIENT,
    Failure,
    NoSpaceError,
    network_error,
    without_password,
)
from ventoy_kit.edge.partfile import PartFile, Source
from ventoy_kit.edge.transfer import SMALL_BLOCK, Pace, Patience, Task
from ventoy_kit.errors import InterruptedRunError, MachineError
from ventoy_kit.ports import Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A small file. `url` is where it came from after redirects; the headers are as the server sent them."""

    data: bytes
    url: str
    last_modified: str | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file in its unverified place.

    Attributes:
        sha256: of all its bytes, 64 hex digits, computed while they came.
        sha512: the same, 128 hex digits, if it was asked for.
        size: bytes.
        url: that of the given addresses which gave the (last part of the) file, without password.
        etag: header of the answer, as sent.
        last_modified: header of the answer, as sent.
        found: bytes that an earlier run had left and this one took over. If the digest is wrong and this is not 0,
            it is worth to remove the part and to download once more.
    """

    sha256: str
    sha512: str | None
    size: int
    url: str
    etag: str | None
    last_modified: str | None
    found: int


class Downloader:
    """Receives files; may be used from several threads at once. Close it, or use it as a context manager.

    Args:
        patience: how long to wait for what.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._http = HttpSession(self.patience)
        self._lock = threading.Lock()
        self._pending: dict[Path, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def stop(self) -> None:
        """End everything that is under way, from any thread: it raises InterruptedRunError. There is no way back."""
        self._http.stop()

    def check(self) -> None:
        """Raise InterruptedRunError if `stop` was called; for a job that does other things than receiving, too."""
        self._http.check()

    def small(self, url: str, limit: int, *, plain: bool = False) -> Fetched:
        """A small file: a list of digests, a signature, an index page.

        Args:
            url: its address, HTTPS unless `plain`.
            limit: bytes that it may have at most.
            plain: allow an address that is plain HTTP; a redirect never leads to one.

        Raises:
            NetworkError: or one of its kinds (see net_errors.py); `attempts` has one item.
            InterruptedRunError: `stop` was called.
        """
        task = Task(_name(url), limit, None, plain)
        try:
            return self._persist(task, lambda: self._small_once(url, task))
        except FailedError as failed:
            raise network_error(task.name, [failed.attempt(url, task.tries)]) from failed

    def download(
        self,
        urls: Sequence[str],
        part: Path,
        *,
        expected: int | None,
        limit: int,
        progress: Progress | None = None,
        title: str = "",
        plain: bool = False,
        sha512: bool = False,
    ) -> Downloaded:
        """Receive a large file into `part`, going on where an earlier run stopped.

        The caller holds the lock of the part (`cache.Cache.part`). Whatever happens, Ctrl-C and kill -9 included,
        a later call with the same part goes on or begins anew.

        Args:
            urls: the mirrors, tried in this order; another one only when the one before has failed.
            part: where the bytes go; beside it lies a note (see partfile.py). Its folder exists.
            expected: bytes of the file if they are known from a trusted list.
            limit: bytes that it may have at most.
            progress: told of the bytes, those found included; total 0 if the server does not say it. `start` may be
                called again after `done`, when a file has to be begun anew. Used by the calling thread only.
            title: what progress and messages call the file; the last part of the address if empty.
            plain: allow addresses that are plain HTTP; a redirect never leads to one.
            sha512: compute SHA-512, too.

        Raises:
            NetworkError: or one of its kinds (see net_errors.py), when no mirror gave the file.
            NoSpaceError: before the first byte, with numbers.
            StorageError: writing failed.
            InterruptedRunError: `stop` was called.
        """
        task = Task(title or _name(urls[0] if urls else ""), limit, expected, plain, progress)
        attempts = []
        try:
            with PartFile(part, sha512=sha512) as file:
                for url in urls:
                    task.begin_mirror()
                    try:
                        return self._persist(task, lambda u=url: self._large_once(u, file, task))  # type: ignore[misc]
                    except FailedError as failed:
                        attempts.append(failed.attempt(url, task.tries))
        finally:
            task.end_progress()
            with self._lock:
                self._pending.pop(part, None)
        raise network_error(task.name, attempts)

    def download_all(self, jobs: Sequence[Callable[[], T]], workers: int = 3) -> tuple[T | MachineError, ...]:
        """Run jobs that use this downloader, several at a time; their results in order.

        A job takes the lock of its part, downloads, verifies and publishes, so that a thread holds one lock at a
        time and two runs of the kit cannot wait for each other:

            def job() -> Path:
                with cache.part(urls[0]) as part:
                    got = downloader.download(urls, part, expected=None, limit=limit, progress=board.line())
                    ...
                    return cache.publish(part, got.sha256, name)

        A job that fails does not stop the others: its MachineError stands in its place. Any other exception is
        raised when all have ended. Ctrl-C stops all, leaves parts that can be resumed, and comes out as
        KeyboardInterrupt.

        Args:
            jobs: what to run; each in one thread from beginning to end.
            workers: threads.
        """
        results: list[T | BaseException] = [InterruptedRunError("interrupted")] * len(jobs)
        waiting = iter(list(enumerate(jobs)))

        def work() -> None:
            while not self._http.stopped.is_set():
                with self._lock:
                    number, job = next(waiting, (-1, None))
                if job is None:
                    return
                try:
                    results[number] = job()
                except BaseException as error:  # noqa: BLE001  (it is raised or returned below)
                    results[number] = error

        threads = [threading.Thread(target=work, name=f"download {n}", daemon=True) for n in range(workers)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except KeyboardInterrupt:
            self.stop()
            deadline = time.monotonic() + 2.0
            for thread in threads:  # one that waits for a connection or a lock ends with the process
                thread.join(max(0.0, deadline - time.monotonic()))
            raise
        out: list[T | MachineError] = []
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, MachineError):
                raise result
            out.append(result)
        return tuple(out)

    def _persist(self, task: Task, once: Callable[[], T]) -> T:
        """Call `once` until it succeeds, fails for good, or has made no progress several times."""
        patience = self.patience
        waits = tenacity.wait_exponential(patience.first_wait, patience.longest_wait) + tenacity.wait_random(
            0, patience.first_wait
        )

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, FailedError) else 0.0
            return min(max(float(waits(state)), asked), patience.longest_wait)

        def worth_trying(error: BaseException) -> bool:
            return (
                isinstance(error, FailedError)
                and error.failure in TRANSIENT
                and not self._http.stopped.is_set()
            )

        retrying = tenacity.Retrying(
            sleep=sleep_using_event(self._http.stopped),
            wait=wait,
            stop=lambda _: task.fruitless >= patience.tries,
            retry=tenacity.retry_if_exception(worth_trying),
            reraise=True,
        )
        try:
            result: T = retrying(task.counted, once)
        except FailedError:
            self._http.check()
            raise
        return result

    def _small_once(self, url: str, task: Task) -> Fetched:
        with self._http.answer(url, {}, plain=task.plain) as answer:
            length = announced(answer)
            task.check_announced(length)
            if answer.status_code != 200:
                raise FailedError(Failure.NONSENSE, f"status {answer.status_code}", answer.status_code)
            deadline = time.monotonic() + self.patience.small
            data = bytearray()
            while length is None or len(data) < length:
                block = self._http.read(
                    answer, SMALL_BLOCK if length is None else min(SMALL_BLOCK, length - len(data))
                )
                if not block:
                    break
                data += block
                task.check_received(len(data))
                if time.monotonic() > deadline:
                    raise FailedError(Failure.STALLED, f"{len(data):,} bytes in {self.patience.small:g} s")
            if length is not None and len(data) < length:
                raise _cut(len(data), length)
            found = source_of(answer, answer.url, length)
            return Fetched(bytes(data), answer.url, found.last_modified, found.etag)

    def _large_once(self, url: str, file: PartFile, task: Task) -> Downloaded:
        """One try at one mirror: the rest of the file if the server has the same one, else all of it."""
        shown = without_password(url)
        source, offset = file.source, file.resumable(shown, task.expected)
        if source is not None and offset:
            self._reserve(file, (source.length or 0) - offset)
            task.begin_progress(source.length or 0)
            file.keep(offset, task.advance)
            offset = file.size
            headers = {"Range": f"bytes={offset}-", "If-Range": source.validator(shown) or ""}
            with self._http.answer(url, headers, plain=task.plain) as answer:
                if continues(answer, source, shown, offset):
                    return self._receive(answer, file, task, source_of(answer, shown, source.length))
                if answer.status_code == 200:  # another file by now, or a server that knows no ranges
                    return self._begin(answer, shown, file, task)
        with self._http.answer(url, {}, plain=task.plain) as answer:
            return self._begin(answer, shown, file, task)

    def _begin(self, answer: requests.Response, shown: str, file: PartFile, task: Task) -> Downloaded:
        """Receive a whole file. What the part held is thrown away only when this looks like the file."""
        if answer.status_code != 200:
            raise FailedError(Failure.NONSENSE, f"status {answer.status_code}", answer.status_code)
        refuse_html(answer.headers.get("Content-Type", ""), b"")
        length = announced(answer)
        task.check_announced(length)
        first = b"" if length == 0 else self._http.read(answer, min(SMALL_BLOCK, length or SMALL_BLOCK))
        refuse_html("", first)
        source = source_of(answer, shown, length)
        self._reserve(file, (length or task.expected or 0) - file.size)
        task.begin_progress(length or task.expected or 0)
        file.restart(source)
        return self._receive(answer, file, task, source, first)

    def _receive(
        self, answer: requests.Response, file: PartFile, task: Task, source: Source, first: bytes = b""
    ) -> Downloaded:
        """Append `first` and the rest of the body, up to the announced end and not a byte further."""
        length = source.length
        pace = Pace(self.patience.stall)
        try:
            with self._http.watched(answer, pace):
                if first:
                    room = file.room(len(first))
                    room[:] = first
                    self._append(file, task, room)
                while length is None or file.size < length:
                    room = file.room(pace.block if length is None else min(pace.block, length - file.size))
                    count = pace.timed(lambda into: self._http.read_into(answer, into), room)
                    if not count:
                        break
                    self._append(file, task, room[:count])
        except FailedError as error:
            if error.failure is Failure.CUT:
                raise _cut(file.size, length, error.detail) from error
            raise
        wanted = task.expected if length is None else length
        if wanted is not None and file.size < wanted:
            raise _cut(file.size, wanted)
        sha256, sha512 = file.digests()
        return Downloaded(
            sha256, sha512, file.size, source.url, source.etag, source.last_modified, file.found
        )

    def _append(self, file: PartFile, task: Task, block: memoryview) -> None:
        try:
            task.check_received(file.size + len(block))
        except FailedError:
            file.restart(None)
            raise
        file.add(block)
        task.advance(len(block))
        with self._lock:
            self._pending[file.path] = max(0, self._pending.get(file.path, 0) - len(block))

    def _reserve(self, file: PartFile, need: int) -> None:
        """Refuse if `need` more bytes have no room beside what other downloads of this run still need."""
        folder = file.path.parent
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise storage_error("look at", folder, error) from error
        with self._lock:
            free -= sum(count for path, count in self._pending.items() if path != file.path)
            if need > free:
                raise NoSpaceError(folder, need, max(0, free))
            self._pending[file.path] = max(0, need)


def _cut(size: int, length: int | None, reason: str = "") -> FailedError:
    of = "" if length is None else f" of {length:,}"
    return FailedError(Failure.CUT, f"after {size:,}{of} bytes" + (f": {reason}" if reason else ""))


def _name(url: str) -> str:
    """What people call the file at an address. Never used as a path."""
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2][:100] or without_password(url)
    except ValueError:
        return url[:100]
