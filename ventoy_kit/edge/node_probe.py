"""Runs a probe, one Python file, here or on a node over SSH, and brings back what it printed."""

from __future__ import annotations

import sys

from ventoy_kit.errors import MachineError, MissingToolError
from ventoy_kit.ports import FedProcess

_TIMEOUT = 60.0
_SSH = (
    "ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10", "--",
)  # fmt: skip
"""No password is ever asked for and no unknown host is trusted: ssh's own configuration, keys and agent decide."""
_SSH_FAILED, _NOT_FOUND = 255, 127


def run_probe(process: FedProcess, script: str, destination: str | None, *, sudo: bool) -> str:
    """What a probe prints. The script travels on standard input; nothing is written on the node.

    Args:
        process: starts programs.
        script: the probe's text.
        destination: `user@host` as ssh takes it, or None for this machine.
        sudo: run it as root through `sudo -n`, which never asks for a password.

    Raises:
        MachineError: no connection, no such host key, no Python there, no right to use sudo, or the probe failed.
    """
    root = ("sudo", "-n") if sudo else ()
    if destination is None:
        argv, place = (*root, sys.executable, "-"), "this machine"
    else:
        argv, place = (*_SSH, destination, *root, "python3", "-"), destination
    code, out, err = process.run(argv, timeout=_TIMEOUT, input=script)
    if code == 0:
        return out
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    said = lines[-1] if lines else f"exit code {code}"
    if destination is not None and code == _SSH_FAILED:
        raise MachineError(f"no SSH connection to {place}: {said}", _ssh_hint(err, destination))
    if code == _NOT_FOUND:
        raise MissingToolError(f"{place} lacks a program: {said}", "Install python3 (or sudo) there.")
    if sudo and any(line.startswith("sudo:") for line in lines):
        raise MachineError(
            f"sudo refused on {place}: {said}", "Allow sudo without a password, or log in as root."
        )
    raise MachineError(f"the probe failed on {place}: {said}", "Run it there by hand: ventoy-kit bios probe")


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
