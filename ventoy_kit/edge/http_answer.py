"""What an HTTP answer says, judged by the rules that a download depends on. Used by edge/net.py alone."""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3

from ventoy_kit.edge.net_errors import Attempt, Failure, without_password
from ventoy_kit.edge.partfile import Source
from ventoy_kit.errors import MachineError


class FailedError(Exception):
    """One try failed. Never leaves edge/net.py.

    Attributes:
        failure, detail, status: as in `Attempt`.
        retry_after: seconds that the server asked to wait, 0 if it did not.
    """

    def __init__(
        self, failure: Failure, detail: str = "", status: int | None = None, retry_after: float = 0.0
    ) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure, self.detail, self.status, self.retry_after = failure, detail, status, retry_after

    def attempt(self, url: str, tries: int) -> Attempt:
        """The outcome at one address after its last try."""
        return Attempt(without_password(url), self.failure, self.detail, self.status, tries)


def judge_status(answer: requests.Response) -> None:
    """Pass 2xx, and 416 (the range begins behind the end: the file is another one by now).

    Raises:
        FailedError: any other status.
    """
    status = answer.status_code
    if 200 <= status < 300 or status == 416:
        return
    if status in (404, 410):
        failure = Failure.GONE
    elif status in (408, 425, 429) or status >= 500:
        failure = Failure.BUSY
    elif status >= 400:
        failure = Failure.REFUSED
    else:
        failure = Failure.NONSENSE
    raise FailedError(failure, f"status {status}", status, _retry_after(answer))


def announced(answer: requests.Response) -> int | None:
    """Bytes of the body, None if it is not said (RFC 9112, 6.3: Transfer-Encoding makes Content-Length void).

    Raises:
        FailedError: the header makes no sense.
    """
    text = answer.headers.get("Content-Length")
    if text is None or "Transfer-Encoding" in answer.headers:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text.strip()):
        raise FailedError(Failure.NONSENSE, "the Content-Length is no number")
    return int(text)


def source_of(answer: requests.Response, url: str, length: int | None) -> Source:
    """Which file this is, as far as the server says it."""
    return Source(url, answer.headers.get("ETag"), answer.headers.get("Last-Modified"), length)


def continues(answer: requests.Response, source: Source, url: str, offset: int) -> bool:
    """Whether this is the rest, from `offset`, of the file that `source` describes (RFC 9110, 14.4 and 15.3.7)."""
    length = source.length
    if answer.status_code != 206 or length is None:
        return False
    span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", "").strip())
    if span is None or [int(n) for n in span.groups()] != [offset, length - 1, length]:
        return False
    return announced(answer) in (None, length - offset) and source.may_be(source_of(answer, url, length))


def refuse_html(content_type: str, beginning: bytes) -> None:
    """Refuse a page in the place of an image: no ISO begins with a tag, and no mirror calls one text/html.

    Raises:
        FailedError: it is one.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise FailedError(Failure.NOT_THE_FILE, f"sent as {kind}")
    if re.match(rb"(\xef\xbb\xbf)?\s*<[!?A-Za-z]", beginning):
        raise FailedError(Failure.NOT_THE_FILE, "it begins with a tag")


def shut(answer: requests.Response) -> None:
    """End a connection that another thread reads from: that thread's read returns at once."""
    with contextlib.suppress(Exception):  # it has ended by itself
        answer.raw.shutdown()


@contextlib.contextmanager
def as_failure() -> Iterator[None]:
    """Turn what requests, urllib3 and the system raise into FailedError.

    Raises:
        FailedError: the network, the server or the address is at fault.
        MachineError: REQUESTS_CA_BUNDLE names no file.
    """
    try:
        yield
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        if isinstance(error, OSError) and "certificate bundle" in str(error):
            raise MachineError(
                f"the file with certificates cannot be read: {str(error).rpartition(': ')[2]}",
                "Correct or unset REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE).",
            ) from error
        raise _failed(error) from error


def _failed(error: Exception) -> FailedError:
    chain = list(_chain(error))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((e for e in chain if isinstance(e, kinds)), None)

    words = _words(chain)
    distrust = among(ssl.SSLCertVerificationError)
    if isinstance(distrust, ssl.SSLCertVerificationError):
        return FailedError(Failure.UNTRUSTED, distrust.verify_message or words)
    if among(
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        urllib3.exceptions.LocationParseError,
        UnicodeError,
    ):
        return FailedError(Failure.NONSENSE, "no valid address")
    if among(requests.exceptions.ProxyError):
        return FailedError(Failure.UNREACHABLE, f"by the proxy: {words}")
    if among(requests.exceptions.ConnectTimeout, urllib3.exceptions.NewConnectionError):
        return FailedError(Failure.UNREACHABLE, words)
    if among(requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return FailedError(Failure.STALLED)
    if among(urllib3.exceptions.IncompleteRead, http.client.IncompleteRead):
        words = ""  # the caller knows the numbers
    return FailedError(Failure.CUT, words)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made from: requests and urllib3 wrap theirs in several ways."""
    todo, seen = [error], set()
    while todo:
        this = todo.pop(0)
        if id(this) in seen:
            continue
        seen.add(id(this))
        yield this
        inner = (this.__cause__, this.__context__, getattr(this, "reason", None), *this.args)
        todo += [e for e in inner if isinstance(e, BaseException)]


def _words(chain: list[BaseException]) -> str:
    """The system's own words if there are such, else those of the innermost exception."""
    for error in chain:
        if isinstance(error, OSError) and error.strerror and not isinstance(error, requests.RequestException):
            return error.strerror
    return str(chain[-1])[:120]


def _retry_after(answer: requests.Response) -> float:
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,6}", text):
        return float(text)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return 0.0
