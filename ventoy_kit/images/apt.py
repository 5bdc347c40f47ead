"""Debian's own archive as a source of images: what a catalog entry says of it, and what apt's files mean. Pure.

Sources: apt.conf(5), sources.list(5), apt-get(8); the form of `InRelease` and `Packages` is that of the Debian wiki's
page "DebianRepository/Format"; clear-signed text is RFC 9580, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ventoy_kit.fleet.values import Bool, as_text, bad

ARCHITECTURE: Final = "amd64"
"""Of the machines that are installed, whatever this one is."""

_URI: Final = re.compile(
    r"(?:https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?|file:)(?:/[A-Za-z0-9._~+,%:-]*)+"
)
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{1,80}")
_SERIES: Final = re.compile(r"[0-9]{1,3}")


def _uri(value: object) -> str:
    text = as_text(value)
    if not _URI.fullmatch(text):
        raise bad(f"`{text}` is no archive that apt reads", "Write http://, https:// or file:, and the path.")
    return text


def _word(value: object) -> str:
    text = as_text(value)
    if not _WORD.fullmatch(text):
        raise bad(
            f"`{text}` is no name as Debian's archive has them", "Use lower-case letters, digits, `.+-`."
        )
    return text


_TEXT: Final = WithJsonSchema({"type": "string"})
ArchiveUri = Annotated[str, BeforeValidator(_uri), _TEXT]
"""An archive for apt. Plain HTTP is fine: the index is signed, and everything else is named by digest in it."""

ArchiveWord = Annotated[str, BeforeValidator(_word), _TEXT]
"""A package, a suite or a component."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AptPackage(_Model):
    """The package that one series is made from."""

    package: ArchiveWord = Field(description="Its name.")
    suite: ArchiveWord = Field(description="The suite that offers it, such as `trixie`.")


class AptSource(_Model):
    """A package of an archive in the place of a file of a vendor's server."""

    recipe: Literal["debian-netboot"] = Field(description="How the package is made into an ISO.")
    series: dict[str, AptPackage] = Field(description="The packages by series, such as `13`.")
    component: ArchiveWord = Field("main", description="The archive's component.")
    host: Bool = Field(
        default=True, description="Whether mirrors that this machine's own apt uses are asked first."
    )
    origin: str = Field(
        "Debian",
        pattern=r"^[A-Za-z0-9 ._-]{1,40}$",
        description="Origin and label in the index of those mirrors.",
    )
    mirrors: tuple[ArchiveUri, ...] = Field((), description="Archives that are asked then, in order.")

    @model_validator(mode="after")
    def _whole(self) -> AptSource:
        for name in self.series:
            if not _SERIES.fullmatch(name):
                raise bad(f"`{name}` is no series", "Write the number of a Debian release, such as 13.")
        if not self.series or not (self.mirrors or self.host):
            raise bad("a source needs a series and a mirror", "Give `series`, and `mirrors` or `host: true`.")
        return self

    def series_of(self, request: str) -> str | None:
        """The series that a request means: the newest for `latest`, else the number that it begins with."""
        if request == "latest":
            return max(self.series, key=int)
        number = re.match(r"[0-9]+", request)
        return number[0] if number is not None and number[0] in self.series else None


def is_archive(text: str) -> bool:
    """Whether a text is an archive's address in a form that apt takes."""
    return _URI.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a package, as the signed index describes it. `file` is its plain name, `size` is in bytes."""

    version: str
    file: str
    size: int
    sha256: str


def release_name(series: str, version: str) -> str:
    """The release of an image: series and version of the package, without characters that Ventoy's paths may not hold."""
    return f"{series}-{re.sub(r'[^A-Za-z0-9.]+', '-', version)}"


def offers(stanzas: Iterable[str]) -> tuple[Offer, ...]:
    """The versions that stanzas of a `Packages` file describe; a stanza that lacks a field is passed over."""
    found = []
    for stanza in stanzas:
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.+)$", stanza, re.MULTILINE))
        file = PurePath(fields.get("Filename", "")).name
        size, sha256 = fields.get("Size", ""), fields.get("SHA256", "")
        if (
            re.fullmatch(r"[1-9]\d{0,10}", size)
            and re.fullmatch(r"[0-9a-f]{64}", sha256)
            and file.endswith(".deb")
        ):
            found.append(Offer(fields.get("Version", ""), file, int(size), sha256))
    return tuple(found)


def split_clear_signed(data: bytes) -> tuple[bytes, bytes] | None:
    """The signed text and the signature of a clear-signed file, or None if it is none, or holds more than that."""
    match = re.fullmatch(
        rb"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:Hash: [^\n]*\n)*\r?\n(.*)\n"
        rb"(-----BEGIN PGP SIGNATURE-----\r?\n.*)",
        data,
        re.DOTALL,
    )
    if match is None:
        return None
    lines = [line.removeprefix(b"- ").rstrip(b" \t\r") for line in match[1].split(b"\n")]
    return b"\n".join(lines), match[2]


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """What a signed index says: its names, and digest and size in bytes of each file it covers."""

    names: frozenset[str]
    files: Mapping[str, tuple[str, int]]


