"""What can go wrong between the kit and a server, as data that a caller can judge.

A caller turns `GoneError` and `UnfitAnswerError` into findings: trying again does not help, and the user (or the
catalog) names something that is not there or not what it should be. The others are failures of the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ventoy_kit.errors import MachineError, StorageError


class Failure(StrEnum):
    """Why one server did not give a file. The value is shown to the user."""

    GONE = "the file is not there"
    """404 or 410."""
    REFUSED = "the server refused"
    """Any other 4xx, or a proxy that wants a password."""
    BUSY = "the server has a problem"
    """408, 425, 429 or 5xx; tried again."""
    UNREACHABLE = "no connection"
    """No such name, no route, nothing listens, or the proxy is not reached; tried again."""
    STALLED = "the server fell silent"
    """No bytes, or next to none, for the time that `Patience.stall` gives; tried again."""
    CUT = "the connection was cut"
    """It ended before the announced end of the file; tried again."""
    UNTRUSTED = "the server's certificate does not hold"
    """TLS: unknown issuer, expired, or for another name."""
    INSECURE = "plain HTTP"
    """A redirect away from HTTPS, or an address that is not HTTPS where the caller did not allow that."""
    NOT_THE_FILE = "an HTML page came in the place of the file"
    """A captive portal, a mirror's error page with status 200, a download page."""
    WRONG_SIZE = "the file has another size"
    """The announced or received length is not the expected one."""
    TOO_LARGE = "the file is too large"
    """More than the caller's limit."""
    NONSENSE = "an answer that makes no sense"
    """Against HTTP's rules, compressed although asked not to, redirected in a circle, no address at all."""


TRANSIENT = frozenset({Failure.BUSY, Failure.UNREACHABLE, Failure.STALLED, Failure.CUT})
"""Failures that may be over in a minute; all others are answers that will be the same again."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one address failed in the end.

    Attributes:
        url: the address as it was asked for, without user name and password.
        failure: the kind of the last failure.
        detail: status, numbers or the system's words; may be empty.
        status: the HTTP status if the server sent one.
        tries: how often it was tried.
    """

    url: str
    failure: Failure
    detail: str = ""
    status: int | None = None
    tries: int = 1


class NetworkError(MachineError):
    """No address gave the file, and a later run may succeed.

    Attributes:
        attempts: one for each address, in the order in which they were tried.
    """

    def __init__(self, message: str, hint: str, attempts: tuple[Attempt, ...]) -> None:
        super().__init__(message, hint)
        self.attempts = attempts


class UnreachableError(NetworkError):
    """None of the servers could be reached at all: most likely there is no network."""


class GoneError(NetworkError):
    """Every server says that it has no such file: the release was withdrawn, or its name is wrong."""


class UnfitAnswerError(NetworkError):
    """Every server gave an answer that will not get better by asking again, and at least one was not "gone"."""


class NoSpaceError(StorageError):
    """There is not enough room for the file; found before its first byte was received.

    Attributes:
        folder: where the file was to go.
        needed: bytes that are still to be received.
        free: bytes that are free there, less what downloads of this run that are under way will still take.
    """

    def __init__(self, folder: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{folder} has {free:,} bytes free, the download needs {needed:,}",
            f"Free {needed - free:,} bytes there, or set VENTOY_KIT_CACHE to a folder on a larger disk.",
        )
        self.folder, self.needed, self.free = folder, needed, free


def network_error(name: str, attempts: Sequence[Attempt]) -> NetworkError:
    """The exception that fits what the servers said about the file `name`."""
    kinds = {a.failure for a in attempts}
    reasons = "; ".join(
        f"{urlsplit(a.url).netloc or a.url}: {a.failure}" + (f" ({a.detail})" if a.detail else "")
        for a in attempts
    )
    message = f"cannot fetch {name}: {reasons or 'there is no address to fetch it from'}"
    if kinds == {Failure.GONE}:
        kind: type[NetworkError] = GoneError
        hint = "Choose another release, or look on the vendor's site where it went."
    elif kinds == {Failure.UNREACHABLE}:
        kind = UnreachableError
        hint = "Look at the network and at HTTPS_PROXY, or use `--offline` with what the cache holds."
    elif kinds.isdisjoint(TRANSIENT):
        kind, hint = UnfitAnswerError, next((h for k, h in _HINTS.items() if k in kinds), _LAST_HINT)
    else:
        kind, hint = NetworkError, "Run the command again; it goes on where it stopped."
    return kind(message, hint, tuple(attempts))


_HINTS = {
    Failure.UNTRUSTED: "Look at this machine's clock; behind a company proxy, "
    "set REQUESTS_CA_BUNDLE to the file with its certificate.",
    Failure.INSECURE: "Use an address that stays on HTTPS; something on the way may have changed the redirect.",
    Failure.NOT_THE_FILE: "Open the address in a browser: a login page of the network, "
    "or a mirror that no longer has the file.",
    Failure.WRONG_SIZE: "The vendor replaced the file, or the mirror is broken; update the lock or use another mirror.",
    Failure.TOO_LARGE: "Look at the address: no installer is that large.",
}
_LAST_HINT = "Look at the address in the catalog, or use another mirror."


def without_password(url: str) -> str:
    """An address for people, files and comparison: without user name and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no valid address)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
