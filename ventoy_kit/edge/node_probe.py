"""Runs a probe, one file for Python or a shell, here or on a node over SSH, and brings back what it printed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ventoy_kit.errors import MachineError, MissingToolError
from ventoy_kit.ports import FedProcess

_SSH = (
    "ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10", "--",
)  # fmt: skip
"""No password is ever asked for and no unknown host is trusted: ssh's own configuration, keys and agent decide."""
_SSH_FAILED, _NOT_FOUND = 255, 127


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads a probe on a node.

    Attributes:
        argv: the program and its arguments; it reads the probe from standard input.
        timeout: seconds that the probe may take.
        by_hand: how a person finds out more when it fails.
    """

    argv: tuple[str, ...] = ("python3", "-")
    timeout: float = 60.0
    by_hand: str = "Run it there by hand: ventoy-kit bios probe"


PYTHON = Reader()


def run_probe(
    process: FedProcess, script: str, destination: str | None, *, sudo: bool, reader: Reader = PYTHON
) -> str:
    """What a probe prints. The script travels on standard input; nothing is written on the node.

    Args:
        process: starts programs.
        script: the probe's text.
        destination: `user@host` as ssh takes it, or None for this machine.
        sudo: run it as root through `sudo -n`, which never asks for a password.
        reader: the program that reads it there.

    Raises:
        MachineError: no connection, no such host key, no Python there, no right to use sudo, or the probe failed.
    """
    root = ("sudo", "-n") if sudo else ()
    if destination is None:
        here = (sys.executable, "-") if reader is PYTHON else reader.argv
        argv, place = (*root, *here), "this machine"
    else:
        argv, place = (*_SSH, destination, *root, *reader.argv), destination
    code, out, err = process.run(argv, timeout=reader.timeout, input=script)
    if code == 0:
        return out
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    said = lines[-1] if lines else f"exit code {code}"
    if destination is not None and code == _SSH_FAILED:
        raise MachineError(f"no SSH connection to {place}: {said}", _ssh_hint(err, destination))
    if code == _NOT_FOUND:
        raise MissingToolError(
            f"{place} lacks a program: {said}", f"Install {reader.argv[0]} (or sudo) there."
        )
    if sudo and any(line.startswith("sudo:") for line in lines):
        raise MachineError(
            f"sudo refused on {place}: {said}", "Allow sudo without a password, or log in as root."
        )
    raise MachineError(f"the probe failed on {place}: {said}", reader.by_hand)


def _ssh_hint(err: str, destination: str) -> str:
    if "Host key verification failed" in err or "host key" in err.lower():
        return (
            f"Log in once with `ssh {destination}`, compare the host key, and accept it; a machine that was "
            "installed anew has a new one."
        )
    if "Permission denied" in err:
        return (
            "Put your public key on the node, load your key into ssh-agent, or name another user with --ssh."
        )
    return f"Try `ssh {destination}`, or record the facts on the node and read them with --facts."