def read_release(text: bytes) -> ReleaseFile:
    """Read the text of an `InRelease` or `Release` file; only its SHA-256 list counts."""
    names: set[str] = set()
    files: dict[str, tuple[str, int]] = {}
    field = ""
    for line in text.decode("utf-8", "replace").splitlines():
        if line.startswith(" "):
            item = re.fullmatch(r" ([0-9a-f]{64}) +(\d+) (\S+)", line) if field == "SHA256" else None
            if item is not None:
                files.setdefault(item[3], (item[1], int(item[2])))
            continue
        field, _, value = line.partition(":")
        if field in ("Suite", "Codename"):
            names.add(value.strip())
    return ReleaseFile(frozenset(names), files)


def host_archives(listing: str, source: AptSource) -> tuple[str, ...]:
    """The archives among this machine's own sources that have the wanted origin, each once, in their order.

    Args:
        listing: what `apt-get indextargets` printed with `LISTING_FORMAT`.
        source: what is wanted.
    """
    found = []
    for line in listing.splitlines():
        origin, label, component, uri = (*line.split("|"), "", "", "", "")[:4]
        # One with a password in it, or of another kind of transport, is not handed on.
        if (origin, label, component) == (source.origin, source.origin, source.component) and _URI.fullmatch(
            uri
        ):
            found.append(uri)
    return tuple(dict.fromkeys(found))


LISTING_FORMAT: Final = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"

_HANDED_ON: Final = re.compile(
    r'(Acquire::https?::(?:Proxy(?:-Auto-Detect)?|CAInfo|CAPath)(?:::[A-Za-z0-9.-]+)?) "([^"\n]+)";',
    re.IGNORECASE,
)


def configuration(folder: PurePath, host_configuration: str, *, sandboxed: bool) -> str:
    """The configuration of a private apt root: nothing of the machine's but how it reaches the network.

    Args:
        folder: the private root; no `"` in its path.
        host_configuration: what `apt-config dump` printed.
        sandboxed: whether apt's own user can reach the folder; apt drops root's rights then, as it is built to.
    """
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::trustedparts": folder / "trusted.gpg.d",
        **dict.fromkeys(
            (
                *("Dir::Etc::main", "Dir::Etc::parts", "Dir::Etc::sourceparts", "Dir::Etc::trusted"),
                *("Dir::Etc::preferences", "Dir::Etc::preferencesparts"),
            ),
            "/dev/null",
        ),
        "APT::Architecture": ARCHITECTURE,
        "APT::Architectures": ARCHITECTURE,
        "APT::Update::Error-Mode": "any",
        **dict.fromkeys(
            (
                *("APT::Get::AllowUnauthenticated", "Acquire::AllowInsecureRepositories"),
                *("Acquire::AllowDowngradeToInsecureRepositories", "Acquire::AllowWeakRepositories"),
                *("Acquire::GzipIndexes", "Acquire::PDiffs"),
            ),
            "false",
        ),
        "Acquire::Check-Valid-Until": "true",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Acquire::http::Timeout": "30",
        "Acquire::https::Timeout": "30",
    }
    if not sandboxed:
        settings["APT::Sandbox::User"] = "root"
    handed_on = [f'{name} "{value}";' for name, value in _HANDED_ON.findall(host_configuration)]
    return "\n".join([*(f'{name} "{value}";' for name, value in settings.items()), *handed_on, ""])


def sources_list(uri: str, suite: str, component: str) -> str:
    """The one line of a private root's sources."""
    return f"deb [arch={ARCHITECTURE}] {uri} {suite} {component}\n"


AptAnswer = Literal["done", "refused", "gone", "failed"]
"""What apt's run came to: it worked; what came was not believed; there is no such thing; network or machine failed."""

_REFUSED: Final = re.compile(
    r"GPG error|not signed|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|Hash Sum mismatch|unexpected size|Clearsigned file"
    r"|signature verification|OpenPGP signature|weak (?:security|digest)|is (?:expired|not valid yet)|no longer signed"
    r"|could not be verified|cannot be authenticated|Conflicting distribution"
)
_GONE: Final = re.compile(
    r"does not have a Release file|404 +Not Found|File not found|Unable to (?:find|locate)|was not found"
)


def answer_of(code: int, output: str) -> AptAnswer:
    """Judge a run of apt by its exit code and its output in the C locale; a warning that a fetch failed is a failure."""
    told = [line for line in output.splitlines() if line.startswith(("E:", "W:", "Err:", "  "))]
    text = "\n".join(told)
    if code == 0 and not re.search(
        r"^(E:|Err:|W: (Failed to fetch|GPG error|An error occurred))", text, re.MULTILINE
    ):
        return "done"
    if _REFUSED.search(text):
        return "refused"
    return "gone" if _GONE.search(text) else "failed"


def reason_of(output: str) -> str:
    """What apt said was wrong, in one line."""
    lines = [line for line in output.splitlines() if line.startswith(("E:", "W:"))]
    told = dict.fromkeys(re.sub(r"^[EW]: ", "", line).strip() for line in lines or output.splitlines()[-2:])
    text = "; ".join(line for line in told if "unsandboxed" not in line)
    return re.sub(r"//[^/@\s]*@", "//", text)[:600] or "it gave no reason"


def in_order(uris: Sequence[str], mirrors: Sequence[str]) -> tuple[str, ...]:
    """The archives to ask, each once, whether they are written with a slash at their end or without."""
    return tuple(dict.fromkeys(uri.rstrip("/") for uri in (*uris, *mirrors)))
