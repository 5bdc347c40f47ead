"""Requests and their answers, one connection each, with everything that may be done to them from other threads.

Used by edge/net.py alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests

from ventoy_kit import __version__
from ventoy_kit.edge.http_answer import FailedError, as_failure, judge_status, shut
from ventoy_kit.edge.net_errors import Failure, without_password
from ventoy_kit.edge.transfer import SMALL_BLOCK, Pace, Patience
from ventoy_kit.errors import InterruptedRunError

REDIRECTS = 8
"""Redirects that are followed before it is called a circle."""


class HttpSession:
    """GET requests with the environment's proxies and certificates; may be used from several threads at once."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update(
            {
                "User-Agent": f"ventoy-kit/{__version__}",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                # A server that sends more than it announced must not have the rest taken for its next answer.
                "Connection": "close",
            }
        )
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._open: set[requests.Response] = set()

    def close(self) -> None:
        """Close what is idle."""
        self._session.close()

    def stop(self) -> None:
        """End all answers that are being read, and refuse further ones."""
        self.stopped.set()
        with self._lock:
            for answer in self._open:
                shut(answer)

    def check(self) -> None:
        """Raise InterruptedRunError if `stop` was called."""
        if self.stopped.is_set():
            raise InterruptedRunError("the download was interrupted", "Run the command again; it goes on.")

    @contextlib.contextmanager
    def answer(self, url: str, headers: dict[str, str], *, plain: bool) -> Iterator[requests.Response]:
        """The answer to a GET after redirects, with status 2xx or 416; closed at the end."""
        self.check()
        if _scheme(url) not in ("https", "http" if plain else "https"):
            raise FailedError(Failure.INSECURE, f"the address begins with `{url.partition(':')[0]}:`")
        with as_failure():
            answer = self._follow(url, headers)
        with self._lock:
            self._open.add(answer)
        try:
            judge_status(answer)
            encoding = answer.headers.get("Content-Encoding", "identity")
            if encoding.lower() != "identity":
                raise FailedError(Failure.NONSENSE, f"sent as {encoding}, which was not asked for")
            yield answer
        finally:
            with self._lock:
                self._open.discard(answer)
            answer.close()

    def _follow(self, url: str, headers: dict[str, str]) -> requests.Response:
        times = (self._patience.connect, self._patience.stall)
        for _ in range(REDIRECTS + 1):
            answer = self._session.get(
                url, headers=headers, timeout=times, stream=True, allow_redirects=False
            )
            target = self._session.get_redirect_target(answer)
            if target is None:
                return answer
            answer.close()
            _scheme(target)
            url = urljoin(answer.url, target)
            if _scheme(url) != "https":
                raise FailedError(Failure.INSECURE, f"redirected to {without_password(url)}")
        raise FailedError(Failure.NONSENSE, f"more than {REDIRECTS} redirects")

    def read(self, answer: requests.Response, amount: int) -> bytes:
        """Up to `amount` bytes of the body; what is there if `amount` is small; empty at the end."""
        self.check()
        try:
            with as_failure():
                if amount <= SMALL_BLOCK:
                    data: bytes = answer.raw.read1(amount, decode_content=False)
                else:
                    data = answer.raw.read(amount, decode_content=False)
        finally:
            self.check()  # what `stop` does to a connection is no failure of the server
        return data

    def read_into(self, answer: requests.Response, into: memoryview) -> int:
        """Bytes of the body into a buffer: as many as fit, or what is there if that is small; 0 at the end."""
        if len(into) <= SMALL_BLOCK:
            data = self.read(answer, len(into))
            into[: len(data)] = data
            return len(data)
        self.check()
        try:
            with as_failure():
                # urllib3 copies what it reads twice; what it reads from has the same method and does not.
                count: int = getattr(answer.raw, "_fp", answer.raw).readinto(into)
        finally:
            self.check()
        return count

    @contextlib.contextmanager
    def watched(self, answer: requests.Response, pace: Pace) -> Iterator[None]:
        """Shut the connection when one read takes longer than a stall: bytes may trickle, so that it never ends."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(min(1.0, self._patience.stall / 4)):
                if pace.too_long():
                    pace.silent = True
                    shut(answer)
                    return

        thread = threading.Thread(target=watch, name="stall", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _scheme(url: str) -> str:
    """How an address begins, `https` for instance.

    Raises:
        FailedError: it is no address.
    """
    try:
        return urlsplit(url).scheme
    except ValueError as error:
        raise FailedError(Failure.NONSENSE, "no valid address") from error
