"""Secrets named in the fleet file, read and hashed. What leaves this module is hashes only."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.errors import MachineError
from ventoy_kit.fleet.answer_rules import used_secrets
from ventoy_kit.fleet.rules import password_secrets
from ventoy_kit.fleet.schema import Fleet, Secret
from ventoy_kit.fleet.secret_places import may_be_shown
from ventoy_kit.gather import codes
from ventoy_kit.gather.guessable import why_guessable
from ventoy_kit.ports import Environment, Files, Process
from ventoy_kit.report import Finding, Report
from ventoy_kit.report import Path as DocPath

ROUNDS = 100_000
"""sha512-crypt rounds: a twentieth of a second per login on a small board, twenty times the default of crypt(3)."""

_READY = re.compile(r"\$(6|y|5|2[aby]|gy|7)\$[A-Za-z0-9./$=,+_-]{20,500}")

LONGEST = 511
"""Bytes of a password that PAM takes (PAM_MAX_RESP_SIZE, with its NUL)."""


@dataclass(frozen=True, slots=True)
class SecretSources:
    """Where secrets can come from.

    `base` is the folder that relative paths start from. `ask` shows a question and gives what is typed without showing
    it, or None where nobody can be asked.
    """

    base: Path
    files: Files
    environment: Environment
    process: Process
    ask: Callable[[str], str | None] = lambda _question: None


def gather_hashes(
    fleet: Fleet, sources: SecretSources, known: Mapping[str, str]
) -> tuple[Mapping[str, str], Report]:
    """Hashes of the secrets that the fleet uses.

    Args:
        fleet: the fleet.
        sources: where secrets can come from.
        known: hashes made before, by secret name; one that still verifies is used again, so that the same password
            gives the same bytes.

    Returns:
        crypt(3) strings by secret name, and findings VK-X01 to VK-X05. No finding holds any part of a secret.
    """
    report = Report()
    hashes: dict[str, str] = {}
    for name in password_secrets(fleet):
        value, finding = _read(fleet.secrets[name], name, sources)
        if finding is not None:
            report.add(finding)
        report.extend(_open_file(fleet.secrets[name], name, sources))
        if value is not None:
            made, finding = _hash(value, name, known.get(name))
            if finding is not None:
                report.add(finding)
            if made is not None:
                hashes[name] = made
                report.extend(_guessable(fleet, value, name))
    return hashes, report


def gather_clear(fleet: Fleet, sources: SecretSources) -> tuple[Mapping[str, str], Report]:
    """The secrets that travel in clear, by name: tokens and subscription keys whose secret allows it.

    Returns:
        The values, and findings VK-X01 to VK-X04; no finding holds any part of one.
    """
    report = Report()
    out: dict[str, str] = {}
    for name in used_secrets(fleet):
        value, finding = _read(fleet.secrets[name], name, sources)
        report.extend(() if finding is None else (finding,))
        report.extend(_open_file(fleet.secrets[name], name, sources))
        if value is not None and (not value.isprintable() or not value.strip()):
            message = "the value is empty, or holds a line end or a control character"
            report.add(codes.SECRET_SHAPE.finding(message, "Use one line of text.", path=("secrets", name)))
        elif value is not None:
            out[name] = value
    return out, report


def _read(secret: Secret, name: str, sources: SecretSources) -> tuple[str | None, Finding | None]:
    path: DocPath = ("secrets", name)
    if secret.env is not None:
        value = sources.environment.get(secret.env)
        if not value:
            variable = secret.env if may_be_shown("env", secret.env) else "NAME"
            return None, codes.SECRET_MISSING.finding(
                f"the environment variable {_shown('env', secret.env)} is not set",
                f"Run `export {variable}=...` first (a blank before it keeps it out of the shell's history).",
                path=(*path, "env"),
            )
        return _one_line(value), None
    if secret.prompt:
        return _typed(name, sources)
    if secret.file is not None:
        try:
            return _one_line(sources.files.read(_file_of(secret.file, sources)).decode("utf-8-sig")), None
        except (OSError, ValueError, RuntimeError) as error:  # also: no such user after ~, a NUL in the path
            reason = (
                error.strerror
                if isinstance(error, OSError)
                else "it is not UTF-8 text"
                if isinstance(error, UnicodeDecodeError)
                else "that is no path"
            )
            return None, codes.SECRET_MISSING.finding(
                f"the file {_shown('file', secret.file)} cannot be read: {reason}",
                "Create it, with mode 600.",
                path=(*path, "file"),
            )
    argv = secret.command or ()
    try:
        code, out, _ = sources.process.run(argv, timeout=60)
    except MachineError as error:
        code, out, reason = 1, "", error.message if may_be_shown("command", *argv) else "it cannot be run"
    except ValueError:
        code, out, reason = 1, "", "its arguments hold a NUL character"
    else:
        reason = f"exit code {code}" if code else "it printed nothing"
    if code or not out:
        return None, codes.SECRET_MISSING.finding(
            f"the program {_shown('command', *argv)} gave no secret: {reason}",
            "Run it by hand to see why.",
            path=(*path, "command"),
        )
    return _one_line(out), None


def _guessable(fleet: Fleet, value: str, name: str) -> Iterator[Finding]:
    """A warning of a password that is tried first; a ready hash tells nothing."""
    words = (fleet.fleet, *fleet.nodes, *fleet.users, *fleet.secrets, *fleet.defaults.domain.split("."))
    why = None if value.startswith("$") else why_guessable(value, words)
    if why is not None:
        yield codes.SECRET_GUESSABLE.finding(
            f"the password is tried first: {why}",
            "Choose several words that do not belong together, or let a password store make one.",
            path=("secrets", name),
        )


def _shown(key: str, *words: str) -> str:
    """The source in a message, unless it looks as if the secret itself were written there."""
    return (
        words[0]
        if may_be_shown(key, *words)
        else f"that `{key}` names (it may be the secret, so is not shown)"
    )


def _typed(name: str, sources: SecretSources) -> tuple[str | None, Finding | None]:
    """A secret that is typed twice, as what is typed is not seen."""
    path: DocPath = ("secrets", name, "prompt")
    value = sources.ask(f"Secret `{name}`:")
    if not value:
        why = "nobody can be asked here" if value is None else "nothing was typed"
        return None, codes.SECRET_MISSING.finding(
            f"the secret `{name}` is to be typed, and {why}",
            "Run the command in a terminal, or use `env`, `file` or `command`.",
            path=path,
        )
    if sources.ask(f"Secret `{name}` again:") != value:
        return None, codes.SECRET_MISSING.finding(
            f"the secret `{name}` was typed in two ways", "Run the command again.", path=path
        )
    return value, None


def _file_of(name: str, sources: SecretSources) -> Path:
    return sources.base / Path(name).expanduser()


def _open_file(secret: Secret, name: str, sources: SecretSources) -> Iterator[Finding]:
    """A warning if others can read the file that holds a secret."""
    if secret.file is None:
        return
    try:
        shared = sources.files.stat(_file_of(secret.file, sources)).shared
    except (OSError, ValueError, RuntimeError):  # no regular file: nothing that a mode would protect
        return
    if shared:
        yield codes.SECRET_OPEN.finding(
            f"others can read the file {secret.file}",
            f"Run `chmod 600 {secret.file}`.",
            path=("secrets", name, "file"),
        )


def _one_line(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _hash(value: str, name: str, known: str | None) -> tuple[str | None, Finding | None]:
    path: DocPath = ("secrets", name)
    if value.startswith("$"):
        if _READY.fullmatch(value):
            return value, None
        return None, codes.SECRET_SHAPE.finding(
            "the value begins with `$` but is no hash that crypt(3) knows",
            "Make one with `mkpasswd -m sha-512`, or choose a password that does not begin with `$`.",
            path=path,
        )
    # A lone surrogate stands for a byte that is no UTF-8, and U+FFFD for one that a program printed.
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 or ord(c) == 0xFFFD for c in value):
        return None, codes.SECRET_SHAPE.finding(
            "the password holds a line end, a control character or a byte that is no UTF-8",
            "Use one line of text.",
            path=path,
        )
    if len(value.encode()) > LONGEST:
        return None, codes.SECRET_SHAPE.finding(
            f"the password has {len(value.encode())} bytes, more than a login takes",
            f"Use at most {LONGEST}.",
            path=path,
        )
    if len(value.encode()) < 8:
        return None, codes.SECRET_SHORT.finding(
            f"the password has {len(value.encode())} bytes", "Use at least 8, better 16.", path=path
        )
    from passlib.hash import sha512_crypt

    with contextlib.suppress(ValueError):  # what was remembered is damaged: a new hash is made
        if known and sha512_crypt.identify(known) and sha512_crypt.verify(value, known):
            return known, None
    return str(sha512_crypt.using(rounds=ROUNDS).hash(value)), None
